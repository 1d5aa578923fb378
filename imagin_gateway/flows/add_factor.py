"""Adding a second factor: an application that makes codes, or a passkey. Then the recovery codes, shown once."""

from __future__ import annotations

from imagin_gateway.errors import Code, FlowLost
from imagin_gateway.exchange import Response
from imagin_gateway.flows.client import client_of
from imagin_gateway.flows.direct_login import Strength, enter_again
from imagin_gateway.flows.forms import did, form_token, posted, sent_again
from imagin_gateway.flows.house import JOURNEY, House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.second_step import over
from imagin_gateway.flows.security import codes_page, confirmed, refusal, tell
from imagin_gateway.keys import Secret, digest, new_token
from imagin_gateway.local.door import AccountView, FactorRefused
from imagin_gateway.local.factors import MFA, Enrolled
from imagin_gateway.pages.picture import picture
from imagin_gateway.sessions.session import Session

_LOST = (Code.FACTOR_GONE, Code.FACTOR_OFF)
"""Refusals after which the page is of no use any more."""


def _key(session: Session, what: str) -> str:
    # Of one session, so of one browser and one person; another one sees nothing of it.
    return digest(f"adding {what}\x00{session.handle}")


def _groups(secret: Secret) -> list[str]:
    text = secret.reveal()
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def show_totp(house: House, visit: Visit) -> Response:
    """Show the picture and the secret; the same again when the page is opened again."""
    mine = confirmed(house, visit, "/securite/application")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    kept = house.peek(_key(session, "application"))
    if kept is None or kept.get("version") != account.version:
        sealed, _, _ = house.direct.factors.new_secret(account.identifier)
        kept = {"sealed": sealed, "version": account.version}
        house.keep(_key(session, "application"), kept, JOURNEY)
    return _totp_page(house, visit, account, str(kept["sealed"]), visit.request.query.get("next", ""))


def _totp_page(
    house: House,
    visit: Visit,
    account: AccountView,
    sealed: str,
    next_page: str,
    refused: FactorRefused | None = None,
    *,
    missing: bool = False,
) -> Response:
    secret, address = house.direct.factors.shown_secret(account.identifier, sealed)
    return house.page(
        visit,
        "totp_add",
        status=422 if refused or missing else 200,
        action=house.path("/securite/application"),
        csrf=form_token(house, visit, digest(sealed)),
        next=next_page,
        picture=picture(address.reveal()),
        groups=_groups(secret),
        replaces=house.direct.factors.of(account.identifier).totp is not None,
        refused=refused.code.value.removeprefix("factor.") if refused else "missing" if missing else "",
        minutes=abs(refused.minutes) if refused else 0,
        cancel_href=house.path("/securite"),
    )


def submit_totp(house: House, visit: Visit) -> Response:
    """Add the application once it made a right code; every other session of the person ends."""
    if again := sent_again(house, visit):
        return again
    kept = house.peek(_key(visit.session, "application")) if visit.session else None
    sealed = str(kept["sealed"]) if kept is not None else ""
    form = posted(house, visit, digest(sealed))
    mine = confirmed(house, visit, "/securite/application")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    if kept is None:
        raise FlowLost("the secret was shown too long ago", code=Code.FLOW_UNKNOWN)
    if not form.get("code", "").strip():
        return _totp_page(house, visit, account, sealed, form.get("next", ""), missing=True)
    house.state.ping()
    try:
        added = house.direct.factors.add_totp(
            account.identifier,
            sealed,
            Secret(form.get("code", "")),
            version=int(str(kept["version"])),
            address=visit.request.address,
            tell=tell(visit),
            client=client_of(house, visit),
        )
    except FactorRefused as refused:
        refusal(house, visit, session, refused)
        if refused.code in _LOST:
            raise over("the account changed meanwhile", refused.code) from None
        return _totp_page(house, visit, account, sealed, form.get("next", ""), refused)
    house.take(_key(session, "application"))
    did(house, visit, digest(sealed), house.path("/securite"))
    return _added(house, visit, session, added, form.get("next", ""))


def show_passkey(house: House, visit: Visit) -> Response:
    """Explain, and ask the browser to make a passkey."""
    mine = confirmed(house, visit, "/securite/cle")
    if isinstance(mine, Response):
        return mine
    return _passkey_page(house, visit, *mine, next_page=visit.request.query.get("next", ""))


def _passkey_page(
    house: House,
    visit: Visit,
    session: Session,
    account: AccountView,
    *,
    next_page: str,
    name: str = "",
    refused: FactorRefused | None = None,
) -> Response:
    challenge = new_token(256)
    step = {"challenge": challenge, "version": account.version}
    house.keep(_key(session, "passkey"), step, JOURNEY)
    return house.page(
        visit,
        "passkey_add",
        status=422 if refused else 200,
        action=house.path("/securite/cle"),
        csrf=form_token(house, visit, session.handle),
        next=next_page,
        name=name,
        passkey=house.direct.factors.to_make_passkey(account.identifier, Secret(challenge)),
        refused=refused.code.value.removeprefix("factor.") if refused else "",
        application_href=house.path("/securite/application"),
        cancel_href=house.path("/securite"),
    )


def submit_passkey(house: House, visit: Visit) -> Response:
    """Add the passkey the browser made for this very page; every other session of the person ends."""
    if again := sent_again(house, visit):
        return again
    form = posted(house, visit, visit.session.handle if visit.session else "")
    mine = confirmed(house, visit, "/securite/cle")
    if isinstance(mine, Response):
        return mine
    session, account = mine
    house.state.ping()
    try:
        step = house.take(_key(session, "passkey"))
        if step is None:
            raise FactorRefused(Code.FACTOR_CHALLENGE, "the challenge was used already, or is too old")
        added = house.direct.factors.add_passkey(
            account.identifier,
            Secret(form.get("code", "")),
            Secret(str(step["challenge"])),
            form.get("nom", ""),
            version=int(str(step["version"])),
            address=visit.request.address,
            tell=tell(visit),
            client=client_of(house, visit),
        )
    except FactorRefused as refused:
        refusal(house, visit, session, refused)
        if refused.code in _LOST:
            raise over("the account changed meanwhile", refused.code) from None
        name, next_page = form.get("nom", ""), form.get("next", "")
        return _passkey_page(house, visit, session, account, next_page=next_page, name=name, refused=refused)
    did(house, visit, session.handle, house.path("/securite"))
    return _added(house, visit, session, added, form.get("next", ""))


def _added(house: House, visit: Visit, session: Session, added: Enrolled, next_page: str) -> Response:
    """Go on under a new session, as strong as what was proved; show the recovery codes if they are new."""
    house.sessions.end_person(*session.person)
    before = Strength.of(session)
    # Adding it proved it: who added a first factor is as strong as who signs in with both.
    strength = before if MFA in before.amr else Strength(before.method, (*before.amr, *added.amr, MFA))
    page = landed(house, visit, next_page) if next_page else house.path("/securite")
    done = enter_again(house, visit, added.account, page, strength)
    return codes_page(house, visit, added.codes, page, done.cookies) if added.codes else done
