"""Leaving for a portal, and its answer.

The answer is verified by the portal's room before anything is read. What it
proves is then kept for a moment on our side, and the browser is sent to a page
of ours by a same-site GET: only there does it show its own session cookie, which
browsers hold back on the cross-site POST of an answer.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, RequestRefused, Unavailable
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows.admission import admit
from imagin_gateway.flows.arrival import Waiting
from imagin_gateway.flows.house import JOURNEY, House, Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.identity import Identity
from imagin_gateway.keys import digest, new_token
from imagin_gateway.local.throttle import NetworkThrottled, network_of
from imagin_gateway.providers.portal import Arrival, Departure, Memory, Portal
from imagin_gateway.state.store import Space

PATIENCE: Final = 1.0
"""Seconds a request waits for its turn at a portal before it is told to come back."""

DEPARTURES: Final = 300
"""Departures of one network within a journey's life: each leaves a record. A large school is one address."""

ARRIVAL: Final = timedelta(minutes=5)
"""How long a verified answer waits for its browser, a question about another session included."""


def portal_of(house: House, visit: Visit) -> Portal:
    """Return the portal behind the door of the path. Raises `RequestRefused` unless it is one of the open ones."""
    portal = house.portals.get(visit.door)
    if portal is None:
        disabled = visit.door in house.settings.portals
        raise RequestRefused(code=Code.PORTAL_DISABLED if disabled else Code.PORTAL_UNKNOWN)
    return portal


@contextlib.contextmanager
def _turnstile(house: House, door: str) -> Iterator[None]:
    """Let few enough requests wait for one portal that the others never feel it."""
    turnstile = house.turnstiles[door]
    if not turnstile.acquire(timeout=PATIENCE):
        raise Unavailable("too many requests wait for this portal", code=Code.PORTAL_UNAVAILABLE)
    try:
        yield
    finally:
        turnstile.release()


def leave(house: House, visit: Visit) -> Response:
    """Send the person to the portal, keeping on our side what the answer must fit."""
    portal = portal_of(house, visit)
    back_to = landing(house.settings, visit.request.query.get("next"))
    return depart(house, visit, portal, back_to, portal.depart)


def depart(
    house: House, visit: Visit, portal: Portal, back_to: str, prepare: Callable[[datetime], Departure]
) -> Response:
    """Leave for a portal.

    Args:
        house: keeps the journey.
        visit: whose.
        portal: where to.
        back_to: page of this site to land on, already checked.
        prepare: the portal's own `depart`.
    """
    _count_departure(house, visit)
    with _turnstile(house, portal.door):
        departure = prepare(house.clock.now())
    browser = new_token()
    house.keep(
        digest(departure.correlation),
        {"door": portal.door, "memory": dict(departure.memory), "browser": digest(browser), "next": back_to},
        JOURNEY,
    )
    visit.event(house, EventName.LOGIN_STARTED)
    return see_other(departure.url, _correlator(house, departure.correlation, browser, departure.cross_site_post))


def _count_departure(house: House, visit: Visit) -> None:
    """Keep one network from filling the store with journeys it never makes."""
    now = timestamp(house.clock.now())
    key = digest(f"departures\x00{network_of(visit.request.address)}")
    life = JOURNEY.total_seconds()
    if house.state.increment(Space.COUNTER, key, expires_at=now + life, now=now) > DEPARTURES:
        raise NetworkThrottled(int(life))


def _correlator(house: House, correlation: str, browser: str, cross_site_post: bool) -> SetCookie:
    """Return the cookie that ties one journey to one browser: short, and without any identity.

    One cookie a journey, so that two tabs do not spoil each other. It must come back
    with a cross-site POST when the portal answers so, hence `SameSite=None` there;
    browsers take that with Secure only, and in development both sides are one site.
    """
    secure = house.settings.secure_cookies
    return SetCookie(
        name=house.settings.cookie_name(_correlator_use(correlation)),
        value=browser,
        secure=secure,
        same_site="None" if cross_site_post and secure else "Lax",
        max_age=int(JOURNEY.total_seconds()),
    )


def _correlator_use(correlation: str) -> str:
    return "flow-" + digest(correlation)[:16]


class _Recall:
    """Gives a journey back, once, to the browser that began it at this portal."""

    def __init__(self, house: House, visit: Visit, portal: Portal) -> None:
        self._house, self._visit, self._portal = house, visit, portal
        self.next: str | None = None
        self.cookie_use = ""

    def __call__(self, correlation: str) -> Memory:
        kept = self._house.take(digest(correlation))
        if kept is None or "memory" not in kept:
            raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)
        if kept["door"] != self._portal.door:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "the journey began towards another portal")
        use = _correlator_use(correlation)
        cookie = self._visit.request.cookies.get(self._house.settings.cookie_name(use), "")
        if not hmac.compare_digest(digest(cookie), str(kept["browser"])):
            raise FlowLost("the journey began in another browser", code=Code.FLOW_OTHER_BROWSER)
        memory = kept["memory"]
        if not isinstance(memory, dict):
            raise FlowLost("the journey cannot be read", code=Code.FLOW_UNKNOWN)
        self.next, self.cookie_use = str(kept["next"]), use
        return {str(name): str(value) for name, value in memory.items()}


def answer(house: House, visit: Visit) -> Response:
    """Verify the portal's answer, keep what it proves, and go to the arrival page."""
    portal = portal_of(house, visit)
    recall = _Recall(house, visit, portal)
    with _turnstile(house, portal.door):
        arrival = portal.arrive(visit.request, recall, house.clock.now())
    if arrival.issuer != portal.issuer:
        raise AnswerRefused(Code.ROUTE_MISMATCH, "the answer is of another issuer")
    if arrival.solicited != (recall.next is not None):
        raise AnswerRefused(Code.UNSOLICITED, "the answer fits no journey")
    _once(house, arrival)
    asked = recall.next if arrival.solicited else arrival.relay
    admitted = admit(house, _identity(house, portal, arrival))
    waiting = Waiting(
        identity=admitted.identity,
        withheld=admitted.withheld,
        ends_at=arrival.ends_at,
        portal_session=arrival.portal_session,
        name_id=arrival.name_id,
        logout_hint=arrival.logout_hint,
        solicited=arrival.solicited,
        next=landing(house.settings, asked),
    )
    ticket = new_token()
    house.keep(digest(ticket), waiting.kept(), ARRIVAL)
    cookies = [house.cookie("arrival", ticket, max_age=int(ARRIVAL.total_seconds()))]
    if recall.cookie_use:
        cookies.append(house.no_cookie(recall.cookie_use))
    return see_other(house.path("/arrivee"), *cookies)


def _once(house: House, arrival: Arrival) -> None:
    """Refuse a message seen before, by this process or another (row SAM-12)."""
    if not arrival.message_id:
        return
    if arrival.message_ends_at is None:
        raise AnswerRefused(Code.SAML_TIME, "a one-use message without an end cannot be remembered")
    key = digest(f"{arrival.issuer}\x00{arrival.message_id}")
    ends = timestamp(arrival.message_ends_at)
    if not house.state.put_if_absent(Space.REPLAY, key, b"1", expires_at=ends, now=timestamp(house.clock.now())):
        raise AnswerRefused(Code.REPLAYED, "this message was already used")


def _identity(house: House, portal: Portal, arrival: Arrival) -> Identity:
    return Identity(
        issuer=arrival.issuer,
        subject=arrival.subject,
        door=portal.door,
        activities=house.policy.activities(portal.door),
        method=arrival.method,
        authenticated_at=arrival.authenticated_at,
        acr=arrival.acr,
        amr=arrival.amr,
        family_name=arrival.family_name,
        given_name=arrival.given_name,
        email=arrival.email,
        attributes=arrival.attributes,
    )


def metadata(house: House, visit: Visit) -> Response:
    """Return our own metadata for this portal, for those whose protocol has one."""
    document = portal_of(house, visit).metadata(house.clock.now())
    if document is None:
        raise RequestRefused("this portal's protocol has no metadata of ours", code=Code.NOT_FOUND)
    return document.adding(headers=house.pages.bare_headers())
