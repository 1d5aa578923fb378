"""The direct door's accounts, as the journeys and the commands use them."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, Problem, SettingsError
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import migrate, store
from imagin_gateway.local.accounts import Account, AccountView, Checked, identifier_key
from imagin_gateway.local.addresses import Addresses, AddressRefused, PendingAddress
from imagin_gateway.local.breached import BreachedList
from imagin_gateway.local.checked_list import Progress
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.convocations import Importer
from imagin_gateway.local.credentials import Credentials
from imagin_gateway.local.database import Database
from imagin_gateway.local.demands import Demanded, Demands
from imagin_gateway.local.desk import HelpDesk
from imagin_gateway.local.dossier import Dossier
from imagin_gateway.local.factors import FactorRefused, FactorsView
from imagin_gateway.local.history import Happened, History
from imagin_gateway.local.inactivity import Inactivity
from imagin_gateway.local.kept_runs import ImportReport, KeptRun, Output
from imagin_gateway.local.leak import Leaks
from imagin_gateway.local.letter_files import WriterMaker
from imagin_gateway.local.letters import Letter, LetterKind, LettersCsv
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused, state_at
from imagin_gateway.local.links import Links
from imagin_gateway.local.login import CredentialsRefused, Login, LoginFailure
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.mailer import Takes
from imagin_gateway.local.outbox import Outbox, depth, is_address
from imagin_gateway.local.passkeys import Ceremonies
from imagin_gateway.local.password_policy import PasswordPolicy, PasswordRefused
from imagin_gateway.local.passwords import Hasher, Limiter
from imagin_gateway.local.personal import PersonalData
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.reset import LinkDead, Resets
from imagin_gateway.local.second_factors import SecondFactors
from imagin_gateway.local.sender import Sender
from imagin_gateway.local.sheets import LetterSheets, SheetWords
from imagin_gateway.local.throttle import NetworkThrottled, Throttle
from imagin_gateway.local.trusted import TrustedComputers
from imagin_gateway.settings import Settings
from imagin_gateway.state.store import StateStore

__all__ = [
    "AccountState",
    "AccountView",
    "AddressRefused",
    "Checked",
    "CredentialsRefused",
    "Demanded",
    "DirectDoor",
    "Dossier",
    "FactorRefused",
    "FactorsView",
    "Happened",
    "ImportReport",
    "Letter",
    "LetterKind",
    "LinkDead",
    "LoginFailure",
    "NetworkThrottled",
    "PasswordRefused",
    "PendingAddress",
    "TransitionRefused",
]

SERVICE = "Imagin SIEC"
"""What applications and devices call us."""

LINK_PATH = "/mot-de-passe/lien?jeton="


_FACTOR_LIBRARIES = ("pyotp", "segno", "webauthn")


class DirectDoor:
    """Accounts, their passwords, their letters and their mail. Safe to share between threads.

    Built by `DirectDoor.open`.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        state: StateStore,
        clock: Clock,
        events: EventLog,
        *,
        hasher: Hasher,
        breached: BreachedList | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        passwords = settings.passwords
        keys = Keyring(settings.keys.signing)
        provisionals = Provisionals(Keyring(settings.keys.provisional))
        policy = PasswordPolicy(passwords.minimum_length, breached=breached.holds if breached else None)
        self._database = database
        self._breached = breached
        self._clock = clock
        self._events = events
        self._hasher = hasher
        self._throttle = Throttle(state, lock=passwords.attempts == "lock", in_a_row=passwords.in_a_row)
        self._clients = KnownClients(state)
        self.links = Links(database, clock, events)
        self._history = History(database, clock, settings.events.retention)
        events.listen(self._history.hear)
        self.trusted = TrustedComputers(state)
        self.personal = PersonalData(database, self._throttle, self._clients, self.trusted)
        self.inactivity = Inactivity(database, self.personal, clock, settings.accounts.inactive_after)
        events.listen(self.inactivity.hear)
        self.leaks = Leaks(database, clock)
        self._credentials = Credentials(database, policy, hasher, provisionals)
        of_a_portal = settings.accounts.is_of_a_portal
        self._login = Login(
            database,
            hasher,
            provisionals,
            self._credentials,
            self._throttle,
            self._clients,
            clock,
            of_a_portal,
            locked=lambda identifier, address, correlation: self._tell(
                EventName.ACCOUNT_LOCKED, identifier, address=address, correlation=correlation
            ),
        )
        life = timedelta(minutes=passwords.reset_minutes)
        self._resets = Resets(database, keys, self._credentials, self._throttle, clock, life, of_a_portal)
        self._addresses = Addresses(database, keys, clock, of_a_portal)
        self._demands = Demands(database, clock)
        self._importer = Importer(
            database,
            provisionals,
            clock,
            timedelta(days=passwords.provisional_days),
            self._tell_run,
            self._throttle.forgive,
        )
        self._sheet_words = SheetWords(
            door=settings.url("/direct").partition("://")[2],
            contact=settings.contact,
            minimum=passwords.minimum_length,
        )
        self._sender = Sender(
            Outbox(database),
            self._resets,
            self._addresses,
            settings.mail,
            contact=settings.contact,
            host=settings.host,
            # From the configuration alone, never from the request (row RST-06).
            link=lambda token: settings.url(LINK_PATH + token.reveal()),
            clock=clock,
            events=events,
            trust=trust,
            forget=self._forget_old,
        )
        life = timedelta(days=passwords.provisional_days)
        self.desk = HelpDesk(
            database,
            provisionals,
            self._throttle,
            self._clients,
            self._history,
            clock,
            life,
            self._sender.wake,
            of_a_portal,
        )
        self.factors = SecondFactors(
            database,
            state,
            Keyring(settings.keys.factors) if settings.factors.on else None,
            self._throttle,
            self._clients,
            # From the configuration alone: no header of a request says which site a passkey is good for.
            Ceremonies(urlsplit(settings.base_url).hostname or "", settings.base_url, SERVICE),
            clock,
            events,
            service=SERVICE,
            required=settings.factors.mode == "required",
            wake=self._sender.wake,
            of_a_portal=of_a_portal,
        )

    @classmethod
    def open(
        cls,
        settings: Settings,
        state: StateStore,
        clock: Clock,
        events: EventLog,
        *,
        hasher: Hasher | None = None,
        trust: ssl.SSLContext | None = None,
        upgrade: bool = True,
    ) -> DirectDoor:
        """Open the accounts. SQLite is brought up to date; PostgreSQL must be (`migrate.upgrade_accounts`).

        Args:
            settings: the sections `accounts`, `passwords`, `mail`, `keys`, and our address.
            state: counts of attempts.
            clock: the time.
            events: what happened.
            hasher: by default, of the profile in the settings.
            trust: certificates of the mail relay to trust, when not the system's.
            upgrade: bring SQLite up to date; else its tables are left as they are, and not looked at.

        Raises:
            SettingsError: the database cannot be opened or has another schema, or an address is not one.
            Unavailable: the database does not answer.
        """
        problems = [
            Problem(key, "ce n’est pas une adresse électronique", '"imagin@siec.education.fr"')
            for key, address in (("contact", settings.contact), ("mail.sender", settings.mail.sender))
            if not is_address(address)
        ]
        if settings.factors.on and (lacking := [name for name in _FACTOR_LIBRARIES if find_spec(name) is None]):
            what = f"il manque les bibliothèques du second facteur ({', '.join(lacking)})"
            problems.append(Problem("second_factor.mode", what, 'pip install "imagin-gateway[second-factor]"'))
        if problems:
            raise SettingsError(problems)
        listed = settings.passwords.breached_list
        database = Database(settings.accounts.url)
        try:
            is_file = settings.accounts.url.startswith("sqlite:")
            if is_file and upgrade:
                migrate.upgrade(database)
            if upgrade or not is_file:
                migrate.check(database)
            breached = None if listed is None else BreachedList(listed)
        except BaseException:
            database.close()
            raise
        pepper = Keyring(settings.keys.pepper) if settings.keys.pepper else None
        hasher = hasher or Hasher(settings.passwords.profile, pepper=pepper)
        return cls(settings, database, state, clock, events, hasher=hasher, breached=breached, trust=trust)

    # -- signing in ----------------------------------------------------------

    def check(
        self, identifier: str, password: Secret, *, address: str, client: str = "", correlation: str = ""
    ) -> Checked:
        """Check a couple as typed, and return whose it is.

        Args:
            identifier: as typed: surrounding spaces and case do not matter.
            password: as typed; a provisional one without spaces, hyphens and case.
            address: of the client.
            client: id of the browser, if it holds one of ours.
            correlation: of the request, for the event of an account that this try locks.

        Raises:
            CredentialsRefused: whatever is wrong; `reason` is for the event alone.
            NetworkThrottled: this network must wait `retry_after` seconds.
            Unavailable: too busy (`BUSY`), or a store does not answer.
        """
        checked = self._login.check(identifier, password, address=address, client=client, correlation=correlation)
        if checked.noticed:
            self._sender.wake()
        return checked

    def remember(self, identifier: str, client: str = "") -> str:
        """Note that a browser is the owner's, and return the id it must hold from now on. Raises `Unavailable`.

        Args:
            identifier: of the account it just proved, by its password or by its link.
            client: id it holds, if it holds one of ours.
        """
        return self._clients.remember(identifier_key(identifier), client, self._clock.now())

    # -- passwords -----------------------------------------------------------

    def choose_first_password(
        self,
        identifier: str,
        new: Secret,
        again: Secret,
        *,
        version: int | None = None,
        address: str = "",
        correlation: str = "",
    ) -> AccountView:
        """Set the password of somebody who signed in with one that must be replaced.

        Args:
            identifier: of the session opened for that alone.
            new: as typed.
            again: as typed the second time.
            version: `AccountView.version` at the login, if kept: a letter issued since then ends it.
            address: of the client, for the event.
            correlation: of the request, for the event.

        Raises:
            PasswordRefused: with the first thing wrong with the password.
            TransitionRefused: there is nothing to choose any more.
            Unavailable: too busy, or the store does not answer.
        """
        account = self._account(identifier)
        if account is None or (version is not None and account.version != version):
            raise TransitionRefused("the account changed since the login")
        first = account.password_hash is None
        notice = MailKind.FIRST_CONNECTION if first else MailKind.PASSWORD_CHANGED
        chosen = self._credentials.choose(account, new, again)
        written = self._credentials.write(account, chosen, Act.CHOOSE, notice, self._clock.now())
        return self._set(written, "first" if first else "required", address, correlation)

    def change_password(
        self,
        identifier: str,
        current: Secret,
        new: Secret,
        again: Secret,
        *,
        address: str = "",
        correlation: str = "",
        client: str = "",
    ) -> AccountView:
        """Set another password for somebody who is signed in and types the current one again.

        Raises:
            PasswordRefused: with the first thing wrong. A wrong current password counts as a failed login.
            TransitionRefused: the account is not in a state for that.
            NetworkThrottled: this network must wait.
            Unavailable: too busy, or a store does not answer.
        """
        try:
            proved = self._login.prove(identifier, current, address=address, client=client, correlation=correlation)
            account = proved.account
        except CredentialsRefused:
            raise PasswordRefused(Code.PASSWORD_CURRENT) from None
        chosen = self._credentials.choose(account, new, again, current=current)
        now = self._clock.now()
        written = self._credentials.write(account, chosen, Act.CHANGE, MailKind.PASSWORD_CHANGED, now)
        return self._set(written, "change", address, correlation)

    def ask_reset(self, identifier: str, *, address: str, correlation: str = "") -> None:
        """Note that a link is asked for. The same for every identifier; the mail, if any, leaves afterwards.

        Raises:
            NetworkThrottled: too many requests from this network.
            Unavailable: a store does not answer.
        """
        if self._resets.ask(identifier, address=address, correlation=correlation):
            self._sender.wake()
        else:
            tried = identifier_key(identifier)
            self._tell(EventName.RESET_ASKED, tried, code=Code.THROTTLED, address=address, correlation=correlation)

    def reset_link_alive(self, token: str) -> bool:
        """Tell whether a link can still be used. Consumes nothing."""
        return self._resets.is_alive(token)

    def use_reset(
        self, token: str, new: Secret, again: Secret, *, address: str = "", correlation: str = ""
    ) -> AccountView:
        """Set a password by a mailed link, which dies. Nobody is signed in by it.

        Raises:
            LinkDead: the link opens nothing, whatever the reason.
            PasswordRefused: with the first thing wrong; the link still works.
            Unavailable: too busy, or a store does not answer; the link still works.
        """
        return self._set(self._resets.use(token, new, again), "reset", address, correlation)

    def _set(self, account: Account, how: str, address: str, correlation: str) -> AccountView:
        self._sender.wake()
        # Who knew the former password is known no more.
        self._clients.forget(identifier_key(account.identifier))
        self._tell(
            EventName.PASSWORD_CHOSEN,
            account.identifier,
            address=address,
            correlation=correlation,
            detail={"how": how},
        )
        return account.view(self._state(account))

    # -- mail address --------------------------------------------------------

    def ask_address(
        self,
        identifier: str,
        current: Secret,
        new_address: str,
        *,
        address: str = "",
        correlation: str = "",
        client: str = "",
    ) -> PendingAddress:
        """Write to a new mail address, and to the one recorded, the codes that `confirm_address` asks for.

        Args:
            identifier: of the person who is signed in.
            current: password, typed again.
            new_address: as typed.
            address: of the client.
            correlation: of the request, for the event.
            client: id of the browser.

        Raises:
            PasswordRefused: the password is wrong; it counts as a failed login.
            AddressRefused: with what is wrong with the address, or too many requests.
            TransitionRefused: the account is not in a state for that.
            NetworkThrottled: this network must wait.
            Unavailable: too busy, or a store does not answer.
        """
        try:
            proved = self._login.prove(identifier, current, address=address, client=client, correlation=correlation)
            account = proved.account
        except CredentialsRefused:
            raise PasswordRefused(Code.PASSWORD_CURRENT) from None
        key = identifier_key(account.identifier)
        if not self._throttle.may_ask(key, address, self._clock.now(), what="codes"):
            raise AddressRefused("too many codes were asked for", code=Code.ADDRESS_TOO_MANY)
        pending = self._addresses.ask(account, new_address)
        self._sender.wake()
        self._tell(EventName.ADDRESS_ASKED, account.identifier, address=address, correlation=correlation)
        return pending

    def pending_address(self, identifier: str) -> PendingAddress | None:
        """Return the address that waits to be confirmed, if any. Raises `Unavailable`."""
        account = self._account(identifier)
        return None if account is None else self._addresses.pending(account)

    def confirm_address(
        self, identifier: str, new: Secret, former: Secret, *, address: str = "", correlation: str = ""
    ) -> AccountView:
        """Record the address that waits; both ends are told by mail.

        Args:
            identifier: of the person who is signed in.
            new: code received at the new address, as typed.
            former: code received at the recorded one, as typed.
            address: of the client, for the event.
            correlation: of the request, for the event.

        Raises:
            AddressRefused: a code is wrong or too old; too many wrong ones kill the request.
            Unavailable: the store does not answer.
        """
        account = self._account(identifier)
        if account is None:
            raise AddressRefused("no address waits for these codes")
        changed = self._addresses.confirm(account, new, former)
        self._sender.wake()
        self._tell(EventName.ADDRESS_CHANGED, changed.identifier, address=address, correlation=correlation)
        return changed.view(self._state(changed))

    # -- accounts ------------------------------------------------------------

    def find(self, identifier: str) -> AccountView | None:
        """Return the account with this identifier, or None. Raises `Unavailable`."""
        account = self._account(identifier)
        return None if account is None else account.view(self._state(account))

    def would_require_change(self, identifiers: Iterable[str]) -> Demanded:
        """Return what `require_change` would do now; nothing is changed. Raises `Unavailable`."""
        return self._demands.would(identifiers)

    def require_change(
        self, identifiers: Iterable[str], *, actor: str, progress: Callable[[int], None] | None = None
    ) -> Demanded:
        """Demand another password of these people. Their sessions are the caller's to end.

        Args:
            identifiers: as typed.
            actor: who demands it.
            progress: told how many were looked at.

        Raises:
            Unavailable: the database does not answer; what was done before stays done.
        """
        demanded = self._demands.of(identifiers, actor=actor, progress=progress)
        for identifier in demanded.changed:
            self._clients.forget(identifier_key(identifier))
            self._tell(EventName.CHANGE_REQUIRED, identifier, actor=actor)
        return demanded

    def start_reset(self, identifier: str, *, actor: str, address: str = "", correlation: str = "") -> bool:
        """Have a link mailed to the owner of an account; False if no account has this identifier."""
        account = self._account(identifier)
        if account is None:
            return False
        self._resets.note(identifier_key(identifier))
        self._tell(EventName.LINK_ORDERED, account.identifier, actor=actor, address=address, correlation=correlation)
        self._sender.wake()
        return True

    def disable(self, identifier: str) -> AccountView | None:
        """Close an account: neither login nor reset any more. Its sessions are the caller's to end.

        Returns:
            The account as it is now, or None when there is none.

        Raises:
            TransitionRefused: it is closed already, or changed meanwhile.
        """
        return self.desk.disable(identifier)

    def enable(self, identifier: str) -> AccountView | None:
        """Open a closed account again, with nothing yet that opens it. See `disable`."""
        return self.desk.enable(identifier)

    def import_list(
        self,
        path: Path,
        *,
        skip_bad: bool = False,
        reissue: bool = False,
        letters_to: Path | None = None,
        sheets_to: Path | None = None,
        each: Callable[[Letter], None] | None = None,
        progress: Progress | None = None,
        actor: str = "",
    ) -> ImportReport:
        """Import the list of an exam session. See `convocations.Importer.run`.

        Args:
            path: the list.
            skip_bad: import the good lines even if there are bad ones.
            reissue: print new passwords for those who have not used theirs.
            letters_to: file of the mail merge (CSV).
            sheets_to: file of the sheets to print (HTML).
            each: called with each letter, whose password is seen this once.
            progress: told how far it is.
            actor: who does it, for the events.

        Raises:
            ValueError: `letters_to` and `sheets_to` are the same file; nothing was opened.
        """
        output = self._output(letters_to, sheets_to, each)
        return self._importer.run(path, output, skip_bad=skip_bad, reissue=reissue, progress=progress, actor=actor)

    def reissue(
        self,
        identifiers: Sequence[str],
        *,
        letters_to: Path | None = None,
        sheets_to: Path | None = None,
        each: Callable[[Letter], None] | None = None,
        actor: str = "",
    ) -> ImportReport:
        """Print new provisional passwords; the former ones die. See `convocations.Importer.reissue`.

        Raises:
            ValueError: as `import_list`.
        """
        return self._importer.reissue(identifiers, self._output(letters_to, sheets_to, each), actor=actor)

    def _output(self, letters_to: Path | None, sheets_to: Path | None, each: Callable[[Letter], None] | None) -> Output:
        if letters_to is not None and sheets_to is not None and same_file(letters_to, sheets_to):
            raise ValueError("letters_to and sheets_to are the same file")
        files: dict[Path, tuple[str, WriterMaker]] = {}
        if letters_to is not None:
            files[letters_to] = (LettersCsv.encoding, LettersCsv)
        if sheets_to is not None:
            files[sheets_to] = (LetterSheets.encoding, lambda file: LetterSheets(file, self._sheet_words))
        return Output(files=files, each=each)

    def _tell_run(self, run: KeptRun, reissued: Iterable[str]) -> None:
        counts = {name: getattr(run.report, name) for name in ("created", "updated", "unchanged", "issued")}
        self._tell(EventName.ACCOUNTS_IMPORTED, actor=run.actor, detail={**counts, "run": run.id[:8]})
        for identifier in reissued:
            self._tell(EventName.PROVISIONAL_ISSUED, identifier, actor=run.actor, detail={"run": run.id[:8]})

    def _account(self, identifier: str) -> Account | None:
        with self._database.read() as connection:
            return store.find(connection, identifier_key(identifier))

    def _state(self, account: Account) -> AccountState:
        return state_at(account.state, account.provisional_ends_at, self._clock.now())

    # -- mail, and the end ---------------------------------------------------

    def start_sender(self) -> None:
        """Deliver mail from a thread of this process."""
        self._sender.start()

    def stop_sender(self) -> None:
        """Let that thread end its mail and go."""
        self._sender.stop()

    def deliver_due(self, relay: Takes | None = None) -> int:
        """Deliver what is due, once, to the relay of the settings or to this one; return how many mails left.

        Raises:
            Unavailable: the accounts database does not answer.
        """
        return self._sender.deliver_due(relay)

    @property
    def limiter(self) -> Limiter:
        """Turns of those who check a password."""
        return self._hasher.limiter

    def check_schema(self) -> None:
        """Ask the database whether it is there, and as this release knows it. Raises as `migrate.check`."""
        migrate.check(self._database)

    def outbox_depth(self) -> tuple[int, datetime | None]:
        """Return how many mails wait, and since when the oldest does. Raises `Unavailable`."""
        return depth(self._database)

    def _forget_old(self) -> None:
        forgotten = self._history.purge()
        if forgotten:
            self._tell(EventName.HISTORY_PURGED, detail={"events": forgotten})
        self.erase_inactive()

    def erase_inactive(self, *, actor: str = "") -> int:
        """Erase some of the accounts that nobody used for `accounts.inactive_months`; return how many.

        It is done every hour by who delivers the mail. Raises `Unavailable`.
        """
        erased = self.inactivity.erase()
        if erased:
            self._tell(EventName.INACTIVE_ERASED, actor=actor, detail={"accounts": erased})
        return erased

    def close(self) -> None:
        """Stop the sender and close every connection."""
        self._sender.stop()
        self._database.close()
        if self._breached is not None:
            self._breached.close()

    def _tell(
        self,
        name: EventName,
        identifier: str = "",
        *,
        code: Code | None = None,
        address: str = "",
        correlation: str = "",
        actor: str = "",
        detail: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        self._events.emit(
            Event(
                name=name,
                code=code,
                door=Door.DIRECT,
                person=(DIRECT_ISSUER, identifier) if identifier else None,
                address=address,
                correlation=correlation,
                actor=actor,
                detail=detail or {},
            )
        )


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths, however spelled, are one file, be it there or not."""
    return os.path.realpath(one) == os.path.realpath(other)
