"""The direct door, told to a script: identifier and password, the second step, a passkey, a new proof, the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from imagin_gateway.errors import Code
from imagin_gateway.pages.steps.say import Say
from imagin_gateway.pages.steps.shape import Ask, Choice, Form, Link, Step, Told, Wrong

TOKEN = "formulaire"
"""Field of every form that shows that the form is ours."""


class Login(Step, tag="login", frozen=True, kw_only=True):
    """Identifier and password of the convocation."""

    help: tuple[str, ...]


class SecondStep(Step, tag="second_step", frozen=True, kw_only=True):
    """The password was right; one form is enough: `code`, `recovery` or `passkey`, those that are offered."""

    recovery_left: int


class PasskeyLogin(Step, tag="passkey_login", frozen=True, kw_only=True):
    """A passkey instead of the password."""


class Confirm(Step, tag="confirm", frozen=True, kw_only=True):
    """A new proof in the middle of a session: a form for the direct door, the link `leave` for a portal.

    Attributes:
        username: identifier of the person who is signed in; "" for a portal.
    """

    username: str


class ConfirmReplace(Step, tag="confirm_replace", frozen=True, kw_only=True):
    """A portal vouches for somebody else than the person who is signed in."""


class Logout(Step, tag="logout", frozen=True, kw_only=True):
    """Whether to sign out."""


class LoggedOut(Step, tag="logged_out", frozen=True, kw_only=True):
    """The session has ended here; where the portal's may be open still, the link `portal` leads there."""


def hidden(values: Mapping[str, Any], *names: str, **more: str) -> dict[str, str]:
    """Return what a form sends back unchanged."""
    return {TOKEN: values["csrf"], **{name: values[name] for name in names}, **more}


def identifier(t: Say, value: str) -> Ask:
    """Return the field of the identifier."""
    return Ask(
        name="identifiant",
        kind="text",
        label=t("login.identifier"),
        hint=t("login.identifier_hint"),
        autocomplete="username",
        value=value,
    )


def password(name: str, label: str, autocomplete: str = "current-password", hint: str = "") -> Ask:
    """Return the field of a password; it is never filled in."""
    return Ask(name=name, kind="password", label=label, hint=hint, autocomplete=autocomplete)


def passkey(values: Mapping[str, Any], label: str, hint: str = "") -> Ask:
    """Return the field that takes what the device answers."""
    return Ask(name="code", kind="passkey", label=label, hint=hint, options=msgspec.Raw(values["passkey"].encode()))


def factor_wrong(t: Say, refused: str, field: str | None, minutes: int = 0) -> tuple[Wrong, ...]:
    """Return what is wrong with a second factor; nothing when it was not refused."""
    if not refused:
        return ()
    code = Code.FIELD_MISSING.value if refused == "missing" else f"factor.{refused}"
    return (Wrong(code, field, t(f"factor.{refused}", minutes=minutes)),)


def login(t: Say, values: Mapping[str, Any]) -> Told:
    failed = values["failed"]
    ways = {"passkey": values["passkey_href"], "proconnect": values["proconnect_href"]}
    form = Form(
        action=values["action"],
        send=hidden(values, "next"),
        ask=(identifier(t, values["identifier"]), password("motdepasse", t("login.password"))),
        submit=t("login.submit"),
    )
    after = ("login.help_provisional", "login.help_wait") if failed else ()
    step = Login(
        title=t("login.title"),
        forms={"login": form},
        links={
            "forgotten": Link(t("login.forgotten"), values["reset_href"]),
            "chooser": Link(t("frame.choose_another"), values["chooser_href"]),
            **{name: Link(t(f"login.{name}"), href) for name, href in ways.items() if href},
        },
        texts=(t("login.notice", controller=t.controller),),
        help=tuple(map(t, ("login.help_identifier", "login.help_no_password", *after))),
    )
    wrong: tuple[Wrong, ...] = ()
    if failed:
        wrong = (Wrong(Code.CREDENTIALS.value, None, t("login.failed")),)
    else:
        empty = {"identifiant": values["empty_identifier"], "motdepasse": values["empty_password"]}
        keys = {"identifiant": "login.empty_identifier", "motdepasse": "login.empty_password"}
        wrong = tuple(Wrong(Code.FIELD_MISSING.value, name, t(keys[name])) for name, lacks in empty.items() if lacks)
    return Told(step, t("login.failed_title"), wrong)


def second_step(t: Say, values: Mapping[str, Any]) -> Told:
    recovery, days = values["recovery"], values["trusted_days"]
    label = t("second_step.trust", days=days) if days else ""
    trust = Ask(
        name="confiance",
        kind="box",
        label=label,
        hint=t("second_step.trust_hint"),
        required=False,
        choices=(Choice("oui", label),),
    )
    boxes = (trust,) if days else ()
    code = Ask(
        name="code",
        kind="digits",
        label=t("second_step.code"),
        hint=t("second_step.code_hint"),
        autocomplete="one-time-code",
    )
    kept = Ask(name="secours", kind="text", label=t("second_step.recovery"), hint=t("second_step.recovery_hint"))
    asked: dict[str, tuple[str, Ask]] = {}
    if recovery:
        asked["recovery"] = ("secours", kept)
    elif values["application"]:
        asked["code"] = ("code", code)
    if values["passkey"]:
        asked["passkey"] = ("cle", passkey(values, t("second_step.passkey_submit"), t("second_step.passkey_text")))
    other = t("second_step.to_factor" if recovery else "second_step.to_recovery")
    step = SecondStep(
        title=t("second_step.title"),
        texts=(t("second_step.text"), t("second_step.lost_text", contact=t.contact)),
        forms={
            name: Form(
                action=values["action"],
                send=hidden(values, moyen=means),
                ask=(field, *boxes),
                submit=t("second_step.passkey_submit" if name == "passkey" else "second_step.submit"),
            )
            for name, (means, field) in asked.items()
        },
        links={
            "other": Link(other, values["other_href"]),
            "again": Link(t("second_step.again"), values["again_href"]),
        },
        recovery_left=values["recovery_left"],
    )
    at = None if values["by_passkey"] else "secours" if recovery else "code"
    return Told(step, t("factor.wrong_title"), factor_wrong(t, values["refused"], at, values["minutes"]))


def passkey_login(t: Say, values: Mapping[str, Any]) -> Told:
    form = Form(
        action=values["action"],
        send=hidden(values, "next"),
        ask=(passkey(values, t("second_step.passkey_submit")),),
        submit=t("second_step.passkey_submit"),
    )
    step = PasskeyLogin(
        title=t("passkey_login.title"),
        texts=(t("passkey_login.text"),),
        forms={"passkey": form},
        links={"password": Link(t("passkey_login.password"), values["password_href"])},
    )
    return Told(step, t("factor.wrong_title"), factor_wrong(t, values["refused"], None))


def confirm(t: Say, values: Mapping[str, Any]) -> Told:
    links = {"cancel": Link(t("confirm.cancel"), values["cancel_href"])}
    forms: dict[str, Form] = {}
    texts = [t("confirm.text")]
    if values["portal_href"]:
        texts.append(t("confirm.portal", portal=t.inline(values["portal_name"])))
        links["leave"] = Link(t("confirm.leave"), values["portal_href"])
    else:
        links["forgotten"] = Link(t("login.forgotten"), values["reset_href"])
        forms["confirm"] = Form(
            action=values["action"],
            send=hidden(values, "next"),
            ask=(password("motdepasse", t("login.password")),),
            submit=t("confirm.submit"),
        )
    step = Confirm(title=t("confirm.title"), texts=tuple(texts), forms=forms, links=links, username=values["username"])
    if values["empty"]:
        missing = Wrong(Code.FIELD_MISSING.value, "motdepasse", t("login.empty_password"))
        return Told(step, t("confirm.empty_title"), (missing,))
    wrong = (Wrong(Code.CREDENTIALS.value, "motdepasse", t("confirm.failed")),) if values["failed"] else ()
    return Told(step, t("confirm.failed_title"), wrong)


def confirm_replace(t: Say, values: Mapping[str, Any]) -> Told:
    form = Form(action=values["action"], send=hidden(values), submit=t("replace.submit"))
    return Told(
        ConfirmReplace(
            title=t("replace.title"),
            texts=(t("replace.text"),),
            forms={"replace": form},
            links={"keep": Link(t("replace.keep"), values["keep_href"])},
        )
    )


def logout(t: Say, values: Mapping[str, Any]) -> Told:
    form = Form(action=values["action"], send=hidden(values), submit=t("logout.submit"))
    keep = Link(t("logout.keep"), values["back_href"])
    return Told(Logout(title=t("logout.title"), forms={"logout": form}, links={"keep": keep}))


def logged_out(t: Say, values: Mapping[str, Any]) -> Told:
    links = {"again": Link(t("logged_out.again"), values["chooser_href"])}
    texts = [t("logged_out.shared")]
    if values["portal_name"]:
        texts = [t("logged_out.portal_open", portal=t.inline(values["portal_name"])), t("logged_out.portal_text")]
        links["portal"] = Link(t("logged_out.portal_back"), values["portal_href"])
    return Told(LoggedOut(title=t("logged_out.title"), texts=tuple(texts), links=links))
