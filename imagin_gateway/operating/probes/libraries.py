"""The libraries that are installed: none in a version known to be vulnerable (row DOC-05)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from imagin_gateway.operating.advisories import advisories
from imagin_gateway.operating.findings import Finding, fatal, good
from imagin_gateway.operating.ground import Ground

SUBJECT = "bibliothèques"


def look(ground: Ground) -> Iterator[Finding]:
    """Compare every version with the list the package carries."""
    known = advisories()
    told = 0
    for package in sorted(known.packages):
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue  # an extra that is not installed does nothing here
        if found := known.of(package, installed):
            told += 1
            text = f"{package} {installed} est connu pour vulnérable : {', '.join(each.id for each in found)}"
            yield fatal("libraries.vulnerable", SUBJECT, text, f"pip install --upgrade {package}")
    if not told:
        day = known.looked_over.strftime("%d/%m/%Y")
        yield good("libraries.versions", SUBJECT, f"aucune n’est dans la liste des vulnérables du {day}")
