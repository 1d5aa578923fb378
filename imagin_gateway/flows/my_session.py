"""Who is signed in here, until when; and staying on, by one click, up to the end that nothing moves.

A page cannot open by itself without a script. So the limit is told beforehand, here
and on the pages of the host; and the host may put our script in its pages, which
warns in time and asks for the same things by JSON.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.arrival import session_cookie
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.problem import challenge, problem
from imagin_gateway.flows.proconnect import offered
from imagin_gateway.identity import Door
from imagin_gateway.sessions.session import Session

WARNING: Final = timedelta(minutes=2)
"""How long before the end the script warns (RGAA 4.1, 13.1: at least twenty seconds)."""


def show(house: House, visit: Visit) -> Response:
    """Show the session of this browser, which looking at does not prolong; send somebody without one to the chooser."""
    session, ends = visit.session, visit.idle_ends_at
    if session is None or ends is None:
        if visit.request.by_script:
            title, code = house.text(visit, "problem.login"), {"code": Code.SESSION_NEEDED.value}
            headers = [*house.pages.bare_headers(), *house.pages.spoken_in(visit.language.code)]
            return problem(401, title, {"login": house.path("/"), **code}, [*headers, challenge(house.settings.host)])
        return see_other(house.path("/"))
    return _page(house, visit, session, ends)


def _page(house: House, visit: Visit, session: Session, ends: datetime) -> Response:
    now, direct = house.clock.now(), session.door == Door.DIRECT
    values: dict[str, Any] = {
        "action": house.path("/session"),
        "csrf": form_token(house, visit),
        "soon": ends - now <= WARNING,
        "name": session.identity.display_name,
        "door": session.door,
        "door_name": door_name(house, visit, session.door),
        "since": session.authenticated_at,
        "idle_ends": ends,
        "ends": session.absolute_end,
        "hours": house.settings.sessions.absolute_hours,
        "seconds_left": max(0, int((ends - now).total_seconds())),
        "warn_before": int(WARNING.total_seconds()),
        "continue_href": house.settings.landing,
        "login_href": house.path("/"),
        "logout_href": house.path("/fin"),
        "others_href": house.path("/session/toutes"),
        "password_href": house.path("/mot-de-passe") if direct else None,
        "security_href": house.path("/securite") if direct and house.settings.factors.on else None,
        "address_href": house.path("/adresse") if direct else None,
        "proconnect_href": house.path("/proconnect") if direct and offered(house) else None,
    }
    # Our own script asks from the pages of the host, and its browser may say so alone.
    if visit.request.by_script:
        return house.pages.tell("session", language=visit.language, **values)
    return house.page(visit, "session", **values)


def extend(house: House, visit: Visit) -> Response:
    """Stay on: the idle limit moves, here and in every other process; the absolute one does not."""
    posted(house, visit)
    cookie = session_cookie(house, visit)
    live = house.sessions.extend(cookie) if cookie and visit.session else None
    if live is None:
        raise Refused("there is no session to extend", code=Code.SESSION_ENDED)
    visit.event(house, EventName.SESSION_EXTENDED, door=live.session.door, person=live.session.person)
    if visit.request.by_script:
        return _page(house, visit, live.session, house.sessions.ends_at(live))
    return see_other(house.path("/session"))
