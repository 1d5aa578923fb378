"""Watches every connection that the gateway's code opens while tests run (row DOC-04); loaded by tests/conftest.py.

One from a room that the documentation does not list is an error.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

import pytest

OURS: Final = ("imagin_gateway",)
OTHERS: Final = ("tests", "examples", "bench", "__main__", "imagin_gateway.testing")
"""Code of the house that may connect wherever it likes."""

SEEN: Final[set[str]] = set()
"""Modules of the gateway that opened a connection in this process."""

UNDECLARED: Final[list[str]] = []

_plain = socket.socket.connect


class Undeclared(AssertionError):
    """A module of the gateway opened a connection, and docs/reference/network.md knows nothing of it."""


def _rooms() -> tuple[str, ...]:
    from scripts.reference.network import connections

    return tuple(each.room for each in connections())


def opener(frame: FrameType | None) -> str:
    """Return the innermost module of the gateway on a stack, unless other code of the house is further in; else ""."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if _within(name, OTHERS):
            return ""
        if _within(name, OURS):
            return name
        frame = frame.f_back
    return ""


def _within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def _connect(self: socket.socket, address: Any) -> None:
    module = opener(sys._getframe(1))
    if module:
        if not _within(module, _rooms()):
            UNDECLARED.append(module)
            self.close()
            raise Undeclared(f"{module} opens a connection; list it in scripts/reference/network.py")
        SEEN.add(module)
    _plain(self, address)


@pytest.fixture(scope="session", autouse=True)
def outbound_watched() -> Iterator[None]:
    """Watch for the whole run: also what a broad `except` would have hidden is told at the end."""
    socket.socket.connect = _connect  # type: ignore[assignment, method-assign]  # its Python class: all libraries use it
    try:
        yield
    finally:
        socket.socket.connect = _plain  # type: ignore[method-assign]
    assert UNDECLARED == []
