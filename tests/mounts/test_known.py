"""Under ASGI, a request of somebody this process knows never leaves the event loop."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.client import Client, host_asgi, over_asgi
from tests.flows.conftest import TheHouse, house, make_house, redis_server, sign_in
from tests.state.servers import until

__all__ = ["house", "make_house", "redis_server"]

STORE = (
    "get",
    "get_many",
    "put",
    "put_if_absent",
    "swap",
    "take",
    "delete",
    "increment",
    "find",
    "delete_indexed",
    "ping",
)


def refuse(call: Callable[[], Any]) -> Awaitable[Any]:
    raise AssertionError("it left the event loop")


def at_once(app: Any, path: str, cookies: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Call an application and step its coroutine once: whoever waits for something has lost."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody reads the body")

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8400"), (b"cookie", cookies.encode())],
        "client": ("192.0.2.7", 40000),
    }
    running = app(scope, receive, send)
    with pytest.raises(StopIteration):
        running.send(None)
    start, body = sent
    return start["status"], start["headers"], body["body"]


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
def test_somebody_known_is_let_through_without_a_thread_a_store_or_a_wait(
    engine: str,
    make_house: Callable[..., TheHouse],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes: dict[str, Any] = {}
    if engine == "redis":
        server = request.getfixturevalue("redis_server")
        server.empty()
        changes["state"] = {"url": server.url}
    opened = make_house("asgi", **changes)
    client = Client(over_asgi(opened.gateway.asgi(host_asgi)))
    sign_in(opened, client, "jdupont", next_page="/missions")
    cookie = client.cookies["ig-session"]
    sessions = opened.gateway.house.sessions

    def is_known() -> bool:
        assert client.get("/missions").status == 200
        return sessions.glance(cookie) is not None

    until(is_known, "the session is known")
    assert client.get("/missions").status == 200
    until(lambda: sessions.glance(cookie) is not None, "it is still believed")
    for name in STORE:
        monkeypatch.setattr(opened.gateway.house.state, name, lambda *_, _name=name, **__: pytest.fail(_name))
    threads = set(threading.enumerate())
    app = opened.gateway.asgi(host_asgi, offload=refuse)
    answered = 0
    for path in ("/missions", "/", "/missions/1", "/autre"):
        for cookies in (f"ig-session={cookie}", f"a=b; ig-session={cookie}; c=d"):
            if engine == "redis":  # believed only while the server's word is fresh
                until(lambda: sessions.glance(cookie) is not None, "it is believed")
            status, headers, body = at_once(app, path, cookies)
            assert (status, body) == (200, b"arena-creteil|jdupont|Jo JDUPONT")
            names = [name for name, _ in headers]
            assert b"set-cookie" not in names
            assert (b"cache-control", b"no-store") in headers
            answered += 1
    assert answered == 8
    assert set(threading.enumerate()) <= threads


def test_nobody_is_let_through_likewise(make_house: Callable[..., TheHouse]) -> None:
    opened = make_house("asgi")
    app = opened.gateway.asgi(host_asgi, offload=refuse)
    for cookies in ("", "a=b"):
        status, headers, body = at_once(app, "/autre", cookies)
        assert (status, body) == (200, b"personne")
        assert b"set-cookie" not in [name for name, _ in headers]


def test_whoever_is_not_known_yet_does_leave_it(make_house: Callable[..., TheHouse]) -> None:
    """The check above can fail."""
    opened = make_house("asgi")
    app = opened.gateway.asgi(host_asgi, offload=refuse)
    for path, cookies in (("/missions", ""), ("/autre", "ig-session=x"), ("/connexion/", "")):
        with pytest.raises(AssertionError, match="left the event loop"):
            at_once(app, path, cookies)


@pytest.mark.parametrize("path", ["/coordonnees", "/missions"])
def test_what_asks_for_more_than_is_known_is_decided_by_the_long_way(
    path: str,
    make_house: Callable[..., TheHouse],
) -> None:
    opened = make_house("asgi")
    client = Client(over_asgi(opened.gateway.asgi(host_asgi)))
    sign_in(opened, client, "jdupont", next_page="/missions")
    assert client.get("/missions").status == 200
    cookie = client.cookies["ig-session"]
    app = opened.gateway.asgi(host_asgi, offload=refuse)
    if path == "/missions":  # its portal is closed meanwhile
        opened.gateway.house.portals.pop("arena-creteil")  # type: ignore[attr-defined]  # a dict
    with pytest.raises(AssertionError, match="left the event loop"):
        at_once(app, path, f"ig-session={cookie}")
