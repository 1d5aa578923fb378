"""Calling an application in process, without a socket: the same request and the same driver for everybody.

An ASGI application is awaited in one running event loop, request after request:
a peer that talks to Redis needs a real loop, so everybody has one. A WSGI
application is called with an environ. The request is a browser's, made anew each
time, outside of what is timed: a server's bytes and texts are new too, so nothing
may be recognised by being the very same object, or because its hash is known.
"""

from __future__ import annotations

import asyncio
import gc
import io
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

HOST: Final = "missions.example.fr"

BROWSER: Final = (
    ("Host", HOST),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
)
"""What a browser sends with the address of a page, beside its cookies."""

BATCH: Final = 20
"""Requests made at once, and then timed together."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """What came back; names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def cookies(self) -> str:
        """The Cookie header a browser would send after this answer."""
        return "; ".join(value.partition(";")[0] for name, value in self.headers if name == "set-cookie")


class Page(Protocol):
    """One page of an application, asked for again and again."""

    def once(self, cookie: str | None = None) -> Reply:
        """Ask once, with another cookie if one is given, and tell what came back."""
        ...

    def many(self, number: int) -> float:
        """Ask `number` times, a multiple of `BATCH`; return the seconds it took."""
        ...

    def each(self, cookies: Sequence[str]) -> list[float]:
        """Ask once with each cookie; return the seconds of each."""
        ...


class AsgiPage:
    """A page of an ASGI application. Its lifespan is started, as a server does.

    Args:
        runner: whose event loop it lives in.
        app: the application.
        path: of the page.
        cookie: value of the Cookie header; none when empty.
        headers: beside the cookie.
    """

    def __init__(
        self, runner: asyncio.Runner, app: Any, path: str, cookie: str = "", headers: Headers = BROWSER
    ) -> None:
        self._runner = runner
        self._app = app
        self._path = path
        self._headers = headers
        self._cookie = cookie
        self._alive: asyncio.Task[None] | None = None
        runner.run(self._start())

    def _asked(self, cookie: str) -> dict[str, Any]:
        lines = [(name.lower().encode(), value.encode()) for name, value in self._headers]
        if cookie:
            lines.append((b"cookie", cookie.encode()))
        path = _anew(self._path)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": lines,
            "client": ("192.0.2.7", 40000),
            "server": (HOST, 443),
            "state": {},
        }

    async def _start(self) -> None:
        started = asyncio.Event()
        messages = [{"type": "lifespan.startup"}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # the application lives as long as the process
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            started.set()

        async def live() -> None:
            with suppress(Exception):  # an application without a lifespan may raise (ASGI, Lifespan)
                await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
            started.set()

        self._alive = asyncio.create_task(live())
        await started.wait()

    def once(self, cookie: str | None = None) -> Reply:
        scope = self._asked(self._cookie if cookie is None else cookie)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        self._runner.run(self._app(scope, _receive, send))
        headers = [(name.decode().lower(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        return Reply(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent))

    def many(self, number: int) -> float:
        return self._runner.run(self._many(number))

    async def _many(self, number: int) -> float:
        app, cookie = self._app, self._cookie
        took = 0.0
        with undisturbed():
            for _ in range(0, number, BATCH):
                scopes = [self._asked(cookie) for _ in range(BATCH)]
                begin = time.perf_counter()
                for scope in scopes:
                    await app(scope, _receive, _send)
                took += time.perf_counter() - begin
        return took

    def each(self, cookies: Sequence[str]) -> list[float]:
        return self._runner.run(self._each([self._asked(cookie) for cookie in cookies]))

    async def _each(self, scopes: Sequence[dict[str, Any]]) -> list[float]:
        app, took = self._app, []
        with undisturbed():
            for scope in scopes:
                begin = time.perf_counter()
                await app(scope, _receive, _send)
                took.append(time.perf_counter() - begin)
        return took


class WsgiPage:
    """A page of a WSGI application (PEP 3333). The arguments are those of `AsgiPage`."""

    def __init__(self, app: Any, path: str, cookie: str = "", headers: Headers = BROWSER) -> None:
        self._app = app
        self._path = path
        self._headers = headers
        self._cookie = cookie

    def _asked(self, cookie: str) -> dict[str, Any]:
        lines = [*self._headers, ("Cookie", cookie)] if cookie else self._headers
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": _anew(self._path),
            "QUERY_STRING": "",
            "SERVER_NAME": HOST,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **{"HTTP_" + name.upper().replace("-", "_"): _anew(value) for name, value in lines},
        }

    def once(self, cookie: str | None = None) -> Reply:
        started: list[Any] = []
        environ = self._asked(self._cookie if cookie is None else cookie)
        body = _consumed(self._app, environ, lambda status, headers, *_: started.extend((status, headers)))
        return Reply(int(started[0][:3]), [(name.lower(), value) for name, value in started[1]], body)

    def many(self, number: int) -> float:
        app, cookie = self._app, self._cookie
        took = 0.0
        with undisturbed():
            for _ in range(0, number, BATCH):
                environs = [self._asked(cookie) for _ in range(BATCH)]
                begin = time.perf_counter()
                for environ in environs:
                    _consumed(app, environ, _start_response)
                took += time.perf_counter() - begin
        return took

    def each(self, cookies: Sequence[str]) -> list[float]:
        calls = [self.call(cookie) for cookie in cookies]
        took = []
        with undisturbed():
            for call in calls:
                begin = time.perf_counter()
                call()
                took.append(time.perf_counter() - begin)
        return took

    def call(self, cookie: str) -> Callable[[], bytes]:
        """Return what asks once with a cookie, and returns the body."""
        app, environ = self._app, self._asked(cookie)
        return lambda: _consumed(app, environ, _start_response)


class undisturbed:  # noqa: N801  # reads as a statement; a generator would cost more
    """No garbage collection meanwhile, and what there was is collected before."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


def _anew(text: str) -> str:
    """Return the same text in a new object."""
    return "".join((text[:1], text[1:]))


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    return None


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
    return _ignored


def _ignored(data: bytes) -> None:
    return None


def _consumed(app: Any, environ: dict[str, Any], start_response: Any) -> bytes:
    body = app(environ, start_response)
    try:
        return b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
