"""Writing events: to every sink, under a pseudonym, and telling of a sink that fails."""

from __future__ import annotations

import json
import logging
import threading
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from imagin_gateway.clock import Clock
from imagin_gateway.events.event import Event, render
from imagin_gateway.events.kinds import EventName
from imagin_gateway.events.outlet import Outlet
from imagin_gateway.events.retention import purge
from imagin_gateway.events.sinks import FileSink, Sink
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Keyring

_PURPOSE = "event pseudonym"

_log = logging.getLogger("imagin_gateway.events")


class EventLog:
    """Writes events.

    Args:
        sinks: where lines go: one, or several.
        clock: when they happened.
        keys: key of the pseudonyms.
        retention: how long files of events are kept; None when nothing of theirs is removed.
    """

    def __init__(
        self, sinks: Sink | Sequence[Sink], clock: Clock, keys: Keyring, *, retention: timedelta | None = None
    ) -> None:
        each = sinks if isinstance(sinks, Sequence) else [sinks]
        self.outlets = tuple(Outlet(sink, self._changed) for sink in each)
        self._files = [sink.path for sink in each if isinstance(sink, FileSink)]
        self._clock = clock
        self._keys = keys
        self._retention = retention
        self._purged: date | None = None
        self._purging = threading.Lock()
        self._listeners: list[Callable[[Event], None]] = []

    @property
    def failing(self) -> bool:
        """True while a sink cannot be written to: to be shown by health checks (ASVS 16.4.3)."""
        return any(outlet.failing for outlet in self.outlets)

    def pseudonym(self, person: tuple[str, str]) -> str:
        """Return the pseudonym under which the events tell a person."""
        return self._keys.mac(_PURPOSE, _told(person))[:20]  # type: ignore[index]  # newest key: never None

    def pseudonyms(self, person: tuple[str, str]) -> frozenset[str]:
        """Return every pseudonym a person had under the keys that are still held."""
        macs = (self._keys.mac(_PURPOSE, _told(person), version) for version in self._keys.versions)
        return frozenset(mac[:20] for mac in macs if mac is not None)

    def listen(self, hear: Callable[[Event], None]) -> None:
        """Hand every event to `hear` too, once it is written. It must not raise."""
        self._listeners.append(hear)

    def emit(self, event: Event) -> None:
        """Write one event. Never raises because of a sink, nor waits for one that may take its time."""
        now = self._clock.now()
        line = render(event, now, self.pseudonym(event.person) if event.person else "")
        for outlet in self.outlets:
            outlet.put(line)
        for hear in self._listeners:
            hear(event)
        if self._retention is not None and self._files and self._purged != now.date():
            self._purged = now.date()
            threading.Thread(target=self.purge, name="imagin-gateway-events-purge", daemon=True).start()

    def purge(self) -> int:
        """Remove the files of events older than the retention, and write that it was done; return how many.

        Called by itself, once a day, in every process that writes events: of several, one has each file.
        """
        removed = 0
        if self._retention is None:
            return removed
        with self._purging:
            for path in self._files:
                try:
                    done = purge(path, self._retention, self._clock.now().date())
                except OSError as error:
                    self._purge_failed(0, type(error).__name__)
                    continue
                removed += done.removed
                if done.removed:
                    detail: dict[str, str | int | bool] = {"files": done.removed, "before": done.before.isoformat()}
                    self.emit(Event(name=EventName.EVENTS_PURGED, detail=detail))
                if done.kept:
                    self._purge_failed(done.kept, done.error)
        return removed

    def _purge_failed(self, files: int, error: str) -> None:
        _log.error("%d files of events are too old and cannot be removed: %s", files, error)
        self.emit(Event(name=EventName.EVENTS_PURGE_FAILED, detail={"files": files, "type": error}))

    def close(self) -> None:
        """Write what waits for a sink that takes its time, for a moment."""
        for outlet in self.outlets:
            outlet.close()

    def _changed(self, outlet: Outlet, error: str) -> None:
        """Tell the other sinks of one that fails, and all of them that it works again."""
        if error:
            event = Event(name=EventName.SINK_FAILED, detail={"sink": outlet.name, "type": error})
        else:
            event = Event(name=EventName.SINK_RECOVERED, detail={"sink": outlet.name, "lost": outlet.lost})
        line = render(event, self._clock.now(), "")
        for each in self.outlets:
            if each is not outlet or not error:
                each.put(line)
        for hear in self._listeners:
            hear(event)


def _told(person: tuple[str, str]) -> str:
    """Return what a pseudonym is made of.

    An identifier of ours is told as accounts compare it, so that what somebody typed
    and what stands on the letter are one person.
    """
    issuer, subject = person
    if issuer == DIRECT_ISSUER:
        text = unicodedata.normalize("NFC", subject.replace("\u00a0", " ")).strip()
        subject = unicodedata.normalize("NFC", text.casefold())
    return json.dumps((issuer, subject))
