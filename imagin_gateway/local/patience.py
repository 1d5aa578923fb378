"""A PostgreSQL that is paused, or behind a network that swallows: its connections are waited for, and then given up.

Neither the server's own limits nor those of TCP help there: the one does not run, and
the other sees a machine that answers. Without a limit of ours, each request that needs
the accounts would hold its thread for as long as it lasts, and soon every one of them.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg

SECONDS: Final = 10.0
"""Longest wait for one answer of the server. Its own limit for a lock is half of it."""

LONG_SECONDS: Final = 900.0
"""The same for what changes a hundred thousand rows at once, and for migrations."""

_T = TypeVar("_T")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is closed, and counts as lost, when one answer takes too long.

    Attributes:
        patience: seconds it waits for one answer.
    """

    patience: float = SECONDS

    def wait(self, gen: Generator[Any, Any, _T], *args: Any, **more: Any) -> _T:
        """Do what the library does to wait for an answer, no longer than that."""
        return super().wait(self._bounded(gen), *args, **more)

    def _bounded(self, gen: Generator[Any, Any, _T]) -> Generator[Any, Any, _T]:
        # The library comes back here ten times a second while there is nothing to read.
        ends_at = time.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > ends_at:
                    # Closed without a word to the server: a word would have to be waited for, too.
                    self.close()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: _T = done.value
            return result
