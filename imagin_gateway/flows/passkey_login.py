"""A passkey instead of the password, where the settings allow it.

The device checks its owner, by a code, a face or a finger: both factors are there.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from imagin_gateway.errors import Code, FlowLost, RequestRefused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response
from imagin_gateway.flows import share
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.direct_login import PASSKEY, enter_again
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.second_step import WAITING, new_challenge, take_challenge
from imagin_gateway.identity import Door
from imagin_gateway.keys import Secret, digest, new_token
from imagin_gateway.local.door import FactorRefused

TICKET = "key"
"""Use of the cookie that ties the challenge to its browser."""

PAGES: Final = 300
"""Pages shown to one network within the life of a challenge: each leaves one, before anybody has proved anything."""


def _offered(house: House) -> None:
    if not house.settings.factors.passkey_alone:
        raise RequestRefused("passkeys do not stand in for passwords here", code=Code.NOT_FOUND)


def show(house: House, visit: Visit) -> Response:
    """Explain, and ask the browser for a passkey of this site."""
    _offered(house)
    # Answers, of which one that is refused shows it again, have a share of their own.
    share.count(house, visit, "passkey pages", PAGES, WAITING)
    return _page(house, visit, visit.request.query.get("next", ""))


def _page(house: House, visit: Visit, next_page: str, refused: FactorRefused | None = None) -> Response:
    ticket = new_token()
    key = digest(ticket)
    page = house.page(
        visit,
        "passkey_login",
        status=403 if refused else 200,
        action=house.path("/cle"),
        csrf=form_token(house, visit, key),
        next=next_page,
        passkey=new_challenge(house, key, None),
        refused=refused.code.value.removeprefix("factor.") if refused else "",
        password_href=house.path("/direct") + ("?" + urlencode({"next": next_page}) if next_page else ""),
    )
    return page.adding(cookies=[house.cookie(TICKET, ticket, max_age=int(WAITING.total_seconds()))])


def submit(house: House, visit: Visit) -> Response:
    """Check the passkey, and open the session of whose it is."""
    ticket = visit.request.cookies.get(house.settings.cookie_name(TICKET), "")
    key = digest(ticket) if ticket else ""
    form = posted(house, visit, key)
    _offered(house)
    if not ticket:
        raise FlowLost("this browser was asked for no passkey", code=Code.FLOW_UNKNOWN)
    next_page = form.get("next", "")
    try:
        with attempt(EventName.LOGIN_REFUSED, Door.DIRECT, "passkey"):
            share.count(house, visit, "passkey answers", PAGES, WAITING)
            challenge = take_challenge(house, key)
            proved = house.direct.factors.prove_passkey_alone(
                Secret(form.get("code", "")), challenge, address=visit.request.address
            )
    except FactorRefused as refused:
        reason = {"reason": str(refused)}
        visit.event(house, EventName.LOGIN_REFUSED, refused.code, door=Door.DIRECT, method="passkey", detail=reason)
        return _page(house, visit, next_page, refused)
    page = landed(house, visit, next_page)
    return enter_again(house, visit, proved.account, page, PASSKEY).adding(cookies=[house.no_cookie(TICKET)])
