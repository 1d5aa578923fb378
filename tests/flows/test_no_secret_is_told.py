"""No password, hash, token, code, assertion, cookie or session id in a log, an exception, an event or a repr (LOG-03).

A canary stands in every field whose type says that it is secret: the list of those is read from the types, so a new one
fails here until it has its canary. Journeys, failing ones too, are driven with every library's log at DEBUG.
"""

from __future__ import annotations

import ast
import base64
import gc
import json
import logging
import re
import secrets
import sqlite3
import traceback
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from lxml import etree
from pydantic import BaseModel

import imagin_gateway
from imagin_gateway import Gateway, Settings
from imagin_gateway.errors import GatewayError, SettingsError
from imagin_gateway.keys import Secret
from imagin_gateway.local.schema import metadata as tables
from tests.client import Client
from tests.flows.conftest import TheHouse, direct, open_house, settings_of
from tests.flows.openid import OpenId
from tests.flows.saml_house import CRETEIL, SamlHouse, answer, post, sections
from tests.flows.test_direct_journeys import GOOD, codes_in, personalised
from tests.flows.test_events_of_direct_acts import link_of
from tests.flows.test_proconnect import section as proconnect_section
from tests.flows.test_second_factor import add_application, add_passkey, code, options, send_passkey, step
from tests.providers.oidc.provider import CLIENT_SECRET
from tests.providers.saml.forge import keys

pytestmark = pytest.mark.row("LOG-03")

MARIE: Final = "mdurand7"

SETTINGS: Final = {
    *("keys.signing", "keys.provisional", "keys.pepper", "keys.factors", "keys.events"),
    *("mail.password", "metrics.token", "proconnect.client_secret"),
    *("portals.oidc.client_secret", "portals.header.secrets"),
}
"""Fields of the settings that are secret; `settings_with_canaries` puts a canary in each."""

IN_ADDRESSES: Final = ("state.url", "accounts.url")
"""Settings that are an address, and may hold a password."""

HANDLED: Final = {
    "access_token": "an OpenID login",
    "again": "passwords chosen",
    "answer": "a passkey, right and wrong",
    "challenge": "a passkey",
    "client_secret": "settings",
    "code": "second steps, right and wrong; OpenID codes",
    "codes": "recovery codes made",
    "current": "a password changed",
    "events": "settings",
    "factors": "settings",
    "former": "an address changed",
    "held": "settings",
    "id_token": "an OpenID login",
    "key": "settings",
    "keys": "settings",
    "new": "passwords chosen; an address changed",
    "password": "logins; mail and Redis in the settings",
    "pepper": "settings",
    "provisional": "letters",
    "secret": "an application of codes added",
    "secrets": "settings",
    "sentinel_password": "Redis in the settings",
    "signing": "settings",
    "text": "an application of codes added",
    "token": "links by mail; metrics",
    "typed": "whatever is typed",
    "value": "letters",
}
"""Names of every field and parameter of the package whose type is `Secret`, and which journey here carries a canary."""


def _secret_settings(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from _of_type(field.annotation, f"{path}{name}")


def _of_type(told: Any, path: str) -> Iterator[str]:
    if told is Secret:
        yield path
    elif isinstance(told, type) and issubclass(told, BaseModel):
        protocol = told.model_fields.get("protocol")
        said = typing.get_args(protocol.annotation)[0] + "." if protocol is not None and path == "portals" else ""
        yield from _secret_settings(told, f"{path}.{said}")
    for each in typing.get_args(told):
        if isinstance(each, types.GenericAlias | type) or typing.get_origin(each) is not None:
            yield from _of_type(each, path)


def test_every_secret_setting_has_its_canary() -> None:
    assert set(_secret_settings(Settings)) == SETTINGS


def test_every_secret_that_the_package_handles_is_carried_by_a_journey() -> None:
    names = set()
    for file in Path(imagin_gateway.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                target = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
                # A function that takes a secret is no secret.
                told = re.sub(r"Callable\[.*\]", "", ast.unparse(node.annotation))
                if re.search(r"\bSecret(Text)?\b", told) and target.isidentifier():
                    names.add(target)
    assert names == set(HANDLED)


MOST_OF_A_KIND: Final = 20
"""Objects of one type that are looked at at once: the rules of the policy are many, and hold nothing of anybody."""


class Canaries:
    """Values that must show nowhere, and everything that is told."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.told: list[str] = []
        self._seen: set[str] = set()

    def make(self, what: str) -> str:
        """Return a new canary."""
        self.values[what] = f"Canari{secrets.token_urlsafe(36)}"
        return self.values[what]

    def add(self, what: str, value: str) -> None:
        """Watch a value that something else made; too short ones would be found by chance."""
        if len(value) >= 6:
            self.values[f"{what} {len(self.values)}"] = value

    def look(self, line: str) -> None:
        """Take the repr of every object of ours that lives at the moment of an event: those of the request too."""
        told = json.loads(line)
        if told["event"] not in self._seen:
            self._seen.add(told["event"])
            self.snapshot()

    def snapshot(self) -> None:
        told: dict[type, int] = {}
        for each in gc.get_objects():
            kind = type(each)
            if str(kind.__module__).startswith("imagin_gateway") and told.setdefault(kind, 0) < MOST_OF_A_KIND:
                told[kind] += 1
                self.told.append(repr(each))

    def raised(self, error: BaseException) -> None:
        """Take all that an exception tells: its text, its repr, its causes, its traceback."""
        self.told.append(repr(error) + str(error) + "".join(traceback.format_exception(error)))

    def leaks(self, *more: str) -> list[str]:
        """Return which canaries are told, plain or as addresses, JSON, Base64 or without their hyphens."""
        everything = "\n".join((*self.told, *more))
        found = []
        for what, value in self.values.items():
            raw = value.encode()
            spelt = {value, quote(value, safe=""), json.dumps(value)[1:-1], value.replace("-", "")}
            spelt |= {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
            if any(each in everything for each in spelt):
                place = next(at for each in spelt if (at := everything.find(each)) >= 0)
                found.append(f"{what}: ...{everything[max(0, place - 200) : place]}***")
        return found


class Listening(logging.Handler):
    """Keeps all that every logger says, as a formatter writes it."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(self.format(record))


@pytest.fixture
def canaries(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> Iterator[Canaries]:
    """Canaries, searched for at the end in all that was told since."""
    kept = Canaries()
    logged: list[str] = []
    listening = Listening(logged)
    loggers = [logging.root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    before = [(each, each.level, each.disabled) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG if each is logging.root else logging.NOTSET)
        each.disabled = False
    logging.root.addHandler(listening)
    yield kept
    logging.root.removeHandler(listening)
    for each, level, disabled in before:
        each.setLevel(level)
        each.disabled = disabled
    kept.snapshot()
    assert logged, "nothing was logged: the test looks at nothing"
    warned = "".join(str(each.message) for each in recwarn)
    assert kept.leaks(*logged, *capfd.readouterr(), warned) == []


def settings_with_canaries(canaries: Canaries) -> dict[str, Any]:
    """Return changes to the settings of a house, a canary in every secret field it can hold at once."""
    return {
        "keys": {
            name: [canaries.make(f"keys.{name} {number}") for number in range(2)]
            for name in ("signing", "provisional", "pepper", "factors", "events")
        },
        "metrics": {"enabled": True, "token": canaries.make("metrics.token")},
        "second_factor": {"mode": "optional", "passkey_alone": True, "trusted_days": 7},
    }


def watch(canaries: Canaries, house: TheHouse) -> None:
    """Look at everything whenever this house tells an event."""
    outlet = house.gateway.house.events.outlets[0]
    write: Callable[[str], None] = outlet.sink.write

    class Looking:
        def write(self, line: str) -> None:
            canaries.look(line)
            canaries.told.append(line)
            write(line)

    outlet.sink = Looking()


def cookies(canaries: Canaries, client: Client) -> None:
    for name, value in client.cookies.items():
        if len(value) > 20:
            canaries.add(f"cookie {name}", value)
            canaries.add(f"cookie {name}, without its signature", value.partition(".")[0])


def test_the_direct_door(tmp_path: Path, canaries: Canaries) -> None:
    house = open_house("wsgi", tmp_path, **settings_with_canaries(canaries))
    watch(canaries, house)
    client = house.client()
    direct(client, MARIE, canaries.make("a wrong password"))
    canaries.add("letter", house.letters[MARIE])
    page = client.follow(direct(client, MARIE, house.letters[MARIE]))
    canaries.add("form token", page.field("formulaire"))
    direct(house.client(), canaries.make("a password typed as an identifier"), "x")
    for typed in (canaries.make("a password that is refused"), "Canari" * 60):
        canaries.add("refused", typed)
        client.submit(page, {"nouveau": typed, "encore": typed + "x"})
    chosen, other = (canaries.make(f"a password that was chosen, {each}") for each in "ab")
    page = client.submit(client.get("/connexion/mot-de-passe"), {"nouveau": chosen, "encore": chosen})
    cookies(canaries, client)
    house.gateway.house.sessions.end_person("imagin", MARIE)
    client = house.client()
    direct(client, MARIE, chosen)
    changing = client.get("/connexion/mot-de-passe")
    client.submit(changing, {"actuel": canaries.make("not the current one"), "nouveau": other, "encore": other})
    client.submit(changing, {"actuel": chosen, "nouveau": other, "encore": other})
    client.submit(client.get("/connexion/adresse"), {"courriel": "neuve@exemple.test", "actuel": other})
    typed_codes = codes_in(house)
    page = client.get("/connexion/adresse/codes")
    client.submit(page, {"code": canaries.make("a wrong code"), "code-actuel": "x"})
    canaries.values |= {f"code for {to}": each for to, each in typed_codes.items() if len(each) > 6}
    client.submit(page, {"code": typed_codes["neuve@exemple.test"], "code-actuel": typed_codes["marie@exemple.test"]})
    cookies(canaries, client)
    _forgotten(canaries, house)
    _metrics(canaries, house)
    _kept(canaries, house)
    house.gateway.close()


def _forgotten(canaries: Canaries, house: TheHouse) -> None:
    client = house.client()
    client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": MARIE})
    link = link_of(house)
    canaries.add("link", link.partition("jeton=")[2])
    canaries.add("link, without its signature", link.partition("jeton=")[2].partition(".")[0])
    client.get("/connexion/mot-de-passe/lien?jeton=" + canaries.make("a link of nobody's"))
    client.follow(client.get("/connexion/mot-de-passe/lien?jeton=" + canaries.values["a link of nobody's"]))
    page = client.follow(client.get(link))
    again = canaries.make("a password by a link")
    client.submit(page, {"nouveau": again, "encore": "x"})
    client.submit(page, {"nouveau": again, "encore": again})
    client.submit(page, {"nouveau": again, "encore": again})
    cookies(canaries, client)


def _metrics(canaries: Canaries, house: TheHouse) -> None:
    client = house.client()

    def ask(token: str) -> int:
        reply = client.get("/connexion/metriques", headers={"Authorization": f"Bearer {token}"})
        canaries.told.append(reply.text)
        return reply.status

    assert ask(canaries.make("a wrong token")) == 404
    assert ask(canaries.values["metrics.token"]) == 200


def _kept(canaries: Canaries, house: TheHouse) -> None:
    """Watch the digests and ciphers that are kept: they open nothing, and are nobody's to read either."""
    file = house.gateway.settings.accounts.url.removeprefix("sqlite:///")
    columns = re.compile(r"hash|mac|sha256|secret|seed|credential_id|public_key")
    with closing(sqlite3.connect(file)) as connection:
        for table in tables.sorted_tables:
            for column in filter(lambda each: columns.search(each.name), table.columns):
                for (value,) in connection.execute(f'SELECT "{column.name}" FROM "{table.name}"'):  # noqa: S608  # ours
                    if isinstance(value, str) and len(value) > 20:
                        canaries.add(f"{table.name}.{column.name}", value)


def test_the_second_factor(tmp_path: Path, canaries: Canaries) -> None:
    house = open_house("asgi", tmp_path, **settings_with_canaries(canaries))
    client = personalised(house)
    canaries.add("the password", GOOD)
    watch(canaries, house)
    secret, codes = add_application(house, client)
    canaries.add("TOTP secret", secret)
    for each in codes:
        canaries.add("recovery code", each)
        canaries.add("recovery code, as it is kept", each.replace("-", "").replace(" ", ""))
    device = add_passkey(house, client)
    cookies(canaries, client)
    client = house.client()
    page = step(house, client)
    cookies(canaries, client)
    client.submit(page, {"code": canaries.make("a wrong code"), "moyen": "code"})
    recovery = client.get("/connexion/etape?moyen=secours")
    client.submit(recovery, {"secours": canaries.make("a wrong recovery code"), "moyen": "secours"})
    page = client.get("/connexion/etape")
    asked = options(page)
    canaries.add("challenge", str(asked["challenge"]))
    told = device.use(asked)
    canaries.add("what a passkey answers", str(json.loads(told)["response"]["signature"]))
    send_passkey(client, page, told[:-9])
    send_passkey(client, client.get("/connexion/etape"), device.use(options(client.get("/connexion/etape"))))
    client = house.client()
    step(house, client)
    client.submit(client.get("/connexion/etape?moyen=secours"), {"secours": codes[0], "moyen": "secours"})
    cookies(canaries, client)
    house.clock.move(60)
    client = house.client()
    right = code(house, secret)
    client.submit(step(house, client), {"code": right, "moyen": "code", "confiance": "oui"})
    cookies(canaries, client)
    _kept(canaries, house)
    house.gateway.close()


def test_a_saml_portal(tmp_path: Path, canaries: Canaries) -> None:
    changes = settings_with_canaries(canaries)
    house = open_house("wsgi", tmp_path, portals=sections(tmp_path), **changes)
    watch(canaries, house)
    saml, client = SamlHouse(house), house.client()
    asked = saml.leave(client)
    canaries.add("request", asked)
    message = answer(
        house, in_response_to=asked, session=canaries.make("SessionIndex"), name_id=canaries.make("NameID")
    )
    replies = []
    for sent in (
        answer(house, key=keys("attacker"), session=canaries.make("forged SessionIndex")),
        answer(house, in_response_to="_" + canaries.make("request of nobody's")),
        message,
    ):
        raw = etree.tostring(sent)
        canaries.add("assertion", base64.b64encode(raw).decode()[:4000])
        canaries.add("assertion, in the clear", raw.decode()[200:400])
        seal = re.search(rb"SignatureValue>([^<]{60})", raw)
        assert seal
        canaries.add("signature", seal[1].decode())
        replies.append(post(client, sent))
    cookies(canaries, client)
    client.follow(replies[-1])
    assert client.get("/missions").status == 200
    cookies(canaries, client)
    post(house.client(), message)
    saml.end(client)
    canaries.add("private key", _middle((tmp_path / "ours.key").read_text(encoding="ascii")))
    canaries.told.append(repr(house.gateway.house.portals[CRETEIL]) + repr(vars(house.gateway.settings)))
    house.gateway.close()


def _middle(pem: str) -> str:
    return pem.splitlines()[5]


def test_an_openid_portal(tmp_path: Path, canaries: Canaries) -> None:
    house = open_house("asgi", tmp_path, **settings_with_canaries(canaries))
    canaries.add("portals.oidc.client_secret", CLIENT_SECRET)
    openid = OpenId.open(house)
    watch(canaries, house)
    _openid(canaries, openid)
    canaries.told.append(repr(openid.portal) + repr(vars(openid.portal)))
    house.gateway.close()


def _openid(canaries: Canaries, openid: OpenId) -> None:
    house, provider = openid.house, openid.provider
    client = openid.sign_in(sid=canaries.make("sid"))
    cookies(canaries, client)
    openid.leave(client)
    provider.edit_claims = lambda claims: claims.update(nonce=canaries.make("a wrong nonce"))
    client = house.client()
    answered = provider.authorize(client.get("/connexion/portail/arena-paris").location)
    cookies(canaries, client)
    client.get("/connexion/portail/arena-paris/retour?" + urlencode(answered))
    other = house.client()
    other.get(
        "/connexion/portail/arena-paris/retour?" + urlencode({**answered, "state": canaries.make("a wrong state")})
    )
    openid.tell(canaries.make("a logout token"))
    openid.tell(provider.logout_token(sub=None, sid=canaries.values["sid"]))
    for each in provider.codes:
        canaries.add("code", each)
    for each in provider.id_tokens:
        canaries.add("ID token", each)
        canaries.add("ID token, its signature", each.rpartition(".")[2])
    for seen in provider.seen:
        for name in ("authorization", "code_verifier", "client_secret"):
            found = seen.headers.get(name) or seen.form.get(name, "")
            if found:
                canaries.add(name, found.removeprefix("Bearer ").removeprefix("Basic "))


def test_trusted_headers(tmp_path: Path, canaries: Canaries) -> None:
    secret = canaries.make("portals.header.secrets")
    section = {
        "protocol": "header",
        "issuer": "https://bv.ac-paris.fr",
        "proxies": ["192.0.2.7"],
        "secrets": [secret],
        "academie": 1,
    }
    house = open_house("asgi", tmp_path, portals={"arena-paris": section}, **settings_with_canaries(canaries))
    watch(canaries, house)
    headers = {"ct-remote-user": "elefevre1", "codaca": "001"}
    client = house.client()
    entry = "/connexion/portail/arena-paris/entree"
    client.get(entry, headers={**headers, "X-Imagin-Gateway-Secret": canaries.make("a wrong secret")})
    reply = client.get(entry, headers={**headers, "X-Imagin-Gateway-Secret": secret})
    cookies(canaries, client)
    client.follow(reply)
    cookies(canaries, client)
    assert client.get("/missions").status == 200
    canaries.told.append(repr(vars(house.gateway.house.portals["arena-paris"])))
    house.gateway.close()


def test_what_cannot_be_reached_tells_no_password(tmp_path: Path, canaries: Canaries) -> None:
    def tried(**changes: Any) -> None:
        with pytest.raises((GatewayError, OSError)) as raised:
            Gateway(settings_of(tmp_path, **changes)).close()
        canaries.raised(raised.value)

    redis = f"redis://:{canaries.make('state.url')}@127.0.0.1:9/0"
    # Redis is reached when it is needed: then, what is raised and shown must hold nothing.
    with Gateway(settings_of(tmp_path, state={"url": redis}), sends_mail=False) as gateway:
        canaries.told.append(repr(gateway.settings) + repr(gateway.house) + repr(vars(gateway.house.state)))
        with pytest.raises(GatewayError) as raised:
            gateway.house.state.ping()
        canaries.raised(raised.value)
    tried(accounts={"url": f"postgresql+psycopg://imagin:{canaries.make('accounts.url')}@127.0.0.1:9/imagin"})


def test_settings_that_are_refused_tell_no_secret(tmp_path: Path, canaries: Canaries) -> None:
    logging.getLogger("tests").debug("begin")
    weak = "Canari-court"
    canaries.add("a weak key", weak)
    bad: list[dict[str, Any]] = [
        {"keys": {"signing": weak, "provisional": [weak], "factors": [canaries.make("keys.factors")]}},
        {"keys": {"signing": [canaries.make("twice")] * 2, "provisional": [{"a": canaries.make("keys.provisional")}]}},
        {"mail": {"password": [canaries.make("mail.password")], "host": 4}},
        {"metrics": {"enabled": True, "token": weak}},
        {"state": {"url": f"redis://:{canaries.make('state.url')}@[bad"}},
        {"accounts": {"url": f"postgresql+psycopg://u:{canaries.make('accounts.url')}@h:port/x"}},
        {"proconnect": {"enabled": True, "client_secret": {"x": canaries.make("proconnect.client_secret")}}},
        {"portals": {"arena-paris": {"protocol": "oidc", "client_secret": canaries.make("oidc"), "issuer": 3}}},
        {"portals": {"arena-paris": {"protocol": "header", "secrets": [weak, canaries.make("header") + "é"]}}},
    ]
    for changes in bad:
        with pytest.raises(SettingsError) as raised:
            Gateway(settings_of(tmp_path, **{"second_factor": None, **changes})).close()
        canaries.raised(raised.value)


def test_the_relay_of_mails_and_proconnect(tmp_path: Path, canaries: Canaries) -> None:
    mail = {
        "host": "127.0.0.1",
        "port": 9,
        "security": "none",
        "sender": "imagin@exemple.test",
        "username": "imagin",
        "password": canaries.make("mail.password"),
    }
    house = open_house("wsgi", tmp_path, mail=mail)
    watch(canaries, house)
    personalised(house)
    house.gateway.house.direct.deliver_due()
    assert "mail_failed" in [each["event"] for each in house.events]
    canaries.told.append(repr(proconnect_section(client_secret=Secret(canaries.make("proconnect.client_secret")))))
    house.gateway.close()
