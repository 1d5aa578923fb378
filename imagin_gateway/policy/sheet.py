"""A table as written: doors, questions, rules, crossings and pins, read but not yet proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagin_gateway.policy.values import Clause, Contact, Crossing, DoorInfo, EndPage, Question, Rule, Text, When

PAGES = ("elsewhere", "several", "help")
"""End pages that are not a door."""
MOST_QUESTIONS = 6
"""Most questions a table may hold: the tree is searched whole."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What the document says for sure: these situations get this outcome, or never that one."""

    id: str
    clause: str
    when: When
    outcome: str
    never: bool


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint of a question that holds only in some situations."""

    question: str
    when: When
    text: Text


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything a table says."""

    name: str
    title: Text
    max_questions: int
    contacts: Mapping[str, Contact]
    clauses: Mapping[str, Clause]
    doors: Mapping[str, DoorInfo]
    fits: Mapping[str, When]
    """For a door of a family: the situations it is for."""
    pages: Mapping[str, EndPage]
    questions: tuple[Question, ...]
    hints: tuple[Hint, ...]
    rules: tuple[Rule, ...]
    crossings: tuple[Crossing, ...]
    pins: tuple[Pin, ...]

    def covers(self, names: tuple[str, ...], outcome: str) -> bool:
        """Tell whether an outcome is among these names, itself or by its family."""
        return outcome in names or any(outcome in self.family(name) for name in names)

    def family(self, name: str) -> tuple[str, ...]:
        """Return the ids of the doors of a family; empty if it is not a family."""
        return tuple(door.id for door in self.doors.values() if door.family == name and door.id in self.fits)
