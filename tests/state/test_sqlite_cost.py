"""What an act costs does not grow with what the file holds: counted in steps of SQLite's own machine, not in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from imagin_gateway.state.sqlite import SqliteStateStore
from imagin_gateway.state.store import Space, Swap
from tests.state.workers import END, NOW

FEW: Final = 10
MANY: Final = 1_000

Act = Callable[[SqliteStateStore], object]

ACTS: Final[dict[str, Act]] = {
    "a new record": lambda store: store.put(
        Space.SESSION, "new", b"v", expires_at=END, now=NOW, indexes=("new", "all")
    ),
    "a record replaced": lambda store: store.put(Space.SESSION, "k7", b"v", expires_at=END, now=NOW, indexes=("p3",)),
    "put_if_absent": lambda store: store.put_if_absent(Space.SESSION, "new", b"v", expires_at=END, now=NOW),
    "swap": lambda store: store.swap(Space.SESSION, [Swap("k7", b"v", b"w", END)], now=NOW),
    "keep_latest": lambda store: store.keep_latest(Space.SEEN, {"k7": NOW}, life=60, now=NOW),
    "get": lambda store: store.get(Space.SESSION, "k7", now=NOW),
    "get_many": lambda store: store.get_many(Space.SESSION, ["k6", "k7", "none"], now=NOW),
    "take": lambda store: store.take(Space.SESSION, "k7", now=NOW),
    "delete": lambda store: store.delete(Space.SESSION, "k7"),
    "increment": lambda store: store.increment(Space.COUNTER, "k7", expires_at=END, now=NOW),
    "find": lambda store: store.find(Space.SESSION, "p3", now=NOW),
    "delete_indexed": lambda store: store.delete_indexed(Space.SESSION, "p3"),
}


class Counting(sqlite3.Connection):
    """A connection that counts the steps of its statements, those of their triggers included."""

    steps = 0

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.set_progress_handler(self._step, 1)

    @classmethod
    def _step(cls) -> int:
        Counting.steps += 1
        return 0


@contextmanager
def holding(path: Path, count: int) -> Iterator[SqliteStateStore]:
    """A store that holds sessions, two a person, all under one index more."""
    with closing(SqliteStateStore(path)) as store:
        for number in range(count):
            indexes = (f"p{number // 2}", "all")
            store.put(Space.SESSION, f"k{number}", b"v", expires_at=END, now=NOW, indexes=indexes)
        yield store


@pytest.mark.parametrize("act", ACTS)
def test_an_act_among_thousands_of_sessions_takes_the_steps_that_it_takes_among_ten(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took: dict[int, int] = {}
    for count in (FEW, MANY):
        with holding(tmp_path / f"{count}.db", count) as store:
            with monkeypatch.context() as patch:
                connect = sqlite3.connect
                patch.setattr(sqlite3, "connect", lambda *w, **o: connect(*w, **{"factory": Counting, **o}))  # noqa: B023
                store._idle.clear()
                store.ping()
            before = Counting.steps
            ACTS[act](store)
            took[count] = Counting.steps - before
    assert took[FEW] > 0
    assert took[MANY] <= 1.2 * took[FEW] + 5, took


def test_a_file_of_another_release_gets_the_triggers_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqliteStateStore(path).close()

    def triggers() -> dict[str, str]:
        with closing(sqlite3.connect(path)) as db:
            return dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())

    def version() -> int:
        with closing(sqlite3.connect(path)) as db:
            number: int = db.execute("PRAGMA schema_version").fetchone()[0]
            return number

    ours = triggers()
    assert set(ours) == {
        "session_changed",
        "session_gone",
        "session_replaced",
        "session_overridden",
        "session_unlisted",
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER session_replaced")
        db.execute("DROP TRIGGER session_gone")
        db.execute(
            "CREATE TRIGGER session_replaced BEFORE INSERT ON record WHEN EXISTS (SELECT 1 FROM record WHERE"
            " space = 'session' AND (seq = NEW.seq OR (space = NEW.space AND key = NEW.key)))"
            " BEGIN INSERT INTO change (space, key) VALUES (NEW.space, NEW.key); END"
        )
    SqliteStateStore(path).close()
    assert triggers() == ours
    # What is as it should be is not written again: every process would have to read the file anew.
    before = version()
    SqliteStateStore(path).close()
    assert version() == before
