"""What a watch told, kept by a test."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from imagin_gateway.state.store import Space, StateStore
from imagin_gateway.state.watch import Watch
from tests.state.servers import until

LAG = 1.0


class Told:
    """Hears a watch: the keys it told, and how often it told that anything may have changed."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.everything = 0
        self._lock = threading.Lock()

    def __call__(self, keys: Collection[str] | None) -> None:
        with self._lock:
            if keys is None:
                self.everything += 1
            else:
                self.keys += keys

    def clear(self) -> None:
        with self._lock:
            self.keys, self.everything = [], 0


@contextmanager
def followed(store: StateStore, *, lag: float = LAG) -> Iterator[tuple[Watch, Told]]:
    """Follow a store; at the start, everything is told and proved."""
    told = Told()
    watch = store.watch(Space.SESSION, told, lag=lag)
    try:
        until(watch.current, "the watch is current")
        assert told.everything == 1
        told.clear()
        yield watch, told
    finally:
        watch.close()


def heard(watch: Watch, told: Told, *keys: str) -> None:
    """Wait until these keys were told, and see that no other was."""
    until(lambda: watch.current() and told.keys, "a change was told")
    until(lambda: watch.current() and set(keys) <= set(told.keys), "every change was told")
    assert set(told.keys) == set(keys)
    assert told.everything == 0
    told.clear()


def heard_all(watch: Watch, told: Told) -> None:
    """Wait until it was told that anything may have changed."""
    until(lambda: watch.current() and told.everything, "everything was told")
    told.clear()
