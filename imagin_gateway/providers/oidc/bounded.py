"""A transport whose every exchange ends in time, whoever sends one byte a second.

The timeouts of an HTTP client are per read: a peer that drips its answer holds a
thread for as long as it likes. Here one deadline covers an exchange from the
first connection to the last byte, and each operation gets what is left of it.

The resolver alone is outside: its bound is that of the system (`resolv.conf`).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

import httpcore2
import httpx2

MAX_CONNECTIONS: Final = 16
"""More than the requests one portal may hold at once."""

IDLE_SECONDS: Final = 2.0
"""How long an idle connection is kept: less than servers do, so that none is used as it closes."""


TOO_LONG: Final = "it takes too long"
NO_ADDRESS: Final = "its name has no address"
NOBODY: Final = "nothing listens there"
EXPIRED: Final = "its certificate is not of today"
OTHER_HOST: Final = "its certificate is of another host"
UNKNOWN_AUTHORITY: Final = "its certificate is of an authority that is not believed"
CERTIFICATE: Final = "its certificate is not believed"
NO_TLS: Final = "TLS fails"
BROKEN: Final = "the connection fails"

_OF_OPENSSL: Final = {
    **dict.fromkeys((9, 10), EXPIRED),
    **dict.fromkeys((18, 19, 20, 21), UNKNOWN_AUTHORITY),
    **dict.fromkeys((62, 64), OTHER_HOST),
}
"""Results of a verification (`X509_verify_cert_error_string`) that an operator can do something about."""


class Unreached(httpx2.TransportError):
    """No answer could be had; its text is one of the reasons above, and holds nothing of the exchange."""


class _Deadline(threading.local):
    """When the exchange of this thread ends; an exchange never changes threads."""

    at: float = 0.0


class _Watch:
    """Tells what is left of the exchange under way."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._deadline = _Deadline()

    def start(self, seconds: float) -> None:
        self._deadline.at = self._monotonic() + seconds

    def left(self, error: type[httpcore2.TimeoutException]) -> float:
        left = self._deadline.at - self._monotonic()
        if left <= 0:
            raise error("the exchange takes too long")
        return left


class _Stream(httpcore2.NetworkStream):
    """A connection that stops at the deadline."""

    def __init__(self, plain: httpcore2.NetworkStream, watch: _Watch) -> None:
        self._plain = plain
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, self._watch.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, self._watch.left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._watch.left(httpcore2.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, left), self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Connects to each address of a host in turn, within the deadline.

    Each has its share of what is left: one that says nothing at all (a firewall, IPv6 without a way out) leaves time
    for the others. The one that answered goes first the next time.
    """

    def __init__(self, watch: _Watch) -> None:
        self._plain = httpcore2.SyncBackend()
        self._watch = watch
        self._answered: dict[tuple[str, int], str] = {}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("the host has no address")
        addresses = sorted(_addresses(host, port), key=lambda each: each != self._answered.get((host, port)))
        for tried, address in enumerate(addresses):
            share = self._watch.left(httpcore2.ConnectTimeout) / (len(addresses) - tried)
            try:
                stream = self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                self._answered[host, port] = address
                return _Stream(stream, self._watch)
        raise failure


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore2.ConnectError("the host cannot be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Body(httpx2.SyncByteStream):
    """The bytes of an answer, as they come."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Say the failures of the lower library in the words of the upper one."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise Unreached(TOO_LONG) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
        raise Unreached(_why(error.__cause__ or error.__context__)) from error


def _why(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _OF_OPENSSL.get(cause.verify_code, CERTIFICATE)
    if isinstance(cause, ssl.SSLError):
        return NO_TLS
    if isinstance(cause, socket.gaierror):
        return NO_ADDRESS
    return NOBODY if isinstance(cause, ConnectionRefusedError) else BROKEN


class BoundedTransport(httpx2.BaseTransport):
    """One pool of connections and one TLS context; safe to share between threads.

    Args:
        seconds: longest time of one exchange, from the connection to the last byte.
        ssl_context: which authorities are believed; by default those of the system,
            whatever the environment says.
        monotonic: what measures the seconds.
    """

    def __init__(
        self,
        seconds: float,
        *,
        ssl_context: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._watch = _Watch(monotonic)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context or httpx2.create_ssl_context(trust_env=False),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=_Backend(self._watch),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and return its answer, the body still to be read by the same thread."""
        self._watch.start(self._seconds)
        with _translated():
            answer = self._pool.handle_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=cast(httpx2.SyncByteStream, request.stream),
                    extensions={"timeout": {"pool": self._seconds}},
                )
            )
        body = _Body(cast(Iterable[bytes], answer.stream))
        return httpx2.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
