"""The database of the accounts: there, ours, of this release, writable, on a clock like ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from imagin_gateway.local.migrate import REVISIONS
from imagin_gateway.local.schema import metadata
from imagin_gateway.operating.findings import Finding, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.machine import disk
from imagin_gateway.operating.probes.reaching import clock
from imagin_gateway.operating.probes.state import read_sqlite, wal
from imagin_gateway.settings.loopback import is_this_machine
from imagin_gateway.state.sqlite_file import passing_trouble

KEY: Final = "accounts.url"

SUBJECT: Final = "base des comptes"

UPGRADE: Final = "imagin-gateway accounts upgrade"

CLOCK_SECONDS: Final = 60.0

OLDEST_POSTGRESQL: Final = 130000


def look(ground: Ground) -> Iterator[Finding]:
    """Look at the accounts, whatever the engine. Nothing is made nor upgraded."""
    url = ground.settings.accounts.url
    if url.startswith("sqlite:///"):
        yield from _sqlite(ground, Path(url.removeprefix("sqlite:///")))
    else:
        yield from _postgresql(ground, url)


def is_remote(url: str) -> bool:
    """Tell whether asking the accounts leaves this machine."""
    if url.startswith("sqlite:///"):
        return False
    address = sa.make_url(url)
    options = dict(address.query)
    host = str(address.host or options.get("host", ""))
    return not is_this_machine(host)


def _to_restore(path: Path) -> str:
    left = [name for name in (f"{path.name}-wal", f"{path.name}-shm") if path.with_name(name).exists()]
    beside = f", en ôtant d’abord {' et '.join(left)} (docs/deployment.md)" if left else ""
    return f"donner un autre chemin, ou restaurer une sauvegarde{beside}"


def _sqlite(ground: Ground, path: Path) -> Iterator[Finding]:
    yield from disk(ground, KEY, path)
    if not path.exists():
        if path.parent.is_dir():
            text = f"{path} n’existe pas encore ; il sera créé au premier démarrage, sans aucun compte"
            yield warning("accounts.missing", SUBJECT, text, f"vérifier le chemin ; sinon {UPGRADE}", KEY)
        return
    try:
        tables = read_sqlite(path, "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'")[0]
        found = read_sqlite(path, "SELECT max(version_num) FROM alembic_version")[0] if tables else None
        others = 0 if tables else read_sqlite(path, "SELECT count(*) FROM sqlite_master")[0]
        health = read_sqlite(path, "PRAGMA quick_check(1)")[0]
    except sqlite3.Error as error:
        if trouble := passing_trouble(error):
            yield fatal("accounts.file", SUBJECT, f"{path} : {trouble[0]}", trouble[1], KEY)
            return
        text = f"{path} n’est pas une base SQLite utilisable"
        yield fatal("accounts.not_sqlite", SUBJECT, text, _to_restore(path), KEY)
        return
    if health != "ok":
        yield fatal("accounts.damaged", SUBJECT, f"{path} est abîmé", "restaurer la dernière sauvegarde", KEY)
    if others:
        yield fatal(
            "accounts.foreign", SUBJECT, f"{path} appartient à une autre application", "donner un autre chemin", KEY
        )
        return
    yield from schema(found, sqlite=True)
    if found is not None and not wal(path):
        text = f"{path} n’est pas en mode WAL : il y sera mis au démarrage, si son disque le permet"
        yield warning("accounts.not_wal", SUBJECT, text, f"sqlite3 {path} 'PRAGMA journal_mode=WAL'", KEY)


def schema(found: str | None, *, sqlite: bool) -> Iterator[Finding]:
    """Compare the schema with that of this release."""
    if found == REVISIONS[-1]:
        yield good("accounts.schema", SUBJECT, f"schéma {found}, celui de ce programme", KEY)
    elif found is None:
        text = "la base n’a pas encore de tables"
        yield (warning if sqlite else fatal)("accounts.empty", SUBJECT, text, UPGRADE, KEY)
    elif found in REVISIONS:
        text = f"le schéma ({found}) est plus ancien que ce programme ({REVISIONS[-1]})"
        remedy = f"sauvegarder, puis {UPGRADE}"
        yield (warning if sqlite else fatal)("accounts.behind", SUBJECT, text, remedy, KEY)
    else:
        text = f"le schéma ({found[:32]}) vient d’une version plus récente que ce programme"
        yield fatal("accounts.ahead", SUBJECT, text, "installer cette version, ou restaurer une sauvegarde", KEY)


def _postgresql(ground: Ground, url: str) -> Iterator[Finding]:
    address = sa.make_url(url)
    where = f"{address.host or 'socket locale'}, base {address.database or '?'}"
    subject = f"{SUBJECT}, {where}"
    options = dict(address.query)
    if is_remote(url) and options.get("sslmode") not in ("verify-full", "verify-ca"):
        text = "la liaison vers une autre machine n’est pas vérifiée : les comptes y passent, peut-être en clair"
        yield warning("accounts.no_tls", subject, text, "…?sslmode=verify-full&sslrootcert=/chemin/ac.pem", KEY)
    try:
        engine = sa.create_engine(
            address,
            hide_parameters=True,
            poolclass=sa.NullPool,
            connect_args={
                "connect_timeout": max(2, round(ground.timeout)),
                "client_encoding": "utf8",
                "options": f"-c statement_timeout={round(ground.timeout)}s",
            },
        )
    except ModuleNotFoundError:
        yield fatal(
            "accounts.driver",
            subject,
            "la bibliothèque psycopg manque",
            'pip install "imagin-gateway[postgresql]"',
            KEY,
        )
        return
    try:
        with engine.connect() as connection:
            yield from _server(ground, connection, subject)
    except OperationalError as error:
        yield _why(error, subject)
    except SQLAlchemyError as error:
        text = f"la base refuse nos questions ({type(error).__name__})"
        yield fatal("accounts.refused", subject, text, "donner à cet utilisateur les droits sur ses tables", KEY)
    finally:
        engine.dispose()


_WHY: Final = (
    (
        "password authentication failed",
        "accounts.login",
        "le mot de passe est refusé",
        "vérifier utilisateur et mot de passe",
    ),
    (
        "no password supplied",
        "accounts.login",
        "le mot de passe manque",
        "postgresql+psycopg://utilisateur:motdepasse@…",
    ),
    ("no pg_hba.conf entry", "accounts.login", "ce serveur refuse cette machine", "une ligne dans son pg_hba.conf"),
    ("does not exist", "accounts.database", "la base, ou l’utilisateur, n’existe pas", "createdb, createuser"),
    ("certificate", "accounts.certificate", "son certificat n’est pas reconnu", "sslrootcert=/chemin/ac.pem"),
    ("resolve", "accounts.name", "ce nom d’hôte est inconnu du DNS", "vérifier le nom"),
    ("starting up", "accounts.starting", "ce serveur démarre", "attendre, puis relancer"),
    ("too many", "accounts.full", "ce serveur n’a plus de connexion libre", "max_connections, ou moins de processus"),
)


def _why(error: OperationalError, subject: str) -> Finding:
    # Its words are searched, and never shown: they may quote the address.
    words = str(error.orig)
    for sign, name, text, remedy in _WHY:
        if sign in words:
            return fatal(name, subject, text, remedy, KEY)
    return fatal(
        "accounts.unreachable", subject, "cette base ne répond pas", "la lancer ; vérifier hôte, port et pare-feu", KEY
    )


def _server(ground: Ground, connection: sa.Connection, subject: str) -> Iterator[Finding]:
    def ask(question: str) -> object:
        return connection.execute(sa.text(question)).scalar()

    version = int(str(ask("SHOW server_version_num")))
    if version < OLDEST_POSTGRESQL:
        text = f"PostgreSQL {version // 10000} n’est plus tenu à jour"
        yield warning("accounts.version", subject, text, "PostgreSQL 13 ou plus récent", KEY)
    encoding = str(ask("SHOW server_encoding"))
    if encoding != "UTF8":
        text = f"cette base est en {encoding} : des noms n’y entrent pas, ou n’y sont pas comparés comme il faut"
        yield fatal("accounts.encoding", subject, text, "createdb --encoding=UTF8 --template=template0 …", KEY)
    if ask("SELECT pg_is_in_recovery()"):
        yield fatal(
            "accounts.read_only", subject, "c’est une réplique : elle refuse d’écrire", "l’adresse du primaire", KEY
        )
    elif ask("SHOW default_transaction_read_only") == "on":
        text = "cette base est en lecture seule"
        yield fatal(
            "accounts.read_only", subject, text, "ALTER DATABASE … SET default_transaction_read_only = off", KEY
        )
    if ask("SHOW fsync") == "off" or ask("SHOW full_page_writes") == "off":
        text = "fsync est coupé : une panne de courant peut rendre un lien déjà utilisé, ou perdre la base"
        yield warning("accounts.fsync", subject, text, "fsync = on et full_page_writes = on (postgresql.conf)", KEY)
    theirs = ask("SELECT clock_timestamp()")
    if isinstance(theirs, datetime):
        moment = theirs.astimezone(UTC)
        yield from clock("horloge de PostgreSQL", moment, ground, allowed=CLOCK_SECONDS, key=KEY, name="clock.accounts")
    found = None
    if sa.inspect(connection).has_table("alembic_version"):
        found = str(ask("SELECT version_num FROM alembic_version"))
    yield from schema(found, sqlite=False)
    if found is not None:
        lacking = connection.execute(_LACKING, {"tables": [table.name for table in metadata.sorted_tables]}).scalars()
        if names := ", ".join(lacking):
            yield fatal("accounts.rights", subject, f"cet utilisateur n’a pas tous les droits sur {names}", _GRANT, KEY)


# Of a list of rights, PostgreSQL tells whether there is any: each is asked by itself. A row takes its number from a
# sequence.
_LACKING: Final = sa.text("""
WITH told AS (SELECT name, to_regclass(quote_ident(name)) AS place FROM unnest(CAST(:tables AS text[])) AS name)
SELECT name FROM told WHERE EXISTS (
  SELECT FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS act WHERE NOT has_table_privilege(place, act))
UNION SELECT sequence.relname FROM told
  JOIN pg_depend ON refobjid = place AND deptype = 'a' AND classid = 'pg_class'::regclass
  JOIN pg_class AS sequence ON sequence.oid = objid
  WHERE CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE') END ORDER BY 1
""")

_GRANT: Final = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA … TO … ; "
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA … TO …"
)
