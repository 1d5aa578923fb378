"""What a host reads of the person who makes a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagin_gateway.identity import Identity
from imagin_gateway.mounts.incoming import KEY


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes this request, if anybody is signed in.

    Attributes:
        person: the one immutable identity, or None.
        session_ends_at: latest end of the session, whatever the person does.
        login_path, logout_path: pages of the gateway to link to.
    """

    person: Identity | None
    session_ends_at: datetime | None
    login_path: str
    logout_path: str


def visitor(request: Any) -> Visitor:
    """Return the visitor of a request.

    Args:
        request: an ASGI scope, a WSGI environ, or a request object that carries one
            as `scope` (Starlette, FastAPI, Litestar), `environ` (Flask) or `META` (Django).

    Raises:
        RuntimeError: the gateway is not mounted around this application.
    """
    for place in (request, *(getattr(request, name, None) for name in ("scope", "environ", "META"))):
        if isinstance(place, Mapping) and isinstance(found := place.get(KEY), Visitor):
            return found
    raise RuntimeError(
        "imagin_gateway is not mounted around this application: app = gateway.asgi(app), "
        "or app.wsgi_app = gateway.wsgi(app.wsgi_app)"
    )


def person(request: Any) -> Identity | None:
    """Return who is signed in, or None. See `visitor`."""
    return visitor(request).person
