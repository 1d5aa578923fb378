"""The indexes of sessions: by whom, by which door, by what of a portal they can be found (digests only: INP-06)."""

from __future__ import annotations

import json
from typing import Final

from imagin_gateway.keys import digest
from imagin_gateway.sessions.session import Session

EVERY_SESSION: Final = "all"


def by_person(issuer: str, subject: str) -> str:
    """Return the index of a person."""
    return "person:" + digest(json.dumps([issuer, subject]))


def by_portal_session(issuer: str, portal_session: str) -> str:
    """Return the index of a portal's session: sid or SessionIndex."""
    return "portal:" + digest(json.dumps([issuer, portal_session]))


def by_name_id(issuer: str, name_id: str) -> str:
    """Return the index of a NameID."""
    return "name:" + digest(json.dumps([issuer, name_id]))


def by_door(door: str) -> str:
    """Return the index of a door."""
    return "door:" + digest(door)


def by_handle(handle: str) -> str:
    """Return the index of a handle."""
    return f"handle:{handle}"


def indexes_of(session: Session) -> list[str]:
    """Return every index of a session."""
    indexes = [
        by_person(session.issuer, session.subject),
        by_door(session.door),
        by_handle(session.handle),
        EVERY_SESSION,
    ]
    if session.portal_session:
        indexes.append(by_portal_session(session.issuer, session.portal_session))
    if session.name_id:
        indexes.append(by_name_id(session.issuer, session.name_id))
    return indexes
