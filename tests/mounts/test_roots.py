"""Below a prefix, what the settings protect is what the framework answers with, whoever tells the prefix."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar, get
from starlette.middleware.cors import CORSMiddleware
from werkzeug.test import create_environ

from imagin_gateway import Gateway, testing
from imagin_gateway.mounts.host_request import environ_path
from imagin_gateway.mounts.own_root import own_root
from imagin_gateway.mounts.wsgi import GatewayWSGI
from tests.client import Client, Mount, over_asgi, over_wsgi

ROOT = Path(__file__).parent.parent.parent

Make = Callable[..., Gateway]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return what makes a gateway, which is closed at the end."""
    with ExitStack() as opened:

        def made(mount_path: str = "/api/connexion", protected: str = "/api/frais") -> Gateway:
            settings = testing.settings(tmp_path, mount_path=mount_path, protect=[{"prefix": protected}])
            return opened.enter_context(Gateway(settings, sends_mail=False))

        yield made


def of_fastapi() -> FastAPI:
    api = FastAPI(root_path="/api")

    @api.get("/frais")
    async def expenses() -> str:
        return "the secret"

    @api.get("/ouvert")
    async def opened() -> str:
        return "open"

    return api


@get("/frais", sync_to_thread=False)
def expenses_of_litestar() -> str:
    return "the secret"


def told(app: Any, root: str) -> Mount:
    """Return a mount over a server that tells a prefix, and the path without it."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": root}, receive, send)

    return over_asgi(served)


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")  # and does what it did
@pytest.mark.parametrize("wrap", [lambda api: api, CORSMiddleware], ids=["bare", "in-middleware"])
class TestAPrefixThatFastAPITakesOffByItself:
    def test_is_that_of_the_settings(self, make: Make, wrap: Callable[[FastAPI], Any]) -> None:
        client = Client(over_asgi(make().asgi(wrap(of_fastapi()))))
        for path in ("/api/frais", "/frais"):  # one page
            reply = client.get(path, host="127.0.0.1")
            assert (reply.status, reply.location) == (303, "/api/connexion/?next=%2Fapi%2Ffrais")
        for path in ("/api/ouvert", "/ouvert"):
            assert client.get(path, host="127.0.0.1").text == '"open"'
        assert client.get("/api/connexion/", host="127.0.0.1").status == 200

    def test_is_refused_when_the_gateway_is_mounted_and_does_not_know_it(
        self, make: Make, wrap: Callable[[FastAPI], Any]
    ) -> None:
        with pytest.raises(RuntimeError, match=r'write mount_path = "/api/connexion"'):
            make("/connexion", "/frais").asgi(wrap(of_fastapi()))

    def test_counts_before_that_of_the_server(self, make: Make, wrap: Callable[[FastAPI], Any]) -> None:
        # As FastAPI has it: what the server tells is forgotten.
        client = Client(told(make("/api/connexion", "/").asgi(wrap(of_fastapi())), "/ailleurs"))
        assert client.get("/frais", host="127.0.0.1").location == "/api/connexion/?next=%2Fapi%2Ffrais"


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
def test_the_prefix_is_that_of_the_application_that_answers() -> None:
    routed = SimpleNamespace(application_mapping={"http": of_fastapi(), "websocket": CORSMiddleware(FastAPI())})
    for app in (routed, SimpleNamespace(application=routed), SimpleNamespace(app=SimpleNamespace(application=routed))):
        assert (own_root(app, "http"), own_root(app, "websocket"), own_root(app, "other")) == ("/api", "", "")


@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
def test_each_kind_of_connection_has_the_prefix_of_its_own_application(make: Make) -> None:
    seen: list[tuple[str, str]] = []

    async def host(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], scope.get("root_path", "")))

    class Router:
        application_mapping: ClassVar[dict[str, Any]] = {"http": of_fastapi(), "websocket": host}

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await host(scope, receive, send)

    gateway = make().asgi(Router())
    for kind in ("http", "websocket"):
        asyncio.run(
            gateway({"type": kind, "path": "/ouvert", "headers": [], "method": "GET"}, cast(Any, None), cast(Any, None))
        )
    assert seen == [("http", "/api"), ("websocket", "")]


def test_a_prefix_that_django_takes_off_by_itself(tmp_path: Path) -> None:
    # In a process of its own: Django is configured once.
    act = [sys.executable, "-W", "error", "-m", "tests.mounts.django_root_act", str(tmp_path)]
    done = subprocess.run(act, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", ["/frais", "/api/frais", "/x/api/frais", "/apifrais", "/x/api/api/frais"])
def test_a_prefix_in_the_middle_of_a_path_opens_nothing(make: Make, path: str) -> None:
    # Litestar takes off what comes before it, too; Quart and Channels take it off the beginning of a name.
    site = Litestar([expenses_of_litestar])
    reply = Client(told(make().asgi(site), "/api")).get(path, host="127.0.0.1")
    assert reply.status in (303, 404)
    assert (reply.status == 303) == (path in {"/frais", "/api/frais"})


def test_the_host_is_told_the_path_that_was_judged(make: Make) -> None:
    seen: list[tuple[str, str]] = []

    async def host(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["root_path"], scope["path"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = Client(told(make().asgi(host), "/api"))
    for path in ("/ouvert", "/api/ouvert", "/apiculture", "/x/api"):
        client.get(path, host="127.0.0.1")
    assert seen == [("/api", each) for each in ("/ouvert", "/api/ouvert", "/api/apiculture", "/api/x/api")]


@pytest.mark.parametrize(
    ("root", "rest", "status", "judged"),
    [
        ("/api", "frais", 303, "/api/frais"),  # as gunicorn tells `/apifrais`
        ("/api/", "frais", 303, "/api/frais"),
        ("/api", "/frais", 303, "/api/frais"),
        ("/api", "ouvert", 200, "/api/ouvert"),
        ("/api", "", 404, "/api"),
        ("", "frais", 400, "frais"),
    ],
)
def test_a_prefix_at_the_beginning_of_a_name_opens_nothing_under_wsgi(
    make: Make, root: str, rest: str, status: int, judged: str
) -> None:
    """Werkzeug answers `frais` as it does `/frais`."""
    site = Flask(__name__)
    site.add_url_rule("/frais", "expenses", lambda: "the secret")
    site.add_url_rule("/ouvert", "opened", lambda: "open")
    environ = {**create_environ("/", "http://127.0.0.1"), "SCRIPT_NAME": root, "PATH_INFO": rest}
    statuses: list[str] = []
    b"".join(make().wsgi(site)(environ, lambda line, *_: statuses.append(line)))
    assert [int(line[:3]) for line in statuses] == [status]
    assert environ_path(environ) == judged


class TestAPrefixToldThatIsNotThatOfWhatIsProtected:
    """As `SCRIPT_NAME` or `Daphne-Root-Path`, which some servers take from a header that anybody may send."""

    def test_under_asgi(self, make: Make) -> None:
        site = Litestar([expenses_of_litestar])
        mount = told(make("/espace/connexion", "/frais").asgi(site), "/espace")
        with pytest.raises(RuntimeError, match=r"below '/espace'.*the prefixes /frais: begin them with '/espace'"):
            Client(mount).get("/frais", host="127.0.0.1")

    def test_under_wsgi(self, make: Make) -> None:
        def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [b"the secret"]

        app: GatewayWSGI = make("/espace/connexion", "/frais").wsgi(host)
        mount = over_wsgi(lambda environ, start: app({**environ, "SCRIPT_NAME": "/espace"}, start))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="protect nothing by the prefixes /frais"):
                Client(mount).get("/frais", host="127.0.0.1")

    def test_what_protects_all_protects_what_is_below(self, make: Make) -> None:
        site = Litestar([expenses_of_litestar])
        reply = Client(told(make("/espace/connexion", "/").asgi(site), "/espace")).get("/frais", host="127.0.0.1")
        assert (reply.status, reply.location) == (303, "/espace/connexion/?next=%2Fespace%2Ffrais")
