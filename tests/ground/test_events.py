"""Events: one line each, nothing forged in them, and a sink that fails stops nobody."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import Code
from imagin_gateway.events import CallSink, Event, EventLog, EventName, FileSink, render
from imagin_gateway.keys import Keyring, Secret
from tests.clock import ManualClock

KEYS = Keyring([Secret(secrets.token_urlsafe(48))])
HOSTILE = st.text(st.characters(codec="utf-8"), max_size=80) | st.just("a\r\n{}\x1b[31m\u2028\u2029\x7f\x85b")


@pytest.mark.row("LOG-04")
@given(HOSTILE, HOSTILE)
def test_no_value_from_outside_can_forge_a_line(address: str, reason: str) -> None:
    event = Event(name=EventName.LOGIN_REFUSED, code=Code.CREDENTIALS, address=address, detail={"reason": reason})
    line = render(event, ManualClock().now(), "")
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert told["detail"]["reason"] == reason
    assert told.get("address", "") == address


def test_a_person_is_told_by_a_pseudonym_that_stays_the_same() -> None:
    lines: list[str] = []
    log = EventLog(CallSink(lines.append), ManualClock(), KEYS)
    person = ("https://idp.example", "jdupont")
    log.emit(Event(name=EventName.LOGIN, person=person))
    log.emit(Event(name=EventName.LOGOUT, person=person))
    log.emit(Event(name=EventName.LOGIN, person=("https://other.example", "jdupont")))
    first, second, third = (json.loads(line) for line in lines)
    assert first["person"] == second["person"] == log.pseudonym(person)
    assert third["person"] != first["person"]
    assert "jdupont" not in "".join(lines)
    assert first["v"] == 1
    assert first["time"] == "2026-12-14T08:00:00.000Z"


@pytest.mark.fault
def test_a_sink_that_fails_stops_nobody_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "gone"
    log = EventLog(FileSink(folder / "events.jsonl"), ManualClock(), KEYS)
    for _ in range(3):
        log.emit(Event(name=EventName.LOGIN))
    told = [log.failing]
    assert caplog.text.count("events cannot be written") == 1
    folder.mkdir()
    log.emit(Event(name=EventName.LOGOUT))
    assert [*told, log.failing] == [True, False]
    written = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert written == ["login", "login", "login", "logout", "sink_recovered"]


@pytest.mark.parametrize("there", [True, False])
def test_root_follows_no_link_in_the_folder_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    # Whoever broke into a worker could have the next command of root make them a file anywhere, and give it to them.
    folder, elsewhere = tmp_path / "log", tmp_path / "elsewhere"
    folder.mkdir()
    if there:
        elsewhere.touch()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    given: list[int] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda descriptor, user, group: given.append(user))
    sink = FileSink(folder / "events.jsonl")
    sink.path.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"):
        sink.write("{}")
    assert (given, elsewhere.exists() and elsewhere.read_text()) == ([], "" if there else False)
    sink.path.unlink()
    sink.write("{}")
    assert (given, sink.path.read_text()) == ([folder.stat().st_uid], "{}\n")
    # A second name of a file of somebody else is not given away either.
    sink.path.unlink()
    elsewhere.write_text("")
    os.link(elsewhere, sink.path)
    sink.write("{}")
    assert len(given) == 1
