"""Opening, listing and ending sessions. The record in the store alone decides.

The cookie is an unpredictable id made here, signed under a purpose of its own: a
cookie we did not sign never reaches the store (row SES-02). The store's key is the
SHA-256 of the id, so a copy of the store opens no session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from imagin_gateway.clock import Clock, timestamp
from imagin_gateway.errors import Code, Refused
from imagin_gateway.identity import Identity
from imagin_gateway.keys import Keyring, digest, new_token
from imagin_gateway.sessions import indexes
from imagin_gateway.sessions.reader import GRAIN, SessionReader, moment_of, seen_at
from imagin_gateway.sessions.session import Session, decode, encode
from imagin_gateway.state.store import Space, StateStore
from imagin_gateway.state.watch import DEFAULT_LAG

_HANDLE: Final = re.compile(r"[0-9a-f]{16}")


class SessionRegistry(SessionReader):
    """Sessions of one gateway. Safe to share between threads; survives `fork`.

    Args:
        store, keyring, clock, idle, absolute, grain, cached, lag: see `SessionReader`.
        parallel: sessions one person may have at once; any number when 0.
        refuse_more: the login beyond that number is refused; else the oldest session ends.
        displaced: told of a session that ended so.

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
        displaced: Callable[[Session], None] = lambda session: None,
    ) -> None:
        super().__init__(store, keyring, clock, idle, absolute, grain=grain, cached=cached, lag=lag)
        self._parallel = parallel
        self._refuse_more = refuse_more
        self._displaced = displaced

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
            indexes=indexes.indexes_of(session),
        )
        if self._parallel:
            self._keep_within_limit(key, session)
        return self._signer.sign(session_id)

    def _keep_within_limit(self, key: str, opened: Session) -> None:
        # Opened first, counted after: the store's order decides between logins that come at once, the same for all.
        now = self._clock.now()
        records = self.store.find(Space.SESSION, indexes.by_person(*opened.person), now=timestamp(now))
        found = {record.key: self._live(record.key, record.value, now) for record in records}
        live = {key: session for key, session in found.items() if session is not None}
        if self._refuse_more:
            if key in list(live)[self._parallel :]:
                self._end_key(key)
                raise Refused("this person has all the sessions they may have", code=Code.TOO_MANY_SESSIONS)
            return
        for oldest in list(live)[: -self._parallel]:
            if self._end_key(oldest):
                self._displaced(live[oldest])

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
        for record in self.store.find(Space.SESSION, indexes.by_handle(handle), now=timestamp(now)):
            session = self._live(record.key, record.value, now)
            if session is None or (person is not None and session.person != person):
                continue
            if self._end_key(record.key):
                return session
        return None

    def end_person(self, issuer: str, subject: str) -> int:
        """End every session of a person; return how many records went, one that was just over included."""
        return self._end_indexed(indexes.by_person(issuer, subject))

    def end_others(self, kept: Session) -> int:
        """End every session of a person but one; return how many were ended."""
        now = self._seconds()
        records = self.store.find(Space.SESSION, indexes.by_person(*kept.person), now=now)
        sessions = [(record.key, decode(record.value)) for record in records]
        return sum(self._end_key(key) for key, session in sessions if session is None or session.handle != kept.handle)

    def end_portal_session(self, issuer: str, portal_session: str) -> int:
        """End every session that a portal's session opened; return how many records went."""
        return self._end_indexed(indexes.by_portal_session(issuer, portal_session))

    def end_name_id(self, issuer: str, name_id: str, portal_sessions: Collection[str] = ()) -> int:
        """End the sessions that a portal opened under a NameID; return how many records went.

        Args:
            issuer: entityID of the portal.
            name_id: exactly as it was given to `open`.
            portal_sessions: SessionIndex values; those sessions only, or all of the NameID when there is none
                (SAML Core §3.7.1). A session opened without one may be any of them, and ends too.
        """
        index = indexes.by_name_id(issuer, name_id)
        if not portal_sessions:
            return self._end_indexed(index)
        now = self._clock.now()
        ended = 0
        for record in self.store.find(Space.SESSION, index, now=timestamp(now)):
            session = decode(record.value)
            if session is not None and _may_be(session, portal_sessions):
                ended += self._end_key(record.key)
        return ended

    def end_door(self, door: str) -> int:
        """End every session opened by a door; return how many records went."""
        return self._end_many(indexes.by_door(door))

    def end_all(self) -> int:
        """End every session; return how many records went."""
        return self._end_many(indexes.EVERY_SESSION)

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
        return self._list(indexes.by_door(door))

    def list_all(self) -> list[Session]:
        """Return every live session, oldest first. Costs as much as there are."""
        return self._list(indexes.EVERY_SESSION)

    def list_name_id(self, issuer: str, name_id: str, portal_sessions: Collection[str] = ()) -> list[Session]:
        """Return the live sessions that `end_name_id` would end."""
        found = self._list(indexes.by_name_id(issuer, name_id))
        return [each for each in found if not portal_sessions or _may_be(each, portal_sessions)]

    def list_portal_session(self, issuer: str, portal_session: str) -> list[Session]:
        """Return the live sessions that a portal's session opened."""
        return self._list(indexes.by_portal_session(issuer, portal_session))

    def list_person(self, issuer: str, subject: str) -> list[Session]:
        """Return the live sessions of a person, oldest first."""
        return self._list(indexes.by_person(issuer, subject))

    def _list(self, index: str) -> list[Session]:
        now = self._clock.now()
        records = self.store.find(Space.SESSION, index, now=timestamp(now))
        beside = self.store.get_many(Space.SEEN, [record.key for record in records], now=timestamp(now))
        return [
            seen_at(session, moment_of(moment))
            for record, moment in zip(records, beside, strict=True)
            if (session := self._live(record.key, record.value, now))
        ]


def _may_be(session: Session, portal_sessions: Collection[str]) -> bool:
    """Tell whether a session may be one of those a portal names: the portal may not have told it at login."""
    return session.portal_session in (*portal_sessions, "")
