"""The Cookie header: somebody is known only by a cookie that was made here, brought once, and still good.

In an input, `@1@` and `@2@` stand for the cookies of two people, `@3@` for one whose session has ended.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from fuzz.frame import Target, any_change, demand
from imagin_gateway.exchange import parse_cookies
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.mounts.cookie import CookieFinder
from imagin_gateway.sessions.reader import COOKIE_LENGTH
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.state import open_store

NAME: Final = "__Host-ig-session"
NOW: Final = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)


class _Still:
    """A clock that does not move."""

    def now(self) -> datetime:
        return NOW


def _identity(subject: str) -> Identity:
    return Identity(
        issuer="https://paris.example/idp",
        subject=subject,
        door="arena-paris",
        activities=frozenset({Activity.MISSIONS}),
        authenticated_at=NOW,
        method="saml",
    )


class _Stand:
    """A registry with two sessions that live and one that has ended."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.keyring = Keyring([Secret("a signing key of the targets, 32 bytes and more")])
        store = open_store(f"sqlite:///{Path(self._folder.name)}/state.db")
        self.registry = SessionRegistry(store, self.keyring, _Still(), timedelta(minutes=30), timedelta(hours=10))
        self.people = {self.registry.open(_identity(name)): name for name in ("first", "second")}
        self.ended = self.registry.open(_identity("third"))
        self.registry.end(self.ended)
        # Signed by us, for something else: no session either.
        self.other = self.keyring.signer("form").sign(self.ended.partition(".")[0])


_STAND: Final = _Stand()
_FINDER: Final = CookieFinder(NAME, COOKIE_LENGTH)


def attack(data: bytes) -> bool:
    """Read a Cookie header by both ways there are, and look up whoever it speaks of."""
    first, second = _STAND.people
    header = data.decode("latin-1")
    for mark, cookie in (("@1@", first), ("@2@", second), ("@3@", _STAND.ended), ("@4@", _STAND.other)):
        header = header.replace(mark, cookie)
    quick, whole = _FINDER.find(header), parse_cookies(header).get(NAME)
    brought = _brought(header)
    known = set()
    for found in (quick, whole):
        if found is None or (live := _STAND.registry.look(found)) is None:
            continue
        known.add(live.session.subject)
        demand(found in _STAND.people, "a cookie that was not made here opens a session")
        demand(_STAND.people[found] == live.session.subject, "a cookie opens the session of somebody else")
        demand(brought == [found], "of two cookies of one name, one was believed")
    demand(len(known) <= 1, "two readings of one header know two people")
    _check_registry(header)
    return bool(known)


def _brought(header: str) -> list[str]:
    """Return every value that the header gives our name, read one sign after the other."""
    found, part = [], ""
    for sign in header + ";":
        if sign != ";":
            part += sign
            continue
        name, mark, value = part.strip(" \t").partition("=")
        if mark and name == NAME:
            found.append(value.strip(" \t").removeprefix('"').removesuffix('"'))
        part = ""
    return found


def _check_registry(header: str) -> None:
    """The header itself as a cookie: no text but a cookie of ours opens, or ends, anything."""
    if header not in _STAND.people and header != _STAND.ended:
        demand(_STAND.registry.look(header) is None, "a text that was not made here opens a session")
        demand(_STAND.registry.end(header) is None, "a text that was not made here ends a session")


def seeds() -> Iterator[bytes]:
    """Return honest headers, and headers with what an attacker adds."""
    name = NAME.encode()
    yield name + b"=@1@"
    yield b"a=b; " + name + b"=@2@; ig-language=fr"
    yield name + b'="@1@"; ' + name + b"=@2@"
    yield name + b"=@3@; " + name.lower() + b"=@1@"
    yield name + b"=@4@;" + name + b" =@1@"
    yield b"@1@"


def mutate(data: bytes, random: Random) -> bytes:
    """Change a header by its pieces, or a cookie within."""
    pieces = data.split(b";")
    place = random.randrange(len(pieces))
    match random.randrange(5):
        case 0:
            pieces.insert(place, random.choice(pieces))
        case 1:
            pieces[place] = any_change(pieces[place], random)
        case 2:
            pieces[place] = pieces[place].replace(
                b"=", random.choice((b" =", b"= ", b"==", b'="', b"=\t", b"\x0b=")), 1
            )
        case 3:
            pieces.insert(
                place,
                random.choice((b" ", b"", b"a", b"=", b'"')) + NAME.encode() + b"=" + b"@%d@" % random.randrange(1, 5),
            )
        case _:
            cookie = next(iter(_STAND.people)).encode()
            pieces[place] = b" " + NAME.encode() + b"=" + any_change(cookie, random)
    return random.choice((b";", b"; ", b",")).join(pieces)


TARGET: Final = Target(name="cookies", attack=attack, seeds=seeds, mutate=mutate, longest=4096)
