"""The smallest host: one page that asks for somebody, and one that answers for the health of the process."""

from __future__ import annotations

import os
from typing import Any

from imagin_gateway.mounts import require


def _page(request: Any, path: str) -> str:
    if path == "/sante":
        return f"en service : {os.getpid()}"
    return f"Bonjour {require(request).display_name} ({os.getpid()})"


def wsgi_host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer under WSGI."""
    body = _page(environ, environ["PATH_INFO"]).encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi_host(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer under ASGI."""
    body = _page(scope, scope["path"]).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
