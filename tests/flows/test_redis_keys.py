"""Whatever people and portals send, a key in Redis is our words and a digest of ours (row INP-06).

A real server tells every command it ran, those of the scripts included, while whole journeys are made of the worst
texts; what it holds is looked at after every other journey of this suite as well (`flows/conftest.py`).
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from imagin_gateway.local.door import Letter
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.store import Space
from tests.flows.conftest import TheHouse, direct, sign_in
from tests.flows.test_direct_journeys import GOOD, choose
from tests.flows.test_second_factor import add_application, code
from tests.state.key_shapes import held, kinds, odd, touched
from tests.state.servers import PrivateRedis, until

HOSTILE = (
    "x'; DROP TABLE sessions; --",
    "x*",
    "x?[a-z]",
    "{x}:y",
    "x]}",
    "x:session:y",
    "x%3Ay",
    "x\\",
    "х🚪é",
    "مرحبا",
    "x" * 64,
)


@pytest.mark.row("INP-06")
def test_no_text_from_outside_stands_in_a_key(
    redis_server: PrivateRedis, make_house: Callable[..., TheHouse], tmp_path: Path
) -> None:
    redis_server.empty()
    with touched(redis_server) as keys:
        house = make_house(state={"url": redis_server.url}, second_factor={"mode": "optional", "trusted_days": 7})
        _by_the_direct_door(house, tmp_path)
        _by_portals(house)
        _by_cookies_and_tokens(house)
        with redis_server.client() as client:
            # The watch beats in its own time, which a quick journey does not wait for.
            until(lambda: "beat" in kinds(held(client)), "a beat")
            left = held(client)
    assert odd(keys) == []
    assert set(left) <= keys
    # Every kind of key was made: else the look looked at nothing.
    assert kinds(keys) == {
        *("session", "flow", "replay", "counter", "seen", "number", "beat"),
        *("index counter", "index session all"),
        *(f"index session {kind}" for kind in ("person", "portal", "name", "door", "handle")),
    }


def _by_the_direct_door(house: TheHouse, folder: Path) -> None:
    listing = folder / "hostile.csv"
    with listing.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(["Identifiant", "Nom", "Courriel"])
        lines.writerows([each, "X", f"h{number}@exemple.test"] for number, each in enumerate(HOSTILE))
    issued: list[Letter] = []
    house.gateway.house.direct.lists.import_list(listing, each=issued.append)
    letters = {each.identifier: each.provisional.reveal() for each in issued if each.provisional}
    for identifier in HOSTILE[::3]:
        client = house.client(address="2001:db8::1")
        assert direct(client, identifier, "un mauvais mot de passe").status == 403
        client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": identifier})
        page = client.follow(direct(client, identifier, letters[identifier]))
        assert choose(client, page).status == 303
        assert direct(house.client(), identifier, GOOD).status == 303
    client = house.client()
    assert direct(client, HOSTILE[0], GOOD).status == 303
    secret, _ = add_application(house, client)
    _trust(house, HOSTILE[0], secret)


def _trust(house: TheHouse, identifier: str, secret: str) -> None:
    client = house.client()
    assert direct(client, identifier, GOOD).location == "/connexion/etape"
    client.submit(client.get("/connexion/etape"), {"code": code(house, secret), "confiance": "oui"})
    assert "ig-trusted" in client.cookies


def _by_portals(house: TheHouse) -> None:
    for each in HOSTILE:
        client = house.client()
        told = {"sid": each, "name": each, "hint": each, "relay": each}
        assert sign_in(house, client, each, **told).status == 200
        assert client.get("/missions").text.startswith(f"arena-creteil|{each}|")
        unsolicited = {"who": each, "id": each, **told}
        assert house.client().post("/connexion/portail/arena-creteil/acs", unsolicited).status == 303
        order = {"signed": "yes", "who": each, "name": each, "id": each}
        reply = house.client().post("/connexion/portail/arena-creteil/fin", order)
        assert reply.text == "done"
        assert client.get("/missions").status == 303, "its own session, by its own name"
        house.client().get("/connexion/portail/arena-paris/retour?" + urlencode({"who": each, "to": each}))


def _by_cookies_and_tokens(house: TheHouse) -> None:
    for each in HOSTILE:
        client = house.client()
        client.cookies = {
            f"ig-{name}": quote(each) for name in ("session", "browser", "known", "trusted", "waiting", "step")
        }
        client.get("/connexion/", headers={"X-Forwarded-For": each.encode().decode("latin-1")})
        client.get("/missions")
        client.get(f"/connexion/arrivee?billet={quote(each)}")
        client.get(f"/connexion/mot-de-passe/lien?jeton={quote(each)}")
        client.get(f"/connexion/acces/{quote(each)}")
        client.get(f"/connexion/portail/{quote(each)}")
        house.gateway.house.sessions.end_handle(each)
        house.gateway.house.sessions.end_person(each, each)
        house.gateway.house.sessions.end_portal_session(each, each)
        house.gateway.house.sessions.end_name_id(each, each, [each])
        house.gateway.house.sessions.end_door(each)


def test_a_key_made_of_what_was_sent_would_be_seen(redis_server: PrivateRedis) -> None:
    redis_server.empty()
    for key in (*HOSTILE, "mdurand7", secrets.token_hex(16), "person:" + "0" * 64):
        with touched(redis_server) as keys, closing(RedisStateStore(redis_server.url)) as store:
            store.put(Space.SESSION, key, b"v", expires_at=2e9, now=1e9)
            store.find(Space.SESSION, "person:" + key, now=1e9)
        assert len(odd(keys)) == 2, keys
    assert odd(["{imagin-gateway}:session:" + "0" * 64, "{imagin-gateway}:number"]) == []
