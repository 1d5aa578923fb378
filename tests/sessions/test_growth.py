"""A day of logins in simulated time: what is kept is what is live, and nothing grows for ever."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from imagin_gateway.clock import timestamp
from imagin_gateway.keys import Keyring
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.state import open_store
from imagin_gateway.state.redis import COLLECT_AFTER, PREFIX
from imagin_gateway.state.sqlite import PURGE_BATCH
from imagin_gateway.state.sqlite_file import JOURNAL_LENGTH
from imagin_gateway.state.store import Space, StateStore
from tests.clock import ManualClock
from tests.sessions.conftest import ABSOLUTE, IDLE
from tests.sessions.people import person
from tests.state.servers import PrivateRedis

LOGINS = 2000
STEP = timedelta(days=1) / LOGINS
CACHED = 50
LONGEST_LIFE = 2 * IDLE
"""Of a record nobody comes back to."""


class Day:
    """People who come, ask, leave or stay away, one every forty seconds; and what each login leaves behind."""

    def __init__(self, store: StateStore, keyring: Keyring) -> None:
        self.clock = ManualClock()
        self.store = store
        self.registry = SessionRegistry(
            store, keyring, self.clock, IDLE, ABSOLUTE, grain=timedelta(hours=1), cached=CACHED, parallel=5
        )
        self._chance = random.Random(14)  # noqa: S311  # the same day each time
        self._live: list[str] = []
        self.done = 0

    def pass_by(self, logins: int) -> None:
        for _ in range(logins):
            self.done += 1
            self.clock.move(STEP)
            now, name = timestamp(self.clock.now()), str(self.done)
            self.store.put(Space.FLOW, name, b"{}", expires_at=now + 600, now=now)
            if self._chance.random() < 0.7:  # the others give up on the way
                self.store.take(Space.FLOW, name, now=now)
                assert self.store.put_if_absent(Space.REPLAY, name, b"1", expires_at=now + 300, now=now)
                self.store.increment(Space.COUNTER, f"by-{self.done % 300}", expires_at=now + 900, now=now)
                self._live.append(self.registry.open(person(str(self.done % 700)), portal_session=name))
            for _ in range(3):
                if self._live:
                    self.registry.look(self._chance.choice(self._live[-200:]))
            if self._live and self._chance.random() < 0.4:
                self.registry.end(self._live.pop(self._chance.randrange(len(self._live))))
            if self.done % 2 == 0:
                self.registry.flush()

    def night(self) -> None:
        """Nobody comes any more; everything ends."""
        self.registry.flush()
        self.clock.move(ABSOLUTE + LONGEST_LIFE)


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  # a name of ours
        return count


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@pytest.mark.row("SES-18", "DPO-04")
def test_a_file_holds_what_is_live_and_nothing_else(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "state.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        day = Day(store, keyring)
        sizes, counts = [], []
        for _ in range(8):
            day.pass_by(LOGINS // 8)
            assert rows(path, "change") <= JOURNAL_LENGTH
            counts.append(rows(path, "record"))
            sizes.append(size(tmp_path))
        # From the second eighth of the day on (three hours: more than the longest life nobody prolongs), it is level.
        assert max(counts[2:]) <= 1.5 * counts[1]
        with closing(sqlite3.connect(path)) as db:
            now = timestamp(day.clock.now())
            (dead,) = db.execute("SELECT count(*) FROM record WHERE expires_at <= ?", (now,)).fetchone()
        assert dead <= PURGE_BATCH
        assert max(sizes[5:]) <= 2 * max(sizes[:3])
        assert sum(day.registry.glance(cookie) is not None for cookie in day._live) <= CACHED
        day.night()
        assert store.purge(now=timestamp(day.clock.now())) > 0
        assert rows(path, "record") == rows(path, "record_index") == 0
        assert rows(path, "change") <= JOURNAL_LENGTH
        day.registry.flush()
        assert len(day.registry._seen._waiting) == 0
        assert len(day.registry._cache._readings) == 0
        day.registry.close()


@pytest.mark.row("SES-18", "DPO-04")
def test_in_redis_every_key_but_the_counter_ends_by_itself(redis_server: PrivateRedis, keyring: Keyring) -> None:
    redis_server.empty()
    with closing(open_store(redis_server.url)) as store, redis_server.client() as client:
        day = Day(store, keyring)
        counts = []
        for _ in range(4):
            day.pass_by(LOGINS // 16)
            counts.append(client.dbsize())
        longest = 1000 * (timedelta.total_seconds(LONGEST_LIFE) + COLLECT_AFTER)
        lasting = []
        for key in client.scan_iter(count=1000):
            left = client.pttl(key)
            if left == -1:
                lasting.append(key.decode())
            else:
                # An index of all sessions is prolonged with each; nothing else outlives its record.
                assert left <= longest + 1000
        assert lasting == [f"{PREFIX}:number"]
        now = timestamp(day.clock.now())
        live = len(store.find(Space.SESSION, "all", now=now))
        listed = client.zcard(f"{PREFIX}:index:session:all")
        assert live <= listed <= len(day._live) + 20
        # Simulated time passes for the records, not for the server: its part is shown by the ends it was given.
        day.night()
        for cookie in day._live:
            assert day.registry.look(cookie) is None
        day.registry.flush()
        assert len(day.registry._seen._waiting) == 0
        day.registry.open(person("last"))
        day.registry.end_all()
        day.registry.close()
        assert not client.exists(f"{PREFIX}:index:session:all")
        assert list(client.scan_iter(f"{PREFIX}:session:*")) == []
