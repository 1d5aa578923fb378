"""« Ne plus demander sur cet ordinateur »: off unless the settings allow it and the person ticks the box."""

from __future__ import annotations

from datetime import timedelta

from imagin_gateway.events import EventName
from imagin_gateway.exchange import SetCookie
from imagin_gateway.flows.arrival import device
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.door import AccountView

_COOKIE = "trusted"

_PURPOSE = "trusted computer"

FIELD = "confiance"


def is_trusted(house: House, visit: Visit, account: AccountView) -> bool:
    """Tell whether the second step may be left out on this computer, for this account as it is now."""
    if not house.settings.factors.trusted_days:
        return False
    signed = visit.request.cookies.get(house.settings.cookie_name(_COOKIE), "")
    token = house.keys.signer(_PURPOSE).unsign(signed) or "" if len(signed) <= 200 else ""
    key = identifier_key(account.identifier)
    return house.direct.trusted.holds(key, account.version, token, house.clock.now())


def trust(house: House, visit: Visit, account: AccountView) -> SetCookie:
    """Trust this computer from now on; return the cookie that says so."""
    life = timedelta(days=house.settings.factors.trusted_days)
    token = house.direct.trusted.trust(
        identifier_key(account.identifier),
        account.version,
        device(visit),
        visit.request.address,
        life,
        house.clock.now(),
    )
    person = (DIRECT_ISSUER, account.identifier)
    visit.event(house, EventName.COMPUTER_TRUSTED, door=Door.DIRECT, person=person, detail={"days": life.days})
    return house.cookie(_COOKIE, house.keys.signer(_PURPOSE).sign(token), max_age=int(life.total_seconds()))
