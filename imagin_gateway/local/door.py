"""The direct door's accounts, as the journeys and the commands use them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from importlib.util import find_spec
from urllib.parse import urlsplit

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.events import EventLog, EventName
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import migrate, store
from imagin_gateway.local.accounts import Account, AccountView, Checked, identifier_key
from imagin_gateway.local.addresses import Addresses, AddressRefused, PendingAddress
from imagin_gateway.local.breached import BreachedList
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.credentials import Credentials
from imagin_gateway.local.database import Database
from imagin_gateway.local.demands import Demanded, Demands
from imagin_gateway.local.desk import HelpDesk
from imagin_gateway.local.dossier import Dossier
from imagin_gateway.local.factors import FactorRefused, FactorsView
from imagin_gateway.local.history import Happened, History
from imagin_gateway.local.inactivity import Inactivity
from imagin_gateway.local.kept_runs import ImportReport
from imagin_gateway.local.leak import Leaks
from imagin_gateway.local.letters import Letter, LetterKind
from imagin_gateway.local.lifecycle import AccountState, TransitionRefused, state_at
from imagin_gateway.local.links import Links
from imagin_gateway.local.lists import Lists
from imagin_gateway.local.login import CredentialsRefused, Login, LoginFailure
from imagin_gateway.local.mailer import Takes
from imagin_gateway.local.outbox import Outbox, depth, is_address
from imagin_gateway.local.own_address import OwnAddress
from imagin_gateway.local.own_password import OwnPassword
from imagin_gateway.local.passkeys import Ceremonies
from imagin_gateway.local.password_policy import PasswordPolicy, PasswordRefused
from imagin_gateway.local.passwords import Hasher, Limiter
from imagin_gateway.local.personal import PersonalData
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.reset import LinkDead, Resets
from imagin_gateway.local.second_factors import SecondFactors
from imagin_gateway.local.sender import Sender
from imagin_gateway.local.sheets import SheetWords
from imagin_gateway.local.telling import Telling
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

    Attributes:
        passwords: what people do with their password.
        address: what people do with their mail address.
        factors: second factors.
        trusted: computers on which the second factor is not asked.
        links: accounts linked to another service.
        lists: lists brought in, letters printed anew.
        desk: accounts as who helps their owners uses them.
        personal: all that is kept of a person.
        inactivity: accounts that nobody used for long.
        leaks: passwords that a leak may have told.
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
        self._tell = Telling(events)
        provisionals = Provisionals(Keyring(settings.keys.provisional))
        policy = PasswordPolicy(passwords.minimum_length, breached=breached.holds if breached else None)
        self._database = database
        self._breached = breached
        self._clock = clock
        self._hasher = hasher
        self._throttle = Throttle(state, lock=passwords.attempts == "lock", in_a_row=passwords.in_a_row)
        self._clients = KnownClients(state)
        self._history = History(database, clock, settings.events.retention)
        events.listen(self._history.hear)
        self.trusted = TrustedComputers(state)
        self.personal = PersonalData(database, self._throttle, self._clients, self.trusted)
        self.inactivity = Inactivity(database, self.personal, clock, settings.accounts.inactive_after)
        events.listen(self.inactivity.hear)
        self.leaks = Leaks(database, clock)
        credentials = Credentials(database, policy, hasher, provisionals)
        of_a_portal = settings.accounts.is_of_a_portal
        self._login = Login(
            database,
            hasher,
            provisionals,
            credentials,
            self._throttle,
            self._clients,
            clock,
            of_a_portal,
            locked=lambda identifier, address, correlation: self._tell(
                EventName.ACCOUNT_LOCKED, identifier, address=address, correlation=correlation
            ),
        )
        life = timedelta(minutes=passwords.reset_minutes)
        self._resets = Resets(database, keys, credentials, self._throttle, clock, life, of_a_portal)
        addresses = Addresses(database, keys, clock, of_a_portal)
        self._demands = Demands(database, clock)
        words = SheetWords(
            door=settings.url("/direct").partition("://")[2],
            contact=settings.contact,
            minimum=passwords.minimum_length,
        )
        life = timedelta(days=passwords.provisional_days)
        self.lists = Lists(database, provisionals, life, words, clock, self._tell, self._throttle.forgive)
        self._sender = Sender(
            Outbox(database),
            self._resets,
            addresses,
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
        wake = self._sender.wake
        self.passwords = OwnPassword(
            database, credentials, self._login, self._resets, self._clients, clock, self._tell, wake
        )
        self.address = OwnAddress(database, addresses, self._login, self._throttle, clock, self._tell, wake)
        self.links = Links(database, clock, events, wake, of_a_portal)
        self.desk = HelpDesk(
            database,
            provisionals,
            self._throttle,
            self._clients,
            self._history,
            self.links,
            clock,
            life,
            wake,
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
            wake=wake,
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
