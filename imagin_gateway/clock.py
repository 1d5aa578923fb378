"""Time as an argument: nothing in the library reads the system clock by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Whatever tells the time in UTC."""

    def now(self) -> datetime:
        """Return the present moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time of now, in UTC."""
        return datetime.now(UTC)


def timestamp(moment: datetime) -> float:
    """Return seconds since the epoch; a naive datetime is a programming error and raises."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place here: use UTC")
    return moment.timestamp()


def ticking(clock: Clock) -> Callable[[], float]:
    """Return a function that tells a clock's time in seconds since the epoch, as cheaply as that clock can."""
    if type(clock) is SystemClock:
        return time.time
    return lambda: timestamp(clock.now())
