"""The ephemeral state: sessions, journeys under way, replay ids, counters."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.operating.findings import Finding, Severity, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.machine import disk
from imagin_gateway.operating.probes.reaching import clock
from imagin_gateway.settings.loopback import is_loopback

KEY: Final = "state.url"

SUBJECT: Final = "état (sessions, anti-rejeux, compteurs)"

_FATAL: Final = frozenset({"redis.version", "redis.replica", "redis.eviction"})

_CLIENT_CERTIFICATE: Final = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)
"""A server that speaks TLS asks for a client certificate by default (`tls-auth-clients yes`)."""

_ASKED: Final = 25
"""How often a server that hangs up is asked: a full one may have room a moment later."""

_SECONDS_BETWEEN: Final = 0.02

CLOCK_SECONDS: Final = 30.0
"""Redis collects what ended a minute ago by its own clock: a clock further ahead loses sessions."""


def look(ground: Ground) -> Iterator[Finding]:
    """Look at the state, whatever its engine."""
    url = ground.settings.state.url
    if url.startswith("sqlite:///"):
        yield from _sqlite(ground, Path(url.removeprefix("sqlite:///")))
    else:
        yield from _redis(ground, url)


def is_remote(url: str) -> bool:
    """Tell whether asking the state leaves this machine."""
    from imagin_gateway.state.address import AddressRefused, parse

    if url.startswith("sqlite:///"):
        return False
    with contextlib.suppress(AddressRefused):
        return any(not is_loopback(host) for host, _ in parse(url).hosts)
    return True


def _sqlite(ground: Ground, path: Path) -> Iterator[Finding]:
    from imagin_gateway.state.sqlite_file import APPLICATION_ID, OLDEST_SQLITE, SCHEMA_VERSION, passing_trouble

    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        text = f"SQLite {sqlite3.sqlite_version} est trop ancien"
        yield fatal("state.sqlite_version", SUBJECT, text, "SQLite 3.37 ou plus récent, ou Redis", KEY)
    yield from disk(ground, KEY, path)
    if not path.exists():
        if path.parent.is_dir():
            yield good("state.new", SUBJECT, f"{path} sera créé au premier démarrage", KEY)
        return
    try:
        questions = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        marks, mode = read_sqlite(path, *questions), wal(path)
    except sqlite3.Error as error:
        if trouble := passing_trouble(error):
            yield fatal("state.file", SUBJECT, f"{path} : {trouble[0]}", trouble[1], KEY)
            return
        yield fatal(
            "state.not_sqlite", SUBJECT, f"{path} n’est pas une base SQLite utilisable", "donner un autre chemin", KEY
        )
        return
    if marks == [0, 0, 0]:
        yield good("state.new", SUBJECT, f"{path} est vide, et sera préparé au premier démarrage", KEY)
    elif marks[0] != APPLICATION_ID:
        yield fatal(
            "state.foreign", SUBJECT, f"{path} appartient à une autre application", "donner un autre chemin", KEY
        )
    elif marks[1] != SCHEMA_VERSION:
        text = f"{path} vient d’une autre version de ce programme"
        yield fatal("state.schema", SUBJECT, text, f"arrêter, supprimer {path} ; chacun se connectera de nouveau", KEY)
    elif not mode:
        text = f"{path} n’est pas en mode WAL : il y sera mis au démarrage, si son disque le permet"
        yield warning("state.not_wal", SUBJECT, text, f"sqlite3 {path} 'PRAGMA journal_mode=WAL'", KEY)
    else:
        yield good("state.schema", SUBJECT, f"SQLite, {path}", KEY)


def wal(path: Path) -> bool:
    """Tell whether a SQLite file is in WAL mode, from its header: opening it could change it (fileformat2 §1.3.3)."""
    with path.open("rb") as file:
        head = file.read(20)
    return len(head) < 20 or head[18:20] == b"\x02\x02"


def read_sqlite(path: Path, *questions: str) -> list[Any]:
    """Ask single values of a SQLite file, without changing it. Raises `sqlite3.Error`."""
    with contextlib.closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True, timeout=2)) as opened:
        return [opened.execute(question).fetchone()[0] for question in questions]


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))


def _redis(ground: Ground, url: str) -> Iterator[Finding]:
    import redis

    from imagin_gateway.state.address import parse
    from imagin_gateway.state.redis import RedisStateStore

    address = parse(url)
    if not address.tls and any(not is_loopback(host) for host, _ in address.hosts):
        text = "les sessions passent en clair vers une autre machine"
        yield warning("redis.no_tls", SUBJECT, text, "rediss://… (et ssl_ca_certs pour une autorité privée)", KEY)
    for name, path in address.files.items():
        if not Path(path).is_file():
            yield fatal(
                "redis.tls_file", SUBJECT, f"{name} : le fichier {path} n’existe pas", "corriger ce chemin", KEY
            )
            return
    try:
        store = RedisStateStore(url, timeout=ground.timeout)
    except SettingsError as error:
        for problem in error.problems:
            yield fatal("redis.address", SUBJECT, problem.message, problem.remedy, KEY)
        return
    with contextlib.closing(store):
        try:
            client = store.dedicated()
            store.ping()
            # The second connection, too: what it does not answer would be taken for a right that is missing.
            with contextlib.suppress(redis.ResponseError):
                client.ping()
        except (Unavailable, redis.ConnectionError) as error:
            yield _why(url, address, ground, error)
            return
        with contextlib.closing(client):
            yield from _server(ground, store, client, address)


def _why(url: str, address: Any, ground: Ground, failed: Exception) -> Finding:
    """Say why a server does not answer: by what was told us, or by one plain connection of our own."""
    import redis

    from imagin_gateway.operating.probes import reaching
    from imagin_gateway.state.address import Reach
    from imagin_gateway.state.connecting import _server_options, never_again

    where = address.socket or ", ".join(f"{host}:{port}" for host, port in address.hosts)
    subject = f"{SUBJECT}, {where}"
    # The library's own trying again waits for seconds each time.
    options: dict[str, Any] = _server_options(address, ground.timeout) | {"retry": never_again()}
    options |= {"unix_socket_path": address.socket} if address.socket else {}
    if not address.socket:
        options["host"], options["port"] = address.hosts[0]
    if address.service:
        options |= {
            "username": address.sentinel_username or None,
            "password": address.sentinel_password.reveal() or None,
        }
    crowded = fatal(
        "redis.clients", subject, "ce serveur n’a plus de connexion libre", "maxclients, ou moins de processus", KEY
    )
    if _is_crowded(failed):
        return crowded
    try:
        _ping(options)
    except redis.AuthenticationError:
        return fatal(
            "redis.login",
            subject,
            "le nom ou le mot de passe est refusé, ou manque",
            "rediss://utilisateur:motdepasse@hôte:6379/0 ; rediss://:motdepasse@… sans utilisateur (docs/redis.md)",
            KEY,
        )
    except redis.exceptions.NoPermissionError:
        return fatal("redis.acl", subject, "cet utilisateur n’a aucun droit", "les droits de docs/redis.md", KEY)
    except (redis.RedisError, OSError) as error:
        if _is_crowded(error):
            return crowded
        cause = _of_system(error)
        if _hung_up(error):
            heard = _unasked(address, ground.timeout)
            if b"max number of clients" in heard[0]:
                return crowded
            cause = heard[1] or cause
        if isinstance(cause, ssl.SSLError) and cause.reason in _CLIENT_CERTIFICATE:
            given = "ssl_certfile" in address.files
            text = "il refuse notre certificat de client" if given else "il demande un certificat de client"
            remedy = "?ssl_certfile=…&ssl_keyfile=…, signés par son autorité ; ou, chez lui, « tls-auth-clients no »"
            return fatal("redis.client_certificate", subject, text, remedy, KEY)
        told = reaching.why(cause) if cause is not None else None
        if told is not None and told.name != "unreachable":
            return fatal(f"redis.{told.name}", subject, told.text, told.remedy.replace("ca_file", "ssl_ca_certs"), KEY)
        return fatal(
            "redis.unreachable", subject, "ce Redis ne répond pas", "le lancer ; vérifier l’adresse et le port", KEY
        )
    if _hung_up(failed):
        # It answers now, and nobody who lacks a right is hung up on: there was no room a moment ago.
        return crowded
    if address.reach is Reach.DIRECT:
        text = "ce Redis répond, mais refuse nos clés à cet utilisateur"
        return fatal("redis.acl", subject, text, "les droits de docs/redis.md : ~{imagin-gateway}:*", KEY)
    text = "ce Redis répond, mais aucun serveur n’est maître de nos clés"
    return fatal("redis.no_master", subject, text, "vérifier Sentinel ou le cluster (docs/redis.md)", KEY)


def _ping(options: dict[str, Any]) -> None:
    """Ask one server for an answer; again, while it hangs up."""
    import redis

    for left in reversed(range(_ASKED)):
        try:
            with contextlib.closing(redis.Redis(**options)) as one:
                one.ping()
            return
        except redis.ConnectionError as error:
            if not left or not _hung_up(error):
                raise
        time.sleep(_SECONDS_BETWEEN)


def _unasked(address: Any, timeout: float) -> tuple[bytes, ssl.SSLError | None]:
    """Return what a server says when nothing is written to it, and what TLS says of that.

    A full one says so and hangs up; in TLS 1.3 one judges our certificate once the handshake is over for us (RFC 8446
    §4.4.2.4). Either is lost when it hangs up on a command that was on its way.
    """
    try:
        with contextlib.ExitStack() as opened:
            if address.socket:
                heard = opened.enter_context(socket.socket(socket.AF_UNIX))
                heard.settimeout(timeout)
                heard.connect(address.socket)
            else:
                heard = opened.enter_context(socket.create_connection(address.hosts[0], timeout))
            if address.tls:
                context = ssl.create_default_context(cafile=address.files.get("ssl_ca_certs"))
                if "ssl_certfile" in address.files:
                    context.load_cert_chain(address.files["ssl_certfile"], address.files.get("ssl_keyfile"))
                heard = opened.enter_context(context.wrap_socket(heard, server_hostname=address.hosts[0][0]))
            return heard.recv(200), None
    except ssl.SSLError as error:
        return b"", error
    except OSError:
        return b"", None


def _of_system(error: BaseException | None) -> OSError | None:
    """Return what the system said, of which an error was made; None when it said nothing."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _hung_up(error: BaseException | None) -> bool:
    """Tell whether a server ended the connection; the library has words of its own where the system says nothing."""
    closed = isinstance(_of_system(error), BrokenPipeError | ConnectionResetError | ssl.SSLEOFError)
    while error is not None and not closed:
        closed = "closed by server" in str(error)
        error = error.__cause__ or error.__context__
    return closed


def _is_crowded(error: BaseException | None) -> bool:
    """Tell whether a server had no connection left: its own words, for which the library has no class."""
    while error is not None and "max number of clients" not in str(error):
        error = error.__cause__ or error.__context__
    return error is not None


def _server(ground: Ground, store: Any, client: Any, address: Any) -> Iterator[Finding]:
    import redis

    from imagin_gateway.state.address import Reach
    from imagin_gateway.state.endangering import endangering

    try:
        info: dict[str, Any] = client.info()
    except redis.RedisError:
        info = {}
        yield warning("redis.info", SUBJECT, "ce serveur ne dit pas ses réglages (INFO refusé)", "permettre INFO", KEY)
    for problem in endangering(info, fails_over=address.reach is not Reach.DIRECT):
        severity = Severity.FATAL if problem.id in _FATAL else Severity.WARNING
        yield Finding(problem.id, severity, SUBJECT, problem.message, problem.remedy, KEY)
    if info and not info.get("maxmemory"):
        text = "aucune limite de mémoire : plein, il emporterait la machine avec lui"
        yield warning("redis.no_limit", SUBJECT, text, "« maxmemory » et « maxmemory-policy noeviction »", KEY)
    if info and not info.get("aof_enabled") and not _saves(client):
        text = "rien n’est écrit sur disque : un redémarrage déconnecte tout le monde, et rouvre les anti-rejeux"
        yield warning("redis.persistence", SUBJECT, text, "« appendonly yes »", KEY)
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        yield fatal("redis.disk", SUBJECT, "ce Redis n’arrive plus à écrire sur son disque", "faire de la place", KEY)
    yield from _rights(store, client)
    try:
        seconds, micro = client.time()
    except redis.exceptions.NoPermissionError:
        text = "son heure ne peut pas être lue : une horloge en avance perd des sessions"
        yield warning("redis.time", SUBJECT, text, "permettre +time (docs/redis.md)", KEY)
        return
    except redis.RedisError:
        return
    theirs = datetime.fromtimestamp(int(seconds) + int(micro) / 1e6, UTC)
    yield from clock("horloge de Redis", theirs, ground, allowed=CLOCK_SECONDS, key=KEY, name="clock.state")
    yield good("redis.server", SUBJECT, f"Redis {info.get('redis_version', '?')}", KEY)


def _saves(client: Any) -> bool:
    import redis

    try:
        return bool(client.config_get("save").get("save"))
    except redis.RedisError:
        return True  # hidden: no reason for an alarm


def _is_moving(client: Any, key: str) -> bool:
    """Tell whether the slot of our keys is on its way to another node: this one sends on what it no longer has."""
    import redis

    from imagin_gateway.state.redis import PREFIX

    try:
        client.get(f"{PREFIX}:{key}")
    except redis.exceptions.AskError:
        return True
    except redis.RedisError:
        return False
    return False


def _rights(store: Any, client: Any) -> Iterator[Finding]:
    """Do once what every login does: write, take back, follow changes."""
    from imagin_gateway.clock import SystemClock, timestamp
    from imagin_gateway.errors import Unavailable as Refused
    from imagin_gateway.state.store import Space

    now = timestamp(SystemClock().now())
    key = f"check-{secrets.token_hex(8)}"
    try:
        store.put_if_absent(Space.COUNTER, key, b"check", expires_at=now + 10, now=now)
        store.take(Space.COUNTER, key, now=now)
    except Refused:
        if _is_moving(client, key):
            text = "nos clés changent de serveur dans le cluster : d’ici la fin, les connexions sont refusées (503)"
            remedy = "mener le déplacement à son terme (CLUSTER SETSLOT ... NODE)"
            yield fatal("redis.moving", SUBJECT, text, remedy, KEY)
            return
        text = "nos scripts n’y sont pas permis, ou il n’accepte pas d’écrire"
        yield fatal("redis.acl", SUBJECT, text, "les droits de docs/redis.md, eval et evalsha compris", KEY)
        return
    import redis

    try:
        client.execute_command("CLIENT", "ID")
        client.execute_command("CLIENT", "TRACKING", "OFF")
    except redis.RedisError:
        text = "CLIENT TRACKING n’y est pas permis : chaque page demandera la session à Redis"
        yield warning("redis.tracking", SUBJECT, text, "permettre +client|tracking et +client|id (docs/redis.md)", KEY)
        return
    yield good("redis.rights", SUBJECT, "écrire, effacer et suivre les changements y est permis", KEY)
