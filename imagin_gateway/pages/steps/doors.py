"""Which door, told to a script: the doors, the questions, the decision with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagin_gateway.errors import Code
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Ask, Choice, Form, Link, Step, Told, Wrong
from imagin_gateway.pages.views import DoorCard, DoorView
from imagin_gateway.pages.views import Link as PageLink


class Card(msgspec.Struct, frozen=True):
    """A door among others."""

    name: str
    text: str
    href: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the answers lead there.

    Attributes:
        rule: id of the rule that answered.
        mark: what it rests on: the document, or our reading of it.
        sentence: why, said to the person.
        second: ids of the doors to try next.
    """

    rule: str
    mark: str
    sentence: str
    second: tuple[str, ...]


class Chooser(Step, tag="chooser", frozen=True, kw_only=True):
    """Every door.

    Attributes:
        over: the browser still showed the cookie of a session that has ended.
        last: the door taken last time, where the host remembers it.
    """

    portals: tuple[Card, ...]
    direct: tuple[Card, ...]
    last: Card | None
    over: bool


class Question(Step, tag="question", frozen=True, kw_only=True):
    """One question; the form is sent by GET and carries the answers before."""

    number: int


class Door(Step, tag="door", frozen=True, kw_only=True):
    """The end page of a door.

    Attributes:
        host: of the site on which the person lands.
        where: steps to follow there.
        credentials, not_these: which identifiers, and which not.
        lost: what to do when they are lost; `lost_first` when that comes first.
        offers, not_offered: what is behind the door, and what only behind another.
        trouble: what to do if it does not work.
        reason: why the answers lead here; `null` for somebody who chose the door.
    """

    host: str
    where: tuple[str, ...]
    credentials: tuple[str, ...]
    not_these: tuple[str, ...]
    lost: tuple[str, ...]
    lost_links: tuple[Link, ...]
    lost_first: bool
    offers: tuple[str, ...]
    not_offered: tuple[str, ...]
    trouble: tuple[str, ...]
    second: tuple[Link, ...]
    reason: Reason | None


class Outcome(Step, tag="outcome", frozen=True, kw_only=True):
    """The answers lead to no single door."""

    doors: tuple[Card, ...]
    reason: Reason


class Leaving(Step, tag="leaving", frozen=True, kw_only=True):
    """Where the portal stands, before one leaves for it."""

    host: str


def link(to: PageLink) -> Link:
    """Return a link of a page."""
    return Link(to.label, to.href)


def _card(door: DoorCard) -> Card:
    return Card(door.name, door.text, door.href)


def _reason(told: Any, sentence: str) -> Reason | None:
    """Return why, from a decision of the policy."""
    if told is None:
        return None
    return Reason(rule=told.rule, mark=str(told.mark), sentence=sentence, second=tuple(map(str, told.second)))


def chooser(t: Say, values: Mapping[str, Any]) -> Told:
    last = values["last"]
    return Told(
        Chooser(
            title=t("chooser.title"),
            texts=(*([t("chooser.over"), t("chooser.over_text")] if values["over"] else ()), t("chooser.lead")),
            links={"questions": Link(t("chooser.unsure_name"), values["questions_href"])},
            portals=tuple(map(_card, values["arena"])),
            direct=tuple(map(_card, values["direct"])),
            last=Card(last.name, t("chooser.last_again"), last.href) if last else None,
            over=values["over"],
        )
    )


def question(t: Say, values: Mapping[str, Any]) -> Told:
    name = values["name"]
    asked = Ask(
        name=name,
        kind="choice",
        label=values["question"],
        hint=values["hint"],
        choices=tuple(Choice(each.value, each.label, each.hint) for each in values["choices"]),
    )
    send = {**values["hidden"], "question": name}
    form = Form(method="GET", action=values["action"], send=send, ask=(asked,), submit=t("frame.continue"))
    step = Question(
        title=values["question"],
        forms={"answer": form},
        links={"back": link(values["back"])},
        number=values["number"],
    )
    if not values["wrong"]:
        return Told(step)
    missing = Wrong(Code.FIELD_MISSING.value, name, t("question.nothing"))
    return Told(step, t("question.wrong_title"), (missing,))


def door(_: Say, values: Mapping[str, Any]) -> Told:
    told: DoorView = values["door"]
    return Told(
        Door(
            title=told.title,
            texts=(told.why, *told.notes),
            links={"enter": link(told.button), "back": link(told.back)},
            host=told.host,
            where=told.where,
            credentials=told.credentials,
            not_these=told.not_these,
            lost=told.lost,
            lost_links=tuple(map(link, told.lost_links)),
            lost_first=told.lost_first,
            offers=told.offers,
            not_offered=told.not_offered,
            trouble=told.trouble,
            second=tuple(map(link, told.second)),
            reason=_reason(values.get("decision"), told.why),
        )
    )


def outcome(_: Say, values: Mapping[str, Any]) -> Told:
    links = {f"instead-{number}": link(each) for number, each in enumerate(values["links"], 1)}
    reason = _reason(values["decision"], values["texts"][0])
    return Told(
        Outcome(
            title=values["title"],
            texts=tuple(values["texts"]),
            links={**links, "back": link(values["back"])},
            doors=tuple(map(_card, values["doors"])),
            reason=reason,  # type: ignore[arg-type]  # there is a decision
        )
    )


def leaving(t: Say, values: Mapping[str, Any]) -> Told:
    portal = t.inline(values["portal_name"])
    return Told(
        Leaving(
            title=t("leaving.title", portal=portal),
            texts=(t("leaving.text", host=values["host"]), t("leaving.check")),
            links={
                "leave": Link(t("leaving.submit", portal=portal), values["portal_href"]),
                "back": Link(t("leaving.back"), values["back_href"]),
            },
            host=values["host"],
        )
    )
