"""A million live sessions: what reading, signing in and revoking cost beside a thousand, and what one weighs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

import redis

from bench.frame import ROOT, Cell, Report, Timing
from bench.reading import ours
from bench.reading.drive import WsgiPage, undisturbed
from bench.reading.effort import Effort
from bench.reading.fill import PER_PERSON, person
from bench.reading.ours import PROTECTED, identity
from imagin_gateway import Gateway
from imagin_gateway.identity import DIRECT_ISSUER
from tests.state.servers import PrivateRedis

ACTS: Final = ("a cold read", "a login", "ending a session", "ending a person's two sessions")

BATCH: Final = 25
"""Calls of each act, in one round, on each store."""

GROWTH: Final = 1.2
"""A million may cost this many times a thousand, at the first quarter: an emptied disk queue is luck, so the least of
all is not believed, nor the median, which is the disk's business when others write."""

PLACES: Final = {"redis": "Redis", "sqlite": "SQLite"}


@dataclass
class Store:
    """A store full of live sessions.

    Attributes:
        name: of the engine.
        folder, url: where it is.
        size: how many sessions were opened in it.
        cookies: of some of them, by number.
        weight: bytes that one session takes.
    """

    name: str
    folder: Path
    url: str
    size: int
    cookies: dict[int, str]
    weight: float = 0.0

    def fill(self, sampled: int) -> None:
        """Open the sessions, in a process that ends, and say how far it is."""
        before = self.used()
        every = max(1, self.size // sampled)
        every += every % PER_PERSON if every > 1 else 0  # one sample a person
        command = [
            sys.executable,
            "-m",
            "bench.reading.fill",
            str(self.folder),
            self.url,
            "0",
            str(self.size),
            str(every),
        ]
        step = max(every, self.size // 10)
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT) as filler:
            for line in filler.stdout or ():
                number, _, cookie = line.strip().partition(" ")
                self.cookies[int(number)] = cookie
                if self.size >= 100_000 and int(number) % step < every:
                    took = time.perf_counter() - began
                    print(f"{PLACES[self.name]}: {int(number):,} of {self.size:,} sessions ({took:.0f} s)", flush=True)
        if filler.returncode:
            raise RuntimeError("the store could not be filled; what was said stands above")
        self.weight = (self.used() - before) / self.size

    def prepare(self) -> None:
        """Let what is made once be made: tables, scripts."""
        with ours.gateway(self.folder, self.url) as front:
            front.house.sessions.end(front.house.sessions.open(identity()))

    def used(self) -> int:
        """Return the bytes in use."""
        if self.name == "redis":
            with redis.Redis.from_url(self.url) as client:
                return int(client.info("memory")["used_memory"])
        file = self.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return Path(file).stat().st_size


def measure(report: Report, effort: Effort) -> None:
    """Measure on both engines; filling them is most of the time."""
    rounds = effort.rounds
    spent = BATCH * (2 * PER_PERSON - 1) * (rounds + 1)  # sessions that the acts end, less those they open
    with ExitStack() as stack:
        stores = [
            Store(name, *stack.enter_context(place(name)), size, {})
            for name in PLACES
            for size in (effort.few + spent, effort.many)
        ]
        for store in stores:
            store.prepare()
        print(f"Opening {effort.many:,} sessions on each engine", flush=True)
        sampled = 2 * effort.held + 6 * BATCH * (rounds + 1)
        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(lambda store: store.fill(sampled), stores))
        _weigh(report, [store for store in stores if store.size == effort.many], effort)
        rows: list[list[Cell]] = []
        for name in PLACES:
            few, many = (store for store in stores if store.name == name)
            rows += _beside(report, few, many, rounds)
        columns = (
            "what",
            f"{effort.few:,}: µs",
            "median",
            f"{effort.many:,}: µs",
            "median",
            "x best",
            "x first quarter",
            "x median",
        )
        report.table(
            f"With {effort.many:,} live sessions, beside {effort.few:,} (WSGI; logins and ends by the registry)",
            columns,
            rows,
        )


@contextmanager
def place(name: str) -> Iterator[tuple[Path, str]]:
    """Lend an empty store: a folder, and an address."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "sqlite":
            yield Path(folder), f"sqlite:///{folder}/state.db"
            return
        server = PrivateRedis()
        server.start()
        try:
            yield Path(folder), server.url
        finally:
            server.close()


def _beside(report: Report, few: Store, many: Store, rounds: int) -> list[list[Cell]]:
    """Do the same on both stores, in turn; return the rows."""
    took: dict[str, tuple[list[float], list[float]]] = {act: ([], []) for act in ACTS}
    with ExitStack() as stack:
        fronts = [stack.enter_context(ours.gateway(store.folder, store.url)) for store in (few, many)]
        acting = [Acting(*pair, BATCH * (rounds + 1)) for pair in zip(fronts, (few, many), strict=True)]
        for turn in range(rounds + 1):
            for act in ACTS:
                calls = [each.calls(act, turn) for each in acting]
                # One on each store in turn, so that a slow moment falls on both; the first round makes connections.
                with undisturbed():
                    for both in zip(*calls, strict=True):
                        for side, call in enumerate(both):
                            seconds = _timed(call)
                            if turn:
                                took[act][side].append(seconds)
    rows: list[list[Cell]] = []
    for act, pair in took.items():
        small, large = map(Timing.of, pair)
        early = quantiles(pair[1], n=4)[0] / quantiles(pair[0], n=4)[0]
        name = f"{PLACES[few.name]}: {act}"
        best = (small.best * 1e6, small.middle * 1e6, large.best * 1e6, large.middle * 1e6)
        rows.append([name, *best, large.best / small.best, early, large.middle / small.middle])
        report.target(f"million_{few.name}_{act.replace(' ', '_').replace(chr(39), '')}", early, GROWTH, "x")
    return rows


class Acting:
    """Acts on one store, timed one by one, each on sessions that no other act has touched."""

    def __init__(self, front: Gateway, store: Store, needed: int) -> None:
        self._sessions = front.house.sessions
        self._page = WsgiPage(front.wsgi(ours.reading_wsgi), PROTECTED)
        numbers = sorted(store.cookies)
        people: dict[str, None] = {}
        while len(people) < needed:
            people[person(numbers.pop())] = None
        rest = [number for number in numbers if person(number) not in people]
        self._people = list(people)
        self._read, self._end = rest[:needed], rest[-needed:]
        self._cookies = store.cookies

    def calls(self, act: str, turn: int) -> list[Callable[[], bool]]:
        """Return an act `BATCH` times; each tells whether it did something."""
        each = range(turn * BATCH, (turn + 1) * BATCH)
        make = dict(zip(ACTS, (self._reading, self._opening, self._ending, self._ending_person), strict=True))[act]
        return [make(number) for number in each]

    def _reading(self, number: int) -> Callable[[], bool]:
        read = self._page.call(self._cookies[self._read[number]])
        body = person(self._read[number]).encode()
        return lambda: read() == body

    def _opening(self, number: int) -> Callable[[], bool]:
        who = identity(f"newcomer{number}")
        return lambda: bool(self._sessions.open(who))

    def _ending(self, number: int) -> Callable[[], bool]:
        cookie = ours.session_cookie(self._cookies[self._end[number]])
        return lambda: self._sessions.end(cookie) is not None

    def _ending_person(self, number: int) -> Callable[[], bool]:
        who = self._people[number]
        return lambda: self._sessions.end_person(DIRECT_ISSUER, who) == PER_PERSON


def _timed(call: Callable[[], bool]) -> float:
    begin = time.perf_counter()
    done = call()
    took = time.perf_counter() - begin
    assert done, "an act did nothing"
    return took


def _weigh(report: Report, stores: list[Store], effort: Effort) -> None:
    rows: list[list[Cell]] = []
    for store in stores:
        cookies = list(store.cookies.values())[-effort.held - 500 :]
        command = [sys.executable, "-m", "bench.reading.held", str(store.folder), store.url]
        done = subprocess.run(
            command, input="\n".join(cookies), capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT
        )
        held, one, all_of_them = done.stdout.split()
        rows.append(
            [PLACES[store.name], store.weight, float(held), effort.held, float(one) * 1e6, float(all_of_them) * 1e6]
        )
    columns = (
        "engine",
        "bytes a session",
        "bytes in a process",
        "sessions in it",
        "read µs, one person",
        "all in turn",
    )
    report.table(
        "What a session weighs: used_memory of Redis or the SQLite file; resident memory of a process that read it",
        columns,
        rows,
    )
