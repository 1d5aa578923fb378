"""Being told of changes by Redis itself: client tracking in broadcasting mode (Redis 6.0, CLIENT TRACKING BCAST).

The server announces every change of a key under our prefix, whoever makes it: a
write, an expiry, a key deleted by hand, FLUSHALL. What it cannot announce is that
it stopped announcing. So this process writes a key of its own at every beat, and
believes what it knows only while that key is announced back: the proof runs through
all that an announcement needs.

Changes that the server makes in one turn are announced together, in no promised
order. So a beat announced proves only what happened before the beat *before* it.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Final
from urllib.parse import unquote
from weakref import WeakSet

import redis
from redis.client import PubSub

from imagin_gateway.errors import GatewayError
from imagin_gateway.state.watch import OnChange

_log = logging.getLogger("imagin_gateway.state")

CHANNEL: Final = b"__redis__:invalidate"

BEATS_IN_A_LAG: Final = 5

LONGEST_PAUSE: Final = 5.0
"""Seconds between two attempts to follow again, at the most."""


class RedisWatch:
    """`Watch` over the keys under one prefix.

    A thread follows, from the first time somebody asks; a forked process starts its own.

    Args:
        connect: makes a new client of the server in charge of the keys now, RESP 2, with connections of its own.
        in_charge: names that server.
        prefix: of the keys to follow.
        beat_prefix: of the key this process writes; `prefix` must not begin it.
        on_change: told the rest of each key, decoded.
        lag: seconds; `current` is False this long, at the latest, after the last change that might not be known.
    """

    def __init__(
        self,
        connect: Callable[[], redis.Redis],
        in_charge: Callable[[], str],
        prefix: str,
        beat_prefix: str,
        on_change: OnChange,
        lag: float,
    ) -> None:
        self._connect = connect
        self._in_charge = in_charge
        self._prefix = prefix.encode()
        self._beat_prefix = beat_prefix
        self._on_change = on_change
        self._lag = lag
        self._beat = lag / BEATS_IN_A_LAG
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self.believed_until = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> bool:
        """Tell whether every change older than the lag has been told."""
        if time.monotonic() < self.believed_until:
            return True
        if self._thread is None:
            self._start()
        return False

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self.believed_until = 0.0
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self.believed_until = 0.0

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._stop.is_set():
                return
            thread = threading.Thread(target=self._run, args=(self._stop,), name="imagin-gateway-watch", daemon=True)
            # No thread to be had now, or the interpreter is ending: nothing is believed, everything is asked for.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    # -- in the thread -------------------------------------------------------

    def _run(self, stop: threading.Event) -> None:
        pause, silent = self._beat, False
        while not stop.is_set():
            try:
                for _ in self._followed(stop):
                    if silent:
                        _log.warning("changes are announced again")
                    pause, silent = self._beat, False
            except (redis.RedisError, OSError, GatewayError) as error:
                if not silent:
                    _log.warning("changes are not announced (%s): every session is read anew", type(error).__name__)
                silent = True
            except Exception:
                _log.exception("changes are not announced: every session is read anew")
            self.believed_until = 0.0
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _followed(self, stop: threading.Event) -> Iterator[None]:
        """Follow until something fails, yielding at each beat that came back."""
        server = self._in_charge()
        client = self._connect()
        heard: PubSub = client.pubsub()
        with contextlib.closing(client), contextlib.closing(heard):
            heard.execute_command("CLIENT", "ID")
            number = heard.parse_response()
            heard.subscribe(CHANNEL)
            own = f"{self._beat_prefix}{secrets.token_hex(8)}:"
            teller: redis.Redis = client.client()
            with contextlib.closing(teller):
                # Tracking belongs to this one connection; made anew behind our back it would have none, and no beat
                # would come back any more.
                teller.client_tracking_on(clientid=number, prefix=[self._prefix, own], bcast=True)
                # What was read before now may have changed unannounced.
                self._on_change(None)
                yield from self._beats(stop, server, teller, heard, own)

    def _beats(
        self, stop: threading.Event, server: str, teller: redis.Redis, heard: PubSub, own: str
    ) -> Iterator[None]:
        before = sent = time.monotonic()
        number, awaited = 0, b""
        while not stop.is_set():
            now = time.monotonic()
            if awaited and now >= sent + self._lag:
                raise redis.ConnectionError("a beat was not announced")
            if not awaited and now >= sent + self._beat:
                if self._in_charge() != server:
                    raise redis.ConnectionError("another server is in charge")
                # Each beat has a key of its own: an announcement that comes late is not taken for the next one.
                number += 1
                awaited = f"{own}{number}".encode()
                before, sent = sent, now
                teller.set(awaited, 1, px=math.ceil(2_000 * self._lag))
            due = sent + (self._lag if awaited else self._beat)
            message = heard.get_message(ignore_subscribe_messages=True, timeout=max(due - time.monotonic(), 0.001))
            if message is not None and self._tell(message["data"], awaited):
                if time.monotonic() >= sent + self._lag:
                    raise redis.ConnectionError("a beat was announced too late")
                awaited = b""
                self.believed_until = before + self._lag
                yield

    def _tell(self, announced: Collection[bytes] | None, awaited: bytes) -> bool:
        """Pass on what was announced; tell whether the beat that is awaited was in it."""
        if announced is None:  # FLUSHALL, FLUSHDB
            self._on_change(None)
            return False
        skip = len(self._prefix)
        changed = [unquote(key[skip:].decode("ascii", "replace")) for key in announced if key.startswith(self._prefix)]
        if changed:
            self._on_change(changed)
        return awaited in announced


_all: Final[WeakSet[RedisWatch]] = WeakSet()


def _after_fork() -> None:
    """In a child process: the thread is not here, and what the parent may believe, the child may not."""
    for watch in list(_all):
        closed = watch._stop.is_set()
        watch._begin()
        if closed:
            watch._stop.set()


os.register_at_fork(after_in_child=_after_fork)
