"""The request and the response that both mounts speak.

Flows see these two values and nothing of WSGI or ASGI. What came from outside is
bounded and decoded here, once: a repeated parameter is refused, not merged
(ASVS 15.3.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from typing import Final, Literal
from urllib.parse import parse_qsl

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.flat_json import is_json, read_texts

MAX_BODY_BYTES: Final = 512 * 1024
"""Largest body read for any route of the gateway; a SAML Response is the largest honest one."""

MAX_FIELDS: Final = 64

MAX_TARGET_CHARS: Final = 16 * 1024
"""Largest query string read."""


class Params(Mapping[str, str]):
    """Decoded fields of a query string or of a form; each name stands once."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            if name in self._fields:
                raise RequestRefused("a parameter is repeated", code=Code.PARAMETER_REPEATED)
            self._fields[name] = value

    @classmethod
    def parse(cls, encoded: bytes) -> Params:
        """Decode `application/x-www-form-urlencoded` bytes.

        Raises:
            RequestRefused: not UTF-8, too many fields, or a repeated name.
        """
        try:
            text = encoded.decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise RequestRefused("fields cannot be decoded", code=Code.MALFORMED) from error
        if any("\x00" in name or "\x00" in value for name, value in pairs):
            raise RequestRefused("a field holds a NUL", code=Code.MALFORMED)
        return cls(pairs)

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterable[str]:  # type: ignore[override]  # narrower in Mapping's stub
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        # Values may be passwords, codes or assertions.
        return f"Params({sorted(self._fields)})"


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One request to a route of the gateway.

    Attributes:
        method: upper case.
        path: decoded, below the mount path of the gateway, e.g. ``/direct``.
        query_string: raw, without the question mark.
        headers: lower-case names; a repeated header is joined with a comma.
        body: whole, at most `MAX_BODY_BYTES`.
        address: client address, after the declared proxies.
        correlation: id of this request in the events and on error pages.
        peer: address of the machine connected to us, whatever its headers say; "" for a Unix socket.
        certificate: SHA-256, in hexadecimal, of the certificate that machine showed and the server verified; or "".
        doubtful: headers that came more than once or with underscores; None when the server cannot tell (WSGI).
        written: path of a page of the host, as the browser wrote it.
    """

    method: str
    path: str
    query_string: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = ""
    correlation: str = ""
    peer: str = ""
    certificate: str = field(default="", repr=False)
    doubtful: frozenset[str] | None = None
    written: str = ""

    @property
    def query(self) -> Params:
        """Fields of the query string. Raises `RequestRefused` when they cannot be read."""
        if len(self.query_string) > MAX_TARGET_CHARS:
            raise RequestRefused("the query string is too long", code=Code.TOO_LARGE)
        return Params.parse(self.query_string)

    @property
    def form(self) -> Params:
        """Fields of the body. Raises `RequestRefused` unless it is a plain urlencoded form."""
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise RequestRefused("the body is not a form", code=Code.MEDIA_TYPE)
        if len(self.body) > MAX_BODY_BYTES:
            raise RequestRefused("the body is too large", code=Code.TOO_LARGE)
        return Params.parse(self.body)

    @property
    def fields(self) -> Params:
        """Fields of the body: a form's, or a script's JSON object of texts. Raises `RequestRefused` for anything else.

        Portals send forms alone: what comes from them is read by `form`.
        """
        content_type = self.headers.get("content-type", "")
        if not is_json(content_type):
            return self.form
        return Params(read_texts(content_type, self.body))

    @property
    def sends_json(self) -> bool:
        """Whether the body is declared to be JSON."""
        return is_json(self.headers.get("content-type", ""))

    @property
    def cookies(self) -> Mapping[str, str]:
        """Cookies by name; an unreadable header counts as no cookie."""
        return parse_cookies(self.headers.get("cookie", ""))

    @property
    def by_script(self) -> bool:
        """Whether a script asks, and not a person: it wants JSON, or its browser says so (Fetch Metadata, §2.1)."""
        accept = self.headers.get("accept", "").lower()
        if "text/html" in accept:
            return False
        return "json" in accept or self.headers.get("sec-fetch-dest", "") == "empty"

    @property
    def wants_json(self) -> bool:
        """Whether the answer is to be read by a script of the host: it asks for JSON by name, and for no page.

        A browser that only fetches (`Sec-Fetch-Dest: empty`) may want the page itself, and gets it.
        """
        accept = self.headers.get("accept", "").lower()
        return "text/html" not in accept and ("application/json" in accept or "application/problem+json" in accept)

    def with_path(self, path: str) -> Request:
        """Return the same request at another path."""
        return replace(self, path=path)

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path!r}, correlation={self.correlation!r})"


def parse_cookies(header: str) -> dict[str, str]:
    """Return the cookies of a Cookie header (RFC 6265 §4.2.1).

    A name that stands twice is no cookie: of ours a browser holds one, so the other was planted.
    Only HTTP's own white space is white space: anything else is part of the name.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    for part in header.split(";"):
        name, sep, value = part.strip(" \t").partition("=")
        if sep and name:
            twice |= {name} & found.keys()
            found[name] = value.strip(" \t").removeprefix('"').removesuffix('"')
    return {name: value for name, value in found.items() if name not in twice}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCookie:
    """One cookie to set. Host-only, `Path=/`, `HttpOnly`: no option says otherwise."""

    name: str
    value: str = field(repr=False)
    secure: bool
    same_site: Literal["Lax", "Strict", "None"] = "Lax"
    max_age: int | None = None
    """Seconds; None makes a cookie that ends with the browser; 0 removes it."""

    def render(self) -> str:
        """Return the value of the Set-Cookie header (RFC 6265bis, §4.1)."""
        jar: SimpleCookie = SimpleCookie()
        try:
            jar[self.name] = self.value
        except CookieError as error:
            raise ValueError("not a cookie name") from error
        morsel = jar[self.name]
        morsel["path"] = "/"
        morsel["httponly"] = True
        morsel["samesite"] = self.same_site
        if self.secure:
            morsel["secure"] = True
        if self.max_age is not None:
            morsel["max-age"] = str(self.max_age)
        return morsel.OutputString()


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of the gateway; the mounts write it as it is."""

    status: int = 200
    # A page may show recovery codes, and an address carry a portal's token.
    body: bytes = field(default=b"", repr=False)
    content_type: str = "text/html; charset=utf-8"
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    cookies: Sequence[SetCookie] = ()

    def adding(self, *, headers: Sequence[tuple[str, str]] = (), cookies: Sequence[SetCookie] = ()) -> Response:
        """Return this answer with more headers and cookies."""
        return replace(self, headers=(*self.headers, *headers), cookies=(*self.cookies, *cookies))

    def header_lines(self) -> list[tuple[str, str]]:
        """Return every header, in order; a value with a line break raises (response splitting)."""
        lines = [("Content-Type", self.content_type)] if self.body or self.status == 200 else []
        lines += self.headers
        lines += [("Set-Cookie", cookie.render()) for cookie in self.cookies]
        for name, value in lines:
            if any(mark in value for mark in "\r\n\x00"):
                raise ValueError(f"header {name} holds a line break")
        return lines


def see_other(location: str, *cookies: SetCookie) -> Response:
    """Send the browser elsewhere with a GET, whatever the method was (303; RFC 9700 §4.12)."""
    return Response(303, headers=(("Location", location),), cookies=cookies)
