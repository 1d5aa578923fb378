"""Why a Redis does not answer: our files, a login or a certificate that is refused, no room, something on the way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagin_gateway.operating.findings import Finding, fatal
from imagin_gateway.operating.ground import Ground
from imagin_gateway.operating.probes import reaching

if TYPE_CHECKING:
    from imagin_gateway.state.address import Address

KEY: Final = "state.url"

_CROWDED: Final = "max number of clients"
"""Of what a full server says."""

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


def wrong_files(address: Address, subject: str) -> list[Finding]:
    """Return what is wrong with the files of an address, before a server is asked: what TLS says of them names none."""
    absent = [(name, path) for name, path in address.files.items() if not Path(path).is_file()]
    if absent:
        return [
            fatal("redis.tls_file", subject, f"{name} : le fichier {path} n’existe pas", "corriger ce chemin", KEY)
            for name, path in absent
        ]
    try:
        context = _trusted(address)
    except OSError:
        text = "ssl_ca_certs : ce fichier ne contient aucune autorité lisible"
        return [fatal("redis.tls_file", subject, text, "le certificat de son autorité, en PEM", KEY)]
    try:
        _present(context, address)
    except OSError:
        text = "ssl_certfile, ssl_keyfile : ce n’est pas un certificat et sa clé, lisibles et sans mot de passe"
        return [fatal("redis.tls_file", subject, text, "les deux en PEM, de la même paire", KEY)]
    return []


def why(address: Address, ground: Ground, subject: str, failed: Exception) -> Finding:
    """Say why a server does not answer: by what was told us, or by plain connections of our own.

    Args:
        address: of the server, or of those that lead to it.
        ground: how long to wait.
        subject: what it is to us, in French.
        failed: what the state said when it was asked.
    """
    import redis

    from imagin_gateway.state.address import Reach
    from imagin_gateway.state.connecting import _server_options, never_again

    where = address.socket or ", ".join(f"{host}:{port}" for host, port in address.hosts)
    subject = f"{subject}, {where}"
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
            told, alert = _unasked(address, ground.timeout)
            if _CROWDED.encode() in told:
                return crowded
            cause = alert or cause
        if isinstance(cause, ssl.SSLError) and cause.reason in _CLIENT_CERTIFICATE:
            given = "ssl_certfile" in address.files
            text = "il refuse notre certificat de client" if given else "il demande un certificat de client"
            remedy = "?ssl_certfile=…&ssl_keyfile=…, signés par son autorité ; ou, chez lui, « tls-auth-clients no »"
            return fatal("redis.client_certificate", subject, text, remedy, KEY)
        known = reaching.why(cause) if cause is not None else None
        if known is not None and known.name != "unreachable":
            remedy = known.remedy.replace("ca_file", "ssl_ca_certs")
            return fatal(f"redis.{known.name}", subject, known.text, remedy, KEY)
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


def _unasked(address: Address, timeout: float) -> tuple[bytes, ssl.SSLError | None]:
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
                context = _trusted(address)
                _present(context, address)
                heard = opened.enter_context(context.wrap_socket(heard, server_hostname=address.hosts[0][0]))
            return heard.recv(200), None
    except ssl.SSLError as error:
        return b"", error
    except OSError:
        return b"", None


def _trusted(address: Address) -> ssl.SSLContext:
    """Return the trust of the library that asks Redis: the system's authorities, where none is told."""
    return ssl.create_default_context(cafile=address.files.get("ssl_ca_certs"))


def _present(context: ssl.SSLContext, address: Address) -> None:
    """Let our certificate be shown, if there is one."""
    from imagin_gateway.state.connecting import NO_PASSWORD

    if certificate := address.files.get("ssl_certfile"):
        context.load_cert_chain(certificate, address.files.get("ssl_keyfile"), password=NO_PASSWORD)


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
    while error is not None and _CROWDED not in str(error):
        error = error.__cause__ or error.__context__
    return error is not None
