"""The door that last opened a session in this browser: what the chooser offers first, where the host switches it on.

The cookie holds the id of one door of the table. It proves nothing and opens nothing:
whoever forges it sees another door offered first (row RTE-07).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows.doors import card_name, enter_href
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.pages.views import LastDoor

COOKIE: Final = "door"

LIFE: Final = timedelta(days=180)


def last_door(house: House, visit: Visit, next_page: str) -> LastDoor | None:
    """Return the door to offer first, or None."""
    if not house.settings.remember_door:
        return None
    door = house.policy.doors.get(visit.request.cookies.get(house.settings.cookie_name(COOKIE), ""))
    if door is None:
        return None
    forget = house.href(visit, "/oublier", next=next_page)
    return LastDoor(card_name(house, visit, door), enter_href(house, visit, door, next_page), forget)


def remembered_door(house: House, door: str) -> list[SetCookie]:
    """Return the cookie that remembers a door which has just opened a session; none where the host did not ask."""
    if not house.settings.remember_door or door not in house.policy.doors:
        return []
    return [house.cookie(COOKIE, door, max_age=int(LIFE.total_seconds()))]


def forget(house: House, visit: Visit) -> Response:
    """Forget the door, and show the chooser again. A plain link does: nothing but an offer is lost."""
    return see_other(house.href(visit, "/", next=visit.request.query.get("next", "")), house.no_cookie(COOKIE))
