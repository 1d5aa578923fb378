"""The help desk, looking: searching an account, and seeing its state and what happened to it.

What is searched is posted, so that no name stands in an address or in a proxy's log.
Every search and every look is an event with its actor, and counts.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response
from imagin_gateway.flows import desk_access as access
from imagin_gateway.flows.desk_access import PATH, Helper
from imagin_gateway.flows.desk_offers import offers
from imagin_gateway.flows.forms import form_token, posted
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.telling import Telling
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import search
from imagin_gateway.local.door import Dossier, FactorsView
from imagin_gateway.pages.templating import DESK_ACTS
from imagin_gateway.pages.views import DeskAccount, DeskEvent, DeskMatch, Link

SHOWN: Final = 20
"""Accounts of one search, and events of one account, on a page."""


def show(house: House, visit: Visit) -> Response:
    """Show the form."""
    who = access.helper(house, visit)
    return who if isinstance(who, Response) else _search(house, visit, who)


def find(house: House, visit: Visit) -> Response:
    """Search."""
    form = posted(house, visit)
    who = access.helper(house, visit)
    if isinstance(who, Response):
        return who
    sought = form.get("cherche", "")
    if not search.long_enough(sought):
        return _search(house, visit, who, sought, short=True)
    access.count(house, who, "searches")
    matches = house.direct.desk.search(sought, offices=who.scope.offices, limit=SHOWN)
    who.helping.tell(EventName.ACCOUNTS_SEARCHED, found=len(matches.found), more=matches.more)
    telling = Telling(house.pages.catalogue(visit.language.code))
    found = [
        DeskMatch(
            name=f"{match.account.given_name} {match.account.family_name}".strip(),
            identifier=match.account.identifier,
            office=match.account.office,
            state=telling.state(match.account.state),
            href=address(house, who, match.id),
        )
        for match in matches.found
    ]
    return _search(house, visit, who, sought, found=found, more=matches.more)


def address(house: House, who: Helper, account_id: int, page: str = "/compte", **more: str) -> str:
    """Return the address of a page about an account, for this helper."""
    return house.path(PATH + page) + "?" + urlencode({"dossier": access.reference(house, who, account_id), **more})


def _search(
    house: House,
    visit: Visit,
    who: Helper,
    sought: str = "",
    *,
    short: bool = False,
    found: list[DeskMatch] | None = None,
    more: bool = False,
) -> Response:
    return house.page(
        visit,
        "desk",
        status=422 if short else 200,
        action=house.path(PATH),
        csrf=form_token(house, visit),
        offices=", ".join(sorted(who.scope.offices)),
        sought=sought,
        short=short,
        found=found,
        more=more,
    )


def account(house: House, visit: Visit) -> Response:
    """Show one account, and what can be done about it."""
    who = access.helper(house, visit)
    if isinstance(who, Response):
        return who
    found = access.dossier(house, who, visit.request.query.get("dossier", ""))
    access.count(house, who, "looks")
    who.helping.tell(EventName.ACCOUNT_SHOWN, found.account.identifier, found=1)
    done = visit.request.query.get("fait", "")
    own = access.is_own(house, who, found)
    factors = house.direct.factors.of(found.account.identifier)
    helps_more = access.helps_more(house, who, found)
    acts = [] if own else offers(found, factors, helps_more=helps_more)
    return house.page(
        visit,
        "desk_account",
        account=_view(house, visit, found, factors),
        acts=[
            Link(house.text(visit, f"desk.act.{act}.label"), address(house, who, found.id, "/acte", acte=act))
            for act in acts
        ],
        own=own,
        helps_more=helps_more,
        done=done if done in DESK_ACTS else "",
        back_href=house.path(PATH),
    )


def _view(house: House, visit: Visit, found: Dossier, factors: FactorsView) -> DeskAccount:
    telling = Telling(house.pages.catalogue(visit.language.code))
    who = found.account
    return DeskAccount(
        identifier=who.identifier,
        name=f"{who.given_name} {who.family_name}".strip(),
        email=who.email,
        portal_only=found.portal_only,
        situation=who.situation,
        office=who.office,
        state=telling.state(who.state),
        created_at=found.created_at,
        provisional_ends_at=found.provisional_ends_at,
        sessions=len(house.sessions.list_person(DIRECT_ISSUER, who.identifier)),
        failures=found.failures.count,
        last_failure=found.failures.last,
        waits=found.failures.waits,
        mails=found.waiting_mails,
        factors=telling.factors(factors),
        events=tuple(
            DeskEvent(at=each.at, text=telling.event(each), by_desk=bool(each.actor)) for each in found.history[:SHOWN]
        ),
    )
