"""docs/data.md tells every column, every field of a session and every field of an event (row DPO-06)."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest

from imagin_gateway.clock import SystemClock
from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventName
from imagin_gateway.events.event import render
from imagin_gateway.local.schema import metadata
from imagin_gateway.providers.attributes import SPELLINGS
from imagin_gateway.sessions.session import Session

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = (DOCS / "data.md").read_text(encoding="utf-8")
CLASSES: Final = {"secret", "identity", "trace", "capacity", "technical"}

ROWS: Final = [
    ([name.strip("` ") for name in cells[1].split(",")], cells[2].strip(), cells[3].strip())
    for cells in (line.split("|") for line in PAGE.splitlines())
    if len(cells) > 4 and "`" in cells[1] and "." in cells[1]
]


def told(before: str) -> set[str]:
    return {name for names, _, _ in ROWS for name in names if name.partition(".")[0] == before}


def written() -> set[str]:
    """The fields of a line in which every one has a value."""
    event = Event(
        name=EventName.LOGIN,
        code=Code.FAULT,
        person=("issuer", "subject"),
        **{each.name: "x" for each in fields(Event) if each.type == "str"},
        detail={"where": "x"},
    )
    return set(re.findall(r'"(\w+)": ', render(event, SystemClock().now(), "pseudonym"))) - {"where"}


@pytest.mark.row("DPO-06")
@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_column_has_its_class_and_its_protection(table: str) -> None:
    assert told(table) == {f"{table}.{column.name}" for column in metadata.tables[table].columns}


@pytest.mark.row("DPO-06")
def test_every_field_of_a_session_and_of_an_event_has_them_too() -> None:
    assert told("session") == {f"session.{name}" for name in Session.__struct_fields__}
    assert told("event") == {f"event.{name}" for name in written()}


@pytest.mark.row("DPO-06")
def test_nothing_is_told_twice_or_without_a_class() -> None:
    names = [name for row, _, _ in ROWS for name in row]
    assert len(names) == len(set(names))
    assert {kind for _, kind, _ in ROWS} == CLASSES
    assert [names for names, _, protection in ROWS if not protection] == []


@pytest.mark.row("DPO-06")
def test_what_is_named_like_a_secret_is_of_that_class() -> None:
    kinds = {name: kind for names, kind, _ in ROWS for name in names}
    named = {name for name in kinds if re.search(r"hash|mac$|\.secret|sha256|seed", name)}
    assert {kinds[name] for name in named} == {"secret"}


@pytest.mark.parametrize("page", ["saml.md", "fr/saml.md"])
def test_what_a_portal_is_asked_to_release_is_what_is_read(page: str) -> None:
    told = (DOCS / page).read_text(encoding="utf-8").partition("saml metadata arena-creteil")[2].partition("\n## ")[0]
    listed = next(part for part in told.split("\n\n") if part.startswith("`ct-remote-user`, "))
    assert re.findall(r"`([^`]+)`", listed) == list(SPELLINGS)
