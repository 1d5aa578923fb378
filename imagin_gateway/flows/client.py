"""The browser as the direct door knows it: an unpredictable id in a cookie that opens nothing.

It lets the owner of an account in while somebody else attacks it, and tells a new
browser from one that was there before.
"""

from __future__ import annotations

from imagin_gateway.exchange import SetCookie
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.local.clients import LIFE
from imagin_gateway.local.door import AccountView

_COOKIE = "client"

_PURPOSE = "known client"


def client_of(house: House, visit: Visit) -> str:
    """Return the id a browser holds, or "" if it holds none that we made."""
    signed = visit.request.cookies.get(house.settings.cookie_name(_COOKIE), "")
    return house.keys.signer(_PURPOSE).unsign(signed) or "" if len(signed) <= 200 else ""


def remembered(house: House, visit: Visit, account: AccountView) -> SetCookie:
    """Note that this browser is the owner's, and return the cookie that says so the next time."""
    client = house.direct.remember(account.identifier, client_of(house, visit))
    value = house.keys.signer(_PURPOSE).sign(client)
    return house.cookie(_COOKIE, value, max_age=int(LIFE.total_seconds()))
