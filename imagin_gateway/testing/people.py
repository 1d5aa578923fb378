"""Somebody, and somebody signed in."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from datetime import UTC, datetime
from inspect import signature
from typing import Any
from urllib.parse import urlsplit

from imagin_gateway.gateway import Gateway
from imagin_gateway.identity import DIRECT_ISSUER, Activity, Door, Identity
from imagin_gateway.mounts.asked import asked
from imagin_gateway.mounts.doorman import Doorman
from imagin_gateway.mounts.incoming import KEY
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.policy import siec
from imagin_gateway.testing.surroundings import only_in_development


def someone(
    subject: str = "jdupont",
    *,
    door: str = Door.PARIS,
    activities: Collection[Activity | str] | None = None,
    **changes: Any,
) -> Identity:
    """Return somebody.

    Args:
        subject: their identifier.
        door: id of the door they take.
        activities: what is open to them; by default what the door opens in SIEC's table.
        changes: any other field of `Identity`.
    """
    now = datetime.now(UTC)
    opened = siec().activities(door) if activities is None else asked(activities).activities
    fields: dict[str, Any] = {
        "issuer": DIRECT_ISSUER if door == Door.DIRECT else f"https://{door}.exemple.test",
        "subject": subject,
        "door": door,
        "activities": opened,
        "authenticated_at": now,
        "proved_at": now,
        "method": "password" if door == Door.DIRECT else "oidc",
        "given_name": "Jo",
        "family_name": "DUPONT",
        "email": "jo.dupont@exemple.test",
    }
    return Identity(**{**fields, **changes})


def sign_in(client: Any, gateway: Gateway, who: Identity | None = None) -> Identity:
    """Sign somebody in, in a test client: a real session, opened without any portal.

    Args:
        client: the test client of Flask, Django (see `nobody`), Starlette, FastAPI or Litestar, or of httpx.
        gateway: mounted around the application under test.
        who: from `someone()`; their login is of this moment, by the gateway's clock, unless `changes` said otherwise.
            Their door must be open: `direct`, or a portal of the settings.

    Returns:
        Who is signed in.

    Raises:
        RuntimeError: the settings are not those of development, or the door is closed.
        TypeError: the client is of none of these kinds; use `headers()`.
    """
    found, name, cookie = _opened(gateway, who)
    if _is_django(client):
        client.handler = _Told(client.handler, Doorman(gateway).visitor_of(gateway.session({name: cookie})))
    elif _is_werkzeug(client):
        # werkzeug keeps a cookie for one host: that of its own addresses, and that of BASE_URL.
        for host in ("localhost", urlsplit(gateway.settings.base_url).hostname):
            client.set_cookie(name, cookie, domain=host)
    elif isinstance(getattr(client, "cookies", None), MutableMapping):
        client.cookies[name] = cookie  # httpx
    else:
        raise TypeError("this client keeps no cookies that are known here: send testing.headers() with each request")
    return found


def nobody(client: Any, gateway: Gateway) -> None:
    """Tell Django's test client that the gateway is there, and nobody signed in.

    That client asks Django itself, past everything a server would have in front of it. What it is told holds for a
    route's own questions; prefixes protected by the settings, and the gateway's own pages, are not there.

    Raises:
        RuntimeError: the settings are not those of development.
    """
    only_in_development(gateway)
    client.handler = _Told(client.handler, Doorman(gateway).anonymous)


class _Told:
    """The handler of Django's test client, which finds a visitor in what it is given."""

    def __init__(self, handler: Any, visitor: Visitor) -> None:
        self._handler: Any = handler._handler if isinstance(handler, _Told) else handler
        self._visitor = visitor

    def __call__(self, place: dict[str, Any]) -> Any:
        place[KEY] = self._visitor
        # Django's asynchronous client makes a scope whose query is text: ASGI has bytes, and Django takes both.
        if isinstance(place.get("query_string"), str):
            place["query_string"] = place["query_string"].encode()
        return self._handler(place)


def _is_django(client: Any) -> bool:
    return hasattr(client, "handler") and hasattr(client, "cookies")


def _is_werkzeug(client: Any) -> bool:
    # The clients of Quart and WebTest have a method of that name, which takes something else.
    try:
        return next(iter(signature(client.set_cookie).parameters), "") == "key"
    except (AttributeError, TypeError, ValueError):
        return False


def headers(gateway: Gateway, who: Identity | None = None) -> dict[str, str]:
    """Return the headers of a request of somebody signed in, for any other client. See `sign_in`."""
    _, name, cookie = _opened(gateway, who)
    return {"Cookie": f"{name}={cookie}"}


def _opened(gateway: Gateway, who: Identity | None) -> tuple[Identity, str, str]:
    only_in_development(gateway)
    now = gateway.house.clock.now()
    who = who or someone(door=Door.DIRECT, authenticated_at=now, proved_at=now)
    if not gateway.is_open(who.door):
        raise RuntimeError(f"the door {who.door} is closed in these settings: plug a FakePortal, or use door='direct'")
    return who, gateway.settings.cookie_name("session"), gateway.house.sessions.open(who)
