"""Choosing the language of an answer.

The address decides (`?lang=en`), then what this browser chose before, then what it
says it reads, then the host's default. A choice made by an address goes into a
cookie, so that it holds through forms, portals and mailed links; not on the pages that
have no cookie: there, every link says it again, and the address can be sent to somebody.

Nothing rests on it: it is one of the few codes that the host offers, or it is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.errors import RequestRefused
from imagin_gateway.exchange import Params, Request, SetCookie
from imagin_gateway.flows.landing import landing
from imagin_gateway.pages.language import Language, accepted
from imagin_gateway.settings import Settings

PARAMETER: Final = "lang"

COOKIE: Final = "language"

_CARRIED: Final = ("question", "porte", "fin", "moyen")
"""What the address of a page may say besides `next` and the answers to the questions; nothing else is written again."""

_WORD: Final = re.compile(r"[\w-]{1,60}")

_SIGNED: Final = re.compile(r"[\w.-]{1,8000}", re.ASCII)
"""What a page of a refusal says, signed; it may be anything else here, and is then refused there."""

_HELPED: Final = {"dossier": re.compile(r"[\w.:-]{1,200}"), "acte": _WORD}
"""What the addresses of the help desk say: a reference of ours, and the name of an act."""


def said(request: Request, settings: Settings) -> str:
    """Return the language that the address says, "" if it says none that is offered."""
    asked = _read(request).get(PARAMETER, "")
    return asked if asked in settings.languages else ""


def _read(request: Request) -> Params:
    try:
        return request.query
    except RequestRefused:
        return Params()


def language_of(
    request: Request, settings: Settings, *, stateless: bool, switch: Mapping[str, str] | None = None
) -> Language:
    """Return the language in which a request is answered.

    Args:
        request: as it came.
        settings: what the host offers, the default first.
        stateless: the page has no cookie, so its links carry the language.
        switch: where the page stands in the other languages, see `same_page`.
    """
    told = said(request, settings)
    chosen = request.cookies.get(settings.cookie_name(COOKIE), "")
    if told:
        code = told
    elif chosen in settings.languages:
        code = chosen
    else:
        code = accepted(request.headers.get("accept-language", ""), settings.languages)
    others = {other: where for other, where in (switch or {}).items() if other != code}
    return Language(code, told if stateless else "", others)


def same_page(request: Request, settings: Settings, questions: Iterable[str], *, typed: bool) -> dict[str, str]:
    """Return the address of the page of this request in each language: relative, so it names no path.

    Args:
        request: as it came.
        settings: languages offered.
        questions: ids of the questions, whose answers stand in addresses.
        typed: the page answers a form posted to its own address; of what was sent, only `next` goes on.
    """
    try:
        fields = {"next": request.form.get("next", "")} if typed else _read(request)
    except RequestRefused:
        fields = {}
    kept = {name: fields[name] for name in (*_CARRIED, *questions) if _WORD.fullmatch(fields.get(name, ""))}
    if _SIGNED.fullmatch(fields.get("vu", "")):
        kept["vu"] = fields["vu"]
    kept |= {name: fields[name] for name, form in _HELPED.items() if form.fullmatch(fields.get(name, ""))}
    asked = fields.get("next", "")
    if asked and landing(settings, asked) == asked:
        kept["next"] = asked
    return {code: "?" + urlencode({**kept, PARAMETER: code}) for code in settings.languages}


def remembered(settings: Settings, code: str) -> SetCookie:
    """Return the cookie that keeps a choice until the browser is closed.

    It comes back with a portal's cross-site POST, too: a refusal then speaks as the
    person does. It tells nothing of them and opens nothing.
    """
    secure = settings.secure_cookies
    name = settings.cookie_name(COOKIE)
    return SetCookie(name=name, value=code, secure=secure, same_site="None" if secure else "Lax")
