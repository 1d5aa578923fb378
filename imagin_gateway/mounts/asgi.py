"""The gateway around an ASGI application.

Its own addresses run whole in one worker thread: nothing is written twice for
sync and async. A request of nobody, or of somebody this process knows, goes
straight on, in the event loop; only a session not known yet costs a thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, Final, Protocol, TypeVar

from imagin_gateway.exchange import MAX_BODY_BYTES, Request, Response
from imagin_gateway.flows.health import LIVENESS
from imagin_gateway.flows.hooks import LOOP
from imagin_gateway.flows.routes import find
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.asking import Denied
from imagin_gateway.mounts.doorman import Doorman
from imagin_gateway.mounts.host_request import host_request, scope_path
from imagin_gateway.mounts.incoming import INSTEAD, KEY, PATH, TOO_LONG, HeaderUses, declared_too_long
from imagin_gateway.mounts.mistakes import HOOKS_OFFLOADED, MOUNTED_TWICE, NOT_ASYNCIO, WSGI_BY_ASGI
from imagin_gateway.mounts.own_root import own_root
from imagin_gateway.mounts.passage import Passage
from imagin_gateway.mounts.peer import certificate_of_scope, doubtful_names, peer_address
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.settings import under

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""Loosely typed: each framework has words of its own for the three."""

T = TypeVar("T")

MOST_WAITING: Final = 64
"""Requests to our own pages that may be under way or wait for a thread, in one process; more get 503 at once."""


class HostAnswer:
    """The host's answer on its way to the server: kept out of caches when it is private, or replaced.

    Args:
        send: the server's.
        private: somebody is signed in.
    """

    __slots__ = ("_private", "_send", "begun", "instead")

    def __init__(self, send: Send, private: bool) -> None:
        self._send = send
        self._private = private
        self.begun = False
        self.instead: list[Response] = []

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the host's on."""
        # Not a coroutine of its own: what it returns is the server's, to be awaited.
        if not self.begun:
            if self.instead:
                return _nothing()  # the gateway answers once the host has done
            if message["type"] in ("http.response.start", "websocket.accept"):
                self.begun = True
                if self._private and message["type"] == "http.response.start":
                    message = _not_stored(message)
        return self._send(message)


async def _nothing() -> None:
    pass


def _not_stored(message: Message) -> Message:
    headers = message.get("headers") or ()
    if not isinstance(headers, (list, tuple)):
        # An iterable (ASGI, Response Start), which may be read once.
        headers = list(headers)
        message = {**message, "headers": headers}
    for name, _ in headers:
        if name == b"cache-control" or name.lower() == b"cache-control":
            return message
    return {**message, "headers": [*headers, (b"cache-control", b"no-store")]}


class Offload(Protocol):
    """Runs a function where it may block, and returns what it returns."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...


class GatewayASGI:
    """ASGI middleware.

    Args:
        gateway: the front door.
        app: the host application.
        offload: how to run what blocks; by default the gateway's own bounded threads
            under asyncio. Give another one for trio, or for a pool of the host's.

    Raises:
        TypeError: hooks are coroutine functions, which `offload` would not run; or `app` is no ASGI application.
        RuntimeError: `app` is behind the gateway already, or below a prefix of its own that the settings do not know.
    """

    def __init__(self, gateway: Gateway, app: ASGIApp, offload: Offload | None = None) -> None:
        if isinstance(app, GatewayASGI):
            raise RuntimeError(MOUNTED_TWICE)
        if not _takes_three(app):
            raise TypeError(WSGI_BY_ASGI)
        self._gateway = gateway
        self._app = app
        self._doorman = Doorman(gateway)
        self._uses = HeaderUses()
        self._roots = {kind: own_root(app, kind) for kind in ("http", "websocket")}
        for root in filter(None, self._roots.values()):
            self._doorman.check_root(root)
        self._offload = offload
        self._waiting = 0
        self._hooked = bool(gateway.house.hooks.coroutines)
        if self._hooked and offload is not None:
            raise TypeError(HOOKS_OFFLOADED.format(names=", ".join(gateway.house.hooks.coroutines)))

    async def _in(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        if self._offload is not None:
            return await self._offload(call)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(NOT_ASYNCIO) from None
        context = contextvars.copy_context()
        return await loop.run_in_executor(pool, partial(context.run, call))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a connection: ours ourselves, others through the host. Only http and websocket pass (ASGI 3)."""
        kind = scope["type"]
        if kind != "http":
            if kind == "lifespan":
                await self._app(scope, receive, send)
                return
            if kind != "websocket":
                # Nothing is known of it, so nothing protects it.
                raise RuntimeError(f"the gateway lets no {kind!r} through")
        if KEY in scope:
            raise RuntimeError(MOUNTED_TWICE)
        doorman = self._doorman
        root = self._roots[kind] or scope.get("root_path")
        if root:
            scope = self._below(scope, root)
            passage = doorman.passages[scope_path(scope)]
        else:
            passage = doorman.passages[scope["path"]]
        headers = scope["headers"]
        if not isinstance(headers, (list, tuple)):
            headers = list(headers)
            scope = {**scope, "headers": headers}
        cookies, pretends = self._uses.read(headers)
        # The way of most requests: no thread, no wait, no store.
        visitor = doorman.glance(passage, cookies) if kind == "http" or passage.open else None
        if visitor is None:
            visitor = await self._slowly(scope, receive, send, passage)
            if visitor is None:
                return
        answer = HostAnswer(send, visitor.person is not None)
        inside = {**scope, KEY: visitor, INSTEAD: answer.instead, PATH: passage.path}
        if pretends:
            inside["headers"] = self._uses.without_pretenders(headers)
        try:
            await self._app(inside, receive, answer.send)
        except Denied:
            if not answer.instead:
                raise
        except Exception:
            # What hides a refusal is an error of the host's, for the server's log; the person is answered all the same.
            if answer.instead and not answer.begun:
                await _refuse(scope, receive, send, answer.instead[0])
            raise
        if answer.instead and not answer.begun:
            await _refuse(scope, receive, send, answer.instead[0])

    async def _slowly(self, scope: Scope, receive: Receive, send: Send, passage: Passage) -> Visitor | None:
        """Return the visitor to let through, or None once the request was answered."""
        request = host_request(scope, self._gateway.settings.trusted_proxies)
        if passage.below is not None:
            await self._own(scope, receive, send, request.with_path(passage.below))
            return None
        admitted: Visitor | Response
        if passage.unreadable:
            admitted = self._doorman.refusal_of_path
        elif scope["type"] == "websocket" and not passage.open and not self._doorman.same_origin(request):
            admitted = self._doorman.refusal_of_origin(request)
        else:
            admitted = await self._in(self._gateway.lookups, lambda: self._doorman.admit(passage, request))
        if isinstance(admitted, Visitor):
            return admitted
        await _refuse(scope, receive, send, admitted)
        return None

    async def _own(self, scope: Scope, receive: Receive, send: Send, asked: Request) -> None:
        if scope["type"] == "websocket":
            await _refuse(scope, receive, send, Response(404))
            return
        found = find(asked.path)
        machine = found is not None and found[0].for_machines
        body = await _body(receive, asked.headers) if scope["method"] == "POST" else b""
        if body is None:
            return
        request = replace(
            asked,
            body=body,
            correlation=new_reference(),
            peer=peer_address((scope.get("client") or ("",))[0]),
            certificate=certificate_of_scope(scope),
            doubtful=doubtful_names(scope["headers"]),
        )
        if machine:
            # Not in the queue of people: who asks whether this process lives must not wait for a login.
            if found is not None and found[0].pattern == LIVENESS:
                response = self._gateway.handle(request)
            else:
                response = await self._in(self._gateway.watching, lambda: self._gateway.handle(request))
            await _write(send, response, head=scope["method"] == "HEAD")
            return
        if self._waiting >= MOST_WAITING:
            await _write(send, self._doorman.refusal_of_rush)
            return
        self._waiting += 1
        if self._hooked:
            LOOP.set(asyncio.get_running_loop())
        try:
            response = await self._in(self._gateway.threads, lambda: self._gateway.handle(request))
        finally:
            self._waiting -= 1
        await _write(send, response, head=scope["method"] == "HEAD")

    def _below(self, scope: Scope, told: str) -> Scope:
        """Return the scope of an application that is served below a prefix, so that it is read in one way only."""
        root, path = self._doorman.check_root(told), scope["path"]
        scope = {**scope, "root_path": told}
        # Some servers tell the rest alone. Some frameworks take the prefix off wherever they find it, in the middle of
        # a path or of a name: what is judged is then told them whole (ASGI, HTTP connection scope, `path`).
        if root and root in path and not under(path, root):
            scope["path"] = root + path
        return scope


def _takes_three(app: ASGIApp) -> bool:
    try:
        signature(app).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # written in another language, which tells nothing of it
    return True


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes | None:
    """Read the body up to just over the limit; `Request.form` refuses what is longer. None if the client left."""
    if declared_too_long(headers.get("content-length", "")):
        return TOO_LONG
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _write(send: Send, response: Response, *, head: bool = False) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.header_lines()]
    headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "http":
        await _write(send, response, head=scope["method"] == "HEAD")
        return
    # Closing before accepting makes the server answer 403 to the handshake (ASGI, WebSocket close). Nothing is
    # received first: a host that did so before it asked has had all there is to receive.
    await send({"type": "websocket.close", "code": 1008})
