"""« Mot de passe oublié ? »: ask, receive a link by mail, choose another password.

The answer to the request never depends on whether the account exists. Opening
the link consumes nothing (mail scanners open links), and the token leaves the
address bar at once (rows RST-07, RST-08).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.arrival import session_cookie
from imagin_gateway.flows.attempts import attempt
from imagin_gateway.flows.client import remembered
from imagin_gateway.flows.doors import recovery_links
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.refusals import password_errors
from imagin_gateway.flows.typed import identifier_in, keep_typed, typed
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.keys import Secret, digest
from imagin_gateway.local.accounts import identifier_key

LINK_PAGE: Final = timedelta(minutes=30)
"""How long the page opened by the link can be used; the link itself has its own end."""


def show_request(house: House, visit: Visit) -> Response:
    """Show the form that asks for a link."""
    return _request_form(house, visit)


def _request_form(house: House, visit: Visit, *, empty: bool = False) -> Response:
    return house.page(
        visit,
        "forgotten",
        status=422 if empty else 200,
        action=house.path("/mot-de-passe/oubli"),
        csrf=form_token(house, visit),
        identifier="" if empty else typed(house, visit),
        empty=empty,
        recovery=recovery_links(house, visit),
        chooser_href=house.path("/"),
    )


def submit_request(house: House, visit: Visit) -> Response:
    """Record the request; the mail, if there is one to send, leaves after the answer."""
    identifier = identifier_in(posted(house, visit))
    if not identifier.strip():
        return _request_form(house, visit, empty=True)
    person = (DIRECT_ISSUER, identifier_key(identifier))
    with attempt(EventName.REQUEST_REFUSED, Door.DIRECT, person=person):
        house.direct.passwords.ask_reset(
            identifier, address=visit.request.address, correlation=visit.request.correlation
        )
    return see_other(house.path("/mot-de-passe/oubli/envoye"), *keep_typed(house, identifier))


def show_recorded(house: House, visit: Visit) -> Response:
    """Say what happens next, the same for everybody."""
    return house.page(
        visit,
        "forgotten_sent",
        recovery=recovery_links(house, visit),
        again_href=house.path("/mot-de-passe/oubli"),
    )


def open_link(house: House, visit: Visit) -> Response:
    """Take the token out of the address, and go to the page where it is used."""
    token = visit.request.query.get("jeton", "")
    if not 20 <= len(token) <= 400 or not token.isascii() or not token.isprintable() or set(token) & set(' ";,\\'):
        raise Refused("not a link of ours", code=Code.LINK_DEAD)
    return see_other(
        house.path("/mot-de-passe/nouveau"),
        house.cookie("reset", token, max_age=int(LINK_PAGE.total_seconds())),
    )


def show_new(house: House, visit: Visit) -> Response:
    """Show the form, if the link is still good. Consumes nothing."""
    if not house.direct.passwords.is_link_alive(_token(house, visit)):
        raise Refused("the link was used, is too old, or is not ours", code=Code.LINK_DEAD)
    return _new_form(house, visit)


def _token(house: House, visit: Visit) -> str:
    return visit.request.cookies.get(house.settings.cookie_name("reset"), "")


def _new_form(house: House, visit: Visit, refused: Refused | None = None) -> Response:
    return house.page(
        visit,
        "password",
        status=422 if refused else 200,
        mode="reset",
        action=house.path("/mot-de-passe/nouveau"),
        # The page is about one link: another one opened meanwhile must not receive this password.
        csrf=form_token(house, visit, digest(_token(house, visit))),
        username="",
        errors=password_errors(house, refused),
        minimum=house.settings.passwords.minimum_length,
        hidden={},
        logout_href=None,
        cancel_href=None,
    )


def submit_new(house: House, visit: Visit) -> Response:
    """Use the link: new password, every session of the person ended, nobody signed in (row RST-10)."""
    token = _token(house, visit)
    form = posted(house, visit, digest(token))
    new, again = Secret(form.get("nouveau", "")), Secret(form.get("encore", ""))
    # Sessions must end with the old password: with their store down, nothing is changed.
    house.state.ping()
    try:
        account = house.direct.passwords.use_reset(
            token, new, again, address=visit.request.address, correlation=visit.request.correlation
        )
    except Refused as refused:
        if not refused.code.startswith("password."):
            raise
        whose = refused.about.person if refused.about is not None else None
        visit.event(house, EventName.PASSWORD_REFUSED, refused.code, door=Door.DIRECT, person=whose)
        return _new_form(house, visit, refused)
    house.sessions.end_person(DIRECT_ISSUER, account.identifier)
    if (cookie := session_cookie(house, visit)) is not None:
        house.sessions.end(cookie)
    # Nobody is signed in; but this browser is the owner's, whatever others try meanwhile (row THR-06).
    gone = (house.no_cookie("reset"), house.no_cookie("session"))
    return see_other(house.path("/mot-de-passe/fait"), *gone, remembered(house, visit, account))


def show_done(house: House, visit: Visit) -> Response:
    """Say that it is done, and where to sign in."""
    return house.page(visit, "password_done", mode="reset", continue_href=house.path("/direct"))
