"""Lines to syslog, in the form of RFC 5424: the local socket, UDP, or TCP with counted frames (RFC 6587 §3.4.1).

To reach another machine over TLS, hand them to the local daemon and let it forward.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from typing import Final, Literal

from imagin_gateway.problems import wrong

SECONDS: Final = 5.0
"""Longest time a connection or a write may take."""

_AUTHPRIV: Final = 10 << 3
_NOTICE: Final = 5

_ADDRESS: Final = re.compile(r"(udp|tcp)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Target:
    """Where syslog listens: a local socket by its path, or a host and a port."""

    how: Literal["local", "udp", "tcp"]
    place: str
    port: int = 0


def read_target(text: str) -> Target:
    """Read ``/dev/log``, ``udp://host:514`` or ``tcp://host:601``. Raises the error of a validator."""
    if text.startswith("/"):
        return Target("local", text)
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[3]) < 65536:
        raise wrong("adresse de syslog illisible", '"/dev/log", "udp://hôte:514" ou "tcp://hôte:601"')
    return Target("udp" if found[1] == "udp" else "tcp", found[2].strip("[]"), int(found[3]))


class SyslogSink:
    """Lines to a syslog daemon, connected when first needed and again after an error.

    Args:
        target: where it listens.
    """

    name = "syslog"
    waits = True

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket: socket.socket | None = None
        self._host = re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"

    def write(self, line: str) -> None:
        """Send one line. Raises `OSError`; a connection that broke is made anew by the next one."""
        frame = self.frame(line)
        if self._target.how == "tcp":
            frame = str(len(frame)).encode() + b" " + frame
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._socket.sendall(frame)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the next line makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def frame(self, line: str) -> bytes:
        """Return the message of one line; its time is that of the event."""
        moment = re.search(r'"time": "([0-9TZ:.+-]+)"', line)
        head = f"<{_AUTHPRIV + _NOTICE}>1 {moment[1] if moment else '-'} {self._host} imagin-gateway {os.getpid()}"
        return f"{head} event - {line}".encode("ascii", "backslashreplace")

    def _connect(self) -> socket.socket:
        target = self._target
        if target.how == "tcp":
            return socket.create_connection((target.place, target.port), timeout=SECONDS)
        where: object = target.place
        family, protocol = socket.AF_UNIX, 0
        if target.how == "udp":
            found = socket.getaddrinfo(target.place, target.port, type=socket.SOCK_DGRAM)[0]
            family, protocol, where = found[0], found[2], found[4]
        made = socket.socket(family, socket.SOCK_DGRAM, protocol)
        made.settimeout(SECONDS)
        try:
            made.connect(where)  # type: ignore[arg-type]  # a path, or an address of that family
        except OSError:
            made.close()
            raise
        return made
