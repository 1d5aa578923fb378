"""lxml and xmlsec work on the same trees in memory: they must carry the same libxml2.

Both come as wheels with a libxml2 inside. When one is newer than the other,
trees are read with the wrong layout, so nothing is loaded and the operator is
told what to install.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lxml import etree

from imagin_gateway.errors import Problem, SettingsError

REMEDY = 'pip install --upgrade --force-reinstall "lxml>=6.1" "xmlsec>=1.3.17", tous deux en roues binaires'


def problem(of_lxml: tuple[int, ...], of_xmlsec: tuple[int, ...]) -> Problem | None:
    """Compare the two versions of libxml2: the first two numbers name its layout in memory."""
    if of_lxml[:2] == of_xmlsec[:2]:
        return None
    told = " et ".join(
        f"{name} {'.'.join(map(str, each))}" for name, each in (("lxml", of_lxml), ("xmlsec", of_xmlsec))
    )
    return Problem("(installation)", f"lxml et xmlsec n’ont pas la même libxml2 : {told}", REMEDY)


def load() -> Any:
    """Import xmlsec, once it is known to fit lxml.

    Raises:
        SettingsError: it does not fit, or cannot be loaded.
    """
    try:
        module: Any = importlib.import_module("xmlsec")
        found = problem(etree.LIBXML_VERSION, module.get_libxml_version())
    except Exception:
        # Its own check raises an error of its own making, before any of its names exists.
        found = Problem("(installation)", "xmlsec ne se charge pas avec cette version de lxml", REMEDY)
        raise SettingsError([found]) from None
    if found is not None:
        raise SettingsError([found])
    return module


if TYPE_CHECKING:
    import xmlsec as xmlsec
else:
    xmlsec = load()
