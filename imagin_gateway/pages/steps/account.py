"""The account of the direct door, told to a script: password, forgotten password, address, ProConnect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from imagin_gateway.pages.steps.doors import link
from imagin_gateway.pages.steps.login import TOKEN, hidden, identifier, password
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Ask, Form, Link, Step, Told, Wrong

EMPTY = "request.field_missing"


class Password(Step, tag="password", frozen=True, kw_only=True):
    """Choosing a password; `texts` tell the rules.

    Attributes:
        mode: the first one, before anything else; another one; or in the place of a forgotten one.
        minimum: signs it must have.
        username: for password managers; "" where it is not told.
    """

    mode: Literal["first", "change", "reset"]
    minimum: int
    username: str


class PasswordDone(Step, tag="password_done", frozen=True, kw_only=True):
    """The password is chosen; nobody is signed in."""


class Forgotten(Step, tag="forgotten", frozen=True, kw_only=True):
    """Asking for a link by mail; `recovery` is for academic credentials, one an académie."""

    recovery: tuple[Link, ...]


class ForgottenSent(Step, tag="forgotten_sent", frozen=True, kw_only=True):
    """What happens next, the same for everybody: nothing tells whether there is an account."""

    recovery: tuple[Link, ...]


class Address(Step, tag="address", frozen=True, kw_only=True):
    """Asking for another mail address."""


class AddressCodes(Step, tag="address_codes", frozen=True, kw_only=True):
    """The codes that both addresses were sent."""


class AddressDone(Step, tag="address_done", frozen=True, kw_only=True):
    """The address is changed."""


class ProConnect(Step, tag="proconnect", frozen=True, kw_only=True):
    """Whether another way leads to the account.

    Attributes:
        mode: to be linked, linked, or to be confirmed.
        told: whom the other side vouches for, to be confirmed.
    """

    mode: Literal["offer", "linked", "confirm"]
    told: str


def _wrong(t: Say, values: Mapping[str, Any], **known: object) -> tuple[Wrong, ...]:
    return tuple(Wrong(each.key, each.field, t.fullest(each.key, **known, **each.params)) for each in values["errors"])


def choose_password(t: Say, values: Mapping[str, Any]) -> Told:
    mode, minimum = values["mode"], values["minimum"]
    rule = f"{t('password.rule', minimum=minimum)} {t('password.example')}"
    ask = [
        password("nouveau", t("password.new"), "new-password", rule),
        password("encore", t("password.again"), "new-password"),
    ]
    links: dict[str, Link] = {}
    if mode == "change":
        ask.insert(0, password("actuel", t("password.current")))
        links["cancel"] = Link(t("password.cancel"), values["cancel_href"])
    elif mode == "first":
        links["logout"] = Link(t("password.logout"), values["logout_href"])
    form = Form(
        action=values["action"],
        send={TOKEN: values["csrf"], **values["hidden"]},
        ask=tuple(ask),
        submit=t("password.submit"),
    )
    step = Password(
        title=t(f"password.title.{mode}"),
        texts=(*((t("password.first_lead"),) if mode == "first" else ()), rule),
        forms={"password": form},
        links=links,
        mode=mode,
        minimum=minimum,
        username=values["username"],
    )
    return Told(step, t("password.wrong_title"), _wrong(t, values, minimum=minimum))


def password_done(t: Say, values: Mapping[str, Any]) -> Told:
    mode = values["mode"]
    on = Link(t("login.submit") if mode == "reset" else t("frame.continue"), values["continue_href"])
    return Told(
        PasswordDone(
            title=t(f"password_done.{mode}.title"), texts=(t(f"password_done.{mode}.text"),), links={"continue": on}
        )
    )


def forgotten(t: Say, values: Mapping[str, Any]) -> Told:
    form = Form(
        action=values["action"],
        send=hidden(values),
        ask=(identifier(t, values["identifier"]),),
        submit=t("forgotten.submit"),
    )
    step = Forgotten(
        title=t("forgotten.title"),
        texts=(t("forgotten.lead"), t("forgotten.lost_letter_text", contact=t.contact), t("forgotten.academic_text")),
        forms={"forgotten": form},
        links={"chooser": Link(t("frame.choose_another"), values["chooser_href"])},
        recovery=tuple(map(link, values["recovery"])),
    )
    wrong = (Wrong(EMPTY, "identifiant", t("login.empty_identifier")),) if values["empty"] else ()
    return Told(step, t("forgotten.wrong_title"), wrong)


def forgotten_sent(t: Say, values: Mapping[str, Any]) -> Told:
    text = t("forgotten_sent.text", duration=t.spoken.duration(t.reset_minutes))
    nothing = [t("forgotten_sent.nothing_junk"), t("forgotten_sent.nothing_contact", contact=t.contact)]
    return Told(
        ForgottenSent(
            title=t("forgotten_sent.title"),
            texts=(t("forgotten_sent.strong"), text, *nothing),
            links={"again": Link(t("forgotten_sent.nothing_again"), values["again_href"])},
            recovery=tuple(map(link, values["recovery"])),
        )
    )


def address(t: Say, values: Mapping[str, Any]) -> Told:
    mail = Ask(
        name="courriel",
        kind="email",
        label=t("address.new"),
        hint=t("address.new_hint"),
        autocomplete="email",
        value=values["email"],
    )
    form = Form(
        action=values["action"],
        send=hidden(values),
        ask=(mail, password("actuel", t("password.current"))),
        submit=t("address.submit"),
    )
    step = Address(
        title=t("address.title"),
        texts=(t("address.lead"), t("address.lost", contact=t.contact)),
        forms={"address": form},
        links={"cancel": Link(t("password.cancel"), values["cancel_href"])},
    )
    return Told(step, t("address.wrong_title"), _wrong(t, values))


def address_codes(t: Say, values: Mapping[str, Any]) -> Told:
    names = {"code": "address_codes.new", **({"code-actuel": "address_codes.former"} if values["two"] else {})}
    ask = tuple(
        Ask(name=name, kind="digits", label=t(key), hint=t("address_codes.hint"), autocomplete="one-time-code")
        for name, key in names.items()
    )
    step = AddressCodes(
        title=t("address_codes.title"),
        texts=(t("address_codes.lead_two" if values["two"] else "address_codes.lead"),),
        forms={"codes": Form(action=values["action"], send=hidden(values), ask=ask, submit=t("address_codes.submit"))},
        links={
            "again": Link(t("address_codes.nothing_again"), values["again_href"]),
            "cancel": Link(t("password.cancel"), values["cancel_href"]),
        },
    )
    return Told(step, t("address_codes.wrong_title"), _wrong(t, values))


def address_done(t: Say, values: Mapping[str, Any]) -> Told:
    on = Link(t("frame.continue"), values["continue_href"])
    texts = (t("address_done.text"), t("address_done.office"))
    return Told(AddressDone(title=t("address_done.title"), texts=texts, links={"continue": on}))


def proconnect(t: Say, values: Mapping[str, Any]) -> Told:
    mode = values["mode"]
    form = Form(action=values["action"], send=hidden(values), submit=t(f"proconnect.{mode}.submit"))
    return Told(
        ProConnect(
            title=t(f"proconnect.{mode}.title"),
            texts=(t(f"proconnect.{mode}.text"),),
            forms={"proconnect": form},
            links={"back": Link(t("proconnect.back"), values["back_href"])},
            mode=mode,
            told=values["told"],
        )
    )
