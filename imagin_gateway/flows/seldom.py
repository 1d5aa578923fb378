"""What a scanner can cause as often as it likes is told now and then, and counted meanwhile."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=10)

MOST: Final = 20
"""Networks of which something is told within a window, by one process."""


class Seldom:
    """Tells what is worth a line: the first of each network within a window, of few networks. Threads may share it.

    Kept in this process alone: it works while a store is down, and a flood costs no store anything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_at: datetime | None = None
        self._told: set[str] = set()
        self._untold = 0

    def due(self, network: str, now: datetime) -> int | None:
        """Return how many were not told since the last that was; None when this one is not to be told either."""
        with self._lock:
            if self._ends_at is None or not self._ends_at - WINDOW <= now < self._ends_at:
                self._ends_at = now + WINDOW
                self._told.clear()
            if network in self._told or len(self._told) >= MOST:
                self._untold += 1
                return None
            self._told.add(network)
            untold, self._untold = self._untold, 0
            return untold
