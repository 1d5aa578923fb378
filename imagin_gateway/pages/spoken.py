"""Moments and durations as people say them: « 14 décembre 2026 à 14 h 32 », “14 December 2026 at 2:32 pm”."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from imagin_gateway.pages.texts import Catalogue

PARIS: Final = ZoneInfo("Europe/Paris")


class Spoken:
    """Says times in the words of one catalogue; every moment is shown in the time of Paris."""

    def __init__(self, texts: Catalogue) -> None:
        self._texts = texts
        self._months = texts("spoken.months").split()
        self._numbers = texts("spoken.numbers").split()
        self._halves = texts("spoken.halves").split()

    def moment(self, moment: datetime) -> str:
        """Return day and hour."""
        return self._texts("spoken.moment", day=self.day(moment), hour=self.hour(moment))

    def day(self, moment: datetime) -> str:
        """Return the day, with its month and year."""
        local = _local(moment)
        day = self._texts("spoken.first") if local.day == 1 else str(local.day)
        return self._texts("spoken.day", day=day, month=self._months[local.month - 1], year=local.year)

    def hour(self, moment: datetime) -> str:
        """Return the hour alone."""
        local = _local(moment)
        return self._texts(
            "spoken.hour",
            hour=local.hour,
            hour12=local.hour % 12 or 12,
            half=self._halves[local.hour // 12],
            minute=f"{local.minute:02}",
        )

    def duration(self, minutes: int) -> str:
        """Return a number of minutes, in words up to ten, in hours when it makes whole ones."""
        if minutes and minutes % 60 == 0:
            return self._counted("spoken.hours", minutes // 60)
        return self._counted("spoken.minutes", minutes)

    def _counted(self, key: str, count: int) -> str:
        words = self._numbers[count - 1] if 0 < count <= len(self._numbers) else str(count)
        return self._texts(key, count=count, words=words)


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place here: use UTC")
    return moment.astimezone(PARIS)
