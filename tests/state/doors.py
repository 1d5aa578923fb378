"""A Unix socket in front of a private Redis whose connections can each be cut, slowed down, or swallowed in silence."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Collection
from pathlib import Path
from queue import SimpleQueue
from typing import Final

LISTENER: Final = "listener"
"""The connection on which a watch hears."""

TELLER: Final = "teller"
"""The connection on which a watch beats."""

OTHER: Final = "other"
"""Those of the store itself."""

ROLES: Final = (LISTENER, TELLER, OTHER)


class Connection:
    """One connection through the door, passed on by two threads."""

    def __init__(self, door: Door, outer: socket.socket, inner: socket.socket) -> None:
        self._door, self._outer, self._inner = door, outer, inner
        self.role = OTHER
        self._late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        self.threads = [threading.Thread(target=target) for target in (self._ask, self._answer, self._hand_over)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        with contextlib.suppress(OSError):
            while asked := self._outer.recv(65536):
                if b"SUBSCRIBE" in asked:
                    self.role = LISTENER
                elif b"TRACKING" in asked:
                    self.role = TELLER
                self._door.wait_open(self.role)
                self._inner.sendall(asked)
        self.cut()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while answer := self._inner.recv(65536):
                self._late.put((time.monotonic(), answer))
        self._late.put((0.0, b""))

    def _hand_over(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came, answer = self._late.get()
                if not answer:
                    break
                self._door.wait_open(self.role)
                if (rest := came + self._door.delays.get(self.role, 0.0) - time.monotonic()) > 0:
                    self._door.closing.wait(rest)
                self._outer.sendall(answer)
        self.cut()

    def cut(self) -> None:
        """Close both ends."""
        for end in (self._outer, self._inner):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for thread in self.threads:
            thread.join()
        self._outer.close()
        self._inner.close()


class Door:
    """The door.

    Args:
        path: of its socket.
        behind: of the server's socket.

    Attributes:
        delays: seconds for which what the server says is held back, by role.
    """

    def __init__(self, path: Path, behind: str) -> None:
        self.url = f"unix://{path}?db=0"
        self.delays: dict[str, float] = {}
        self.closing = threading.Event()
        self._behind = behind
        self._open = {role: threading.Event() for role in ROLES}
        self.let_through(ROLES)
        self._connections: list[Connection] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                outer, _ = self._listener.accept()
            except OSError:
                return
            inner = socket.socket(socket.AF_UNIX)
            try:
                inner.connect(self._behind)
            except OSError:
                inner.close()
                outer.close()
                continue
            self._connections.append(Connection(self, outer, inner))

    def wait_open(self, role: str) -> None:
        """Wait until this role is let through."""
        self._open[role].wait()

    def swallow(self, roles: Collection[str]) -> None:
        """Pass nothing on any more, either way, and close nothing: as a network that is down."""
        for role in roles:
            self._open[role].clear()

    def let_through(self, roles: Collection[str]) -> None:
        """Pass everything on again, what waited first."""
        for role in roles:
            self._open[role].set()

    def cut(self, roles: Collection[str]) -> int:
        """Close the connections of these roles; return how many there were. New ones may be made."""
        found = [each for each in self._connections if each.role in roles]
        for each in found:
            self._connections.remove(each)
            each.close()
        return len(found)

    def close(self) -> None:
        self.closing.set()
        self.let_through(ROLES)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut(ROLES)
