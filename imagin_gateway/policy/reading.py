"""Read a table: contacts, clauses, doors and end pages here, its lines in `lines`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from imagin_gateway.identity import Activity
from imagin_gateway.policy.findings import Flaw
from imagin_gateway.policy.lines import Names, read_crossing, read_pin, read_question, read_rule
from imagin_gateway.policy.reader import Raw, Reader
from imagin_gateway.policy.sheet import MOST_QUESTIONS, PAGES, Hint, Sheet
from imagin_gateway.policy.values import (
    Clause,
    Contact,
    DoorInfo,
    EndPage,
    Mark,
    Offer,
    Question,
    Statement,
    Text,
    When,
)

_MAIL = re.compile(r"[^\s@<>,;:\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")

_IN_NO_LINK = re.compile(r"[\s\"<>\\^`{|}]")
"""Signs that an address holds encoded (RFC 3986, §2)."""


def read_sheet(raw: Raw, reader: Reader) -> Sheet:
    """Read a table; whatever is wrong is noted by `reader`."""
    reader.keys(
        raw,
        "table",
        needs="format name title max_questions contacts clauses doors pages questions rules",
        may="groups families crossings pins",
    )
    if raw.get("format") != 1:
        reader.note(Flaw.SHAPE, "format", "ce format n’est pas connu ; le seul est 1")
    for dimension, groups in _tables(reader, raw, "groups"):
        for name, values in groups.items() if isinstance(groups, dict) else ():
            reader.group(dimension, name, values)
    contacts = {name: _contact(reader, name, item) for name, item in _tables(reader, raw, "contacts")}
    clauses = {name: _clause(reader, name, item) for name, item in _tables(reader, raw, "clauses")}
    families = dict(_tables(reader, raw, "families"))
    doors: dict[str, DoorInfo] = {}
    fits: dict[str, When] = {}
    for name, item in _tables(reader, raw, "doors"):
        doors[name] = _door(reader, name, item, families, contacts)
        if isinstance(item, dict) and "for" in item:
            fits[name] = reader.when(item["for"], f"doors.{name}.for")
    pages = {name: _page(reader, name, item, doors, contacts) for name, item in _tables(reader, raw, "pages")}
    for name in PAGES:
        if name not in pages:
            reader.note(Flaw.SHAPE, "pages", f"il manque la page « {name} »")
    targets = {*doors, *(doors[name].family for name in fits)}
    hints: list[Hint] = []
    questions = tuple(read_question(reader, item, hints) for item in reader.listed(raw, "questions"))
    _check_answers(reader, pages, questions)
    if len(questions) > MOST_QUESTIONS:
        reader.note(Flaw.SHAPE, "questions", f"{MOST_QUESTIONS} questions au plus")
    names = Names(targets, contacts, clauses)
    return Sheet(
        name=reader.string(raw, "name", "table"),
        title=reader.said_at(raw, "title", "table"),
        max_questions=reader.number(raw, "max_questions", "table") or 1,
        contacts=contacts,
        clauses=clauses,
        doors=doors,
        fits=fits,
        pages=pages,
        questions=questions,
        hints=tuple(hints),
        rules=tuple(read_rule(reader, item, names) for item in reader.listed(raw, "rules")),
        crossings=tuple(read_crossing(reader, item, names) for item in reader.listed(raw, "crossings")),
        pins=tuple(read_pin(reader, item, names) for item in reader.listed(raw, "pins")),
    )


def _tables(reader: Reader, raw: Raw, key: str) -> Iterable[tuple[str, Any]]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        reader.note(Flaw.SHAPE, key, "une table est attendue")
        return ()
    return value.items()


def _contact(reader: Reader, name: str, raw: Any) -> Contact:
    where = f"contacts.{name}"
    piece = reader.keys(raw, where, needs="mail", may="fr en")
    mail = reader.string(piece, "mail", where)
    if mail and not _MAIL.fullmatch(mail):
        reader.note(Flaw.SHAPE, f"{where}.mail", "une adresse électronique est attendue, ou rien")
    return Contact(name, reader.fill(reader.text(piece, where), {}, where), mail)


def _clause(reader: Reader, name: str, raw: Any) -> Clause:
    where = f"clauses.{name}"
    piece = reader.keys(raw, where, needs="mark", may="quote fr en")
    clause = Clause(name, reader.mark(piece, where), reader.text(piece, where), reader.string(piece, "quote", where))
    if clause.mark is Mark.DOCUMENT and not clause.quote:
        reader.note(Flaw.MARK, where, "une clause du document cite ses mots (« quote »)")
    return clause


def _told(contact: Contact | None) -> Text:
    mail = contact.mail if contact else ""
    return Text(mail, mail)


def _fill_all(reader: Reader, told: tuple[Statement, ...], values: Mapping[str, Text], where: str) -> tuple[Any, ...]:
    return tuple(reader.fill(statement, values, where) for statement in told)


_DOOR_KEYS = (
    "family label for place serves domain link recovery_link recovery name title button mark contact "
    "for_whom where beware credentials not_these trouble_title trouble offers"
)


def _host(link: str) -> str:
    """Return the host of a link in https that a browser follows as it is written, or ""."""
    try:
        parts = urlsplit(link)
        # Read for what it refuses: a port that is none.
        right = parts.scheme == "https" and parts.username is None and parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if right and link.isprintable() and not _IN_NO_LINK.search(link) else ""


def _door(reader: Reader, name: str, raw: Any, families: Raw, contacts: Mapping[str, Contact]) -> DoorInfo:
    where = f"doors.{name}"
    own = reader.keys(raw, where, may=_DOOR_KEYS)
    family = reader.string(own, "family", where, name)
    if family != name and family not in families:
        reader.note(Flaw.UNKNOWN_NAME, where, f"la famille « {family} » n’existe pas")
    shared = reader.keys(families.get(family, {}), f"families.{family}", may=_DOOR_KEYS)
    piece = {**shared, **own}
    place = reader.text_at(piece, "place", where) if "place" in piece else None
    link = reader.string(piece, "link", where)
    recovery_link = reader.string(piece, "recovery_link", where)
    for key, value in (("link", link), ("recovery_link", recovery_link)):
        if (value or key == "link") and not _host(value):
            reader.note(Flaw.NO_LINK, f"{where}.{key}", "il faut un lien en https")
    contact_id = reader.string(piece, "contact", where)
    if contact_id not in contacts:
        reader.note(Flaw.UNKNOWN_NAME, f"{where}.contact", f"« {contact_id} » n’existe pas")
    contact = contacts.get(contact_id, Contact("", Text("", ""), ""))
    host, recovery = _host(link), recovery_link.removeprefix("https://")
    values = {"host": Text(host, host), "recovery": Text(recovery, recovery), "contact": _told(contact)}
    if place is not None:
        values["place"] = place

    def words(key: str) -> Text:
        return reader.fill(reader.text_at(piece, key, where), values, f"{where}.{key}")

    def told(key: str) -> tuple[Statement, ...]:
        return _fill_all(reader, reader.statements(piece, key, where), values, f"{where}.{key}")

    return DoorInfo(
        id=name,
        family=family,
        family_name=words("label" if "label" in piece else "name"),
        name=words("name"),
        place=place,
        title=words("title"),
        button=words("button"),
        link=link,
        host=host,
        mark=reader.mark(piece, where),
        for_whom=told("for_whom"),
        where=told("where"),
        beware=told("beware"),
        credentials=told("credentials"),
        not_these=told("not_these"),
        recovery=told("recovery"),
        recovery_link=recovery_link,
        offers=tuple(_offer(reader, item, where) for item in reader.tables(piece, "offers", where)),
        trouble_title=words("trouble_title"),
        trouble=told("trouble"),
        contact=contact,
        domain=reader.string(piece, "domain", where),
        serves=reader.string(piece, "serves", where),
    )


def _offer(reader: Reader, raw: Any, where: str) -> Offer:
    place = f"{where}.offers"
    piece = reader.keys(raw, place, needs="activity", may="fr en note")
    note = reader.said_at(piece, "note", place) if "note" in piece else None
    try:
        activity = Activity(piece.get("activity", ""))
    except ValueError:
        reader.note(Flaw.UNKNOWN_NAME, place, "cette activité n’existe pas")
        activity = Activity.MARKING
    return Offer(activity, reader.fill(reader.text(piece, place), {}, place), note)


def _page(reader: Reader, name: str, raw: Any, doors: Raw, contacts: Mapping[str, Contact]) -> EndPage:
    where = f"pages.{name}"
    piece = reader.keys(raw, where, needs="title text", may="doors instead answers")
    mail = next((contact for contact in contacts.values() if contact.mail), None)
    text = _fill_all(reader, reader.statements(piece, "text", where), {"contact": _told(mail)}, where)
    return EndPage(
        id=name,
        title=reader.said_at(piece, "title", where),
        text=text,
        doors=reader.names(piece, "doors", where, doors),
        instead=reader.said_at(piece, "instead", where) if "instead" in piece else None,
        answers=_answers(reader, piece.get("answers", {}), f"{where}.answers"),
    )


def _answers(reader: Reader, raw: Any, where: str) -> Mapping[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        reader.note(Flaw.SHAPE, where, "une table de réponses est attendue")
        return {}
    return MappingProxyType(dict(raw))


def _check_answers(reader: Reader, pages: Mapping[str, EndPage], questions: tuple[Question, ...]) -> None:
    """Note a link of an end page that goes on from answers nobody can give."""
    known = {question.id: question for question in questions}
    for page in pages.values():
        for asked, answer in page.answers.items():
            if asked not in known or known[asked].answer(answer) is None:
                reader.note(Flaw.UNKNOWN_NAME, f"pages.{page.id}.answers", f"« {asked} = {answer} » n’existe pas")
