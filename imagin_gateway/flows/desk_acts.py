"""The help desk, acting: a page asks first, then the act is done once.

What is to be done, to which account, as it was looked at, is kept on our side under a
ticket that is used once: of two clicks, one acts; a page left open while the account
changed does nothing; a new provisional password is in one answer, and in no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows import desk_access as access
from imagin_gateway.flows.desk_access import DeskRefused, Helper
from imagin_gateway.flows.desk_offers import TAKE_OVER, offers
from imagin_gateway.flows.desk_pages import address
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.helping import Helping
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import digest, new_token
from imagin_gateway.local.door import Dossier, Letter

TO_DECIDE: Final = timedelta(minutes=10)
"""How long the page that asks may stay open."""

HURTS: Final = ("disable", "factors", "replace")
"""Acts whose page warns: they take something away from the person."""


def _key(ticket: str) -> str:
    return digest(f"desk act\x00{ticket}")


def ask(house: House, visit: Visit) -> Response:
    """Ask whether to do it, and say what it does."""
    who = access.helper(house, visit)
    if isinstance(who, Response):
        return who
    found = access.dossier(house, who, visit.request.query.get("dossier", ""))
    act = visit.request.query.get("acte", "")
    _not_own(house, who, found)
    factors = house.direct.factors.of(found.account.identifier)
    if act not in offers(found, factors, helps_more=access.helps_more(house, who, found)):
        # It was possible a moment ago, or was never offered: the account as it is tells.
        return see_other(address(house, who, found.id))
    ticket = new_token()
    house.keep(
        _key(ticket),
        {"act": act, "account": found.id, "version": found.account.version, "helper": who.session.handle},
        TO_DECIDE,
    )
    return house.page(
        visit,
        "desk_act",
        act=act,
        hurts=act in HURTS,
        action=house.path("/assistance/acte"),
        csrf=form_token(house, visit, ticket),
        ticket=ticket,
        identifier=found.account.identifier,
        name=f"{found.account.given_name} {found.account.family_name}".strip(),
        told=found.can_mail,
        cancel_href=address(house, who, found.id),
    )


def do(house: House, visit: Visit) -> Response:
    """Do it, once."""
    ticket = visit.request.form.get("action", "")
    posted(house, visit, ticket)
    who = access.helper(house, visit)
    if isinstance(who, Response):
        return who
    kept = house.take(_key(ticket))
    if kept is None or kept["helper"] != who.session.handle:
        raise DeskRefused(Code.DESK_REPEATED, "this act was done, is too old, or was asked by somebody else")
    act, version = str(kept["act"]), int(str(kept["version"]))
    found = access.dossier_of(house, who, int(str(kept["account"])))
    _not_own(house, who, found)
    identifier = found.account.identifier
    if act in TAKE_OVER and access.helps_more(house, who, found):
        # Not offered when it was asked for: the owner helps more people since.
        person = (DIRECT_ISSUER, identifier)
        raise DeskRefused(Code.DESK_STALE, "the owner helps people whom this helper does not", person=person)
    try:
        if act in ("reissue", "replace"):
            letter = who.helping.reissue(identifier, version=version, replace=act == "replace")
            if letter is not None:
                return _letter(house, visit, who, found, letter)
        elif _ACTS[act](who.helping, identifier, version):
            return see_other(address(house, who, found.id, fait=act))
    except Refused as refused:
        if refused.code not in (Code.ACCOUNT_STATE, Code.DESK_STALE):
            raise
        person = (DIRECT_ISSUER, identifier)
        raise DeskRefused(Code.DESK_STALE, "the account changed since it was looked at", person=person) from None
    raise DeskRefused(Code.DESK_UNKNOWN, "the account is gone, or has no address any more")


_ACTS: Final[Mapping[str, Callable[[Helping, str, int], object]]] = {
    "unlock": lambda helping, identifier, version: helping.unlock(identifier, version=version),
    "link": lambda helping, identifier, version: helping.send_link(identifier, version=version),
    "factors": lambda helping, identifier, version: helping.remove_factors(identifier, version=version),
    "change": lambda helping, identifier, version: helping.require_change(identifier, version=version),
    "disable": lambda helping, identifier, version: helping.disable(identifier, version=version),
    "enable": lambda helping, identifier, version: helping.enable(identifier, version=version),
}


def _not_own(house: House, who: Helper, found: Dossier) -> None:
    if access.is_own(house, who, found):
        person = (DIRECT_ISSUER, found.account.identifier)
        raise DeskRefused(Code.DESK_SELF, "nobody helps themselves", person=person)


def _letter(house: House, visit: Visit, who: Helper, found: Dossier, letter: Letter) -> Response:
    """Show the new provisional password, in this answer alone."""
    if letter.provisional is None or letter.ends_at is None:
        raise AssertionError("a letter that was just issued has a password")
    # No link to another language: following it would lose what is shown this once.
    return house.pages.render(
        "desk_letter",
        language=replace(visit.language, switch={}),
        identifier=letter.identifier,
        name=f"{letter.given_name} {letter.family_name}".strip(),
        provisional=letter.provisional.reveal(),
        until=letter.ends_at - timedelta(days=1),
        back_href=address(house, who, found.id),
    )
