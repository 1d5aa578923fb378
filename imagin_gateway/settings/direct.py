"""Sections of the direct door: accounts, passwords, mail."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationInfo, field_validator

from imagin_gateway.keys import Secret
from imagin_gateway.problems import wrong
from imagin_gateway.settings.loopback import is_this_machine
from imagin_gateway.settings.secrets import SecretText
from imagin_gateway.settings.section import Section

_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")

_RELAY: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A name, or an address; one of IPv6 has two colons at least."""

_VERIFYING: Final = ("verify-full", "verify-ca")


class Accounts(Section):
    """Lasting accounts of the direct door."""

    url: str = Field(repr=False)
    """SQLAlchemy URL: `sqlite:///path` or `postgresql+psycopg://...`."""
    portal_domains: tuple[str, ...] = ()
    """Mail domains, e.g. `ac-paris.fr`, whose people must enter by a portal; the direct door fails for them."""

    inactive_months: int = Field(default=36, ge=12, le=60)
    """Months after which an account that nobody used is erased; to be in a list is a use."""

    @property
    def inactive_after(self) -> timedelta:
        """How long an account may be without use."""
        return timedelta(days=30.5 * self.inactive_months)

    @field_validator("portal_domains")
    @classmethod
    def _domains(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        for domain in domains:
            if not _DOMAIN.fullmatch(domain.lower()):
                raise wrong("ce n'est pas un domaine de courriel", '["ac-paris.fr"]')
        return tuple(domain.lower() for domain in domains)

    @property
    def unverified(self) -> bool:
        """Whether the address itself asks libpq to believe any server on another machine (row KEY-05)."""
        parts = urlsplit(self.url)
        options = parse_qs(parts.query)
        host = parts.hostname or options.get("host", [""])[-1]
        modes = options.get("sslmode", [])
        return not is_this_machine(host) and any(mode not in _VERIFYING for mode in modes)

    def is_of_a_portal(self, email: str) -> bool:
        """Tell whether a mail address is of a domain, or below one, whose people must enter by a portal."""
        domain = email.rpartition("@")[2].strip().rstrip(".").lower()
        return any(domain == each or domain.endswith("." + each) for each in self.portal_domains)

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise wrong("adresse de base inconnue", "sqlite:///chemin/comptes.db ou postgresql+psycopg://hôte/base")
        try:
            _ = urlsplit(url).port
        except ValueError:
            # What cannot be read holds a password, perhaps: nothing of it is told.
            raise wrong("cette adresse de base ne peut pas être lue", "postgresql+psycopg://hôte:5432/base") from None
        return url


class Passwords(Section):
    """Passwords of the direct door."""

    minimum_length: int = Field(default=15, ge=12, le=64)
    """Characters a chosen password counts at least."""
    profile: Literal["rfc9106", "owasp", "unsafe-tests"] = "rfc9106"
    """Argon2id parameters: `rfc9106` 64 MiB t=3, `owasp` 19 MiB t=2; `unsafe-tests` in development only."""
    breached_list: Path | None = None
    """Passwords seen in breaches: a file of SHA-1 digests in hexadecimal, one a line, sorted (`DIGEST:count`)."""
    provisional_days: int = Field(default=21, ge=1, le=30)
    """How long a provisional password of a letter opens an account."""
    reset_minutes: int = Field(default=60, ge=5, le=24 * 60)
    """How long a mailed link is good."""
    attempts: Literal["delay", "lock"] = "delay"
    """After failures, an account waits longer and longer, or is locked until a link or a letter opens it."""
    lock_after: int | None = Field(default=None, ge=3)
    """Failures in a row after which an account is locked. Default and most: 10 with `lock`, 100 with `delay`."""

    @field_validator("lock_after")
    @classmethod
    def _not_too_many(cls, after: int | None, info: ValidationInfo) -> int | None:
        most = 10 if info.data.get("attempts") == "lock" else 100
        if after is not None and after > most:
            raise wrong("trop d’échecs avant le blocage", f"{most} au plus avec ce choix d’attempts")
        return after

    @property
    def in_a_row(self) -> int:
        """Failures in a row after which an account is locked."""
        return self.lock_after or (10 if self.attempts == "lock" else 100)


class SecondFactor(Section):
    """What the direct door asks beside the password. To ask nothing is a decision, written down (row PWD-14)."""

    mode: Literal["off", "optional", "required"]
    """`off` needs a `reason`; `optional`, for those who have one; `required`, of everybody."""
    reason: str = ""
    """Why no second factor is asked for."""
    passkey_alone: bool = False
    """A passkey that checks its owner opens an account without the password."""
    trusted_days: int = Field(default=0, ge=0, le=30)
    """How long a computer may go without the second step, for those who tick the box; 0: there is no box."""

    @property
    def on(self) -> bool:
        """Whether anybody may have a second factor."""
        return self.mode != "off"

    @field_validator("reason")
    @classmethod
    def _stripped(cls, reason: str) -> str:
        return reason.strip()


class Mail(Section):
    """SMTP relay for reset links and notices."""

    host: str
    """Name of the SMTP relay."""
    port: int = Field(default=587, ge=1, le=65535)
    """Port of the relay."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` only towards this machine, or in development."""
    username: str = ""
    """Login at the relay; none when empty."""
    password: SecretText = Secret("")
    """Password at the relay; a secret."""
    ca_file: Path | None = None
    """Certificates of the relay to trust, when not the system's."""
    sender: str
    """Address that mails come from: one plain address."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    """Longest wait for each answer of the relay."""

    @field_validator("sender")
    @classmethod
    def _one_address(cls, sender: str) -> str:
        return one_address(sender, "l'expéditeur n'est pas une adresse")

    @field_validator("host")
    @classmethod
    def _relay(cls, host: str) -> str:
        if not _RELAY.fullmatch(host):
            raise wrong("le nom du relais, sans schéma ni port", '"smtp.example.fr" ; le port : mail.port')
        return host


def one_address(address: str, otherwise: str) -> str:
    """Return one plain mail address, as headers of mails take it; raise what to say otherwise."""
    if not _ADDRESS.fullmatch(address):
        raise wrong(otherwise, 'par exemple "imagin@siec.education.fr"')
    return address
