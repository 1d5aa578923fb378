"""Every call to a portal goes through here: its hosts only, no redirect, one bounded answer.

OWASP ASVS 5.0.0, 12.3.2, 13.2.4, 13.2.6, 15.3.2; row OID-28.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.oidc.strict_json import read_object

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""Largest answer read from a portal, whatever it announces."""

MAX_URL_CHARS: Final = 2048

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a portal answered to one call."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    date: str = ""
    """What time the portal says it is (RFC 9110 §6.6.1); believed by nobody, shown to the operator."""

    def json(self, code: Code) -> dict[str, Any]:
        """Return the JSON object of the body. Raises `AnswerRefused` with `code` when it is none."""
        try:
            return read_object(self.body)
        except ValueError:
            raise AnswerRefused(code, "the answer is not a JSON object") from None


class Wire:
    """The calls to one portal. One client, shared by all threads.

    Args:
        hosts: names of the hosts that may be called, lower case.
        plain_loopback: also call this machine over plain http (development).
        timeout: seconds, for each operation of a transport that knows no total.
        transport: what sends; see `bounded.BoundedTransport`.
    """

    def __init__(
        self, hosts: frozenset[str], *, plain_loopback: bool, timeout: float, transport: httpx2.BaseTransport
    ) -> None:
        self._hosts = hosts
        self._plain_loopback = plain_loopback
        self._client = httpx2.Client(
            transport=transport,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            # A cookie set by the portal during one login must not travel with the next person's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"Accept-Encoding": "identity", "User-Agent": "imagin-gateway"},
        )

    def allows(self, url: object) -> bool:
        """Tell whether `url` is an address of this portal: https, a known host, no credentials, no fragment."""
        if not isinstance(url, str) or len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable():
            return False
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:
            return False
        # Blanks and backslashes are read differently by different parsers.
        if "@" in parts.netloc or parts.fragment or "\\" in url or " " in url or host not in self._hosts:
            return False
        return parts.scheme == "https" or (self._plain_loopback and parts.scheme == "http" and host in LOOPBACK)

    def get(self, url: str, code: Code, headers: Mapping[str, str] | None = None) -> Reply:
        """Read `url`. See `_ask`."""
        return self._ask(self._client.build_request("GET", url, headers=dict(headers or {})), code)

    def post(self, url: str, code: Code, body: str, headers: Mapping[str, str]) -> Reply:
        """Send a form to `url`. See `_ask`."""
        return self._ask(self._client.build_request("POST", url, content=body.encode(), headers=dict(headers)), code)

    def _ask(self, request: httpx2.Request, code: Code) -> Reply:
        """Send a request and return the whole answer.

        Raises:
            AnswerRefused: with `code`: the address is not the portal's, or the answer is
                a redirect, is encoded, or is larger than `MAX_ANSWER_BYTES`.
            Unavailable: no answer in time, a broken connection, a certificate that is not
                believed, or a portal that says so itself (429, 5xx).
        """
        if not self.allows(str(request.url)):
            raise AnswerRefused(code, "the address is not one of this portal")
        failure = ""
        try:
            return self._exchange(request, code)
        except httpx2.HTTPError as error:
            failure = type(error).__name__
        # Raised here, so that neither the request nor its credentials hang from the error.
        _log.warning("a call to a portal failed: %s (%s)", failure, code.value)
        raise Unavailable("the portal does not answer", code=Code.PORTAL_UNAVAILABLE)

    def _exchange(self, request: httpx2.Request, code: Code) -> Reply:
        answer = self._client.send(request, stream=True)
        try:
            status = answer.status_code
            if status == 429 or status >= 500:
                raise Unavailable("the portal says that it is unavailable", code=Code.PORTAL_UNAVAILABLE)
            if 300 <= status < 400:
                raise AnswerRefused(code, "a redirect is not followed")
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                # A few compressed bytes can be a gigabyte once read.
                raise AnswerRefused(code, "the answer is encoded")
            body = bytearray()
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise AnswerRefused(code, "the answer is too large")
        finally:
            answer.close()
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Reply(status, media_type, bytes(body), answer.headers.get("date", ""))

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
