"""A portal has vouched for somebody: open the session, or ask first if it would replace another person's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from imagin_gateway.errors import Code, FlowLost, RequestRefused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.attempts import attempt, strength_told
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.last_door import remembered_door
from imagin_gateway.flows.proconnect import still_linked
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.keys import digest
from imagin_gateway.sessions.device import device_of

USED: Final = timedelta(minutes=1)
"""How long a ticket that was used still tells where it led: two tabs may come back from a portal with one cookie."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a verified answer left for its browser."""

    identity: Identity
    withheld: str
    ends_at: datetime | None
    portal_session: str = field(repr=False)
    name_id: str = field(repr=False)
    logout_hint: str = field(repr=False)
    solicited: bool
    next: str

    def kept(self) -> dict[str, object]:
        """Return what is kept on our side; `read` rebuilds it."""
        who = self.identity
        return {
            "identity": {
                "issuer": who.issuer,
                "subject": who.subject,
                "door": who.door,
                "activities": sorted(who.activities),
                "method": who.method,
                "authenticated_at": who.authenticated_at.isoformat(),
                "proved_at": who.proved_at.isoformat() if who.proved_at else None,
                "acr": who.acr,
                "amr": list(who.amr),
                "family_name": who.family_name,
                "given_name": who.given_name,
                "email": who.email,
                "attributes": {name: list(values) for name, values in who.attributes.items()},
            },
            "withheld": self.withheld,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "portal_session": self.portal_session,
            "name_id": self.name_id,
            "logout_hint": self.logout_hint,
            "solicited": self.solicited,
            "next": self.next,
        }

    @classmethod
    def read(cls, kept: Mapping[str, object]) -> Waiting:
        """Rebuild it from what was kept. Raises `FlowLost` if that is something else."""
        try:
            told = dict(cast(Mapping[str, Any], kept["identity"]))
            told["authenticated_at"] = datetime.fromisoformat(told["authenticated_at"])
            proved_at = told.get("proved_at")
            told["proved_at"] = datetime.fromisoformat(proved_at) if proved_at else None
            told["activities"] = frozenset(Activity(name) for name in told["activities"])
            ends_at = kept["ends_at"]
            return cls(
                identity=Identity(**told),
                withheld=str(kept["withheld"]),
                ends_at=datetime.fromisoformat(str(ends_at)) if ends_at else None,
                portal_session=str(kept["portal_session"]),
                name_id=str(kept["name_id"]),
                logout_hint=str(kept.get("logout_hint", "")),
                solicited=kept["solicited"] is True,
                next=str(kept["next"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FlowLost("nothing waits under this ticket", code=Code.FLOW_UNKNOWN) from error


def _ticket(house: House, visit: Visit) -> str:
    ticket = visit.request.cookies.get(house.settings.cookie_name("arrival"), "")
    if not ticket:
        raise FlowLost("this browser holds no ticket", code=Code.FLOW_UNKNOWN)
    return digest(ticket)


def arrive(house: House, visit: Visit) -> Response:
    """Open the session the portal vouched for.

    An answer that nobody asked for here must not silently put another person in the
    place of the one who is signed in (login CSRF; row SAM-15): then a page asks.
    """
    key = _ticket(house, visit)
    kept = house.peek(key)
    if kept is None:
        raise FlowLost("nothing waits under this ticket", code=Code.FLOW_UNKNOWN)
    if _is_used(kept):
        return see_other(str(kept["next"]))
    waiting = Waiting.read(kept)
    visitor = visit.session.identity if visit.session else None
    if not waiting.solicited and visitor is not None and visitor.key != waiting.identity.key:
        who = waiting.identity
        visit.event(
            house,
            EventName.LOGIN_CONFIRMATION_ASKED,
            door=who.door,
            method=who.method,
            strength=strength_told(who),
            person=who.key,
        )
        return house.page(
            visit,
            "confirm_replace",
            action=house.path("/arrivee"),
            csrf=form_token(house, visit, key),
            keep_href=house.settings.landing,
        )
    return _open(house, visit, key)


def replace(house: House, visit: Visit) -> Response:
    """The person chose the other account."""
    key = _ticket(house, visit)
    posted(house, visit, key)
    return _open(house, visit, key)


def _open(house: House, visit: Visit, key: str) -> Response:
    kept = house.take(key)
    if kept is None:
        raise FlowLost("the ticket was already used", code=Code.FLOW_UNKNOWN)
    if _is_used(kept):
        return see_other(str(kept["next"]))
    waiting = Waiting.read(kept)
    house.keep(key, {"used": True, "next": waiting.next}, USED)
    who = waiting.identity
    with attempt(EventName.LOGIN_REFUSED, who.door, who.method, strength=strength_told(who), person=who.key):
        return _opened(house, visit, waiting)


def _is_used(kept: Mapping[str, object]) -> bool:
    """Tell whether a ticket opened its session already: it opens nothing more, and leads where the session is."""
    return kept.get("used") is True


def _opened(house: House, visit: Visit, waiting: Waiting) -> Response:
    identity = waiting.identity
    if identity.door not in house.portals:
        raise RequestRefused("the portal was closed meanwhile", code=Code.PORTAL_DISABLED)
    if not still_linked(house, identity):
        raise _unlinked()
    cookie = house.sessions.open(
        identity,
        portal_session=waiting.portal_session,
        name_id=waiting.name_id,
        logout_hint=waiting.logout_hint,
        ends_at=waiting.ends_at,
        replaces=session_cookie(house, visit),
        device=device(visit),
        address=visit.request.address,
    )
    # Closed or unlinked just now, which ended every session: this one must not slip in after.
    linked = False
    try:
        linked = still_linked(house, identity)
    finally:
        # Nor must it stay, held by nobody, when that cannot be known.
        if not linked:
            house.sessions.end(cookie)
    if not linked:
        raise _unlinked()
    visit.event(
        house,
        EventName.LOGIN,
        door=identity.door,
        method=identity.method,
        strength=strength_told(identity),
        person=identity.key,
        detail={"solicited": waiting.solicited, **({"withheld": waiting.withheld} if waiting.withheld else {})},
    )
    house.hooks.logged_in(identity, house.events)
    remembered = remembered_door(house, identity.door)
    # The ticket stays with the browser until its end: the cookie may be that of another tab, which comes in a moment.
    return see_other(waiting.next, house.cookie("session", cookie), *remembered)


def _unlinked() -> RequestRefused:
    return RequestRefused("the account was closed, or its link removed, meanwhile", code=Code.NOT_LINKED)


def device(visit: Visit) -> str:
    """Return with what somebody signs in, as their list of sessions tells it."""
    return device_of(visit.request.headers.get("user-agent", ""))


def session_cookie(house: House, visit: Visit) -> str | None:
    """Return the session cookie this browser sent, whatever it is worth."""
    return visit.request.cookies.get(house.settings.cookie_name("session"))
