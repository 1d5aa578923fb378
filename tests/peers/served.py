"""The gateway before a small host application, on loopback, over TLS, with the settings of production."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn

from imagin_gateway.mounts import person


async def host(scope: Any, receive: Any, send: Any) -> None:
    """A host that tells what it was given: where it was asked, and by whom."""
    who = person(scope)
    told: dict[str, object] = {"path": scope["path"], "query": scope["query_string"].decode()}
    if who is not None:
        told["person"] = {
            "issuer": who.issuer,
            "subject": who.subject,
            "door": who.door,
            "activities": sorted(who.activities),
            "method": who.method,
            "acr": who.acr,
            "family_name": who.family_name,
            "given_name": who.given_name,
            "email": who.email,
            "attributes": {name: list(values) for name, values in who.attributes.items()},
        }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class Served:
    """An ASGI application on one loopback port, over TLS, in a thread.

    Args:
        app: what answers.
        port: where.
        tls: files of the key and of the certificate.
    """

    def __init__(self, app: Any, port: int, tls: tuple[Path, Path]) -> None:
        key, certificate = map(str, tls)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=port,
                ssl_keyfile=key,
                ssl_certfile=certificate,
                log_level="error",
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._thread.start()
        deadline = time.monotonic() + 15
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the host application did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
