"""A plugin: every event that a test of this process causes is held to the shipped schema (row LOG-02).

And every value that an operator reads has its words, which the schema cannot say.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import datetime

import jsonschema_rs
import pytest

from imagin_gateway.events import Event, log
from imagin_gateway.events.event import render
from imagin_gateway.events.schema import PATH
from imagin_gateway.events.telling import LANGUAGES, WORDED

VALIDATOR = jsonschema_rs.validator_for(json.loads(PATH.read_text(encoding="utf-8")))

_WORDS = {
    language: tomllib.loads(PATH.with_name("words").joinpath(f"{language}.toml").read_text("utf-8"))["fact"]
    for language in LANGUAGES
}

seen: list[str] = []
"""Kinds seen since the process began, for the test of the plugin itself."""

_wrong: list[str] = []


def _checked(event: Event, at: datetime, pseudonym: str) -> str:
    line = render(event, at, pseudonym)
    seen.append(event.name.value)
    told = json.loads(line)
    _wrong.extend(f"{told['event']}: {error.message}" for error in VALIDATOR.iter_errors(told))
    _wrong.extend(
        f"{told['event']}: no word for {fact} {value!r} in events/words/{language}.toml"
        for fact, value in told.get("detail", {}).items()
        if fact in WORDED and value
        for language in LANGUAGES
        if value not in _WORDS[language][fact]
    )
    return line


log.render = _checked  # type: ignore[attr-defined]  # where events are written


@pytest.fixture(autouse=True)
def _events_are_as_declared() -> Iterator[None]:
    _wrong.clear()
    yield
    wrong = list(_wrong)
    _wrong.clear()
    assert not wrong, "events that the schema does not know:\n" + "\n".join(wrong)
