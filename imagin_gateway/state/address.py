"""What may be written as the address of the state: engine, place, and nothing that weakens TLS."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

EXAMPLE: Final = '"sqlite:///chemin/etat.db" ou "rediss://hôte:6379/0"'

_TLS_OPTIONS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


def refusal(url: str) -> tuple[str, str] | None:
    """Return what is wrong with an address and what to write instead, in French; None when it will do.

    The address itself, which may hold a password, is in neither.

    Args:
        url: ``sqlite:///path``, ``redis://host:port/0``, ``rediss://host:port/0`` (TLS) or ``unix:///socket?db=0``.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path in ("", ":memory:"):
            return ("la base doit être un fichier", '"sqlite:///chemin/etat.db"')
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return ("adresse de stockage illisible", EXAMPLE)
    if parts.scheme not in ("redis", "rediss", "unix"):
        return ("adresse de stockage inconnue", EXAMPLE)
    if parts.scheme == "unix":
        if not parts.path.strip("/") or parts.hostname or port:
            return ("le chemin de la socket manque", '"unix:///run/redis/redis.sock?db=0"')
    elif not parts.hostname:
        return ("le nom du serveur Redis manque", EXAMPLE)
    elif not (number := parts.path.removeprefix("/")).isdecimal() and number:
        return ("le numéro de base Redis n’est pas un nombre", EXAMPLE)
    # Whatever else the client library would take from an address stays out, switching off TLS checks first of all.
    allowed = {"redis": frozenset[str](), "rediss": _TLS_OPTIONS, "unix": frozenset({"db"})}[parts.scheme]
    for name, value in options:
        if name not in allowed or not value or (name == "db" and not value.isdecimal()):
            return ("l’adresse porte une option inconnue", "les garder à " + (", ".join(sorted(allowed)) or "aucune"))
    if parts.fragment:
        return ("l’adresse porte un « # »", "l’écrire %23 dans un mot de passe")
    return None
