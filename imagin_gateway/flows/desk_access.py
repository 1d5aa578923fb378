"""Who may use the pages of the help desk, on whom, and how often.

Closed unless the settings open them. Then: somebody whom a rule of the host names, whose
login is recent and reached a second factor, who looks at accounts at the rate of a
person. Nobody helps themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, Refused, RequestRefused
from imagin_gateway.exchange import Response, see_other
from imagin_gateway.flows.helping import By, Helping
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import DIRECT_ISSUER, Door, Identity, lacks
from imagin_gateway.keys import digest
from imagin_gateway.local.door import Dossier
from imagin_gateway.local.search import folded
from imagin_gateway.policy.helpers import Scope
from imagin_gateway.sessions.session import Session
from imagin_gateway.state.store import Space

PATH: Final = "/assistance"

_WINDOW: Final = timedelta(hours=1)

_PURPOSE: Final = "desk account"

_LONGEST_REFERENCE: Final = 200


class DeskRefused(Refused):
    """A helper is refused; nothing was changed.

    Args:
        code: why.
        message: for the log.
        person: whose account it was about, for the event.
    """

    def __init__(self, code: Code, message: str, *, person: tuple[str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.person = person


class TooMany(DeskRefused):
    """A helper looks at more accounts than a person can help. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(Code.DESK_TOO_MANY, "too many searches within an hour")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Helper:
    """Somebody who may help.

    Attributes:
        session: theirs.
        scope: whom they may help.
        helping: does it in their name.
    """

    session: Session
    scope: Scope
    helping: Helping = field(repr=False)


def helper(house: House, visit: Visit) -> Helper | Response:
    """Return who helps, or where to prove anew who one is.

    Raises:
        RequestRefused: the pages are closed: they do not exist.
        DeskRefused: no rule names this person.
    """
    settings = house.settings.desk
    if not settings.enabled:
        raise RequestRefused("the help desk is closed", code=Code.NOT_FOUND)
    session = visit.session
    back = "?" + urlencode({"next": house.path(PATH)})
    if session is None:
        return see_other(house.path("/") + back)
    scope = house.admission.helps(session.identity)
    if scope is None:
        raise DeskRefused(Code.DESK_NOT_ALLOWED, "no rule names this person as a helper")
    if lacks(session.identity, house.clock.now(), settings.recent, [frozenset(settings.strength)]):
        return see_other(house.path("/confirmer") + back)
    by = By(
        actor=f"desk:{house.events.pseudonym(session.person)}",
        address=visit.request.address,
        correlation=visit.request.correlation,
    )
    return Helper(session, scope, Helping(house.direct, house.sessions, house.events, by))


def count(house: House, who: Helper, what: str) -> None:
    """Count a search, or a look at an account, of one helper. Raises `TooMany`."""
    now = timestamp(house.clock.now())
    key = digest(f"desk {what}\x00{house.events.pseudonym(who.session.person)}")
    until = now + _WINDOW.total_seconds()
    if house.state.increment(Space.COUNTER, key, expires_at=until, now=now) > house.settings.desk.searches_per_hour:
        raise TooMany(int(_WINDOW.total_seconds()))


def reference(house: House, who: Helper, account_id: int) -> str:
    """Return what stands for an account in an address: no name, and good for this session of this helper alone."""
    return house.keys.signer(_PURPOSE).sign(f"{who.session.handle}:{account_id}")


def dossier(house: House, who: Helper, told: str) -> Dossier:
    """Return the account of a reference. Raises `DeskRefused` for any that this helper was not given."""
    signed = house.keys.signer(_PURPOSE).unsign(told) if len(told) <= _LONGEST_REFERENCE else None
    handle, _, account_id = (signed or "").partition(":")
    if handle != who.session.handle or not account_id.isdecimal():
        raise DeskRefused(Code.DESK_UNKNOWN, "this helper was given no such account")
    return dossier_of(house, who, int(account_id))


def dossier_of(house: House, who: Helper, account_id: int) -> Dossier:
    """Return an account that this helper may see. Raises `DeskRefused` when it is gone, or of another office."""
    found = house.direct.desk.dossier(account_id, offices=who.scope.offices)
    if found is None:
        raise DeskRefused(Code.DESK_UNKNOWN, "the account is gone, or of another office")
    return found


def is_own(house: House, who: Helper, found: Dossier) -> bool:
    """Tell whether an account is the helper's own, or linked to who they are."""
    issuer, subject = who.session.person
    own = (issuer, subject) == (DIRECT_ISSUER, found.account.identifier)
    return own or house.direct.links.is_of(found.id, issuer, subject)


def helps_more(house: House, who: Helper, found: Dossier) -> bool:
    """Tell whether the owner of an account, signed in by the direct door, helps people whom this helper does not."""
    account = found.account
    owner = Identity(
        issuer=DIRECT_ISSUER,
        subject=account.identifier,
        door=Door.DIRECT,
        activities=house.policy.activities(Door.DIRECT),
        authenticated_at=house.clock.now(),
        method="password",
        email=account.email,
    )
    theirs = house.admission.helps(owner)
    if theirs is None or not who.scope.offices:
        return False
    offices, mine = ({folded(each) for each in scope.offices} for scope in (theirs, who.scope))
    return not offices or not offices <= mine
