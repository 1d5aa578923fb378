"""The inventory tells what runs: compared with the configuration, and searched for secrets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imagin_gateway.cli.root import app
from imagin_gateway.keys import MASK, Secret, key_version
from imagin_gateway.operating import risks
from imagin_gateway.operating.inventory import Table, inventory
from imagin_gateway.settings import Settings
from tests.operating.house import House
from tests.providers.saml import forge


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.new(tmp_path)


def tables(house: House) -> dict[str, Table]:
    return {table.id: table for table in inventory(Settings.load(house.save()), datetime.now(UTC))}


def run(house: House, *words: str) -> str:
    done = CliRunner().invoke(app, ["inventory", "--settings", str(house.save()), *words])
    assert done.exit_code == 0, done.output
    return done.output


def openid(house: House) -> None:
    house.values["portals"]["arena-versailles"] = {
        "protocol": "oidc",
        "issuer": "https://versailles.exemple.test",
        "client_id": "imagin",
        "client_secret": "env:CLIENT_SECRET",
        "algorithms": ["ES256"],
    }


@pytest.mark.row("KEY-07")
def test_every_key_is_listed_with_its_use_its_strength_and_its_state(house: House) -> None:
    house.add_saml()
    house.values["keys"]["signing"].append(secrets.token_urlsafe(48))
    rows = tables(house)["keys"].rows
    for purpose in ("signing", "provisional", "factors"):
        versions = [key_version(Secret(key)) for key in house.values["keys"][purpose]]
        told = [(row[1], row[5]) for row in rows if f"keys.{purpose}" in row[0]]
        states = ["vérifie seulement"] * (len(versions) - 1) + ["en service"]
        assert told == list(zip(versions, states, strict=True))
    ours = [row for row in rows if "notre clé SAML" in row[0]]
    assert [(row[2], row[3], row[5]) for row in ours] == [("RSA", "3072 bits", "en service")]
    theirs = [row for row in rows if "clé du portail" in row[0]]
    assert [(row[2], row[3]) for row in theirs] == [("RSA", "3072 bits")]
    assert [row[5] for row in rows if "keys.pepper" in row[0]] == ["aucune"]


@pytest.mark.row("KEY-07")
def test_what_cannot_be_read_is_listed_all_the_same(house: House) -> None:
    house.add_saml(theirs=b"<nothing/>")
    settings = Settings.load(house.save())
    settings.portals["arena-creteil"].private_key.write_bytes(b"spoilt")  # type: ignore[union-attr]  # a SAML portal
    rows = {row[0]: row for table in inventory(settings, datetime.now(UTC)) if table.id == "keys" for row in table.rows}
    assert rows["arena-creteil : notre clé SAML"][1] == "illisible"
    assert rows["arena-creteil : clé du portail"][1] == "illisible"


@pytest.mark.row("KEY-07")
def test_algorithms_are_those_that_the_settings_leave(house: House) -> None:
    def told(name: str) -> str:
        return next(row[1] for row in tables(house)["algorithms"].rows if row[0].startswith(name))

    assert "64 Mio, t=3" in told("mots de passe choisis")
    house.values["passwords"] = {"profile": "owasp"}
    assert "19 Mio, t=2" in told("mots de passe choisis")
    house.add_saml()
    assert "rsa-sha256" in told("signatures SAML")
    assert "cbc" not in told("chiffrement SAML")
    house.add_saml(allow_cbc=True, forbidden_algorithms=["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"])
    assert "rsa-sha256" not in told("signatures SAML")
    assert "aes256-cbc" in told("chiffrement SAML")
    assert "sha1" not in (told("signatures SAML") + told("empreintes SAML"))


@pytest.mark.row("KEY-07")
def test_libraries_are_those_installed(house: House) -> None:
    told = {row[0]: row[1] for row in tables(house)["libraries"].rows}
    for name in ("cryptography", "argon2-cffi", "authlib", "lxml", "xmlsec", "pysaml2", "redis", "sqlalchemy"):
        assert told[name] == version(name)
    assert {"Python", "OpenSSL", "libxml2"} <= set(told)


@pytest.mark.row("KEY-07", "DPO-07")
@pytest.mark.parametrize("words", [(), ("--json",), ("--markdown",)], ids=["text", "json", "markdown"])
def test_no_secret_is_in_it(house: House, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """Every setting that holds a secret holds a canary: those of type Secret, and those inside addresses."""
    canaries: list[str] = []

    def canary() -> str:
        canaries.append(f"canary{secrets.token_urlsafe(48)}")
        return canaries[-1]

    monkeypatch.setenv("CLIENT_SECRET", canary())
    house.add_saml()
    openid(house)
    keys = {name: [canary(), canary()] for name in ("signing", "provisional", "pepper", "factors", "events")}
    house.values |= {
        "keys": keys,
        "metrics": {"enabled": True, "token": canary()},
        "state": {"url": f"rediss://gateway:{canary()}@{canary()}@redis.exemple.test/0"},
        "accounts": {"url": f"postgresql+psycopg://gateway:1/{canary()}@{canary()}@base.exemple.test/imagin"},
    }
    house.values["mail"] |= {"username": "gateway", "password": canary()}
    house.values["portals"]["arena-paris"] = {
        "protocol": "header",
        "issuer": "https://paris.exemple.test",
        "proxies": ["192.0.2.7"],
        "secrets": [canary()],
    }
    told = run(house, *words)
    assert [each for each in canaries if each in told] == []
    assert "BEGIN" not in told
    assert MASK in told
    for expected in ("redis.exemple.test/0", "base.exemple.test/imagin", forge.PORTAL):
        assert expected in told


@pytest.mark.row("DPO-07")
def test_every_setting_in_force_is_in_it_with_where_it_comes_from(house: House) -> None:
    house.add_saml(clock_skew_seconds=60)
    rows = {row[0]: row[1:] for row in tables(house)["parameters"].rows}
    assert rows["portals.arena-creteil.clock_skew_seconds"] == ("60", "écrit")
    assert rows["sessions.idle_minutes"] == ("30", "par défaut")
    assert rows["second_factor.mode"] == ("optional", "écrit")
    settings = Settings.load(house.save())
    for name in type(settings).model_fields:
        given = getattr(settings, name)
        if given is not None and name != "portals":
            assert any(key == name or key.startswith(name + ".") for key in rows), name


@pytest.mark.row("DPO-07")
def test_functions_are_those_that_are_open(house: House) -> None:
    house.add_saml()
    openid(house)
    house.values["portals"]["arena-versailles"]["enabled"] = False
    house.values["portals"]["arena-versailles"]["client_secret"] = secrets.token_urlsafe(32)
    rows = {row[0]: row[1:] for row in tables(house)["functions"].rows}
    assert rows["porte arena-creteil"] == ("ouverte", f"SAML 2.0, {forge.PORTAL}")
    assert rows["porte arena-versailles"][0] == "fermée"
    assert rows["second facteur de la porte directe"][0] == "au choix de la personne"
    assert rows["bureau d’assistance"][0] == "fermé"


@pytest.mark.row("DPO-07")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.update(second_factor={"mode": "off", "reason": "raison écrite"}), "raison écrite"),
        (lambda values: values["events"].update(retention_months=24, reason="un procès"), "un procès"),
        (lambda values: values["portals"]["arena-creteil"].update(allow_cbc=True), "AES-CBC"),
        (lambda values: values["portals"]["arena-creteil"].update(unsolicited=True), "non demandées"),
    ],
    ids=["no-second-factor", "long-retention", "cbc", "unsolicited"],
)
def test_a_weaker_choice_is_a_risk_that_is_told(
    house: House, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    house.add_saml()

    def told() -> str:
        return json.dumps(tables(house)["risks"].rows, ensure_ascii=False)

    assert words not in told()
    change(house.values)
    assert words in told()
    assert all(risk in told() for risk, _ in risks.ALWAYS)


def test_one_part_alone_or_a_wrong_name(house: House) -> None:
    assert set(json.loads(run(house, "--json", "--part", "keys"))["parts"]) == {"keys"}
    done = CliRunner().invoke(app, ["inventory", "--settings", str(house.save()), "--part", "nothing"])
    assert done.exit_code == 2
    assert "Partie inconnue" in done.output
