"""What a check found: a stable name, how grave it is, what is wrong in words and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SCHEMA_VERSION: Final = 1


class Severity(StrEnum):
    """How grave a finding is, the gravest first."""

    FATAL = "fatal"
    """Somebody will be kept out, or let in wrongly."""
    UNKNOWN = "not-checked"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and what was found.

    Attributes:
        id: stable, e.g. ``redis.eviction``; never renamed, never reused.
        severity: how grave.
        subject: what was looked at, in French.
        text: what was found, in French.
        remedy: what to do, in French; never empty for what is fatal or a warning.
        key: key of the settings concerned, if one is.
        asked: it was not checked because the operator asked for that (`--offline`).
    """

    id: str
    severity: Severity
    subject: str
    text: str
    remedy: str = ""
    key: str = ""
    asked: bool = False


def fatal(name: str, subject: str, text: str, remedy: str, key: str = "") -> Finding:
    """Return a finding that must be mended before opening."""
    return Finding(name, Severity.FATAL, subject, text, remedy, key)


def warning(name: str, subject: str, text: str, remedy: str, key: str = "") -> Finding:
    """Return a finding that works today and may not tomorrow."""
    return Finding(name, Severity.WARNING, subject, text, remedy, key)


def good(name: str, subject: str, text: str, key: str = "") -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(name, Severity.OK, subject, text, key=key)


def unknown(name: str, subject: str, text: str, remedy: str = "", *, asked: bool = False) -> Finding:
    """Return a finding that says that nothing is known."""
    return Finding(name, Severity.UNKNOWN, subject, text, remedy, asked=asked)


_EXIT: Final = {Severity.FATAL: 2, Severity.UNKNOWN: 3, Severity.WARNING: 1, Severity.OK: 0}
"""The codes of monitoring plugins: 0 good, 1 warning, 2 critical, 3 unknown."""

_ORDER: Final = list(Severity)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found, the gravest first.

    Attributes:
        findings: in the order to show them.
        settings: path of the settings file.
        at: when it was looked, ISO 8601.
        version: of the gateway.
    """

    findings: tuple[Finding, ...]
    settings: str
    at: str
    version: str

    @classmethod
    def of(cls, findings: Sequence[Finding], *, settings: str, at: str, version: str) -> Report:
        """Sort what was found, within one severity in the order it was looked at."""
        return cls(tuple(sorted(findings, key=lambda each: _ORDER.index(each.severity))), settings, at, version)

    @property
    def worst(self) -> Severity:
        """What was left out on demand is no reason for an alarm."""
        told = {each.severity for each in self.findings if not each.asked}
        return next((severity for severity in _ORDER if severity in told), Severity.OK)

    @property
    def exit_code(self) -> int:
        """What the command ends with, as a probe of monitoring does."""
        return _EXIT[self.worst]

    def count(self, severity: Severity) -> int:
        """Return how many findings are of this severity."""
        return sum(each.severity is severity for each in self.findings)

    def as_json(self, where: dict[str, str]) -> dict[str, Any]:
        """Return the report for a program; `docs/operating.md` describes it.

        Args:
            where: for a key of the settings, the line or the variable that says it.
        """
        return {
            "schema": SCHEMA_VERSION,
            "version": self.version,
            "at": self.at,
            "settings": self.settings,
            "status": self.worst.value,
            "exit": self.exit_code,
            "counts": {severity.value: self.count(severity) for severity in Severity},
            "findings": [
                {
                    "id": each.id,
                    "severity": each.severity.value,
                    "subject": each.subject,
                    "text": each.text,
                    "remedy": each.remedy,
                    "key": each.key,
                    "where": where.get(each.key, "") if each.key else "",
                    "asked": each.asked,
                }
                for each in self.findings
            ],
        }
