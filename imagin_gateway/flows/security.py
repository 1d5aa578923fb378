"""Second factors of one's own account: what there is, taking one away, new recovery codes, trusted computers.

Shown and changed only right after a proof, of both factors where there are two: whoever
finds a screen left open must not weaken the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, SetCookie, see_other
from imagin_gateway.flows.direct_login import OURS
from imagin_gateway.flows.forms import did, form_token, of_session, posted, sent_again
from imagin_gateway.flows.house import JOURNEY, House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.identity import Door, lacks
from imagin_gateway.keys import Secret, digest, new_token
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.door import AccountView, FactorRefused
from imagin_gateway.local.factors import MFA
from imagin_gateway.sessions.session import Session


def confirmed(house: House, visit: Visit, below: str) -> tuple[Session, AccountView] | Response:
    """Return the session of somebody who has just proved all they have, and their account; or where to do so.

    Raises:
        RequestRefused: second factors are switched off.
    """
    if not house.settings.factors.on:
        raise RequestRefused("second factors are switched off", code=Code.FACTOR_OFF)
    session, page = visit.session, {"next": house.path(below)}
    account = house.direct.find(session.subject) if session is not None and session.door == Door.DIRECT else None
    if session is None or account is None:
        return see_other(house.path("/direct") + "?" + urlencode(page))
    strength = [frozenset({MFA})] if house.direct.factors.of(account.identifier).any else []
    stale = lacks(session.identity, house.clock.now(), house.settings.sessions.recent, strength)
    if stale or session.method not in OURS:
        return see_other(house.path("/confirmer") + "?" + urlencode(page))
    return session, account


def tell(visit: Visit) -> dict[str, str]:
    """Return what an event of the room behind says of this request."""
    return {"address": visit.request.address, "correlation": visit.request.correlation}


def show(house: House, visit: Visit) -> Response:
    """Show them."""
    mine = confirmed(house, visit, "/securite")
    if isinstance(mine, Response):
        return mine
    return _page(house, visit, *mine, next_page=visit.request.query.get("next", ""))


def _page(
    house: House,
    visit: Visit,
    session: Session,
    account: AccountView,
    *,
    next_page: str = "",
    refused: FactorRefused | None = None,
) -> Response:
    factors = house.direct.factors.of(account.identifier)
    key = identifier_key(account.identifier)
    query = "?" + urlencode({"next": next_page}) if next_page else ""
    return house.page(
        visit,
        "security",
        status=422 if refused else 200,
        action=house.path("/securite"),
        csrf=form_token(house, visit, of_session(house, visit)),
        application=factors.totp,
        passkeys=factors.passkeys,
        recovery_left=factors.recovery_left,
        due=bool(session.restricted),
        required=factors.required,
        computers=house.direct.trusted.of(key, account.version, house.clock.now()),
        refused=refused.code.value.removeprefix("factor.") if refused else "",
        application_href=house.path("/securite/application") + query,
        passkey_href=house.path("/securite/cle") + query,
        codes_href=house.path("/securite/codes"),
        logout_href=house.path("/fin"),
        back_href=landed(house, visit, next_page) if next_page else house.path("/session"),
    )


def submit(house: House, visit: Visit) -> Response:
    """Take a factor away, and end the other sessions; or trust a computer no more."""
    form = posted(house, visit, of_session(house, visit))
    mine = confirmed(house, visit, "/securite")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    if computer := form.get("oublier", ""):
        key = identifier_key(account.identifier)
        if house.direct.trusted.forget(key, computer, house.clock.now()):
            visit.event(house, EventName.COMPUTER_FORGOTTEN, door=Door.DIRECT, person=session.person)
        return see_other(house.path("/securite"))
    # The other sessions must end with the factor: with their store down, nothing is changed.
    house.state.ping()
    try:
        house.direct.factors.remove(account.identifier, form.get("retirer", ""), tell=tell(visit))
    except FactorRefused as refused:
        refusal(house, visit, session, refused)
        return _page(house, visit, session, account, refused=refused)
    house.sessions.end_others(session)
    return see_other(house.path("/securite"))


def refusal(house: House, visit: Visit, session: Session, refused: FactorRefused) -> None:
    """Write the event of a factor that was not added nor taken away."""
    reason = {"reason": str(refused)}
    visit.event(house, EventName.FACTOR_REFUSED, refused.code, door=Door.DIRECT, person=session.person, detail=reason)


def _key(session: Session | None) -> str:
    return digest(f"new codes\x00{session.handle if session else ''}")


def show_codes(house: House, visit: Visit) -> Response:
    """Ask before the former recovery codes die."""
    mine = confirmed(house, visit, "/securite/codes")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    factors = house.direct.factors.of(account.identifier)
    if not factors.any:
        return see_other(house.path("/securite"))
    # Used once: a form that is sent again must not make dead codes of those just written down.
    kept = house.peek(_key(session)) or {"ticket": new_token()}
    house.keep(_key(session), kept, JOURNEY)
    return house.page(
        visit,
        "recovery_codes",
        action=house.path("/securite/codes"),
        csrf=form_token(house, visit, str(kept["ticket"])),
        codes=[],
        recovery_left=factors.recovery_left,
        continue_href=house.path("/securite"),
    )


def make_codes(house: House, visit: Visit) -> Response:
    """Make new recovery codes, once, and show them this once."""
    if again := sent_again(house, visit):
        return again
    kept = house.peek(_key(visit.session)) or {}
    ticket = str(kept.get("ticket", ""))
    posted(house, visit, ticket)
    mine = confirmed(house, visit, "/securite/codes")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    if house.take(_key(session)) is None:
        # Of two clicks, the other one has it.
        return see_other(house.path("/securite"))
    did(house, visit, ticket, house.path("/securite"))
    try:
        codes = house.direct.factors.new_codes(account.identifier, tell=tell(visit))
    except FactorRefused as refused:
        refusal(house, visit, session, refused)
        return _page(house, visit, session, account, refused=refused)
    return codes_page(house, visit, codes, house.path("/securite"))


def codes_page(
    house: House, visit: Visit, codes: Sequence[Secret], page: str, cookies: Sequence[SetCookie] = ()
) -> Response:
    """Show recovery codes, in this answer alone, on the way to `page`."""
    # No link to another language: following it would lose what is shown this once.
    shown = replace(visit, language=replace(visit.language, switch={}))
    return house.page(
        shown,
        "recovery_codes",
        action="",
        csrf="",
        codes=[code.reveal() for code in codes],
        recovery_left=len(codes),
        continue_href=page,
        cookies=cookies,
    )
