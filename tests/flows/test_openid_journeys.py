"""OpenID Connect through the whole house: what surrounds the protocol's own checks, with the suite's provider."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import Provider

PARIS, CRETEIL = "arena-paris", "arena-creteil"


@dataclass
class Federated:
    """The house with two real OpenID portals, each towards a provider of its own."""

    house: TheHouse
    providers: dict[str, Provider]

    def leave(self, client: Client, door: str = PARIS) -> dict[str, str]:
        """Leave and log in at the provider; return the parameters of its answer."""
        reply = client.get(f"/connexion/portail/{door}?next=/missions/5")
        provider = self.providers[door]
        provider.now = self.house.clock.now()
        return provider.authorize(reply.location)

    def back(self, client: Client, answer: dict[str, str], door: str = PARIS) -> Reply:
        return client.get(f"/connexion/portail/{door}/retour?{urlencode(answer)}")

    def token_requests(self) -> int:
        return sum(provider.count("/token") for provider in self.providers.values())


@pytest.fixture
def federated(house: TheHouse) -> Federated:
    providers = {}
    for door, academie in ((PARIS, 1), (CRETEIL, 24)):
        redirect_uri = house.gateway.settings.url(f"/portail/{door}/retour")
        provider = Provider(f"https://oidc.{door}.example", house.clock.now(), redirect_uri)
        provider.person = {**provider.person, "codaca": str(academie)}
        house.gateway.house.portals[door] = OidcPortal.open(  # type: ignore[index]  # a dict
            door,
            configured(provider.issuer, academie=academie),
            redirect_uri=redirect_uri,
            development=True,
            transport=provider.transport(),
        )
        providers[door] = provider
    return Federated(house, providers)


@pytest.mark.row("OID-22")
def test_after_the_answer_the_address_is_clean_and_the_code_is_nowhere(federated: Federated) -> None:
    client = federated.house.client()
    answer = federated.leave(client)
    reply = federated.back(client, answer)
    assert reply.status == 303
    assert reply.header("referrer-policy") == "no-referrer"
    assert reply.header("cache-control") == "no-store"
    arrived = client.get(reply.location)
    assert (reply.location, arrived.status, arrived.location) == ("/connexion/arrivee", 303, "/missions/5")
    assert client.get("/missions/5").text.startswith("arena-paris|person-1")
    told = "".join(federated.house.lines) + "".join(client.jar_log)
    assert answer["code"] not in told
    assert answer["state"] not in told


@pytest.mark.row("OID-17")
def test_a_state_that_is_missing_foreign_replayed_or_old_leads_to_no_token_request(federated: Federated) -> None:
    client, other = federated.house.client(), federated.house.client()
    answer = federated.leave(client)
    stripped = {name: value for name, value in answer.items() if name != "state"}
    for wrong in (stripped, {**answer, "state": ""}, {**answer, "state": "x" * 43}):
        assert federated.back(client, wrong).status == 400
    assert federated.back(other, answer).status == 400
    answer = federated.leave(client)
    federated.house.clock.move(600)
    assert federated.back(client, answer).status == 400
    assert federated.token_requests() == 0
    answer = federated.leave(client)
    assert len(answer["state"]) >= 43
    assert federated.back(client, answer).status == 303
    assert federated.token_requests() == 1
    assert federated.back(client, answer).status == 400
    assert federated.token_requests() == 1


@pytest.mark.row("OID-19")
@pytest.mark.row("RTE-02")
def test_an_answer_is_good_only_at_the_address_of_its_own_portal(federated: Federated) -> None:
    addresses = set()
    for door in (PARIS, CRETEIL):
        location = federated.house.client().get(f"/connexion/portail/{door}").location
        addresses.add(parse_qs(urlsplit(location).query)["redirect_uri"][0])
    assert len(addresses) == 2
    client = federated.house.client()
    answer = federated.leave(client, CRETEIL)
    assert federated.back(client, answer, PARIS).status in (400, 403)
    answer = federated.leave(client, PARIS)
    assert federated.back(client, answer, CRETEIL).status in (400, 403)
    assert Code.ROUTE_MISMATCH in federated.house.codes("login_refused")
    assert federated.token_requests() == 0
    assert client.get("/missions").status == 303


def test_an_outage_that_the_portal_tells_in_its_answer_accuses_nobody(federated: Federated) -> None:
    client = federated.house.client()
    told = {"error": "temporarily_unavailable", "iss": federated.providers[PARIS].issuer}
    reply = federated.back(client, {**told, "state": federated.leave(client)["state"]})
    assert reply.status == 503
    assert "ne répond pas" in reply.title
    assert "ne sont pas en cause" in reply.text
    assert federated.house.codes("portal_failed") == [Code.PORTAL_UNAVAILABLE]


@pytest.mark.row("OID-21")
def test_a_refusal_of_the_portal_is_a_page_and_nothing_in_it_is_repeated(federated: Federated) -> None:
    client = federated.house.client()
    state = federated.leave(client)["state"]
    markup = "<script>alert(1)</script>"
    refused = {"error": "login_required", "error_description": markup, "error_uri": markup, "state": state}
    reply = federated.back(client, {**refused, "iss": federated.providers[PARIS].issuer})
    assert reply.status == 403
    assert "n’a pas confirmé la connexion" in reply.title
    assert "alert(1)" not in reply.text
    assert federated.token_requests() == 0
    assert client.get("/missions").status == 303
    event = next(each for each in federated.house.events if each["event"] == "login_refused")
    assert (event["code"], event["detail"]["statuses"]) == (Code.PORTAL_REFUSED, "login_required")
    # response_mode=form_post is never asked for, so an answer by POST is not one
    posted = client.post(f"/connexion/portail/{PARIS}/retour", refused)
    assert posted.status == 405
    assert "alert(1)" not in posted.text


@pytest.mark.row("OID-20")
@pytest.mark.parametrize("headers", [{"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}])
def test_the_redirect_address_never_follows_the_request(federated: Federated, headers: dict[str, str]) -> None:
    client = federated.house.client()
    location = client.get(f"/connexion/portail/{PARIS}", headers=headers).location
    assert quote("http://127.0.0.1:8400/connexion/portail/arena-paris/retour", safe="") in location
    assert "evil" not in location
    assert client.get(f"/connexion/portail/{PARIS}", host="evil.example").status == 400


@pytest.mark.fault
def test_a_provider_that_lies_closes_its_own_door_only(federated: Federated) -> None:
    federated.providers[PARIS].edit_discovery = lambda told: told.update(issuer="https://evil.example")
    client = federated.house.client()
    reply = client.get(f"/connexion/portail/{PARIS}")
    assert reply.status in (403, 503)
    assert client.get(f"/connexion/portail/{CRETEIL}").status == 303
    assert client.get("/connexion/direct").status == 200
