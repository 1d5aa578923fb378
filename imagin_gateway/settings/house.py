"""Sections of the house itself: keys, events, what is protected."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from imagin_gateway.events.syslog import read_target
from imagin_gateway.identity import Activity
from imagin_gateway.keys import Secret
from imagin_gateway.problems import wrong
from imagin_gateway.settings import key_files
from imagin_gateway.settings.paths import checked_prefix
from imagin_gateway.settings.secrets import MAKE_A_KEY, SecretText, strong_keys
from imagin_gateway.settings.section import Section


class Keys(Section):
    """Secrets of the house, each a list from the oldest to the newest."""

    folder: Path | None = None
    """Where `imagin-gateway keys` keeps those that are not written here, a file a purpose."""
    signing: tuple[SecretText, ...]
    """Signs cookies, forms, journeys and reset links, each under a purpose of its own."""
    provisional: tuple[SecretText, ...]
    """Keeps provisional passwords; a copy of the database without it verifies nothing."""

    pepper: tuple[SecretText, ...] = ()
    """Optional: goes into the hashes of chosen passwords; a copy of the database without it verifies nothing."""

    factors: tuple[SecretText, ...] = ()
    """Encrypts the secrets of second factors and keeps recovery codes; needed unless `second_factor.mode` is off."""

    events: tuple[SecretText, ...] = ()
    """Optional: makes the pseudonyms in events; without it they follow `signing`, and change when that is rotated."""

    @model_validator(mode="before")
    @classmethod
    def _from_folder(cls, told: Any) -> Any:
        """Take from the folder what is not written here."""
        if not isinstance(told, Mapping) or not isinstance(folder := told.get("folder"), str | Path):
            return told
        found = dict(told)
        for purpose in key_files.PURPOSES:
            if purpose in found:
                continue
            try:
                keys = key_files.read(Path(folder), purpose)
            except key_files.KeyFileWrong as error:
                raise wrong(f"{purpose} : {error}", error.remedy, id="keys.file") from None
            if keys is not None:
                found[purpose] = tuple(each.secret for each in keys)
        return found

    @field_validator("signing", "provisional", "pepper", "factors", "events")
    @classmethod
    def _strong(cls, keys: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        if keys or info.field_name not in ("pepper", "factors", "events"):
            strong_keys(keys)
        for other in ("signing", "provisional", "pepper", "factors", "events"):
            if other == info.field_name:
                break
            if {key.reveal() for key in keys} & {key.reveal() for key in info.data.get(other, ())}:
                raise wrong(f"cette clé sert déjà à keys.{other}", "une clé par usage", id="keys.shared")
        return keys


class Events(Section):
    """Where events go, and how long they are kept."""

    path: str = "-"
    """A file to append to, `-` for standard error, or "" for none.

    With `{day}` in its name there is a file a day, which nothing has to rotate."""
    stdout: bool = False
    """To standard output, too."""
    syslog: str = ""
    """To syslog, too: `/dev/log`, `udp://host:514` or `tcp://host:601`."""
    retention_months: int = Field(default=12, ge=6, le=60)
    """How long files of events, and the last events kept beside an account, stay before they are removed."""
    reason: str = ""
    """Why more than twelve months."""

    @field_validator("path")
    @classmethod
    def _place(cls, path: str) -> str:
        if path not in ("", "-") and "{day}" in str(Path(path).parent):
            raise wrong(
                "le jour s'écrit dans le nom du fichier, pas dans celui d'un dossier", '"evenements-{day}.jsonl"'
            )
        name = Path(path).name
        if name.count("{day}") > 1 or set(name.replace("{day}", "")) & set("{}"):
            raise wrong("seul {day} est remplacé, et une seule fois", '"evenements-{day}.jsonl"')
        return path

    @field_validator("syslog")
    @classmethod
    def _target(cls, target: str) -> str:
        if target:
            read_target(target)
        return target

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not (self.path or self.stdout or self.syslog):
            raise wrong("les événements n'iraient nulle part", 'path = "evenements-{day}.jsonl"')
        return self

    @property
    def file(self) -> Path | None:
        """The file to append to, perhaps with a day in its name."""
        return None if self.path in ("", "-") else Path(self.path)

    @property
    def retention(self) -> timedelta:
        """Months of thirty days and a half."""
        return timedelta(days=30.5 * self.retention_months)


class Metrics(Section):
    """Figures for a monitoring system: closed unless it says `enabled`."""

    enabled: bool = False
    """Answer at `/metriques` in the form of Prometheus."""
    token: SecretText | None = None
    """What the monitoring system sends as `Authorization: Bearer`; without it, the address does not exist."""
    readers: tuple[str, ...] = ()
    """Networks it may come from (`10.0.0.0/8`); none is any, with the token."""
    traces: bool = False
    """A span of OpenTelemetry for each request to our own pages."""

    @field_validator("token")
    @classmethod
    def _long(cls, token: Secret | None) -> Secret | None:
        if token is not None:
            strong_keys((token,))
        return token

    @field_validator("readers")
    @classmethod
    def _networks(cls, readers: tuple[str, ...]) -> tuple[str, ...]:
        for reader in readers:
            try:
                ipaddress.ip_network(reader)
            except ValueError:
                raise wrong("un réseau est illisible", '["10.0.0.0/8", "192.0.2.7/32"]') from None
        return readers

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if self.enabled and self.token is None:
            raise wrong("les mesures seraient ouvertes à tous", 'token = "env:..." ; une clé : ' + MAKE_A_KEY)
        return self


class Protected(Section):
    """A part of the host application that asks for a session."""

    prefix: str
    """Path and everything below it, by whole segments."""
    activity: Activity | None = None
    """Asked for on top of being signed in."""
    recent_minutes: int | None = Field(default=None, ge=1, le=600)
    """Longest time since the person last proved who they are; past it, they are asked again and come back."""
    strength: tuple[str, ...] = ()
    """Values of `acr` or `amr`, one of which the login must have reached; what a portal does not tell is weak."""

    @property
    def recent(self) -> timedelta | None:
        """`recent_minutes`; None where nothing is asked."""
        return None if self.recent_minutes is None else timedelta(minutes=self.recent_minutes)

    @field_validator("prefix")
    @classmethod
    def _path(cls, prefix: str) -> str:
        return checked_prefix(prefix)
