"""Every rule tried, and why it did not fit: the table read line by line, without the proved diagram."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagin_gateway.policy.facts import Facts
from imagin_gateway.policy.typography import spaced
from imagin_gateway.policy.values import Crossing, Mark, Rule, Text, When
from imagin_gateway.policy.vocabulary import DIMENSIONS, Word

if TYPE_CHECKING:
    from imagin_gateway.policy.sheet import Sheet

_LABELS = {dimension.name: dimension.label for dimension in DIMENSIONS}
_SHOWN = 3
"""Most values of one fact that an explanation lists."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One line tried.

    Attributes:
        id: id of the rule or of the crossing.
        crossing: True for a crossing.
        fits: it answered, or corrected the answer.
        why: in French; why it did not fit, or what made it fit.
    """

    id: str
    line: int | None
    crossing: bool
    mark: Mark
    situation: Text
    fits: bool
    why: str

    def __str__(self) -> str:
        return f"{'→' if self.fits else ' '} {self.id:<20} {self.why}"


def explain(sheet: Sheet, facts: Facts, corrected: tuple[str, ...]) -> list[Tried]:
    """Return every rule tried, to the one that answered; then every crossing.

    Args:
        sheet: the table.
        facts: what is known.
        corrected: ids of the crossings that changed the answer; another one may fit, and change nothing.
    """
    tried: list[Tried] = []
    outcome = ""
    for rule in sheet.rules:
        fits, why = _fit(rule, facts)
        tried.append(Tried(rule.id, rule.line, False, rule.mark, rule.situation, fits, spaced(why)))
        if fits:
            outcome = rule.outcome
            break
    for crossing in sheet.crossings:
        fits, why = _fit(crossing, facts)
        if not sheet.covers(crossing.over, outcome):
            fits, why = False, f"cette ligne ne corrige que : {', '.join(crossing.over)}"
        elif fits and crossing.id not in corrected:
            fits, why = False, f"cette ligne convient, et ne change rien ici ({why})"
        elif fits and crossing.outcome is not None:
            outcome = crossing.outcome
        tried.append(Tried(crossing.id, None, True, crossing.mark, crossing.situation, fits, spaced(why)))
    return tried


def _fit(line: Rule | Crossing, facts: Facts) -> tuple[bool, str]:
    misses = [list(_misses(when, facts)) for when in line.when]
    nearest = min(misses, key=len)
    if nearest:
        return False, " ; ".join(nearest)
    when = line.when[misses.index(nearest)]
    told = " ; ".join(f"{_LABELS[name]} : {_value(facts, name).label}" for name in when)
    return True, told or "cette ligne convient à toute situation qui reste"


def _misses(when: When, facts: Facts) -> Iterator[str]:
    for name, accepted in when.items():
        if _value(facts, name) not in accepted:
            yield f"{_LABELS[name]} : il faut {_words(name, accepted)} ; ici, « {_value(facts, name).label} »"


def _value(facts: Facts, name: str) -> Word:
    value: Word = getattr(facts, name)
    return value


def _words(name: str, accepted: frozenset[Word]) -> str:
    dimension = next(dimension for dimension in DIMENSIONS if dimension.name == name)
    words = [f"« {word.label} »" for word in dimension.words if word in accepted]
    others = [f"« {word.label} »" for word in dimension.words if word not in accepted]
    if len(others) < len(words) and len(others) <= _SHOWN:
        return f"autre chose que : {', '.join(others)}"
    shown = ", ".join(words[:_SHOWN])
    return f"{shown}… ({len(words)} valeurs)" if len(words) > _SHOWN else " ou ".join(words)
