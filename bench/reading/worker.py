"""One candidate in one process: `python -m bench.reading.worker NAME FOLDER REDIS`; orders come line by line.

`sample SECONDS` tells how long a request takes without and with sessions;
`reads N` reads N times, and tells what was asked of SQLite meanwhile and whether
a cookie was set; `still` tells whether the page still knows the person.
Answers are lines of JSON, the first of them when the candidate is ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

from bench.reading.candidates import CANDIDATES, Pair, Place, check
from bench.reading.drive import BATCH, Page
from bench.reading.ours import WHO

MOST: Final = 5000
"""Requests of one sample: making them takes longer than answering them."""

_connections: Final[list[sqlite3.Connection]] = []


class Watched(sqlite3.Connection):
    """A connection whose statements can be counted."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        _connections.append(self)


def watch_sqlite() -> None:
    """Let every connection opened from now on be counted."""
    connect = sqlite3.connect

    def watched(*words: Any, **options: Any) -> sqlite3.Connection:
        opened: sqlite3.Connection = connect(*words, **{"factory": Watched, **options})
        return opened

    sqlite3.connect = sqlite3.dbapi2.connect = watched  # type: ignore[assignment]  # the same, but counted


def statements(pair: Pair, number: int) -> tuple[dict[str, float], bool]:
    """Read `number` times; return statements of SQLite by verb, per read, and whether a cookie was set."""
    seen: dict[str, float] = {}

    def note(statement: str) -> None:
        verb = " ".join(statement.split()[: 2 if statement.startswith("PRAGMA") else 1])
        seen[verb] = seen.get(verb, 0) + 1 / number

    set_cookie = False
    for connection in _connections:
        _trace(connection, note)
    for _ in range(number):
        reply = pair.full.once()
        check(reply, pair.answers)
        set_cookie = set_cookie or bool(reply.cookies)
    for connection in _connections:
        _trace(connection, None)
    return seen, set_cookie


def _trace(connection: sqlite3.Connection, call: Any) -> None:
    try:
        connection.set_trace_callback(call)
    except sqlite3.ProgrammingError:
        return  # closed, or of another thread


def fitting(page: Page, seconds: float) -> int:
    """Return how many requests take about `seconds`, after warming up."""
    page.many(BATCH)
    once = min(page.many(BATCH) for _ in range(3)) / BATCH
    return BATCH * max(1, min(round(seconds / once), MOST) // BATCH)


def serve(pair: Pair, orders: Any, tell: Any) -> None:
    """Obey until the orders end."""
    check(pair.bare.once(), WHO)
    check(pair.full.once(), pair.answers)
    tell({"ready": True})
    number = {True: 0, False: 0}
    for line in orders:
        order, _, argument = line.strip().partition(" ")
        if order == "sample":
            seconds = float(argument)
            pages = {False: pair.bare, True: pair.full}
            if not number[True]:
                number = {with_it: fitting(page, seconds) for with_it, page in pages.items()}
            tell([page.many(number[with_it]) / number[with_it] for with_it, page in pages.items()])
        elif order == "reads":
            seen, set_cookie = statements(pair, int(argument))
            tell({"statements": seen, "set_cookie": set_cookie})
        elif order == "still":
            tell({"still": pair.full.once().body.decode() == WHO})


def main() -> None:
    """Build the candidate named on the command line, and obey."""
    name, folder, redis = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer

    def tell(what: object) -> None:
        print(json.dumps(what), file=answers, flush=True)

    watch_sqlite()
    with asyncio.Runner() as runner:
        pair = CANDIDATES[name].build(Place(Path(folder), redis, runner))
        serve(pair, sys.stdin, tell)
        pair.close()


if __name__ == "__main__":
    main()
