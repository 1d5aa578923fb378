"""A cold read: a session that this process has never met, or has forgotten."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import redis

from bench.frame import Report, Timing
from bench.reading import ours
from bench.reading.drive import AsgiPage, Page, WsgiPage, undisturbed
from bench.reading.effort import Effort
from bench.reading.ours import PROTECTED
from bench.reading.scale import place
from imagin_gateway import Gateway

BATCH: Final = 20
"""Reads in a row; then the floor has its turn."""

PATIENCE: Final = 10.0
"""Seconds until a process that has just started believes what it reads."""

RECORD: Final = os.urandom(700)
"""What the floor reads: about as long as a record."""


def measure(report: Report, effort: Effort) -> None:
    """Measure cold reads on both engines and both mounts, beside one look-up in the same engine."""
    rows = []
    trips: dict[str, float] = {}
    for engine in ("redis", "sqlite"):
        for kind in ("asgi", "wsgi"):
            with place(engine) as (folder, url):
                cookies = opened_elsewhere(folder, url, effort.cold)
                floor = _redis_floor(url) if engine == "redis" else _sqlite_floor(folder)
                with asyncio.Runner() as runner, ours.gateway(folder, url) as front:
                    page: Page = (
                        AsgiPage(runner, front.asgi(ours.reading_asgi), PROTECTED)
                        if kind == "asgi"
                        else WsgiPage(front.wsgi(ours.reading_wsgi), PROTECTED)
                    )
                    half = len(cookies) // 2
                    read, looked = _in_turn(page, cookies[:half], floor)
                    asked = round_trips(page, cookies[half:], url) if engine == "redis" else None
                    kept = kept_over_flush(front, cookies)
            name = f"{kind.upper()}, {engine.capitalize() if engine == 'redis' else 'SQLite'}"
            rows.append(
                (
                    name,
                    read.best * 1e6,
                    read.middle * 1e6,
                    looked.best * 1e6,
                    looked.middle * 1e6,
                    read.middle / looked.middle,
                    "" if asked is None else asked,
                    100 * kept,
                )
            )
            if asked is not None:
                trips[kind] = asked
    columns = (
        "a cold read",
        "µs",
        "median",
        "bare look-up µs",
        "median",
        "x look-up (medians)",
        "round trips",
        "known after flush, %",
    )
    report.table(
        "A cold read, beside one GET (redis-py, same socket) or one SELECT (sqlite3) of as much", columns, rows
    )
    for kind, asked in trips.items():
        report.target(f"cold_read_{kind}_redis_round_trips", asked, 1)


def opened_elsewhere(folder: Path, url: str, number: int) -> list[str]:
    """Open sessions by a gateway that is gone when they are read."""
    with ours.gateway(folder, url) as front:
        return [ours.signed_in(front, f"agent{each}") for each in range(number)]


def _in_turn(page: Page, cookies: Sequence[str], floor: Callable[[], object]) -> tuple[Timing, Timing]:
    """Read each session once, and look up as often, a batch at a time."""
    reads: list[float] = []
    looks: list[float] = []
    for begin in range(0, len(cookies), BATCH):
        reads += page.each(cookies[begin : begin + BATCH])
        with undisturbed():
            for _ in range(BATCH):
                started = time.perf_counter()
                floor()
                looks.append(time.perf_counter() - started)
    for number, cookie in enumerate(cookies[:3]):
        reply = page.once(cookie)
        assert reply.body.decode() == f"agent{number}", "what was measured was not an authenticated read"
    return Timing.of(reads), Timing.of(looks)


def round_trips(page: Page, cookies: Sequence[str], url: str) -> float:
    """Return how often Redis is waited for in one cold read.

    The server counts how often it had something to read: a pipeline counts once,
    as it is waited for once. What beats beside the requests may fall into a batch;
    so the least of the batches tells.
    """
    with redis.Redis.from_url(url) as client:

        def received() -> int:
            return int(client.info("stats")["total_reads_processed"])

        page.each(cookies[:BATCH])  # connections are made, scripts are loaded
        first, second = received(), received()
        own = second - first  # asking is heard, too
        counts = []
        for begin in range(BATCH, len(cookies), BATCH):
            batch = cookies[begin : begin + BATCH]
            before = received()
            page.each(batch)
            counts.append((received() - before - own) / len(batch))
    return min(counts)


def kept_over_flush(front: Gateway, cookies: Sequence[str]) -> float:
    """Return the part of the sessions that the process still knows once it has written when people were last seen.

    It does so every quarter of a minute, which is about as often as a person asks
    for a page: whoever is forgotten then is read anew at every page.
    """
    sessions = front.house.sessions
    values = [ours.session_cookie(cookie) for cookie in cookies[:100]]
    begin = time.monotonic()
    while not all(sessions.resolve(value) and sessions.glance(value) for value in values):
        assert time.monotonic() - begin < PATIENCE, "what was just read is not known"
    sessions.flush()
    time.sleep(0.5)  # the store announces what was written
    return sum(sessions.glance(value) is not None for value in values) / len(values)


def _redis_floor(url: str) -> Callable[[], object]:
    client = redis.Redis.from_url(url)
    client.set("floor", RECORD)
    return lambda: client.get("floor")


def _sqlite_floor(folder: Path) -> Callable[[], object]:
    file = folder / "floor.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE record (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        db.executemany("INSERT INTO record VALUES (?, ?)", [(f"{each:064x}", RECORD) for each in range(1000)])
    db = sqlite3.connect(file)
    key = f"{500:064x}"
    return lambda: db.execute("SELECT value FROM record WHERE key = ?", (key,)).fetchone()
