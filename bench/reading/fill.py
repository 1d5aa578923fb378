"""Fill a store with live sessions: `python -m bench.reading.fill FOLDER URL BEGIN END EVERY`.

Every record is made by the gateway's own `sessions.open`, by the engine's own
statements and scripts; only the waiting is saved. Under Redis the scripts travel
by hundreds in one pipeline, under SQLite thousands of transactions are one. So the
store is what a million logins would have left. Each person has two sessions. One
cookie in `EVERY` is printed.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis
from redis.commands.core import Script

from bench.reading import ours

PIPELINE: Final = 500
TRANSACTION: Final = 5000

PER_PERSON: Final = 2


def fill(folder: Path, url: str, numbers: range) -> Iterator[str]:
    """Open the sessions of these numbers, and give the Cookie header of each."""
    joined = _one_transaction_for_many() if url.startswith("sqlite") else _one_pipeline_for_many(url)
    with joined, ours.gateway(folder, url) as front:
        for number in numbers:
            yield ours.signed_in(front, person(number))


def person(number: int) -> str:
    """Return the subject of the session of this number."""
    return f"agent{number // PER_PERSON:07}"


@contextmanager
def _one_pipeline_for_many(url: str) -> Iterator[None]:
    """Queue every call of a script; its answer is nothing then, so only what needs none may be filled so."""
    own = Script.__call__
    with redis.Redis.from_url(url) as client, client.pipeline(transaction=False) as pipe:

        def queued(self: Script, keys: Any = None, args: Any = None, client: Any = None) -> Any:
            own(self, keys, args, client=pipe)
            if len(pipe) >= PIPELINE:
                pipe.execute()

        Script.__call__ = queued  # type: ignore[method-assign]  # in this process, which fills and ends
        try:
            yield
        finally:
            Script.__call__ = own  # type: ignore[method-assign]  # as it was
            pipe.execute()


class Joined(sqlite3.Connection):
    """A connection that commits once in thousands of write transactions."""

    joining = False
    ended = 0

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, unless it begins or ends a transaction that goes on."""
        if not self.joining:
            self.joining = sql == "BEGIN IMMEDIATE"
        elif sql == "COMMIT":
            self.ended += 1
            self.joining = self.ended % TRANSACTION != 0
        if (
            self.joining
            and self.in_transaction
            and (sql == "COMMIT" or sql.startswith(("BEGIN", "PRAGMA synchronous")))
        ):
            return self.cursor()
        return super().execute(sql, *parameters)

    def close(self) -> None:
        """Commit what is open, and close."""
        if self.in_transaction:
            super().execute("COMMIT")
        super().close()


@contextmanager
def _one_transaction_for_many() -> Iterator[None]:
    own = sqlite3.connect

    def connect(*words: Any, **options: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = own(*words, **{"factory": Joined, **options})
        opened.execute("PRAGMA cache_size = -262144")
        return opened

    sqlite3.connect = connect  # type: ignore[assignment]  # in this process, which fills and ends
    try:
        yield
    finally:
        sqlite3.connect = own


def main() -> None:
    """Fill as the command line says."""
    folder, url, begin, end, every = sys.argv[1:]
    numbers = range(int(begin), int(end))
    for number, cookie in zip(numbers, fill(Path(folder), url, numbers), strict=True):
        if number % int(every) == 0:
            print(f"{number} {cookie}", flush=True)


if __name__ == "__main__":
    main()
