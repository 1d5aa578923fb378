"""Sections of the ephemeral state and of the sessions kept in it."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.section import Section
from imagin_gateway.state.address import refusal


class State(Section):
    """Ephemeral state: sessions, journeys, replay ids, counters."""

    url: str = Field(repr=False)
    """`sqlite:///path` (embedded, one machine); `redis://host`, `rediss://host` (TLS) or `unix:///socket` (Redis)."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if found := refusal(url):
            raise wrong(*found)
        return url


class Sessions(Section):
    """Limits of a session (rows SES-07 and SES-08 of the checklist)."""

    idle_minutes: int = Field(default=30, ge=1, le=60)
    absolute_hours: int = Field(default=10, ge=1, le=24)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def absolute(self) -> timedelta:
        return timedelta(hours=self.absolute_hours)
