"""What a portal tells beyond the vocabulary is nowhere after the login: neither kept nor logged.

Not the whole of row DPO-03: the ID token of an OpenID portal is kept, whole, for the logout.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.flows.conftest import TheHouse, open_house
from tests.flows.saml_house import SamlHouse, sections
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import Provider
from tests.providers.saml import forge
from tests.state.servers import PrivateRedis

PARIS = "arena-paris"

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


def hold(house: TheHouse, kept: Kept, told: str, canaries: list[str], log: str) -> None:
    """See that what is mapped is there, so that the search could find something; and that the rest is nowhere."""
    everything = kept() + "".join(house.lines).encode() + log.encode()
    assert told.encode() in everything, "the search would find nothing at all"
    assert [each for each in canaries if each.encode() in everything] == []


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


def test_openid_claims_outside_the_vocabulary_are_nowhere(
    engine: tuple[str, dict[str, Any], Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kind, changes, kept = engine
    canaries = [f"canari{secrets.token_hex(8)}" for _ in EXTRA]
    house = open_house(kind, tmp_path, **changes)
    redirect_uri = house.gateway.settings.url(f"/portail/{PARIS}/retour")
    provider = Provider("https://oidc.paris.example", house.clock.now(), redirect_uri)
    provider.person = {**provider.person, "codaca": "1", **dict(zip(EXTRA, canaries, strict=True))}
    house.gateway.house.portals[PARIS] = OidcPortal.open(  # type: ignore[index]  # a dict
        PARIS,
        configured(provider.issuer, academie=1),
        redirect_uri=redirect_uri,
        development=True,
        transport=provider.transport(),
    )
    try:
        client = house.client()
        left = client.get(f"/connexion/portail/{PARIS}?next=/missions/5")
        provider.now = house.clock.now()
        answer = provider.authorize(left.location)
        query = "&".join(f"{name}={value}" for name, value in answer.items())
        assert client.follow(client.get(f"/connexion/portail/{PARIS}/retour?{query}")).status == 200
        hold(house, kept, provider.person["sub"], canaries, caplog.text)
    finally:
        house.gateway.close()
