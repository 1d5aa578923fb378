"""Host names of the tests, for this process only.

The peer needs a name with two dots (its cookie belongs to what follows the first
one), and TLS is verified against that name, by our own client too. The name must
thus be resolved; the system's table of hosts is not ours to edit. So the one
question "which address has this name" is answered here, and everything after it
is real: connection, TLS, Host header.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

LOOPBACK: Final = "127.0.0.1"


@contextmanager
def resolving_to_loopback(*names: str) -> Iterator[None]:
    """Let `names`, and no other, be this machine."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:
        asked = host.decode("ascii") if isinstance(host, bytes) else host
        return real(LOOPBACK if asked in names else host, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
