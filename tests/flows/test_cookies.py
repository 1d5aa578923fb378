"""Every journey, over HTTP: the cookies that browsers are given are those of the exported list, and no other."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from examples.demo.portals import saml_messages
from imagin_gateway.cookies import cookies
from tests.client import HOST, Client, Reply
from tests.flows.conftest import TheHouse, direct, open_house
from tests.flows.saml_house import sections
from tests.flows.test_direct_journeys import GOOD, choose, personalised
from tests.flows.test_proconnect import Linked, section
from tests.flows.test_second_factor import add_application, add_passkey, code, options, send_passkey
from tests.portals.speakers import HERE, PERSON, Headers, OpenIdConnect, Saml, Speaker
from tests.providers.saml.forge import keys

Told = tuple[int | None, bool, bool, str]
"""Life, Secure, HttpOnly, path."""


class Crawl:
    """Browsers that are remembered, and what they were given."""

    def __init__(self, house: TheHouse) -> None:
        self.house = house
        self.clients: list[Client] = []
        made = house.client

        def client(**more: Any) -> Client:
            self.clients.append(made(**more))
            return self.clients[-1]

        house.client = client  # type: ignore[method-assign]  # the helpers of other tests are heard, too

    def given(self) -> tuple[dict[str, Told], dict[str, set[str]]]:
        """Return how each name is given, always the same way, and what it says of other sites."""
        found: dict[str, Told] = {}
        sites: dict[str, set[str]] = {}
        removed: list[tuple[str, Told]] = []
        for line in (line for each in self.clients for line in each.jar_log):
            for full, morsel in SimpleCookie(line).items():
                name = re.sub(r"flow-[0-9a-f]{16}\Z", "flow-*", full)
                assert morsel["domain"] == "", "of this host alone"
                assert morsel["expires"] == ""
                life = int(morsel["max-age"]) if morsel["max-age"] else None
                told = (life, bool(morsel["secure"]), bool(morsel["httponly"]), morsel["path"])
                if life == 0:
                    removed.append((name, told))
                else:
                    assert found.setdefault(name, told) == told, name
                    sites.setdefault(name, set()).add(morsel["samesite"])
        for name, told in removed:
            assert told[1:] == found[name][1:], "a cookie is removed as it was set"
        return found, sites

    # -- the journeys

    def every_portal(self, folder: Path) -> None:
        for speaks in (Saml, OpenIdConnect, Headers):
            (folder / speaks.method).mkdir()
            there = speaks(self.house, folder / speaks.method)
            client = self.house.client()
            there.login(client)
            assert there.is_in(client), speaks.method
            self.log_out(client)
            self.half_way(there)
        self.asked_by_nobody(folder)

    def half_way(self, there: Speaker) -> None:
        assert there.leave(self.house.client()).status == 303

    def asked_by_nobody(self, folder: Path) -> None:
        """A link inside the portal, where the login begins again at our side."""
        (folder / "again").mkdir()
        there = Saml(self.house, folder / "again", unsolicited=True, unsolicited_restarts=True)
        base, now = self.house.gateway.settings.url(f"/portail/{HERE}"), self.house.clock.now()
        said = saml_messages.Answer(
            issuer=there.entity_id(HERE),
            audience=f"{base}/metadata",
            acs_url=f"{base}/acs",
            at=now,
            authenticated_at=now - timedelta(minutes=2),
            attributes=PERSON,
            in_response_to=None,
        )
        message = base64.b64encode(saml_messages.signed_response(said, keys(HERE))).decode()
        headers = {"Origin": f"https://idp.{HERE}.example", "Sec-Fetch-Site": "cross-site"}
        client = self.house.client()
        begun = client.post(f"/connexion/portail/{HERE}/acs", {"SAMLResponse": message}, headers=headers)
        assert begun.status == 303

    def direct_door(self) -> None:
        owner = personalised(self.house)
        secret, _ = add_application(self.house, owner)
        device = add_passkey(self.house, owner)
        self.log_out(owner)
        client = self.house.client()
        assert direct(client, "mdurand7", "ce n’est pas lui").status == 403
        page = client.follow(direct(client, "mdurand7", GOOD))
        assert client.submit(page, {"code": code(self.house, secret), "confiance": "oui"}).status == 303
        self.log_out(client)
        assert direct(client, "mdurand7", GOOD).location == "/", "a computer that is trusted"
        client.submit(client.get("/connexion/session"), {})
        alone = self.house.client()
        page = alone.get("/connexion/cle")
        assert send_passkey(alone, page, device.use(options(page))).status == 303
        forgetful = self.house.client()
        forgetful.submit(forgetful.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
        links = [re.search(r"/connexion\S+jeton=\S+", mail.text) for mail in self.house.mailed()]
        page = forgetful.follow(forgetful.get(next(each[0] for each in links if each)))
        page = forgetful.follow(choose(forgetful, page, "encore quatre mots bien longs"))

    def proconnect(self) -> None:
        there = Linked.open(self.house)
        owner = self.house.client()
        page = owner.follow(direct(owner, "pmartin2", self.house.letters["pmartin2"]))
        owner.submit(page, {"nouveau": GOOD, "encore": GOOD})
        leaving = owner.submit(owner.get("/connexion/proconnect"), {})
        question = owner.follow(there.back(owner, leaving))
        assert owner.submit(question, {}).status == 303
        comer = self.house.client()
        back = there.back(comer, comer.get("/connexion/portail/proconnect"))
        comer.follow(back)
        self.log_out(comer)

    def pages(self) -> None:
        client = self.house.client()
        for language in ("en", "fr"):
            client.get(f"/connexion/direct?lang={language}")
        client.get("/connexion/oublier")
        for path in ("/missions", "/connexion/session", "/connexion/sessions", "/connexion/inconnu", "/connexion/fin"):
            client.get(path)
        script = self.house.client()
        told = script.get("/connexion/direct", headers={"Accept": "application/json"})
        assert told.header("content-type").startswith("application/json")

    def log_out(self, client: Client) -> Reply:
        return client.submit(client.get("/connexion/fin"), {})


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[Crawl]:
    house = open_house(
        "wsgi",
        tmp_path,
        base_url=f"https://{HOST}",
        remember_door=True,
        second_factor={"mode": "optional", "passkey_alone": True, "trusted_days": 7},
        proconnect=section().model_dump(exclude_unset=True),
        portals=sections(tmp_path, unsolicited_restarts=True),
    )
    yield Crawl(house)
    house.gateway.close()


@pytest.mark.row("DPO-01")
def test_the_cookies_of_every_journey_are_those_of_the_exported_list_and_no_other(crawl: Crawl, tmp_path: Path) -> None:
    crawl.pages()
    crawl.every_portal(tmp_path)
    crawl.direct_door()
    crawl.proconnect()
    listed = cookies(crawl.house.gateway.settings)
    given, sites = crawl.given()
    seconds = {each.name: None if each.life is None else int(each.life.total_seconds()) for each in listed}
    assert given == {name: (life, True, True, "/") for name, life in seconds.items()}
    assert sites == {each.name: set(each.same_site) for each in listed}
    assert all(name.startswith("__Host-ig-") for name in given)


@pytest.mark.row("DPO-01")
def test_each_is_told_in_both_languages_and_those_of_what_is_not_offered_are_not(
    make_house: Callable[..., TheHouse],
) -> None:
    settings = make_house(second_factor={"mode": "off", "reason": "essai"}).gateway.settings
    least = {each.name for each in cookies(settings)}
    assert least == {f"ig-{use}" for use in ("session", "browser", "reset", "typed", "client", "language")}
    for each in cookies(settings):
        assert set(each.purpose) == {"fr", "en"}
        assert all(each.purpose.values())
    with pytest.raises(TypeError):
        cookies(settings)[0].purpose["fr"] = "autre"  # type: ignore[index]  # nobody changes the list


def test_the_first_page_sets_nothing_but_the_name_to_which_its_forms_are_bound(
    make_house: Callable[..., TheHouse],
) -> None:
    client = make_house().client()
    assert client.get("/connexion/").status == 200
    assert client.get("/connexion/direct").status == 200
    assert set(client.cookies) <= {"ig-browser"}
