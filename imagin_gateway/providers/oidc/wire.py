"""Every call to a portal goes through here: its hosts only, no redirect, one bounded answer.

OWASP ASVS 5.0.0, 12.3.2, 13.2.4, 13.2.6, 15.3.2; row OID-28.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.oidc.bounded import Unreached
from imagin_gateway.providers.oidc.strict_json import read_object
from imagin_gateway.settings.loopback import is_loopback

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""Largest answer read from a portal, whatever it announces."""

MAX_URL_CHARS: Final = 2048

MAX_KNOWN: Final = 64
"""Addresses remembered once they are checked: a portal has a handful."""

_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "imagin-gateway"}

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
        # The transport alone, without the client that is usually around it: nothing here follows a redirect, keeps a
        # cookie of one login for the next, asks the environment for a proxy, or adds credentials.
        self._transport = transport
        self._extensions = {"timeout": httpx2.Timeout(timeout).as_dict()}
        self._known: dict[str, httpx2.URL] = {}

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
        return parts.scheme == "https" or (self._plain_loopback and parts.scheme == "http" and is_loopback(host))

    def get(self, url: str, code: Code, headers: Mapping[str, str] | None = None) -> Reply:
        """Read `url`. See `_ask`."""
        return self._ask("GET", url, code, None, headers or {})

    def post(self, url: str, code: Code, body: str, headers: Mapping[str, str]) -> Reply:
        """Send a form to `url`. See `_ask`."""
        return self._ask("POST", url, code, body.encode(), headers)

    def _ask(self, method: str, url: str, code: Code, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Send a request and return the whole answer.

        Raises:
            AnswerRefused: with `code`: the address is not the portal's, or the answer is
                a redirect, is encoded, or is larger than `MAX_ANSWER_BYTES`.
            Unavailable: no answer in time, a broken connection, a certificate that is not
                believed, or a portal that says so itself (429, 5xx).
        """
        address = self._address(url, code)
        request = httpx2.Request(
            method, address, headers={**_HEADERS, **headers}, content=body, extensions=self._extensions
        )
        failure = ""
        try:
            return self._exchange(request, code)
        except httpx2.HTTPError as error:
            # The words of another transport may hold the address.
            failure = str(error) if isinstance(error, Unreached) else type(error).__name__
        # Raised here, so that neither the request nor its credentials hang from the error.
        _log.warning("a call to a portal failed: %s (%s)", failure, code.value)
        raise Unavailable(f"the portal does not answer: {failure}", code=Code.PORTAL_UNAVAILABLE)

    def _address(self, url: str, code: Code) -> httpx2.URL:
        """Return an address as it will be called, once it is known to be this portal's."""
        known = self._known.get(url)
        if known is None:
            try:
                known = httpx2.URL(url)
            except httpx2.InvalidURL:
                known = None
            # Raised here, so that the address does not hang from the error.
            if known is None or not self.allows(str(known)):
                raise AnswerRefused(code, "the address is not one of this portal")
            if len(self._known) < MAX_KNOWN:
                self._known[url] = known
        return known

    def _exchange(self, request: httpx2.Request, code: Code) -> Reply:
        answer = self._transport.handle_request(request)
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
        self._transport.close()
