"""Counts of a period, from events alone, and nobody's name: what the report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from imagin_gateway.events import EventName
from imagin_gateway.events.kinds import KINDS, Outcome
from imagin_gateway.events.reading import Record
from imagin_gateway.pages.spoken import PARIS

SMALL: Final = 5
"""A count under it is told as « moins de 5 » where it crosses two things: few people could be known by it."""

_BY_HOUR: Final = timedelta(days=3)
_MOST: Final = 50
"""Different doors or mails that are told apart; a file that names more is no file of ours."""

_LOGINS: Final = {EventName.LOGIN.value, EventName.LOGIN_REFUSED.value, EventName.PORTAL_FAILED.value}
_MAILS: Final = {EventName.MAIL_SENT.value, EventName.MAIL_FAILED.value}
_DONE: Final = {name.value for name, kind in KINDS.items() if kind.outcome is Outcome.DONE}

Steps = Counter[datetime]

T = TypeVar("T")


@dataclass(slots=True)
class Summary:
    """Counts of a period.

    Attributes:
        since, until: the period, in Paris.
        logins: successes by door and step of time.
        refusals: refusals and failures of logins by door and step.
        reasons: of them, by door and (code, reason).
        mails: by kind and whether they left, by step.
        faults: everything else that failed, by kind.
        read: events of the period.
    """

    since: datetime
    until: datetime
    logins: dict[str, Steps] = field(default_factory=dict)
    refusals: dict[str, Steps] = field(default_factory=dict)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    mails: dict[tuple[str, bool], Steps] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    read: int = 0

    @property
    def hourly(self) -> bool:
        """Whether a step of time is an hour; else a day."""
        return self.until - self.since <= _BY_HOUR

    def step(self, at: datetime) -> datetime:
        """Return the step of time of a moment."""
        here = at.astimezone(PARIS).replace(minute=0, second=0, microsecond=0)
        return here if self.hourly else here.replace(hour=0)

    @property
    def steps(self) -> list[datetime]:
        """Every step of the period, also those where nothing happened."""
        return list(dict.fromkeys(self._steps()))

    def _steps(self) -> Iterator[datetime]:
        at = self.since
        while at < self.until:
            yield self.step(at)
            at += timedelta(hours=1)

    def add(self, record: Record) -> None:
        """Count one event."""
        self.read += 1
        step = self.step(record.at)
        if record.event in _LOGINS:
            door = record.door or "?"
            if record.event in _DONE:
                _one(self.logins, door)[step] += 1
            else:
                _one(self.refusals, door)[step] += 1
                if len(self.reasons) < 1000:
                    self.reasons[door, record.code, str(record.detail.get("reason", ""))] += 1
        elif record.event in _MAILS:
            _one(self.mails, (str(record.detail.get("mail", "")), record.event in _DONE))[step] += 1
        elif record.event not in _DONE:
            self.faults[record.event] += 1


def _one(counts: dict[T, Steps], key: T) -> Steps:
    if key not in counts and len(counts) >= _MOST:
        return Counter()
    return counts.setdefault(key, Counter())


def summed_up(records: Iterable[tuple[bytes, Record]], since: datetime, until: datetime) -> Summary:
    """Count the events of a period."""
    summary = Summary(since.astimezone(PARIS), until.astimezone(PARIS))
    for _, record in records:
        summary.add(record)
    return summary


def told(count: int) -> str:
    """Return a count as the report tells it."""
    return f"moins de {SMALL}" if 0 < count < SMALL else f"{count:,}".replace(",", "\u202f")


def total(steps: Steps) -> int:
    """Return the sum over all steps."""
    return sum(steps.values())
