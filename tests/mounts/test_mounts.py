"""What both mounts promise: who is let through, what is taken off a request, what is never written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.exchange import MAX_BODY_BYTES
from imagin_gateway.mounts import person, step_up
from imagin_gateway.mounts.asgi import GatewayASGI
from imagin_gateway.mounts.incoming import client_address, is_identity_header
from tests.client import Client, host_asgi, host_wsgi, over_asgi, over_wsgi
from tests.flows.conftest import TheHouse, direct, house, make_house, redis_server, settings_of, sign_in  # noqa: F401 (fixtures)
from tests.state.servers import PrivateRedis


@pytest.mark.row("RTE-09")
def test_identity_headers_from_outside_never_reach_the_host(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    forged = {
        "Remote-User": "root",
        "X-Forwarded-User": "root",
        "X-Remote-User": "root",
        "ct-remote-user": "jdupont",
        "ct_remote_user": "jdupont",
        "FrEduRne": "0750001U$UAJ",
        "X-Imagin-Person": "root",
        "imagin_gateway": "root",
        "X-Harmless": "kept",
    }
    seen = client.get("/", headers=forged).header("x-seen").split(",")
    assert "HTTP_X_HARMLESS" in seen
    assert not [name for name in seen if "USER" in name or "REMOTE" in name or "IMAGIN" in name or "FREDU" in name]
    assert client.get("/", headers=forged).text == "personne"


@pytest.mark.row("RTE-09")
def test_a_server_cannot_slip_a_user_into_the_environ(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("wsgi")
    seen: dict[str, Any] = {}

    def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b""]

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_USER": "root", "AUTH_TYPE": "Basic"}
    list(opened.gateway.wsgi(host)({**environ, "imagin_gateway": "root"}, lambda *_: None))
    assert "REMOTE_USER" not in seen
    assert "AUTH_TYPE" not in seen
    assert person(seen) is None


@pytest.mark.row("RTE-09")
def test_the_identity_cannot_be_changed(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    session = house.gateway.session(client.cookies)
    assert session is not None
    who = session.identity
    with pytest.raises(AttributeError):
        who.subject = "root"  # type: ignore[misc]  # the point of the test
    with pytest.raises(TypeError):
        who.attributes["title"] = ("DIR",)  # type: ignore[index]  # the point of the test


def test_reading_a_session_writes_nothing_and_sets_no_cookie(
    house: TheHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    written: list[str] = []
    store = house.gateway.house.state
    for name in ("put", "put_if_absent", "swap", "keep_latest", "take", "delete", "increment", "delete_indexed"):
        monkeypatch.setattr(store, name, lambda *_, _name=name, **__: written.append(_name))
    for _ in range(5):
        reply = client.get("/missions")
        assert reply.status == 200
        assert reply.all("set-cookie") == []
    assert written == []


@pytest.mark.row("SES-04")
def test_the_session_cookie_is_host_only_secure_and_unreadable(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    for kind in ("wsgi", "asgi"):
        opened = make_house(kind, development=False, base_url="https://127.0.0.1:8400", passwords={})
        client = opened.client()
        sign_in(opened, client, "jdupont")
        (line,) = [each for each in client.jar_log if "session=" in each]
        name, _, rest = line.partition("=")
        assert name == "__Host-ig-session"
        parts = {part.strip() for part in rest.split(";")[1:]}
        assert parts == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
        assert len(line) < 4096


@pytest.mark.row("SES-06")
def test_cookies_end_with_the_browser_and_the_server_limits_rule(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    (line,) = [each for each in client.jar_log if "session=" in each]
    assert "Max-Age" not in line
    assert "Expires" not in line
    house.clock.move(30 * 60)
    assert client.get("/missions").status == 303


@pytest.mark.row("SES-09")
def test_after_logout_the_old_cookie_is_worthless(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    stolen = client.cookies["ig-session"]
    page = client.get("/connexion/fin")
    assert client.get("/missions").status == 200, "a GET ends nothing"
    done = client.submit(page, {})
    assert done.status == 303
    assert done.header("clear-site-data")
    assert "ig-session" not in client.cookies
    assert "portail" in client.follow(done).text
    client.cookies["ig-session"] = stolen
    assert client.get("/missions").status == 303


@pytest.mark.parametrize("cookie", ["", "x", "a.b", "é", "x" * 5000, '"; drop', "A" * 43 + "." + "B" * 43])
def test_a_forged_cookie_is_nobody(house: TheHouse, cookie: str) -> None:  # noqa: F811
    client = house.client(cookies={"ig-session": cookie})
    assert client.get("/").text == "personne"
    assert client.get("/missions").status == 303
    assert client.get("/connexion/").status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8401", "127.0.0.1:8400.evil.example", ""])
def test_a_wrong_host_name_is_refused_on_every_address_of_ours(house: TheHouse, host: str) -> None:  # noqa: F811
    client = house.client()
    for path in ("/connexion/", "/connexion/direct", "/connexion/fin", "/connexion/rien"):
        reply = client.get(path, host=host)
        assert reply.status == 400
        assert "evil" not in reply.text
        assert "evil" not in reply.location
    assert set(house.codes("request_refused")) == {Code.HOST_UNKNOWN}


def test_protection_holds_whatever_way_the_path_is_written(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    for path in (
        "/missions",
        "/missions/",
        "/missions/1",
        "//missions",
        "/%6dissions",
        "/a/../missions",
        "/./missions",
        "//missions/..",
        "/%2Fmissions%2F..",
        "///missions//x",
        "/missions/../autre",
    ):
        assert client.get(path).status in (303, 400), path
    for path in ("/", "/mission", "/missionsx", "/autre"):
        assert client.get(path).text == "personne", path


@pytest.mark.parametrize("end", ["%0A", "%0D%0A", "%00", "%09", "%1F", "%7F", "%C2%85", "%E2%80%A8", "%5C", "%0a/"])
def test_a_path_with_a_control_character_reaches_nobody(house: TheHouse, end: str) -> None:  # noqa: F811
    client = house.client()
    for path in ("/missions", "/", "/autre", "/connexion/direct"):
        reply = client.get(path + end)
        assert reply.status in (400, 404), path
        assert "x-seen" not in {name.lower() for name, _ in reply.headers}


@pytest.mark.parametrize(
    "path", ["/missions%0A", "/missions%0a", "/%2Fmissions%2F..", "//missions", "/missions/%0A", "missions"]
)
def test_real_routers_serve_nothing_to_a_path_written_oddly(make_house: Callable[..., TheHouse], path: str) -> None:  # noqa: F811
    from flask import Flask
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("secret")

    opened = make_house()
    asgi = opened.gateway.asgi(Starlette(routes=[Route("/missions", page), Route("/missions/{m}", page)]))
    flask = Flask("host")
    flask.add_url_rule("/missions", "a", lambda: "secret")
    flask.add_url_rule("/missions/<m>", "b", lambda m: "secret")
    for mount in (over_asgi(asgi), over_wsgi(opened.gateway.wsgi(flask.wsgi_app))):
        reply = Client(mount).get(path)
        assert reply.text != "secret"
        assert reply.status in (303, 308, 400, 404)


@pytest.mark.row("SAM-28")
@pytest.mark.parametrize(
    ("asked", "back"),
    [
        ("/missions/a%2Fb%3Bc;d=1?q=%2F&r=a+b", "/missions/a%2Fb%3Bc;d=1?q=%2F&r=a+b"),
        ("/missions/%e9t%c3%a9", "/missions/%e9t%c3%a9"),  # a link from the time of latin-1
        ("/missions/a|b", "/missions/a%7Cb"),
        ("/missions/a#b", "/missions/a%23b"),
        ("/missions?f=a\\b&g[]={x|y}&h=100%", "/missions?f=a%5Cb&g[]={x|y}&h=100%"),
    ],
)
@pytest.mark.parametrize("told", ["raw_path", "RAW_URI", "REQUEST_URI"])
def test_the_page_asked_for_is_told_as_the_browser_wrote_it(
    make_house: Callable[..., TheHouse],  # noqa: F811
    told: str,
    asked: str,
    back: str,
) -> None:
    opened = make_house("asgi" if told == "raw_path" else "wsgi")
    ways: list[str | None] = []

    def host(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        ways.append(step_up(environ))
        return host_wsgi(environ, start_response)

    async def host_too(scope: Any, receive: Any, send: Any) -> None:
        ways.append(step_up(scope))
        await host_asgi(scope, receive, send)

    def location(page: str) -> str:
        if told == "raw_path":
            return Client(over_asgi(opened.gateway.asgi(host_too))).get(page).location
        served = opened.gateway.wsgi(host)
        return Client(over_wsgi(lambda environ, start: served({**environ, told: page}, start))).get(page).location

    assert parse_qs(urlsplit(location(asked)).query) == {"next": [back]}
    assert not location(asked.replace("missions", "autre"))
    (way,) = ways
    assert parse_qs(urlsplit(str(way)).query) == {"next": [back.replace("missions", "autre")]}


@pytest.mark.row("WEB-09")
@pytest.mark.parametrize(
    "told", ["/autre", "/missions/../autre", "//evil.example/missions", "http://evil/missions", ""]
)
def test_what_a_server_tells_of_another_path_does_not_count(make_house: Callable[..., TheHouse], told: str) -> None:  # noqa: F811
    served = make_house("wsgi").gateway.wsgi(host_wsgi)
    reply = Client(over_wsgi(lambda environ, start: served({**environ, "RAW_URI": told}, start))).get("/missions")
    assert reply.location == "/connexion/?next=%2Fmissions"


@pytest.mark.parametrize("path", ["//autre", "//", "/./autre", "/autre/..", "/..", "autre", "/au\\tre"])
def test_a_path_that_routers_read_in_two_ways_is_refused_even_where_nothing_is_protected(
    house: TheHouse,  # noqa: F811
    path: str,
) -> None:
    reply = house.client().get(path)
    assert (reply.status, reply.text) == (400, "Adresse illisible.\nThis address cannot be read.")


@pytest.mark.parametrize("path", ["/coordonnees/../missions", "/missions/../coordonnees", "//coordonnees/../missions"])
def test_no_detour_around_an_activity(house: TheHouse, path: str) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    assert client.get("/coordonnees").status == 403
    assert client.get(path).status == 400


def test_what_tells_a_name_is_not_stored_even_on_an_open_page(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    reply = client.get("/")
    assert "jdupont" in reply.text
    assert reply.header("cache-control") == "no-store"


def test_an_asset_sets_no_cookie(house: TheHouse) -> None:  # noqa: F811
    client = house.client(cookies={})
    style = client.get("/connexion/").tree.xpath("//link[@rel='stylesheet']/@href")[0]
    assert house.client().get(style).all("set-cookie") == []


@pytest.mark.parametrize("length", ["²", "-1", "9" * 5000, "1e3", "0x10"])
def test_an_odd_length_is_a_refusal(house: TheHouse, length: str) -> None:  # noqa: F811
    client = house.client()
    client.get("/connexion/direct")
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": length}
    assert client.request("POST", "/connexion/direct", raw=b"", headers=kind).status == 413


def test_a_body_cut_on_its_way_is_acted_upon_by_nobody(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        messages.append(1)
        if len(messages) > 1:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"identifiant=a&motdepasse=b", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    messages: list[int] = []
    scope = {"type": "http", "method": "POST", "path": "/connexion/direct", "headers": [], "query_string": b""}
    asyncio.run(GatewayASGI(opened.gateway, host_asgi)(scope, receive, send))
    assert sent == []
    assert opened.events[-1]["event"] == "accounts_imported"


def test_a_kind_of_connection_nobody_knows_is_not_let_through(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")
    with pytest.raises(RuntimeError, match="webtransport"):
        asyncio.run(GatewayASGI(opened.gateway, host_asgi)({"type": "webtransport"}, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_fault_in_a_store_closes_what_is_protected(
    kind: str,
    make_house: Callable[..., TheHouse],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = make_house(kind, sessions={"cached": 0})
    client = opened.client()
    sign_in(opened, client, "jdupont", next_page="/missions")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom-secret")

    monkeypatch.setattr(opened.gateway.house.state, "get", broken)
    reply = client.get("/missions")
    assert reply.status == 500
    assert "boom-secret" not in reply.text
    assert client.get("/").text == "personne"


def test_a_rush_is_told_to_come_back_and_the_signed_in_still_pass(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")
    app = opened.gateway.asgi(host_asgi)
    client = Client(over_asgi(app))
    sign_in(opened, client, "jdupont", next_page="/missions")
    app._waiting = 64
    assert client.get("/connexion/direct").status == 503
    assert client.get("/connexion/direct").header("retry-after") == "5"
    assert client.get("/missions").status == 200


@pytest.mark.row("LOG-06")
def test_an_activity_the_door_does_not_open_is_refused_with_a_page(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    reply = client.get("/coordonnees")
    assert reply.status == 403
    assert reply.title == "Vous n’avez pas accès à cette page"
    assert house.codes("access_denied") == [Code.ACTIVITY_CLOSED]
    assert client.get("/missions").status == 200


def test_a_program_gets_a_401_instead_of_a_page(house: TheHouse) -> None:  # noqa: F811
    reply = house.client().get("/missions", headers={"Accept": "application/json"})
    assert reply.status == 401
    assert reply.header("content-type") == "application/problem+json"


@pytest.mark.row("INP-04")
def test_unlisted_methods_are_refused_everywhere(house: TheHouse) -> None:  # noqa: F811
    from imagin_gateway.flows.routes import ROUTES

    client = house.client()
    for route in ROUTES:
        path = "/connexion" + route.pattern.replace("{door}", "arena-creteil")
        allowed = set(route.methods)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"):
            overridden = {"X-HTTP-Method-Override": "POST"} if method == "GET" else {}
            reply = client.request(method, path, headers=overridden)
            assert (reply.status == 405) == (method not in allowed), (method, path)
            if method not in allowed:
                assert set(reply.header("allow").split(", ")) == allowed


@pytest.mark.row("INP-05")
def test_bodies_and_fields_are_bounded_before_they_are_read(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    client.get("/connexion/direct")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    big = b"a=" + b"x" * (10 * 1024 * 1024)
    assert client.request("POST", "/connexion/direct", raw=big, headers=kind).status == 413
    many = b"&".join(b"f%d=1" % number for number in range(10_000))
    assert len(many) < MAX_BODY_BYTES
    assert client.request("POST", "/connexion/direct", raw=many, headers=kind).status == 400
    for wrong in (b"a=%FF", b"a=%00", "é=é".encode()):
        assert client.request("POST", "/connexion/direct", raw=wrong, headers=kind).status == 400
    # JSON is what the script of a host sends, and no portal; a body of any other type is nothing here.
    for media, path in (
        ("text/plain", "direct"),
        ("multipart/form-data", "direct"),
        ("application/json", "assistance"),
    ):
        sent = client.request("POST", f"/connexion/{path}", raw=b"{}", headers={"Content-Type": media})
        assert sent.status == 415, media
    assert client.get("/connexion/?next=/" + "a" * 20_000).status == 413


@pytest.mark.row("SES-15")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_while_the_store_is_down_nobody_is_signed_in(kind: str, make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    server = PrivateRedis()
    server.start()
    try:
        opened = make_house(kind, state={"url": server.url})
        client = opened.client()
        sign_in(opened, client, "jdupont", next_page="/missions")
        assert client.get("/missions").status == 200
        server.stop()
        assert client.get("/").text == "personne"
        reply = client.get("/missions")
        assert reply.status == 503
        assert reply.header("retry-after")
        assert client.get("/connexion/fin").status == 503
        assert client.get("/connexion/portail/arena-paris").status == 503
        assert direct(opened.client(), "mdurand7", "x").status == 503
        server.start()
        assert client.get("/missions").status == 303, "what the server held is lost: nobody is signed in"
        sign_in(opened, client, "jdupont", next_page="/missions")
        assert client.get("/missions").status == 200
    finally:
        server.close()


@pytest.mark.row("SES-15")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_while_sqlite_is_unreadable_nobody_is_signed_in(
    kind: str,
    make_house: Callable[..., TheHouse],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = make_house(kind, sessions={"cached": 0})
    client = opened.client()
    sign_in(opened, client, "jdupont", next_page="/missions")
    with monkeypatch.context() as down:

        def no_answer(*_: object, **__: object) -> None:
            raise Unavailable("down")

        down.setattr(opened.gateway.house.state, "get", no_answer)
        assert client.get("/").text == "personne"
        assert client.get("/missions").status == 503
        assert client.get("/connexion/fin").status == 503
    assert client.get("/missions").status == 200


@pytest.mark.row("WEB-06")
def test_pages_redirects_errors_and_authenticated_answers_are_not_stored(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    for path in ("/connexion/", "/connexion/rien", "/connexion/mot-de-passe", "/connexion/arrivee", "/missions"):
        assert client.get(path).header("cache-control") == "no-store", path
    sign_in(house, client, "jdupont", next_page="/missions")
    assert client.get("/missions").header("cache-control") == "no-store"


def test_a_websocket_is_let_in_by_the_same_rule(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")
    client = opened.client()
    sign_in(opened, client, "jdupont", next_page="/missions")
    cookie = f"ig-session={client.cookies['ig-session']}".encode()

    def handshake(path: str, headers: list[tuple[bytes, bytes]]) -> list[Any]:
        met: list[Any] = []

        async def host(scope: Any, receive: Any, send: Any) -> None:
            met.append(person(scope))

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            met.append(message["type"])

        scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "client": ("192.0.2.1", 1)}
        asyncio.run(GatewayASGI(opened.gateway, host)(scope, receive, send))
        return met

    assert handshake("/missions/flux", []) == ["websocket.close"]
    assert handshake("/connexion/direct", []) == ["websocket.close"]
    (who,) = handshake("/missions/flux", [(b"cookie", cookie)])
    assert who.subject == "jdupont"


def test_the_offload_is_the_hosts_to_choose(make_house: Callable[..., TheHouse]) -> None:  # noqa: F811
    opened = make_house("asgi")
    calls: list[Any] = []

    async def offload(call: Any) -> Any:
        calls.append(call)
        return call()

    client = Client(over_asgi(opened.gateway.asgi(host_asgi, offload=offload)))
    assert client.get("/").text == "personne"
    assert calls == [], "an anonymous request to an open page costs no hop"
    assert client.get("/connexion/").status == 200
    assert len(calls) == 1


def test_a_host_without_the_gateway_is_told_so() -> None:
    with pytest.raises(RuntimeError, match="not mounted"):
        person({"type": "http"})


@pytest.mark.row("THR-08")
@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("192.0.2.1", "10.0.0.1", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9, 203.0.113.5", 1, "203.0.113.5"),
        ("192.0.2.1", "forged, 198.51.100.9, 203.0.113.5", 2, "198.51.100.9"),
        ("192.0.2.1", "", 1, "192.0.2.1"),
        ("192.0.2.1", "nonsense", 1, "192.0.2.1"),
        ("", "2001:db8::1", 1, "2001:db8::1"),
        ("2001:DB8::1", "", 0, "2001:db8::1"),
        ("::ffff:192.0.2.7", "", 0, "192.0.2.7"),
        ("10.0.0.1", "::ffff:203.0.113.5", 1, "203.0.113.5"),
        ("10.0.0.1", "198.51.100.9, 203.0.113.5:49152", 1, "203.0.113.5"),
        ("", "[2001:db8::1]:443, 10.0.0.2:80", 2, "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", 1, "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1:443", 1, "2001:db8::1:443"),
        ("10.0.0.1", "203.0.113.5:port", 1, "10.0.0.1"),
    ],
)
def test_the_client_address_comes_from_declared_proxies_only(
    peer: str, forwarded: str, trusted: int, expected: str
) -> None:
    assert client_address(peer, forwarded, trusted) == expected


def test_names_that_only_look_like_ours_are_left_alone() -> None:
    assert not is_identity_header("x-request-id")
    assert not is_identity_header("authorization")
    assert is_identity_header("CT_Remote-User")
