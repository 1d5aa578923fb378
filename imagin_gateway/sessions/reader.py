"""Reading sessions: by a look-up where this process may believe what it knows, from the store elsewhere.

What has been read is believed while the store would have told of a change (`cache`,
`state.watch`). Reading writes nothing: when a person was last seen is kept in memory
and flushed in batches, off the request's way. A process knows its own requests at
once, and those of the others within one grain. So the idle limit is exact where the
last request was seen, exact to the grain elsewhere, and never late.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import msgspec

from imagin_gateway.clock import Clock, ticking, timestamp
from imagin_gateway.keys import Keyring, digest
from imagin_gateway.sessions.cache import Live, SessionCache
from imagin_gateway.sessions.seen import LastSeen, Seen
from imagin_gateway.sessions.session import Session, decode, with_last_seen
from imagin_gateway.state.store import Space, StateStore, Swap
from imagin_gateway.state.watch import DEFAULT_LAG

GRAIN: Final = timedelta(seconds=15)

BATCH: Final = 500
"""Moments written in one round trip."""

COARSE: Final = 4
"""A record is written anew when its moment is older than this part of the idle limit."""

PURPOSE: Final = "session"

# 256 bits, a dot, HMAC-SHA-256; the last character carries four bits, so that one signature has one spelling.
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

COOKIE_LENGTH: Final = 87
"""Characters of every cookie this makes."""


class SessionReader:
    """Reads the sessions of one gateway. Safe to share between threads; survives `fork`.

    Args:
        store: where records live.
        keyring: keys that sign the cookie; dropping one ends every session it signed.
        clock: time.
        idle: longest time between two requests (row SES-07).
        absolute: longest life, whatever the activity (row SES-08).
        grain: longest time for which a request stays unknown to the other processes.
        cached: sessions this process may keep in memory; none when 0: every read asks the store.
        lag: seconds for which an end made elsewhere may stay unknown to this process.

    Every method raises `Unavailable` when the store does not answer.
    """

    def __init__(
        self,
        store: StateStore,
        keyring: Keyring,
        clock: Clock,
        idle: timedelta,
        absolute: timedelta,
        *,
        grain: timedelta = GRAIN,
        cached: int = 0,
        lag: float = DEFAULT_LAG,
    ) -> None:
        self.store = store
        self._signer = keyring.signer(PURPOSE)
        self._clock = clock
        self._idle = idle
        self._absolute = absolute
        self._seconds = ticking(clock)
        self._idle_seconds = idle.total_seconds()
        self._seen = LastSeen(self._write_seen, grain)
        self._cache = SessionCache(cached)
        self.found_here = 0
        """Requests whose session this process knew."""
        self.asked = 0
        """Requests whose session was asked of the store."""
        self._watch = store.watch(Space.SESSION, self._cache.forget, lag=lag) if cached else None

    @property
    def known(self) -> int:
        """Sessions this process knows."""
        return len(self._cache)

    def glance(self, cookie: str) -> Live | None:
        """Return the live session of a cookie if this process knows it for sure; None says nothing.

        A request of that person. Waits for nobody, and costs what a dictionary look-up costs.
        """
        watch = self._watch
        # In this order: asking may forget what has changed.
        if watch is None or (monotonic() >= watch.believed_until and not watch.current()):
            return None
        live = self._cache.by_cookie.get(cookie)
        if live is None:
            return None
        self.found_here += 1
        now = self._seconds()
        if now >= live.until:
            return None  # another process may have seen this person since: the store knows
        if now > live.seen:
            live.seen = now
            idle_end = now + self._idle_seconds
            live.until = idle_end if idle_end < live.absolute else live.absolute
            if not live.noted:
                self._seen.note(live)
        return live

    def look(self, cookie: str, *, anew: bool = False, counts: bool = True) -> Live | None:
        """Return the live session of a cookie, or None. Writes nothing.

        Args:
            cookie: as the browser sent it.
            anew: ask the store, whatever this process knows.
            counts: this is a request of that person, which moves the idle limit.

        Raises:
            Unavailable: the store does not answer: nobody is authenticated meanwhile.
        """
        if not anew and counts and (live := self.glance(cookie)) is not None:
            return live
        key = self._key(cookie)
        if key is None:
            return None
        self.asked += 1
        reading = self._cache.begin(key) if self._watch is not None else None
        live = None
        try:
            now = self._clock.now()
            waiting = self._seen.get(key)  # before the store is read: a flush may move it there meanwhile
            raw = self.store.get(Space.SESSION, key, now=timestamp(now))
            record = None if raw is None else decode(raw)
            session = None if record is None else self._alive(key, record, now, waiting)
            if record is not None and session is not None:
                if not counts:  # who only looks is told when it ends, to the grain
                    session = seen_at(session, self._moment_beside(key, now))
                live = self._as_live(key, session)
                live.recorded = timestamp(record.last_seen)
        finally:
            if reading is not None and live is None:
                self._cache.abandon(key, reading)
        if live is None:
            return None
        if counts:
            live.seen = max(live.seen, timestamp(now))
            live.until = min(live.absolute, live.seen + self._idle_seconds)
            self._seen.note(live)
        if reading is not None:
            self._cache.keep(cookie, live, reading)
        return live

    def resolve(self, cookie: str, *, anew: bool = False) -> Session | None:
        """Return the live session of a cookie, or None. See `look`."""
        live = self.look(cookie, anew=anew)
        return None if live is None else live.session

    def extend(self, cookie: str) -> Live | None:
        """Move the idle limit of a live session, for every process at once; the absolute limit stays.

        Returns:
            The session, or None if it is over.
        """
        live = self.look(cookie, anew=True)
        if live is not None:
            self._write_seen({live.key: live})
        return live

    def ends_at(self, live: Live) -> datetime:
        """Return when a session ends if nobody comes any more."""
        return datetime.fromtimestamp(live.until, UTC)

    def flush(self) -> None:
        """Write when people were last seen. A session that has ended meanwhile stays ended.

        Raises:
            Unavailable: the store does not answer; what was not written is kept for the next time.
        """
        self._seen.flush()

    def close(self) -> None:
        """Flush what waits and stop. The store stays open: it belongs to the caller."""
        if self._watch is not None:
            self._watch.close()
        self._seen.close()

    def _key(self, cookie: str) -> str | None:
        """Return the store's key of a cookie we signed, else None."""
        if not _COOKIE.fullmatch(cookie):
            return None
        session_id = self._signer.unsign(cookie)
        return None if session_id is None else digest(session_id)

    def _live(self, key: str, raw: bytes | None, now: datetime) -> Session | None:
        """Return the session of what the store holds if none of its limits has passed."""
        record = None if raw is None else decode(raw)
        return None if record is None else self._alive(key, record, now)

    def _alive(self, key: str, record: Session, now: datetime, waiting: float = 0.0) -> Session | None:
        """Return a session as it is now, if none of its limits has passed."""
        session = seen_at(record, max(waiting, self._seen.get(key)))
        if now >= self._absolute_end(session):
            return None
        if now >= session.last_seen + self._idle:
            session = seen_at(session, self._moment_beside(key, now))
        return session if now < session.last_seen + self._idle else None

    def _absolute_end(self, session: Session) -> datetime:
        # The limits of today's settings count too, when they are shorter than those it was opened under.
        return min(session.absolute_end, session.created_at + self._absolute)

    def _as_live(self, key: str, session: Session) -> Live:
        seen, absolute = timestamp(session.last_seen), timestamp(self._absolute_end(session))
        return Live(key, session, seen, absolute, min(absolute, seen + self._idle_seconds))

    def _record_end(self, session: Session, seen: datetime) -> float:
        """Return when the store may drop a record.

        One idle limit later than the session can end by what the record says: a
        request that waits to be flushed, through an outage even, may have prolonged it.
        """
        return timestamp(min(session.absolute_end, seen + 2 * self._idle))

    def _write_seen(self, seen: Mapping[str, Seen]) -> list[str]:
        """Record when people were last seen, some hundreds a round trip; return the keys not to be written again.

        The record itself changes seldom: its change is told to every process, which
        then reads it anew. In between, the moment stands beside it, where it is looked
        for before a session is taken for idle.
        """
        keys = [key for key, each in seen.items() if each.seen > each.recorded]
        done = list(seen.keys() - set(keys))
        for start in range(0, len(keys), BATCH):
            some = {key: seen[key].seen for key in keys[start : start + BATCH]}
            now = self._seconds()
            self.store.keep_latest(Space.SEEN, some, life=2 * self._idle_seconds, now=now)
            stale = [key for key, moment in some.items() if moment - seen[key].recorded >= self._idle_seconds / COARSE]
            done += some.keys() - set(stale)
            done += self._write_records({key: some[key] for key in stale}, now) if stale else ()
        return done

    def _write_records(self, moments: Mapping[str, float], now: float) -> list[str]:
        done: list[str] = []
        changes: list[Swap] = []
        for key, raw in zip(moments, self.store.get_many(Space.SESSION, list(moments), now=now), strict=True):
            session = None if raw is None else decode(raw)
            moment = datetime.fromtimestamp(moments[key], UTC)
            if raw is None or session is None or moment <= session.last_seen:
                done.append(key)
            else:
                end = self._record_end(session, moment)
                changes.append(Swap(key, raw, with_last_seen(raw, moment), end))
        # A record that was ended or changed between the two calls stays as it is; the next flush looks again.
        written = self.store.swap(Space.SESSION, changes, now=now) if changes else []
        return done + [change.key for change, held in zip(changes, written, strict=True) if held]

    def _moment_beside(self, key: str, now: datetime) -> float:
        """Return the latest moment that any process recorded, beside the record; 0 if there is none."""
        raw = self.store.get(Space.SEEN, key, now=timestamp(now))
        return moment_of(raw)


def seen_at(session: Session, moment: float) -> Session:
    """Return a session as last seen at a moment, if that is later than what it tells."""
    if moment <= session.last_seen.timestamp():
        return session
    return msgspec.structs.replace(session, last_seen=datetime.fromtimestamp(moment, UTC))


def moment_of(raw: bytes | None) -> float:
    """Return the moment that `Space.SEEN` holds under a key; 0 for none, or what is none."""
    try:
        return 0.0 if raw is None else float(raw)
    except ValueError:
        return 0.0
