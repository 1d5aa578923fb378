"""Sessions this process has read, believed only while it would have been told of a change.

Reading one costs a dictionary look-up: no store is asked, nothing is written, and
nobody is waited for. What is kept is bounded; what is dropped is read again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from typing import Any, Final
from weakref import WeakSet

from imagin_gateway.sessions.session import Session


class Live:
    """A session as this process knows it.

    Attributes:
        key: of the store.
        session: the record, as last read.
        seen: latest request known here, in seconds since the epoch.
        noted: that moment waits to be written.
        recorded: moment that the record tells.
        until: when the session ends if nobody comes any more: the nearer of the two limits.
        absolute: when it ends whatever happens.
        kept: what a mount keeps beside it, made from `session` alone; None until it has done so.
    """

    __slots__ = ("absolute", "kept", "key", "noted", "recorded", "seen", "session", "until")

    def __init__(self, key: str, session: Session, seen: float, absolute: float, until: float) -> None:
        self.key = key
        self.session = session
        self.seen = self.recorded = seen
        self.noted = False
        self.absolute = absolute
        self.until = until
        self.kept: Any = None


class Reading:
    """One read of the store under way; a change announced meanwhile spoils it for the cache."""

    __slots__ = ()


class SessionCache:
    """Live sessions by the text of their cookie. Safe to share between threads.

    A cookie gets in only after its signature was verified and its record read, so
    finding one here is as good as both.

    Args:
        size: most sessions kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self.by_cookie: dict[str, Live] = {}
        """To be read without the lock; written under it."""
        self._cookies: dict[str, str] = {}
        self._readings: dict[str, Reading] = {}

    def begin(self, key: str) -> Reading:
        """Announce a read of the store, before it is made."""
        reading = Reading()
        with self._lock:
            self._readings[key] = reading
        return reading

    def keep(self, cookie: str, live: Live, reading: Reading) -> None:
        """Keep what was read, unless a change of it was announced meanwhile."""
        with self._lock:
            if self._readings.get(live.key) is not reading:
                return
            del self._readings[live.key]
            if (former := self._cookies.get(live.key)) is not None:
                del self.by_cookie[former]
            self.by_cookie[cookie] = live
            self._cookies[live.key] = cookie
            while len(self.by_cookie) > self._size:
                gone = self.by_cookie.pop(next(iter(self.by_cookie)))
                del self._cookies[gone.key]

    def abandon(self, key: str, reading: Reading) -> None:
        """Forget a read that found nothing, or failed."""
        with self._lock:
            if self._readings.get(key) is reading:
                del self._readings[key]

    def forget(self, keys: Collection[str] | None) -> None:
        """Forget these sessions, or all of them, and spoil the reads under way."""
        with self._lock:
            if keys is None:
                self.by_cookie.clear()
                self._cookies.clear()
                self._readings.clear()
                return
            for key in keys:
                self._readings.pop(key, None)
                cookie = self._cookies.pop(key, None)
                if cookie is not None:
                    del self.by_cookie[cookie]

    def __len__(self) -> int:
        return len(self.by_cookie)


_all: Final[WeakSet[SessionCache]] = WeakSet()


def _after_fork() -> None:
    """In a child process: another thread of the parent may have held the lock."""
    for cache in list(_all):
        cache._begin()


os.register_at_fork(after_in_child=_after_fork)
