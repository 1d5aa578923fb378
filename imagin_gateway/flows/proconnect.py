"""ProConnect: another way to an account of the direct door, once its owner has linked the two.

ProConnect says who somebody is to their employer; it does not say which account of ours is
theirs, and a mail address proves nothing of it. So a person first signs in by the direct
door, asks for the link, proves who they are to ProConnect, and confirms. Only then does
ProConnect open that account, and no other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, Refused, RequestRefused
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.forms import form_token, of_session, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.round_trip import Purpose, Recall, set_out, turnstile
from imagin_gateway.identity import DIRECT_ISSUER, Door, Identity
from imagin_gateway.keys import digest, new_token
from imagin_gateway.local.factors import MFA
from imagin_gateway.providers.portal import Arrival, Memory, Portal
from imagin_gateway.sessions.session import Session
from imagin_gateway.settings.proconnect import PROCONNECT

WAITING: Final = timedelta(minutes=5)
"""How long somebody who was recognised may take to confirm the link."""

TICKET: Final = "link"
"""Use of the cookie that ties what waits for a confirmation to its browser."""


class EitherRecall(Recall):
    """Gives back a login or a link that began here, whichever the answer names."""

    def __init__(self, house: House, visit: Visit, portal: Portal) -> None:
        super().__init__(house, visit, portal, Purpose.LOGIN)
        self.purpose = Purpose.LOGIN

    def __call__(self, correlation: str) -> Memory:
        try:
            return super().__call__(correlation)
        except FlowLost as error:
            if error.code is not Code.FLOW_UNKNOWN:
                raise
        self.purpose = self._purpose = Purpose.LINK
        return super().__call__(correlation)


def offered(house: House) -> bool:
    """Tell whether people may come by ProConnect."""
    return PROCONNECT in house.portals


def identity(house: House, arrival: Arrival) -> Identity:
    """Return the account that a person is linked to, as the host's rules know it: one of the direct door.

    Raises:
        AnswerRefused: `NOT_LINKED`: no account in use is.
    """
    account = house.direct.links.account(arrival.issuer, arrival.subject)
    if account is None:
        raise AnswerRefused(Code.NOT_LINKED, "no account in use is linked to this person")
    return Identity(
        issuer=DIRECT_ISSUER,
        subject=account.identifier,
        door=Door.DIRECT,
        activities=house.policy.activities(Door.DIRECT),
        method=arrival.method,
        authenticated_at=arrival.authenticated_at,
        proved_at=arrival.proved_at,
        acr=arrival.acr,
        amr=arrival.amr,
        family_name=account.family_name,
        given_name=account.given_name,
        email=account.email,
    )


def show(house: House, visit: Visit) -> Response:
    """Say whether the account is linked, and offer to link it or to undo that."""
    session = _direct(house, visit)
    if isinstance(session, Response):
        return session
    linked = house.direct.links.is_linked(session.subject, house.portals[PROCONNECT].issuer)
    return house.page(
        visit,
        "proconnect",
        form_targets=[] if linked else [_leads_to(house)],
        mode="linked" if linked else "offer",
        action=house.path("/proconnect/retirer" if linked else "/proconnect"),
        csrf=form_token(house, visit, of_session(house, visit)),
        told="",
        back_href=house.path("/session"),
    )


def _leads_to(house: House) -> str:
    """Return where the form leads on, which the page's policy must allow: maybe another host than the issuer's."""
    portal = house.portals[PROCONNECT]
    try:
        with turnstile(house, portal.door):
            return portal.depart(house.clock.now()).url
    except GatewayError:
        return portal.issuer


def begin(house: House, visit: Visit) -> Response:
    """Leave for ProConnect to prove who one is there; nothing is linked yet."""
    posted(house, visit, of_session(house, visit))
    session = _direct(house, visit)
    if isinstance(session, Response):
        return session
    portal = house.portals[PROCONNECT]
    with turnstile(house, portal.door):
        departure = portal.depart(house.clock.now())
    return set_out(house, Purpose.LINK, portal, departure, session.handle)


def recognised(house: House, arrival: Arrival, handle: str) -> Response:
    """Keep whom ProConnect vouches for until the owner of the account confirms, in the browser that asked."""
    ticket = new_token()
    name = " ".join(part for part in (arrival.given_name, arrival.family_name) if part)
    step = {
        "link": {"issuer": arrival.issuer, "subject": arrival.subject, "name": name, "email": arrival.email},
        "handle": handle,
    }
    house.keep(digest(ticket), step, WAITING)
    cookie = house.cookie(TICKET, ticket, max_age=int(WAITING.total_seconds()))
    return see_other(house.path("/proconnect/confirmer"), cookie)


def ask(house: House, visit: Visit) -> Response:
    """Show whom ProConnect vouches for, and ask whether this account is theirs."""
    session = _direct(house, visit)
    if isinstance(session, Response):
        return session
    key = _ticket(house, visit)
    told = _link(house.peek(key), session)
    return house.page(
        visit,
        "proconnect",
        mode="confirm",
        action=house.path("/proconnect/confirmer"),
        csrf=form_token(house, visit, key),
        told=", ".join(each for each in (told["name"], told["email"]) if each) or told["subject"],
        back_href=house.path("/session"),
    )


def confirm(house: House, visit: Visit) -> Response:
    """Link the two: asked for, proved on both sides, and confirmed."""
    ticket = visit.request.cookies.get(house.settings.cookie_name(TICKET), "")
    posted(house, visit, digest(ticket) if ticket else "")
    key = _ticket(house, visit)
    session = _direct(house, visit)
    if isinstance(session, Response):
        return session
    told = _link(house.take(key), session)
    if told["issuer"] != house.portals[PROCONNECT].issuer:
        raise FlowLost("the portal was changed meanwhile", code=Code.FLOW_UNKNOWN)
    request = visit.request
    house.direct.links.make(
        session.subject, told["issuer"], told["subject"], address=request.address, correlation=request.correlation
    )
    return see_other(house.path("/proconnect"), house.no_cookie(TICKET))


def remove(house: House, visit: Visit) -> Response:
    """Undo the link, and end the sessions it opened."""
    posted(house, visit, of_session(house, visit))
    session = _direct(house, visit)
    if isinstance(session, Response):
        return session
    request = visit.request
    issuer = house.portals[PROCONNECT].issuer
    house.direct.links.remove(session.subject, issuer, address=request.address, correlation=request.correlation)
    for each in house.sessions.list_person(*session.person):
        if each.door == PROCONNECT:
            house.sessions.end_handle(each.handle, person=session.person)
    return see_other(house.path("/proconnect"))


def still_linked(house: House, who: Identity) -> bool:
    """Tell whether an account may still be opened by ProConnect: it may have been closed since it was recognised."""
    if who.door != PROCONNECT:
        return True
    return house.direct.links.opens(who.subject, house.portals[PROCONNECT].issuer)


def _direct(house: House, visit: Visit) -> Session | Response:
    """Return the session of somebody who has just signed in by the direct door, or where to do so."""
    if not offered(house):
        raise RequestRefused("ProConnect is switched off", code=Code.PORTAL_DISABLED)
    session = visit.session
    if session is None or session.door != Door.DIRECT or session.restricted:
        return see_other(house.path("/direct") + "?" + urlencode({"next": house.path("/proconnect")}))
    # A link opens the account: whoever makes one, or undoes it, has proved all the account asks for.
    factored = house.settings.factors.on and house.direct.factors.of(session.subject).any
    weak = factored and MFA not in session.amr
    if weak or _age(house.clock.now(), session) > house.settings.sessions.recent:
        return see_other(house.path("/confirmer") + "?" + urlencode({"next": house.path("/proconnect")}))
    return session


def _age(now: datetime, session: Session) -> timedelta:
    return now - session.authenticated_at


def _ticket(house: House, visit: Visit) -> str:
    ticket = visit.request.cookies.get(house.settings.cookie_name(TICKET), "")
    if not ticket:
        raise FlowLost("this browser waits for no link", code=Code.FLOW_UNKNOWN)
    return digest(ticket)


def _link(step: dict[str, object] | None, session: Session) -> dict[str, str]:
    """Return what waits, if it was asked for in this very session."""
    told = step.get("link") if step is not None else None
    if step is None or not isinstance(told, dict):
        raise FlowLost("nothing waits under this ticket", code=Code.FLOW_UNKNOWN)
    if step.get("handle") != session.handle:
        raise Refused("the link was asked for in another session", code=Code.FLOW_OTHER_BROWSER)
    return {str(name): str(value) for name, value in told.items()}
