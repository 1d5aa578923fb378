"""Proving anew who one is, in the middle of a session, and coming back to the page that asked.

Nothing here says what is enough: the page that asked decides again when the person
comes back. A new proof is a new login, under a new session id (row SES-03).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.client import client_of
from imagin_gateway.flows.direct_login import OURS, enter
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.second_step import begin
from imagin_gateway.identity import Door, lacks
from imagin_gateway.keys import Secret
from imagin_gateway.local.factors import MFA
from imagin_gateway.providers.portal import ENTRY
from imagin_gateway.sessions.session import Session
from imagin_gateway.settings import under

JUST_NOW: Final = timedelta(seconds=60)
"""A login this recent that does not satisfy the page that asked is too weak: asking again would go round in circles."""


def show(house: House, visit: Visit) -> Response:
    """Ask for the password, or offer the portal, as the session was opened."""
    session = visit.session
    next_page = landed(house, visit, visit.request.query.get("next"))
    if session is None:
        return see_other(house.path("/") + "?" + urlencode({"next": next_page}))
    portal = house.portals.get(session.door)
    if portal is not None and portal.answer_method == ENTRY:
        raise Refused("an agent's headers never prove anything recent", code=Code.TOO_WEAK)
    if session.door == Door.DIRECT:
        return _show_direct(house, visit, session, next_page)
    if not lacks(session.identity, house.clock.now(), JUST_NOW) and next_page != house.path("/session/toutes"):
        raise Refused("a login of this minute was not strong enough", code=Code.TOO_WEAK)
    return _page(house, visit, session, next_page)


def _show_direct(house: House, visit: Visit, session: Session, next_page: str) -> Response:
    """Ask for the password, then for the second factor; for that alone when the password was proved just now."""
    old = lacks(session.identity, house.clock.now(), JUST_NOW) or session.method not in OURS
    # Of our own pages, the help desk alone asks for more than a recent login.
    if old or (under(next_page, house.settings.mount_path) and next_page != house.path("/assistance")):
        return _page(house, visit, session, next_page)
    factored = house.settings.factors.on and house.direct.factors.of(session.subject).any
    if factored and MFA not in session.amr:
        account = house.direct.find(session.subject)
        if account is None:
            raise Refused("the account is gone", code=Code.SESSION_ENDED)
        return begin(house, visit, account, next_page, must_choose=False)
    if house.settings.factors.on and not factored:
        raise Refused("the account has no second factor, and the page asks for one", code=Code.FACTOR_DUE)
    raise Refused("a login of this minute was not strong enough", code=Code.TOO_WEAK)


def _page(
    house: House, visit: Visit, session: Session, next_page: str, *, failed: bool = False, empty: bool = False
) -> Response:
    direct = session.door == Door.DIRECT
    leave = house.path(f"/portail/{session.door}") + "?" + urlencode({"next": next_page, "anew": "1"})
    return house.page(
        visit,
        "confirm",
        status=403 if failed else 422 if empty else 200,
        action=house.path("/confirmer"),
        csrf=form_token(house, visit),
        next=next_page,
        username=session.subject if direct else "",
        portal_name="" if direct else door_name(house, visit, session.door),
        portal_href="" if direct else leave,
        failed=failed,
        empty=empty,
        reset_href=house.path("/mot-de-passe/oubli"),
        cancel_href=house.settings.landing,
    )


def submit(house: House, visit: Visit) -> Response:
    """Check the password of the person who is signed in; it costs and counts as any other attempt."""
    form = posted(house, visit)
    session = visit.session
    next_page = landed(house, visit, form.get("next", ""))
    if session is None or session.door != Door.DIRECT:
        raise Refused("the session ended before it was confirmed", code=Code.SESSION_ENDED)
    password, client, request = Secret(form.get("motdepasse", "")), client_of(house, visit), visit.request
    if not password:
        return _page(house, visit, session, next_page, empty=True)
    try:
        with attempt(EventName.CONFIRMATION_REFUSED, Door.DIRECT, "password", person=session.person):
            checked = house.direct.check(
                session.subject, password, address=request.address, client=client, correlation=request.correlation
            )
    except Refused as refused:
        if refused.code is not Code.CREDENTIALS:
            raise
        detail = {"reason": str(getattr(refused, "reason", ""))}
        visit.event(
            house,
            EventName.CONFIRMATION_REFUSED,
            refused.code,
            door=Door.DIRECT,
            method="password",
            person=session.person,
            detail=detail,
        )
        return _page(house, visit, session, next_page, failed=True)
    return enter(house, visit, checked.account, next_page, must_choose=checked.must_choose, anew=True)
