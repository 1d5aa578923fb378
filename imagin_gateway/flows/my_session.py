"""Who is signed in here, until when; and staying on, by one click, up to the end that nothing moves.

A page cannot open by itself without a script. So the limit is told beforehand, here
and on the pages of the host; and the host may put our script in its pages, which
warns in time and asks for the same things by JSON.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.arrival import session_cookie
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.forms import FIELD, form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.problem import problem
from imagin_gateway.flows.proconnect import offered
from imagin_gateway.identity import Door
from imagin_gateway.sessions.session import Session

WARNING: Final = timedelta(minutes=2)
"""How long before the end the script warns (RGAA 4.1, 13.1: at least twenty seconds)."""


def _json(house: House, told: object) -> Response:
    return Response(200, json.dumps(told).encode(), "application/json", headers=house.pages.bare_headers())


def show(house: House, visit: Visit) -> Response:
    """Show the session of this browser, which looking at does not prolong; send somebody without one to the chooser."""
    session, ends = visit.session, visit.idle_ends_at
    if session is None or ends is None:
        if visit.request.by_script:
            title = house.text(visit, "problem.login")
            return problem(401, title, {"login": house.path("/")}, house.pages.bare_headers())
        return see_other(house.path("/"))
    if visit.request.by_script:
        return _json(house, _told(house, visit, session, ends))
    return house.page(
        visit,
        "session",
        action=house.path("/session"),
        csrf=form_token(house, visit),
        soon=ends - house.clock.now() <= WARNING,
        name=session.identity.display_name,
        door_name=door_name(house, visit, session.door),
        since=session.authenticated_at,
        idle_ends=ends,
        ends=session.absolute_end,
        hours=house.settings.sessions.absolute_hours,
        continue_href=house.settings.landing,
        logout_href=house.path("/fin"),
        others_href=house.path("/session/toutes"),
        password_href=house.path("/mot-de-passe") if session.door == Door.DIRECT else None,
        security_href=house.path("/securite") if session.door == Door.DIRECT and house.settings.factors.on else None,
        address_href=house.path("/adresse") if session.door == Door.DIRECT else None,
        proconnect_href=house.path("/proconnect") if session.door == Door.DIRECT and offered(house) else None,
    )


def _told(house: House, visit: Visit, session: Session, ends: datetime) -> dict[str, object]:
    """Return what a script of the same site may know: no more than the page shows, and the words to show it with."""
    now = house.clock.now()
    last = ends >= session.absolute_end
    text = partial(house.text, visit)
    hour = house.pages.spoken(visit.language.code).hour
    return {
        "name": session.identity.display_name,
        "door": session.door,
        "seconds_left": max(0, int((ends - now).total_seconds())),
        "ends_at": session.absolute_end.isoformat(),
        "can_extend": not last,
        "warn_before": int(WARNING.total_seconds()),
        "extend": {"path": house.path("/session"), "fields": {FIELD: form_token(house, visit)}},
        "logout": house.path("/fin"),
        "login": house.path("/"),
        "texts": {
            "title": text("session.soon"),
            "text": text("session.last" if last else "session.soon_text", hour=hour(ends)),
            "stay": text("session.stay"),
            "logout": text("session.end_now"),
            "over": text("session.over"),
            "login": text("session.login"),
        },
    }


def extend(house: House, visit: Visit) -> Response:
    """Stay on: the idle limit moves, here and in every other process; the absolute one does not."""
    posted(house, visit)
    cookie = session_cookie(house, visit)
    live = house.sessions.extend(cookie) if cookie and visit.session else None
    if live is None:
        raise Refused("there is no session to extend", code=Code.SESSION_ENDED)
    visit.event(house, EventName.SESSION_EXTENDED, door=live.session.door, person=live.session.person)
    if visit.request.by_script:
        return _json(house, _told(house, visit, live.session, house.sessions.ends_at(live)))
    return see_other(house.path("/session"))
