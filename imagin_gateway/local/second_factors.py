"""The second factors of direct accounts: adding, proving, removing, each in one transaction.

Whatever is added or removed raises the account's `version`: a login under way ends, and
computers that were trusted are trusted no more. Proving takes the version the password
was proved with, so that a factor removed meanwhile is not asked for, nor taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import outbox, recovery, store, totp
from imagin_gateway.local.accounts import Account, AccountView, identifier_key
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.database import Database
from imagin_gateway.local.factors import (
    AMR,
    Enrolled,
    FactorKind,
    FactorRefused,
    FactorsView,
    StepProved,
)
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused, allows, state_at
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.passkey_rows import PasskeyRows
from imagin_gateway.local.passkeys import Ceremonies, NewPasskey, read
from imagin_gateway.local.recovery import RecoveryCodes
from imagin_gateway.local.throttle import Throttle, of_second_step
from imagin_gateway.local.totp_rows import TotpRows
from imagin_gateway.state.store import StateStore

_T = TypeVar("_T")

Tell = Mapping[str, str]
"""`address`, `correlation` and `actor`, for the event."""


class SecondFactors:
    """Second factors. Safe to share between threads.

    Args:
        database: of the accounts.
        state: counts of tries, and codes that were burnt.
        keys: `settings.keys.factors`; without them nothing is proved nor added.
        throttle: counts tries, as those of passwords, on their own.
        clients: browsers that are known.
        ceremonies: what passkeys are asked.
        service: name of the service, for the application.
        required: everybody must have one.
        clock, events: as everywhere.
        wake: tells the sender that a mail waits.
        of_a_portal: tells of a mail address whether its owner must enter by a portal: no passkey opens the account.

    Every method raises `Unavailable` when a store does not answer.
    """

    def __init__(
        self,
        database: Database,
        state: StateStore,
        keys: Keyring | None,
        throttle: Throttle,
        clients: KnownClients,
        ceremonies: Ceremonies,
        clock: Clock,
        events: EventLog,
        *,
        service: str,
        required: bool,
        wake: Callable[[], None],
        of_a_portal: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._keys = keys
        self._totp = TotpRows(self._held, state, clock)
        self._passkeys = PasskeyRows(ceremonies, clock)
        self._throttle = throttle
        self._clients = clients
        self.ceremonies = ceremonies
        self._clock = clock
        self._events = events
        self._service = service
        self._required = required
        self._wake = wake
        self._of_a_portal = of_a_portal

    def _held(self) -> Keyring:
        if self._keys is None:
            raise FactorRefused(Code.FACTOR_OFF, "second factors are switched off")
        return self._keys

    # -- looking -------------------------------------------------------------

    def of(self, identifier: str) -> FactorsView:
        """Return the second factors of an account; none for an account that does not exist."""
        with self._database.read() as connection:
            account = store.find(connection, identifier_key(identifier))
            if account is None:
                return FactorsView(None, (), 0, self._required)
            return self._view(connection, account)

    def _view(self, connection: sa.Connection, account: Account) -> FactorsView:
        return FactorsView(
            self._totp.view(connection, account),
            self._passkeys.views(connection, account),
            recovery.left(connection, account.id),
            self._required or account.second_factor_required,
        )

    # -- adding --------------------------------------------------------------

    def new_secret(self, identifier: str) -> tuple[str, Secret, Secret]:
        """Return a new secret: sealed, for the journey to keep; in base32, to type; and as the application reads it."""
        account = self._account(identifier)
        secret = totp.new_secret()
        return self._totp.seal(account, secret), secret, totp.address(secret, account.identifier, self._service)

    def shown_secret(self, identifier: str, sealed: str) -> tuple[Secret, Secret]:
        """Return the same once more, for a page that is shown again. Raises `FactorRefused` if it cannot be."""
        account = self._account(identifier)
        secret = self._totp.unseal(account, sealed)
        return secret, totp.address(secret, account.identifier, self._service)

    def add_totp(
        self, identifier: str, sealed: str, code: Secret, *, version: int, address: str, tell: Tell, client: str = ""
    ) -> Enrolled:
        """Add an application, or put it in the place of the former one, once it made a right code.

        Args:
            identifier: of the person who is signed in.
            sealed: as `new_secret` returned it.
            code: as typed.
            version: of the account, as it was when the page was shown.
            address: of the client.
            tell: for the event.
            client: id of the browser.

        Raises:
            FactorRefused: the code is wrong, too old, or made by a clock that is off; or too many tries.
        """

        def add(connection: sa.Connection, account: Account) -> None:
            self._totp.put(connection, account, sealed, code)

        return self._add(identifier, add, FactorKind.TOTP, version, address, client, tell)

    def to_make_passkey(self, identifier: str, challenge: Secret) -> str:
        """Return what the browser is asked to make a passkey with, in JSON."""
        account = self._account(identifier)
        with self._database.read() as connection:
            known = self._passkeys.credential_ids(connection, account)
        return self.ceremonies.to_make(challenge, account.id, account.identifier, known)

    def add_passkey(
        self,
        identifier: str,
        answer: Secret,
        challenge: Secret,
        name: str,
        *,
        version: int,
        address: str,
        tell: Tell,
        client: str = "",
    ) -> Enrolled:
        """Add a passkey that a browser has just made. Raises `FactorRefused`."""
        made: NewPasskey = self.ceremonies.made(answer, challenge)

        def add(connection: sa.Connection, account: Account) -> None:
            self._passkeys.add(connection, account, made, name)

        return self._add(identifier, add, FactorKind.PASSKEY, version, address, client, tell)

    def _add(
        self,
        identifier: str,
        add: Callable[[sa.Connection, Account], None],
        kind: FactorKind,
        version: int,
        address: str,
        client: str,
        tell: Tell,
    ) -> Enrolled:
        kept = RecoveryCodes(self._held())

        def write() -> tuple[Account, tuple[Secret, ...]]:
            with self._database.write() as connection:
                account = self._still(connection, identifier, version, (AccountState.ACTIVE,))
                add(connection, account)
                codes = () if recovery.left(connection, account.id) else kept.make(connection, account.id)
                now = self._clock.now()
                changed = store.touch(connection, account)
                outbox.add(connection, MailKind.FACTOR_ADDED, changed, {"at": now.isoformat()}, now)
            return changed, codes

        changed, codes = self._counted(identifier, address, client, write, tell)
        self._tell(EventName.FACTOR_ADDED, changed, tell, kind=kind.value)
        if codes:
            self._tell(EventName.RECOVERY_CODES_MADE, changed, tell, codes=len(codes))
        self._wake()
        return Enrolled(self._seen(changed), codes, AMR[kind])

    def new_codes(self, identifier: str, *, tell: Tell) -> tuple[Secret, ...]:
        """Return new recovery codes; the former ones die. Raises `FactorRefused` for an account without a factor."""
        kept = RecoveryCodes(self._held())
        with self._database.write() as connection:
            account = self._still(connection, identifier, None, (AccountState.ACTIVE,))
            if not self._view(connection, account).any:
                raise FactorRefused(Code.FACTOR_GONE, "the account has no second factor")
            codes = kept.make(connection, account.id)
            now = self._clock.now()
            outbox.add(connection, MailKind.RECOVERY_CODES, account, {"at": now.isoformat()}, now)
        self._tell(EventName.RECOVERY_CODES_MADE, account, tell, codes=len(codes))
        self._wake()
        return codes

    # -- proving -------------------------------------------------------------

    def prove_code(
        self, identifier: str, code: Secret, *, version: int, address: str, tell: Tell, client: str = ""
    ) -> StepProved:
        """Prove a second step by a code of the application: of many uses of one code, one succeeds, for ever.

        Args:
            identifier: of the account whose password was just proved.
            code: as typed.
            version: of the account, as it was then.
            address: of the client.
            tell: for the event.
            client: id of the browser.

        Raises:
            FactorRefused: with the reason.
        """

        def check(connection: sa.Connection, account: Account) -> None:
            self._totp.use(connection, account, code)

        return self._prove(identifier, check, FactorKind.TOTP, version, address, client, tell)

    def prove_recovery(
        self, identifier: str, code: Secret, *, version: int, address: str, tell: Tell, client: str = ""
    ) -> StepProved:
        """Prove a second step by a recovery code, which dies. As `prove_code`."""

        def check(connection: sa.Connection, account: Account) -> None:
            if not RecoveryCodes(self._held()).use(connection, account.id, code):
                raise FactorRefused(Code.FACTOR_RECOVERY, "no such recovery code")
            now = self._clock.now()
            outbox.add(connection, MailKind.RECOVERY_USED, account, {"at": now.isoformat()}, now)

        proved = self._prove(identifier, check, FactorKind.RECOVERY, version, address, client, tell)
        self._wake()
        return proved

    def to_use_passkey(self, identifier: str | None, challenge: Secret) -> str:
        """Return what the browser is asked to prove, in JSON; of any account when `identifier` is None."""
        if identifier is None:
            return self.ceremonies.to_use(challenge, ())
        account = self._account(identifier)
        with self._database.read() as connection:
            return self.ceremonies.to_use(challenge, self._passkeys.credential_ids(connection, account))

    def prove_passkey(
        self,
        identifier: str,
        answer: Secret,
        challenge: Secret,
        *,
        version: int,
        address: str,
        tell: Tell,
        client: str = "",
    ) -> StepProved:
        """Prove a second step by a passkey of this very account. As `prove_code`."""

        def check(connection: sa.Connection, account: Account) -> None:
            self._passkeys.use(connection, account, read(answer), challenge)

        return self._prove(identifier, check, FactorKind.PASSKEY, version, address, client, tell)

    def prove_passkey_alone(self, answer: Secret, challenge: Secret, *, address: str) -> StepProved:
        """Return whose passkey it is, its owner checked by the device: both factors at once.

        Raises:
            FactorRefused: whatever is wrong with the passkey, or with the account it opens.
            NetworkThrottled: too many failures from this network.
        """
        now = self._clock.now()
        self._throttle.admit(address, now)
        try:
            told = read(answer)
            with self._database.write() as connection:
                found = self._passkeys.owner(connection, told)
                account = None if found is None else store.find_id(connection, found, lock=True)
                if account is None or account.state is not AccountState.ACTIVE:
                    raise FactorRefused(Code.FACTOR_UNKNOWN, "no account in use has this passkey")
                if self._of_a_portal(account.email):
                    raise FactorRefused(Code.FACTOR_UNKNOWN, "the owner of this passkey must enter by a portal")
                self._passkeys.use(connection, account, told, challenge)
                left = recovery.left(connection, account.id)
        except FactorRefused:
            self._throttle.failed_from(address, now)
            raise
        return StepProved(self._seen(account), FactorKind.PASSKEY, (*AMR[FactorKind.PASSKEY], "user"), left)

    def _prove(
        self,
        identifier: str,
        check: Callable[[sa.Connection, Account], None],
        kind: FactorKind,
        version: int,
        address: str,
        client: str,
        tell: Tell,
    ) -> StepProved:
        if self._keys is None:
            raise FactorRefused(Code.FACTOR_OFF, "second factors are switched off")

        def write() -> tuple[Account, int]:
            with self._database.write() as connection:
                states = (AccountState.ACTIVE, AccountState.CHANGE_REQUIRED)
                account = self._still(connection, identifier, version, states)
                check(connection, account)
                return account, recovery.left(connection, account.id)

        account, left = self._counted(identifier, address, client, write, tell)
        if kind is FactorKind.RECOVERY:
            self._tell(EventName.RECOVERY_CODE_USED, account, tell, left=left)
        return StepProved(self._seen(account), kind, AMR[kind], left)

    def _counted(self, identifier: str, address: str, client: str, work: Callable[[], _T], tell: Tell) -> _T:
        """Do what counts as a try: before it is evaluated, and on its own, apart from the passwords'."""
        now, key = self._clock.now(), identifier_key(identifier)
        known = self._clients.knows(key, client, now)
        if not known:
            self._throttle.admit(address, now)
        counted = of_second_step(key)
        attempt = self._throttle.begin(counted, now, known=known)
        if attempt is None:
            self._throttle.failed_from(address, now)
            raise FactorRefused(Code.FACTOR_TOO_MANY, "too many tries")
        try:
            done = work()
        except FactorRefused:
            self._throttle.failed_from(address, now)
            if self._throttle.failed(counted, now):
                self._lock(key, tell)
            raise
        except (Unavailable, TransitionRefused):
            self._throttle.withdraw(attempt)
            raise
        self._throttle.succeeded(counted, attempt, now)
        return done

    def _lock(self, key: str, tell: Tell) -> None:
        locked: Account | None = None
        with self._database.write() as connection:
            account = store.find_locked(connection, key)
            if account is not None and allows(self._state_of(account), Act.LOCK):
                store.apply(connection, account, Act.LOCK, self._clock.now())
                locked = account
        if locked is not None:
            self._tell(EventName.ACCOUNT_LOCKED, locked, tell)

    # -- removing ------------------------------------------------------------

    def remove(self, identifier: str, handle: str, *, tell: Tell) -> AccountView:
        """Remove one factor; with the last one go the recovery codes.

        Args:
            identifier: of the person who is signed in.
            handle: of a passkey, or `totp`.
            tell: for the event.

        Raises:
            FactorRefused: there is no such factor (`FACTOR_GONE`), or the account must keep one (`FACTOR_NEEDED`).
        """
        with self._database.write() as connection:
            account = self._still(connection, identifier, None, tuple(AccountState))
            kind = FactorKind.TOTP if handle == FactorKind.TOTP else FactorKind.PASSKEY
            if kind is FactorKind.TOTP:
                gone = self._totp.remove(connection, account)
            else:
                gone = self._passkeys.remove(connection, account, handle)
            if not gone:
                raise FactorRefused(Code.FACTOR_GONE, "there is no such factor")
            left = self._view(connection, account)
            if not left.any:
                if left.required:
                    raise FactorRefused(Code.FACTOR_NEEDED, "this account must keep a second factor")
                recovery.clear(connection, account.id)
            now = self._clock.now()
            changed = store.touch(connection, account)
            outbox.add(connection, MailKind.FACTOR_REMOVED, changed, {"at": now.isoformat()}, now)
        self._tell(EventName.FACTOR_REMOVED, changed, tell, kind=kind.value, left=left.count)
        self._wake()
        return self._seen(changed)

    def remove_all(
        self, identifier: str, *, actor: str, address: str = "", correlation: str = "", version: int | None = None
    ) -> AccountView | None:
        """Take every factor and recovery code of an account away: its owner lost them, and the help desk knows them.

        The person is told by mail. Sessions are the caller's to end (`flows.lost_factor`).

        Args:
            identifier: of the account.
            actor: who does it.
            address, correlation: for the event, when it is done in a page.
            version: of the account that was looked at; the present one when None.

        Returns:
            The account as it is now; None when there is none.

        Raises:
            TransitionRefused: the account changed since it was looked at.
        """
        key = identifier_key(identifier)
        with self._database.write() as connection:
            account = store.find_locked(connection, key)
            if account is None:
                return None
            if version is not None and account.version != version:
                raise TransitionRefused("the account changed since it was looked at", code=Code.DESK_STALE)
            before = self._view(connection, account)
            self._totp.remove(connection, account)
            self._passkeys.remove_all(connection, account)
            recovery.clear(connection, account.id)
            now = self._clock.now()
            changed = store.touch(connection, account)
            if before.any:
                outbox.add(connection, MailKind.FACTORS_CLEARED, changed, {"at": now.isoformat()}, now)
        self._throttle.clear(of_second_step(key))
        tell = {"actor": actor, "address": address, "correlation": correlation}
        self._tell(EventName.FACTORS_CLEARED, changed, tell, factors=before.count, codes=before.recovery_left)
        self._wake()
        return self._seen(changed)

    def require(self, identifier: str, required: bool, *, actor: str) -> AccountView | None:
        """Demand a second factor of one account, or demand it no more; None when there is no such account."""
        with self._database.write() as connection:
            account = store.find_locked(connection, identifier_key(identifier))
            if account is None:
                return None
            changed = store.touch(connection, account, second_factor_required=required)
        name = EventName.FACTOR_REQUIRED if required else EventName.FACTOR_NOT_REQUIRED
        self._tell(name, changed, {"actor": actor})
        return self._seen(changed)

    # -- what it is made of --------------------------------------------------

    def _account(self, identifier: str) -> Account:
        with self._database.read() as connection:
            account = store.find(connection, identifier_key(identifier))
        if account is None:
            raise FactorRefused(Code.FACTOR_GONE, "there is no such account")
        return account

    def _still(
        self, connection: sa.Connection, identifier: str, version: int | None, states: tuple[AccountState, ...]
    ) -> Account:
        """Return the account, held, as it was when the page was shown. Raises `FactorRefused` when it changed."""
        account = store.find_locked(connection, identifier_key(identifier))
        if account is None or (version is not None and account.version != version):
            raise FactorRefused(Code.FACTOR_GONE, "the account changed meanwhile")
        if self._state_of(account) not in states:
            raise FactorRefused(Code.FACTOR_GONE, "the account is not in a state for that")
        return account

    def _state_of(self, account: Account) -> AccountState:
        return state_at(account.state, account.provisional_ends_at, self._clock.now())

    def _seen(self, account: Account) -> AccountView:
        return account.view(self._state_of(account))

    def _tell(self, name: EventName, account: Account, tell: Tell, **detail: str | int | bool) -> None:
        self._events.emit(
            Event(
                name=name,
                door=Door.DIRECT,
                person=(DIRECT_ISSUER, account.identifier),
                address=tell.get("address", ""),
                correlation=tell.get("correlation", ""),
                actor=tell.get("actor", ""),
                detail=detail,
            )
        )
