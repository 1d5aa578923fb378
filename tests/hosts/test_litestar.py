"""An application that Litestar mounts below a path of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litestar import Litestar, asgi

from imagin_gateway import Gateway, testing
from imagin_gateway.mounts import require, step_up
from tests.client import Client, over_asgi


@asgi("/sous", is_mount=True, copy_scope=True)
async def below(scope: Any, receive: Any, send: Any) -> None:
    require(scope)
    again = step_up(scope, strength=["mfa"]) or ""
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", again.encode())]})
    await send({"type": "http.response.body", "body": b""})


def test_who_must_log_in_comes_back_to_the_page_asked_for(tmp_path: Path) -> None:
    with Gateway(testing.settings(tmp_path), sends_mail=False) as gateway:
        client = Client(over_asgi(gateway.asgi(Litestar([below]))))
        page, back = "/sous/page?a=1", "next=%2Fsous%2Fpage%3Fa%3D1"
        assert client.get(page, host="127.0.0.1").location == f"/connexion/?{back}"
        testing.sign_in(client, gateway)
        assert client.get(page, host="127.0.0.1").location == f"/connexion/confirmer?{back}"
