"""Being told of changes by the SQLite file itself.

`PRAGMA data_version` changes with every commit of any other connection. What
changed then stands in a journal that triggers keep, whoever writes: a row changed
or deleted by hand is in it too. Asking costs a look at the file's shared memory.
That lets go of the interpreter's lock, and among the threads of a busy server its
turn is long in coming back: an answer is believed for a small part of the lag, and
while one thread asks anew the others go on for as long again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from imagin_gateway.errors import Code, GatewayError, Unavailable
from imagin_gateway.state.store import Space
from imagin_gateway.state.watch import OnChange

File = tuple[int, int]
"""What a path names: device and number of a file."""

PART_OF_A_LAG: Final = 1 / 50
"""An answer of the file is believed for this part of the lag: with the default of a second, for 20 milliseconds."""

MOST_AT_ONCE: Final = 1000
"""More changes than this since the last look: everything may have changed."""


class SqliteWatch:
    """`Watch` over one space of a file.

    Args:
        connect: opens a connection that waits for nobody.
        file: tells what the path names now: a file that was removed changes no more, whatever its connections say.
        space: what to follow.
        on_change: told the keys.
        lag: seconds for which a change may stay unknown; with 0 the file is asked at every question.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        file: Callable[[], File],
        space: Space,
        on_change: OnChange,
        lag: float,
    ) -> None:
        self._connect = connect
        self._file = file
        self._space = space
        self._on_change = on_change
        self._belief = lag * PART_OF_A_LAG
        self._closed = False
        self.forget_connection()

    def forget_connection(self) -> None:
        """Begin anew; in a child process, without touching the parent's connection."""
        self._db: sqlite3.Connection | None = None
        self._opened: File | None = None
        self._version = self._seen = -1
        self.believed_until = 0.0
        self._lock = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection | None:
        """The connection in use, if any."""
        return self._db

    def current(self) -> bool:
        """Tell every change not told yet, unless the file was asked just now; False when it cannot be asked."""
        now, until = monotonic(), self.believed_until
        # Who comes while another thread asks for the first time in a while waits for that answer.
        if now < until or (now < until + self._belief and self._lock.locked()):
            return True
        with self._lock:  # not taken by hand: a signal's handler that raises would leave it held
            asked = monotonic()
            if asked < self.believed_until:
                return True
            known = self._ask()
            self.believed_until = asked + self._belief if known else 0.0
            return known

    def _ask(self) -> bool:
        if self._db is None:
            return self._open()
        try:
            if self._file() != self._opened:
                self._drop()
                return False
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._catch_up(self._db)
                self._version = version
        except (sqlite3.Error, GatewayError):
            self._drop()
            return False
        return True

    def close(self) -> None:
        """Stop following."""
        with self._lock:
            self._closed = True
            self.believed_until = 0.0
            self._drop()

    def _open(self) -> bool:
        if self._closed:
            return False
        try:
            opened, db = self._file(), self._connect()
        except (sqlite3.Error, GatewayError):
            return False
        try:
            # In this order: a change between the two is told once too often, never not at all.
            self._version = db.execute("PRAGMA data_version").fetchone()[0]
            self._seen = _newest(db)
        except sqlite3.Error:
            db.close()
            return False
        self._db, self._opened = db, opened
        # What was read before now may have changed unnoticed.
        self._on_change(None)
        return True

    def _catch_up(self, db: sqlite3.Connection) -> None:
        newest = _newest(db)
        if newest == self._seen:
            return
        rows = db.execute(
            "SELECT space, key FROM change WHERE n > ? AND n <= ? LIMIT ?", (self._seen, newest, MOST_AT_ONCE)
        ).fetchall()
        # Numbers are without gaps: what lacks was cut off the journal's tail, or is more than is worth reading.
        if len(rows) != newest - self._seen:
            self._on_change(None)
        elif keys := [key for space, key in rows if space == self._space]:
            self._on_change(keys)
        self._seen = newest  # once it was told: rather twice than not at all

    def _drop(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
            self._on_change(None)


def file_at(path: Path) -> File:
    """Return what a path names. Raises `Unavailable` when that is nothing."""
    try:
        told = os.stat(path)
    except OSError as error:
        raise Unavailable("the state file is not there", code=Code.STORE_UNAVAILABLE) from error
    return told.st_dev, told.st_ino


def _newest(db: sqlite3.Connection) -> int:
    """Return the number of the newest change, even when none is kept."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'change'").fetchone()
    return 0 if row is None else int(row[0])
