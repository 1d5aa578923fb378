"""The direct door: identifier under the header of the convocation, and password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows import second_step
from imagin_gateway.flows.admission import admit
from imagin_gateway.flows.arrival import device, session_cookie
from imagin_gateway.flows.attempts import attempt, strength_told
from imagin_gateway.flows.client import client_of, remembered
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.last_door import remembered_door
from imagin_gateway.flows.proconnect import offered
from imagin_gateway.flows.trusted_computer import is_trusted
from imagin_gateway.flows.typed import forget_typed, identifier_in, keep_typed, typed
from imagin_gateway.identity import DIRECT_ISSUER, Door, Identity
from imagin_gateway.keys import Secret
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.door import AccountView
from imagin_gateway.local.factors import MFA, MFA_CLASS
from imagin_gateway.sessions.session import FIRST_PASSWORD, SECOND_FACTOR, Session
from imagin_gateway.settings.proconnect import PROCONNECT

VERSION = "account-version"
"""Attribute of a restricted session: the state of the account its letter opened (row PRV-07)."""


def show(house: House, visit: Visit) -> Response:
    """Show the form."""
    # A page that is not allowed is told here, and goes no further.
    asked = visit.request.query.get("next", "")
    next_page = asked if asked and landed(house, visit, asked) == asked else ""
    return _form(house, visit, next_page=next_page, identifier=typed(house, visit))


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
        passkey_href=_by_passkey(house, next_page),
        failed=failed,
        empty_identifier=empty_identifier,
        empty_password=empty_password,
        cookies=keep_typed(house, identifier) if failed or empty_password else (),
    )


def _by_proconnect(house: House, next_page: str) -> str | None:
    if not offered(house):
        return None
    return house.path(f"/portail/{PROCONNECT}") + ("?" + urlencode({"next": next_page}) if next_page else "")


def _by_passkey(house: House, next_page: str) -> str | None:
    if not house.settings.factors.passkey_alone:
        return None
    return house.path("/cle") + ("?" + urlencode({"next": next_page}) if next_page else "")


def submit(house: House, visit: Visit) -> Response:
    """Check the couple. Every failure gets the same answer, whatever its cause (row THR-07)."""
    form = posted(house, visit)
    identifier, password = identifier_in(form), Secret(form.get("motdepasse", ""))
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
    # Under the pseudonym of what was typed, whether an account has it or not: both cost the same.
    tried = identifier_key(identifier)
    person = (DIRECT_ISSUER, tried) if tried else None
    try:
        with attempt(EventName.LOGIN_REFUSED, Door.DIRECT, "password", person=person):
            checked = house.direct.check(
                identifier,
                password,
                address=visit.request.address,
                client=client_of(house, visit),
                correlation=visit.request.correlation,
            )
    except Refused as refused:
        if refused.code is not Code.CREDENTIALS:
            raise
        reason = str(getattr(refused, "reason", ""))
        visit.event(
            house,
            EventName.LOGIN_REFUSED,
            refused.code,
            door=Door.DIRECT,
            method="password",
            person=person,
            detail={"reason": reason},
        )
        return _form(house, visit, next_page=next_page, identifier=identifier, failed=True)
    return enter(house, visit, checked.account, next_page, must_choose=checked.must_choose)


@dataclass(frozen=True, slots=True)
class Strength:
    """With what somebody proved who they are."""

    method: str
    amr: tuple[str, ...]
    proved_at: datetime | None = None
    """When the older of the two factors was proved, if not now."""

    @property
    def acr(self) -> str | None:
        return MFA_CLASS if MFA in self.amr else None

    @classmethod
    def of(cls, session: Session) -> Strength:
        """Return that of a session, for the one that takes its place."""
        if session.method not in OURS:
            # Another service vouched for them, and they typed their password since.
            return PASSWORD
        return cls(session.method, session.amr, session.proved_at if MFA in session.amr else None)


PASSWORD: Final = Strength("password", ("pwd",))

OURS: Final = ("password", "passkey")
"""How sessions are opened by the direct door itself."""

PASSKEY: Final = Strength("passkey", ("pop", "user", MFA))


def enter(
    house: House, visit: Visit, account: AccountView, next_page: str, *, must_choose: bool, anew: bool = False
) -> Response:
    """Go on after a password that was proved: to the second step, or to a session under a new id.

    Args:
        house, visit: as everywhere.
        account: whose password it is.
        next_page: where to go then.
        must_choose: another password must be chosen before anything else.
        anew: in the middle of a session, which asks for a proof: no computer is trusted.
    """
    back_to = landed(house, visit, next_page)
    factored = house.settings.factors.on and house.direct.factors.of(account.identifier).any
    if factored and (anew or not is_trusted(house, visit, account)):
        return second_step.begin(house, visit, account, back_to, must_choose=must_choose)
    return _go_on(house, visit, account, back_to, must_choose, ())


def submit_step(house: House, visit: Visit) -> Response:
    """Check the second step."""
    return second_step.submit(house, visit, _go_on)


def _go_on(
    house: House, visit: Visit, account: AccountView, page: str, must_choose: bool, step: tuple[str, ...]
) -> Response:
    strength = Strength("password", ("pwd", *step, MFA)) if step else PASSWORD
    if must_choose:
        cookie = _open(house, visit, account, strength, FIRST_PASSWORD)
        return see_other(choose_address(house, page), cookie, *_signed_in(house, visit))
    return enter_again(house, visit, account, page, strength)


def enter_again(house: House, visit: Visit, account: AccountView, page: str, strength: Strength = PASSWORD) -> Response:
    """Open a full session, and go to `page`: one that was allowed, or one of ours.

    Where the account must have a second factor and has none, the session can do nothing but add one.
    """
    if house.settings.factors.on:
        factors = house.direct.factors.of(account.identifier)
        if factors.required and not factors.any:
            cookie = _open(house, visit, account, strength, SECOND_FACTOR)
            return see_other(factor_address(house, page), cookie, *_signed_in(house, visit))
    session = _open(house, visit, account, strength)
    return see_other(page, session, remembered(house, visit, account), *_signed_in(house, visit))


def _signed_in(house: House, visit: Visit) -> list[SetCookie]:
    return [*remembered_door(house, Door.DIRECT), *forget_typed(house, visit)]


def _open(house: House, visit: Visit, account: AccountView, strength: Strength, restricted: str = "") -> SetCookie:
    method = "provisional-password" if restricted == FIRST_PASSWORD else strength.method
    told = strength.acr or " ".join(strength.amr)
    person = (DIRECT_ISSUER, account.identifier)
    with attempt(EventName.LOGIN_REFUSED, Door.DIRECT, method, strength=told, person=person):
        return _opened(house, visit, account, strength, restricted)


def _opened(house: House, visit: Visit, account: AccountView, strength: Strength, restricted: str) -> SetCookie:
    now = house.clock.now()
    must_choose = restricted == FIRST_PASSWORD
    identity = Identity(
        issuer=DIRECT_ISSUER,
        subject=account.identifier,
        door=Door.DIRECT,
        activities=house.policy.activities(Door.DIRECT),
        authenticated_at=now,
        proved_at=strength.proved_at or now,
        method=strength.method,
        acr=strength.acr,
        amr=strength.amr,
        family_name=account.family_name,
        given_name=account.given_name,
        email=account.email,
        attributes={VERSION: (str(account.version),)} if must_choose else {},
    )
    admitted = admit(house, identity)
    cookie = house.sessions.open(
        admitted.identity,
        restricted=restricted,
        replaces=session_cookie(house, visit),
        device=device(visit),
        address=visit.request.address,
    )
    # A password changed since this one was checked ended every session: this one must not slip in after.
    unchanged = False
    try:
        still = house.direct.find(account.identifier)
        unchanged = still is not None and still.version == account.version
    finally:
        # Nor must it stay, held by nobody, when that cannot be known.
        if not unchanged:
            house.sessions.end(cookie)
    if not unchanged:
        raise Refused("the account changed during the login", code=Code.SESSION_ENDED)
    visit.event(
        house,
        EventName.LOGIN,
        door=Door.DIRECT,
        method="provisional-password" if must_choose else strength.method,
        strength=strength_told(identity),
        person=identity.key,
        detail={"withheld": admitted.withheld} if admitted.withheld else {},
    )
    if not restricted:
        house.hooks.logged_in(admitted.identity, house.events)
    return house.cookie("session", cookie)


def factor_address(house: House, back_to: str) -> str:
    """Return the address of the page where a second factor is added, which then goes on to `back_to`."""
    return house.path("/securite") + ("" if back_to == house.settings.landing else "?" + urlencode({"next": back_to}))


def choose_address(house: House, back_to: str) -> str:
    """Return the address of the page where a password is chosen, which then goes on to `back_to`."""
    if back_to == house.settings.landing:
        return house.path("/mot-de-passe")
    return house.path("/mot-de-passe") + "?next=" + quote(back_to, safe="/")
