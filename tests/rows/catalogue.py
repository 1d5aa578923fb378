"""Reads the checklist: its sections, its rows, and those that do not apply."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Row:
    """One property, and the test that shows it, in the checklist's words."""

    id: str
    section: str
    holds: str
    shown_by: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The whole checklist.

    Attributes:
        sections: title by code, in order.
        rows: by id, in order.
        not_applicable: reason by id.
    """

    sections: Mapping[str, str]
    rows: Mapping[str, Row]
    not_applicable: Mapping[str, str]


@cache
def catalogue(folder: Path = HERE) -> Catalogue:
    """Read the checklist.

    Raises:
        ValueError: an id stands twice or in no section, or a row that does not apply is unknown or without reason.
    """
    checklist = tomllib.loads((folder / "checklist.toml").read_text(encoding="utf-8"))
    sections = {each["id"]: each["title"] for each in checklist["section"]}
    rows: dict[str, Row] = {}
    for each in checklist["row"]:
        row = Row(each["id"], each["section"], each["holds"], each["shown_by"], tuple(each["sources"]))
        if row.id in rows or row.section not in sections:
            raise ValueError(f"checklist.toml: {row.id} stands twice, or in no section")
        rows[row.id] = row
    reasons: dict[str, str] = tomllib.loads((folder / "not_applicable.toml").read_text(encoding="utf-8"))["rows"]
    for id_, reason in reasons.items():
        if id_ not in rows or not reason.strip():
            raise ValueError(f"not_applicable.toml: {id_} is no row, or has no reason")
    return Catalogue(sections, rows, reasons)
