"""Every page in every state, with values such as the journeys give: read by the tests, and by whoever wants to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from imagin_gateway.local.factors import PasskeyView, TotpView
from imagin_gateway.local.trusted import TrustedComputer
from imagin_gateway.pages.picture import picture
from imagin_gateway.pages.templating import DESK_ACTS, FACTOR_REFUSALS
from imagin_gateway.pages.texts import Catalogue
from imagin_gateway.pages.views import (
    Choice,
    DeskAccount,
    DeskEvent,
    DeskMatch,
    DoorCard,
    DoorView,
    FieldError,
    LastDoor,
    Link,
    OpenSession,
)
from imagin_gateway.policy import siec

CSRF = "bWFycXVl.c2lnbmF0dXJl"
MOMENT = datetime(2026, 12, 14, 13, 32, tzinfo=UTC)
"""14 h 32 in Paris."""

POLICY = siec()
ARENA = [door for door in POLICY.doors.values() if door.family == "arena"]
DIRECT = POLICY.door("direct")


@dataclass(frozen=True)
class State:
    """One page in one state.

    Attributes:
        page: name of the template.
        values: what the journey gives.
        error: the page says that something typed is wrong.
        signed: the page is a form that is posted.
    """

    page: str
    values: Mapping[str, Any]
    error: bool = False
    signed: bool = field(default=False)


TEXTS = {code: Catalogue.load(code) for code in ("fr", "en")}


def card(door: Any, lang: str = "fr") -> DoorCard:
    said = TEXTS[lang]
    text = said("chooser.arena_card", serves=door.serves) if door.serves else said("chooser.direct_card")
    name = said("chooser.academie", place=door.place.get(lang)) if door.place else door.name.get(lang)
    return DoorCard(name, text, f"/connexion/acces/{door.id}")


def door_view(door: Any, lang: str = "fr", **changes: Any) -> DoorView:
    said = TEXTS[lang]

    def all_of(texts: Any) -> tuple[str, ...]:
        return tuple(text.get(lang) for text in texts)

    elsewhere = DIRECT if door.place else ARENA[0]
    values: dict[str, Any] = {
        "title": door.title.get(lang),
        "why": door.for_whom[0].get(lang),
        "button": Link(door.button.get(lang), door.link),
        "host": door.host,
        "where": all_of(door.where),
        "credentials": all_of(door.credentials),
        "not_these": all_of(door.not_these),
        "lost": all_of(door.recovery),
        "lost_links": (Link(door.recovery_link.removeprefix("https://"), door.recovery_link),)
        if door.recovery_link
        else (Link(door.host, door.link),)
        if door.place
        else (Link(said("login.forgotten"), "/connexion/mot-de-passe/oubli"),),
        "lost_first": False,
        "offers": all_of(offer.label for offer in door.offers),
        "not_offered": all_of(each.label for each in elsewhere.offers if each.activity not in door.activities),
        "notes": all_of(door.beware),
        "trouble_title": door.trouble_title.get(lang),
        "trouble": all_of(door.trouble),
        "trouble_links": (Link(said("refusal.direct"), "/connexion/acces/direct"),)
        if door.place
        else (Link(said("door.questions"), "/connexion/question"),),
        "second": (),
        "back": Link(said("frame.choose_another"), "/connexion/"),
    }
    return DoorView(**{**values, **changes})


def question(index: int, lang: str = "fr", **changes: Any) -> dict[str, Any]:
    asked = POLICY.all_questions[index]
    said = TEXTS[lang]
    values = {
        "question": asked.title.get(lang),
        "number": index + 1,
        "name": asked.id,
        "hint": asked.hint.get(lang) if asked.hint else "",
        "choices": [
            Choice(each.id, each.label.get(lang), each.hint.get(lang) if each.hint else "") for each in asked.answers
        ],
        "hidden": {"emetteur": "siec"} if index else {},
        "action": "/connexion/question",
        "back": Link(said("question.previous"), "/connexion/question")
        if index
        else Link(said("question.choose"), "/connexion/"),
        "wrong": False,
    }
    return {**values, **changes}


def outcome(name: str) -> dict[str, Any]:
    page = POLICY.pages[name]
    return {
        "title": page.title.fr,
        "texts": [text.fr for text in page.text],
        "doors": [card(POLICY.door(door)) for door in page.doors],
        "links": [Link(page.instead.fr, "/connexion/question?emetteur=siec")] if page.instead else [],
        "back": Link("Modifier mes réponses", "/connexion/question"),
    }


LOGIN: dict[str, Any] = {
    "action": "/connexion/direct",
    "csrf": CSRF,
    "next": "/missions",
    "identifier": "",
    "chooser_href": "/connexion/",
    "reset_href": "/connexion/mot-de-passe/oubli",
    "proconnect_href": None,
    "passkey_href": None,
    "failed": False,
    "empty_identifier": False,
    "empty_password": False,
}

PASSWORD: dict[str, Any] = {
    "action": "/connexion/mot-de-passe",
    "csrf": CSRF,
    "username": "mdurand7",
    "errors": [],
    "minimum": 15,
    "hidden": {"next": "/missions"},
    "logout_href": "/connexion/fin",
    "cancel_href": "/",
}

RECOVERY = [
    Link("Portail de Créteil (externet.ac-creteil.fr)", "https://externet.ac-creteil.fr"),
    Link("Portail de Paris (depannage.ac-paris.fr)", "https://depannage.ac-paris.fr"),
    Link(
        "Portail de Versailles (bv.ac-versailles.fr/macadam/depannage)", "https://bv.ac-versailles.fr/macadam/depannage"
    ),
]

FORGOTTEN: dict[str, Any] = {
    "action": "/connexion/mot-de-passe/oubli",
    "csrf": CSRF,
    "identifier": "",
    "empty": False,
    "recovery": RECOVERY,
    "chooser_href": "/connexion/",
}

REFUSAL: dict[str, Any] = {
    "params": {"portal": "Portail de Paris"},
    "reference": "R-7K4M-2QXP",
    "moment": MOMENT,
    "primary": Link("Choisir un accès", "/connexion/"),
    "links": [],
}

PASSWORD_ERRORS = {
    "too_short": FieldError("nouveau", "password.too_short", {"missing": 4, "maximum": 0}),
    "too_short_by_one": FieldError("nouveau", "password.too_short", {"missing": 1, "maximum": 0}),
    "too_long": FieldError("nouveau", "password.too_long", {"missing": 0, "maximum": 128}),
    "common": FieldError("nouveau", "password.common", {"missing": 0, "maximum": 0}),
    "breached": FieldError("nouveau", "password.breached"),
    "context": FieldError("nouveau", "password.context"),
    "same": FieldError("nouveau", "password.same_as_provisional"),
    "mismatch": FieldError("encore", "password.entries_differ"),
    "current": FieldError("actuel", "password.current_wrong"),
    "missing": FieldError("nouveau", "password.missing"),
}

ADDRESS: dict[str, Any] = {
    "action": "/connexion/adresse",
    "csrf": CSRF,
    "username": "mdurand7",
    "email": "marie@exemple",
    "errors": [],
    "cancel_href": "/connexion/session",
}

ADDRESS_ERRORS = {
    "malformed": FieldError("courriel", "address.malformed"),
    "same": FieldError("courriel", "address.same"),
    "portal": FieldError("courriel", "address.portal"),
    "too_many": FieldError("courriel", "address.too_many"),
    "current": FieldError("actuel", "password.current_wrong"),
    "code": FieldError("code", "address.code_wrong"),
}

CODES: dict[str, Any] = {
    "action": "/connexion/adresse/codes",
    "csrf": CSRF,
    "two": True,
    "errors": [],
    "again_href": "/connexion/adresse",
    "cancel_href": "/connexion/session",
}

SESSION: dict[str, Any] = {
    "action": "/connexion/session",
    "csrf": CSRF,
    "soon": False,
    "idle_ends": datetime(2026, 12, 14, 14, 2, tzinfo=UTC),
    "hours": 10,
    "continue_href": "/",
    "logout_href": "/connexion/fin",
    "others_href": "/connexion/session/toutes",
    "password_href": "/connexion/mot-de-passe",
    "address_href": "/connexion/adresse",
    "security_href": None,
    "proconnect_href": None,
}

SESSION_OF: dict[str, Any] = {
    "name": "Marie Durand",
    "door_name": "Accès direct",
    "since": MOMENT,
    "ends": datetime(2026, 12, 14, 23, 32, tzinfo=UTC),
    **SESSION,
}

PROCONNECT: dict[str, Any] = {
    "mode": "offer",
    "action": "/connexion/proconnect",
    "csrf": CSRF,
    "told": "",
    "back_href": "/connexion/session",
}

CONFIRM: dict[str, Any] = {
    "action": "/connexion/confirmer",
    "csrf": CSRF,
    "next": "/missions",
    "username": "mdurand7",
    "portal_name": "",
    "portal_href": "",
    "failed": False,
    "empty": False,
    "reset_href": "/connexion/mot-de-passe/oubli",
    "cancel_href": "/",
}


DESK: dict[str, Any] = {
    "action": "/connexion/assistance",
    "csrf": CSRF,
    "offices": "",
    "sought": "",
    "short": False,
    "found": None,
    "more": False,
}

DESK_MATCHES = [
    DeskMatch(
        name="Marie Durand",
        identifier="mdurand7",
        office="DEC 4 - concours",
        state="mot de passe personnalisé",
        href="/connexion/assistance/compte?dossier=MDEyMw.c2lnbmF0dXJl",
    ),
    DeskMatch(name="", identifier="zr", office="", state="bloqué", href="/connexion/assistance/compte?dossier=x"),
]

DESK_ACCOUNT = DeskAccount(
    identifier="mdurand7",
    name="Marie Durand",
    email="marie@exemple.test",
    situation="formateur en CFA",
    office="DEC 4 - concours",
    state="bloqué",
    created_at=MOMENT,
    provisional_ends_at=MOMENT,
    sessions=1,
    failures=7,
    last_failure=MOMENT,
    waits=True,
    mails=2,
    factors=("application de codes", "1 clé d’accès"),
    events=(
        DeskEvent(at=MOMENT, text="Compte débloqué.", by_desk=True),
        DeskEvent(at=MOMENT, text="Connexion réussie.", by_desk=False),
    ),
)

DESK_PAGE: dict[str, Any] = {
    "account": DESK_ACCOUNT,
    "acts": [
        Link("Débloquer le compte", "/connexion/assistance/acte?dossier=x&acte=unlock"),
        Link("Désactiver le compte", "/connexion/assistance/acte?dossier=x&acte=disable"),
    ],
    "own": False,
    "helps_more": False,
    "done": "",
    "back_href": "/connexion/assistance",
}

DESK_ACT: dict[str, Any] = {
    "action": "/connexion/assistance/acte",
    "csrf": CSRF,
    "ticket": "dGlja2V0",
    "identifier": "mdurand7",
    "name": "Marie Durand",
    "told": True,
    "cancel_href": "/connexion/assistance/compte?dossier=x",
}


def open_session(**changes: Any) -> OpenSession:
    values: dict[str, Any] = {
        "handle": "fedcba9876543210",
        "here": False,
        "device": "Firefox, Windows",
        "address": "192.0.2.7",
        "door_name": "Accès direct",
        "since": MOMENT,
        "seen": MOMENT,
    }
    return OpenSession(**{**values, **changes})


_PARIS = POLICY.door("arena-paris")

OPTIONS = '{"challenge": "YWJj", "rpId": "imagin.exemple.test", "allowCredentials": []}'

STEP: dict[str, Any] = {
    "action": "/connexion/etape",
    "csrf": CSRF,
    "recovery": False,
    "by_passkey": False,
    "application": True,
    "passkey": OPTIONS,
    "recovery_left": 9,
    "trusted_days": 7,
    "refused": "",
    "minutes": 0,
    "other_href": "/connexion/etape?moyen=secours",
    "again_href": "/connexion/direct",
}

PASSKEY_LOGIN: dict[str, Any] = {
    "action": "/connexion/cle",
    "csrf": CSRF,
    "next": "/missions",
    "passkey": OPTIONS,
    "refused": "",
    "password_href": "/connexion/direct",
}

SECURITY: dict[str, Any] = {
    "action": "/connexion/securite",
    "csrf": CSRF,
    "application": TotpView(MOMENT, MOMENT),
    "passkeys": (PasskeyView("0123456789abcdef", "Téléphone", MOMENT, None), PasskeyView("f" * 16, "", MOMENT, MOMENT)),
    "recovery_left": 9,
    "due": False,
    "required": False,
    "computers": [TrustedComputer("0" * 16, "Firefox, Windows", "192.0.2.7", MOMENT, MOMENT)],
    "refused": "",
    "application_href": "/connexion/securite/application",
    "passkey_href": "/connexion/securite/cle",
    "codes_href": "/connexion/securite/codes",
    "logout_href": "/connexion/fin",
    "back_href": "/connexion/session",
}

TOTP_ADD: dict[str, Any] = {
    "action": "/connexion/securite/application",
    "csrf": CSRF,
    "next": "",
    "picture": picture("otpauth://totp/Imagin%20SIEC:mdurand7?secret=" + "A" * 32),
    "groups": ["AAAA"] * 8,
    "replaces": False,
    "refused": "",
    "minutes": 0,
    "cancel_href": "/connexion/securite",
}

PASSKEY_ADD: dict[str, Any] = {
    "action": "/connexion/securite/cle",
    "csrf": CSRF,
    "next": "",
    "name": "",
    "passkey": OPTIONS,
    "refused": "",
    "application_href": "/connexion/securite/application",
    "cancel_href": "/connexion/securite",
}

RECOVERY_CODES: dict[str, Any] = {
    "action": "/connexion/securite/codes",
    "csrf": CSRF,
    "codes": [],
    "recovery_left": 9,
    "continue_href": "/connexion/securite",
}

STATES: dict[str, State] = {
    "chooser": State(
        "chooser",
        {"arena": [card(door) for door in ARENA], "direct": [card(DIRECT)], "questions_href": "/connexion/question"},
    ),
    "chooser-last": State(
        "chooser",
        {
            "arena": [card(door) for door in ARENA],
            "direct": [card(DIRECT)],
            "questions_href": "/connexion/question",
            "last": LastDoor("Académie de Paris", "/connexion/acces/arena-paris", "/connexion/oublier"),
        },
    ),
    "chooser-over": State(
        "chooser",
        {
            "arena": [card(door) for door in ARENA],
            "direct": [card(DIRECT)],
            "questions_href": "/connexion/question?next=%2Fmissions",
            "over": True,
        },
    ),
    **{f"question-{index + 1}": State("question", question(index)) for index in range(len(POLICY.all_questions))},
    "question-2-wrong": State("question", question(1, wrong=True), error=True),
    **{f"door-{door.id}": State("door", {"door": door_view(door)}) for door in POLICY.doors.values()},
    "door-arena-paris-lost": State(
        "door",
        {
            "door": door_view(
                _PARIS,
                why="Vous êtes agent de l’Éducation nationale en poste dans l’académie de Paris.",
                lost_first=True,
                notes=("Le compte est tenu par l’académie de rattachement administratif.",),
                second=(Link("Accès direct", "/connexion/acces/direct"),),
                back=Link("Modifier mes réponses", "/connexion/question?emetteur=siec"),
            )
        },
    ),
    **{name: State("outcome", outcome(name)) for name in POLICY.pages},
    "login": State("login", LOGIN, signed=True),
    "login-failed": State("login", {**LOGIN, "identifier": "mdurand7", "failed": True}, error=True, signed=True),
    "login-empty": State("login", {**LOGIN, "empty_identifier": True, "empty_password": True}, error=True, signed=True),
    "login-no-password": State(
        "login", {**LOGIN, "identifier": "mdurand7", "empty_password": True}, error=True, signed=True
    ),
    "password-first": State("password", {**PASSWORD, "mode": "first", "cancel_href": None}, signed=True),
    "password-change": State("password", {**PASSWORD, "mode": "change"}, signed=True),
    "password-reset": State(
        "password",
        {**PASSWORD, "mode": "reset", "username": "", "hidden": {}, "logout_href": None, "cancel_href": None},
        signed=True,
    ),
    **{
        f"password-{name}": State(
            "password", {**PASSWORD, "mode": "change", "errors": [error]}, error=True, signed=True
        )
        for name, error in PASSWORD_ERRORS.items()
    },
    "forgotten": State("forgotten", FORGOTTEN, signed=True),
    "forgotten-empty": State("forgotten", {**FORGOTTEN, "empty": True}, error=True, signed=True),
    "forgotten-sent": State("forgotten_sent", {"recovery": RECOVERY, "again_href": "/connexion/mot-de-passe/oubli"}),
    **{
        f"password-done-{mode}": State("password_done", {"mode": mode, "continue_href": "/connexion/direct"})
        for mode in ("first", "change", "reset")
    },
    "logout": State("logout", {"action": "/connexion/fin", "csrf": CSRF, "back_href": "/"}, signed=True),
    "logged-out": State("logged_out", {"portal_name": None, "portal_href": None, "chooser_href": "/connexion/"}),
    "logged-out-portal": State(
        "logged_out",
        {"portal_name": _PARIS.name.fr, "portal_href": _PARIS.link, "chooser_href": "/connexion/"},
    ),
    "logout-answer": State(
        "logout_answer",
        {"action": "https://portail.exemple.test/fin", "fields": {"SAMLResponse": "PHNhbWw+", "RelayState": "7"}},
    ),
    "leaving": State(
        "leaving",
        {
            "portal_name": _PARIS.name.fr,
            "host": _PARIS.host,
            "portal_href": "/connexion/portail/arena-paris?suite=1",
            "back_href": "/connexion/",
        },
    ),
    "confirm-replace": State(
        "confirm_replace", {"action": "/connexion/arrivee", "csrf": CSRF, "keep_href": "/"}, signed=True
    ),
    "session": State(
        "session",
        {
            "name": "Marie Durand",
            "door_name": "Accès direct",
            "since": MOMENT,
            "ends": datetime(2026, 12, 14, 23, 32, tzinfo=UTC),
            **SESSION,
        },
        signed=True,
    ),
    "session-soon": State(
        "session",
        {
            "name": "Marie Durand",
            "door_name": "portail de Créteil",
            "since": MOMENT,
            "ends": datetime(2026, 12, 14, 23, 32, tzinfo=UTC),
            **SESSION,
            "soon": True,
            "password_href": None,
        },
        signed=True,
    ),
    "session-last": State(
        "session",
        {
            "name": "Marie Durand",
            "door_name": "Accès direct",
            "since": MOMENT,
            "ends": datetime(2026, 12, 14, 14, 2, tzinfo=UTC),
            **SESSION,
            "soon": True,
        },
    ),
    "sessions": State(
        "sessions",
        {
            "action": "/connexion/session/toutes",
            "csrf": CSRF,
            "sessions": [
                open_session(handle="0123456789abcdef", here=True),
                open_session(device="", address="", door_name="portail de Paris"),
            ],
            "ended": False,
            "back_href": "/connexion/session",
        },
        signed=True,
    ),
    "sessions-one": State(
        "sessions",
        {
            "action": "/connexion/session/toutes",
            "csrf": CSRF,
            "sessions": [open_session(here=True)],
            "ended": True,
            "back_href": "/connexion/session",
        },
        signed=True,
    ),
    "confirm": State("confirm", CONFIRM, signed=True),
    "confirm-failed": State("confirm", {**CONFIRM, "failed": True}, error=True, signed=True),
    "confirm-empty": State("confirm", {**CONFIRM, "empty": True}, error=True, signed=True),
    "confirm-portal": State(
        "confirm",
        {
            **CONFIRM,
            "username": "",
            "portal_name": _PARIS.name.fr,
            "portal_href": "/connexion/portail/arena-paris?next=%2Fmissions&anew=1",
        },
    ),
    **{f"refusal-R{number}": State("refusal", {**REFUSAL, "id": f"R{number}"}) for number in range(1, 22)},
    **{f"refusal-R{number}": State("refusal", {**REFUSAL, "id": f"R{number}"}) for number in range(30, 36)},
    "refusal-R6": State(
        "refusal",
        {
            **REFUSAL,
            "id": "R6",
            "primary": Link("Demander un nouveau lien", "/connexion/mot-de-passe/oubli"),
            "links": [Link("Se connecter", "/connexion/direct")],
        },
    ),
    "login-proconnect": State("login", {**LOGIN, "proconnect_href": "/connexion/portail/proconnect"}, signed=True),
    "proconnect-offer": State("proconnect", PROCONNECT, signed=True),
    "proconnect-linked": State("proconnect", {**PROCONNECT, "mode": "linked"}, signed=True),
    "proconnect-confirm": State(
        "proconnect", {**PROCONNECT, "mode": "confirm", "told": "Élodie Lefèvre, e.lefevre@exemple.test"}, signed=True
    ),
    "session-proconnect": State(
        "session",
        {
            "name": "Marie Durand",
            "door_name": "Accès direct",
            "since": MOMENT,
            "ends": datetime(2026, 12, 14, 23, 32, tzinfo=UTC),
            **SESSION,
            "proconnect_href": "/connexion/proconnect",
        },
        signed=True,
    ),
    "login-passkey": State("login", {**LOGIN, "passkey_href": "/connexion/cle"}, signed=True),
    "session-security": State("session", {**SESSION_OF, "security_href": "/connexion/securite"}, signed=True),
    "second-step": State("second_step", STEP, signed=True),
    "second-step-passkey": State("second_step", {**STEP, "application": False, "trusted_days": 0}, signed=True),
    "second-step-recovery": State("second_step", {**STEP, "recovery": True, "passkey": ""}, signed=True),
    **{
        f"second-step-{refused}": State(
            "second_step", {**STEP, "refused": refused, "minutes": 4}, error=True, signed=True
        )
        for refused in FACTOR_REFUSALS
    },
    "second-step-passkey-refused": State(
        "second_step", {**STEP, "by_passkey": True, "refused": "origin"}, error=True, signed=True
    ),
    "second-step-recovery-refused": State(
        "second_step", {**STEP, "recovery": True, "passkey": "", "refused": "recovery_wrong"}, error=True, signed=True
    ),
    "passkey-login": State("passkey_login", PASSKEY_LOGIN, signed=True),
    "passkey-login-refused": State("passkey_login", {**PASSKEY_LOGIN, "refused": "origin"}, error=True, signed=True),
    "security": State("security", SECURITY, signed=True),
    "security-nothing": State("security", {**SECURITY, "application": None, "passkeys": (), "computers": []}),
    "security-due": State("security", {**SECURITY, "due": True, "application": None, "passkeys": (), "computers": []}),
    "security-refused": State("security", {**SECURITY, "refused": "needed"}, error=True, signed=True),
    "totp-add": State("totp_add", TOTP_ADD, signed=True),
    "totp-add-refused": State(
        "totp_add", {**TOTP_ADD, "replaces": True, "refused": "clock", "minutes": 1}, error=True, signed=True
    ),
    "passkey-add": State("passkey_add", PASSKEY_ADD, signed=True),
    "passkey-add-refused": State("passkey_add", {**PASSKEY_ADD, "refused": "unverified"}, error=True, signed=True),
    "recovery-codes": State("recovery_codes", {**RECOVERY_CODES, "codes": ["K7RTM 4PXWQ 9HFDC"] * 10}),
    "recovery-codes-ask": State("recovery_codes", RECOVERY_CODES, signed=True),
    "address": State("address", ADDRESS, signed=True),
    **{
        f"address-{name}": State("address", {**ADDRESS, "errors": [error]}, error=True, signed=True)
        for name, error in ADDRESS_ERRORS.items()
    },
    "address-codes": State("address_codes", CODES, signed=True),
    "address-code": State("address_codes", {**CODES, "two": False}, signed=True),
    "address-codes-wrong": State(
        "address_codes", {**CODES, "errors": [ADDRESS_ERRORS["code"]]}, error=True, signed=True
    ),
    "address-done": State("address_done", {"continue_href": "/connexion/session"}),
    "desk": State("desk", DESK, signed=True),
    "desk-short": State("desk", {**DESK, "sought": "du", "short": True}, error=True, signed=True),
    "desk-found": State(
        "desk",
        {**DESK, "offices": "DEC 2 - BTS", "sought": "durand", "found": DESK_MATCHES, "more": True},
        signed=True,
    ),
    "desk-nobody": State("desk", {**DESK, "sought": "personne", "found": []}, signed=True),
    "desk-account": State("desk_account", {**DESK_PAGE, "done": "unlock"}),
    "desk-account-own": State("desk_account", {**DESK_PAGE, "acts": [], "own": True}),
    "desk-account-helps-more": State("desk_account", {**DESK_PAGE, "helps_more": True}),
    "desk-account-bare": State(
        "desk_account",
        {
            **DESK_PAGE,
            "acts": [],
            "account": replace(
                DESK_ACCOUNT,
                identifier="zr",
                name="",
                email="",
                situation="",
                office="",
                provisional_ends_at=None,
                failures=0,
                last_failure=None,
                waits=False,
                mails=0,
                factors=(),
                events=(),
                portal_only=True,
            ),
        },
    ),
    **{
        f"desk-act-{act}": State("desk_act", {**DESK_ACT, "act": act, "hurts": act == "disable"}, signed=True)
        for act in DESK_ACTS
    },
    "desk-act-no-mail": State(
        "desk_act", {**DESK_ACT, "act": "change", "hurts": False, "told": False, "name": ""}, signed=True
    ),
    "desk-letter": State(
        "desk_letter",
        {
            "identifier": "mdurand7",
            "name": "Marie Durand",
            "provisional": "K7RTM 4PXWQ 9HFDC",
            "until": MOMENT,
            "back_href": "/connexion/assistance/compte?dossier=x",
        },
    ),
    "refusal-R1-full": State(
        "refusal",
        {**REFUSAL, "id": "R1", "params": {"portal": "Portail de Paris", "right": "portail de Créteil"}},
    ),
    "refusal-R2-linked": State(
        "refusal",
        {
            **REFUSAL,
            "id": "R2",
            "links": [Link("l’accès direct", "/connexion/acces/direct"), Link("Revenir à l’accueil", "/")],
        },
    ),
    "refusal-R14-full": State("refusal", {**REFUSAL, "id": "R14", "params": {"sentence": "Réservée à la direction."}}),
    "refusal-R4-full": State(
        "refusal",
        {**REFUSAL, "id": "R4", "params": {"portal": "", "missing": "votre identifiant académique, votre nom"}},
    ),
    "refusal-R7-until": State("refusal", {**REFUSAL, "id": "R7", "params": {"wait": "dix minutes"}}),
    "refusal-R11-until": State(
        "refusal", {**REFUSAL, "id": "R11", "params": {"until": "7\u00a0décembre à 8\u00a0h"}, "primary": None}
    ),
}

ENGLISH: dict[str, State] = {
    "en-chooser": State(
        "chooser",
        {
            "arena": [card(door, "en") for door in ARENA],
            "direct": [card(DIRECT, "en")],
            "questions_href": "/connexion/question",
        },
    ),
    "en-question": State("question", question(1, "en")),
    "en-door-arena": State("door", {"door": door_view(_PARIS, "en")}),
    "en-door-direct": State("door", {"door": door_view(DIRECT, "en")}),
    "en-login-failed": STATES["login-failed"],
    "en-password-first": STATES["password-first"],
    "en-forgotten-sent": STATES["forgotten-sent"],
    "en-refusal": State("refusal", {**REFUSAL, "id": "R10", "primary": Link("Start again", "/connexion/direct")}),
}
"""The pages that nearly everybody sees, wholly in English: the texts of the table with those of the catalogue."""
