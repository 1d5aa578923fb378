"""The frozen values a table is made of, and those it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from imagin_gateway.identity import Activity
from imagin_gateway.policy.vocabulary import Word

ASK = "ask"
"""Outcome: the facts do not decide; one question might."""
ELSEWHERE = "elsewhere"
"""Outcome: none of this service's doors."""


class Mark(StrEnum):
    """What a line rests on."""

    DOCUMENT = "document"
    """The service's own words."""
    READING = "reading"
    """Our reading of them, to be confirmed by the service."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    fr: str
    en: str

    def get(self, lang: str) -> str:
        """Return the text in `lang`; French unless it is ``"en"``."""
        return self.en if lang == "en" else self.fr

    def __str__(self) -> str:
        return self.fr


@dataclass(frozen=True, slots=True)
class Statement(Text):
    """A text that states a fact, with what it rests on."""

    mark: Mark


@dataclass(frozen=True, slots=True)
class Clause:
    """What a rule rests on: the document's own words (`quote`), or our reading of them."""

    id: str
    mark: Mark
    text: Text
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to write to. `mail` is empty when the person alone knows (the office on the convocation)."""

    id: str
    text: Text
    mail: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One activity behind a door, in the words shown to people."""

    activity: Activity
    label: Text
    note: Text | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorInfo:
    """Everything an end page says of a door.

    Attributes:
        family: doors that differ only by académie share a family, e.g. ``"arena"``.
        family_name: name of the whole family, e.g. « Portail de votre académie »; the door's own if it has none.
        place: name put in the texts, e.g. Créteil; None for a door of its own.
        for_whom: whose door it is, for somebody who chose it alone.
        beware: what people take for this door, and is not it.
        link: where the button goes, https; `host` is shown under it.
        where: the steps to follow once there; empty if the link is enough.
        credentials: which identifiers, and how to know them.
        not_these: what they are *not*.
        recovery: what to do when they are lost; `recovery_link` is empty when it is on the door's own page.
        offers: activities, in the order of the document.
        trouble: what to do if it does not work.
        domain: e-mail domain of the académie, or "".
        serves: département numbers shown with the door, or "".
    """

    id: str
    family: str
    family_name: Text
    name: Text
    place: Text | None
    title: Text
    button: Text
    link: str
    host: str
    mark: Mark
    for_whom: tuple[Statement, ...]
    where: tuple[Statement, ...]
    beware: tuple[Statement, ...]
    credentials: tuple[Statement, ...]
    not_these: tuple[Statement, ...]
    recovery: tuple[Statement, ...]
    recovery_link: str
    offers: tuple[Offer, ...]
    trouble_title: Text
    trouble: tuple[Statement, ...]
    contact: Contact
    domain: str
    serves: str

    @property
    def activities(self) -> frozenset[Activity]:
        """What this door opens to somebody who *proved* who they are."""
        return frozenset(offer.activity for offer in self.offers)


@dataclass(frozen=True, slots=True)
class EndPage:
    """An end that is not a door: ``elsewhere``, ``several``, ``help``.

    Attributes:
        doors: those to choose from.
        instead: words of a link for whoever was sent here by mistake, or None.
        answers: the answers from which that link goes on.
    """

    id: str
    title: Text
    text: tuple[Statement, ...]
    doors: tuple[str, ...]
    instead: Text | None
    answers: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a question. An answer that tells nothing (« Je ne sais pas ») sets no fact."""

    id: str
    label: Text
    hint: Text | None
    sets: Mapping[str, Word] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Question:
    """One question, in the words shown. `id` is the name of its parameter in the query string."""

    id: str
    title: Text
    hint: Text | None
    answers: tuple[Answer, ...]

    def answer(self, name: str) -> Answer | None:
        """Return the answer of this id, or None."""
        return next((answer for answer in self.answers if answer.id == name), None)


When = Mapping[str, frozenset[Word]]
"""A condition: the values accepted in each dimension it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the table, as written. The first line that fits answers.

    Attributes:
        line: number of the line of the situation matrix it belongs to, or None.
        situation: who it is about, in a few words.
        when: alternatives; a situation fits if one of them does.
        outcome: a door, a family of doors, `ASK` or `ELSEWHERE`.
        second: second choices, in order: doors or families.
        then: for `ASK`, the doors to offer, in order, once nothing more can be asked.
        page: for `ASK`, the end page that says so.
        recover_first: the way to lost credentials comes first on the end page.
        notes: what else the person should know.
    """

    id: str
    line: int | None
    mark: Mark
    clauses: tuple[str, ...]
    situation: Text
    sentence: Text
    when: tuple[When, ...]
    outcome: str
    second: tuple[str, ...]
    then: tuple[str, ...]
    page: str
    contact: str
    recover_first: bool
    notes: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A line that cuts across the others: it corrects what they answer, where both fit.

    Attributes:
        over: outcomes it corrects (doors or families).
        outcome: what it answers instead, or None to keep it.
        add, drop: doors or families added to, or taken away from, the second choices.
    """

    id: str
    mark: Mark
    clauses: tuple[str, ...]
    situation: Text
    over: tuple[str, ...]
    when: tuple[When, ...]
    outcome: str | None
    add: tuple[str, ...]
    drop: tuple[str, ...]
    page: str
    contact: str
    recover_first: bool
    sentence: Text | None
    notes: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a situation. It chooses a door; it grants nothing.

    Attributes:
        outcome: id of a door, `ASK` or `ELSEWHERE`.
        page: id of the end page: the door's id, ``"elsewhere"``, ``"several"`` or ``"help"``.
        rule: id of the rule that answered.
        crossings: ids of the crossing lines that corrected it.
        mark: what the answer rests on.
        clauses: ids of the clauses it rests on.
        sentence: why, said to the person.
        second: doors to try next, in order.
        contact: whom to write to if it does not work.
        recover_first: the way to lost credentials comes first on the page.
        notes: what else the person should know.
        question: id of the question to ask next, when the facts do not decide and one might.
        then: for `ASK`, the doors in order once nothing more can be asked (see `settled`).
    """

    outcome: str
    page: str
    rule: str
    line: int | None
    crossings: tuple[str, ...]
    mark: Mark
    clauses: tuple[str, ...]
    sentence: Text
    second: tuple[str, ...]
    contact: Contact
    recover_first: bool
    notes: tuple[Statement, ...]
    question: str | None = None
    then: tuple[str, ...] = ()

    @property
    def door(self) -> str | None:
        """Id of the door, or None when the outcome is not a door."""
        return None if self.outcome in (ASK, ELSEWHERE) else self.outcome

    def settled(self) -> Decision:
        """Return what to answer when nothing more can be asked: the doors of `then`, in order, if there are any."""
        if self.outcome != ASK or not self.then:
            return self
        first, *others = self.then
        return replace(self, outcome=first, page=first, second=tuple(others), question=None, then=())
