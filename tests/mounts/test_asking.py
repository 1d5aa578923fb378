"""A route asks for more than the person has: the gateway's answer is what is sent, whatever the host does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from imagin_gateway import Gateway, testing
from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.flows.seldom import WINDOW
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.mounts import Denied, Visitor, require, visitor
from imagin_gateway.mounts.asked import asked
from imagin_gateway.mounts.incoming import INSTEAD, KEY
from tests.client import Client, Mount, Reply, host_asgi, over_asgi, over_wsgi
from tests.flows.conftest import TheHouse, make_house, redis_server, sign_in  # noqa: F401 (fixtures)

Host = Callable[..., Any]


def swallows(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    with suppress(Exception):
        require(environ, Activity.PERSONAL_DATA)
    start_response("200 OK", [("X-Secret", "42")])
    return [b"the secret"]


def dresses_up(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    try:
        require(environ, Activity.PERSONAL_DATA)
    except Denied:
        write = start_response("500 Oops", [("X-Secret", "42")])
        write(b"the secret")
    return []


def streams(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    require(environ, Activity.PERSONAL_DATA)
    start_response("200 OK", [])
    yield b"the secret"


def streams_and_swallows(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    yield from swallows(environ, start_response)


def lets_it_through(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    require(environ, Activity.PERSONAL_DATA)
    start_response("200 OK", [])
    return [b"the secret"]


WSGI_HOSTS = [swallows, dresses_up, streams, streams_and_swallows, lets_it_through]


async def _say(send: Any, body: bytes = b"the secret") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-secret", b"42")]})
    await send({"type": "http.response.body", "body": body})


async def swallows_too(scope: Any, receive: Any, send: Any) -> None:
    with suppress(Exception):
        require(scope, Activity.PERSONAL_DATA)
    await _say(send)


async def dresses_up_too(scope: Any, receive: Any, send: Any) -> None:
    try:
        require(scope, Activity.PERSONAL_DATA)
    except Denied as denied:
        await _say(send)
        raise ValueError("something else") from denied


async def copies(scope: Any, receive: Any, send: Any) -> None:
    """As frameworks do that hand a scope of their own on."""
    await swallows_too({**scope, "app": "another"}, receive, send)


async def lets_it_through_too(scope: Any, receive: Any, send: Any) -> None:
    require(scope, Activity.PERSONAL_DATA)
    await _say(send)


ASGI_HOSTS = [swallows_too, copies, lets_it_through_too]


@pytest.fixture
def opened(make_house: Callable[..., TheHouse]) -> TheHouse:  # noqa: F811
    return make_house("wsgi")


def mounts_of(opened: TheHouse) -> Iterator[tuple[str, Mount]]:
    for plain in WSGI_HOSTS:
        yield plain.__name__, over_wsgi(opened.gateway.wsgi(plain))
    for soon in ASGI_HOSTS:
        yield soon.__name__, over_asgi(opened.gateway.asgi(soon))


def signed_in(opened: TheHouse) -> dict[str, str]:
    """Return the cookies of somebody to whom personal data is not open."""
    client = opened.client()
    sign_in(opened, client, "jdupont")
    return client.cookies


def test_whatever_the_host_makes_of_a_refusal_nothing_of_its_page_is_sent(opened: TheHouse) -> None:
    cookies = signed_in(opened)
    for name, mount in mounts_of(opened):
        nobody = Client(mount).get("/page?a=1")
        assert nobody.status == 303, name
        assert nobody.location == "/connexion/?next=%2Fpage%3Fa%3D1"
        somebody = Client(mount, cookies=dict(cookies)).get("/page")
        assert somebody.status == 403, name
        for reply in (nobody, somebody):
            assert b"secret" not in reply.body, name
            assert not reply.header("x-secret")
            assert reply.header("cache-control") == "no-store"


def test_while_the_store_is_down_a_route_says_so_and_sends_nobody_to_a_login(
    opened: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies = signed_in(opened)

    def down(*_: object, **__: object) -> None:
        raise Unavailable("the store is down", code=Code.STORE_UNAVAILABLE)

    monkeypatch.setattr(opened.gateway.house.sessions, "glance", lambda cookie: None)
    monkeypatch.setattr(opened.gateway.house.sessions, "look", down)
    for name, mount in mounts_of(opened):
        client = Client(mount, cookies=dict(cookies))
        page = client.get("/page")
        assert page.status == 503, name
        assert b"secret" not in page.body
        told = client.get("/page", headers={"Accept": "application/json"})
        assert (told.status, json.loads(told.body)["code"]) == (503, Code.STORE_UNAVAILABLE)
        assert Client(mount).get("/page").status == 303, "who shows no session is nobody, whatever the store says"
    assert opened.client(cookies=dict(cookies)).get("/").text == "personne", "an open page does without"


def test_a_head_is_answered_without_a_body(opened: TheHouse) -> None:
    for name, mount in mounts_of(opened):
        reply = Client(mount, cookies=signed_in(opened)).request("HEAD", "/page")
        assert (reply.status, reply.body) == (403, b""), name


async def hides_in_a_group(scope: Any, receive: Any, send: Any) -> None:
    async def asks() -> None:
        require(scope, Activity.PERSONAL_DATA)

    async with asyncio.TaskGroup() as group:
        group.create_task(asks())


def sent_before(error: type[Exception], mount: Any) -> list[Any]:
    """Ask for a page as a server does; return what was sent before this error came out."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/page", "headers": [], "query_string": b""}
    with pytest.raises(error):
        asyncio.run(mount(scope, receive, send))
    return sent


@pytest.mark.parametrize(("host", "error"), [(dresses_up_too, ValueError), (hides_in_a_group, ExceptionGroup)])
def test_an_error_of_the_host_that_hides_a_refusal_stays_an_error_and_the_person_is_answered(
    opened: TheHouse, host: Host, error: type[Exception]
) -> None:
    start, body = sent_before(error, opened.gateway.asgi(host))
    assert (start["status"], dict(start["headers"])[b"location"]) == (303, b"/connexion/?next=%2Fpage")
    assert body["body"] == b""


def test_an_error_after_the_host_has_begun_adds_nothing_to_its_answer(opened: TheHouse) -> None:
    async def late(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await hides_in_a_group(scope, receive, send)

    assert [message["type"] for message in sent_before(ExceptionGroup, opened.gateway.asgi(late))] == [
        "http.response.start"
    ]


def test_an_answer_that_has_begun_is_not_mixed_with_another(opened: TheHouse) -> None:
    def late(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        require(environ, Activity.PERSONAL_DATA)
        yield b"the secret"

    async def late_too(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        require(scope, Activity.PERSONAL_DATA)
        await send({"type": "http.response.body", "body": b"the secret"})

    for mount in (over_wsgi(opened.gateway.wsgi(late)), over_asgi(opened.gateway.asgi(late_too))):
        reply = Client(mount).get("/page")
        assert (reply.status, reply.body) == (200, b"begun")


def test_what_has_begun_and_was_not_sent_is_begun_anew(opened: TheHouse) -> None:
    def hasty(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Secret", "42"), ("Content-Length", "10")])
        require(environ, Activity.PERSONAL_DATA)
        return [b"the secret"]

    def hasty_stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        yield from hasty(environ, start_response)

    def written(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"begun")
        require(environ, Activity.PERSONAL_DATA)
        return [b"the secret"]

    for host in (hasty, hasty_stream):
        reply = Client(over_wsgi(opened.gateway.wsgi(host))).get("/page")
        assert (reply.status, reply.location) == (303, "/connexion/?next=%2Fpage"), host.__name__
        assert not reply.header("x-secret")
        assert reply.header("content-length") == "0"
    sent = Client(over_wsgi(opened.gateway.wsgi(written))).get("/page")
    assert (sent.status, sent.body) == (200, b"begun"), "what was sent stays, and nothing follows it"


def opens_socket(mount: Any, path: str = "/ws", **headers: str) -> list[Any]:
    """Open a websocket as a server does, which has one message to tell until the application answers."""
    sent: list[Any] = []
    waiting: list[Any] = [{"type": "websocket.connect"}]

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": path, "headers": lines, "query_string": b"", "client": ("192.0.2.7", 1)}

    async def opened() -> None:
        await asyncio.wait_for(mount(scope, receive, send), 10)

    asyncio.run(opened())
    return sent


CLOSED: list[Any] = [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("receives", [False, True])
def test_a_websocket_is_closed(opened: TheHouse, receives: bool) -> None:
    async def accepts(scope: Any, receive: Any, send: Any) -> None:
        if receives:
            await receive()
        try:
            require(scope, Activity.PERSONAL_DATA)
        except Denied:
            await send({"type": "websocket.accept"})

    assert opens_socket(opened.gateway.asgi(accepts)) == CLOSED


def test_a_websocket_that_a_route_asks_for_is_opened_by_our_own_pages_alone(opened: TheHouse) -> None:
    async def asks(scope: Any, receive: Any, send: Any) -> None:
        require(scope)
        await send({"type": "websocket.accept"})

    async def asks_nothing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    cookie = "; ".join(f"{name}={value}" for name, value in signed_in(opened).items())
    ours, accepted = opened.gateway.settings.base_url, [{"type": "websocket.accept"}]
    mount = opened.gateway.asgi(asks)
    assert opens_socket(mount, cookie=cookie, origin=ours) == accepted
    assert opens_socket(mount, cookie=cookie) == accepted, "no browser leaves it out"
    for origin in ("https://evil.example", "null", ours.upper(), f"{ours}.evil.example"):
        assert opens_socket(mount, cookie=cookie, origin=origin) == CLOSED, origin
        assert opens_socket(opened.gateway.asgi(asks_nothing), cookie=cookie, origin=origin) == accepted


def test_a_websocket_below_a_protected_prefix_is_opened_by_our_own_pages_alone(opened: TheHouse) -> None:
    async def takes_all(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    cookie = "; ".join(f"{name}={value}" for name, value in signed_in(opened).items())
    ours, mount = opened.gateway.settings.base_url, opened.gateway.asgi(takes_all)
    assert opens_socket(mount, "/missions/ws") == CLOSED, "nobody is signed in"
    assert opens_socket(mount, "/missions/ws", cookie=cookie, origin=ours) == [{"type": "websocket.accept"}]
    assert opens_socket(mount, "/missions/ws", cookie=cookie, origin="https://evil.example") == CLOSED


@pytest.mark.parametrize("path", ["/ws", "/missions/ws"])
def test_a_websocket_of_another_site_is_told_to_the_operator_and_not_each_time_it_is_tried(
    opened: TheHouse, path: str
) -> None:
    async def asks(scope: Any, receive: Any, send: Any) -> None:
        require(scope)
        await send({"type": "websocket.accept"})

    def told() -> list[dict[str, Any]]:
        return [each for each in opened.events if each["event"] == "request_refused"]

    mount = opened.gateway.asgi(asks)
    cookie = "; ".join(f"{name}={value}" for name, value in signed_in(opened).items())
    for _ in range(5):
        assert opens_socket(mount, path, cookie=cookie, origin="https://evil.example") == CLOSED
    (event,) = told()
    assert event["code"] == "request.cross_site"
    assert event["address"] == "192.0.2.7"
    assert event["detail"] == {"status": 403, "reason": "a websocket was opened by a page of another origin"}
    assert "evil" not in str(event)
    opened.clock.move(WINDOW)
    assert opens_socket(mount, path, cookie=cookie, origin="https://evil.example") == CLOSED
    assert told()[1]["detail"]["untold"] == 4


def test_headers_that_may_be_read_once_reach_both_sides(opened: TheHouse) -> None:
    """ASGI: headers are an iterable of pairs; Sanic answers with a generator."""
    cookie = "; ".join(f"{name}={value}" for name, value in signed_in(opened).items())
    asked: list[Any] = []
    sent: list[Any] = []

    async def streams_headers(scope: Any, receive: Any, send: Any) -> None:
        asked.extend(scope["headers"])
        lines = [
            (b"x-mine", b"1"),
            *([(b"cache-control", b"private")] if scope["path"] == "/own" else []),
            (b"b", b"2"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": (line for line in lines)})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append({**message, "headers": list(message.get("headers", ()))})

    for path, policy in (("/", b"no-store"), ("/own", b"private")):
        asked.clear()
        sent.clear()
        lines = [(b"accept", b"*/*"), (b"cookie", cookie.encode())]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": ("192.0.2.7", 1)}
        mount = opened.gateway.asgi(streams_headers)
        asyncio.run(mount({**scope, "headers": (line for line in lines)}, receive, send))
        assert asked == lines
        told = dict(sent[0]["headers"])
        assert told == {b"x-mine": b"1", b"b": b"2", b"cache-control": policy}


def test_a_visitor_that_no_gateway_made_is_let_into_nothing() -> None:
    class Forged:
        scope = {KEY: Visitor(None, None, "/", "/"), INSTEAD: []}  # noqa: RUF012  # of a test

    with pytest.raises(Denied) as denied:
        require(Forged())
    assert denied.value.response.status == 403


def test_an_application_without_the_gateway_is_told_so() -> None:
    with pytest.raises(RuntimeError, match=r"gateway\.asgi\(app\)"):
        require({"type": "http", "path": "/", "headers": []})


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"activities": ("mission",)}, ValueError, "no activity is called 'mission'; there are: expenses, marking"),
        ({"activities": (["missions"],)}, TypeError, "written one after the other: signed_in"),
        ({"activities": "missions"}, TypeError, r"write \('missions',\)"),
        ({"activities": (lambda: None,)}, TypeError, "parentheses"),
        ({"recent": 5}, TypeError, "timedelta"),
        ({"recent": timedelta(0)}, ValueError, "positive"),
        ({"strength": "mfa"}, TypeError, r"write \('mfa',\)"),
    ],
)
def test_nonsense_is_told_where_it_is_written(wrong: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        asked(**{"activities": (), **wrong})


def test_every_framework_tells_it_when_the_route_is_defined() -> None:
    from django.views import View

    from imagin_gateway.mounts import django, fastapi, flask, litestar, starlette

    asks: list[Any] = [django.signed_in, fastapi.SignedIn, flask.signed_in, litestar.signed_in, starlette.signed_in]
    for ask in asks:
        with pytest.raises(ValueError, match="no activity is called 'mission'"):
            ask("mission")
        with pytest.raises(TypeError, match="parentheses"):
            ask(lambda: None)
    with pytest.raises(ValueError, match="no activity is called 'mission'"):
        type("Page", (django.SignedInMixin,), {"activities": ("mission",)})
    page: Any = type("Page", (django.SignedInMixin, View), {})
    with pytest.raises(ValueError, match="no activity is called 'mission'"):
        page.as_view(activities=["mission"])


class TestMistakes:
    """How the gateway can be mounted wrong, and what is said."""

    def test_a_decorator_of_functions_around_a_class(self) -> None:
        from imagin_gateway.mounts import django, flask, starlette

        class Page:
            """A view, or an endpoint."""

        asks: list[tuple[Any, str]] = [
            (django.signed_in(), r"for the class Page, write class Page\(SignedInMixin, \.\.\.\)"),
            (flask.signed_in(), r"for the class Page, write decorators = \[signed_in\(\)\] in it"),
            (starlette.signed_in(), "for the class Page, write it above each method"),
        ]
        for ask, words in asks:
            with pytest.raises(TypeError, match=words):
                ask(Page)

    def test_a_view_of_django_in_front_of_what_protects_it(self) -> None:
        from django.views.generic import TemplateView

        from imagin_gateway.mounts.django import SignedInMixin

        with pytest.raises(TypeError, match=r"write class Page\(SignedInMixin, \.\.\.\)"):
            type("Page", (TemplateView, SignedInMixin), {})

    def test_mounted_twice(self, opened: TheHouse) -> None:
        gateway = opened.gateway
        with pytest.raises(RuntimeError, match="mounted twice"):
            Client(over_wsgi(gateway.wsgi(gateway.wsgi(lets_it_through)))).get("/")
        with pytest.raises(RuntimeError, match="mounted twice"):
            Client(over_asgi(gateway.asgi(gateway.asgi(lets_it_through_too)))).get("/")

    def test_as_an_application_of_the_other_kind(self, opened: TheHouse) -> None:
        from fastapi import FastAPI
        from flask import Flask

        gateway = opened.gateway
        of_asgi: list[Any] = [FastAPI(), lets_it_through_too, gateway.asgi(lets_it_through_too)]
        for app in of_asgi:
            with pytest.raises(TypeError, match=r"write app = gateway\.asgi\(app\)"):
                gateway.wsgi(app)
        of_wsgi: list[Any] = [Flask(__name__), lets_it_through, gateway.wsgi(swallows)]
        for app in of_wsgi:
            with pytest.raises(TypeError, match=r"write app = gateway\.wsgi\(app\)"):
                gateway.asgi(app)

    def test_a_gateway_of_other_things(self, tmp_path: Path) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"templates": "gabarits"}, r"write Path\('gabarits'\)"),
            ({"hooks": {"after_login": print}}, r"write hooks=Hooks\(after_login=\.\.\.\)"),
        ]
        for given, words in wrong:
            with pytest.raises(TypeError, match=words):
                Gateway(testing.settings(tmp_path), sends_mail=False, **given)

    def test_somebody_with_what_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match="no activity is called 'mission'; there are: expenses, marking"):
            testing.someone(activities=["mission"])
        with pytest.raises(TypeError, match=r"write \('missions',\)"):
            testing.someone(activities="missions")

    def test_a_project_of_django_without_the_gateway_or_asked_past_it(self) -> None:
        class Request:
            META: ClassVar[dict[str, str]] = {}

        with pytest.raises(RuntimeError, match=r"wsgi\.py that WSGI_APPLICATION names.*testing\.nobody\(client"):
            require(Request())

    def test_twice_around_an_application_of_flask(self, opened: TheHouse) -> None:
        from flask import Flask

        from imagin_gateway.mounts.flask import init_app

        app = Flask(__name__)
        init_app(app, opened.gateway)
        with pytest.raises(RuntimeError, match="mounted twice"):
            init_app(app, opened.gateway)

    def test_where_no_asyncio_loop_runs(self, opened: TheHouse) -> None:
        app: Any = opened.gateway.asgi(host_asgi)
        scope = {"type": "http", "method": "GET", "headers": [], "root_path": ""}
        for path in ("/missions", "/connexion/"):
            with pytest.raises(RuntimeError, match=r"gateway\.asgi\(app, offload=trio\.to_thread\.run_sync\)"):
                app({**scope, "path": path}, None, None).send(None)

    def test_below_a_prefix_that_the_settings_do_not_know(self, opened: TheHouse) -> None:
        def below(app: Any) -> Any:
            return lambda environ, start: app({**environ, "SCRIPT_NAME": "/app"}, start)

        async def below_too(scope: Any, receive: Any, send: Any) -> None:
            await opened.gateway.asgi(lets_it_through_too)({**scope, "root_path": "/app"}, receive, send)

        for mount in (over_wsgi(below(opened.gateway.wsgi(lets_it_through))), over_asgi(below_too)):
            with pytest.raises(RuntimeError, match=r'write mount_path = "/app/connexion"'):
                Client(mount).get("/missions")

    def test_below_a_prefix_that_they_know(self, make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
        opened = make_house("wsgi", mount_path="/app/connexion", landing="/app/", protect=[{"prefix": "/app/missions"}])

        def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [environ["SCRIPT_NAME"].encode() + b" " + environ["PATH_INFO"].encode()]

        async def host_too(scope: Any, receive: Any, send: Any) -> None:
            await _say(send, scope["path"].encode())

        wsgi, asgi = opened.gateway.wsgi(host), opened.gateway.asgi(host_too)

        def stripped(environ: dict[str, Any], start: Any) -> Any:
            return wsgi({**environ, "SCRIPT_NAME": "/app", "PATH_INFO": environ["PATH_INFO"][4:]}, start)

        async def rooted(scope: Any, receive: Any, send: Any) -> None:
            await asgi({**scope, "root_path": "/app"}, receive, send)

        async def told_the_rest(scope: Any, receive: Any, send: Any) -> None:
            await asgi({**scope, "root_path": "/app", "path": scope["path"][4:]}, receive, send)

        for mount in (over_wsgi(stripped), over_asgi(rooted), over_asgi(told_the_rest)):
            client = Client(mount)
            assert client.get("/app/connexion/").status == 200
            assert client.get("/app/ouvert").status == 200
            reply = client.get("/app/missions")
            assert (reply.status, reply.location) == (303, "/app/connexion/?next=%2Fapp%2Fmissions")


def test_a_wsgi_application_that_an_asgi_one_calls_asks_as_well(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")

    async def calls(scope: Any, receive: Any, send: Any) -> None:
        # As the middleware of a2wsgi does, which FastAPI advises.
        environ = {"wsgi.version": (1, 0), "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/ancien", "PATH_INFO": "/page"}
        with suppress(Denied):
            body = lets_it_through({**environ, "asgi.scope": scope}, lambda *_: None)
            await _say(send, b"".join(body))

    client = Client(over_asgi(opened.gateway.asgi(calls)))
    assert client.get("/ancien/page?a=1").location == "/connexion/?next=%2Fancien%2Fpage%3Fa%3D1"
    client.cookies |= signed_in(opened)
    assert client.get("/ancien/page").status == 403
    for name in ("environ", "META"):  # Flask's request, and Django's
        here = Visitor(None, None, "/", "/")
        assert visitor(SimpleNamespace(**{name: {"asgi.scope": {KEY: here}}})) is here
    for place in ({"asgi.scope": {KEY: "root"}}, SimpleNamespace(environ={"asgi.scope": {KEY: "root"}})):
        with pytest.raises(RuntimeError, match="not mounted"):
            require(place)


def test_the_problem_of_a_protected_prefix_is_the_same_as_that_of_a_route(opened: TheHouse) -> None:
    def told(reply: Reply) -> Any:
        return {**json.loads(reply.body), "reference": ""}

    client = opened.client(cookies=signed_in(opened))
    asks = Client(over_wsgi(opened.gateway.wsgi(lets_it_through)), cookies=dict(client.cookies))
    headers = {"Accept": "application/json"}
    assert told(client.get("/coordonnees", headers=headers)) == told(asks.get("/page", headers=headers))


def test_who_has_it_is_returned(opened: TheHouse) -> None:
    found: list[Identity] = []

    def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(require(environ, Activity.MISSIONS, recent=timedelta(minutes=1)))
        start_response("200 OK", [])
        return [b"in"]

    assert Client(over_wsgi(opened.gateway.wsgi(host)), cookies=signed_in(opened)).get("/page").text == "in"
    assert found[0].subject == "jdupont"
