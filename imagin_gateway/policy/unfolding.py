"""Unfold rules into entries: one per alternative, per door of a family, per set of crossings.

An entry is a box of situations and the whole decision for it. Entries are ordered;
the first box a situation lies in answers. Nothing here is proved yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from operator import and_

from imagin_gateway.policy.facts import Box, box
from imagin_gateway.policy.reader import Reader
from imagin_gateway.policy.sheet import Sheet
from imagin_gateway.policy.values import ASK, ELSEWHERE, Crossing, Decision, Rule, Statement, Text


@dataclass(frozen=True, slots=True)
class Entry:
    """A box of situations and its decision; `decision` is None where no door of the family fits."""

    box: Box
    decision: Decision | None
    rule: int
    alternative: int
    crossings: tuple[int, ...] = ()


def meet(one: Box, other: Box) -> Box | None:
    """Return what two boxes have in common, or None if that is nothing."""
    both = tuple(map(and_, one, other))
    return both if all(both) else None


def unfold(sheet: Sheet, reader: Reader) -> list[Entry]:
    """Return every entry of the table, in order."""
    entries: list[Entry] = []
    crossings = [[box(when) for when in crossing.when] for crossing in sheet.crossings]
    for number, rule in enumerate(sheet.rules):
        families = sorted({name for name in (rule.outcome, *rule.second, *rule.then) if sheet.family(name)})
        for alternative, when in enumerate(rule.when):
            for doors in product(*(sheet.family(name) for name in families)):
                ground: Box | None = box(when)
                for door in doors:
                    ground = ground and meet(ground, box(sheet.fits[door]))
                if ground is None:
                    continue
                decision = _decision(sheet, reader, rule, dict(zip(families, doors, strict=True)))
                entry = Entry(ground, decision, number, alternative)
                entries += _crossed(sheet, reader, entry, crossings, 0)
            if families:
                entries.append(Entry(box(when), None, number, alternative))
    return entries


def _decision(sheet: Sheet, reader: Reader, rule: Rule, doors: dict[str, str]) -> Decision:
    def door(name: str) -> str:
        return doors.get(name, name)

    outcome = door(rule.outcome)
    place = next((known for name in doors.values() if (known := sheet.doors[name].place) is not None), None)
    contact = sheet.contacts[rule.contact or next(iter(sheet.contacts))]
    values = {"contact": Text(contact.mail, contact.mail), **({"place": place} if place else {})}
    return Decision(
        outcome=outcome,
        page={ASK: rule.page, ELSEWHERE: ELSEWHERE}.get(outcome, outcome),
        rule=rule.id,
        line=rule.line,
        crossings=(),
        mark=rule.mark,
        clauses=rule.clauses,
        sentence=reader.fill(rule.sentence, values, f"rules.{rule.id}.sentence"),
        second=tuple(door(name) for name in rule.second),
        contact=contact,
        recover_first=rule.recover_first,
        notes=tuple(_note(reader, note, values, f"rules.{rule.id}.notes") for note in rule.notes),
        then=tuple(door(name) for name in rule.then),
    )


def _note(reader: Reader, note: Statement, values: dict[str, Text], where: str) -> Statement:
    filled = reader.fill(note, values, where)
    return Statement(filled.fr, filled.en, note.mark)


def _crossed(sheet: Sheet, reader: Reader, entry: Entry, crossings: list[list[Box]], first: int) -> Iterator[Entry]:
    """Yield the entry once for every set of crossings that may correct it, most corrected first."""
    for number in range(first, len(crossings)):
        crossing, decision = sheet.crossings[number], entry.decision
        if decision is None or not sheet.covers(crossing.over, decision.outcome):
            continue
        for ground in crossings[number]:
            both = meet(entry.box, ground)
            corrected = _correct(sheet, reader, crossing, decision)
            if both is not None and corrected != replace(decision, crossings=corrected.crossings):
                step = replace(entry, box=both, decision=corrected, crossings=(*entry.crossings, number))
                yield from _crossed(sheet, reader, step, crossings, number + 1)
    yield entry


def _correct(sheet: Sheet, reader: Reader, crossing: Crossing, decision: Decision) -> Decision:
    contact = sheet.contacts[crossing.contact] if crossing.contact else decision.contact
    values = {"contact": Text(contact.mail, contact.mail)}
    where = f"crossings.{crossing.id}"
    dropped = {door for name in crossing.drop for door in (name, *sheet.family(name))}
    second = [door for door in (*decision.second, *crossing.add) if door not in dropped]
    changes = crossing.outcome is not None and crossing.outcome != decision.outcome
    outcome = crossing.outcome or decision.outcome
    return replace(
        decision,
        outcome=outcome,
        page={ASK: crossing.page, ELSEWHERE: ELSEWHERE}.get(outcome, outcome) if changes else decision.page,
        crossings=(*decision.crossings, crossing.id),
        mark=crossing.mark if changes else decision.mark,
        clauses=crossing.clauses if changes else decision.clauses,
        sentence=reader.fill(crossing.sentence, values, f"{where}.sentence")
        if crossing.sentence
        else decision.sentence,
        second=tuple(dict.fromkeys(second)),
        then=tuple(door for door in decision.then if door not in dropped),
        contact=contact,
        recover_first=decision.recover_first or crossing.recover_first,
        notes=(*decision.notes, *(_note(reader, note, values, f"{where}.notes") for note in crossing.notes)),
    )
