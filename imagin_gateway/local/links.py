"""Links: an account of the direct door, and somebody whom another service vouches for.

A link is made by a person who has just proved both, one after the other, and by nothing
else: never by a mail address, a name or an identifier that look alike (row RTE-03).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, Refused
from imagin_gateway.events import EventLog, EventName
from imagin_gateway.local import outbox, store
from imagin_gateway.local.accounts import Account, AccountView, identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, state_at
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.schema import account_links
from imagin_gateway.local.telling import Telling


class Links:
    """The links of every account. Safe to share between threads.

    Args:
        database: of the accounts.
        clock: the time.
        events: where each link made or removed is told.
        wake: tells the sender that a mail waits: the owner is told of both.
        of_a_portal: tells of a mail address whether its owner must enter by a portal: no link opens the account.

    Every method raises `Unavailable` when the database does not answer.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        events: EventLog,
        wake: Callable[[], None],
        of_a_portal: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._events = events
        self._telling = Telling(events)
        self._wake = wake
        self._of_a_portal = of_a_portal

    def account(self, issuer: str, subject: str) -> AccountView | None:
        """Return the account linked to a person of another service, None when there is none or it is not in use.

        An account whose password is still to be chosen, or that is closed, is opened by no link; nor is that of
        somebody who must enter by a portal.
        """
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(account_links.c.account_id).where(
                    account_links.c.issuer == issuer, account_links.c.subject == subject
                )
            ).scalar()
            account = None if found is None else store.find_id(connection, found, lock=False)
        return account.view(AccountState.ACTIVE) if account is not None and self._may_open(account) else None

    def _may_open(self, account: Account) -> bool:
        state = state_at(account.state, account.provisional_ends_at, self._clock.now())
        return state is AccountState.ACTIVE and not self._of_a_portal(account.email)

    def is_of(self, account_id: int, issuer: str, subject: str) -> bool:
        """Tell whether an account is linked to this person of another service, whatever its state."""
        wanted = (
            account_links.c.account_id == account_id,
            account_links.c.issuer == issuer,
            account_links.c.subject == subject,
        )
        with self._database.read() as connection:
            return connection.execute(sa.select(account_links.c.id).where(*wanted)).first() is not None

    def opens(self, identifier: str, issuer: str) -> bool:
        """Tell whether an account is in use, and linked to this service."""
        with self._database.read() as connection:
            account = store.find(connection, identifier_key(identifier))
        return account is not None and self._may_open(account) and self.is_linked(identifier, issuer)

    def is_linked(self, identifier: str, issuer: str) -> bool:
        """Tell whether an account has a link to this service."""
        with self._database.read() as connection:
            account = store.find(connection, identifier_key(identifier))
            if account is None:
                return False
            wanted = (account_links.c.account_id == account.id, account_links.c.issuer == issuer)
            return connection.execute(sa.select(account_links.c.id).where(*wanted)).first() is not None

    def make(
        self, identifier: str, issuer: str, subject: str, *, address: str = "", correlation: str = "", actor: str = ""
    ) -> None:
        """Link an account to a person of another service.

        Args:
            identifier: of the account, whose owner has just proved it.
            issuer, subject: of the person, proved by that service a moment ago.
            address, correlation, actor: for the event.

        Raises:
            Refused: `LINK_TAKEN`: that person is linked already, or this account to somebody there;
                `ACCOUNT_STATE`: the account is not in use. Nothing was changed.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            account = store.find_locked(connection, identifier_key(identifier))
            if account is None or state_at(account.state, account.provisional_ends_at, now) != AccountState.ACTIVE:
                raise Refused("the account is not in use", code=Code.ACCOUNT_STATE)
            wanted = sa.or_(
                sa.and_(account_links.c.issuer == issuer, account_links.c.subject == subject),
                sa.and_(account_links.c.issuer == issuer, account_links.c.account_id == account.id),
            )
            taken = connection.execute(sa.select(account_links.c.id).where(wanted)).first() is not None
            if not taken:
                link = account_links.insert().values(
                    account_id=account.id, issuer=issuer, subject=subject, linked_at=now
                )
                # In a transaction of its own: another process may be faster, and this one still has to end.
                try:
                    with connection.begin_nested():
                        connection.execute(link)
                except IntegrityError:
                    taken = True
            if not taken:
                outbox.add(connection, MailKind.ACCOUNT_LINKED, account, {"at": now.isoformat()}, now)
        if taken:
            raise Refused("one of the two is linked already", code=Code.LINK_TAKEN)
        self._wake()
        self._tell(EventName.ACCOUNT_LINKED, identifier, issuer, subject, address, correlation, actor)

    def remove(
        self, identifier: str, issuer: str, *, address: str = "", correlation: str = "", actor: str = ""
    ) -> bool:
        """Remove the link of an account to a service; tell whether there was one."""
        with self._database.write() as connection:
            account = store.find_locked(connection, identifier_key(identifier))
            if account is None:
                return False
            wanted = (account_links.c.account_id == account.id, account_links.c.issuer == issuer)
            subject = connection.execute(sa.select(account_links.c.subject).where(*wanted)).scalar()
            if subject is None:
                return False
            connection.execute(account_links.delete().where(*wanted))
            now = self._clock.now()
            outbox.add(connection, MailKind.ACCOUNT_UNLINKED, account, {"at": now.isoformat()}, now)
        self._wake()
        self._tell(EventName.ACCOUNT_UNLINKED, identifier, issuer, str(subject), address, correlation, actor)
        return True

    def tell_removed(
        self, identifier: str, gone: Iterable[store.Linked], *, address: str, correlation: str, actor: str
    ) -> None:
        """Tell of links that went with the password of an account."""
        for issuer, subject in gone:
            self._tell(EventName.ACCOUNT_UNLINKED, identifier, issuer, subject, address, correlation, actor)

    def _tell(
        self,
        name: EventName,
        identifier: str,
        issuer: str,
        subject: str,
        address: str,
        correlation: str,
        actor: str,
    ) -> None:
        detail = {"issuer": issuer, "linked": self._events.pseudonym((issuer, subject))}
        self._telling(name, identifier, address=address, correlation=correlation, actor=actor, detail=detail)
