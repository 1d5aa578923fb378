"""Opening, reading and ending sessions. The record in the store alone decides.

The cookie is an unpredictable id made here, signed under a purpose of its own: a
cookie we did not sign never reaches the store (row SES-02). The store's key is the
SHA-256 of the id, so a copy of the store opens no session.

Reading writes nothing. When a person was last seen is kept in memory and flushed
in batches, off the request's way: a process knows its own requests at once, and
those of the others within one grain. So the idle limit is exact where the last
request was seen, exact to the grain elsewhere, and never late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import msgspec

from imagin_gateway.clock import Clock, timestamp
from imagin_gateway.errors import Code, Refused
from imagin_gateway.identity import Identity
from imagin_gateway.keys import Keyring, digest, new_token
from imagin_gateway.sessions.seen import LastSeen
from imagin_gateway.sessions.session import Session, decode, encode, with_last_seen
from imagin_gateway.state.store import Space, StateStore

GRAIN: Final = timedelta(seconds=15)

PURPOSE: Final = "session"

# 256 bits, a dot, HMAC-SHA-256; the last character carries four bits, so that one signature has one spelling.
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

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
    ) -> None:
        self.store = store
        self._signer = keyring.signer(PURPOSE)
        self._clock = clock
        self._idle = idle
        self._absolute = absolute
        self._seen = LastSeen(self._write_seen, grain)

    def open(
        self,
        identity: Identity,
        *,
        portal_session: str = "",
        name_id: str = "",
        logout_hint: str = "",
        ends_at: datetime | None = None,
        restricted: str = "",
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
            replaces: cookie this browser held until now, whatever it is worth; its session ends here (row SES-03).

        Returns:
            The value of the new cookie. The id in it is always made here.

        Raises:
            Refused: the portal's own end has already passed.
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
        )
        self.store.put(
            Space.SESSION,
            key,
            encode(session),
            expires_at=self._record_end(session, now),
            now=timestamp(now),
            indexes=_indexes(session),
        )
        return self._signer.sign(session_id)

    def resolve(self, cookie: str) -> Session | None:
        """Return the live session of a cookie, or None. Writes nothing.

        Raises:
            Unavailable: the store does not answer: nobody is authenticated meanwhile.
        """
        key = self._key(cookie)
        if key is None:
            return None
        now = self._clock.now()
        raw = self.store.get(Space.SESSION, key, now=timestamp(now))
        session = self._live(key, raw, now)
        if session is not None:
            self._seen.note(key, now)
        return session

    def end(self, cookie: str) -> Session | None:
        """End the session of a cookie; return it if it was live."""
        key = self._key(cookie)
        if key is None:
            return None
        now = self._clock.now()
        session = self._live(key, self.store.take(Space.SESSION, key, now=timestamp(now)), now)
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
            if self.store.delete(Space.SESSION, record.key):
                self._seen.forget(record.key)
                return session
        return None

    def end_person(self, issuer: str, subject: str) -> int:
        """End every session of a person; return how many records went, one that was just over included."""
        return self.store.delete_indexed(Space.SESSION, _person_index(issuer, subject))

    def end_portal_session(self, issuer: str, portal_session: str) -> int:
        """End every session that a portal's session opened; return how many records went."""
        return self.store.delete_indexed(Space.SESSION, _portal_index(issuer, portal_session))

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
            return self.store.delete_indexed(Space.SESSION, index)
        now = self._clock.now()
        ended = 0
        for record in self.store.find(Space.SESSION, index, now=timestamp(now)):
            session = decode(record.value)
            if session is not None and session.portal_session in portal_sessions:
                ended += self.store.delete(Space.SESSION, record.key)
                self._seen.forget(record.key)
        return ended

    def end_door(self, door: str) -> int:
        """End every session opened by a door; return how many records went."""
        return self.store.delete_indexed(Space.SESSION, _door_index(door))

    def end_all(self) -> int:
        """End every session; return how many records went."""
        return self.store.delete_indexed(Space.SESSION, _EVERY_SESSION)

    def list_person(self, issuer: str, subject: str) -> list[Session]:
        """Return the live sessions of a person, oldest first."""
        now = self._clock.now()
        records = self.store.find(Space.SESSION, _person_index(issuer, subject), now=timestamp(now))
        return [session for record in records if (session := self._live(record.key, record.value, now))]

    def flush(self) -> None:
        """Write when people were last seen. A session that has ended meanwhile stays ended.

        Raises:
            Unavailable: the store does not answer; what was not written is kept for the next time.
        """
        self._seen.flush()

    def close(self) -> None:
        """Flush what waits and stop. The store stays open: it belongs to the caller."""
        self._seen.close()

    # -- reading -------------------------------------------------------------

    def _key(self, cookie: str) -> str | None:
        """Return the store's key of a cookie we signed, else None."""
        if not _COOKIE.fullmatch(cookie):
            return None
        session_id = self._signer.unsign(cookie)
        return None if session_id is None else digest(session_id)

    def _live(self, key: str, raw: bytes | None, now: datetime) -> Session | None:
        """Return the session of a record if none of its limits has passed."""
        session = None if raw is None else decode(raw)
        if session is None:
            return None
        seen = self._seen.get(key)
        if seen is not None and seen > session.last_seen:
            session = msgspec.structs.replace(session, last_seen=seen)
        # The limits of today's settings count too, when they are shorter than those it was opened under.
        absolute_end = min(session.absolute_end, session.created_at + self._absolute)
        return session if now < min(absolute_end, session.last_seen + self._idle) else None

    def _record_end(self, session: Session, seen: datetime) -> float:
        """Return when the store may drop a record.

        One idle limit later than the session can end by what the record says: a
        request that waits to be flushed, through an outage even, may have prolonged it.
        """
        return timestamp(min(session.absolute_end, seen + 2 * self._idle))

    def _write_seen(self, key: str, seen: datetime) -> None:
        now = timestamp(self._clock.now())
        raw = self.store.get(Space.SESSION, key, now=now)
        session = None if raw is None else decode(raw)
        if raw is None or session is None or seen <= session.last_seen:
            return
        # `replace` writes to a live record only, so one that was ended between the two calls does not come back.
        self.store.replace(
            Space.SESSION, key, with_last_seen(raw, seen), expires_at=self._record_end(session, seen), now=now
        )


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
