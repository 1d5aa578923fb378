"""To a portal and back: what login and logout there share.

What the answer must fit is kept on our side under its correlation id, for one
purpose, and comes back once, to the browser that left with it.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from imagin_gateway.errors import AnswerRefused, Code, FlowLost, RequestRefused, Unavailable
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows.house import JOURNEY, House, Visit
from imagin_gateway.keys import digest, new_token
from imagin_gateway.providers.portal import Departure, Memory, Portal

PATIENCE: Final = 1.0
"""Seconds a request waits for its turn at a portal before it is told to come back."""


class Purpose(StrEnum):
    """Why somebody left; an answer to one is nothing to the other."""

    LOGIN = "login"
    LOGOUT = "logout"
    LINK = "link"


def portal_of(house: House, visit: Visit) -> Portal:
    """Return the portal behind the door of the path. Raises `RequestRefused` unless it is one of the open ones."""
    portal = house.portals.get(visit.door)
    if portal is None:
        disabled = visit.door in house.settings.portals
        raise RequestRefused(code=Code.PORTAL_DISABLED if disabled else Code.PORTAL_UNKNOWN)
    return portal


@contextlib.contextmanager
def turnstile(house: House, door: str) -> Iterator[None]:
    """Let few enough requests wait for one portal that the others never feel it."""
    turnstile = house.turnstiles[door]
    if not turnstile.acquire(timeout=PATIENCE):
        raise Unavailable("too many requests wait for this portal", code=Code.PORTAL_UNAVAILABLE)
    try:
        yield
    finally:
        turnstile.release()


def set_out(house: House, purpose: Purpose, portal: Portal, departure: Departure, next_page: str = "") -> Response:
    """Send the browser to the portal, keeping on our side what the answer must fit."""
    browser = new_token()
    house.keep(
        _key(purpose, departure.correlation),
        {
            "door": portal.door,
            "memory": dict(departure.memory),
            "browser": digest(browser),
            "next": next_page,
        },
        JOURNEY,
    )
    return see_other(
        departure.url, _correlator(house, purpose, departure.correlation, browser, departure.cross_site_post)
    )


def _key(purpose: Purpose, correlation: str) -> str:
    return digest(f"{purpose}\x00{correlation}")


def _correlator(house: House, purpose: Purpose, correlation: str, browser: str, cross_site_post: bool) -> SetCookie:
    """Return the cookie that ties one journey to one browser: short, and without any identity.

    One cookie a journey, so that two tabs do not spoil each other. It must come back
    with a cross-site POST when the portal answers so, hence `SameSite=None` there;
    browsers take that with Secure only, and in development both sides are one site.
    """
    secure = house.settings.secure_cookies
    return SetCookie(
        name=house.settings.cookie_name(_correlator_use(purpose, correlation)),
        value=browser,
        secure=secure,
        same_site="None" if cross_site_post and secure else "Lax",
        max_age=int(JOURNEY.total_seconds()),
    )


def _correlator_use(purpose: Purpose, correlation: str) -> str:
    return "flow-" + _key(purpose, correlation)[:16]


class Recall:
    """Gives a journey back, once, to the browser that began it at this portal.

    Attributes:
        next: page kept with it; None until it was found.
        cookie_use: which cookie tied it to the browser; "" until it was found.
    """

    def __init__(self, house: House, visit: Visit, portal: Portal, purpose: Purpose) -> None:
        self._house, self._visit, self._portal, self._purpose = house, visit, portal, purpose
        self.next: str | None = None
        self.cookie_use = ""

    def __call__(self, correlation: str) -> Memory:
        kept = self._house.take(_key(self._purpose, correlation))
        if kept is None or "memory" not in kept:
            raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)
        if kept["door"] != self._portal.door:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the journey began towards another portal")
        use = _correlator_use(self._purpose, correlation)
        cookie = self._visit.request.cookies.get(self._house.settings.cookie_name(use), "")
        if not hmac.compare_digest(digest(cookie), str(kept["browser"])):
            raise FlowLost("the journey began in another browser", code=Code.FLOW_OTHER_BROWSER)
        memory = kept["memory"]
        if not isinstance(memory, dict):
            raise FlowLost("the journey cannot be read", code=Code.FLOW_UNKNOWN)
        self.next, self.cookie_use = str(kept["next"]), use
        return {str(name): str(value) for name, value in memory.items()}
