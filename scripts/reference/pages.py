"""Every generated page, by its name under docs."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Final

from scripts.reference import codes, commands, events, inputs, limits, network, rows, settings, ways_in
from tests.pages import reference as host_pages
from tests.policy import docs as policy

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"

MODULES: Final[tuple[ModuleType, ...]] = (
    settings,
    codes,
    events,
    limits,
    ways_in,
    network,
    inputs,
    commands,
    rows,
)


def pages() -> dict[str, str]:
    """Return the pages that are generated whole."""
    return {module.PAGE: module.text() for module in MODULES}


def written_lists() -> dict[str, str]:
    """Return the pages of which a part is generated; each has its own test beside its room."""
    return {
        "pages.md": host_pages.written(host_pages.DOC.read_text(encoding="utf-8")),
        "policy.md": policy.page(),
        "policy-tree.svg": policy.tree(),
    }
