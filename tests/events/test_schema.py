"""The schema: shipped as the tables say, every kind passes, and nothing that is not declared does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.events import CallSink, Event, EventLog, EventName, render
from imagin_gateway.events.kinds import FACTS, KINDS
from imagin_gateway.events.schema import PATH, text
from tests.clock import ManualClock
from tests.events import captured
from tests.events.captured import VALIDATOR
from tests.ground.test_events import KEYS

AT = datetime(2026, 12, 14, 8, tzinfo=UTC)


def whole(name: EventName) -> dict[str, Any]:
    """Return an event that tells everything its kind may."""
    facts: dict[str, Any] = {fact: {int: 3, str: "x", bool: True}[FACTS[fact][0]] for fact in KINDS[name].facts}
    event = Event(
        name=name,
        code=Code.CREDENTIALS,
        door="direct",
        method="password",
        strength="x",
        address="192.0.2.1",
        correlation="R-7K4M-2QXP",
        actor="cli:root",
        detail=facts,
    )
    told: dict[str, Any] = json.loads(render(event, AT, "0" * 20))
    return told


def test_the_shipped_schema_is_what_the_tables_say() -> None:
    assert PATH.read_text(encoding="utf-8") == text(), "run: make reference"


def test_every_kind_is_declared_and_every_fact_is_of_some_kind() -> None:
    lacking = set(EventName) - set(KINDS)
    assert not lacking, f"say in KINDS (events/kinds.py) what each may tell: {sorted(lacking)}"
    assert frozenset().union(*(kind.facts for kind in KINDS.values())) == set(FACTS)


@pytest.mark.row("LOG-02")
@pytest.mark.parametrize("name", EventName)
def test_a_kind_with_all_it_may_tell_is_valid_and_with_anything_else_is_not(name: EventName) -> None:
    told = whole(name)
    assert VALIDATOR.is_valid(told)
    for wrong in (
        {**told, "v": 2},
        {**told, "password": "x"},
        {**told, "code": "no.such.code"},
        {**told, "person": "mdurand7"},
        {**told, "time": "2026-12-14 08:00"},
        {**told, "detail": {**told.get("detail", {}), "anything": "x"}},
        {name: value for name, value in told.items() if name != "time"},
    ):
        assert not VALIDATOR.is_valid(wrong), wrong
    for fact in KINDS[name].facts:
        assert not VALIDATOR.is_valid({**told, "detail": {fact: None}})


@pytest.mark.row("LOG-02")
def test_an_event_of_a_test_that_is_not_as_declared_fails_that_test() -> None:
    log = EventLog(CallSink(lambda _line: None), ManualClock(), KEYS)
    log.emit(Event(name=EventName.LOGIN, detail={"password": "x"}))
    assert captured.seen[-1] == "login"
    assert captured._wrong
    captured._wrong.clear()
