"""What Starlette's own kinds of endpoints do with a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from imagin_gateway import Activity, Gateway, testing
from imagin_gateway.mounts.starlette import person, signed_in
from tests.mounts.test_asking import CLOSED, opens_socket


@signed_in(Activity.EXPENSES)
async def live(socket: WebSocket) -> None:
    who = person(socket)
    await socket.accept(who.subject if who else None)


class Live(WebSocketEndpoint):
    @signed_in(Activity.EXPENSES)
    async def on_connect(self, websocket: WebSocket) -> None:
        await live(websocket)


SITE = Starlette(routes=[WebSocketRoute("/function", live), WebSocketRoute("/class", Live)])


@pytest.mark.parametrize("path", ["/function", "/class"])
def test_a_websocket_is_closed_to_nobody(tmp_path: Path, path: str) -> None:
    with Gateway(testing.settings(tmp_path), sends_mail=False) as gateway:
        assert opens_socket(gateway.asgi(SITE), path) == CLOSED


def test_a_websocket_is_opened_to_who_is_signed_in(tmp_path: Path) -> None:
    with Gateway(testing.settings(tmp_path), sends_mail=False) as gateway:
        (opened,) = opens_socket(gateway.asgi(SITE), "/function", cookie=testing.headers(gateway)["Cookie"])
    assert (opened["type"], opened["subprotocol"]) == ("websocket.accept", "jdupont")
