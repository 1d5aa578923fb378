"""Registries that keep what they read, and stores that make the worst moments happen."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from imagin_gateway.sessions.registry import SessionRegistry
from tests.sessions.people import CountingStore
from tests.state.servers import until


class HookedStore(CountingStore):
    """Does something before a call, or after it, while the caller has not got its answer yet. Each happens once."""

    def __init__(self, store: object) -> None:
        super().__init__(store)
        self.after: dict[str, Callable[[], object]] = {}

    def __getattr__(self, name: str) -> Any:
        call = super().__getattr__(name)

        def hooked(*args: object, **kwargs: object) -> object:
            result = call(*args, **kwargs)
            if act := self.after.pop(name, None):
                act()
            return result

        return hooked


class DeafStore(HookedStore):
    """Says that every change is told, and tells none: what a process does not know by itself, it never learns."""

    class _Watch:
        believed_until = 0.0

        def current(self) -> bool:
            return True

        def close(self) -> None:
            """Nothing to stop."""

    def watch(self, *_: object, **__: object) -> _Watch:
        return self._Watch()


def known(registry: SessionRegistry, cookie: str) -> None:
    """Let a registry read a session, until it needs no store for it any more."""

    def knows() -> bool:
        if registry.glance(cookie) is not None:
            return True
        assert registry.look(cookie) is not None
        return False

    until(knows, "the session is known")


def in_a_child(check: Callable[[], bool]) -> bool:
    """Fork, and return whether the child finds it so."""
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process: coverage does not follow
        done = 1
        try:
            done = 0 if check() else 1
        finally:
            os._exit(done)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
