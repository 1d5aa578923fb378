"""Opening, reading and ending sessions. The record in the store alone decides.

The cookie is an unpredictable id made here, signed under a purpose of its own: a
cookie we did not sign never reaches the store (row SES-02). The store's key is the
SHA-256 of the id, so a copy of the store opens no session.

What this process has read is believed while the store would have told it of a
change (`cache`, `state.watch`); else the store is asked. Reading writes nothing:
when a person was last seen is kept in memory and flushed in batches, off the
request's way. A process knows its own requests at once, and those of the others
within one grain. So the idle limit is exact where the last request was seen, exact
to the grain elsewhere, and never late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from imagin_gateway.clock import Clock, ticking, timestamp
from imagin_gateway.errors import Code, Refused
from imagin_gateway.identity import Identity
from imagin_gateway.keys import Keyring, digest, new_token
from imagin_gateway.sessions.cache import Live, SessionCache
from imagin_gateway.sessions.seen import LastSeen
from imagin_gateway.sessions.session import Session, decode, encode, with_last_seen
from imagin_gateway.state.store import Space, StateStore, Swap
from imagin_gateway.state.watch import DEFAULT_LAG

GRAIN: Final = timedelta(seconds=15)

BATCH: Final = 500
"""Moments written in one round trip."""

PURPOSE: Final = "session"

# 256 bits, a dot, HMAC-SHA-256; the last character carries four bits, so that one signature has one spelling.
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

COOKIE_LENGTH: Final = 87
"""Characters of every cookie this makes."""

_HANDLE: Final = re.compile(r"[0-9a-f]{16}")

_EVERY_SESSION: Final = "all"


class SessionRegistry:
    """Sessions of one gateway. Safe to share between threads; survives `fork`.

    Args:
        store: where records live.
        keyring: keys that sign the cookie; dropping one ends every session it signed.
        clock: time.
        idle: longest time between two requests (row SES-07).
        absolute: longest life, whatever the activity (row SES-08).
        grain: longest time for which a request stays unknown to the other processes.
        cached: sessions this process may keep in memory; none when 0: every read asks the store.
        lag: seconds for which an end made elsewhere may stay unknown to this process.
        parallel: sessions one person may have at once; any number when 0.
        refuse_more: the login beyond that number is refused; else the oldest session ends.

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
        parallel: int = 0,
        refuse_more: bool = False,
    ) -> None:
        self.store = store
        self._signer = keyring.signer(PURPOSE)
        self._clock = clock
        self._idle = idle
        self._absolute = absolute
        self._seconds = ticking(clock)
        self._idle_seconds = idle.total_seconds()
        self._absolute_seconds = absolute.total_seconds()
        self._parallel = parallel
        self._refuse_more = refuse_more
        self._seen = LastSeen(self._write_seen, grain)
        self._cache = SessionCache(cached)
        self._watch = store.watch(Space.SESSION, self._cache.forget, lag=lag) if cached else None

    def open(
        self,
        identity: Identity,
        *,
        portal_session: str = "",
        name_id: str = "",
        logout_hint: str = "",
        ends_at: datetime | None = None,
        restricted: str = "",
        device: str = "",
        address: str = "",
        replaces: str | None = None,
    ) -> str:
        """Open a session for somebody who has just been authenticated.

        Args:
            identity: who, as verified.
            portal_session: sid or SessionIndex.
            name_id: NameID as received.
            logout_hint: what the portal wants back at logout.
            ends_at: when the portal wants the session over.
            restricted: the single thing it may do, e.g. `FIRST_PASSWORD`.
            device: with what, in two words.
            address: from which network address.
            replaces: cookie this browser held until now, whatever it is worth; its session ends here (row SES-03).

        Returns:
            The value of the new cookie. The id in it is always made here.

        Raises:
            Refused: the portal's own end has already passed, or the person has all the sessions they may have.
            Unavailable: the store does not answer; no session was opened.
        """
        now = self._clock.now()
        absolute_end = now + self._absolute if ends_at is None else min(now + self._absolute, ends_at)
        if absolute_end <= now:
            raise Refused("the portal's session is already over", code=Code.SESSION_ENDED)
        if replaces is not None:
            self.end(replaces)
        session_id = new_token(256)
        key = digest(session_id)
        session = Session.of(
            identity,
            handle=digest(f"session handle {key}")[:16],
            now=now,
            absolute_end=absolute_end,
            ends_at=ends_at,
            portal_session=portal_session,
            name_id=name_id,
            logout_hint=logout_hint,
            restricted=restricted,
            device=device,
            address=address,
        )
        self.store.put(
            Space.SESSION,
            key,
            encode(session),
            expires_at=self._record_end(session, now),
            now=timestamp(now),
            indexes=_indexes(session),
        )
        if self._parallel:
            self._keep_within_limit(key, session)
        return self._signer.sign(session_id)

    def _keep_within_limit(self, key: str, opened: Session) -> None:
        # Opened first, counted after: the store's order decides between logins that come at once, the same for all.
        now = self._clock.now()
        records = self.store.find(Space.SESSION, _person_index(*opened.person), now=timestamp(now))
        live = [record.key for record in records if self._live(record.key, record.value, now)]
        if self._refuse_more:
            if key in live[self._parallel :]:
                self._end_key(key)
                raise Refused("this person has all the sessions they may have", code=Code.TOO_MANY_SESSIONS)
            return
        for oldest in live[: -self._parallel]:
            self._end_key(oldest)

    def _end_key(self, key: str) -> bool:
        try:
            ended = self.store.delete(Space.SESSION, key)
        finally:
            self._doubt([key])
        self._seen.forget(key)
        return ended

    def _doubt(self, keys: Collection[str] | None) -> None:
        """Forget what may have ended here at once: this process need not be told.

        Also when the store did not answer: it may have done what it was asked to.
        """
        self._cache.forget(keys)

    def glance(self, cookie: str) -> Live | None:
        """Return the live session of a cookie if this process knows it for sure; None says nothing.

        A request of that person. Waits for nobody, and costs what a dictionary look-up costs.
        """
        watch = self._watch
        # In this order: asking may forget what has changed.
        if watch is None or not watch.current():
            return None
        live = self._cache.by_cookie.get(cookie)
        if live is None:
            return None
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
        reading = self._cache.begin(key) if self._watch is not None else None
        live = None
        try:
            now = self._clock.now()
            waiting = self._seen.get(key)  # before the store is read: a flush may move it there meanwhile
            raw = self.store.get(Space.SESSION, key, now=timestamp(now))
            session = self._live(key, raw, now, waiting)
            if session is not None:
                live = self._as_live(key, session)
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

    def extend(self, cookie: str) -> Session | None:
        """Move the idle limit of a live session, for every process at once; the absolute limit stays.

        Returns:
            The session, or None if it is over.
        """
        live = self.look(cookie, anew=True)
        if live is None:
            return None
        self._write_seen({live.key: live.seen})
        return live.session

    def ends_at(self, live: Live) -> datetime:
        """Return when a session ends if nobody comes any more."""
        return datetime.fromtimestamp(live.until, UTC)

    def end(self, cookie: str) -> Session | None:
        """End the session of a cookie; return it if it was live."""
        key = self._key(cookie)
        if key is None:
            return None
        now = self._clock.now()
        try:
            session = self._live(key, self.store.take(Space.SESSION, key, now=timestamp(now)), now)
        finally:
            self._doubt([key])
        self._seen.forget(key)
        return session

    def end_handle(self, handle: str, *, person: tuple[str, str] | None = None) -> Session | None:
        """End the session of that handle; return it if it was live.

        Args:
            handle: as `Session.handle` tells it; anything else ends nothing.
            person: `(issuer, subject)` it must belong to; anybody's when None (operators).
        """
        if not _HANDLE.fullmatch(handle):
            return None
        now = self._clock.now()
        for record in self.store.find(Space.SESSION, _handle_index(handle), now=timestamp(now)):
            session = self._live(record.key, record.value, now)
            if session is None or (person is not None and session.person != person):
                continue
            if self._end_key(record.key):
                return session
        return None

    def end_person(self, issuer: str, subject: str) -> int:
        """End every session of a person; return how many records went, one that was just over included."""
        return self._end_indexed(_person_index(issuer, subject))

    def end_portal_session(self, issuer: str, portal_session: str) -> int:
        """End every session that a portal's session opened; return how many records went."""
        return self._end_indexed(_portal_index(issuer, portal_session))

    def end_name_id(self, issuer: str, name_id: str, portal_sessions: Collection[str] = ()) -> int:
        """End the sessions that a portal opened under a NameID; return how many records went.

        Args:
            issuer: entityID of the portal.
            name_id: exactly as it was given to `open`.
            portal_sessions: SessionIndex values; those sessions only, or all of the NameID when there is none
                (SAML Core §3.7.1).
        """
        index = _name_index(issuer, name_id)
        if not portal_sessions:
            return self._end_indexed(index)
        now = self._clock.now()
        ended = 0
        for record in self.store.find(Space.SESSION, index, now=timestamp(now)):
            session = decode(record.value)
            if session is not None and session.portal_session in portal_sessions:
                ended += self._end_key(record.key)
        return ended

    def end_door(self, door: str) -> int:
        """End every session opened by a door; return how many records went."""
        return self._end_many(_door_index(door))

    def end_all(self) -> int:
        """End every session; return how many records went."""
        return self._end_many(_EVERY_SESSION)

    def _end_indexed(self, index: str) -> int:
        """End the few sessions under an index."""
        keys = [record.key for record in self.store.find(Space.SESSION, index, now=self._seconds())]
        ended = -1
        try:
            ended = self.store.delete_indexed(Space.SESSION, index)
        finally:
            # A login may have come between the two: what it opened is not in the list.
            self._doubt(keys if ended == len(keys) else None)
        for key in keys:
            self._seen.forget(key)
        return ended

    def _end_many(self, index: str) -> int:
        """End sessions too many to be listed: this process forgets all it knows, and reads the others again."""
        try:
            return self.store.delete_indexed(Space.SESSION, index)
        finally:
            self._doubt(None)

    def list_door(self, door: str) -> list[Session]:
        """Return the live sessions opened by a door, oldest first. Costs as much as there are."""
        return self._list(_door_index(door))

    def list_person(self, issuer: str, subject: str) -> list[Session]:
        """Return the live sessions of a person, oldest first."""
        return self._list(_person_index(issuer, subject))

    def _list(self, index: str) -> list[Session]:
        now = self._clock.now()
        records = self.store.find(Space.SESSION, index, now=timestamp(now))
        return [session for record in records if (session := self._live(record.key, record.value, now))]

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

    # -- reading -------------------------------------------------------------

    def _key(self, cookie: str) -> str | None:
        """Return the store's key of a cookie we signed, else None."""
        if not _COOKIE.fullmatch(cookie):
            return None
        session_id = self._signer.unsign(cookie)
        return None if session_id is None else digest(session_id)

    def _live(self, key: str, raw: bytes | None, now: datetime, waiting: float = 0.0) -> Session | None:
        """Return the session of a record if none of its limits has passed."""
        session = None if raw is None else decode(raw)
        if session is None:
            return None
        seen = max(waiting, self._seen.get(key))
        if seen > session.last_seen.timestamp():
            session = msgspec.structs.replace(session, last_seen=datetime.fromtimestamp(seen, UTC))
        return session if now < min(self._absolute_end(session), session.last_seen + self._idle) else None

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

    def _write_seen(self, moments: Mapping[str, float]) -> list[str]:
        """Record moments, some hundreds a round trip; return the keys that need not be written again."""
        done: list[str] = []
        keys = list(moments)
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            now = self._seconds()
            changes: list[Swap] = []
            for key, raw in zip(some, self.store.get_many(Space.SESSION, some, now=now), strict=True):
                session = None if raw is None else decode(raw)
                seen = datetime.fromtimestamp(moments[key], UTC)
                if raw is None or session is None or seen <= session.last_seen:
                    done.append(key)
                    continue
                end = self._record_end(session, seen)
                changes.append(Swap(key, raw, with_last_seen(raw, seen), end))
            # A record that was ended or changed between the two calls stays as it is; the next flush looks again.
            written = self.store.swap(Space.SESSION, changes, now=now) if changes else []
            done += [change.key for change, held in zip(changes, written, strict=True) if held]
        return done


def _person_index(issuer: str, subject: str) -> str:
    return "person:" + digest(json.dumps([issuer, subject]))


def _portal_index(issuer: str, portal_session: str) -> str:
    return "portal:" + digest(json.dumps([issuer, portal_session]))


def _name_index(issuer: str, name_id: str) -> str:
    return "name:" + digest(json.dumps([issuer, name_id]))


def _door_index(door: str) -> str:
    return "door:" + digest(door)


def _handle_index(handle: str) -> str:
    return f"handle:{handle}"


def _indexes(session: Session) -> list[str]:
    indexes = [
        _person_index(session.issuer, session.subject),
        _door_index(session.door),
        _handle_index(session.handle),
        _EVERY_SESSION,
    ]
    if session.portal_session:
        indexes.append(_portal_index(session.issuer, session.portal_session))
    if session.name_id:
        indexes.append(_name_index(session.issuer, session.name_id))
    return indexes
