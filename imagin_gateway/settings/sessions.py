"""Sections of the ephemeral state and of the sessions kept in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.section import Section
from imagin_gateway.state.address import refusal

LONGEST_IDLE_MINUTES: Final = 60
LONGEST_ABSOLUTE_HOURS: Final = 24
EXTENSIONS: Final = 10
"""How often, at least, somebody can put the idle limit off before the absolute one (RGAA 4.1, 13.1, test 4)."""


class State(Section):
    """Ephemeral state: sessions, journeys, replay ids, counters."""

    url: str = Field(repr=False)
    """`sqlite:///path` (embedded, one machine); `redis://host`, `rediss://host` (TLS) or `unix:///socket` (Redis);
    `redis+sentinel://host,host/master`; `redis+cluster://host,host` (docs/redis.md)."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if found := refusal(url):
            raise wrong(*found)
        return url


class Sessions(Section):
    """Limits of a session (rows SES-07, SES-08 and SES-13 of the checklist), and what a process may remember of it."""

    idle_minutes: int = Field(default=30, ge=1, le=24 * 60)
    """Longest time between two requests."""
    absolute_hours: int = Field(default=10, ge=1, le=30 * 24)
    """Longest life, whatever the activity."""
    reason: str = ""
    """Why the limits are longer than 60 minutes or 24 hours, or leave room for fewer than ten extensions."""
    parallel: int = Field(default=0, ge=0, le=100)
    """Sessions one person may have at once; 0 for any number."""
    beyond_parallel: Literal["end-oldest", "refuse"] = "end-oldest"
    """What the login beyond that number does: end the oldest session, or be refused."""
    recent_minutes: int = Field(default=10, ge=1, le=60)
    """How recent a login must be to see and end one's other sessions."""
    lag_seconds: float = Field(default=1.0, ge=0.1, le=10)
    """Longest time for which a session ended by another process may still be believed by this one (Redis; with SQLite a
    fiftieth of it, twice that among threads)."""
    cached: int = Field(default=10_000, ge=0, le=1_000_000)
    """Sessions a process keeps in memory; 0 asks the store at every request."""
    grain_seconds: int = Field(default=15, ge=1, le=60)
    """How exact the idle limit is when one process saw the last request and another decides."""

    @property
    def idle(self) -> timedelta:
        """`idle_minutes`."""
        return timedelta(minutes=self.idle_minutes)

    @property
    def absolute(self) -> timedelta:
        """`absolute_hours`."""
        return timedelta(hours=self.absolute_hours)

    @property
    def recent(self) -> timedelta:
        """`recent_minutes`."""
        return timedelta(minutes=self.recent_minutes)

    @property
    def grain(self) -> timedelta:
        """Shorter than the idle limit, whatever is set."""
        return min(timedelta(seconds=self.grain_seconds), self.idle / 4)

    @property
    def unreasoned(self) -> str:
        """What asks for a written reason and has none; "" when nothing does."""
        if self.reason.strip():
            return ""
        if self.idle_minutes > LONGEST_IDLE_MINUTES:
            return f"plus de {LONGEST_IDLE_MINUTES} minutes d'inactivité"
        if self.absolute_hours > LONGEST_ABSOLUTE_HOURS:
            return f"des sessions de plus de {LONGEST_ABSOLUTE_HOURS} heures"
        if self.absolute < EXTENSIONS * self.idle:
            return f"moins de {EXTENSIONS} prolongations possibles avant la limite absolue"
        return ""
