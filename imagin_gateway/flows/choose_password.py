"""Choosing a password: the first one, before anything else; or another one, later."""

from __future__ import annotations

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.client import client_of
from imagin_gateway.flows.direct_login import VERSION, Strength, enter_again
from imagin_gateway.flows.forms import form_token, of_session, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.refusals import password_errors
from imagin_gateway.identity import Door
from imagin_gateway.keys import Secret
from imagin_gateway.sessions.session import FIRST_PASSWORD, Session


def direct_session(visit: Visit) -> Session | None:
    """Return the session of this browser, if the direct door opened it."""
    session = visit.session
    return session if session is not None and session.identity.door == Door.DIRECT else None


def show(house: House, visit: Visit) -> Response:
    """Show the form to somebody who is signed in by the direct door; send anybody else to the login."""
    session = direct_session(visit)
    if session is None:
        return see_other(house.path("/direct"))
    return _form(house, visit, session, visit.request.query.get("next", ""))


def _form(house: House, visit: Visit, session: Session, next_page: str, refused: Refused | None = None) -> Response:
    first = session.restricted == FIRST_PASSWORD
    return house.page(
        visit,
        "password",
        status=422 if refused else 200,
        mode="first" if first else "change",
        action=house.path("/mot-de-passe"),
        csrf=form_token(house, visit, of_session(house, visit)),
        username=session.identity.subject,
        errors=password_errors(house, refused),
        minimum=house.settings.passwords.minimum_length,
        hidden={"next": next_page},
        logout_href=house.path("/fin"),
        cancel_href=house.settings.landing,
    )


def submit(house: House, visit: Visit) -> Response:
    """Set the password, end every other session of the person, and go on under a new session id."""
    form = posted(house, visit, of_session(house, visit))
    session = direct_session(visit)
    if session is None:
        raise Refused("the session ended before the password was chosen", code=Code.SESSION_ENDED)
    identifier = session.identity.subject
    new, again = Secret(form.get("nouveau", "")), Secret(form.get("encore", ""))
    # The other sessions must end with the old password: with their store down, nothing is changed.
    house.state.ping()
    told = {"address": visit.request.address, "correlation": visit.request.correlation}
    try:
        with attempt(EventName.PASSWORD_REFUSED, Door.DIRECT, person=session.person):
            if session.restricted == FIRST_PASSWORD:
                version = int(session.attributes[VERSION][0])
                account = house.direct.passwords.choose_first(identifier, new, again, version=version, **told)
            else:
                current, client = Secret(form.get("actuel", "")), client_of(house, visit)
                account = house.direct.passwords.change(identifier, current, new, again, client=client, **told)
    except Refused as refused:
        if not refused.code.startswith("password."):
            raise
        visit.event(house, EventName.PASSWORD_REFUSED, refused.code, door=Door.DIRECT, person=session.identity.key)
        return _form(house, visit, session, form.get("next", ""), refused)
    house.sessions.end_person(*session.identity.key)
    # Somebody who is signed in stays so, as strongly as they were: the second step, if any, was done before.
    page = landed(house, visit, form.get("next", ""))
    return enter_again(house, visit, account, page, Strength.of(session))
