"""Who is signed in here, since when, and until when."""

from __future__ import annotations

from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import Door


def show(house: House, visit: Visit) -> Response:
    """Show the session of this browser; send somebody who has none to the chooser."""
    session = visit.session
    if session is None:
        return see_other(house.path("/"))
    return house.pages.render(
        "session",
        name=session.identity.display_name,
        door_name=door_name(house, session.door),
        since=session.authenticated_at,
        ends=session.absolute_end,
        continue_href=house.settings.landing,
        logout_href=house.path("/fin"),
        password_href=house.path("/mot-de-passe") if session.door == Door.DIRECT else None,
        address_href=house.path("/adresse") if session.door == Door.DIRECT else None,
    )
