"""A whole list, checked before its first line is written, in memory that does not grow with it.

What was checked waits in a private SQLite file without a name, which disappears with
the process, however it ends. It is what is written afterwards: a list that changes
meanwhile changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from imagin_gateway.errors import LineProblem
from imagin_gateway.local.list_reader import BadLine, ConvocationList, Row

PROBLEMS_TOLD: Final = 10_000
"""Problems kept to be told; more are counted."""

_BATCH: Final = 1000

_CACHE_KIB: Final = 8192

_encode = msgspec.json.Encoder().encode

_decode = msgspec.json.Decoder(dict[str, str]).decode


class Step(StrEnum):
    """What an import is doing."""

    CHECKING = "checking"
    """Progress is in bytes of the list."""
    WRITING = "writing"
    """Progress is in people."""


Progress = Callable[[Step, int, int], None]
"""Called with what is being done, how much of it is, and how much there is."""


class CheckedList:
    """One list, read and checked.

    Args:
        path: the file.
        progress: told how far the reading is.

    Attributes:
        problems: what is wrong, in the order of the lines, up to `PROBLEMS_TOLD`.
        problem_count: how much is wrong.
        total: lines that can be taken.
        digest: SHA-256 of the file.
        ignored: columns that nothing was read from.

    Raises:
        ImportRefused: the file cannot be read as a list at all.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        source = ConvocationList(path)
        self.digest, self.ignored = source.digest, source.ignored
        self.problem_count = 0
        self._told: list[LineProblem] = []
        self._rows = sqlite3.connect("", isolation_level=None)
        # A file for this process alone, gone with it: nothing to journal.
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._rows.execute("CREATE TABLE rows (line INTEGER PRIMARY KEY, key TEXT, fields BLOB)")
        try:
            size = path.stat().st_size
            self._keep(source.read(None if progress is None else lambda read: progress(Step.CHECKING, read, size)))
            self._find_repeated()
        except BaseException:
            self.close()
            raise
        self._told.sort(key=lambda problem: problem.line)
        self.problems = tuple(self._told[:PROBLEMS_TOLD])
        (self.total,) = self._rows.execute("SELECT count(*) FROM rows WHERE fields IS NOT NULL").fetchone()

    def _keep(self, entries: Iterator[Row | BadLine]) -> None:
        self._rows.execute("BEGIN")
        while batch := list(islice(entries, _BATCH)):
            kept: list[tuple[int, str | None, bytes | None]] = []
            for entry in batch:
                if isinstance(entry, BadLine):
                    self._tell(entry.problems)
                    kept.append((entry.line, entry.key or None, None))
                else:
                    kept.append((entry.line, entry.key, _encode(entry.values)))
            self._rows.executemany("INSERT INTO rows (line, key, fields) VALUES (?, ?, ?)", kept)
        self._rows.execute("COMMIT")

    def _tell(self, problems: tuple[LineProblem, ...]) -> None:
        self.problem_count += len(problems)
        if len(self._told) < PROBLEMS_TOLD:
            self._told.extend(problems)

    def _find_repeated(self) -> None:
        """Refuse each line whose identifier an earlier line has."""
        self._rows.execute("CREATE INDEX by_key ON rows (key, line)")
        self._rows.execute(
            "CREATE TEMP TABLE first AS SELECT key, min(line) AS line FROM rows"
            " WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1"
        )
        repeated = self._rows.execute(
            "SELECT rows.line, first.line FROM first JOIN rows USING (key) WHERE rows.line > first.line"
        )
        for line, first in repeated:
            self._tell((LineProblem(line, f"même identifiant qu’à la ligne {first}"),))
        self._rows.execute(
            "UPDATE rows SET fields = NULL FROM temp.first AS first"
            " WHERE rows.key = first.key AND rows.line > first.line"
        )

    def batches(self, size: int) -> Iterator[list[Row]]:
        """Return the lines that can be taken, in their order, so many at a time."""
        found = self._rows.execute("SELECT line, key, fields FROM rows WHERE fields IS NOT NULL ORDER BY line")
        while batch := found.fetchmany(size):
            yield [Row(line, key, _decode(fields)) for line, key, fields in batch]

    def close(self) -> None:
        """Forget it."""
        self._rows.close()

    def __enter__(self) -> CheckedList:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
