"""When people were last seen: kept in memory, written in batches, never on the way of a request."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Final, Protocol
from weakref import WeakSet, ref

from imagin_gateway.errors import Unavailable

_log = logging.getLogger("imagin_gateway.sessions")


class Seen(Protocol):
    """Whoever was seen: `seen` in seconds since the epoch; `noted` while it waits to be written."""

    key: str
    seen: float
    noted: bool


class LastSeen:
    """Moments waiting to be written, and the thread that writes them.

    Noting is done once between two flushes, so most requests do no more than store a
    number; a flush writes the latest.

    The thread starts with the first moment noted, in each process: a server that
    forks its workers after building the gateway has one in each of them.

    Args:
        write: records moments by key, and returns the keys that need not be written again; may raise `Unavailable`.
        grain: time between two flushes, by the machine's own clock.
    """

    def __init__(self, write: Callable[[Mapping[str, float]], Collection[str]], grain: timedelta) -> None:
        self._write = write
        self._grain = grain
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._waiting: dict[str, Seen] = {}
        self._leaving: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._one_flush = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, seen: Seen) -> None:
        """Remember to write when `seen` was last seen."""
        with self._lock:
            held = self._waiting.get(seen.key)
            if held is not None and held.seen > seen.seen:
                seen.seen = held.seen
            self._waiting[seen.key] = seen
            seen.noted = True
            if self._thread is None and not self._stop.is_set():
                self._thread = _start(self, self._stop, self._grain)

    def get(self, key: str) -> float:
        """Return the moment that waits under `key`; 0 if there is none."""
        with self._lock:  # a flush moves it from the one to the other, and back
            held = self._waiting.get(key) or self._leaving.get(key)
        return 0.0 if held is None else held.seen

    def forget(self, key: str) -> None:
        """Drop what waits under `key`."""
        with self._lock:
            self._waiting.pop(key, None)

    def flush(self) -> None:
        """Write what waits. Raises `Unavailable`; what was not written then waits for the next flush."""
        with self._one_flush:
            with self._lock:
                leaving, self._waiting = self._waiting, {}
                self._leaving = leaving
                for seen in leaving.values():
                    seen.noted = False  # before its moment is read: a request from now on notes it again
            done: Collection[str] = ()
            try:
                done = self._write({key: seen.seen for key, seen in leaving.items()}) if leaving else ()
            finally:
                with self._lock:
                    self._leaving = {}
                    for key in leaving.keys() - self._waiting.keys() - set(done):
                        self._waiting[key] = leaving[key]
                        leaving[key].noted = True

    def close(self) -> None:
        """Stop the thread, then flush once more."""
        self._stop.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        try:
            self.flush()
        except Unavailable:
            _log.warning("the latest requests could not be recorded: the store does not answer")


def _start(seen: LastSeen, stop: threading.Event, grain: timedelta) -> threading.Thread | None:
    thread = threading.Thread(
        target=_flush_forever, args=(ref(seen), stop, grain), name="imagin-gateway-last-seen", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:
        # No thread to be had now, or the interpreter is ending: the request goes on, `close` will flush.
        return None
    return thread


def _flush_forever(seen: ref[LastSeen], stop: threading.Event, grain: timedelta) -> None:
    failing = False
    while not stop.wait(grain.total_seconds()):
        # Held for the time of a flush only, so that what nobody closed can still be collected.
        held = seen()
        if held is None:
            return
        try:
            held.flush()
            failing = False
        except Unavailable:
            if not failing:
                _log.warning("requests cannot be recorded now: the store does not answer; trying again")
            failing = True
        except Exception:
            _log.exception("requests cannot be recorded")
        del held


_all: Final[WeakSet[LastSeen]] = WeakSet()


def _after_fork() -> None:
    """In a child process: the parent writes what it saw, and its thread and locks are not here."""
    for seen in list(_all):
        seen._begin()


os.register_at_fork(after_in_child=_after_fork)
