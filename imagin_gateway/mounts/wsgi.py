"""The gateway around a WSGI application (PEP 3333)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import Any

from imagin_gateway.exchange import MAX_BODY_BYTES, Response
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.asking import Denied
from imagin_gateway.mounts.doorman import Doorman
from imagin_gateway.mounts.host_request import environ_path, host_request
from imagin_gateway.mounts.incoming import INSTEAD, KEY, TOO_LONG, HeaderUses, declared_too_long, is_identity_header
from imagin_gateway.mounts.mistakes import ASGI_BY_WSGI, HOOKS_WITHOUT_LOOP, MOUNTED_TWICE
from imagin_gateway.mounts.passage import Passage
from imagin_gateway.mounts.peer import certificate_of_environ, peer_address
from imagin_gateway.mounts.visitor import Visitor

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_SET_BY_SERVERS = ("REMOTE_USER", "AUTH_TYPE", "REMOTE_IDENT")


class HostAnswer:
    """The host's answer on its way to the server: kept out of caches when it is private, or replaced.

    Args:
        start_response: the server's.
        method: of the request.
        private: somebody is signed in.
    """

    __slots__ = ("_method", "_private", "_start", "begun", "instead")

    def __init__(self, start_response: StartResponse, method: str, private: bool) -> None:
        self._start = start_response
        self._method = method
        self._private = private
        self.begun = False
        self.instead: list[Response] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Begin the answer (PEP 3333, `start_response`)."""
        if self.instead and not self.begun:
            return _nowhere  # the gateway answers once the host has done
        self.begun = True
        if self._private:
            headers = _not_stored(headers)
        return self._start(status, headers, exc_info) if exc_info else self._start(status, headers)

    def replaced(self, refused: Any = None) -> Iterable[bytes]:
        """Answer in the place of the host, unless some of its answer was sent.

        Args:
            refused: what `sys.exc_info` told of a `Denied`: what has begun may be begun anew with it (PEP 3333).
        """
        if self.begun and refused is None:
            return []
        try:
            return _write(self.instead[0], self._method, self._start, refused if self.begun else None)
        except Denied:  # raised anew by the server, which has sent some
            return []

    def followed(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of a host that refuses somebody, or has not begun to answer when it returns."""
        refused = None
        try:
            for piece in body:
                if self.instead and not self.begun:
                    break
                yield piece
        except Denied:
            if not self.instead:
                raise
            refused = sys.exc_info()
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        if self.instead:
            yield from self.replaced(refused)


def _not_stored(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    for name, _ in headers:
        if name == "Cache-Control" or name.lower() == "cache-control":
            return headers
    return [*headers, ("Cache-Control", "no-store")]


def _nowhere(_: bytes) -> None:
    """Take what a host writes to an answer that is replaced."""


class GatewayWSGI:
    """WSGI middleware.

    Args:
        gateway: the front door.
        app: the host application.

    Raises:
        TypeError: a hook is a coroutine function, which no event loop would run; or `app` is an ASGI application.
        RuntimeError: `app` is behind the gateway already.
    """

    def __init__(self, gateway: Gateway, app: WSGIApp) -> None:
        if isinstance(app, GatewayWSGI):
            raise RuntimeError(MOUNTED_TWICE)
        if iscoroutinefunction(app) or iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004  # not whether
            raise TypeError(ASGI_BY_WSGI)
        if gateway.house.hooks.coroutines:
            raise TypeError(HOOKS_WITHOUT_LOOP.format(names=", ".join(gateway.house.hooks.coroutines)))
        self._gateway = gateway
        self._app = app
        self._doorman = Doorman(gateway)
        self._plain: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333): ours ourselves, others through the host."""
        if isinstance(environ.get(KEY), Visitor):
            raise RuntimeError(MOUNTED_TWICE)
        doorman = self._doorman
        if environ.get("SCRIPT_NAME"):
            doorman.check_root(environ["SCRIPT_NAME"])
        passage = doorman.passages[environ_path(environ)]
        visitor = doorman.glance(passage, environ.get("HTTP_COOKIE", ""))
        if visitor is None:
            admitted = self._slowly(environ, passage)
            if isinstance(admitted, Response):
                return _write(admitted, environ["REQUEST_METHOD"], start_response)
            visitor = admitted
        inside = environ.copy()
        if not self._plain.issuperset(environ):
            self._remove_pretenders(inside)
        answer = HostAnswer(start_response, environ["REQUEST_METHOD"], visitor.person is not None)
        inside[KEY] = visitor
        inside[INSTEAD] = answer.instead
        try:
            body = self._app(inside, answer.start)
        except Denied:
            if not answer.instead:
                raise
            return answer.replaced(sys.exc_info())
        return body if answer.begun and not answer.instead else answer.followed(body)

    def _slowly(self, environ: Environ, passage: Passage) -> Visitor | Response:
        """Return the visitor to let through, or the answer to give."""
        request = host_request({"wsgi.version": (1, 0), **environ}, self._gateway.settings.trusted_proxies)
        if passage.below is None:
            return self._doorman.refusal_of_path if passage.unreadable else self._doorman.admit(passage, request)
        body = _body(environ) if request.method == "POST" else b""
        if body is None:
            return self._doorman.refusal_of_path
        return self._gateway.handle(
            replace(
                request,
                path=passage.below,
                body=body,
                correlation=new_reference(),
                peer=peer_address(environ.get("REMOTE_ADDR", "")),
                certificate=certificate_of_environ(environ),
            )
        )

    def _remove_pretenders(self, inside: Environ) -> None:
        """Remove what pretends to say who somebody is; remember the names that do not: requests repeat the same few."""
        for name in inside.keys() - self._plain:
            if _pretends(name):
                del inside[name]
            elif len(self._plain) < HeaderUses.MOST_KEPT and len(name) <= HeaderUses.LONGEST_KEPT:
                self._plain.add(name)


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


def _write(response: Response, method: str, start_response: StartResponse, exc_info: Any = None) -> Iterable[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Status"
    headers = [*response.header_lines(), ("Content-Length", str(len(response.body)))]
    start_response(f"{response.status} {phrase}", headers, *((exc_info,) if exc_info else ()))
    return [] if method == "HEAD" else [response.body]
