"""Who is connected to us: the machine itself, the certificate it showed, and what its headers leave in doubt."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from typing import Any


def peer_address(told: str) -> str:
    """Return the address of the machine that is connected to us, "" for a Unix socket or what is no address."""
    try:
        return str(ipaddress.ip_address(told.strip("[]")))
    except ValueError:
        return ""


def doubtful_names(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[str]:
    """Return the headers that came more than once or with underscores, lower case and with hyphens.

    Servers and gateways fold `ct_remote_user` into `ct-remote-user`: whoever writes the first hopes to be
    read as the second.
    """
    once: set[str] = set()
    doubtful: set[str] = set()
    for raw, _ in headers:
        name = raw.decode("latin-1").lower()
        plain = name.replace("_", "-")
        if plain in once or plain != name:
            doubtful.add(plain)
        once.add(plain)
    return frozenset(doubtful)


def certificate_of_scope(scope: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the client certificate that the ASGI server verified, "" without one (TLS extension)."""
    told = (scope.get("extensions") or {}).get("tls") or {}
    chain = told.get("client_cert_chain") or ()
    if told.get("client_cert_error") is not None or not chain:
        return ""
    return _fingerprint_of_pem(chain[0])


def certificate_of_environ(environ: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the client certificate that the WSGI server verified, "" without one.

    Apache's mod_wsgi and uWSGI tell it in variables of their own, which no request header can set; gunicorn gives
    the connection itself, of which a certificate is asked only if it is then verified.
    """
    if environ.get("SSL_CLIENT_VERIFY") == "SUCCESS":
        return _fingerprint_of_pem(environ.get("SSL_CLIENT_CERT", ""))
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, ssl.SSLSocket) and connection.context.verify_mode == ssl.CERT_REQUIRED:
        shown = connection.getpeercert(binary_form=True)
        return hashlib.sha256(shown).hexdigest() if shown else ""
    return ""


def _fingerprint_of_pem(pem: object) -> str:
    if not isinstance(pem, str):
        return ""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).hexdigest()
    except ValueError:
        return ""
