"""Moments as an operator types them: a date, an hour, « hier », « 2h » ago; read in Paris, as they read the clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

from imagin_gateway.pages.spoken import PARIS

_AGO: Final = re.compile(r"(\d{1,4}) ?(min|h|j|d)")
_UNITS: Final = {"min": "minutes", "h": "hours", "j": "days", "d": "days"}
_HOUR: Final = re.compile(r"(?=.)([^\d\s:]*)\s*(?:(\d{1,2}):(\d\d))?")
_WORDS: Final = {"hier": 1, "yesterday": 1, "aujourd'hui": 0, "aujourd’hui": 0, "today": 0}

FORMS: Final = "2026-12-13, 2026-12-13T22:00, 22:00, hier, hier 22:00, 2h, 30min, 7j"


def moment(typed: str, now: datetime, option: str | None = None) -> datetime:
    """Return the moment that was typed, in UTC.

    Args:
        typed: one of `FORMS`; what has no time zone is of Paris.
        now: the present moment.
        option: where it was typed.

    Raises:
        typer.BadParameter: it is none.
    """
    text = typed.strip().lower()
    here = now.astimezone(PARIS)
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        if (hour := _HOUR.fullmatch(text)) and (not hour[1] or hour[1] in _WORDS):
            day = here - timedelta(days=_WORDS.get(hour[1], 0))
            found = day.replace(hour=int(hour[2] or 0), minute=int(hour[3] or 0), second=0, microsecond=0)
        else:
            found = datetime.fromisoformat(typed.strip())
        return (found if found.tzinfo else found.replace(tzinfo=PARIS)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"moment illisible ; par exemple : {FORMS}", param_hint=option) from None
