"""Connections to the accounts: SQLite (WAL) or PostgreSQL, read and write transactions.

Whatever the engine raises becomes `Unavailable`, without the values of the query:
they are personal data and hashes.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from imagin_gateway.errors import Code, Problem, SettingsError, Unavailable
from imagin_gateway.state.sqlite_file import OTHER_PATH, make_file, passing_trouble

BUSY_SECONDS: Final = 5
"""How long a transaction waits for another one, or for a connection, before `Unavailable`."""

_WRITES: Final = "imagin_gateway_writes"

_log = logging.getLogger("imagin_gateway.local")

LOGGED_AS: Final = "imagin_gateway"
"""Name of our engines among those of SQLAlchemy, whose log may be at DEBUG for the host's own."""


def _tells_no_row(record: logging.LogRecord) -> bool:
    """Keep rows out of any log: `hide_parameters` hides what is asked, not what is answered (row LOG-03)."""
    return not str(record.msg).startswith("Row ")


logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGED_AS}").addFilter(_tells_no_row)


class Database:
    """The accounts database.

    Args:
        url: `sqlite:///path` (the file is made with mode 0600) or `postgresql+psycopg://...`.

    Raises:
        SettingsError: the file cannot be made.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        _databases.add(self)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads. Raises `Unavailable`."""
        with _told(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, long: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction that may write, committed at the end, rolled back on any error.

        SQLite takes its one write lock at once (`BEGIN IMMEDIATE`): a transaction
        that read first could not be granted it later. Raises `Unavailable`.

        Args:
            long: one statement may change very many rows: the server is waited for accordingly.
        """
        with _told(), self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with _patient(connection, long=long), connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def insert_many(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]], same: Mapping[str, object]
) -> None:
    """Insert rows, at the price of the driver: what SQLAlchemy does for each value is a sixth of a list.

    Args:
        connection: a transaction.
        table: where.
        rows: at least one, all with the same columns.
        same: columns that have one value in all of them.
    """
    dialect = connection.dialect
    statement: Any = sa.insert(table).compile(dialect=dialect, column_keys=[*rows[0], *same])
    makers = ((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in statement.params)
    made = {name: make for name, make in makers if make is not None}
    alike = {name: made[name](value) if name in made else value for name, value in same.items()}
    differ = [(name, make) for name, make in made.items() if name not in same]
    values: list[dict[str, object]] = [{**alike, **row} for row in rows]
    for name, make in differ:
        for row in values:
            row[name] = make(row[name])
    if statement.positional:
        in_order = itemgetter(*statement.positiontup)
        connection.exec_driver_sql(str(statement), [in_order(row) for row in values])
    else:
        connection.exec_driver_sql(str(statement), values)


@contextmanager
def _patient(connection: sa.Connection, *, long: bool) -> Iterator[None]:
    if not long or connection.dialect.name != "postgresql":
        yield
        return
    from imagin_gateway.local.patience import LONG_SECONDS, SECONDS

    driver: Any = connection.connection.driver_connection
    driver.patience = LONG_SECONDS
    try:
        yield
    finally:
        driver.patience = SECONDS


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        # Its text may quote a row: only its kind is told.
        _log.error("the accounts database failed: %s", type(error).__name__)
        raise Unavailable("the accounts database does not answer", code=Code.STORE_UNAVAILABLE) from None


def _engine(url: str) -> sa.Engine:
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite(address)
    return _postgresql(address)


def _postgresql(address: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        address,
        hide_parameters=True,
        logging_name=LOGGED_AS,
        pool_pre_ping=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={
            "connect_timeout": BUSY_SECONDS,
            # Else that of the database: names would come as bytes from one made under LANG=C.
            "client_encoding": "utf8",
            "options": f"-c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=10min",
        },
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(dialect: sa.Dialect, record: ConnectionPoolEntry, words: Any, options: Any) -> Any:
        # Imported here: a house on SQLite needs no driver of PostgreSQL.
        from imagin_gateway.local.patience import PatientConnection

        return PatientConnection.connect(*words, **options)

    return engine


def _sqlite(address: sa.URL) -> sa.Engine:
    path = Path(address.database or "")
    try:
        make_file(path)
        _switch_to_wal(path)
    except OSError:
        problem = Problem("accounts.url", "ce fichier ne peut pas être ouvert", "vérifier le dossier et les droits")
        raise SettingsError([problem]) from None
    except sqlite3.Error as error:
        told = passing_trouble(error) or ("ce fichier n’est pas une base SQLite utilisable", OTHER_PATH)
        raise SettingsError([Problem("accounts.url", *told)]) from None
    engine = sa.create_engine(
        address,
        hide_parameters=True,
        logging_name=LOGGED_AS,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, entry: ConnectionPoolEntry) -> None:
        # The driver opens transactions of its own unless told not to; ours are opened below.
        connection.isolation_level = None
        cursor = connection.cursor()
        # A used link must stay used over a power cut.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(path: Path) -> None:
    """Switch the file to WAL, for good. SQLite does not wait its turn for this: processes may start together."""
    deadline = time.monotonic() + BUSY_SECONDS
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                # An error may have taken the whole wait of the connection, or none of it.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return


_databases: Final[WeakSet[Database]] = WeakSet()

_inherited: Final[list[object]] = []


def _after_fork() -> None:
    """Leave the parent's connections to the parent: neither used nor closed here."""
    for database in list(_databases):
        _inherited.append(database.engine.pool)
        database.engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)
