"""The identifier that somebody has just typed here: it is not asked again in the next form (WCAG 2.2, 3.3.7).

It is kept by the browser alone, for a few minutes, whatever it is worth: nothing is
looked up for it, so it tells nothing of who has an account.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from datetime import timedelta
from typing import Final

from imagin_gateway.exchange import Params, SetCookie
from imagin_gateway.flows.house import House, Visit

COOKIE: Final = "typed"

LIFE: Final = timedelta(minutes=10)

MAX_BYTES: Final = 120


def identifier_in(form: Params) -> str:
    """Return the identifier of a form, without the marks that nobody sees and that come along with what is copied.

    A message, a telephone or a word processor puts them (U+200B, U+FEFF, U+202A). No identifier holds any.
    """
    return visible(form.get("identifiant", ""))


def visible(text: str) -> str:
    """Return what somebody pasted without the marks that nobody sees."""
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


def keep_typed(house: House, identifier: str) -> list[SetCookie]:
    """Return the cookie that keeps what was typed; none for what is too long to be an identifier."""
    raw = identifier.strip().encode()
    if not raw or len(raw) > MAX_BYTES:
        return []
    told = base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
    return [house.cookie(COOKIE, told, max_age=int(LIFE.total_seconds()))]


def typed(house: House, visit: Visit) -> str:
    """Return what was typed, to stand in the field; "" if nothing was, or if the cookie is none of ours."""
    kept = visit.request.cookies.get(house.settings.cookie_name(COOKIE), "")
    if len(kept) > 2 * MAX_BYTES:
        return ""
    try:
        text = base64.b64decode(kept + "=" * (-len(kept) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text if text.isprintable() else ""


def forget_typed(house: House, visit: Visit) -> list[SetCookie]:
    """Return what removes it, if it is there, once somebody is signed in."""
    there = house.settings.cookie_name(COOKIE) in visit.request.cookies
    return [house.no_cookie(COOKIE)] if there else []
