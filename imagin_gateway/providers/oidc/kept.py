"""A document of the portal, fetched when it is needed and kept for a while.

From the middle of its life on it is fetched afresh behind the scenes, so that people
wait for a portal only the first time, and a portal that is down for less than half
that life is not noticed. Where somebody must wait, one thread fetches and the others
wait for it, a bounded time. A portal that failed is left alone for a few seconds:
whoever comes meanwhile is told at once, instead of waiting in line for the same failure.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from imagin_gateway.errors import Code, GatewayError, Unavailable

T = TypeVar("T")

PAUSE: Final = timedelta(seconds=5)
"""How long a portal that failed is left alone."""

RENEWALS: Final = timedelta(minutes=1)
"""Least time between two forced refetches (row OID-14), and between two behind the scenes."""

Background = Callable[[Callable[[], None]], None]
"""Runs something without making anybody wait for it."""

_log = logging.getLogger(__name__)


def in_a_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own, which does not keep the process alive."""
    threading.Thread(target=work, name="imagin-gateway-renewal", daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    address: str
    value: T
    at: datetime


class Kept(Generic[T]):
    """One document.

    Args:
        fetch: reads the document at an address; may raise anything.
        life: how long it is believed.
        patience: seconds to wait for the thread that is fetching.
        background: runs what nobody waits for.
    """

    def __init__(
        self, fetch: Callable[[str], T], *, life: timedelta, patience: float, background: Background = in_a_thread
    ) -> None:
        self._fetch = fetch
        self._life = life
        self._patience = patience
        self._lock = threading.Lock()
        self._held: _Held[T] | None = None
        self._failed_at: datetime | None = None
        self._renewed_at: datetime | None = None
        self._background = background
        self._behind = threading.Lock()
        self._behind_at: datetime | None = None

    def get(self, address: str, now: datetime) -> T:
        """Return the document, fetched unless a fresh one is held.

        Raises:
            Unavailable: the portal does not answer, or failed a moment ago.
            AnswerRefused: what it answers is refused.
        """
        if (held := self._fresh(address, now)) is not None:
            if abs(now - held.at) >= self._life / 2:
                self._renew_behind(address, now)
            return held.value
        with self._turn():
            if (held := self._fresh(address, now)) is not None:
                return held.value
            if self._failed_at is not None and _near(self._failed_at, now, PAUSE):
                raise Unavailable("the portal failed a moment ago", code=Code.PORTAL_UNAVAILABLE)
            return self._take(address, now)

    def renew(self, address: str, now: datetime, tried: T) -> T | None:
        """Return a newer document than `tried`, or None if it is too early to ask for one."""
        with self._turn():
            if (held := self._fresh(address, now)) is not None and held.value is not tried:
                return held.value  # another thread has just renewed it
            if self._renewed_at is not None and _near(self._renewed_at, now, RENEWALS):
                return None
            self._renewed_at = now  # before the call: a portal that fails is not asked again at once either
            return self._take(address, now)

    def _renew_behind(self, address: str, now: datetime) -> None:
        """Have the document fetched by nobody in particular; of many who ask for it, one is heard."""
        with self._behind:
            if self._behind_at is not None and _near(self._behind_at, now, RENEWALS):
                return
            self._behind_at = now

        def work() -> None:
            failure = ""
            try:
                with self._turn():
                    self._take(address, now)
            except GatewayError as error:
                failure = error.code.value
            except Exception as error:
                failure = type(error).__name__
            if failure:
                # What is held is believed until its own end, and not a moment longer.
                _log.warning("a document of a portal could not be renewed: %s", failure)

        try:
            self._background(work)
        except RuntimeError:
            _log.warning("no thread could be started to renew a document of a portal")

    def _take(self, address: str, now: datetime) -> T:
        try:
            value = self._fetch(address)
        except Unavailable:
            self._failed_at = now
            raise
        self._failed_at = None
        self._held = _Held(address, value, now)
        return value

    def _fresh(self, address: str, now: datetime) -> _Held[T] | None:
        held = self._held
        return held if held is not None and held.address == address and _near(held.at, now, self._life) else None

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._patience):
            raise Unavailable("the portal is slow to answer", code=Code.PORTAL_UNAVAILABLE)
        try:
            yield
        finally:
            self._lock.release()


def _near(one: datetime, other: datetime, span: timedelta) -> bool:
    """Tell whether two moments are close, in either order: a clock set back must not freeze a document."""
    return abs(one - other) < span
