"""Section of the pages of the help desk."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.section import Section


class Desk(Section):
    """Pages on which people whom the host names help the owners of accounts (`/assistance`). Closed by default."""

    enabled: bool = False
    """Opens these pages; `admission` must then name who helps."""
    strength: tuple[str, ...] = ("mfa", "otp", "hwk", "swk", "pop", "sc")
    """Values of `amr` (RFC 8176) or `acr`, one of which the helper's login must have reached: a second factor."""
    recent_minutes: int = Field(default=30, ge=1, le=120)
    """Longest time since the helper last proved who they are."""
    searches_per_hour: int = Field(default=60, ge=1, le=1000)
    """Searches of one helper within an hour; and as many accounts looked at."""

    @field_validator("strength")
    @classmethod
    def _some(cls, strength: tuple[str, ...]) -> tuple[str, ...]:
        if not strength or not all(value.strip() for value in strength):
            raise wrong("l'assistance demande un second contrôle", 'strength = ["mfa"], ou ne pas écrire cette clé')
        return strength

    @property
    def recent(self) -> timedelta:
        """`recent_minutes`."""
        return timedelta(minutes=self.recent_minutes)
