"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved: `Gateway(settings, clock=ManualClock())`.

    Args:
        start: the first moment, with its time zone.
    """

    def __init__(self, start: datetime = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("a moment has a time zone: datetime(..., tzinfo=UTC)")
        self._now = start

    def now(self) -> datetime:
        """Return the present moment."""
        return self._now

    def move(self, by: timedelta | float) -> None:
        """Go on by so much time, or so many seconds."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
