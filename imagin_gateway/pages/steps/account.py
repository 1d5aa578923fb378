"""The account of the direct door, told to a script: password, forgotten password, address, second factors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from imagin_gateway.pages.steps.doors import link
from imagin_gateway.pages.steps.login import TOKEN, factor_wrong, hidden, identifier, passkey, password
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


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One second factor, or one trusted computer; its form takes it away.

    Attributes:
        name: of the passkey or computer; "" for the application.
        added_at: when.
        used_at: when last, if it was.
        ends_at: of a trusted computer.
        form: name of its form in `forms`.
    """

    name: str
    added_at: datetime
    used_at: datetime | None = None
    ends_at: datetime | None = None
    form: str


class Security(Step, tag="security", frozen=True, kw_only=True):
    """Second factors of one's own account.

    Attributes:
        due: nothing else can be done before one is added.
    """

    due: bool
    required: bool
    application: Held | None
    passkeys: tuple[Held, ...]
    computers: tuple[Held, ...]
    recovery_left: int


class TotpAdd(Step, tag="totp_add", frozen=True, kw_only=True):
    """Adding an application that makes codes: the one place where its secret is shown.

    Attributes:
        secret: in groups, to be typed into the application (Base32, RFC 6238; six digits, thirty seconds, SHA-1).
    """

    secret: tuple[str, ...]
    replaces: bool


class PasskeyAdd(Step, tag="passkey_add", frozen=True, kw_only=True):
    """Adding a passkey."""


class RecoveryCodes(Step, tag="recovery_codes", frozen=True, kw_only=True):
    """Recovery codes: shown this once; empty where it is asked first whether to make new ones."""

    codes: tuple[str, ...]
    recovery_left: int


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


def security(t: Say, values: Mapping[str, Any]) -> Told:
    due, forms = values["due"], dict[str, Form]()

    def taking(name: str, submit: str, **more: str) -> str:
        forms[name] = Form(action=values["action"], send=hidden(values, **more), submit=submit)
        return name

    totp = values["application"]
    application = totp and Held(
        name="",
        added_at=totp.added_at,
        used_at=totp.used_at,
        form=taking("remove-application", t("security.remove_application"), retirer="totp"),
    )
    passkeys = tuple(
        Held(
            name=each.name,
            added_at=each.added_at,
            used_at=each.used_at,
            form=taking(f"remove-passkey-{number}", t("security.remove"), retirer=each.handle),
        )
        for number, each in enumerate(values["passkeys"], 1)
    )
    computers = tuple(
        Held(
            name=each.device,
            added_at=each.since,
            ends_at=each.ends_at,
            form=taking(f"forget-computer-{number}", t("security.forget"), oublier=each.handle),
        )
        for number, each in enumerate(values["computers"], 1)
    )
    add = "security.application_replace" if totp else "security.application_add"
    back = Link(t("security.logout"), values["logout_href"]) if due else Link(t("security.back"), values["back_href"])
    links = {
        "application": Link(t(add), values["application_href"]),
        "passkey": Link(t("security.passkey_add"), values["passkey_href"]),
        "logout" if due else "back": back,
    }
    if totp or passkeys:
        links["codes"] = Link(t("security.codes_new"), values["codes_href"])
    step = Security(
        title=t("security.due_title" if due else "security.title"),
        texts=(t("security.due_text" if due else "security.text"), t("security.lost", contact=t.contact)),
        forms=forms,
        links=links,
        due=due,
        required=values["required"],
        application=application,
        passkeys=passkeys,
        computers=computers,
        recovery_left=values["recovery_left"],
    )
    return Told(step, t("factor.not_removed"), factor_wrong(t, values["refused"], None))


def totp_add(t: Say, values: Mapping[str, Any]) -> Told:
    code = Ask(
        name="code",
        kind="digits",
        label=t("totp_add.code"),
        hint=t("totp_add.code_hint"),
        autocomplete="one-time-code",
    )
    form = Form(action=values["action"], send=hidden(values, "next"), ask=(code,), submit=t("totp_add.submit"))
    first = (t("totp_add.replaces"),) if values["replaces"] else ()
    step = TotpAdd(
        title=t("totp_add.title"),
        texts=(*first, t("totp_add.step1"), t("totp_add.step2"), t("totp_add.step3"), t("totp_add.secret_text")),
        forms={"application": form},
        links={"cancel": Link(t("totp_add.cancel"), values["cancel_href"])},
        secret=tuple(values["groups"]),
        replaces=values["replaces"],
    )
    return Told(step, t("factor.not_added"), factor_wrong(t, values["refused"], "code", values["minutes"]))


def passkey_add(t: Say, values: Mapping[str, Any]) -> Told:
    name = Ask(
        name="nom",
        kind="text",
        label=t("passkey_add.name"),
        hint=t("passkey_add.name_hint"),
        value=values["name"],
        required=False,
    )
    form = Form(
        action=values["action"],
        send=hidden(values, "next"),
        ask=(name, passkey(values, t("passkey_add.submit"))),
        submit=t("passkey_add.submit"),
    )
    step = PasskeyAdd(
        title=t("passkey_add.title"),
        texts=(t("passkey_add.text"),),
        forms={"passkey": form},
        links={
            "application": Link(t("passkey_add.application"), values["application_href"]),
            "cancel": Link(t("totp_add.cancel"), values["cancel_href"]),
        },
    )
    return Told(step, t("factor.not_added"), factor_wrong(t, values["refused"], None))


def recovery_codes(t: Say, values: Mapping[str, Any]) -> Told:
    codes, forms = tuple(values["codes"]), dict[str, Form]()
    texts: tuple[str, ...]
    if codes:
        texts = (t("recovery_codes.text"), t("recovery_codes.use"))
        on = Link(t("recovery_codes.continue"), values["continue_href"])
    else:
        texts = (t("recovery_codes.ask_left", count=values["recovery_left"]),)
        on = Link(t("recovery_codes.cancel"), values["continue_href"])
        submit = t("recovery_codes.ask_submit")
        forms["codes"] = Form(action=values["action"], send=hidden(values), submit=submit)
    return Told(
        RecoveryCodes(
            title=t("recovery_codes.title" if codes else "recovery_codes.ask_title"),
            texts=texts,
            forms=forms,
            links={"continue": on},
            codes=codes,
            recovery_left=values["recovery_left"],
        )
    )


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
