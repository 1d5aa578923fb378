"""What a portal tells beyond the vocabulary is nowhere after the login: neither kept nor logged."""

from __future__ import annotations

import base64
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import TheHouse, open_house
from tests.flows.openid import DOOR, OpenId
from tests.flows.saml_house import SamlHouse, sections
from tests.portals.speakers import PERSON, Headers
from tests.providers.saml import forge
from tests.state.servers import PrivateRedis

BASE = "http://127.0.0.1:8400"

EXTRA = ("employeeNumber", "datenaissance", "discim", "grade", "homePostalAddress", "urn:oid:1.2.3.4", "memberOf")
"""The NUMEN, a birth date, a career, an address: told by real portals, asked for by nobody here."""

Kept = Callable[[], bytes]


@pytest.fixture(params=["wsgi-sqlite", "asgi-redis"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, Any], Kept]]:
    """Return a mount, settings of a store, and how to read every byte that is kept anywhere."""
    kind, _, name = request.param.partition("-")

    def files() -> bytes:
        return b"".join(each.read_bytes() for each in tmp_path.glob("*.db*"))

    if name == "sqlite":
        yield kind, {}, files
        return
    server: PrivateRedis = request.getfixturevalue("redis_server")
    with server.client() as client:
        client.flushall()
        yield kind, {"state": {"url": server.url}}, lambda: files() + b"".join(_redis(client))


def _redis(client: Any) -> Iterator[bytes]:
    for key in client.scan_iter():
        yield key if isinstance(key, bytes) else key.encode()
        kind = client.type(key)
        reader = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}.get(kind)
        yield repr(reader(key) if reader else client.zrange(key, 0, -1) if kind == b"zset" else kind).encode()


def hold(house: TheHouse, kept: Kept, told: str, canaries: list[str], log: str) -> bytes:
    """See that what is mapped is there, so that the search could find something; and that the rest is nowhere.

    What stands inside a token is looked for too, wherever a token begins.
    """
    everything = kept() + "".join(house.lines).encode() + log.encode()
    within = everything + b"".join(_decoded(each) for each in re.findall(rb"[A-Za-z0-9_-]{16,}", everything))
    assert told.encode() in everything, "the search would find nothing at all"
    assert [each for each in canaries if each.encode() in within] == []
    return everything


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text[: len(text) // 4 * 4])


@pytest.mark.row("DPO-03")
def test_saml_attributes_outside_the_vocabulary_are_nowhere(
    engine: tuple[str, dict[str, Any], Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kind, changes, kept = engine
    canaries = [f"canari{secrets.token_hex(8)}" for _ in EXTRA]
    house = open_house(kind, tmp_path, portals=sections(tmp_path), **changes)

    def more(root: Any) -> None:
        forge.drop_attributes(root, *EXTRA)
        for name, value in zip(EXTRA, canaries, strict=True):
            forge.add_attribute(root, name, value)

    try:
        client = house.client()
        assert SamlHouse(house).sign_in(client, edit=more).status == 200
        hold(house, kept, forge.PERSON.login, canaries, caplog.text)
    finally:
        house.gateway.close()


@pytest.mark.row("DPO-03")
def test_headers_outside_the_vocabulary_are_nowhere(
    engine: tuple[str, dict[str, Any], Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kind, changes, kept = engine
    canaries = [f"canari{secrets.token_hex(8)}" for _ in EXTRA]
    house = open_house(kind, tmp_path, **changes)
    try:
        more = {name.replace(":", "-"): (canary,) for name, canary in zip(EXTRA, canaries, strict=True)}
        there, client = Headers(house, tmp_path), house.client()
        there.login(client, changes=more)
        assert there.is_in(client)
        hold(house, kept, PERSON["rne"][0], canaries, caplog.text)
    finally:
        house.gateway.close()


@pytest.mark.row("DPO-03")
@pytest.mark.parametrize("where", ["userinfo", "id_token", "header"])
def test_openid_claims_outside_the_vocabulary_are_nowhere(
    engine: tuple[str, dict[str, Any], Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    caplog.set_level(logging.DEBUG)
    kind, changes, kept = engine
    canaries = [f"canari{secrets.token_hex(8)}" for _ in EXTRA]
    more = dict(zip(EXTRA, canaries, strict=True))
    house = open_house(kind, tmp_path, **changes)
    try:
        there = OpenId.open(house)
        there.provider.person |= {"codaca": "1", **(more if where != "header" else {})}
        there.provider.id_token_tells_the_person = where == "id_token"
        if where == "header":
            there.provider.edit_header = lambda told: told.update(more)
        client = there.sign_in()
        everything = hold(house, kept, there.provider.person["sub"], canaries, caplog.text)
        # Signed tokens write what they say in base64: they are kept whole, or not at all.
        (token,) = there.provider.id_tokens
        assert (token.encode() in everything) is (where == "userinfo")
        back = there.provider.end_session(
            there.leave(client).location, house.gateway.settings.url(f"/portail/{DOOR}/fin")
        )
        assert ("id_token_hint" in there.provider.ended[-1]) is (where == "userinfo")
        assert "reste ouvert" not in client.follow(client.get(back.removeprefix(BASE))).text
        hold(house, kept, "logout_at_portal", canaries, caplog.text)
        (event,) = [each for each in map(json.loads, house.lines) if each["event"] == "logout_at_portal"]
        assert event["detail"] == {"id_token": where == "userinfo"}
    finally:
        house.gateway.close()


def test_a_whole_id_token_is_kept_where_the_settings_say_so(house: TheHouse, tmp_path: Path) -> None:
    there = OpenId.open(house, logout_id_token="any")
    there.provider.id_token_tells_the_person = True
    there.provider.person["numen"] = f"canari{secrets.token_hex(8)}"
    client = there.sign_in()
    there.provider.end_session(there.leave(client).location, house.gateway.settings.url(f"/portail/{DOOR}/fin"))
    assert there.provider.ended[-1]["id_token_hint"] == there.provider.id_tokens[-1]
