"""A small client for an application in process, the same over WSGI and ASGI."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

from lxml import html

HOST = "127.0.0.1:8400"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        """Return the only header of this name; "" if there is none."""
        found = [value for each, value in self.headers if each.lower() == name.lower()]
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else ""

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name.lower()]

    @property
    def location(self) -> str:
        return self.header("location")

    @property
    def tree(self) -> Any:
        return html.document_fromstring(self.body, parser=html.HTMLParser(encoding="utf-8"))

    @property
    def title(self) -> str:
        heading = self.tree.find(".//h1")
        return "" if heading is None else " ".join(heading.text_content().split())

    def field(self, name: str) -> str:
        """Return the value of a hidden field."""
        found = self.tree.xpath("//input[@name=$name]/@value", name=name)
        assert found, f"no field {name} in {self.title!r}"
        return str(found[0])


class Mount(Protocol):
    """Sends one request to an application."""

    def __call__(
        self, method: str, target: str, headers: list[tuple[str, str]], body: bytes, address: str
    ) -> Reply: ...


@dataclass
class Client:
    """One browser: keeps cookies, follows nothing by itself."""

    mount: Mount
    address: str = "192.0.2.7"
    cookies: dict[str, str] = field(default_factory=dict)
    jar_log: list[str] = field(default_factory=list)

    def request(
        self,
        method: str,
        target: str,
        *,
        data: dict[str, str] | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        host: str = HOST,
        cookies: bool = True,
    ) -> Reply:
        given = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        names = {name.lower() for name, _ in given}
        lines = [("Host", host)] if "host" not in names else []
        if cookies and self.cookies:
            lines.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        body = raw if raw is not None else urlencode(data or {}).encode() if data is not None else b""
        if data is not None and "content-type" not in names:
            lines.append(("Content-Type", "application/x-www-form-urlencoded"))
        if body:
            lines.append(("Content-Length", str(len(body))))
        reply = self.mount(method, target, lines + given, body, self.address)
        for line in reply.all("set-cookie"):
            self.jar_log.append(line)
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return reply

    def get(self, target: str, **more: Any) -> Reply:
        return self.request("GET", target, **more)

    def post(self, target: str, data: dict[str, str], **more: Any) -> Reply:
        return self.request("POST", target, data=data, **more)

    def follow(self, reply: Reply, limit: int = 8) -> Reply:
        """Follow redirects on this site."""
        while reply.status == 303 and limit:
            reply = self.get(reply.location)
            limit -= 1
        return reply

    def submit(self, page: Reply, data: dict[str, str], **more: Any) -> Reply:
        """Fill in the first posted form of a page, hidden fields included, and send it."""
        form = page.tree.xpath("//form[translate(@method,'POST','post')='post']")[0]
        values = {each.get("name"): each.get("value") or "" for each in form.xpath(".//input[@name]")}
        return self.post(form.get("action"), {**values, **data}, **more)


def over_wsgi(app: Any) -> Mount:
    """Return a mount that calls a WSGI application."""

    def call(method: str, target: str, headers: list[tuple[str, str]], body: bytes, address: str) -> Reply:
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": address,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8400",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        started: list[Any] = []
        sent: list[bytes] = []

        def start_response(status: str, lines: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # PEP 3333: begun anew only because of an error, and only while nothing was sent.
            if exc_info and any(sent):
                raise exc_info[1]
            assert exc_info or not started, "begun twice"
            started[:] = [int(status.split()[0]), list(lines)]
            return sent.append

        chunks = app(environ, start_response)
        try:
            for chunk in chunks:
                sent.append(chunk)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Reply(started[0], started[1], b"".join(sent))

    return call


def over_asgi(app: Any) -> Mount:
    """Return a mount that calls an ASGI application, in an event loop of its own for each request."""

    def call(method: str, target: str, headers: list[tuple[str, str]], body: bytes, address: str) -> Reply:
        path, _, query = target.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            "client": (address, 40000),
            "server": ("127.0.0.1", 8400),
        }
        pending = [
            {"type": "http.request", "body": body[: len(body) // 2], "more_body": True},
            {"type": "http.request", "body": body[len(body) // 2 :], "more_body": False},
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return pending.pop(0) if pending else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Reply(start["status"], lines, content)

    return call


def host_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A host that tells what it was given."""
    from imagin_gateway.mounts import person

    who = person(environ)
    seen = sorted(name for name in environ if name.startswith("HTTP_") or name in ("REMOTE_USER", "AUTH_TYPE"))
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("X-Seen", ",".join(seen))])
    return [f"{who.door}|{who.subject}|{who.display_name}".encode() if who else b"personne"]


async def host_asgi(scope: Any, receive: Any, send: Any) -> None:
    """The same host under ASGI."""
    from imagin_gateway.mounts import person

    who = person(scope)
    seen = sorted("HTTP_" + name.decode().upper().replace("-", "_") for name, _ in scope["headers"])
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-seen", ",".join(seen).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = f"{who.door}|{who.subject}|{who.display_name}".encode() if who else b"personne"
    await send({"type": "http.response.body", "body": body})
