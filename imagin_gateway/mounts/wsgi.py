"""The gateway around a WSGI application (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from imagin_gateway.exchange import MAX_BODY_BYTES, Request, Response
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.doorman import Doorman
from imagin_gateway.mounts.incoming import (
    KEY,
    TOO_LONG,
    HeaderUses,
    client_address,
    declared_too_long,
    is_identity_header,
)
from imagin_gateway.mounts.passage import Passage
from imagin_gateway.mounts.peer import certificate_of_environ, peer_address
from imagin_gateway.mounts.visitor import Visitor

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_SET_BY_SERVERS = ("REMOTE_USER", "AUTH_TYPE", "REMOTE_IDENT")


class GatewayWSGI:
    """WSGI middleware.

    Args:
        gateway: the front door.
        app: the host application.
    """

    def __init__(self, gateway: Gateway, app: WSGIApp) -> None:
        self._gateway = gateway
        self._app = app
        self._doorman = Doorman(gateway)
        self._plain: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        doorman = self._doorman
        passage = doorman.passage(_path(environ))
        visitor = doorman.glance(passage, environ.get("HTTP_COOKIE", ""))
        if visitor is None:
            admitted = self._slowly(environ, passage)
            if isinstance(admitted, Response):
                return _write(admitted, environ["REQUEST_METHOD"], start_response)
            visitor = admitted
        inside = environ.copy()
        if not self._plain.issuperset(environ):
            self._remove_pretenders(inside)
        inside[KEY] = visitor
        return self._app(inside, start_response if visitor.person is None else _no_store(start_response))

    def _slowly(self, environ: Environ, passage: Passage) -> Visitor | Response:
        """Return the visitor to let through, or the answer to give."""
        headers = _headers(environ)
        method: str = environ["REQUEST_METHOD"]
        query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        address = client_address(
            environ.get("REMOTE_ADDR", ""),
            headers.get("x-forwarded-for", ""),
            self._gateway.settings.trusted_proxies,
        )
        if passage.below is not None:
            body = _body(environ) if method == "POST" else b""
            if body is None:
                return self._doorman.refusal_of_path
            request = Request(
                method,
                passage.below,
                query,
                headers,
                body,
                address,
                new_reference(),
                peer=peer_address(environ.get("REMOTE_ADDR", "")),
                certificate=certificate_of_environ(environ),
            )
            return self._gateway.handle(request)
        if passage.unreadable:
            return self._doorman.refusal_of_path
        return self._doorman.admit(method, passage, query, headers, address)

    def _remove_pretenders(self, inside: Environ) -> None:
        """Remove what pretends to say who somebody is; remember the names that do not: requests repeat the same few."""
        for name in inside.keys() - self._plain:
            if _pretends(name):
                del inside[name]
            elif len(self._plain) < HeaderUses.MOST_KEPT and len(name) <= HeaderUses.LONGEST_KEPT:
                self._plain.add(name)


def _path(environ: Environ) -> str:
    # PEP 3333: bytes read as latin-1.
    raw: str = environ.get("PATH_INFO", "")
    return raw.encode("latin-1", "replace").decode("utf-8", "replace") or "/"


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    return headers


def _pretends(name: str) -> bool:
    if name in _SET_BY_SERVERS or name == KEY:
        return True
    return name.startswith("HTTP_") and is_identity_header(name[5:])


def _body(environ: Environ) -> bytes | None:
    """Read the body up to just over the limit; `Request.form` refuses what is longer. None if it is cut."""
    length = environ.get("CONTENT_LENGTH") or ""
    try:
        if not length:
            # Chunked bodies have no length: only a server that ends the input itself lets us read them.
            if not environ.get("wsgi.input_terminated"):
                return b""
            return bytes(environ["wsgi.input"].read(MAX_BODY_BYTES + 1))
        if declared_too_long(length):
            return TOO_LONG
        body = bytes(environ["wsgi.input"].read(int(length)))
    except OSError:
        return None
    return body if len(body) == int(length) else None


def _write(response: Response, method: str, start_response: StartResponse) -> Iterable[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Status"
    headers = [*response.header_lines(), ("Content-Length", str(len(response.body)))]
    start_response(f"{response.status} {phrase}", headers)
    return [] if method == "HEAD" else [response.body]


def _no_store(start_response: StartResponse) -> StartResponse:
    def wrapped(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if not any(name.lower() == "cache-control" for name, _ in headers):
            headers = [*headers, ("Cache-Control", "no-store")]
        return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

    return wrapped
