"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta | float) -> None:
        """Go on by so much time, or so many seconds."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
