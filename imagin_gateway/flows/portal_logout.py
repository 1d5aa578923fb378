"""Single logout: ours first, then the portal's; and the portal's, when it asks for ours.

What a person ends here is ended before the browser leaves, and stays ended
whatever the portal answers. What a portal asks for is verified by its room before
anything ends, is believed once, and concerns the sessions it opened alone: they are
found in the shared store, since the browser may bring no cookie, or not be there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import AnswerRefused, Code, GatewayError, Refused, RequestRefused, Unavailable
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows import share
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.refusals import detail_of, logout_refusal
from imagin_gateway.flows.round_trip import Purpose, Recall, portal_of, set_out, turnstile
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import digest
from imagin_gateway.providers.portal import SHOWN, Departure, LogoutOrder, LogoutWay, Portal, PortalSession, PostedForm
from imagin_gateway.sessions.session import Session
from imagin_gateway.settings.proconnect import PROCONNECT
from imagin_gateway.state.store import Space

ORDERS: Final = 600
"""Orders taken from one network at one door within `ORDERS_LIFE`: a portal that ends many sessions is heard."""

ORDERS_LIFE: Final = timedelta(minutes=1)

_PLAIN: Final = "text/plain; charset=utf-8"


def address(house: House, session: Session | None) -> str:
    """Return where ending this session leads besides our own pages, "" if nowhere: the form's policy must allow it."""
    try:
        departure = _departure(house, session) if session is not None else None
    except GatewayError:
        return ""
    return departure.url if departure is not None else ""


def leave(house: House, visit: Visit, ended: Session) -> Response | None:
    """Send the browser to end the portal's session too, after ours (row LGO-01).

    Returns:
        None when the portal offers no logout, or cannot be asked now: the person is logged out here and told so.
    """
    try:
        departure = _departure(house, ended)
        if departure is None:
            return None
        response = set_out(house, Purpose.LOGOUT, house.portals[ended.door], departure)
    except GatewayError as error:
        visit.event(house, EventName.PORTAL_FAILED, error.code, door=ended.door, detail={"during": "logout"})
        return None
    token = departure.memory.get("id_token")
    detail = {} if token is None else {"id_token": token == SHOWN}
    visit.event(house, EventName.LOGOUT_AT_PORTAL, door=ended.door, person=ended.person, detail=detail)
    return response


def _departure(house: House, session: Session) -> Departure | None:
    portal = house.portals.get(session.door)
    if portal is None or (session.issuer != portal.issuer and session.door != PROCONNECT):
        return None
    told = PortalSession(
        issuer=portal.issuer,
        subject=session.subject,
        portal_session=session.portal_session,
        name_id=session.name_id,
        logout_hint=session.logout_hint,
    )
    with turnstile(house, portal.door):
        return portal.depart_logout(told, house.clock.now())


def in_browser(house: House, visit: Visit) -> Response:
    """Take what a browser brings from the portal: an order, or the answer to a logout that began here."""
    try:
        portal = portal_of(house, visit)
        with turnstile(house, portal.door):
            order = portal.logout_asked(visit.request, LogoutWay.BROWSER, house.clock.now())
        return _back(house, visit, portal) if order is None else _carry_out(house, visit, portal, order)
    except Refused as error:
        return logout_refusal(house, visit, error)


def by_channel(house: House, visit: Visit) -> Response:
    """Take an order from the portal's server. What it reads is a status and a short word, never a page of ours.

    A failure of ours is 503, so that the portal asks again (row SES-15).
    """
    try:
        return _told(house, visit, LogoutWay.CHANNEL)
    except Refused as error:
        _refused(house, visit, error)
        return Response(status_of(error), error.code.value.encode(), _PLAIN, headers=_retry(error))
    except Unavailable as error:
        _refused(house, visit, error)
        return Response(503, error.code.value.encode(), _PLAIN, headers=[("Retry-After", str(error.retry_after))])


def in_frame(house: House, visit: Visit) -> Response:
    """Take an order that a frame in the portal's page brings; nobody reads what it shows."""
    try:
        return _told(house, visit, LogoutWay.FRAME)
    except (Refused, Unavailable) as error:
        _refused(house, visit, error)
        status = 503 if isinstance(error, Unavailable) else status_of(error)
        return Response(status, error.code.value.encode(), _PLAIN, headers=_retry(error))


def _retry(error: Refused | Unavailable) -> list[tuple[str, str]]:
    """Say when to come again, where that is known."""
    seconds = getattr(error, "retry_after", None)
    return [] if seconds is None else [("Retry-After", str(int(seconds)))]


def status_of(error: Refused) -> int:
    """Return the status that tells a portal's server what was wrong with its request."""
    known = {Code.MEDIA_TYPE: 415, Code.TOO_LARGE: 413, Code.NOT_FOUND: 404, Code.NETWORK_THROTTLED: 429}
    return known.get(error.code, 404 if error.code in (Code.PORTAL_UNKNOWN, Code.PORTAL_DISABLED) else 400)


def _told(house: House, visit: Visit, way: LogoutWay) -> Response:
    portal = portal_of(house, visit)
    # LGO-10: whoever guesses is soon told to wait.
    share.count(house, visit, f"orders\x00{portal.door}", ORDERS, ORDERS_LIFE)
    with turnstile(house, portal.door):
        order = portal.logout_asked(visit.request, way, house.clock.now())
    if order is None:
        raise RequestRefused("this portal asks for no logout here", code=Code.NOT_FOUND)
    return _carry_out(house, visit, portal, order)


def _carry_out(house: House, visit: Visit, portal: Portal, order: LogoutOrder) -> Response:
    """End what a verified order names, once, and give the portal its answer."""
    if order.issuer != portal.issuer:
        raise AnswerRefused(Code.ROUTE_MISMATCH, "the order is of another issuer")
    try:
        _check_new(house, order)
        known = _as_opened(portal, order)
        person = _whose(house, known)
        ended = _end(house, known)
        # Remembered last: an order that could not be carried out may come again.
        _remember(house, order)
    except Unavailable as error:
        # The portal must not believe that it is done.
        visit.event(house, EventName.LOGOUT_REFUSED, error.code, door=portal.door)
        return _given(house, visit, order.done(False))
    visit.event(house, EventName.LOGOUT_BY_PORTAL, door=portal.door, person=person, detail={"ended": ended})
    response = _given(house, visit, order.done(True))
    if visit.session is not None and house.sessions.resolve(_cookie(house, visit)) is None:
        response = response.adding(cookies=[house.no_cookie("session")])
    return response


def _as_opened(portal: Portal, order: LogoutOrder) -> LogoutOrder:
    """Return an order under the issuer that its sessions have here: an account ProConnect opens keeps its own."""
    return replace(order, issuer=DIRECT_ISSUER, subject="") if portal.door == PROCONNECT else order


def _given(house: House, visit: Visit, answer: Response | PostedForm) -> Response:
    """Return what takes the portal's answer to it: as it is, or a page with a button for one that goes by POST."""
    if isinstance(answer, Response):
        return answer
    return house.page(
        visit, "logout_answer", form_targets=[answer.action], action=answer.action, fields=dict(answer.fields)
    )


def _cookie(house: House, visit: Visit) -> str:
    return visit.request.cookies.get(house.settings.cookie_name("session"), "")


def _end(house: House, order: LogoutOrder) -> int:
    sessions = house.sessions
    if order.name_ids:
        return sum(sessions.end_name_id(order.issuer, each, order.portal_sessions) for each in order.name_ids)
    if order.portal_sessions:
        return sum(sessions.end_portal_session(order.issuer, each) for each in order.portal_sessions)
    if order.subject:
        return sessions.end_person(order.issuer, order.subject)
    raise AnswerRefused(Code.MALFORMED, "the order names nobody")


def _whose(house: House, order: LogoutOrder) -> tuple[str, str] | None:
    """Return the person whose sessions an order ends, None when it ends none, or those of several."""
    if order.subject:
        return order.issuer, order.subject
    sessions = house.sessions
    if order.name_ids:
        each = [sessions.list_name_id(order.issuer, name, order.portal_sessions) for name in order.name_ids]
    else:
        each = [sessions.list_portal_session(order.issuer, known) for known in order.portal_sessions]
    people = {session.person for found in each for session in found}
    return people.pop() if len(people) == 1 else None


def _check_new(house: House, order: LogoutOrder) -> None:
    """Refuse an order seen before, by this process or another: it would end the sessions opened since."""
    if not order.message_id:
        return
    if order.message_ends_at is None:
        raise AnswerRefused(Code.MALFORMED, "a one-use order without an end cannot be remembered")
    if house.state.get(Space.REPLAY, _order_key(order), now=timestamp(house.clock.now())) is not None:
        raise AnswerRefused(Code.REPLAYED, "this order was already used")


def _remember(house: House, order: LogoutOrder) -> None:
    """Keep an order that was carried out from being believed again; two copies at once end the same sessions."""
    if order.message_id and order.message_ends_at is not None:
        now, ends = timestamp(house.clock.now()), timestamp(order.message_ends_at)
        house.state.put(Space.REPLAY, _order_key(order), b"1", expires_at=ends, now=now)


def _order_key(order: LogoutOrder) -> str:
    return digest(f"logout\x00{order.issuer}\x00{order.message_id}")


def _back(house: House, visit: Visit, portal: Portal) -> Response:
    """The portal has answered the logout that began here. Ours ended before: whatever it says, say so (row LGO-03)."""
    recall = Recall(house, visit, portal, Purpose.LOGOUT)
    query = ""
    try:
        with turnstile(house, portal.door):
            portal.logout_returned(visit.request, recall, house.clock.now())
    except (Refused, Unavailable) as error:
        _refused(house, visit, error)
        query = "?" + urlencode({"porte": portal.door})
    response = see_other(house.path("/fin/faite") + query)
    return response.adding(cookies=[house.no_cookie(recall.cookie_use)]) if recall.cookie_use else response


def _refused(house: House, visit: Visit, error: GatewayError) -> None:
    visit.event(house, EventName.LOGOUT_REFUSED, error.code, detail=detail_of(error))
