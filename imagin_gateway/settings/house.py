"""Sections of the house itself: keys, events, what is protected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from imagin_gateway.identity import Activity
from imagin_gateway.keys import Secret
from imagin_gateway.problems import wrong
from imagin_gateway.settings import key_files
from imagin_gateway.settings.paths import checked_prefix
from imagin_gateway.settings.secrets import SecretText, strong_keys
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
                where = key_files.path_of(Path(folder), purpose)
                raise wrong(f"{purpose} : {error}", f"restaurer {where}", id="keys.file") from None
            if keys is not None:
                found[purpose] = tuple(each.secret for each in keys)
        return found

    @field_validator("signing", "provisional", "pepper", "factors")
    @classmethod
    def _strong(cls, keys: tuple[Secret, ...], info: ValidationInfo) -> tuple[Secret, ...]:
        if keys or info.field_name not in ("pepper", "factors"):
            strong_keys(keys)
        for other in ("signing", "provisional", "pepper", "factors"):
            if other == info.field_name:
                break
            if {key.reveal() for key in keys} & {key.reveal() for key in info.data.get(other, ())}:
                raise wrong(f"cette clé sert déjà à keys.{other}", "une clé par usage", id="keys.shared")
        return keys


class Events(Section):
    """Where events go."""

    path: str = "-"
    """A file to append to, or `-` for standard error."""
    retention_months: int = Field(default=12, ge=6, le=60)
    """How long the last events of an account are kept beside it, for the help desk; the file is the operator's."""
    reason: str = ""
    """Why more than twelve months."""

    @property
    def retention(self) -> timedelta:
        """Months of thirty days and a half."""
        return timedelta(days=30.5 * self.retention_months)


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
        return None if self.recent_minutes is None else timedelta(minutes=self.recent_minutes)

    @field_validator("prefix")
    @classmethod
    def _path(cls, prefix: str) -> str:
        return checked_prefix(prefix)
