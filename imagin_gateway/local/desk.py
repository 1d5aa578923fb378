"""The accounts as somebody who helps their owners uses them: find, look, and put right.

Each act is one transaction, with the mail that tells the owner. It takes the version of
the account that was looked at: an account that changed meanwhile is left as it is.
What ends sessions, and what tells who acted, is the caller's (`flows.helping`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.local import history, outbox, provisional, search, store
from imagin_gateway.local.accounts import Account, AccountView, identifier_key
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.database import Database
from imagin_gateway.local.dossier import Dossier, Failures
from imagin_gateway.local.history import History
from imagin_gateway.local.letters import Letter, LetterKind
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused, allows, state_at
from imagin_gateway.local.links import Links
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.schema import accounts
from imagin_gateway.local.schema import outbox as waiting
from imagin_gateway.local.throttle import Throttle, of_second_step

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Match:
    """One account that a search found: its row, and what it is."""

    id: int
    account: AccountView


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search found; `more` tells that there are others."""

    found: tuple[Match, ...]
    more: bool


class HelpDesk:
    """Finds accounts and helps their owners. Safe to share between threads.

    Args:
        database: where accounts are.
        provisionals: keeps provisional passwords.
        throttle: what an account's failures are, and forgetting them.
        clients: browsers an account knows.
        past: the last events of accounts.
        links: tells of the links that go with a password.
        clock: the time.
        life: how long a provisional password works.
        wake: tells the sender that a mail waits.
        of_a_portal: tells of a mail address whether its owner must enter by a portal.

    Every method raises `Unavailable` when a store does not answer.
    """

    def __init__(
        self,
        database: Database,
        provisionals: Provisionals,
        throttle: Throttle,
        clients: KnownClients,
        past: History,
        links: Links,
        clock: Clock,
        life: timedelta,
        wake: Callable[[], None],
        of_a_portal: Callable[[str], bool],
    ) -> None:
        self._database = database
        self._provisionals = provisionals
        self._throttle = throttle
        self._clients = clients
        self._past = past
        self._links = links
        self._clock = clock
        self._life = life
        self._wake = wake
        self._of_a_portal = of_a_portal

    # -- looking -------------------------------------------------------------

    def search(self, typed: str, *, offices: Collection[str] = (), limit: int = 20) -> Matches:
        """Find accounts by what was typed. See `search.search`."""
        now = self._clock.now()
        with self._database.read() as connection:
            hits = search.search(connection, typed, offices=offices, limit=limit)
            known = store.find_ids(connection, hits.ids)
        found = tuple(Match(each, _view(known[each], now)) for each in hits.ids if each in known)
        return Matches(found, hits.more)

    def dossier(self, account_id: int, *, offices: Collection[str] = ()) -> Dossier | None:
        """Return what may be seen of an account; None when there is none, or it is of none of these offices."""
        now = self._clock.now()
        with self._database.read() as connection:
            account = store.find_id(connection, account_id, lock=False)
            if account is None or not _within(account, offices):
                return None
            created = connection.execute(sa.select(accounts.c.created_at).where(accounts.c.id == account_id)).scalar()
            mails = sa.select(sa.func.count()).where(waiting.c.account_id == account_id)
            count = connection.execute(mails).scalar() or 0
            happened = self._past.of(connection, account_id)
        return Dossier(
            id=account.id,
            account=_view(account, now),
            created_at=created or now,
            provisional_ends_at=account.provisional_ends_at,
            has_password=account.password_hash is not None,
            can_mail=outbox.is_address(account.mailbox),
            portal_only=self._of_a_portal(account.email),
            waiting_mails=count,
            failures=self._failures(account, now),
            history=tuple(happened),
        )

    def dossier_of(self, identifier: str) -> Dossier | None:
        """Return the same by the identifier."""
        with self._database.read() as connection:
            account = store.find(connection, identifier_key(identifier))
        return None if account is None else self.dossier(account.id)

    def identifiers(self, *, office: str = "") -> Iterator[str]:
        """Yield the identifier of every account, or of those of one managing office (its whole name)."""
        last = 0
        within = accounts.c.office_key == search.folded(office) if office else sa.true()
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    sa.select(accounts.c.id, accounts.c.identifier)
                    .where(accounts.c.id > last, within)
                    .order_by(accounts.c.id)
                    .limit(_BATCH)
                ).all()
            if not rows:
                return
            yield from (row.identifier for row in rows)
            last = rows[-1].id

    # -- putting right -------------------------------------------------------

    def reissue(
        self,
        identifier: str,
        *,
        actor: str,
        version: int | None = None,
        replace: bool = False,
        address: str = "",
        correlation: str = "",
    ) -> Letter | None:
        """Issue a new provisional password, seen this once; the former one dies.

        Args:
            identifier: of the account.
            actor: who asked for it.
            version: that was looked at; the present one when None.
            replace: take a chosen password away, and the links to services, too.
            address, correlation: of the request, for the events.

        Raises:
            TransitionRefused: the account is closed, has a chosen password that is not to be replaced, or changed.
        """
        now = self._clock.now()
        value = provisional.generate()
        kept, ends_at, run = self._provisionals.keep(value), now + self._life, secrets.token_hex(16)
        with self._database.write() as connection:
            account = self._looked_at(connection, identifier, version)
            if account is None:
                return None
            replaced = account.password_hash is not None and replace
            gone: list[store.Linked] = []
            if replaced:
                gone = store.replace_password(connection, account, kept, ends_at, now, run=run)
            else:
                store.issue_provisional(connection, account, kept, ends_at, now, run=run)
            self._notice(connection, account, MailKind.LETTER_ISSUED, now)
            if gone:
                self._notice(connection, account, MailKind.ACCOUNT_UNLINKED, now)
            history.note(connection, [account.id], EventName.PROVISIONAL_ISSUED, now, actor)
        self._forget(account)
        self._links.tell_removed(account.identifier, gone, address=address, correlation=correlation, actor=actor)
        return Letter(
            identifier=account.identifier,
            family_name=account.family_name,
            given_name=account.given_name,
            office=account.office,
            kind=LetterKind.PROVISIONAL,
            provisional=value,
            ends_at=ends_at,
            replaced=replaced,
        )

    def unlock(self, identifier: str, *, version: int | None = None) -> AccountView | None:
        """Open a locked account, and forget the failures that make one wait.

        A chosen password then works to choose another; a provisional one, until its end.

        Raises:
            TransitionRefused: there is nothing to unlock, or the account changed meanwhile.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            account = self._looked_at(connection, identifier, version)
            if account is None:
                return None
            if account.state is AccountState.LOCKED:
                act = Act.UNLOCK_LETTER if account.password_hash is None else Act.UNLOCK
                store.apply(connection, account, act, now)
            elif not self._failures(account, now).count:
                raise TransitionRefused("there is nothing to unlock")
            self._notice(connection, account, MailKind.ACCOUNT_UNLOCKED, now)
        self._throttle.forgive(identifier_key(account.identifier))
        return self._now(account.id)

    def disable(self, identifier: str, *, version: int | None = None) -> AccountView | None:
        """Close an account: neither login nor reset any more.

        Raises:
            TransitionRefused: it is closed already, or changed meanwhile.
        """
        return self._apply(identifier, version, Act.DISABLE, MailKind.ACCOUNT_DISABLED)

    def enable(
        self,
        identifier: str,
        *,
        version: int | None = None,
        actor: str = "",
        address: str = "",
        correlation: str = "",
    ) -> AccountView | None:
        """Open a closed account again, with nothing yet that opens it. See `disable`; `reissue`, for the events."""
        told = {"actor": actor, "address": address, "correlation": correlation}
        account = self._apply(identifier, version, Act.ENABLE, MailKind.ACCOUNT_ENABLED, **told)
        if account is not None:
            # Tries while it was closed count too, and locked nothing: a letter of a list would not be looked at.
            self._throttle.forgive(identifier_key(identifier))
        return account

    def require_change(self, identifier: str, *, actor: str, version: int | None = None) -> AccountView | None:
        """Demand another password of one person, and tell them.

        Raises:
            TransitionRefused: no password was chosen, it is demanded already, or the account changed meanwhile.
        """
        account = self._apply(identifier, version, Act.REQUIRE_CHANGE, MailKind.CHANGE_REQUIRED, actor=actor)
        if account is not None:
            self._clients.forget(identifier_key(identifier))
        return account

    def may_send_link(self, identifier: str, *, version: int | None = None) -> bool:
        """Tell whether a link can be mailed to the owner of an account.

        Raises:
            TransitionRefused: the account changed meanwhile.
        """
        now = self._clock.now()
        with self._database.read() as connection:
            account = self._looked_at(connection, identifier, version)
        if account is None:
            return False
        state = state_at(account.state, account.provisional_ends_at, now)
        reachable = outbox.is_address(account.mailbox) and not self._of_a_portal(account.email)
        return reachable and allows(state, Act.RESET)

    def _apply(
        self,
        identifier: str,
        version: int | None,
        act: Act,
        kind: MailKind,
        *,
        actor: str = "",
        address: str = "",
        correlation: str = "",
    ) -> AccountView | None:
        now = self._clock.now()
        with self._database.write() as connection:
            account = self._looked_at(connection, identifier, version)
            if account is None:
                return None
            gone = store.apply(connection, account, act, now)
            self._notice(connection, account, kind, now)
            if gone:
                self._notice(connection, account, MailKind.ACCOUNT_UNLINKED, now)
            if act is Act.REQUIRE_CHANGE:
                history.note(connection, [account.id], EventName.CHANGE_REQUIRED, now, actor)
        self._links.tell_removed(account.identifier, gone, address=address, correlation=correlation, actor=actor)
        return self._now(account.id)

    def _looked_at(self, connection: sa.Connection, identifier: str, version: int | None) -> Account | None:
        account = store.find_locked(connection, identifier_key(identifier))
        if account is not None and version is not None and account.version != version:
            raise TransitionRefused("the account changed since it was looked at", code=Code.DESK_STALE)
        return account

    def _notice(self, connection: sa.Connection, account: Account, kind: MailKind, now: datetime) -> None:
        if outbox.add(connection, kind, account, {"at": now.isoformat()}, now):
            self._wake()

    def _now(self, account_id: int) -> AccountView | None:
        with self._database.read() as connection:
            account = store.find_id(connection, account_id, lock=False)
        return None if account is None else _view(account, self._clock.now())

    def _failures(self, account: Account, now: datetime) -> Failures:
        """Return what counts against an account, at the password and at the second step."""
        key = identifier_key(account.identifier)
        first, second = (self._throttle.failures(each, now) for each in (key, of_second_step(key)))
        last = max((each.last for each in (first, second) if each.last is not None), default=None)
        return Failures(count=first.count + second.count, last=last, waits=first.waits or second.waits)

    def _forget(self, account: Account) -> None:
        """Forget failures, and the browsers that knew the former password."""
        key = identifier_key(account.identifier)
        self._throttle.forgive(key)
        self._clients.forget(key)


def _view(account: Account, now: datetime) -> AccountView:
    return account.view(state_at(account.state, account.provisional_ends_at, now))


def _within(account: Account, offices: Collection[str]) -> bool:
    return not offices or search.folded(account.office) in {search.folded(office) for office in offices}
