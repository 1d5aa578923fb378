"""The session, told to a script: who, until when, staying on; and all those of one's account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from imagin_gateway.pages.steps.login import TOKEN, hidden
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Form, Link, Step, Told


class Extend(msgspec.Struct, frozen=True):
    """Where to stay on, and what to send there: the form `extend` in short."""

    path: str
    fields: dict[str, str]


class Words(msgspec.Struct, frozen=True):
    """What to say before the session ends, and after."""

    title: str
    text: str
    stay: str
    logout: str
    over: str
    login: str


class Session(msgspec.Struct, frozen=True, kw_only=True, tag_field="step", tag="session"):
    """The session of this browser. Asking prolongs nothing.

    Attributes:
        title: heading.
        name: of the person.
        door: id of the door that opened it.
        door_name: what people call that door.
        since: when.
        seconds_left: until it ends, if nobody does anything.
        ends_at: the end that nothing moves.
        can_extend: staying on moves the nearer end.
        warn_before: seconds before the end at which to warn.
        extend: where to stay on.
        logout, login: paths of these steps.
        texts: what to say before the end.
        forms: `extend`, while there is something to extend.
        links: by a stable name.
    """

    title: str
    name: str
    door: str
    door_name: str
    since: datetime
    seconds_left: int
    ends_at: datetime
    can_extend: bool
    warn_before: int
    extend: Extend
    logout: str
    login: str
    texts: Words
    forms: dict[str, Form]
    links: dict[str, Link]


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """One session of the person.

    Attributes:
        here: it is the one that asks.
        device: "" when it is not known.
        form: name of the form that ends it; of this one, the link `logout` does.
    """

    here: bool
    device: str
    address: str
    door_name: str
    since: datetime
    seen: datetime
    form: str | None


class Sessions(Step, tag="sessions", frozen=True, kw_only=True):
    """Every session of the person; the forms `end-others` and `end-all` end more than one.

    Attributes:
        ended: some were, just now.
    """

    sessions: tuple[Open, ...]
    ended: bool


_LINKS = {
    "all": ("others_href", "session.others"),
    "password": ("password_href", "session.password"),
    "security": ("security_href", "session.security"),
    "address": ("address_href", "session.address"),
    "proconnect": ("proconnect_href", "session.proconnect"),
    "logout": ("logout_href", "session.end_now"),
    "continue": ("continue_href", "session.back"),
}


def session(t: Say, values: Mapping[str, Any]) -> Session:
    """Return what a script of the same site may know: no more than the page shows, and the words to show it with."""
    last = values["idle_ends"] >= values["ends"]
    hour = t.spoken.hour(values["idle_ends"])
    fields = {TOKEN: values["csrf"]}
    stay = Form(action=values["action"], send=fields, submit=t("session.stay"))
    return Session(
        title=t("session.title"),
        name=values["name"],
        door=values["door"],
        door_name=values["door_name"],
        since=values["since"],
        seconds_left=values["seconds_left"],
        ends_at=values["ends"],
        can_extend=not last,
        warn_before=values["warn_before"],
        extend=Extend(values["action"], fields),
        logout=values["logout_href"],
        login=values["login_href"],
        texts=Words(
            title=t("session.soon"),
            text=t("session.last" if last else "session.soon_text", hour=hour),
            stay=t("session.stay"),
            logout=t("session.end_now"),
            over=t("session.over"),
            login=t("session.login"),
        ),
        forms={} if last else {"extend": stay},
        links={name: Link(t(key), values[href]) for name, (href, key) in _LINKS.items() if values[href]},
    )


def sessions(t: Say, values: Mapping[str, Any]) -> Told:
    forms: dict[str, Form] = {}

    def ending(name: str, submit: str, which: str) -> str:
        forms[name] = Form(action=values["action"], send=hidden(values, fin=which), submit=submit)
        return name

    shown = tuple(
        Open(
            here=each.here,
            device=each.device,
            address=each.address,
            door_name=each.door_name,
            since=each.since,
            seen=each.seen,
            form=None if each.here else ending(f"end-{number}", t("sessions.end"), each.handle),
        )
        for number, each in enumerate(values["sessions"], 1)
    )
    if len(shown) > 1:
        ending("end-others", t("sessions.end_others"), "autres")
    ending("end-all", t("sessions.end_all"), "toutes")
    texts = (*((t("sessions.ended"),) if values["ended"] else ()), t("sessions.text"))
    return Told(
        Sessions(
            title=t("sessions.title"),
            texts=(*texts, t("sessions.doubt", contact=t.contact)),
            forms=forms,
            links={
                "back": Link(t("sessions.back"), values["back_href"]),
                "logout": Link(t("sessions.end_here"), values["logout_href"]),
            },
            sessions=shown,
            ended=values["ended"],
        )
    )
