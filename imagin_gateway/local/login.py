"""Checking a couple identifier and password.

Whatever the account (unknown, locked, disabled, expired, delayed, provisional,
personal) and whatever is typed, an attempt runs the same steps and costs exactly
one Argon2 verification, and every failure raises the same error. The reason is for
the event alone (rows THR-03 and THR-07).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, Refused, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local import outbox, store
from imagin_gateway.local.accounts import Account, Checked, identifier_key
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.credentials import Credentials
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, Act, allows, state_at
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.passwords import Hasher
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.throttle import Throttle

NOTICE_AFTER: Final = 3
"""Failures after which a success is told to the person."""

_BY_PASSWORD: Final = (AccountState.ACTIVE, AccountState.CHANGE_REQUIRED)


class LoginFailure(StrEnum):
    """Why a couple was refused. For the events: a page that told it would tell who has an account."""

    UNKNOWN = "unknown"
    DELAYED = "delayed"
    LOCKED = "locked"
    DISABLED = "disabled"
    EXPIRED = "expired"
    WRONG = "wrong"
    PORTAL_ONLY = "portal-only"


_BY_STATE: Final = {
    AccountState.LOCKED: LoginFailure.LOCKED,
    AccountState.DISABLED: LoginFailure.DISABLED,
    AccountState.EXPIRED: LoginFailure.EXPIRED,
}


class CredentialsRefused(Refused):
    """The couple is refused; `reason` is for the event, never for the page."""

    code = Code.CREDENTIALS

    def __init__(self, reason: LoginFailure) -> None:
        # The text is the same whatever the reason: texts end up on pages.
        super().__init__("identifier and password do not match")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Proved:
    """An account whose password was just proved.

    Attributes:
        account: as it is.
        known: the browser was known to it.
        failures: tries that failed before, of anybody, that still counted.
    """

    account: Account
    known: bool
    failures: int


class Login:
    """Checks couples.

    Args:
        database: where accounts are.
        hasher: verifies passwords.
        provisionals: verifies provisional ones.
        credentials: renews old hashes.
        throttle: counts attempts.
        clients: browsers that are known.
        clock: the time.
        of_a_portal: tells of a mail address whether its owner must enter by a portal (row RTE-04).
        locked: told which account failures have just locked, by a try from which address, in which request.
    """

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        provisionals: Provisionals,
        credentials: Credentials,
        throttle: Throttle,
        clients: KnownClients,
        clock: Clock,
        of_a_portal: Callable[[str], bool] = lambda _: False,
        locked: Callable[[str, str, str], None] = lambda identifier, address, correlation: None,
    ) -> None:
        self._locked = locked
        self._database = database
        self._of_a_portal = of_a_portal
        self._hasher = hasher
        self._provisionals = provisionals
        self._credentials = credentials
        self._throttle = throttle
        self._clients = clients
        self._clock = clock

    def check(
        self, identifier: str, password: Secret, *, address: str, client: str = "", correlation: str = ""
    ) -> Checked:
        """Return whose couple it is, and tell the person by mail what is unusual about it.

        Raises:
            CredentialsRefused: whatever is wrong with the couple or the account.
            NetworkThrottled: too many failures from this network.
            Unavailable: too many passwords are being checked, or a store does not answer. Counts as no attempt.
        """
        proved = self.prove(identifier, password, address=address, client=client, correlation=correlation)
        now = self._clock.now()
        view = proved.account.view(state_at(proved.account.state, proved.account.provisional_ends_at, now))
        return Checked(view, view.must_choose, noticed=self._notice(proved, now))

    def _notice(self, proved: Proved, now: datetime) -> bool:
        """Write the mail that tells a success after several failures, or from a new browser (row THR-09)."""
        if proved.account.password_hash is None:
            # By letter: the first connection has a mail of its own, once a password is chosen.
            return False
        if proved.failures >= NOTICE_AFTER:
            kind, about = MailKind.AFTER_FAILURES, {"failures": str(proved.failures)}
        elif not proved.known:
            kind, about = MailKind.NEW_CLIENT, {}
        else:
            return False
        with self._database.write() as connection:
            return outbox.add(connection, kind, proved.account, {"at": now.isoformat(), **about}, now)

    def prove(
        self, identifier: str, password: Secret, *, address: str, client: str = "", correlation: str = ""
    ) -> Proved:
        """Do the same for this room, and return the account whole; write no mail. Raises as `check`."""
        now = self._clock.now()
        key = identifier_key(identifier)
        known = self._clients.knows(key, client, now)
        if not known:
            self._throttle.admit(address, now)
        attempt = self._throttle.begin(key, now, known=known)
        try:
            account, reason = self._try(key, password, delayed=attempt is None)
        except Unavailable:
            if attempt is not None:
                self._throttle.withdraw(attempt)
            raise
        if account is None or attempt is None or reason is not None:
            self._throttle.failed_from(address, now)
            if attempt is not None and self._throttle.failed(key, now):
                self._lock(key, address, correlation)
            raise CredentialsRefused(reason or LoginFailure.UNKNOWN)
        failures = self._throttle.succeeded(key, attempt, now)
        self._credentials.refresh(account, password, now)
        return Proved(account, known, failures)

    def _try(self, key: str, password: Secret, *, delayed: bool) -> tuple[Account | None, LoginFailure | None]:
        """Return the account and why it does not open; no reason means that it does."""
        with self._database.read() as connection:
            account = store.find(connection, key)
        state = self._state(account)
        stored = account.password_hash if account and state in _BY_PASSWORD and not delayed else None
        by_password = self._hasher.verify(stored, password)
        by_letter = self._provisionals.matches(account, password)
        if account is None:
            return None, LoginFailure.UNKNOWN
        if delayed:
            return account, LoginFailure.DELAYED
        if state in _BY_STATE:
            return account, _BY_STATE[state]
        if not (by_letter if state is AccountState.PROVISIONAL else by_password):
            return account, LoginFailure.WRONG
        # The verification took a while: the account must still be the one it was.
        with self._database.read() as connection:
            still = store.find(connection, key)
        if still is None or still.version != account.version:
            return account, LoginFailure.WRONG
        if self._of_a_portal(still.email):
            return account, LoginFailure.PORTAL_ONLY
        return still, None

    def _state(self, account: Account | None) -> AccountState | None:
        if account is None:
            return None
        return state_at(account.state, account.provisional_ends_at, self._clock.now())

    def _lock(self, key: str, address: str, correlation: str) -> None:
        locked = ""
        with self._database.write() as connection:
            account = store.find_locked(connection, key)
            state = self._state(account)
            if account is not None and state is not None and allows(state, Act.LOCK):
                store.apply(connection, account, Act.LOCK, self._clock.now())
                locked = account.identifier
        if locked:
            self._locked(locked, address, correlation)
