"""Days and hours as mails and letters write them, at the hour of Paris."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")

_MOIS: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def day_in_french(day: date) -> str:
    """Return a day as it is written on letters: « 1er janvier 2027 »."""
    return f"{_first(day.day)}\u00a0{_MOIS[day.month - 1]}\u00a0{day.year}"


def day_in_english(day: date) -> str:
    """Return a day as mails write it: « 1 January 2027 »."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def time_in_french(moment: datetime) -> str:
    """Return a time of the day: « 9 h 05 », with no-break spaces."""
    return f"{moment.hour}\u00a0h\u00a0{moment.minute:02}"


def time_in_english(moment: datetime) -> str:
    """Return a time of the day: « 9:05 am »."""
    return f"{moment.hour % 12 or 12}:{moment.minute:02} {'am' if moment.hour < 12 else 'pm'}"


def _first(day: int) -> str:
    return "1er" if day == 1 else str(day)
