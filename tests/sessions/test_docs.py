"""docs/sessions.md says what is: its numbers are the defaults, its settings load, its code runs."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.mounts.incoming import KEY
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.settings import Sessions
from imagin_gateway.state.redis_watch import BEATS_IN_A_LAG
from imagin_gateway.state.sqlite_watch import PART_OF_A_LAG
from imagin_gateway.state.watch import DEFAULT_LAG
from tests.flows.conftest import settings_of
from tests.sessions.people import person

PAGE = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.row("DOC-03")
def test_the_limits_it_tells_are_the_defaults() -> None:
    defaults = Sessions()
    rows = {row.split("|")[2].strip(): row for row in PAGE.splitlines() if row.startswith("| ") and "`sessions." in row}
    assert f"{defaults.idle_minutes} minutes" in rows["`sessions.idle_minutes`"]
    assert f"`sessions.grain_seconds` ({defaults.grain_seconds})" in rows["`sessions.idle_minutes`"]
    assert f"{defaults.absolute_hours} hours" in rows["`sessions.absolute_hours`"]
    assert defaults.parallel == 0
    assert "any number" in rows["`sessions.parallel`, `sessions.beyond_parallel`"]
    assert defaults.lag_seconds == 1
    assert "at most 1 second with Redis" in rows["`sessions.lag_seconds`"]
    told = f"SQLite a fiftieth of it, {1000 * DEFAULT_LAG * PART_OF_A_LAG:g} ms, and twice that among threads"
    assert told in rows["`sessions.lag_seconds`"]
    assert PART_OF_A_LAG == 1 / 50
    assert f"`sessions.cached`, {defaults.cached:,} by default" in PAGE
    assert {5: "five"}[BEATS_IN_A_LAG] + " times a lag" in PAGE
    for why in ("why 30 minutes", "why 10 hours", "single logout"):
        assert why in PAGE


def test_every_setting_of_sessions_is_told() -> None:
    told = set(re.findall(r"`sessions\.(\w+)", PAGE))
    assert told == set(Sessions.model_fields)


def test_its_settings_load(tmp_path: Path) -> None:
    protected = settings_of(tmp_path, protect=tomllib.loads(block("toml"))["protect"]).protect
    assert [part.prefix for part in protected] == ["/missions", "/paiement", "/signature"]
    assert protected[1].recent == timedelta(minutes=10)


def test_its_code_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "sessions.md", "exec"), names)  # noqa: S102  # our own page
    now = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
    here = Visitor(
        person(), None, "/connexion/", "/connexion/fin", confirm_path="/connexion/confirmer", now=lambda: now
    )
    scope = {"type": "http", "path": "/paiement", "query_string": b"", KEY: here}
    assert names["pay"](scope) == "303 /connexion/confirmer?next=%2Fpaiement"
