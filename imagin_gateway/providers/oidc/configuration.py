"""What a section of the settings must say before its portal opens: every problem at once, in French."""

from __future__ import annotations

import ssl
from urllib.parse import SplitResult, urlsplit

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.providers import scopes
from imagin_gateway.settings import OidcPortal
from imagin_gateway.settings.loopback import is_loopback


def hosts(config: OidcPortal) -> frozenset[str]:
    """Return the hosts that may be called for this portal: the issuer's, and those allowed by name."""
    issuer = urlsplit(config.issuer).hostname or ""
    return frozenset({issuer, *(host.lower() for host in config.other_hosts)})


def check(door: str, config: OidcPortal, *, redirect_uri: str, development: bool) -> None:
    """Raise `SettingsError` with every problem of a section, if it has any."""
    problems = [
        Problem(f"portals.{door}.{key}", message, remedy)
        for key, message, remedy in (*_issuer(config, development), *_client(config), *_requests(config))
    ]
    problems += scopes.problems(f"portals.{door}", config)
    if not _reachable(redirect_uri, development):
        problems.append(Problem("base_url", "l'adresse de retour du portail n'est pas en https", '"https://..."'))
    if problems:
        raise SettingsError(problems)


def trust(door: str, config: OidcPortal) -> ssl.SSLContext | None:
    """Return what verifies the portal's certificate: authorities of its own, or None for the system's.

    Raises:
        SettingsError: the file cannot be read, or holds no certificate.
    """
    if config.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(config.ca_file))
    except (OSError, ssl.SSLError):
        problem = Problem(f"portals.{door}.ca_file", "ce fichier ne contient aucune autorité lisible", "un fichier PEM")
        raise SettingsError([problem]) from None


_Finding = tuple[str, str, str]


def _issuer(config: OidcPortal, development: bool) -> list[_Finding]:
    found: list[_Finding] = []
    if not _reachable(config.issuer, development):
        found.append(("issuer", "l'émetteur n'est pas une adresse https", '"https://..."'))
    parts = _split(config.issuer)
    if parts is not None and (parts.query or "?" in config.issuer):
        # Discovery 1.0 §3: an issuer has neither query nor fragment.
        found.append(("issuer", "l'émetteur contient une requête", "l'adresse telle que le portail l'écrit"))
    for host in config.other_hosts:
        if set(host) & set("/:@?#*\\ ") or not _is_name(host):
            found.append(("other_hosts", "une entrée n'est pas un nom d'hôte", '["jetons.ac-paris.fr"]'))
    return found


def _client(config: OidcPortal) -> list[_Finding]:
    found: list[_Finding] = []
    if not config.client_id or not (config.client_id.isascii() and config.client_id.isprintable()):
        found.append(("client_id", "l'identifiant du client est vide ou illisible", "celui donné par le portail"))
    by_key = config.client_authentication == "private_key_jwt"
    if by_key and config.private_key is None:
        found.append(("private_key", "aucune clé, alors que private_key_jwt en demande une", "un fichier PEM"))
    elif not by_key and config.private_key is not None:
        remedy = 'client_authentication = "private_key_jwt"'
        found.append(("private_key", "une clé dont cette façon de s'authentifier ne se sert pas", remedy))
    if not by_key and config.other_private_keys:
        remedy = 'client_authentication = "private_key_jwt"'
        found.append(("other_private_keys", "des clés dont cette façon de s'authentifier ne se sert pas", remedy))
    if not by_key and not config.client_secret:
        found.append(("client_secret", "secret absent ou vide", "celui donné par le portail"))
    return found


def _requests(config: OidcPortal) -> list[_Finding]:
    found: list[_Finding] = []
    if "openid" not in config.scopes:
        found.append(("scopes", "la portée openid manque", '["openid", "profile", "email"]'))
    if any(not scope or set(scope) & set(' "\\') or not scope.isascii() for scope in config.scopes):
        # RFC 6749 §3.3.
        found.append(("scopes", "une portée contient une espace ou un signe interdit", "une portée par entrée"))
    if "offline_access" in config.scopes:
        # A session of ours never outlives its own limits: there is nothing to refresh.
        found.append(("scopes", "aucun jeton de renouvellement n'est jamais demandé", "enlever offline_access"))
    for key, values in (("acr_values", config.acr_values), ("required_acr", config.required_acr)):
        if any(not value or set(value) & set(' "\\') or not value.isprintable() for value in values):
            found.append((key, "une valeur est vide ou contient une espace", 'une valeur par entrée, "eidas1"'))
    if not config.algorithms:
        found.append(("algorithms", "aucun algorithme de signature", '["RS256"]'))
    return found


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _reachable(url: str, development: bool) -> bool:
    """Tell whether `url` is https, or plain http to this machine in development; without credentials or fragment."""
    parts = _split(url)
    if parts is None or "@" in parts.netloc or set(url) & set("# ") or not (url.isascii() and url.isprintable()):
        return False
    host = parts.hostname or ""
    return _is_name(host) and (
        parts.scheme == "https" or (development and parts.scheme == "http" and is_loopback(host))
    )


def _is_name(host: str) -> bool:
    """Tell whether the resolver may be asked for `host`: ASCII, and no label empty or too long (RFC 1035 §2.3.4)."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return host.isascii() and host != ""
