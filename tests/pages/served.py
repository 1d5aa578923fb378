"""Every state of every page at an address of its own, as the gateway would send it, for a real browser to open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from imagin_gateway.pages.render import Pages
from tests.pages.conftest import render, settings
from tests.pages.states import ENGLISH, STATES

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
"""With which Chromium starts anywhere, a container of root's included."""


@contextmanager
def served() -> Iterator[str]:
    """Serve them on a free port of this machine, in English below `/en/`; gives the address of all of them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    base = f"http://127.0.0.1:{server.server_port}"
    pages = Pages(settings(development=True, base_url=base))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asset = pages.asset(self.path.removeprefix("/connexion"))
            name = self.path.strip("/")
            language = "en" if name in ENGLISH or name.startswith("en/") else "fr"
            name = name.removeprefix("en/")
            response = asset or render(pages, name if name in {**STATES, **ENGLISH} else "refusal-R13", language)
            self.send_response(response.status)
            for header in response.header_lines():
                self.send_header(*header)
            self.end_headers()
            # With its script this page would leave at once, for a portal that is not there.
            relayed = name == "logout-answer"
            self.wfile.write(response.body.replace(b" data-relay", b"") if relayed else response.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
