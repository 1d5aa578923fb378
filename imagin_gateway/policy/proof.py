"""Prove a table over every situation there can be, or say which situation it fails.

Proved: every possible situation has exactly one answer; every rule, alternative and
crossing answers somewhere; no pinned row is overturned. Not proved: that the pins,
the rules or the vocabulary are *right*; that is what marks and clauses are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagin_gateway.policy.diagram import NOTHING, Node, build, find
from imagin_gateway.policy.facts import CLASHES, Box, Facts, box
from imagin_gateway.policy.findings import Flaw
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.sheet import Pin, Sheet
from imagin_gateway.policy.unfolding import Entry, meet, unfold
from imagin_gateway.policy.values import Decision
from imagin_gateway.policy.vocabulary import DIMENSIONS


@dataclass(frozen=True, slots=True)
class Proved:
    """A table over the whole space: `decisions[walk(root, facts)]` is the decision."""

    root: Node
    decisions: tuple[Decision | None, ...]
    """None for what cannot be: the first ones stand for the clashes."""


def prove(sheet: Sheet, reader: Reader) -> Proved:
    """Lay the table out over every situation and note whatever fails."""
    entries = unfold(sheet, reader)
    impossible = len(CLASHES)
    root, reached = build([*(clash.box for clash in CLASHES), *(entry.box for entry in entries)])
    fired = [entries[number - impossible] for number in sorted(reached) if number >= impossible]
    hole = find(root, lambda leaf: leaf == NOTHING)
    if hole is not None:
        reader.note(Flaw.NO_ANSWER, "rules", f"aucune règle ne répond à cette situation : {_words(hole)}")
    for number, entry in enumerate(entries, impossible):
        if entry.decision is None and number in reached:
            lost = find(root, _is(number))
            rule = sheet.rules[entry.rule].id
            if lost is not None:
                reader.note(
                    Flaw.NO_DOOR, f"rules.{rule}", f"aucun accès ne convient à cette situation : {_words(lost)}"
                )
    _prove_used(sheet, reader, entries, fired, root)
    decisions = (*([None] * impossible), *(entry.decision for entry in entries))
    for pin in sheet.pins:
        _prove_pin(sheet, reader, pin, root, decisions)
    return Proved(root, decisions)


def _is(number: int) -> Callable[[int], bool]:
    return lambda leaf: leaf == number


def _words(ordinals: tuple[int, ...]) -> str:
    return facts_at(ordinals).describe()


def facts_at(ordinals: tuple[int, ...]) -> Facts:
    """Return the facts with these ordinals."""
    return Facts.parse(
        {
            dimension.name: tuple(dimension.words)[ordinal]
            for dimension, ordinal in zip(DIMENSIONS, ordinals, strict=True)
        }
    )


def _prove_used(sheet: Sheet, reader: Reader, entries: list[Entry], fired: list[Entry], root: Node) -> None:
    alive = {(entry.rule, entry.alternative) for entry in fired}
    for number, rule in enumerate(sheet.rules):
        for alternative, when in enumerate(rule.when):
            if (number, alternative) in alive:
                continue
            which = f", condition {alternative + 1}," if len(rule.when) > 1 else ""
            reader.note(
                Flaw.NEVER_FIRES,
                f"rules.{rule.id}",
                f"cette règle{which} ne répond jamais{_instead(sheet, entries, box(when), root)}",
            )
    crossed = {number for entry in fired for number in entry.crossings}
    for number, crossing in enumerate(sheet.crossings):
        if number not in crossed:
            reader.note(Flaw.NEVER_FIRES, f"crossings.{crossing.id}", "cette ligne ne corrige jamais rien")


def _instead(sheet: Sheet, entries: list[Entry], ground: Box, root: Node) -> str:
    """Say who answers in its place, by example."""
    impossible = len(CLASHES)
    example = find(root, lambda leaf: leaf >= impossible, ground) if all(ground) else None
    if example is None:
        return " : sa condition est impossible"
    leaf = root
    for ordinal in example:
        leaf = leaf[ordinal]
    first = sheet.rules[entries[leaf - impossible].rule].id
    return f" : « {first} » répond avant elle, par exemple pour : {_words(example)}"


def _prove_pin(sheet: Sheet, reader: Reader, pin: Pin, root: Node, decisions: tuple[Decision | None, ...]) -> None:
    where = f"pins.{pin.id}"
    family = sheet.family(pin.outcome)
    grounds = [(door, meet(box(pin.when), box(sheet.fits[door]))) for door in family] or [(pin.outcome, box(pin.when))]
    real = False
    for outcome, ground in grounds:
        if ground is None or not all(ground):
            continue
        real = real or find(root, lambda leaf: leaf >= 0 and decisions[leaf] is not None, ground) is not None
        example = find(root, _overturns(outcome, pin.never, decisions), ground)
        if example is None:
            continue
        leaf = root
        for ordinal in example:
            leaf = leaf[ordinal]
        given = decisions[leaf]
        told = f"« {given.outcome} » par la règle « {given.rule} »" if given else "rien"
        wish = f"jamais « {outcome} »" if pin.never else f"« {outcome} »"
        reader.note(
            Flaw.PIN_OVERTURNED,
            where,
            f"le document veut {wish} ({pin.clause}) ; la table répond {told} pour : {_words(example)}",
        )
    if not real:
        reader.note(Flaw.PIN_OVERTURNED, where, "aucune situation possible : cette épingle ne prouve rien")


def _overturns(outcome: str, never: bool, decisions: tuple[Decision | None, ...]) -> Callable[[int], bool]:
    def wanted(leaf: int) -> bool:
        decision = decisions[leaf] if leaf >= 0 else None
        if decision is None:
            return False
        if never:
            return outcome in (decision.outcome, *decision.second, *decision.then)
        return decision.outcome != outcome

    return wanted
