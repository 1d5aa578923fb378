"""Every route, by every method, to anybody, somebody and somebody half inside: what each answer must carry.

The routes are the gateway's own table, so one that is added is crawled. An answer is a page, a redirect, a document
or an asset; each kind has its headers, and nothing else may come out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from imagin_gateway.flows.routes import ROUTES
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse
from tests.flows.test_direct_journeys import GOOD

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")

CROSS: Final = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

TYPES: Final = {
    "text/html; charset=utf-8",
    "text/plain; charset=utf-8",
    "application/json; charset=utf-8",
    "application/problem+json; charset=utf-8",
    "application/problem+json",
    "application/json",
}

BASE: Final = "https://127.0.0.1:8400"

TELLING: Final = ("server", "x-powered-by", "via", "x-runtime", "x-debug", "x-aspnet-version")


def addresses() -> Iterator[str]:
    """Every route, at a door that is there and at one that is not; then what is no route at all."""
    for route in ROUTES:
        for door in ("arena-creteil", "arena-paris", "nowhere") if "{door}" in route.pattern else ("",):
            yield "/connexion" + route.pattern.replace("{door}", door).replace("{step}", "1")
    yield from ("/connexion", "/connexion/rien", "/connexion/static/none.css", "/connexion//", "/connexion/%2e%2e/x")


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def crawled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheHouse]:
    from tests.flows.conftest import open_house

    house = open_house(
        request.param, tmp_path_factory.mktemp("crawled"), development=False, base_url=BASE, passwords={}
    )
    yield house
    house.gateway.close()


def nobody(house: TheHouse) -> Client:
    return house.client()


def half_inside(house: TheHouse) -> Client:
    """Somebody whose session may only choose a first password."""
    client = house.client()
    page = client.get("/connexion/direct")
    letter = {"identifiant": "pmartin2", "motdepasse": house.letters["pmartin2"]}
    assert client.submit(page, letter, headers={"Origin": BASE}).location == "/connexion/mot-de-passe"
    return client


def somebody(house: TheHouse) -> Client:
    client = house.client()
    page = client.get("/connexion/direct")
    if house.letters.get("mdurand7"):
        given = {"identifiant": "mdurand7", "motdepasse": house.letters.pop("mdurand7")}
        client.submit(page, given, headers={"Origin": BASE})
        page = client.get("/connexion/mot-de-passe")
        reply = client.submit(page, {"nouveau": GOOD, "encore": GOOD}, headers={"Origin": BASE})
    else:
        reply = client.submit(page, {"identifiant": "mdurand7", "motdepasse": GOOD}, headers={"Origin": BASE})
    assert reply.status == 303, reply.title
    return client


PEOPLE: Final[dict[str, Callable[[TheHouse], Client]]] = {
    "nobody": nobody,
    "half inside": half_inside,
    "somebody": somebody,
}


def hold(reply: Reply, method: str, path: str) -> None:
    """Hold one answer to what every answer of the gateway carries."""
    header = reply.header
    assert header("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert header("x-content-type-options") == "nosniff"
    assert header("referrer-policy") == "no-referrer"
    assert header("cross-origin-opener-policy") == "same-origin"
    assert header("cross-origin-resource-policy") == "same-origin"
    assert header("cache-control") == "no-store"
    names = {name.lower() for name, _ in reply.headers}
    assert not [name for name in names if name.startswith("access-control-") or name in TELLING]
    assert reply.status < 500 or path.endswith(("/etat/pret", "/pret")), reply.text
    if reply.body:
        assert method != "HEAD"
        assert header("content-type") in TYPES
    if header("content-type").startswith("text/html"):
        hold_page(reply, path)
    if reply.status in range(300, 400):
        assert reply.status == 303, "a POST that is redirected otherwise is sent again, with what it carries"
        there = urlsplit(reply.location)
        assert not there.netloc or there.hostname in {"arena-creteil.example", "arena-paris.example"}
        assert there.netloc or reply.location.startswith("/connexion")
    if reply.status == 405:
        assert header("allow")
    for line in reply.all("set-cookie"):
        hold_cookie(line)


def hold_page(reply: Reply, path: str) -> None:
    policy = dict(part.split(" ", 1) for part in reply.header("content-security-policy").split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["object-src"] == "'none'"
    assert policy["style-src"] in ("'self'", "'none'")
    assert re.fullmatch(r"'nonce-[A-Za-z0-9_-]{22,}'|'none'", policy.get("script-src", "'none'"))
    if path.endswith("/fin/cadre"):
        # The portal shows it inside its own page, and nobody else may.
        assert "'none'" not in policy["frame-ancestors"] or reply.status >= 400
        assert "*" not in policy["frame-ancestors"]
    else:
        assert policy["frame-ancestors"] == "'none'"
        assert reply.header("x-frame-options") == "DENY"
    for target in policy["form-action"].split():
        assert target in ("'self'", "'none'") or urlsplit(target).hostname in {"arena-creteil.example"}


def hold_cookie(line: str) -> None:
    name, _, _ = line.partition("=")
    parts = {part.strip().lower() for part in line.split(";")[1:]}
    assert name.startswith("__Host-")
    assert {"secure", "httponly", "path=/"} <= parts
    assert parts & {"samesite=lax", "samesite=strict", "samesite=none"}
    assert not [part for part in parts if part.startswith("domain")]


@pytest.mark.row("WEB-01")
@pytest.mark.row("WEB-02")
@pytest.mark.row("WEB-03")
@pytest.mark.row("WEB-04")
@pytest.mark.row("WEB-05")
@pytest.mark.row("WEB-06")
@pytest.mark.row("WEB-08")
@pytest.mark.parametrize("who", PEOPLE)
def test_every_route_by_every_method_carries_what_it_must(crawled: TheHouse, who: str) -> None:
    client = PEOPLE[who](crawled)
    kept = dict(client.cookies)
    seen: dict[str, set[int]] = {}
    for path in addresses():
        for method in METHODS:
            # What one act ends must not be ended for the next.
            client.cookies = dict(kept)
            reply = client.request(method, path, headers=CROSS, data={"who": "x"} if method == "POST" else None)
            try:
                hold(reply, method, path)
            except AssertionError as error:
                error.add_note(f"{method} {path} -> {reply.status}")
                raise
            seen.setdefault(method, set()).add(reply.status)
    assert {200, 303, 404} <= seen["GET"]
    for method in METHODS[3:]:
        assert seen[method] <= {404, 405, 403, 400, 303}, (method, seen[method])
    assert not seen["TRACE"] & {200}


@pytest.mark.row("WEB-07")
@pytest.mark.parametrize("who", PEOPLE)
def test_no_form_from_another_site_does_anything(crawled: TheHouse, who: str) -> None:
    client = PEOPLE[who](crawled)
    kept = dict(client.cookies)
    for route in ROUTES:
        if "POST" not in route.handlers or route.cross_site:
            continue
        path = "/connexion" + route.pattern
        client.cookies = dict(kept)
        reply = client.post(path, {"nouveau": GOOD, "encore": GOOD, "fin": "toutes"}, headers=CROSS)
        assert reply.status in (303, 400, 403, 404), path
        if reply.status == 303:
            # Nobody may act there at all: away to a login, or to where this session must go.
            assert not reply.location.endswith(("/faite", "/fait", "/envoye")), path
    client.cookies = dict(kept)
    if who == "somebody":
        assert client.get("/connexion/session").status == 200, "the session is as it was"


def test_a_form_open_too_long_is_opened_again_on_the_way_it_was_on(crawled: TheHouse) -> None:
    client = somebody(crawled)
    for route in ROUTES:
        if "POST" not in route.handlers or route.cross_site:
            continue
        told = client.post("/connexion" + route.pattern, {"formulaire": "x", "next": "/missions?jour=1&lieu=2"})
        (again,) = told.tree.xpath("//a[contains(@class, 'ig-button')]/@href")
        # An act of the help desk is asked of an account, which only its own page names.
        assert not again.endswith("/assistance/acte")
        assert client.get(again).status != 405, route.pattern
        if told.status == 403:
            kept = "?next=%2Fmissions%3Fjour%3D1%26lieu%3D2" if "next" in (route.takes or ()) else ""
            assert again.endswith(kept or again.partition("?")[0]), route.pattern
        elsewhere = client.post("/connexion" + route.pattern, {"formulaire": "x", "next": "//evil.example"})
        assert b"evil" not in elsewhere.body


def test_a_script_is_told_the_same_way_on(crawled: TheHouse) -> None:
    told = nobody(crawled).request(
        "POST",
        "/connexion/direct",
        raw=b'{"formulaire": "x", "next": "/missions"}',
        headers={"Accept": "application/json", "Content-Type": "application/json"},
    )
    assert json.loads(told.body)["links"][0]["href"] == "/connexion/direct?next=%2Fmissions"
