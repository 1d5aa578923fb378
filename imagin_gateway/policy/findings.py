"""What can be wrong with a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from imagin_gateway.errors import PolicyError


class Flaw(StrEnum):
    """Kinds of findings. Stable."""

    SHAPE = "shape"
    """Not TOML, a key lacks, is unknown or holds the wrong kind of value."""
    UNKNOWN_NAME = "unknown-name"
    """A fact, value, group, door, clause, contact or page that does not exist."""
    DUPLICATE = "duplicate"
    """Two things with one id."""
    NO_LANGUAGE = "no-language"
    """A text lacks a language."""
    NO_LINK = "no-link"
    """A door lacks its link, or the link is not https."""
    PLACEHOLDER = "placeholder"
    """A text names something that is not known there."""
    MARK = "mark"
    """A line says it rests on the document and rests on a reading."""
    NO_ANSWER = "no-answer"
    """A situation has no answer."""
    NO_DOOR = "no-door"
    """A rule answers by a family of doors, and none of them fits the situation."""
    NEVER_FIRES = "never-fires"
    """A rule, an alternative of a rule or a crossing that no situation reaches."""
    PIN_OVERTURNED = "pin-overturned"
    """What the document says for sure gets another answer."""
    TOO_MANY_QUESTIONS = "too-many-questions"
    """Somebody would be asked more questions than the table allows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong: its kind, where, and what, in French, with the counter-example if there is one."""

    flaw: Flaw
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}\u00a0: {self.message}"


class TableRefused(PolicyError):
    """A table is refused; `findings` lists everything found, not only the first."""

    def __init__(self, findings: Sequence[Finding], source: str = "") -> None:
        self.findings = tuple(findings)
        self.source = source
        count = len(self.findings)
        where = f" {source}" if source else ""
        head = f"table{where} refusée, {count} constat{'s' if count > 1 else ''}\u00a0:"
        super().__init__("\n".join([head, *(f"  - {finding}" for finding in self.findings)]))
