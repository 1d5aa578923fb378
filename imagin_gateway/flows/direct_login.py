"""The direct door: identifier under the header of the convocation, and password."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows.admission import admit
from imagin_gateway.flows.arrival import device, session_cookie
from imagin_gateway.flows.client import client_of, remembered
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.proconnect import offered
from imagin_gateway.identity import DIRECT_ISSUER, Door, Identity
from imagin_gateway.keys import Secret
from imagin_gateway.local.door import AccountView
from imagin_gateway.sessions.session import FIRST_PASSWORD
from imagin_gateway.settings.proconnect import PROCONNECT

VERSION = "account-version"
"""Attribute of a restricted session: the state of the account its letter opened (row PRV-07)."""


def show(house: House, visit: Visit) -> Response:
    """Show the form."""
    return _form(house, visit, next_page=visit.request.query.get("next", ""))


def _form(
    house: House,
    visit: Visit,
    *,
    next_page: str,
    identifier: str = "",
    failed: bool = False,
    empty_identifier: bool = False,
    empty_password: bool = False,
) -> Response:
    return house.page(
        visit,
        "login",
        status=403 if failed else 422 if empty_identifier or empty_password else 200,
        action=house.path("/direct"),
        csrf=form_token(house, visit),
        next=next_page,
        identifier=identifier,
        chooser_href=house.path("/"),
        reset_href=house.path("/mot-de-passe/oubli"),
        proconnect_href=_by_proconnect(house, next_page),
        failed=failed,
        empty_identifier=empty_identifier,
        empty_password=empty_password,
    )


def _by_proconnect(house: House, next_page: str) -> str | None:
    if not offered(house):
        return None
    return house.path(f"/portail/{PROCONNECT}") + ("?" + urlencode({"next": next_page}) if next_page else "")


def submit(house: House, visit: Visit) -> Response:
    """Check the couple. Every failure gets the same answer, whatever its cause (row THR-07)."""
    form = posted(house, visit)
    identifier, password = form.get("identifiant", ""), Secret(form.get("motdepasse", ""))
    next_page = form.get("next", "")
    if not identifier.strip() or not password:
        return _form(
            house,
            visit,
            next_page=next_page,
            identifier=identifier,
            empty_identifier=not identifier.strip(),
            empty_password=not password,
        )
    try:
        checked = house.direct.check(
            identifier, password, address=visit.request.address, client=client_of(house, visit)
        )
    except Refused as refused:
        if refused.code is not Code.CREDENTIALS:
            raise
        reason = str(getattr(refused, "reason", ""))
        visit.event(
            house, EventName.LOGIN_REFUSED, refused.code, door=Door.DIRECT, method="password", detail={"reason": reason}
        )
        return _form(house, visit, next_page=next_page, identifier=identifier, failed=True)
    return enter(house, visit, checked.account, next_page, must_choose=checked.must_choose)


def enter(house: House, visit: Visit, account: AccountView, next_page: str, *, must_choose: bool) -> Response:
    """Open a session for an account that proved its password; a new id, whatever the browser held before."""
    back_to = landing(house.settings, next_page)
    if must_choose:
        return see_other(choose_address(house, back_to), _open(house, visit, account, must_choose=True))
    return enter_again(house, visit, account, back_to)


def enter_again(house: House, visit: Visit, account: AccountView, page: str) -> Response:
    """Open a full session, and go to `page`: one that was allowed, or one of ours."""
    session = _open(house, visit, account, must_choose=False)
    return see_other(page, session, remembered(house, visit, account))


def _open(house: House, visit: Visit, account: AccountView, *, must_choose: bool) -> SetCookie:
    now = house.clock.now()
    identity = Identity(
        issuer=DIRECT_ISSUER,
        subject=account.identifier,
        door=Door.DIRECT,
        activities=house.policy.activities(Door.DIRECT),
        authenticated_at=now,
        proved_at=now,
        method="password",
        amr=("pwd",),
        family_name=account.family_name,
        given_name=account.given_name,
        email=account.email,
        attributes={VERSION: (str(account.version),)} if must_choose else {},
    )
    admitted = admit(house, identity)
    cookie = house.sessions.open(
        admitted.identity,
        restricted=FIRST_PASSWORD if must_choose else "",
        replaces=session_cookie(house, visit),
        device=device(visit),
        address=visit.request.address,
    )
    # A password changed since this one was checked ended every session: this one must not slip in after.
    still = house.direct.find(account.identifier)
    if still is None or still.version != account.version:
        house.sessions.end(cookie)
        raise Refused("the account changed during the login", code=Code.SESSION_ENDED)
    visit.event(
        house,
        EventName.LOGIN,
        door=Door.DIRECT,
        method="provisional-password" if must_choose else "password",
        person=identity.key,
        detail={"withheld": admitted.withheld} if admitted.withheld else {},
    )
    if not must_choose:
        house.hooks.logged_in(admitted.identity, house.events)
    return house.cookie("session", cookie)


def choose_address(house: House, back_to: str) -> str:
    """Return the address of the page where a password is chosen, which then goes on to `back_to`."""
    if back_to == house.settings.landing:
        return house.path("/mot-de-passe")
    return house.path("/mot-de-passe") + "?next=" + quote(back_to, safe="/")
