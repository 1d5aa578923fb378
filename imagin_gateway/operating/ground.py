"""What every probe is given: the settings, where they are written, the time, and how far it may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from imagin_gateway.operating.findings import Finding
from imagin_gateway.settings import Settings

SOON_DAYS: Final = 30
"""A certificate or a document that ends within so many days is told."""

LEAST_FREE_BYTES: Final = 512 * 1024 * 1024

LEAST_FREE_SHARE: Final = 0.05

FULL_BYTES: Final = 1024 * 1024
"""Less than one import, or a minute of logins, writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is looked at.

    Attributes:
        settings: those that hold; a section that does not was replaced, and nothing is asked of it.
        file: the settings file.
        now: the present moment.
        timeout: seconds that one connection may take.
        offline: nothing leaves this machine.
        mail_to: address to which one real mail is sent; "" for none.
        mounts: where the system lists its file systems.
        broken: sections of the settings, and portals as ``portals.arena-paris``, that were replaced.
        least_free: bytes below which a disk is nearly full.
        full: bytes below which it is full.
    """

    settings: Settings
    file: Path
    now: datetime
    timeout: float = 5.0
    offline: bool = False
    mail_to: str = ""
    mounts: Path = Path("/proc/self/mounts")
    broken: frozenset[str] = frozenset()
    least_free: int = LEAST_FREE_BYTES
    full: int = FULL_BYTES


class Look(Protocol):
    """What a probe does."""

    def __call__(self, ground: Ground, /) -> Iterable[Finding]: ...


@dataclass(frozen=True, slots=True)
class Probe:
    """One look.

    Attributes:
        id: prefix of what it finds.
        subject: what it looks at, in French.
        look: does it.
        reads: sections of the settings it rests on.
        remote: it leaves this machine.
    """

    id: str
    subject: str
    look: Look
    reads: frozenset[str] = frozenset()
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Where each key of the settings is said: a line of the file, or a variable."""

    lines: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    file: str = ""

    def of(self, key: str) -> str:
        """Return the place of a key, or of the nearest section that holds it; "" when it is said nowhere."""
        told = key
        while told:
            if told in self.variables:
                return f"variable {self.variables[told]}"
            if told in self.lines:
                return f"{self.file}, ligne {self.lines[told]}"
            told = told.rpartition(".")[0]
        return ""
