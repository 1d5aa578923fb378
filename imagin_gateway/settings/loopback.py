"""This machine, as an address names it: what goes there crosses no network."""

from __future__ import annotations

from typing import Final

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names and addresses (IPv6 without brackets) of this machine, as they are written; nothing is resolved."""


def is_loopback(host: str | None) -> bool:
    """Tell whether a host, as `urlsplit` gives it, is this machine. None, when there is no host, is not."""
    return host in LOOPBACK


def is_this_machine(host: str) -> bool:
    """Tell whether a database's host is this machine: by its loopback, or by a Unix socket.

    Args:
        host: name, address, folder of a socket, or "" for the socket's usual place (libpq, `host`).
    """
    return not host or host.startswith("/") or is_loopback(host)
