"""Helping the owner of an account: what the help desk does, from a terminal or from a page.

One rule for all: the sessions' store is asked first, then the account is changed, then
its sessions end, then one event tells who did it. Interrupted, an act done again ends
what was left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.flows.lost_factor import clear_factors
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.local.accounts import AccountView
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.letters import Letter
from imagin_gateway.local.lifecycle import AccountState, TransitionRefused
from imagin_gateway.sessions.registry import SessionRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who helps.

    Attributes:
        actor: who, as the events tell it; never empty.
        address: of their browser, if they use one.
        correlation: of their request, if there is one.
    """

    actor: str
    address: str = ""
    correlation: str = ""

    def __post_init__(self) -> None:
        if not self.actor:
            raise ValueError("nobody helps without saying who they are")


@dataclass(frozen=True, slots=True)
class Helped:
    """What an act did.

    Attributes:
        account: as it is now.
        ended: sessions that were ended.
    """

    account: AccountView
    ended: int = 0


class Helping:
    """The acts of a help desk.

    Args:
        direct, sessions, events: of one gateway.
        by: who helps.

    Every act takes the identifier, and the `version` of the account that was looked at (the present one when None).
    It returns None when no account has that identifier.

    Raises, every act:
        TransitionRefused: it cannot be done in the account's state; `DESK_STALE` if the account changed since.
        Unavailable: a store does not answer; nothing was changed, or the same act done again finishes it.
    """

    def __init__(self, direct: DirectDoor, sessions: SessionRegistry, events: EventLog, by: By) -> None:
        self._direct = direct
        self._sessions = sessions
        self._events = events
        self._by = by

    def reissue(self, identifier: str, *, version: int | None = None, replace: bool = False) -> Letter | None:
        """Issue a new provisional password, returned this once (row PRV-07).

        Args:
            identifier: of the account.
            version: that was looked at.
            replace: take a chosen password away, and the links to services, too.
        """
        self._sessions.store.ping()
        letter = self._direct.desk.reissue(identifier, version=version, replace=replace, **self._told())
        if letter is not None:
            ended = self._sessions.end_person(DIRECT_ISSUER, letter.identifier)
            self.tell(EventName.PROVISIONAL_ISSUED, letter.identifier, ended=ended, replaced=letter.replaced)
        return letter

    def unlock(self, identifier: str, *, version: int | None = None) -> Helped | None:
        """Open a locked account, and forget the failures that make one wait."""
        self._sessions.store.ping()
        account = self._direct.desk.unlock(identifier, version=version)
        if account is None:
            return None
        self.tell(EventName.ACCOUNT_UNLOCKED, account.identifier)
        return Helped(account)

    def disable(self, identifier: str, *, version: int | None = None) -> Helped | None:
        """Close an account, then end its sessions (row SES-10).

        In this order: a login under way when the account closes sees, once its session is
        open, that the account has changed, and gives it back.
        """
        desk = self._direct.desk
        return self._ending(EventName.ACCOUNT_DISABLED, identifier, lambda: desk.disable(identifier, version=version))

    def enable(self, identifier: str, *, version: int | None = None) -> Helped | None:
        """Open a closed account again; a new letter or a reset link is then needed to enter."""
        self._sessions.store.ping()
        account = self._direct.desk.enable(identifier, version=version, **self._told())
        if account is None:
            return None
        self.tell(EventName.ACCOUNT_ENABLED, account.identifier)
        return Helped(account)

    def require_change(self, identifier: str, *, version: int | None = None) -> Helped | None:
        """Demand another password of one person."""
        desk, actor = self._direct.desk, self._by.actor
        return self._ending(
            EventName.CHANGE_REQUIRED,
            identifier,
            lambda: desk.require_change(identifier, actor=actor, version=version),
        )

    def remove_factors(self, identifier: str, *, version: int | None = None) -> Helped | None:
        """Take the second factors and recovery codes of somebody who lost them away."""
        by = self._by
        cleared = clear_factors(
            self._direct,
            self._sessions,
            identifier,
            actor=by.actor,
            address=by.address,
            correlation=by.correlation,
            version=version,
        )
        return None if cleared is None else Helped(cleared.account, cleared.ended)

    def require_factor(self, identifier: str, required: bool) -> AccountView | None:
        """Demand a second factor of one person, or demand it no more."""
        return self._direct.factors.require(identifier, required, actor=self._by.actor)

    def send_link(self, identifier: str, *, version: int | None = None) -> bool:
        """Have a reset link mailed to the owner; False when none can be: no address, a portal's, a closed account."""
        self._sessions.store.ping()
        if not self._direct.desk.may_send_link(identifier, version=version):
            return False
        return self._direct.passwords.order_link(identifier, **self._told())

    def erase(self, identifier: str) -> Helped | None:
        """Remove a person: account, mails, links, history; then sessions. The events keep a pseudonym (row DPO-05).

        Sessions end even when no account is left: an erasure that was interrupted is finished so.
        """
        self._sessions.store.ping()
        account = self._direct.find(identifier)
        erased = self._direct.personal.erase(identifier)
        subject = erased or identifier.strip()
        ended = self._sessions.end_person(DIRECT_ISSUER, subject) if subject else 0
        if erased is None or account is None:
            return None
        self.tell(EventName.ACCOUNT_ERASED, erased, ended=ended)
        return Helped(account, ended)

    def _ending(self, name: EventName, identifier: str, act: Callable[[], AccountView | None]) -> Helped | None:
        """Do an act after which no session may live."""
        self._sessions.store.ping()
        try:
            account = act()
        except TransitionRefused:
            # Done before, and interrupted: what was left is finished, then the refusal is told.
            done = self._direct.find(identifier)
            if done is not None and done.state in (AccountState.DISABLED, AccountState.CHANGE_REQUIRED):
                self._sessions.end_person(DIRECT_ISSUER, done.identifier)
            raise
        if account is None:
            return None
        ended = self._sessions.end_person(DIRECT_ISSUER, account.identifier)
        self.tell(name, account.identifier, ended=ended)
        return Helped(account, ended)

    def _told(self) -> dict[str, str]:
        return {"actor": self._by.actor, "address": self._by.address, "correlation": self._by.correlation}

    def tell(self, name: EventName, identifier: str = "", code: Code | None = None, **detail: str | int | bool) -> None:
        """Write an event of this help."""
        self._events.emit(
            Event(
                name=name,
                code=code,
                door=Door.DIRECT,
                person=(DIRECT_ISSUER, identifier) if identifier else None,
                actor=self._by.actor,
                address=self._by.address,
                correlation=self._by.correlation,
                detail=detail,
            )
        )


__all__ = ["By", "Helped", "Helping", "TransitionRefused"]
