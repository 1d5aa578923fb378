"""The suite's provider on a loopback socket, and a portal opened towards it."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from imagin_gateway.providers.oidc.bounded import BoundedTransport
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.clock import ManualClock
from tests.providers.oidc.journey import DOOR, REDIRECT_URI, House, configured
from tests.providers.oidc.provider import Provider


@contextlib.contextmanager
def serve(provider: Provider, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """Answer on a loopback socket; the issuer becomes its address."""
    server = _Server(("127.0.0.1", 0), _handler(provider))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    provider.issuer = f"http{'s' if tls else ''}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away: leaving is what these tests make it do."""
        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two writes: without this the second waits for the client's delayed acknowledgement.
        disable_nagle_algorithm = True

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = provider.handle(self.command, self.path, headers, body)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if isinstance(answer.body, bytes):
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)
                else:
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.close_connection = True
                    for chunk in answer.body:
                        self.wfile.write(chunk)
                        self.wfile.flush()

        do_GET = _do  # noqa: N815  # the names that http.server calls
        do_POST = _do  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the signature of http.server
            pass

    return Handler


def over_a_socket(
    provider: Provider, clock: ManualClock, *, seconds: float = 5, trusting: ssl.SSLContext | None = None
) -> House:
    """Open a portal towards the address where the provider serves."""
    portal = OidcPortal.open(
        DOOR,
        configured(provider.issuer, timeout_seconds=seconds),
        redirect_uri=REDIRECT_URI,
        development=provider.issuer.startswith("http:"),
        transport=BoundedTransport(seconds, ssl_context=trusting) if trusting else None,
    )
    return House(provider, portal, clock)
