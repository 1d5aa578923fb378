"""All the sessions of one person: where they are open, and ending them.

Shown only to somebody who has just proved who they are (row SES-12): whoever finds
a screen left open must neither learn of the others nor end them.
"""

from __future__ import annotations

from urllib.parse import urlencode

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows import logout, portal_logout
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.forms import form_token, of_session, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import lacks
from imagin_gateway.pages.views import OpenSession
from imagin_gateway.sessions.session import Session


def _confirmed(house: House, visit: Visit) -> Session | Response:
    """Return the session of somebody who proved who they are a moment ago, or where to do so."""
    session = visit.session
    if session is None:
        return see_other(house.path("/"))
    if lacks(session.identity, house.clock.now(), house.settings.sessions.recent):
        return see_other(house.path("/confirmer") + "?" + urlencode({"next": house.path("/session/toutes")}))
    return session


def show(house: House, visit: Visit) -> Response:
    """Show them, this one first."""
    mine = _confirmed(house, visit)
    if isinstance(mine, Response):
        return mine
    sessions = house.sessions.list_person(*mine.person)
    sessions.sort(key=lambda each: (each.handle != mine.handle, each.created_at))
    beyond = portal_logout.address(house, mine)
    return house.page(
        visit,
        "sessions",
        form_targets=[beyond] if beyond else (),
        action=house.path("/session/toutes"),
        csrf=form_token(house, visit, of_session(house, visit)),
        sessions=[
            OpenSession(
                handle=each.handle,
                here=each.handle == mine.handle,
                device=each.device,
                address=each.address,
                door_name=door_name(house, visit, each.door),
                since=each.created_at,
                seen=each.last_seen,
            )
            for each in sessions
        ],
        ended=visit.request.query.get("fin", "") == "1",
        back_href=house.path("/session"),
        logout_href=house.path("/fin"),
    )


def submit(house: House, visit: Visit) -> Response:
    """End one of them, all the others, or all of them."""
    form = posted(house, visit, of_session(house, visit))
    mine = _confirmed(house, visit)
    if isinstance(mine, Response):
        return mine
    asked = form.get("fin", "")
    if asked == "toutes":
        ended = house.sessions.end_person(*mine.person)
        _tell(house, visit, mine, "all", ended)
        return logout.after(house, visit, mine)
    if asked == "autres":
        _tell(house, visit, mine, "others", house.sessions.end_others(mine))
    elif asked == mine.handle:
        return see_other(house.path("/fin"))
    else:
        ended = house.sessions.end_handle(asked, person=mine.person) is not None
        if not ended and not asked:
            raise RequestRefused("no session is named", code=Code.MALFORMED)
        _tell(house, visit, mine, "one", int(ended))
    return see_other(house.path("/session/toutes") + "?fin=1")


def _tell(house: House, visit: Visit, mine: Session, which: str, ended: int) -> None:
    visit.event(
        house, EventName.SESSIONS_ENDED, door=mine.door, person=mine.person, detail={"which": which, "ended": ended}
    )
