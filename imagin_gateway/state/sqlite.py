"""Ephemeral state in one SQLite file, shared by the threads and processes of one machine."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakSet

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.state.sqlite_file import prepare
from imagin_gateway.state.sqlite_watch import File, SqliteWatch, file_at
from imagin_gateway.state.store import Record, Space, Swap, check_followed
from imagin_gateway.state.watch import OnChange

PURGE_EVERY: Final = 64
"""Writes between two opportunistic purges, in one process."""

PURGE_BATCH: Final = 500
"""Most records removed by one transaction. More than `PURGE_EVERY`, so the dead cannot outrun the purge."""


class SqliteStateStore:
    """`StateStore` in a SQLite file (WAL mode).

    A connection serves one thread at a time and no process but the one that
    opened it, so the store may be shared by threads and survives `fork`. Writes
    take the write lock first (`BEGIN IMMEDIATE`) and are synced to disk: what was
    used up or revoked stays so, even over a power cut.

    Args:
        path: the file; made with mode 0600 when it is not there. Its folder must exist.
        busy_timeout: seconds to wait for another process's write before `Unavailable`.

    Raises:
        SettingsError: the file cannot be made, or is not ours.
    """

    def __init__(self, path: str | Path, *, busy_timeout: float = 5.0) -> None:
        self._path = Path(path).absolute()
        self._busy_timeout = busy_timeout
        self._closed = False
        self._writes = itertools.count(1)
        self._idle: deque[tuple[sqlite3.Connection, File]] = deque()
        self._watches: list[SqliteWatch] = []
        prepare(self._path, busy_timeout)
        _stores.add(self)

    # -- the interface -------------------------------------------------------

    def put(
        self, space: Space, key: str, value: bytes, *, expires_at: float, now: float, indexes: Sequence[str] = ()
    ) -> None:
        """Write a record, replacing its value and its indexes."""
        with self._writing(now) as db:
            _insert(db, space, key, value, expires_at, indexes)

    def put_if_absent(self, space: Space, key: str, value: bytes, *, expires_at: float, now: float) -> bool:
        """Write a record unless a live one is there; tell whether it was written."""
        with self._writing(now) as db:
            if _live(db, space, key, now) is not None:
                return False
            _insert(db, space, key, value, expires_at, ())
            return True

    def swap(self, space: Space, changes: Sequence[Swap], *, now: float) -> list[bool]:
        """Change values and ends of live records, keeping their indexes, where they still hold the old value.

        Not synced by itself: over a power cut the former values may come back, the
        records themselves may not.
        """
        with self._writing(now, durable=False) as db:
            return [
                db.execute(
                    "UPDATE record SET value = ?, expires_at = ?"
                    " WHERE space = ? AND key = ? AND expires_at > ? AND value = ?",
                    (change.new, change.expires_at, space.value, change.key, now, change.old),
                ).rowcount
                == 1
                for change in changes
            ]

    def keep_latest(self, space: Space, moments: Mapping[str, float], *, life: float, now: float) -> None:
        """Write moments, each unless a later one is there. Not synced: over a power cut the former may come back."""
        rows = [(space.value, key, repr(moment).encode(), moment + life) for key, moment in moments.items()]
        with self._writing(now, durable=False) as db:
            db.executemany(
                "INSERT INTO record (space, key, value, expires_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"
                " WHERE excluded.expires_at > record.expires_at",
                rows,
            )

    def get(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value, or None."""
        with self._connection() as db:
            return _live(db, space, key, now)

    def get_many(self, space: Space, keys: Sequence[str], *, now: float) -> list[bytes | None]:
        """Return what `get` would for each key, all as of one moment."""
        with self._connection() as db:
            db.execute("BEGIN")
            values = [_live(db, space, key, now) for key in keys]
            db.execute("COMMIT")
            return values

    def take(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value and remove it: of many takers, one has it."""
        with self._writing(now) as db:
            value = _live(db, space, key, now)
            _remove(db, space, key)
            return value

    def delete(self, space: Space, key: str) -> bool:
        """Remove a record; tell whether there was one."""
        with self._writing() as db:
            return _remove(db, space, key)

    def increment(self, space: Space, key: str, *, expires_at: float, now: float) -> int:
        """Add one to a counter and return it; a new counter starts at one and ends at `expires_at`."""
        with self._writing(now) as db:
            value = _live(db, space, key, now)
            if value is None:
                _insert(db, space, key, b"1", expires_at, ())
                return 1
            count = int(value) + 1
            db.execute("UPDATE record SET value = ? WHERE space = ? AND key = ?", (b"%d" % count, space.value, key))
            return count

    def find(self, space: Space, index: str, *, now: float) -> list[Record]:
        """Return the live records under an index, oldest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT key, value, expires_at FROM record_index JOIN record USING (seq)"
                " WHERE record_index.space = ? AND name = ? AND +record.space = ? AND expires_at > ? ORDER BY seq",
                (space.value, index, space.value, now),
            ).fetchall()
        return [Record(key, value, expires_at) for key, value, expires_at in rows]

    def delete_indexed(self, space: Space, index: str) -> int:
        """Remove every record under an index; return how many there were."""
        with self._writing() as db:
            removed = db.execute(
                # The sign keeps SQLite from looking by the space, which would read every session.
                "DELETE FROM record WHERE seq IN (SELECT seq FROM record_index WHERE space = ? AND name = ?)"
                " AND +space = ?",
                (space.value, index, space.value),
            )
            return removed.rowcount

    def watch(self, space: Space, on_change: OnChange, *, lag: float) -> SqliteWatch:
        """Follow the changes of the sessions."""
        check_followed(space)
        watch = SqliteWatch(partial(self._connect, busy_timeout=0), partial(file_at, self._path), space, on_change, lag)
        self._watches.append(watch)
        return watch

    def purge(self, *, now: float) -> int:
        """Remove what has expired, a batch a transaction so that nobody waits long; return how many records went."""
        total = 0
        while True:
            with self._writing() as db:
                removed = _purge_batch(db, now)
            total += removed
            if removed < PURGE_BATCH:
                return total

    def ping(self) -> None:
        """Raise `Unavailable` if the store does not answer."""
        with self._connection() as db:
            db.execute("SELECT 1 FROM record LIMIT 1").fetchone()

    def close(self) -> None:
        """Close every connection. The store answers `Unavailable` from then on."""
        self._closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[0].close()
        for watch in self._watches:
            watch.close()

    # -- connections ---------------------------------------------------------

    def _forget_connections(self) -> None:
        """In a child process: leave the parent's connections alone, neither used nor closed (SQLite FAQ, fork)."""
        _inherited.append((self._idle, [watch.connection for watch in self._watches]))
        self._idle = deque()
        for watch in self._watches:
            watch.forget_connection()

    def _connect(self, *, busy_timeout: float | None = None) -> sqlite3.Connection:
        if self._closed:
            raise Unavailable("the state store is closed")
        # `rw`: a file removed under us is an outage, not an empty store.
        address = f"{self._path.as_uri()}?mode=rw"
        db = sqlite3.connect(
            address,
            uri=True,
            timeout=self._busy_timeout if busy_timeout is None else busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute("PRAGMA foreign_keys = ON")
        return db

    @contextlib.contextmanager
    def _connection(self) -> Generator[sqlite3.Connection, None, None]:
        """Lend a connection to one thread; one that failed is not used again."""
        with _translated():
            idle, here = self._idle, file_at(self._path)
            db = _popped(idle, here) or self._connect()
            try:
                yield db
            except BaseException:
                db.close()
                raise
            idle.append((db, here))
            if self._closed:
                self.close()

    @contextlib.contextmanager
    def _writing(self, now: float | None = None, *, durable: bool = True) -> Generator[sqlite3.Connection, None, None]:
        """Lend a connection inside one write transaction; closing it, on any error, rolls back."""
        with self._connection() as db:
            db.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            yield db
            if now is not None and next(self._writes) % PURGE_EVERY == 0:
                _purge_batch(db, now)
            db.execute("COMMIT")


def _popped(idle: deque[tuple[sqlite3.Connection, File]], here: File) -> sqlite3.Connection | None:
    """Return a connection to this file: one that was removed is not read on beside a new one of its name."""
    with contextlib.suppress(IndexError):
        while True:
            db, opened = idle.pop()
            if opened == here:
                return db
            db.close()
    return None


@contextlib.contextmanager
def _translated() -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable("the state store does not answer", code=Code.STORE_UNAVAILABLE) from error


def _live(db: sqlite3.Connection, space: Space, key: str, now: float) -> bytes | None:
    row = db.execute(
        "SELECT value FROM record WHERE space = ? AND key = ? AND expires_at > ?", (space.value, key, now)
    ).fetchone()
    return None if row is None else row[0]


def _remove(db: sqlite3.Connection, space: Space, key: str) -> bool:
    return db.execute("DELETE FROM record WHERE space = ? AND key = ?", (space.value, key)).rowcount == 1


def _insert(
    db: sqlite3.Connection, space: Space, key: str, value: bytes, expires_at: float, indexes: Sequence[str]
) -> None:
    _remove(db, space, key)
    seq = db.execute(
        "INSERT INTO record (space, key, value, expires_at) VALUES (?, ?, ?, ?)", (space.value, key, value, expires_at)
    ).lastrowid
    db.executemany(
        "INSERT INTO record_index (space, name, seq) VALUES (?, ?, ?)",
        [(space.value, name, seq) for name in dict.fromkeys(indexes)],
    )


def _purge_batch(db: sqlite3.Connection, now: float) -> int:
    return db.execute(
        "DELETE FROM record WHERE seq IN (SELECT seq FROM record WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
        (now, PURGE_BATCH),
    ).rowcount


_stores: Final[WeakSet[SqliteStateStore]] = WeakSet()

_inherited: Final[list[object]] = []


def _after_fork() -> None:
    for store in list(_stores):
        store._forget_connections()


os.register_at_fork(after_in_child=_after_fork)
