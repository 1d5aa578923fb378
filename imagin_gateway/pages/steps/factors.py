"""The second factors of one's own account, told to a script: shown, added, taken away; recovery codes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from imagin_gateway.pages.steps.login import factor_wrong, hidden, passkey
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Ask, Form, Link, Step, Told


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
