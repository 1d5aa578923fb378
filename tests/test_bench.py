"""The frame of the benches: what programs read of it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import SUBJECTS
from bench.frame import Report, Target, Timing, fresh, run, timed
from bench.reading import cold, effort, ours, scale, site, warm, worker
from bench.reading.candidates import CANDIDATES, Place, check
from bench.reading.drive import AsgiPage, Page, Reply, WsgiPage
from bench.reading.fill import PER_PERSON, person
from imagin_gateway import Gateway
from imagin_gateway.identity import DIRECT_ISSUER


def test_a_target_is_one_line_of_five_words() -> None:
    assert Target("import", 35.12345, 60, "ms").line() == "target import 35.1ms 60ms met"
    assert Target("libraries", 1, 0).line() == "target libraries 1 0 missed"
    assert Target("exactly", 60.0, 60, "ms").met


@pytest.mark.parametrize(("name", "unit"), [("two words", ""), ("", ""), ("x", "m s")])
def test_a_target_that_programs_could_not_read_is_refused(name: str, unit: str) -> None:
    with pytest.raises(ValueError, match="hold no space"):
        Target(name, 1, 2, unit)


def test_a_subject_prints_tables_then_targets_and_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(report: Report) -> None:
        report.target("small", 0.5, 1, "ms")
        report.table("Sizes", ("what", "ms"), [("small", 0.51234), ("large", 12345.6)])

    monkeypatch.setattr(sys, "argv", ["bench", "--json", str(tmp_path / "out.json")])
    run("sizes", measure)
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Sizes",
        "",
        "  what      ms",
        "  small  0.512",
        "  large  12346",
        "",
        "target small 0.5ms 1ms met",
    ]
    kept = json.loads((tmp_path / "out.json").read_text())
    assert kept["subject"] == "sizes"
    assert kept["targets"] == [{"name": "small", "measured": 0.5, "limit": 1, "unit": "ms", "met": True}]
    assert kept["tables"][0]["rows"] == [["small", 0.51234], ["large", 12345.6]]
    assert {"date", "machine", "versions"} <= kept.keys()


def test_timings_are_of_the_call_alone() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    timing = timed(call, repeats=3, seconds=0.001)
    assert 0 < timing.best <= timing.middle
    assert timing.repeats == 3
    assert calls > 3
    assert Timing.of([3, 1, 2]) == Timing(1, 2, 3)


def test_statements_are_timed_in_processes_of_their_own() -> None:
    own, whole = fresh(Path(sys.executable), {"nothing": "pass"}, repeats=2)["nothing"]
    assert own.best < whole.best
    assert whole.repeats == 2


def test_the_frame_is_no_subject() -> None:
    assert "import_time" in SUBJECTS
    assert "frame" not in SUBJECTS


# -- the bench of sessions: small, so that it does not rot; nothing here asserts a time


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_page_is_asked_for_as_a_browser_does(kind: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner, ours.gateway(tmp_path, f"sqlite:///{tmp_path}/state.db") as front:
        page: Page = (
            AsgiPage(runner, front.asgi(ours.reading_asgi), ours.PROTECTED)
            if kind == "asgi"
            else WsgiPage(front.wsgi(ours.reading_wsgi), ours.PROTECTED)
        )
        assert page.once().status == 303
        cookies = [ours.signed_in(front, subject) for subject in ("mdurand7", "pmartin2")]
        assert [page.once(cookie).body for cookie in cookies] == [b"mdurand7", b"pmartin2"]
        assert page.once(cookies[0]).cookies == ""
        assert len(page.each(cookies)) == 2
        assert page.many(3) > 0


def test_what_is_not_an_authenticated_read_is_not_measured() -> None:
    with pytest.raises(AssertionError, match="303"):
        check(Reply(303, [], b""), "mdurand7")
    with pytest.raises(AssertionError, match="nobody"):
        check(Reply(200, [], b"nobody"), "mdurand7")


def test_what_sessions_add_is_the_difference_to_the_bare_page() -> None:
    added = warm.added_by([(1.0, 3.0), (2.0, 3.5), (1.5, 5.0)])
    assert (added.best, added.middle) == (2.0, 2.0)


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
def test_a_store_is_filled_with_sessions_that_a_gateway_reads(engine: str, tmp_path: Path) -> None:
    with scale.place(engine) as (folder, url):
        store = scale.Store(engine, folder, url, 120, {})
        store.prepare()
        store.fill(sampled=60)
        assert len(store.cookies) == 60
        assert store.weight > 200
        with ours.gateway(folder, url) as front:
            people = [front.house.sessions.resolve(ours.session_cookie(cookie)) for cookie in store.cookies.values()]
            assert [each.subject for each in people if each] == [person(number) for number in store.cookies]
            assert front.house.sessions.end_person(DIRECT_ISSUER, person(7)) == PER_PERSON
            assert front.house.sessions.end_all() == 118


def test_a_store_that_cannot_be_filled_is_no_result(tmp_path: Path) -> None:
    file = tmp_path / "of-another-application.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE something (name TEXT)")
    store = scale.Store("sqlite", tmp_path, f"sqlite:///{file}", 10, {})
    with pytest.raises(RuntimeError, match="could not be filled"):
        store.fill(sampled=5)


def test_round_trips_of_cold_reads_are_counted() -> None:
    with scale.place("redis") as (folder, url):
        cookies = cold.opened_elsewhere(folder, url, 10 * cold.BATCH)
        with ours.gateway(folder, url, sessions={"lag_seconds": 10}) as front:  # so that few beats fall in between
            page = WsgiPage(front.wsgi(ours.reading_wsgi), ours.PROTECTED)
            assert cold.round_trips(page, cookies, url) == 1


def test_a_candidate_answers_orders(tmp_path: Path) -> None:
    told: list[Any] = []
    with asyncio.Runner() as runner:
        pair = CANDIDATES["WSGI, SQLite"].build(Place(tmp_path, "", runner))
        worker.serve(pair, ["sample 0.001", "reads 2", "still"], told.append)
        pair.close()
    ready, sample, reads, still = told
    assert ready == {"ready": True}
    assert all(seconds > 0 for seconds in sample)
    assert reads["set_cookie"] is False
    assert still == {"still": True}


@pytest.mark.parametrize("make", [site.starlette_site, site.flask_site])
def test_the_site_shows_the_same_page_with_and_without_the_gateway(
    make: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    with ours.gateway(tmp_path, state) as front:
        cookie = ours.signed_in(front)
    bodies = []
    with ExitStack() as fronts, asyncio.Runner() as runner:
        monkeypatch.setattr(ours, "gateway", lambda *where: fronts.enter_context(Gateway(ours.settings_of(*where))))
        for where in ("", f"{tmp_path} {state}"):
            monkeypatch.setenv("BENCH_SITE", where)
            app = make()
            page: Page = (
                WsgiPage(app, ours.PROTECTED) if make is site.flask_site else AsgiPage(runner, app, ours.PROTECTED)
            )
            bodies.append(page.once(cookie).body.decode())
    assert "Missions de mdurand7" in bodies[0]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(("word", "rounds"), [("", 15), ("quick", 3)])
def test_a_try_is_short(word: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SESSIONS", word)
    assert effort.asked().rounds == rounds
    monkeypatch.setenv("BENCH_SESSIONS", "slow")
    with pytest.raises(SystemExit, match="quick"):
        effort.asked()
