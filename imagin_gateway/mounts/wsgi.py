"""The gateway around a WSGI application (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from imagin_gateway.exchange import MAX_BODY_BYTES, Request, Response
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.doorman import Doorman
from imagin_gateway.mounts.incoming import KEY, TOO_LONG, client_address, declared_too_long, is_identity_header
from imagin_gateway.mounts.peer import certificate_of_environ, peer_address

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

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = _path(environ)
        headers = _headers(environ)
        method: str = environ["REQUEST_METHOD"]
        query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
        address = client_address(
            environ.get("REMOTE_ADDR", ""),
            headers.get("x-forwarded-for", ""),
            self._gateway.settings.trusted_proxies,
        )
        below = self._doorman.below_mount(path)
        if below is not None:
            body = _body(environ) if method == "POST" else b""
            if body is None:
                return _write(self._doorman.refusal_of_path, method, start_response)
            request = Request(
                method,
                below,
                query,
                headers,
                body,
                address,
                new_reference(),
                peer=peer_address(environ.get("REMOTE_ADDR", "")),
                certificate=certificate_of_environ(environ),
            )
            return _write(self._gateway.handle(request), method, start_response)
        if self._doorman.unreadable(path):
            return _write(self._doorman.refusal_of_path, method, start_response)
        if self._doorman.knows_nobody(path, headers.get("cookie", "")):
            visitor = self._doorman.anonymous
        else:
            admitted = self._doorman.admit(method, path, query, headers, address)
            if isinstance(admitted, Response):
                return _write(admitted, method, start_response)
            visitor = admitted
        inside = {name: value for name, value in environ.items() if not _pretends(name)}
        inside[KEY] = visitor
        if visitor.person is not None:
            start_response = _no_store(start_response)
        return self._app(inside, start_response)


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
