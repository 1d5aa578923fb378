"""What a request may not bring from outside, and where it comes from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from imagin_gateway.exchange import MAX_BODY_BYTES

KEY: Final = "imagin_gateway"
"""Under this key of the ASGI scope or the WSGI environ, hosts find the `Visitor`."""

INSTEAD: Final = "imagin_gateway.instead"
"""Under this key stands an empty list; the first answer put there is sent in the place of the host's."""

PATH: Final = "imagin_gateway.path"
"""Under this key of the ASGI scope stands the path asked for: some frameworks cut it for what they mount."""

_IDENTITY_HEADERS: Final = frozenset(
    {
        # what portal agents and authenticating proxies set
        "auth-type",
        "x-user",
        "x-email",
        "eppn",
        "uid",
        "mail",
        "displayname",
        # what moves a request to another path in some frameworks
        "x-original-url",
        "x-rewrite-url",
        # ARENA's own
        "ct-remote-user",
        "ctln",
        "ctfn",
        "ctemail",
        "ctdn",
        "ctgrps",
        "cn",
        "employeenumber",
        "rne",
        "title",
        "typensi",
        "grade",
        "discim",
        "codecivilite",
        "datenaissance",
        "codaca",
        "fredurne",
        "fredurneresp",
        "fredufonctadm",
        "freduresdel",
        "fredugestresp",
        "freduurlretour",
    }
)
_PREFIXES: Final = (
    "imagin-gateway",
    "x-imagin-",
    "remote-",
    "x-remote-",
    "x-auth-",
    "x-authenticated-",
    "x-authentik-",
    "x-webauth-",
    "x-ssl-client",
    "ssl-client",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-login",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-goog-authenticated-user",
    "x-ms-client-principal",
    "x-amzn-oidc-",
    "cf-access-authenticated-user",
)


def is_identity_header(name: str) -> bool:
    """Tell whether a header pretends to say who somebody is.

    Hyphens and underscores are one: CGI variables, and so WSGI and Django, do not
    tell `ct-remote-user` from `ct_remote_user`.
    """
    plain = name.lower().replace("_", "-")
    return plain in _IDENTITY_HEADERS or plain.startswith(_PREFIXES)


class HeaderUses:
    """What each header of a request is to us, remembered by name: requests repeat the same few.

    Safe to share between threads.
    """

    MOST_KEPT: Final = 1024
    LONGEST_KEPT: Final = 64

    def __init__(self) -> None:
        self._plain: set[bytes] = set()

    def read(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, bool]:
        """Return the Cookie header, and whether any header pretends to say who somebody is."""
        cookies, pretends, plain = "", False, self._plain
        for name, value in headers:
            if name in plain:
                continue
            if name == b"cookie" or name.lower() == b"cookie":
                # HTTP/2 may split it (RFC 9113 §8.2.3).
                cookies = f"{cookies}; {value.decode('latin-1')}" if cookies else value.decode("latin-1")
            elif self.pretends(name):
                pretends = True
            elif len(plain) < self.MOST_KEPT and len(name) <= self.LONGEST_KEPT:
                plain.add(name)
        return cookies, pretends

    def pretends(self, name: bytes) -> bool:
        """Tell whether a header pretends to say who somebody is."""
        return name not in self._plain and is_identity_header(name.decode("latin-1"))

    def without_pretenders(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers that do not pretend to say who somebody is."""
        return [line for line in headers if not self.pretends(line[0])]


TOO_LONG: Final = b"\x00" * (MAX_BODY_BYTES + 1)
"""Stands for a body that was announced too long, and is not read."""


def declared_too_long(length: str) -> bool:
    """Tell whether a Content-Length announces more than is ever read, or is no length at all; "" announces nothing."""
    return bool(length) and (not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES)


_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):[0-9]{1,5}")


def client_address(peer: str, forwarded_for: str, trusted_proxies: int) -> str:
    """Return the address of the client, as the nearest undeclared machine.

    Args:
        peer: address of the machine that is connected to us; "" for a Unix socket.
        forwarded_for: X-Forwarded-For, its lines joined by commas.
        trusted_proxies: how many proxies of ours stand in front; each added one entry.
            What stands further left came from outside and counts for nothing.
    """
    if trusted_proxies == 0:
        return _address(peer)
    hops = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    if not hops:
        return _address(peer)
    told = hops[-min(trusted_proxies, len(hops))]
    # Azure's gateways and IIS tell the port, too.
    with_port = _WITH_PORT.fullmatch(told)
    return _address(with_port[1] if with_port else told) or _address(peer)


def _address(text: str) -> str:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return ""
    # A server that listens on `::` tells so who comes by IPv4: one machine has one address, in events and networks.
    return str(getattr(found, "ipv4_mapped", None) or found)
