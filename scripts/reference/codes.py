"""Every code: what people are told, in both languages, the status, the event, and what the operator does."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import imagin_gateway.pages
from imagin_gateway.errors import AdmissionRefused, AnswerRefused, Code, GatewayError, Refused, Unavailable
from imagin_gateway.exchange import Request
from imagin_gateway.flows.house import Visit
from imagin_gateway.flows.refusals import _event_of, page_of
from scripts.reference.advice import FAMILIES, OF_CODES
from scripts.reference.markdown import table

PAGE: Final = "reference/codes.md"

TEXTS: Final = Path(imagin_gateway.pages.__file__).parent / "texts"

HEAD: Final = """# Codes

Every refusal and every failure has a code: in the event, in the `code` of `application/problem+json`, in `error.code`. A
code is never renamed and never used for anything else. People are told a sentence, not the code; the reference on their
page is the `correlation` of the event.

*Status* is what is answered; *form* means the form again, with the sentence beside the field, and 422, or 403 where
somebody tried to prove who they are. *None* means that nobody is answered: it stops a command or the start, or stands in an
event alone. *Event* is the kind that carries the code ([events](events.md)). *What to do* is for who operates.
"""

HEADINGS: Final = {
    "request": "The request",
    "flow": "A step of a journey",
    "portal": "Any portal",
    "saml": "SAML 2.0",
    "oidc": "OpenID Connect",
    "header": "Trusted headers",
    "direct": "Direct accounts",
    "password": "A password that is chosen",
    "reset": "Links",
    "address": "Mail addresses",
    "desk": "The help desk",
    "factor": "Second factors",
    "session": "Sessions",
    "admission": "Admission",
    "hook": "Hooks of the host",
    "house": "The house",
}

IN_FORMS: Final = {
    "direct.credentials": ("login.failed", "login_refused"),
    "password": ("", "password_refused"),
    "address": ("", "address_refused"),
    "factor": ("", "second_step_refused, factor_refused"),
}
"""Codes that the form tells beside its field, by code or by family: the text, when its key is not the code; the event."""

UNTOLD: Final = {
    "direct.throttled": "reset_asked",
    "hook.failed": "hook_failed",
    "house.settings": "",
    "house.policy": "",
    "house.import": "",
    "saml.metadata": "metadata_refused",
}
"""Codes nobody is answered with, and the event that carries them, if any."""

OF_ACTS: Final = {
    "direct.network_throttled": ("login_refused", "confirmation_refused", "second_step_refused"),
    "request.redirect": ("redirect_refused",),
    "session.too_many": ("login_refused", "session_ended"),
}
"""Events that carry a code because of what was tried, before that of the request."""

_UNAVAILABLE: Final = frozenset({"portal.unavailable", "house.store_unavailable", "house.busy"})
_REQUESTS: Final = frozenset({"request", "flow", "desk", "session", "admission", "direct", "reset", "factor"})
_OF_ANSWERS: Final = frozenset({Code.UNSOLICITED, Code.REPLAYED, Code.ROUTE_MISMATCH})
"""Steps of a journey that only a portal's answer takes wrongly."""


def text() -> str:
    """Return the page."""
    parts = [HEAD]
    for family in dict.fromkeys(code.value.partition(".")[0] for code in Code):
        rows = [_row(code) for code in Code if code.value.partition(".")[0] == family]
        parts += [f"## {HEADINGS.get(family, family)}\n", table(HEADS, rows), ""]
    return "\n".join(parts)


HEADS: Final = ("code", "status", "event", "what people are told", "what to do")


def _row(code: Code) -> tuple[str, str, str, str, str]:
    status, event, key = told(code)
    return (f"`{code.value}`", status, _events(event), sentences(key), advice(code))


def _events(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", ") if name)


def told(code: Code) -> tuple[str, str, str]:
    """Return the status, the event and the key of the text of a code."""
    family = code.value.partition(".")[0]
    if code.value in UNTOLD:
        return "none", UNTOLD[code.value], ""
    for name in (code.value, family):
        if name in IN_FORMS and not _has_page(code):
            key, event = IN_FORMS[name]
            return "form", event, key or code.value
    error = sample(code)
    page, status = page_of(error)
    return str(status), event_of(error), f"refusal.{page}"


def sample(code: Code) -> GatewayError:
    """Return the error that carries a code where it reaches the top of a journey."""
    family = code.value.partition(".")[0]
    if code is Code.ADMISSION_REFUSED:
        return AdmissionRefused([], {})
    if code.value in _UNAVAILABLE:
        return Unavailable(code=code)
    if family == "house":
        return GatewayError(code=code)
    if (family in _REQUESTS and code not in _OF_ANSWERS) or code is Code.OIDC_INITIATION:
        return Refused(code=code)
    return AnswerRefused(code)


def event_of(error: GatewayError) -> str:
    """Return the event that a refusal writes, from the function that writes it."""
    family = error.code.value.partition(".")[0]
    paths = {"portal": "/portail/x", "desk": "/assistance", "oidc": "/portail/x"}
    visit = Visit(Request("GET", paths.get(family, "/")), None, "", False, cast(Any, None))
    names = [*OF_ACTS.get(error.code.value, ()), _event_of(visit, error).value]
    if error.code is Code.REDIRECT:
        names[-1:] = ["login_refused"]  # a login that a portal begins
    if family == "flow" and isinstance(error, Refused):
        names.append("login_refused")  # at a portal's address
    if error.code is Code.FAULT:
        names.insert(0, "fault")
    return ", ".join(dict.fromkeys(names))


def _has_page(code: Code) -> bool:
    error = Refused(code=code)
    return page_of(error) != page_of(Refused(code=Code.CREDENTIALS))


def advice(code: Code) -> str:
    """Return what the operator does, told of the code or of its family."""
    return OF_CODES.get(code.value) or FAMILIES[code.value.partition(".")[0]]


def sentences(key: str) -> str:
    """Return what people are told, in French then in English."""
    if not key:
        return ""
    return "<br>".join(f"*{language}*: {said}" for language in ("fr", "en") if (said := _sentence(language, key)))


@cache
def _catalogue(language: str) -> dict[str, Any]:
    return tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


def _sentence(language: str, key: str) -> str:
    found: Any = _catalogue(language)
    for part in key.split("."):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    if isinstance(found, dict) and "title" in found:
        return f"{found['title']}. {found.get('text', '')}".strip()
    if isinstance(found, dict):
        return str(found.get("other", ""))
    return str(found)
