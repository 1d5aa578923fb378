"""Ending the session: the record first, the cookie after, and a word about the portal that stays open."""

from __future__ import annotations

from urllib.parse import urlencode

from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows import portal_logout
from imagin_gateway.flows.arrival import session_cookie
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.sessions.session import Session


def show(house: House, visit: Visit) -> Response:
    """Ask. A GET ends nothing: a link or an image elsewhere must not sign anybody out."""
    beyond = portal_logout.address(house, visit.session)
    return house.page(
        visit,
        "logout",
        form_targets=[beyond] if beyond else (),
        action=house.path("/fin"),
        csrf=form_token(house, visit),
        back_href=house.settings.landing,
    )


def submit(house: House, visit: Visit) -> Response:
    """End the session; its record is gone before the browser is sent anywhere (row LGO-01)."""
    posted(house, visit)
    cookie = session_cookie(house, visit)
    ended = house.sessions.end(cookie) if cookie else None
    if ended is not None:
        visit.event(house, EventName.LOGOUT, door=ended.door, person=ended.person)
        if not ended.restricted:
            house.hooks.logged_out(ended.identity, house.events)
    return after(house, visit, ended)


def after(house: House, visit: Visit, ended: Session | None) -> Response:
    """Leave for the portal of a session that has just ended here, or for the page that says so."""
    response = portal_logout.leave(house, visit, ended) if ended is not None else None
    if response is None:
        query = "?" + urlencode({"porte": ended.door}) if ended is not None and ended.door in house.portals else ""
        response = see_other(house.path("/fin/faite") + query)
    return response.adding(headers=[("Clear-Site-Data", '"cache", "storage"')], cookies=[house.no_cookie("session")])


def show_done(house: House, visit: Visit) -> Response:
    """Say that the session has ended here, and that the portal's may be open still.

    Never while one is open: anybody can send a browser to this address.
    """
    if visit.session is not None:
        return see_other(house.path("/fin"))
    asked = visit.request.query.get("porte", "")
    door = house.policy.doors.get(asked) if asked in house.portals else None
    return house.page(
        visit,
        "logged_out",
        portal_name=door_name(house, visit, asked) if door else None,
        portal_href=door.link if door else None,
        chooser_href=house.path("/"),
    )
