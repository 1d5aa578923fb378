"""The SQLite file of the ephemeral state: made once, recognised afterwards, refused when it is not ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from imagin_gateway.errors import Problem, SettingsError

SCHEMA_VERSION: Final = 1

APPLICATION_ID: Final = 0x49475354
"""Marks the file as ours ("IGST"), so that another application's database is never written to."""

BLANK: Final = (0, 0, False)
OURS: Final = (APPLICATION_ID, SCHEMA_VERSION, True)

OTHER_PATH: Final = "donner un autre chemin"

OLDEST_SQLITE: Final = (3, 37, 0)
"""First version with STRICT tables."""

JOURNAL_LENGTH: Final = 10_000
"""Changes of sessions that are remembered; a process that missed more forgets all it knows."""

_SCHEMA: Final = """
CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  space TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  expires_at REAL NOT NULL,
  UNIQUE (space, key)
) STRICT;
CREATE INDEX record_by_end ON record (expires_at);
CREATE TABLE record_index (
  space TEXT NOT NULL,
  name TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES record (seq) ON DELETE CASCADE,
  PRIMARY KEY (space, name, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_index_by_record ON record_index (seq);
"""


_CUT: Final = f"DELETE FROM change WHERE n <= last_insert_rowid() - {JOURNAL_LENGTH};"  # noqa: S608  # nosec B608  # a constant of ours

_INTO_JOURNAL: Final = f""" ON record WHEN OLD.space = 'session' BEGIN
  INSERT INTO change (space, key) VALUES (OLD.space, OLD.key);
  {_CUT}
END"""  # noqa: S608  # nosec B608  # constants of ours

# What REPLACE removes to make room fires no trigger of its own (SQLite, lang_conflict). Two look-ups, apart: asked for
# one record or the other in one condition, SQLite reads every session.
_GIVES_WAY: Final = """SELECT space, key FROM record WHERE seq = NEW.seq AND space = 'session'
  UNION SELECT space, key FROM record WHERE space = 'session' AND space = NEW.space AND key = NEW.key"""

_GIVEN_WAY: Final = f""" ON record WHEN EXISTS ({_GIVES_WAY}) BEGIN
  INSERT INTO change (space, key) {_GIVES_WAY};
  {_CUT}
END"""  # nosec B608  # constants of ours

_UNLISTED: Final = "session_unlisted"

_TRIGGERS: Final = {
    "session_changed": "CREATE TRIGGER session_changed AFTER UPDATE" + _INTO_JOURNAL,
    "session_gone": "CREATE TRIGGER session_gone AFTER DELETE" + _INTO_JOURNAL,
    "session_replaced": "CREATE TRIGGER session_replaced BEFORE INSERT" + _GIVEN_WAY,
    "session_overridden": "CREATE TRIGGER session_overridden BEFORE UPDATE OF seq, space, key" + _GIVEN_WAY,
    # Who deletes by hand has foreign keys off, as SQLite does unless asked: what stayed would come to name the next
    # record of that number, whatever it is.
    _UNLISTED: "CREATE TRIGGER session_unlisted AFTER DELETE ON record BEGIN"
    " DELETE FROM record_index WHERE seq = OLD.seq; END",
}
"""Added after the first release, whose version number stays: its processes, which may still run during an upgrade,
fire the triggers without knowing of them."""


def prepare(path: Path, busy_timeout: float) -> None:
    """Make the file and its tables unless they are there.

    Args:
        path: absolute; its folder must exist.
        busy_timeout: seconds to wait for another process that does the same.

    Raises:
        SettingsError: saying, in French, what stands in the way and what to do.
    """
    if problem := _prepare(path, busy_timeout):
        raise SettingsError([problem])


def _prepare(path: Path, busy_timeout: float) -> Problem | None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return _problem(f"SQLite {sqlite3.sqlite_version} est trop ancien", "SQLite 3.37 ou plus récent, ou Redis")
    if not path.parent.is_dir():
        return _problem(f"le dossier {path.parent} n’existe pas", "le créer avant le démarrage")
    try:
        make_file(path)
        with contextlib.closing(sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)) as db:
            return _make_tables(db, busy_timeout)
    except OSError:
        return _problem("le fichier ne peut être ni lu ni écrit", "vérifier le chemin et les droits")
    except sqlite3.Error as error:
        return _problem(*passing_trouble(error) or ("le fichier n’est pas une base SQLite utilisable", OTHER_PATH))


def passing_trouble(error: sqlite3.Error) -> tuple[str, str] | None:
    """Say of an error that the file itself may be good what stands in the way and what to do; else return None.

    Who was told then to give another path, or to put a copy back, would lose what the file holds.
    """
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the primary code (sqlite.org/rescode.html)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return "un autre programme tient ce fichier", "attendre qu’il ait fini, ou l’arrêter, puis relancer"
        case sqlite3.SQLITE_FULL:
            return "il n’y a plus de place sur le disque de ce fichier", "faire de la place, puis relancer"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            remedy = "vérifier les droits, le disque, et combien de fichiers le service peut ouvrir (ulimit -n)"
            return "le système ne laisse pas ouvrir ce fichier, ou y écrire", remedy
    return None


def make_file(path: Path) -> None:
    """Make a database file for its owner alone, unless it is there; SQLite gives its side files the same mode.

    A file that is there is not opened here, not even to look at it: closing any descriptor of a
    file ends the locks this process has on it (POSIX), those of a database already open included.

    Raises:
        OSError: it can be neither made, nor read and written.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError from None
        return
    try:
        if os.geteuid() == 0:
            # Made by a command of root, it is whose the folder is: the service has to write to it, too.
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    finally:
        os.close(descriptor)


def _make_tables(db: sqlite3.Connection, busy_timeout: float) -> Problem | None:
    # Looked at before anything is written: the file of another application stays as it is.
    if problem := _foreign(db):
        return problem
    if _set_wal(db, busy_timeout) != "wal":
        return _problem("ce système de fichiers ne convient pas à SQLite", "un disque local, ou Redis")
    db.execute("BEGIN IMMEDIATE")
    if _marks(db) == BLANK:
        for statement in _SCHEMA.split(";\n")[:-1]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    if _marks(db) == OURS:
        _make_journal(db)
    db.execute("COMMIT")
    return _foreign(db)


def _make_journal(db: sqlite3.Connection) -> None:
    """Make what tells other processes of changes, and what follows a record that goes; of another release, anew."""
    there = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'session%'").fetchall())
    db.execute("CREATE TABLE IF NOT EXISTS change (n INTEGER PRIMARY KEY AUTOINCREMENT, space TEXT, key TEXT) STRICT")
    for statement in _outdated(there):
        db.execute(statement)
    if _UNLISTED not in there:
        db.execute("DELETE FROM record_index WHERE seq NOT IN (SELECT seq FROM record)")


def _outdated(there: Mapping[str, str]) -> Iterator[str]:
    for name, trigger in _TRIGGERS.items():
        if there.get(name) != trigger:
            if name in there:
                yield f"DROP TRIGGER {name}"
            yield trigger


def _marks(db: sqlite3.Connection) -> tuple[int, int, bool]:
    """Return application, version of the tables, and whether anything is in the file."""
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return application, version, db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _foreign(db: sqlite3.Connection) -> Problem | None:
    db.execute("BEGIN")  # one view of the file: another process may be making the tables now
    marks = _marks(db)
    db.execute("COMMIT")
    if marks in (BLANK, OURS):
        return None
    if marks[0] != APPLICATION_ID:
        return _problem("ce fichier appartient à une autre application", OTHER_PATH)
    return _problem(
        "ce fichier vient d’une autre version d’imagin_gateway",
        "le supprimer\N{NO-BREAK SPACE}: chacun se connectera de nouveau",
    )


def _set_wal(db: sqlite3.Connection, timeout: float) -> str:
    """Switch to WAL. SQLite does not wait its turn for this switch: processes that start together try again."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            mode: str = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return mode


def _problem(message: str, remedy: str) -> Problem:
    return Problem("state.url", message, remedy)
