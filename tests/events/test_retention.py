"""Files of events are forgotten on time, by one process, and it is written that they were (row LOG-07)."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from imagin_gateway.errors import SettingsError
from imagin_gateway.events import Event, EventLog, EventName, FileSink
from imagin_gateway.events.retention import files_of, purge
from imagin_gateway.settings import Events
from tests.clock import ManualClock
from tests.flows.conftest import settings_of
from tests.ground.test_events import KEYS

YEAR = Events().retention


def days(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(folder: Path, clock: ManualClock) -> EventLog:
    return EventLog(FileSink(folder / "e-{day}.jsonl", clock), clock, KEYS, retention=YEAR)


@pytest.mark.row("LOG-07")
@pytest.mark.parametrize(("months", "reason"), [(5, ""), (5, "une raison"), (13, ""), (13, "  ")])
def test_less_than_six_months_and_more_than_twelve_without_a_reason_stop_the_start(
    tmp_path: Path, months: int, reason: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(tmp_path, events={"path": "-", "retention_months": months, "reason": reason})
    assert refused.value.problems[0].key in ("events.retention_months", "events.reason")


@pytest.mark.row("LOG-07")
def test_six_to_twelve_months_are_free_and_more_takes_a_written_reason(tmp_path: Path) -> None:
    assert settings_of(tmp_path).events.retention_months == 12
    for months in (6, 12):
        assert settings_of(tmp_path, events={"retention_months": months}).events.retention_months == months
    told = {"retention_months": 13, "reason": "instruction du 3 mars"}
    assert settings_of(tmp_path, events=told).events.retention_months == 13


@pytest.mark.row("LOG-07")
@pytest.mark.row("DPO-04")
def test_a_day_past_the_retention_goes_by_itself_and_it_is_logged(tmp_path: Path) -> None:
    clock = ManualClock()
    log = opened(tmp_path, clock)
    log.emit(Event(name=EventName.LOGIN))
    (tmp_path / "e-2026-12-14.jsonl").rename(tmp_path / "e-2026-12-14.jsonl.keep")  # another file of the operator's
    (tmp_path / "e-2026-12-14.jsonl.gz").touch()
    (tmp_path / "notes.txt").touch()
    clock.move(timedelta(days=YEAR.days))
    log.emit(Event(name=EventName.LOGOUT))
    _wait_for_purge()
    assert "e-2026-12-14.jsonl.gz" in days(tmp_path), "it is the last day that is kept"
    clock.move(timedelta(days=1))
    log.emit(Event(name=EventName.LOGOUT))
    _wait_for_purge()
    here = days(tmp_path)
    assert "e-2026-12-14.jsonl.gz" not in here
    assert {"notes.txt", "e-2026-12-14.jsonl.keep"} <= set(here)
    last = json.loads((tmp_path / here[-2]).read_text().splitlines()[-1])
    assert (last["event"], last["detail"]) == ("events_purged", {"files": 1, "before": "2026-12-15"})


def _wait_for_purge() -> None:
    for thread in threading.enumerate():
        if thread.name == "imagin-gateway-events-purge":
            thread.join(20)


@pytest.mark.row("LOG-07")
def test_of_several_that_purge_at_once_each_file_is_counted_by_one(tmp_path: Path) -> None:
    for day in range(1, 29):
        (tmp_path / f"e-2024-02-{day:02}.jsonl").touch()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: purge(tmp_path / "e-{day}.jsonl", YEAR, date(2026, 12, 14)), range(4)))
    assert sum(each.removed for each in done) == 28
    assert days(tmp_path) == []


@pytest.mark.row("LOG-07")
def test_what_a_rotation_put_aside_goes_by_its_age_and_the_file_itself_never(tmp_path: Path) -> None:
    old = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    for name in ("ev.jsonl", "ev.jsonl.1", "ev.jsonl-20250101.gz", "ev.jsonl.2.gz", "ev.jsonl.bak", "other.jsonl.1"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (old, old))
    (tmp_path / "ev.jsonl.3").touch()
    os.utime(tmp_path / "ev.jsonl.3", (datetime(2026, 12, 1, tzinfo=UTC).timestamp(),) * 2)
    done = purge(tmp_path / "ev.jsonl", YEAR, date(2026, 12, 14))
    assert done.removed == 3
    assert days(tmp_path) == ["ev.jsonl", "ev.jsonl.3", "ev.jsonl.bak", "other.jsonl.1"]


def test_nothing_but_plain_files_with_a_real_day_is_ever_removed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.touch()
    (tmp_path / "e-2020-01-01.jsonl").symlink_to(target)
    (tmp_path / "e-2020-01-02.jsonl").mkdir()
    (tmp_path / "e-2020-13-45.jsonl").touch()
    assert files_of(tmp_path / "e-{day}.jsonl") == []
    assert purge(tmp_path / "e-{day}.jsonl", timedelta(0), date(2026, 12, 14)).removed == 0
    assert len(days(tmp_path)) == 4


@pytest.mark.row("LOG-11")
def test_a_place_where_files_are_only_appended_to_says_that_it_could_not_purge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    log = opened(tmp_path, clock)
    (tmp_path / "e-2020-01-01.jsonl").touch()

    def refuse(_self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert log.purge() == 0
    (line,) = (tmp_path / "e-2026-12-14.jsonl").read_text().splitlines()[-1:]
    assert json.loads(line)["event"] == "events_purge_failed"
    assert json.loads(line)["detail"] == {"files": 1, "type": "PermissionError"}
