"""An authenticated read, beside peers: what each adds to a request of its own framework, in one run.

Every candidate lives in a process of its own and waits; a round measures each of
them once, so that a slow moment falls on all. At the end every session is ended
from another process, and each is asked whether it still knows the person: what
is fast because nobody can end it is not the same thing.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import redis

from bench.frame import ROOT, Cell, Report, Timing, peers
from bench.reading import ours
from bench.reading.candidates import CANDIDATES
from bench.reading.effort import Effort
from bench.reading.ours import WHO
from imagin_gateway.identity import DIRECT_ISSUER
from tests.state.servers import PrivateRedis

COUNTED: Final = 100
"""Reads over which store calls are counted."""

PATIENCE: Final = 3.0
"""Seconds after which a session that was ended elsewhere is said to live on."""

SIGNED_COOKIE: Final = "Starlette SessionMiddleware"
STORED: Final = "starsessions, Redis"

LIMITS: Final = {
    "ASGI, Redis": 5,
    "ASGI, SQLite": 8,
    "WSGI, Redis": 10,
    "WSGI, SQLite": 10,
    "ASGI, anonymous": 2,
    "WSGI, anonymous": 2,
}
"""Microseconds that the gateway may add."""


class Child:
    """One candidate at work in its own process, with a Redis server of its own."""

    def __init__(self, python: Path, name: str) -> None:
        self.name = name
        self._stack = ExitStack()
        with ExitStack() as undone:
            undone.callback(self._stack.close)
            server = PrivateRedis()
            self._stack.callback(server.close)
            server.start()
            self._url = server.url
            self._client = self._stack.enter_context(server.client())
            self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            process = subprocess.Popen(
                [python, "-m", "bench.reading.worker", name, self.folder, self._url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                cwd=ROOT,
            )
            self._stack.enter_context(process)  # ends it by closing its orders, and waits
            assert process.stdin is not None
            assert process.stdout is not None
            self._orders, self._answers = process.stdin, process.stdout
            self._answer()
            undone.pop_all()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self.name} did not answer; what it said stands above")
        return json.loads(line)

    def ask(self, order: str) -> Any:
        """Give an order; return the answer."""
        print(order, file=self._orders, flush=True)
        return self._answer()

    def calls(self) -> tuple[str, bool]:
        """Return what one read asks of the stores, and whether it sets a cookie."""
        before = _commands(self._client)
        told = self.ask(f"reads {COUNTED}")
        asked = {name: (count - before.get(name, 0)) / COUNTED for name, count in _commands(self._client).items()}
        asked |= told["statements"]
        # What beats beside the requests (a heartbeat) is not of a read.
        return ", ".join(_times(name, count) for name, count in asked.items() if count >= 0.1), told["set_cookie"]

    def ended(self) -> float | None:
        """End the session from this process; return the seconds until it was noticed, None if it lives on."""
        if CANDIDATES[self.name].beside in ("ASGI", "WSGI") and self.name not in (SIGNED_COOKIE, STORED):
            state = f"sqlite:///{self.folder}/state.db"
            with ours.gateway(self.folder, state if "SQLite" in self.name else self._url) as front:
                assert front.house.sessions.end_person(DIRECT_ISSUER, WHO) == 1
        else:
            self._client.flushall()
            if (file := self.folder / "django.db").exists():
                with closing(sqlite3.connect(file)) as db, db:
                    db.execute("DELETE FROM django_session")
        begin = time.perf_counter()
        while self.ask("still")["still"]:
            if time.perf_counter() - begin > PATIENCE:
                return None
            time.sleep(0.001)
        return time.perf_counter() - begin


def _commands(client: redis.Redis) -> dict[str, int]:
    stats: dict[str, dict[str, int]] = client.info("commandstats")
    named = {name.removeprefix("cmdstat_").upper(): each["calls"] for name, each in stats.items()}
    return {name: calls for name, calls in named.items() if name not in ("INFO", "FLUSHALL", "COMMAND")}


def _times(name: str, count: float) -> str:
    return name if round(count, 1) == 1 else f"{count:.2g} {name}"


def measure(report: Report, effort: Effort, names: Sequence[str] = tuple(CANDIDATES)) -> None:
    """Measure an authenticated read; the table and the targets go to `report`."""
    python = peers()
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    told: dict[str, tuple[str, bool]] = {}
    ended: dict[str, float | None] = {}
    with ExitStack() as stack:
        children = [stack.enter_context(Child(python, name)) for name in names]
        for _ in range(effort.rounds):
            for child in children:
                bare, full = child.ask(f"sample {effort.seconds}")
                samples[child.name].append((bare, full))
        for child in children:
            told[child.name] = child.calls()
            if "anonymous" not in child.name:
                ended[child.name] = child.ended()
    added = {name: added_by(pairs) for name, pairs in samples.items()}
    beside = {name: added[name].best for name in (SIGNED_COOKIE, STORED) if name in added}
    rows: list[list[Cell]] = []
    for name in names:
        raw = min(bare for bare, _ in samples[name])
        calls, sets = told[name]
        ratios: list[Cell] = [
            added[name].best / beside[peer] if peer in beside else "" for peer in (SIGNED_COOKIE, STORED)
        ]
        rows.append(
            [
                name,
                CANDIDATES[name].beside,
                raw * 1e6,
                added[name].best * 1e6,
                added[name].middle * 1e6,
                (raw + added[name].best) / raw,
                *ratios,
                calls or "none",
                "yes" if sets else "no",
                _told_ended(ended, name),
            ]
        )
    columns = ["an authenticated read", "beside", "raw µs", "added µs", "median", "x raw"]
    columns += ["x signed cookie", "x starsessions", "store calls", "Set-Cookie", "ended elsewhere: seen after"]
    report.table("An authenticated read, in process; imagin_gateway where no library is named", columns, rows)
    for name, limit in LIMITS.items():
        if name in added:
            report.target("added_" + _word(name), added[name].best * 1e6, limit, "µs")
    for name in ("ASGI, SQLite", "ASGI, Redis", "WSGI, SQLite", "WSGI, Redis"):
        if name in ended:
            seen = ended[name]
            report.target("ended_" + _word(name), (PATIENCE if seen is None else seen) * 1e3, 1000, "ms")


def added_by(pairs: Iterable[tuple[float, float]]) -> Timing:
    """Return what sessions add: the difference of the minima, and the median of the differences."""
    kept = list(pairs)
    best = min(full for _, full in kept) - min(bare for bare, _ in kept)
    return Timing(best, Timing.of([full - bare for bare, full in kept]).middle, len(kept))


def _told_ended(ended: dict[str, float | None], name: str) -> str:
    if name not in ended:
        return ""
    seen = ended[name]
    return "never" if seen is None else f"{seen * 1e3:.1f} ms"


def _word(name: str) -> str:
    return name.lower().replace(", ", "_").replace(" ", "_")
