"""One sink and the lines that wait for it: bounded, and nobody at the door ever waits with them.

A plain file is written to at once: the event is on the disk before the person is
answered. A sink that may take its time (a pipe, syslog) has a thread of its own and a
queue. Whatever could not be written is kept, up to a bound, and written once the sink
is back; what went beyond the bound is counted.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from imagin_gateway.events.sinks import Sink

MOST_WAITING: Final = 1000
"""Lines that wait for one sink, in one process: half a megabyte or so."""

STUCK_SECONDS: Final = 5.0
"""A write that has not ended by then: the sink hangs."""

RETRY_SECONDS: Final = 1.0

_log = logging.getLogger("imagin_gateway.events")

Changed = Callable[["Outlet", str], None]
"""Told of a sink that begins to fail (with the type of its error) or works again (with "")."""


class Outlet:
    """Writes lines to one sink. Safe to share between threads; begins anew in a child process.

    Args:
        sink: where lines go.
        changed: told when the sink begins to fail, and when it works again; may put lines into this very outlet.
    """

    def __init__(self, sink: Sink, changed: Changed = lambda _outlet, _error: None) -> None:
        self.sink = sink
        self.name: str = getattr(sink, "name", "call")
        self._queued = bool(getattr(sink, "waits", False))
        self._changed = changed
        self.written = 0
        """Lines written so far, by this process."""
        self.failures = 0
        """Writes that raised so far, in this process."""
        self.lost = 0
        """Lines thrown away so far, in this process."""
        self._begin()

    def _begin(self) -> None:
        # In the process that serves, not in the one that forked it: what waits there is written there.
        self._pid = os.getpid()
        self._condition = threading.Condition()
        self._waiting: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._writing_since: float | None = None
        self._broken = False
        self._told = False
        self._stopping = False

    @property
    def failing(self) -> bool:
        """True while the sink refuses lines or hangs: for health checks (ASVS 16.4.3)."""
        since = self._writing_since
        return self._broken or (since is not None and time.monotonic() - since > STUCK_SECONDS)

    @property
    def waiting(self) -> int:
        """Lines that wait."""
        return len(self._waiting)

    def put(self, line: str) -> None:
        """Write a line, or keep it until it can be. Never raises, never waits for a sink that may take its time."""
        if self._pid != os.getpid():
            self._begin()
        with self._condition:
            if len(self._waiting) >= MOST_WAITING:
                self.lost += 1
            else:
                self._waiting.append(line)
            if self._queued:
                self._start()
                self._condition.notify_all()
                news = self._news("Hung") if self.failing else None
            else:
                news = self._write_waiting()
        self._tell(news)

    def close(self, seconds: float = 2.0) -> None:
        """Wait a moment for what is queued to be written, and say how many lines were not."""
        if self._pid != os.getpid():
            return
        with self._condition:
            if self._thread is not None:
                self._condition.wait_for(lambda: not self._waiting, seconds)
            self._stopping = True
            self._condition.notify_all()
            left = len(self._waiting)
        atexit.unregister(self.close)
        release: Callable[[], None] | None = getattr(self.sink, "close", None)
        if release is not None and not left:
            release()
        if left:
            _log.error("%d events were not written to %s", left, self.name)

    # -- the thread of a sink that may take its time -----------------------------

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name=f"imagin-gateway-events-{self.name}", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def _run(self) -> None:
        condition = self._condition
        while True:
            with condition:
                condition.wait_for(lambda: self._waiting or self._stopping)
                if not self._waiting:
                    return
                line = self._waiting[0]
                self._writing_since = time.monotonic()
            try:
                self.sink.write(line)
                error = ""
            except Exception as raised:
                error = type(raised).__name__
            with condition:
                self._writing_since = None
                news = self._note(error)
                condition.notify_all()
            self._tell(news)
            if error:
                with condition:
                    if condition.wait_for(lambda: self._stopping, RETRY_SECONDS):
                        return

    # -- under the lock ----------------------------------------------------------

    def _write_waiting(self) -> str | None:
        """Write what waits, the oldest first, up to the first error; return what changed."""
        news = None
        while self._waiting:
            try:
                self.sink.write(self._waiting[0])
            except Exception as raised:
                began = self._note(type(raised).__name__)
                return news if began is None else began
            ended = self._note("")
            news = news if ended is None else ended
        return news

    def _note(self, error: str) -> str | None:
        """Count one write; return None when nothing changed, "" when the sink works again, else the error's type."""
        if not error:
            self._waiting.popleft()
            self.written += 1
            self._broken = False
            if self._told:
                self._told = False
                return ""
            return None
        self.failures += 1
        self._broken = True
        return self._news(error)

    def _news(self, error: str) -> str | None:
        if self._told:
            return None
        self._told = True
        return error

    def _tell(self, news: str | None) -> None:
        if news is None:
            return
        if news:
            # The person at the door must not pay for a full disk; the operator must know.
            _log.error("events cannot be written to %s: %s", self.name, news)
        else:
            _log.warning("events are written to %s again", self.name)
        self._changed(self, news)
