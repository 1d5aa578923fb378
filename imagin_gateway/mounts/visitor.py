"""What a host reads of the person who makes a request, and what it may ask of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from imagin_gateway.exchange import Response
from imagin_gateway.identity import Identity, lacks
from imagin_gateway.mounts.asked import Asked
from imagin_gateway.mounts.host_request import written_path, written_query
from imagin_gateway.mounts.incoming import KEY
from imagin_gateway.mounts.mistakes import NOT_MOUNTED, NOT_MOUNTED_DJANGO

Judge = Callable[[Identity | None, Asked, Mapping[str, Any]], Response | None]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes this request, if anybody is signed in.

    Attributes:
        person: the one immutable identity, or None.
        session_ends_at: latest end of the session, whatever the person does.
        login_path, logout_path: pages of the gateway to link to.
        session_path: page of the person's session: how long it lasts, and the others they have.
        session_script: our script for the pages of the host, which warns before the session ends.
        confirm_path: page where the person proves anew who they are.
        now: the gateway's clock.
        judge: what the gateway answers to somebody who lacks what is asked. See `asking`.
    """

    person: Identity | None
    session_ends_at: datetime | None
    login_path: str
    logout_path: str
    session_path: str = ""
    session_script: str = ""
    confirm_path: str = ""
    now: Callable[[], datetime] = field(default=_now, repr=False, compare=False)
    judge: Judge | None = field(default=None, repr=False, compare=False)


def visitor(request: Any) -> Visitor:
    """Return the visitor of a request.

    Args:
        request: an ASGI scope, a WSGI environ, or a request object that carries one
            as `scope` (Starlette, FastAPI, Litestar), `environ` (Flask) or `META` (Django).
            The environ of an application that an ASGI one mounts by a2wsgi leads to its scope.

    Raises:
        RuntimeError: the gateway is not mounted around this application.
    """
    return place_of(request)[KEY]  # type: ignore[no-any-return]  # `place_of` saw to it


def place_of(request: Any) -> Mapping[str, Any]:
    """Return the ASGI scope or the WSGI environ of a request. See `visitor`."""
    if isinstance(request, dict) and isinstance(request.get(KEY), Visitor):
        return request
    # In this order: Flask's request is a proxy, which makes and drops an error for a name that it does not have.
    for name in ("environ", "scope", "META"):
        place = getattr(request, name, None)
        # Nothing, or a dictionary, as it nearly always is: asking an abstract class costs more.
        if place is not None and isinstance(place, (dict, Mapping)) and isinstance(place.get(KEY), Visitor):
            return place
    around = _scope_around(request)
    if around is not None:
        return around
    raise RuntimeError(NOT_MOUNTED_DJANGO if hasattr(request, "META") else NOT_MOUNTED)


def _scope_around(request: Any) -> Mapping[str, Any] | None:
    """Return the scope in which an ASGI application called a WSGI one: a2wsgi, as FastAPI advises, tells it there."""
    for place in (request, getattr(request, "environ", None), getattr(request, "META", None)):
        scope = place.get("asgi.scope") if isinstance(place, dict) else None
        if isinstance(scope, dict) and isinstance(scope.get(KEY), Visitor):
            return scope
    return None


def person(request: Any) -> Identity | None:
    """Return who is signed in, or None. See `visitor`."""
    here: Visitor = place_of(request)[KEY]
    return here.person


def step_up(request: Any, *, within: timedelta | None = None, strength: Collection[str] = ()) -> str | None:
    """Ask more of the person than a session: a login that is recent, or strong, or both.

    Args:
        request: as for `visitor`.
        within: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached; what a portal did not tell is weak.

    Returns:
        None when all of it holds. Otherwise the address to send the browser to (303): the person proves anew who
        they are and comes back to this page. After a recent login that is still too weak, that page says so.

    Raises:
        RuntimeError: the gateway is not mounted around this application.
    """
    place = place_of(request)
    here: Visitor = place[KEY]
    who = here.person
    if who is None:
        return f"{here.login_path}?{urlencode({'next': _asked(place)})}"
    if not lacks(who, here.now(), within, [frozenset(strength)] if strength else []):
        return None
    return f"{here.confirm_path}?{urlencode({'next': _asked(place)})}"


def _asked(place: Mapping[str, Any]) -> str:
    """Return the page asked for, as the browser wrote it."""
    if "wsgi.version" in place:
        query = place.get("QUERY_STRING", "").encode("latin-1", "replace")
    else:
        query = place.get("query_string", b"")
    return written_path(place) + written_query(query)
