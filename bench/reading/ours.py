"""A gateway as a host would build it, for the benches: one protected page, and who signs in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.reading.drive import HOST
from imagin_gateway import Gateway, Settings
from imagin_gateway.identity import DIRECT_ISSUER, Activity, Door, Identity
from imagin_gateway.mounts import person

WHO: Final = "mdurand7"

PROTECTED: Final = "/missions"
OPEN: Final = "/"

IDLE_THREAD: Final = "-"
"""In the place of the address of a state: there is none, and another thread that sleeps."""

_KEY: Final = "a key of the benches, which protects nothing: 0123456789"


def settings_of(folder: Path, state: str, **changes: Any) -> Settings:
    """Return the settings of a gateway with one protected prefix.

    Args:
        folder: for the accounts, which exist already or are made now.
        state: address of the store of sessions.
        changes: other settings.
    """
    return Settings.load(
        None,
        **{
            "base_url": f"https://{HOST}",
            "privacy_url": "/donnees-personnelles",
            "legal_url": "/mentions-legales",
            "accessibility_url": "/accessibilite",
            "protect": [{"prefix": PROTECTED}],
            "second_factor": {"mode": "off", "reason": "sessions alone"},
            "keys": {"signing": [_KEY], "provisional": [_KEY[::-1]]},
            "state": {"url": state},
            "accounts": {"url": f"sqlite:///{folder}/accounts.db"},
            "mail": {"host": "127.0.0.1", "sender": "imagin@example.fr", "security": "none"},
            **changes,
        },
    )


def gateway(folder: Path, state: str, **changes: Any) -> Gateway:
    """Return a gateway, sessions revocable on the server as always; nothing is switched off for the bench."""
    return Gateway(settings_of(folder, state, **changes), sends_mail=False)


def identity(subject: str = WHO) -> Identity:
    """Return somebody whose record has the size of a real one."""
    return Identity(
        issuer=DIRECT_ISSUER,
        subject=subject,
        door=Door.DIRECT,
        activities=frozenset({Activity.EXPENSES, Activity.MARKING, Activity.PERSONAL_DATA}),
        authenticated_at=datetime.now(UTC),
        method="password",
        amr=("pwd",),
        family_name="Durand",
        given_name="Marie",
        email="marie.durand@exemple.test",
        attributes={"codaca": ("01",), "rne": ("0750001A", "0750002B")},
    )


def signed_in(front: Gateway, subject: str = WHO) -> str:
    """Open a session as a login does; return the Cookie header of its browser."""
    return f"{front.settings.cookie_name('session')}={front.house.sessions.open(identity(subject))}"


def session_cookie(header: str) -> str:
    """Return the value of the session's cookie from a Cookie header that holds nothing else."""
    return header.partition("=")[2]


async def raw_asgi(scope: Any, receive: Any, send: Any) -> None:
    """An application without sessions, which answers what the others read from theirs."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": WHO.encode()})


async def reading_asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same, which reads who is there."""
    if scope["type"] != "http":
        return
    who = person(scope)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": who.subject.encode() if who else b"nobody"})


def raw_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """An application without sessions, which answers what the others read from theirs."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [WHO.encode()]


def reading_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """The same, which reads who is there."""
    who = person(environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [who.subject.encode() if who else b"nobody"]
