"""What may be written as the address of the state: engine, places, and nothing that weakens TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import parse_qsl, unquote

from imagin_gateway.keys import Secret

EXAMPLE: Final = '"sqlite:///chemin/etat.db" ou "rediss://hôte:6379/0"'

_SENTINEL_EXAMPLE: Final = '"rediss+sentinel://hôte1:26379,hôte2:26379,hôte3:26379/nom-du-maître/0"'

_CLUSTER_EXAMPLE: Final = '"rediss+cluster://hôte1:6379,hôte2:6379"'

_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})

_SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})

_HOST: Final = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")


class Reach(Enum):
    """How the server that holds our keys is found."""

    DIRECT = "direct"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES: Final = {
    "unix": (Reach.DIRECT, False),
    "redis": (Reach.DIRECT, False),
    "rediss": (Reach.DIRECT, True),
    "redis+sentinel": (Reach.SENTINEL, False),
    "rediss+sentinel": (Reach.SENTINEL, True),
    "redis+cluster": (Reach.CLUSTER, False),
    "rediss+cluster": (Reach.CLUSTER, True),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is.

    Attributes:
        reach: how the server is found.
        tls: whether every connection, to Sentinels too, is made over TLS.
        hosts: names or addresses (IPv6 without brackets) and ports; none with a Unix socket.
        socket: path of a Unix socket, or empty.
        service: the name under which the Sentinels know the master, or empty.
        db: number of the base.
        username, password: for the servers.
        sentinel_username, sentinel_password: for the Sentinels, to whom the servers' are never told.
        files: certificates and keys, under redis-py's names of them.
    """

    reach: Reach
    tls: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    socket: str = ""
    service: str = ""
    db: int = 0
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    sentinel_username: str = ""
    sentinel_password: Secret = field(default_factory=lambda: Secret(""))
    files: Mapping[str, str] = field(default_factory=dict)


class AddressRefused(ValueError):
    """An address will not do: what is wrong with it, and what to write instead, in French, without the address."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.remedy = remedy


def refusal(url: str) -> tuple[str, str] | None:
    """Return what is wrong with an address and what to write instead, in French; None when it will do.

    The address itself, which may hold a password, is in neither.

    Args:
        url: ``sqlite:///path``, or what `parse` takes.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path in ("", ":memory:"):
            return ("la base doit être un fichier", '"sqlite:///chemin/etat.db"')
        return None
    try:
        parse(url)
    except AddressRefused as refused:
        return (refused.wrong, refused.remedy)
    return None


def parse(url: str) -> Address:
    """Read the address of a Redis.

    Args:
        url: ``redis://host:port/0``, ``unix:///socket?db=0``, ``redis+sentinel://host:port,host:port/master/0``,
            ``redis+cluster://host:port,host:port``, each with ``user:password@`` before its place, or
            ``rediss`` instead of ``redis`` for TLS.

    Raises:
        AddressRefused: the address will not do.
    """
    scheme, sign, rest = url.partition("://")
    if not sign or scheme not in _SCHEMES:
        raise AddressRefused("adresse de stockage inconnue", EXAMPLE)
    reach, tls = _SCHEMES[scheme]
    if "#" in rest:
        raise AddressRefused("l’adresse porte un « # »", "l’écrire %23 dans un mot de passe")
    before, _, query = rest.partition("?")
    place, slash, path = before.partition("/")
    login, _, places = place.rpartition("@")
    username, _, password = login.partition(":")
    if reach is not Reach.DIRECT and ("@" in login or "," in login):
        # Several `user:password@` would be read as one password, with names of servers in it.
        raise AddressRefused("le mot de passe se lit mal", "une fois, avant les hôtes ; « @ » s’y écrit %40, « , » %2C")
    options = _options(query, scheme, tls, reach)
    service, db = "", options.pop("db", "0")
    if scheme == "unix":
        if not path.strip("/") or places:
            raise AddressRefused("le chemin de la socket manque", '"unix:///run/redis/redis.sock?db=0"')
    elif reach is Reach.SENTINEL:
        named, _, db = path.partition("/")
        service = unquote(named)
        if not service:
            raise AddressRefused("le nom du maître, pour les Sentinels, manque", _SENTINEL_EXAMPLE)
    else:
        db = path
    db = db or "0"
    if not (db.isascii() and db.isdecimal() and len(db) < 6):
        raise AddressRefused("le numéro de base Redis n’est pas un nombre", EXAMPLE)
    if reach is Reach.CLUSTER and int(db):
        raise AddressRefused("un cluster Redis n’a que la base 0", _CLUSTER_EXAMPLE)
    return Address(
        reach,
        tls=tls,
        hosts=() if scheme == "unix" else _hosts(places, reach),
        socket=unquote(slash + path) if scheme == "unix" else "",
        service=service,
        db=int(db),
        username=unquote(username),
        password=Secret(unquote(password)),
        sentinel_username=options.pop("sentinel_username", ""),
        sentinel_password=Secret(options.pop("sentinel_password", "")),
        files=options,
    )


def _options(query: str, scheme: str, tls: bool, reach: Reach) -> dict[str, str]:
    # Whatever else the client library would take from an address stays out, switching off TLS checks first of all.
    allowed = _TLS_OPTIONS if tls else frozenset()
    if reach is Reach.SENTINEL:
        allowed |= _SENTINEL_OPTIONS
    if scheme == "unix":
        allowed = frozenset({"db"})
    wrong = AddressRefused(
        "l’adresse porte une option inconnue, vide ou répétée",
        "les garder à " + (", ".join(sorted(allowed)) or "aucune"),
    )
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise wrong from None
    options = dict(pairs)
    if len(options) < len(pairs) or not options.keys() <= allowed or not all(options.values()):
        raise wrong
    if "ssl_keyfile" in options and "ssl_certfile" not in options:
        raise AddressRefused(
            "ssl_keyfile est dit sans ssl_certfile", "?ssl_certfile=/client.crt&ssl_keyfile=/client.key"
        )
    return options


def _hosts(text: str, reach: Reach) -> tuple[tuple[str, int], ...]:
    example = {Reach.DIRECT: EXAMPLE, Reach.SENTINEL: _SENTINEL_EXAMPLE, Reach.CLUSTER: _CLUSTER_EXAMPLE}[reach]
    if not text:
        raise AddressRefused("le nom du serveur Redis manque", example)
    hosts = []
    for one in [text] if reach is Reach.DIRECT else text.split(","):
        found = _HOST.fullmatch(one)
        port = int(found["port"] or (26379 if reach is Reach.SENTINEL else 6379)) if found else 0
        if found is None or not 0 < port < 65536 or not (found["name"] or _is_ipv6(found["six"])):
            raise AddressRefused("un nom ou un port de serveur Redis est illisible", example)
        hosts.append((found["name"] or found["six"], port))
    if len(set(hosts)) < len(hosts):
        raise AddressRefused("un serveur Redis est nommé deux fois", example)
    return tuple(hosts)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
