"""Changing one's mail address: asked with the password, confirmed by a code from each end."""

from __future__ import annotations

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.choose_password import direct_session
from imagin_gateway.flows.client import client_of
from imagin_gateway.flows.direct_login import Strength, enter_again
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.typed import visible
from imagin_gateway.identity import Door
from imagin_gateway.keys import Secret
from imagin_gateway.local.door import PendingAddress
from imagin_gateway.pages.views import FieldError
from imagin_gateway.sessions.session import Session

_FIELDS = {
    Code.PASSWORD_CURRENT: "actuel",
    Code.ADDRESS_MALFORMED: "courriel",
    Code.ADDRESS_SAME: "courriel",
    Code.ADDRESS_PORTAL: "courriel",
    Code.ADDRESS_TOO_MANY: "courriel",
    Code.ADDRESS_CODE: "code",
}


def show(house: House, visit: Visit) -> Response:
    """Show the form to somebody who is signed in by the direct door; send anybody else to the login."""
    session = direct_session(visit)
    return see_other(house.path("/direct")) if session is None else _form(house, visit, session)


def _form(house: House, visit: Visit, session: Session, typed: str = "", refused: Refused | None = None) -> Response:
    return house.page(
        visit,
        "address",
        status=422 if refused else 200,
        action=house.path("/adresse"),
        csrf=form_token(house, visit),
        username=session.identity.subject,
        email=typed,
        errors=_errors(refused),
        cancel_href=house.path("/session"),
    )


def _errors(refused: Refused | None) -> list[FieldError]:
    return [] if refused is None else [FieldError(_FIELDS.get(refused.code, "courriel"), refused.code.value)]


def submit(house: House, visit: Visit) -> Response:
    """Have the codes mailed."""
    form = posted(house, visit)
    session = _needed(visit)
    # No address holds such marks nor spaces; they come along with what is copied from a message.
    typed = visible(form.get("courriel", "")).strip()
    try:
        with attempt(EventName.ADDRESS_REFUSED, Door.DIRECT, person=session.person):
            house.direct.address.ask(
                session.identity.subject,
                Secret(form.get("actuel", "")),
                typed,
                address=visit.request.address,
                correlation=visit.request.correlation,
                client=client_of(house, visit),
            )
    except Refused as refused:
        if refused.code not in _FIELDS:
            raise
        _tell(house, visit, session, refused)
        return _form(house, visit, session, typed, refused)
    return see_other(house.path("/adresse/codes"))


def _needed(visit: Visit) -> Session:
    session = direct_session(visit)
    if session is None:
        raise Refused("the session ended before the address was changed", code=Code.SESSION_ENDED)
    return session


def _tell(house: House, visit: Visit, session: Session, refused: Refused) -> None:
    visit.event(house, EventName.ADDRESS_REFUSED, refused.code, door=Door.DIRECT, person=session.identity.key)


def show_codes(house: House, visit: Visit) -> Response:
    """Show the form for the codes, while an address waits for them."""
    session = direct_session(visit)
    if session is None:
        return see_other(house.path("/direct"))
    pending = house.direct.address.pending(session.identity.subject)
    return see_other(house.path("/adresse")) if pending is None else _codes(house, visit, pending)


def _codes(house: House, visit: Visit, pending: PendingAddress, refused: Refused | None = None) -> Response:
    return house.page(
        visit,
        "address_codes",
        status=422 if refused else 200,
        action=house.path("/adresse/codes"),
        csrf=form_token(house, visit),
        two=bool(pending.former),
        errors=_errors(refused),
        again_href=house.path("/adresse"),
        cancel_href=house.path("/session"),
    )


def submit_codes(house: House, visit: Visit) -> Response:
    """Record the address; the person goes on under a new session, which knows it."""
    form = posted(house, visit)
    session = _needed(visit)
    # Sessions that know the former address must end with it: with their store down, nothing is changed.
    house.state.ping()
    try:
        account = house.direct.address.confirm(
            session.identity.subject,
            Secret(form.get("code", "")),
            Secret(form.get("code-actuel", "")),
            address=visit.request.address,
            correlation=visit.request.correlation,
        )
    except Refused as refused:
        if refused.code is not Code.ADDRESS_CODE:
            raise
        _tell(house, visit, session, refused)
        pending = house.direct.address.pending(session.identity.subject)
        if pending is None:
            # Too old, or too many wrong codes: from the beginning.
            return _form(house, visit, session, refused=refused)
        return _codes(house, visit, pending, refused)
    house.sessions.end_person(*session.identity.key)
    return enter_again(house, visit, account, house.path("/adresse/faite"), Strength.of(session))


def show_done(house: House, visit: Visit) -> Response:
    """Say that it is done, and what it does not do."""
    return house.page(visit, "address_done", continue_href=house.path("/session"))
