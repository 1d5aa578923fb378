"""Leaving for a portal, and its answer.

The answer is verified by the portal's room before anything is read. What it
proves is then kept for a moment on our side, and the browser is sent to a page
of ours by a same-site GET: only there does it show its own session cookie, which
browsers hold back on the cross-site POST of an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import AnswerRefused, Code, RequestRefused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows import proconnect, share
from imagin_gateway.flows.admission import admit
from imagin_gateway.flows.arrival import Waiting
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.house import JOURNEY, House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.proconnect import EitherRecall
from imagin_gateway.flows.round_trip import Purpose, Recall, portal_of, set_out, turnstile
from imagin_gateway.identity import Identity
from imagin_gateway.keys import digest, new_token
from imagin_gateway.pages.views import host_of
from imagin_gateway.providers.portal import ENTRY, Arrival, Departure, Portal
from imagin_gateway.settings.proconnect import PROCONNECT
from imagin_gateway.state.store import Space

LOGIN: Final = Purpose.LOGIN

DEPARTURES: Final = 300
"""Departures of one network within a journey's life: each leaves a record. A large school is one address."""

NOTICED: Final = "suite"
"""Parameter of an address that goes on from the page that says where it leads."""

RESTARTED: Final = "restarted"
"""Use of the cookie that tells a login begun again because nobody had asked for the first answer."""

RESTART: Final = timedelta(minutes=1)

ARRIVAL: Final = timedelta(minutes=5)
"""How long a verified answer waits for its browser, a question about another session included."""


def leave(house: House, visit: Visit) -> Response:
    """Send the person to the portal, keeping on our side what the answer must fit."""
    portal = portal_of(house, visit)
    query = visit.request.query
    anew = query.get("anew") == "1"
    prepare = partial(portal.depart, anew=anew)
    if house.settings.notice_before_portal and query.get(NOTICED) != "1":
        notice = _notice(house, visit, portal, prepare)
        if notice is not None:
            return notice
    return depart(house, visit, portal, query.get("next"), prepare)


def _notice(house: House, visit: Visit, portal: Portal, prepare: Callable[[datetime], Departure]) -> Response | None:
    """Return the page that says where one is about to go, and the way back; None when it is no other site (WEB-13).

    The site it names is the one the browser will be sent to, not one that is written beside it.
    """
    with turnstile(house, portal.door):
        host = host_of(prepare(house.clock.now()).url)
    if host in ("", house.settings.host):
        return None
    asked = visit.request.query.get("next")
    back_to = landed(house, visit, asked) if asked else ""
    anew = visit.request.query.get("anew", "")
    on = {"next": back_to, "anew": "1" if anew == "1" else "", NOTICED: "1"}
    return house.page(
        visit,
        "leaving",
        portal_name=door_name(house, visit, portal.door),
        host=host,
        portal_href=house.href(visit, f"/portail/{portal.door}", **on),
        back_href=house.href(visit, "/", next=back_to),
    )


def depart(
    house: House, visit: Visit, portal: Portal, asked: str | None, prepare: Callable[[datetime], Departure]
) -> Response:
    """Leave for a portal.

    Args:
        house: keeps the journey.
        visit: whose.
        portal: where to.
        asked: page to land on; one that is not allowed is replaced by the usual one.
        prepare: the portal's own `depart`.
    """
    # One network must not fill the store with journeys it never makes.
    share.count(house, visit, "departures", DEPARTURES, JOURNEY)
    back_to = landed(house, visit, asked)
    with turnstile(house, portal.door):
        departure = prepare(house.clock.now())
    response = set_out(house, Purpose.LOGIN, portal, departure, back_to)
    visit.event(house, EventName.LOGIN_STARTED, method=portal.method)
    return response


def answer(house: House, visit: Visit) -> Response:
    """Verify the portal's answer, keep what it proves, and go to the arrival page."""
    portal = portal_of(house, visit)
    if portal.answer_method == ENTRY:
        raise RequestRefused("this portal gives no answer", code=Code.NOT_FOUND)
    return _accept(house, visit, portal)


def enter(house: House, visit: Visit) -> Response:
    """Let in whom the portal's agent vouches for, on the one page behind it, and go to the arrival page."""
    portal = portal_of(house, visit)
    if portal.answer_method != ENTRY:
        raise RequestRefused("this portal has no agent in front of us", code=Code.NOT_FOUND)
    return _accept(house, visit, portal)


def _accept(house: House, visit: Visit, portal: Portal) -> Response:
    recall = EitherRecall(house, visit, portal) if portal.door == PROCONNECT else Recall(house, visit, portal, LOGIN)
    with turnstile(house, portal.door):
        arrival = portal.arrive(visit.request, recall, house.clock.now())
    if arrival.issuer != portal.issuer:
        raise AnswerRefused(Code.ROUTE_MISMATCH, "the answer is of another issuer")
    who, strength = (arrival.issuer, arrival.subject), arrival.acr or " ".join(arrival.amr)
    with attempt(EventName.LOGIN_REFUSED, portal.door, arrival.method, strength=strength, person=who):
        return _received(house, visit, portal, recall, arrival)


def _received(house: House, visit: Visit, portal: Portal, recall: Recall, arrival: Arrival) -> Response:
    """Keep what a verified answer proves, once, and go to the arrival page."""
    if arrival.solicited != (recall.next is not None):
        raise AnswerRefused(Code.UNSOLICITED, "the answer fits no journey")
    _once(house, arrival)
    if arrival.restart:
        return _restart(house, visit, portal, arrival)
    if isinstance(recall, EitherRecall) and recall.purpose is Purpose.LINK:
        return proconnect.recognised(house, arrival, recall.next or "").adding(
            cookies=[house.no_cookie(recall.cookie_use)]
        )
    asked = recall.next if arrival.solicited else arrival.relay
    admitted = admit(house, _identity(house, portal, arrival))
    waiting = Waiting(
        # The host's rules judge an account by the door it belongs to, however its owner comes.
        identity=replace(admitted.identity, door=portal.door),
        withheld=admitted.withheld,
        ends_at=arrival.ends_at,
        portal_session=arrival.portal_session,
        name_id=arrival.name_id,
        logout_hint=arrival.logout_hint,
        solicited=arrival.solicited,
        next=landed(house, visit, asked),
    )
    ticket = new_token()
    house.keep(digest(ticket), waiting.kept(), ARRIVAL)
    cookies = [house.cookie("arrival", ticket, max_age=int(ARRIVAL.total_seconds()))]
    if recall.cookie_use:
        cookies.append(house.no_cookie(recall.cookie_use))
    return see_other(house.path("/arrivee"), *cookies)


def _restart(house: House, visit: Visit, portal: Portal, arrival: Arrival) -> Response:
    """Take an answer that nobody asked for as the wish to log in, and no more: the login begins here, and now.

    Whoever slips their own answer to another person's browser gains nothing by it: the portal is asked who sits
    there. A portal that answers our request with one more unsolicited answer is not asked in circles.
    """
    if house.settings.cookie_name(RESTARTED) in visit.request.cookies:
        raise AnswerRefused(Code.UNSOLICITED, "the portal answers our request as if nobody had asked")
    secure = house.settings.secure_cookies
    mark = SetCookie(
        name=house.settings.cookie_name(RESTARTED),
        value="1",
        secure=secure,
        same_site="None" if secure else "Lax",
        max_age=int(RESTART.total_seconds()),
    )
    return depart(house, visit, portal, arrival.relay, portal.depart).adding(cookies=[mark])


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
    if portal.door == PROCONNECT:
        return proconnect.identity(house, arrival)
    return Identity(
        issuer=arrival.issuer,
        subject=arrival.subject,
        door=portal.door,
        activities=house.policy.activities(portal.door),
        method=arrival.method,
        authenticated_at=arrival.authenticated_at,
        proved_at=arrival.proved_at,
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
