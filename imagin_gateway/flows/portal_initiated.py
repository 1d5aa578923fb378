"""A link inside the portal asks us to begin a login there: its wish is checked, then it is a login like any other.

It needs no cookie and proves nothing. Whoever brings it only makes a browser leave for a
configured portal, as any link to our own pages would.
"""

from __future__ import annotations

from functools import partial

from imagin_gateway.errors import AnswerRefused, Code, RequestRefused
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.portal_login import depart
from imagin_gateway.flows.round_trip import portal_of
from imagin_gateway.providers.portal import InitiatedPortal


def begin(house: House, visit: Visit) -> Response:
    """Leave for the portal that asks for it (OpenID Connect Core 1.0 §4; row OID-27)."""
    portal = portal_of(house, visit)
    if not isinstance(portal, InitiatedPortal):
        raise RequestRefused("this portal's protocol begins no login so", code=Code.NOT_FOUND)
    asked = visit.request.form if visit.request.method == "POST" else visit.request.query
    wish = portal.initiated(asked)
    back_to = target(house, wish.target)
    if house.settings.notice_before_portal:
        # Any site may bring somebody here: they are told first. What the wish hints at is lost on the way.
        return see_other(house.href(visit, f"/portail/{portal.door}", next=back_to))
    return depart(house, visit, portal, back_to, partial(portal.depart, login_hint=wish.login_hint))


def target(house: House, wished: str) -> str:
    """Return the page wished for, as a path of this site. Raises `AnswerRefused` when it is not an allowed one.

    Here a page that is not allowed is no slip of a link of ours: somebody else named it.
    """
    if not wished:
        return house.settings.landing
    base = house.settings.base_url
    path = wished.removeprefix(base) or "/"
    if not (wished == base or wished.startswith(base + "/")) or landing(house.settings, path) != path:
        raise AnswerRefused(Code.REDIRECT, "the page wished for is not one of ours")
    return path
