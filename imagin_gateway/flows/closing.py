"""Closing an account of the direct door: nobody signs in with it, and whoever is signed in is out at once."""

from __future__ import annotations

from dataclasses import dataclass

from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.local.accounts import AccountView
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.sessions.registry import SessionRegistry


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing an account did.

    Attributes:
        account: as it is now.
        ended: sessions that were ended.
    """

    account: AccountView
    ended: int


def disable_account(
    direct: DirectDoor, sessions: SessionRegistry, events: EventLog, identifier: str, *, actor: str
) -> Closed | None:
    """Close an account, then end its sessions (row SES-10).

    In this order: a login under way when the account closes sees, once its session is
    open, that the account has changed, and gives it back.

    Args:
        direct, sessions, events: of one gateway.
        identifier: as the convocation tells it, or as somebody typed it.
        actor: who closes it.

    Returns:
        None when no account has that identifier.

    Raises:
        TransitionRefused: it is closed already.
        Unavailable: a store does not answer. The sessions' store is asked first: without it, nothing is changed.
    """
    sessions.store.ping()
    account = direct.disable(identifier)
    if account is None:
        return None
    ended = sessions.end_person(DIRECT_ISSUER, account.identifier)
    person = (DIRECT_ISSUER, account.identifier)
    detail = {"ended": ended}
    events.emit(Event(name=EventName.ACCOUNT_DISABLED, door=Door.DIRECT, person=person, actor=actor, detail=detail))
    return Closed(account, ended)


def enable_account(direct: DirectDoor, events: EventLog, identifier: str, *, actor: str) -> AccountView | None:
    """Open a closed account again; a new letter or a reset link is then needed to enter.

    Raises:
        TransitionRefused: it is not closed.
        Unavailable: the accounts' store does not answer.
    """
    account = direct.enable(identifier)
    if account is not None:
        person = (DIRECT_ISSUER, account.identifier)
        events.emit(Event(name=EventName.ACCOUNT_ENABLED, door=Door.DIRECT, person=person, actor=actor))
    return account
