"""The ephemeral state: sessions, journeys under way, replay ids, counters."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.operating.findings import Finding, Severity, fatal, good, warning
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes.machine import disk
from imagin_gateway.operating.probes.reaching import clock
from imagin_gateway.operating.probes.redis_silence import KEY, why, wrong_files
from imagin_gateway.settings.loopback import is_loopback

SUBJECT: Final = "état (sessions, anti-rejeux, compteurs)"

_FATAL: Final = frozenset({"redis.version", "redis.replica", "redis.eviction"})

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
    if wrong := wrong_files(address, SUBJECT):
        yield from wrong
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
            yield why(address, ground, SUBJECT, error)
            return
        with contextlib.closing(client):
            yield from _server(ground, store, client, address)


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
