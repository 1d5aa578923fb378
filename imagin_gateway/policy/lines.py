"""Read the lines of a table: questions, rules, crossings and pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from imagin_gateway.policy.findings import Flaw
from imagin_gateway.policy.reader import Raw, Reader
from imagin_gateway.policy.sheet import PAGES, Hint, Pin
from imagin_gateway.policy.values import ASK, ELSEWHERE, Answer, Clause, Contact, Crossing, Mark, Question, Rule


@dataclass(frozen=True, slots=True)
class Names:
    """What a line may name."""

    targets: set[str]
    contacts: Mapping[str, Contact]
    clauses: Mapping[str, Clause]


def read_question(reader: Reader, raw: Any, hints: list[Hint]) -> Question:
    """Read a question; hints that hold only in some situations are added to `hints`."""
    where = f"questions.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(raw, where, needs="id title answers", may="hint hints")
    name = reader.string(piece, "id", where)
    for number, item in enumerate(reader.tables(piece, "hints", where), 1):
        place = f"{where}.hints[{number}]"
        hint = reader.keys(item, place, needs="when", may="fr en")
        hints.append(
            Hint(name, reader.when(hint.get("when", {}), place), reader.fill(reader.text(hint, place), {}, place))
        )
    answers = tuple(_answer(reader, item, where) for item in reader.listed(piece, "answers"))
    if len(answers) < 2:
        reader.note(Flaw.SHAPE, where, "une question a deux réponses au moins")
    hint_text = reader.said_at(piece, "hint", where) if "hint" in piece else None
    return Question(name, reader.said_at(piece, "title", where), hint_text, answers)


def _answer(reader: Reader, raw: Any, where: str) -> Answer:
    piece = reader.keys(raw, f"{where}.answers", needs="id label sets", may="hint")
    told = reader.string(piece, "id", where)
    place = f"{where}.answers.{told}"
    sets = {}
    for name, words in reader.when(piece.get("sets", {}), place).items():
        if len(words) != 1:
            reader.note(Flaw.SHAPE, f"{place}.{name}", "une réponse dit une seule valeur")
        else:
            (sets[name],) = words
    hint = reader.said_at(piece, "hint", place) if "hint" in piece else None
    return Answer(told, reader.said_at(piece, "label", place), hint, MappingProxyType(sets))


def _rests_on(reader: Reader, piece: Raw, where: str, names: Names) -> tuple[Mark, tuple[str, ...]]:
    mark = reader.mark(piece, where)
    clauses = reader.names(piece, "clauses", where, names.clauses)
    if not clauses:
        reader.note(Flaw.MARK, where, "il faut dire sur quelle clause repose cette ligne")
    for clause in clauses:
        known = names.clauses.get(clause)
        if mark is Mark.DOCUMENT and known is not None and known.mark is not Mark.DOCUMENT:
            reader.note(Flaw.MARK, where, f"marquée « document », cette ligne repose sur une lecture (« {clause} »)")
    return mark, clauses


def _outcome(reader: Reader, piece: Raw, where: str, names: Names) -> str:
    outcome = reader.string(piece, "door", where)
    if outcome not in names.targets | {ASK, ELSEWHERE}:
        reader.note(Flaw.UNKNOWN_NAME, f"{where}.door", f"« {outcome} » n’existe pas")
    return outcome


def _contact_id(reader: Reader, piece: Raw, where: str, names: Names) -> str:
    contact = reader.string(piece, "contact", where)
    if contact and contact not in names.contacts:
        reader.note(Flaw.UNKNOWN_NAME, f"{where}.contact", f"« {contact} » n’existe pas")
    return contact


def _end_page(reader: Reader, piece: Raw, where: str) -> str:
    page = reader.string(piece, "page", where, "help")
    if page not in PAGES:
        reader.note(Flaw.UNKNOWN_NAME, f"{where}.page", f"« {page} » n’existe pas")
    return page


def read_rule(reader: Reader, raw: Any, names: Names) -> Rule:
    """Read a rule."""
    where = f"rules.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(
        raw,
        where,
        needs="id mark clauses situation when door sentence",
        may="line second then page contact recover_first notes",
    )
    mark, clauses = _rests_on(reader, piece, where, names)
    return Rule(
        id=reader.string(piece, "id", where),
        line=reader.number(piece, "line", where),
        mark=mark,
        clauses=clauses,
        situation=reader.said_at(piece, "situation", where),
        sentence=reader.text_at(piece, "sentence", where),
        when=reader.alternatives(piece, where),
        outcome=_outcome(reader, piece, where, names),
        second=reader.names(piece, "second", where, names.targets),
        then=reader.names(piece, "then", where, names.targets),
        page=_end_page(reader, piece, where),
        contact=_contact_id(reader, piece, where, names),
        recover_first=reader.flag(piece, "recover_first", where),
        notes=reader.statements(piece, "notes", where),
    )


def read_crossing(reader: Reader, raw: Any, names: Names) -> Crossing:
    """Read a crossing."""
    where = f"crossings.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(
        raw,
        where,
        needs="id mark clauses situation over when",
        may="door add drop page contact recover_first sentence notes",
    )
    mark, clauses = _rests_on(reader, piece, where, names)
    return Crossing(
        id=reader.string(piece, "id", where),
        mark=mark,
        clauses=clauses,
        situation=reader.said_at(piece, "situation", where),
        over=reader.names(piece, "over", where, names.targets | {ASK, ELSEWHERE}),
        when=reader.alternatives(piece, where),
        outcome=_outcome(reader, piece, where, names) if "door" in piece else None,
        add=reader.names(piece, "add", where, names.targets),
        drop=reader.names(piece, "drop", where, names.targets),
        page=_end_page(reader, piece, where),
        contact=_contact_id(reader, piece, where, names),
        recover_first=reader.flag(piece, "recover_first", where),
        sentence=reader.text_at(piece, "sentence", where) if "sentence" in piece else None,
        notes=reader.statements(piece, "notes", where),
    )


def read_pin(reader: Reader, raw: Any, names: Names) -> Pin:
    """Read a pin."""
    where = f"pins.{raw.get('id', '?') if isinstance(raw, dict) else '?'}"
    piece = reader.keys(raw, where, needs="id clause when", may="door never")
    if ("door" in piece) is ("never" in piece):
        reader.note(Flaw.SHAPE, where, "il faut « door » ou « never », l’un des deux")
    clause = reader.string(piece, "clause", where)
    known = names.clauses.get(clause)
    if known is None:
        reader.note(Flaw.UNKNOWN_NAME, f"{where}.clause", f"« {clause} » n’existe pas")
    elif known.mark is not Mark.DOCUMENT:
        reader.note(Flaw.MARK, where, "seuls les mots du document peuvent être épinglés")
    never = "never" in piece
    outcome = reader.string(piece, "never" if never else "door", where)
    if outcome not in names.targets | {ASK, ELSEWHERE}:
        reader.note(Flaw.UNKNOWN_NAME, where, f"« {outcome} » n’existe pas")
    return Pin(reader.string(piece, "id", where), clause, reader.when(piece.get("when", {}), where), outcome, never)
