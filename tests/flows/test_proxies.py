"""A proxy in front that nobody declared: told once, with the line to change, and never believed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from imagin_gateway.exchange import Request
from imagin_gateway.flows.proxies import KEPT, undeclared
from imagin_gateway.operating.proxies import noticed
from tests.flows.conftest import TheHouse

THROUGH = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def told(house: TheHouse) -> list[str]:
    """Return what `imagin-gateway check` would say."""
    gateway = house.gateway
    found = noticed(gateway.settings, gateway.house.state, gateway.house.keys, house.clock)
    return [str(problem) for problem in found]


def test_it_is_told_once_and_not_believed(house: TheHouse, caplog: pytest.LogCaptureFixture) -> None:
    client = house.client()
    assert client.get("/connexion/").status == 200
    assert told(house) == []
    with caplog.at_level(logging.WARNING, "imagin_gateway"):
        for _ in range(3):
            assert client.get("/connexion/", headers=THROUGH).status == 200
    (event,) = [each for each in house.events if each["event"] == "proxy_undeclared"]
    assert event["address"] == client.address
    assert event["detail"] == {"header": "x-forwarded-for", "setting": "trusted_proxies"}
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"from {client.address} with x-forwarded-for" in line
    assert line.endswith("trusted_proxies = 1")
    (said,) = told(house)
    assert said.startswith("trusted_proxies : des requêtes portent x-forwarded-for, et aucun mandataire n'est déclaré")
    assert said.endswith("→ trusted_proxies = 1, s'il est à vous")
    # Who fails to log in is told by the address that was seen, not by the one that was written.
    page = client.get("/connexion/direct", headers=THROUGH)
    client.submit(page, {"identifiant": "personne9", "motdepasse": "girafe mandarine"}, headers=THROUGH)
    assert {each["address"] for each in house.events if each["event"] == "login_refused"} == {client.address}

    house.clock.move(KEPT + timedelta(seconds=1))
    assert told(house) == []


def test_a_proxy_that_is_declared_is_no_news(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(trusted_proxies=1)
    house.client().get("/connexion/", headers=THROUGH)
    assert house.codes("proxy_undeclared") == []
    assert told(house) == []


def test_once_it_is_declared_check_says_no_more(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    house.client().get("/connexion/", headers=THROUGH)
    gateway = house.gateway
    declared = gateway.settings.model_copy(update={"trusted_proxies": 1})
    assert told(house)
    assert noticed(declared, gateway.house.state, gateway.house.keys, house.clock) == []


def test_a_declared_proxy_that_speaks_another_header_is_told(make_house: Callable[..., TheHouse]) -> None:
    house = make_house("asgi", trusted_proxies=1)
    house.client().get("/connexion/", headers={"Forwarded": "for=203.0.113.9"})
    (event,) = [each for each in house.events if each["event"] == "proxy_undeclared"]
    assert event["detail"]["header"] == "forwarded"
    (line,) = told(house)
    assert line.endswith("→ faire ajouter X-Forwarded-For par le mandataire")


@pytest.mark.parametrize(
    ("declared", "headers", "peer", "header"),
    [
        (0, {}, "192.0.2.1", ""),
        (0, {"x-forwarded-for": "203.0.113.9"}, "192.0.2.1", "x-forwarded-for"),
        (0, {"x-forwarded-for": "203.0.113.9"}, "", "x-forwarded-for"),
        (0, {"forwarded": "for=1"}, "192.0.2.1", "forwarded"),
        (0, {"x-real-ip": "203.0.113.9"}, "192.0.2.1", "x-real-ip"),
        (0, {"x-forwarded-proto": "https"}, "192.0.2.1", "x-forwarded-proto"),
        # The server in front of us has read it: the peer it tells is the client.
        (0, {"x-forwarded-for": "203.0.113.9, 10.0.0.1"}, "203.0.113.9", ""),
        (1, {"x-forwarded-for": "203.0.113.9"}, "192.0.2.1", ""),
        (1, {"x-forwarded-for": "203.0.113.9", "forwarded": "for=1"}, "192.0.2.1", ""),
        (1, {"forwarded": "for=1"}, "192.0.2.1", "forwarded"),
        (1, {}, "192.0.2.1", ""),
    ],
)
def test_what_tells_of_it(declared: int, headers: Mapping[str, str], peer: str, header: str) -> None:
    assert undeclared(declared, Request("GET", "/", b"", headers, address=peer, peer=peer)) == header


def test_a_store_that_is_down_does_not_stop_the_page(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagin_gateway.errors import Code, Unavailable

    house = make_house()

    def down(*_: object, **__: object) -> None:
        raise Unavailable("down", code=Code.STORE_UNAVAILABLE)

    monkeypatch.setattr(house.gateway.house.state, "put", down)
    assert house.client().get("/connexion/", headers=THROUGH).status == 200
    assert len([each for each in house.events if each["event"] == "proxy_undeclared"]) == 1
