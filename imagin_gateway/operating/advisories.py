"""Versions of libraries that are known to be vulnerable: a dated list that needs no network (row DOC-05).

It holds for what is installed (`imagin-gateway check`), and, in the tests, for the bounds
and the locks of the project.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Advisory:
    """One published vulnerability of one library.

    Attributes:
        package: normalised name (PEP 503).
        id: by which it is known; `also` has its other names.
        affected: ranges of versions (PEP 440); in any of them, it is there.
        what: what it lets happen.
        source: where the ranges were read.
    """

    package: str
    id: str
    affected: tuple[str, ...]
    what: str
    source: str
    also: tuple[str, ...] = ()

    def reaches(self, version: str) -> bool:
        """Tell whether a version is vulnerable; one that cannot be read is."""
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion, Version

        try:
            read = Version(version)
        except InvalidVersion:
            return True
        return any(SpecifierSet(each).contains(read, prereleases=True) for each in self.affected)


@dataclass(frozen=True, slots=True)
class Advisories:
    """The list.

    Attributes:
        looked_over: when it was last compared with what is published.
        none_found: packages for which nothing was found then.
    """

    looked_over: date
    none_found: frozenset[str]
    listed: tuple[Advisory, ...]

    def of(self, package: str, version: str) -> tuple[Advisory, ...]:
        """Return what is known against a version of a package."""
        name = normalised(package)
        return tuple(each for each in self.listed if each.package == name and each.reaches(version))

    @property
    def packages(self) -> frozenset[str]:
        """Every package that something is known of."""
        return frozenset(each.package for each in self.listed)


@lru_cache(maxsize=1)
def advisories() -> Advisories:
    """Return the list that the package carries."""
    told = tomllib.loads(files("imagin_gateway.operating").joinpath("advisories.toml").read_text(encoding="utf-8"))
    listed = tuple(
        Advisory(
            package=each["package"],
            id=each["id"],
            affected=tuple(each["affected"]),
            what=each["what"],
            source=each["source"],
            also=tuple(each.get("also", ())),
        )
        for each in told["advisory"]
    )
    return Advisories(told["looked_over"], frozenset(told["none_found"]), listed)


def normalised(name: str) -> str:
    """Return the name of a package as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
