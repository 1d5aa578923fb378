"""The session record: what a store keeps of one login. JSON, typed, versioned (never pickle: ASVS 1.5.2).

During a rolling upgrade two releases read and write the same records. So a release
only *adds* fields, each with a default; leaves aside those it does not know, and
keeps them when it writes; and `v` changes only with a record that the former
release must not take for a session.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec

from imagin_gateway.identity import Activity, Identity

_log = logging.getLogger("imagin_gateway.sessions")

FIRST_PASSWORD: Final = "first-password"
"""Restriction of a session that can do nothing but choose its first password (row PRV-02)."""

SECOND_FACTOR: Final = "second-factor"
"""Restriction of a session that can do nothing but add the second factor its account must have."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

Filled = Annotated[str, msgspec.Meta(min_length=1)]


class Session(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One live session, as the store keeps it and as the journeys read it. Immutable.

    Attributes:
        v: version of the record.
        handle: public short name of the session, for a list of one's sessions; it opens nothing.
        created_at: when we opened it, UTC.
        last_seen: latest request known, to the grain of the registry.
        absolute_end: end whatever the person does; `ends_at` and our own limit included.
        ends_at: when the portal wants it over, if it says so (SessionNotOnOrAfter).
        portal_session: sid or SessionIndex, for a logout that comes from the portal.
        name_id: NameID as received, for the same.
        logout_hint: what the portal wants back at logout (an ID token); it never leaves for a page or a cookie.
        restricted: name of the single thing this session may do; "" for a full session.
        device, address: with what and from where it was opened, for the person to recognise it.

    The other attributes are those of `Identity`.
    """

    v: Literal[1] = 1
    handle: Filled
    issuer: Filled
    subject: Filled
    door: Filled
    activities: frozenset[Activity]
    authenticated_at: Moment
    proved_at: Moment | None = None
    method: Filled
    acr: str | None = None
    amr: tuple[str, ...] = ()
    family_name: str = ""
    given_name: str = ""
    email: str = ""
    attributes: dict[str, tuple[str, ...]] = {}
    created_at: Moment
    last_seen: Moment
    absolute_end: Moment
    ends_at: Moment | None = None
    portal_session: str = ""
    name_id: str = ""
    logout_hint: str = ""
    restricted: str = ""
    device: str = ""
    address: str = ""

    @classmethod
    def of(
        cls,
        identity: Identity,
        *,
        handle: str,
        now: datetime,
        absolute_end: datetime,
        ends_at: datetime | None = None,
        portal_session: str = "",
        name_id: str = "",
        logout_hint: str = "",
        restricted: str = "",
        device: str = "",
        address: str = "",
    ) -> Session:
        """Return the record of a login that happens now."""
        return cls(
            handle=handle,
            issuer=identity.issuer,
            subject=identity.subject,
            door=identity.door,
            activities=identity.activities,
            authenticated_at=identity.authenticated_at,
            proved_at=identity.proved_at,
            method=identity.method,
            acr=identity.acr,
            amr=identity.amr,
            family_name=identity.family_name,
            given_name=identity.given_name,
            email=identity.email,
            attributes=dict(identity.attributes),
            created_at=now,
            last_seen=now,
            absolute_end=absolute_end,
            ends_at=ends_at,
            portal_session=portal_session,
            name_id=name_id,
            logout_hint=logout_hint,
            restricted=restricted,
            device=device,
            address=address,
        )

    @cached_property
    def identity(self) -> Identity:
        """The person, as the host reads it. A restricted session opens no activity at all."""
        return Identity(
            issuer=self.issuer,
            subject=self.subject,
            door=self.door,
            activities=frozenset() if self.restricted else self.activities,
            authenticated_at=self.authenticated_at,
            proved_at=self.proved_at,
            method=self.method,
            acr=self.acr,
            amr=self.amr,
            family_name=self.family_name,
            given_name=self.given_name,
            email=self.email,
            attributes=self.attributes,
        )

    @property
    def person(self) -> tuple[str, str]:
        """`(issuer, subject)`."""
        return (self.issuer, self.subject)

    def __repr__(self) -> str:
        # Names, mail and the portal's identifiers stay out of logs and tracebacks.
        return f"Session(handle={self.handle!r}, door={self.door!r}, restricted={self.restricted!r})"


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Session)


def encode(session: Session) -> bytes:
    """Return the bytes a store keeps."""
    return _encoder.encode(session)


def decode(raw: bytes) -> Session | None:
    """Return the session that `raw` holds; None, and a line in the log, when it holds none that we can read.

    A field that a later release adds is left aside; a record of another version,
    a truncated one, or bytes of another format is no session.
    """
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        # Neither the bytes nor the message go into the log: both may hold what is personal.
        _log.warning("a session record cannot be read and counts for nothing (%s)", type(error).__name__)
        return None


def with_last_seen(raw: bytes, seen: datetime) -> bytes:
    """Return the record `raw` seen at `seen`, whatever fields a later release may have added to it.

    Raises:
        msgspec.MsgspecError, TypeError: the record cannot be read.
    """
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    fields["last_seen"] = msgspec.Raw(msgspec.json.encode(seen))
    return msgspec.json.encode(fields)
