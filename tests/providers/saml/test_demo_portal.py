"""The simulated portal of the demonstration and ours, each with the other's real messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.demo.portals.people import PEOPLE
from examples.demo.portals.saml_portal import SamlPortalConfig, Service, saml_portal
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.exchange import Request
from imagin_gateway.providers.portal import Arrival
from imagin_gateway.providers.saml import schema
from imagin_gateway.providers.saml.documents import METADATA as METADATA_LIMITS
from imagin_gateway.providers.saml.documents import parse
from tests.client import Client, Reply, over_asgi
from tests.clock import ManualClock
from tests.providers.saml.forge import ACS, DOOR, METADATA, keys
from tests.providers.saml.journey import House, house

PERSON = PEOPLE[DOOR][0]
LOGIN = {"identifiant": PERSON.login, "motdepasse": PERSON.password}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def config(clock: ManualClock) -> SamlPortalConfig:
    return SamlPortalConfig(
        url="https://portail.ac-creteil.example",
        title="Portail ARENA de Créteil",
        people=PEOPLE[DOOR],
        service=Service(METADATA, ACS, keys("ours").certificate_pem),
        keys=keys("simulated portal"),
        relay="/missions",
        clock=clock.now,
    )


@pytest.fixture
def browser(config: SamlPortalConfig) -> Client:
    return Client(over_asgi(saml_portal(config)))


@pytest.fixture
def gate(config: SamlPortalConfig, tmp_path: Path) -> Callable[..., House]:
    def call(**more: object) -> House:
        return house(
            tmp_path,
            metadata=config.metadata(),
            portal_entity_id=config.entity_id,
            required_attributes=("ctln", "ctfn", "ctemail", "rne"),
            require_signed="both",
            **more,  # type: ignore[arg-type]  # settings by name
        )

    return call


def bring(there: House, page: Reply, clock: ManualClock) -> Arrival:
    """Press the button of the page that carries the answer."""
    client = Client(lambda method, target, headers, body, address: Reply(200, [], b""))
    sent: list[Request] = []

    def gateway(method: str, target: str, headers: list[tuple[str, str]], body: bytes, address: str) -> Reply:
        assert target == ACS
        lower = {name.lower(): value for name, value in headers}
        sent.append(Request(method, urlsplit(target).path, headers=lower, body=body))
        return Reply(200, [], b"")

    client.mount = gateway
    client.submit(page, {})
    return there.portal.arrive(sent[0], there.memories, clock.now())


def test_its_metadata_follows_the_schema(browser: Client, config: SamlPortalConfig) -> None:
    reply = browser.get("/saml/metadata")
    assert reply.body == config.metadata()
    assert schema.is_valid(parse(reply.body, METADATA_LIMITS))


def test_a_login_that_began_at_our_side(
    browser: Client, gate: Callable[..., House], config: SamlPortalConfig, clock: ManualClock
) -> None:
    there = gate()
    departure = there.portal.depart(clock.now())
    there.memories.keep(departure)
    assert departure.url.startswith(config.sso_url + "?")
    form = browser.get(departure.url.removeprefix(config.url))
    assert form.title == "Authentification"
    assert "portail simulé" in form.text
    wrong = browser.submit(form, {**LOGIN, "motdepasse": "autre"})
    assert wrong.status == 401
    clock.move(timedelta(minutes=1))
    page = browser.follow(browser.submit(form, LOGIN))
    arrival = bring(there, page, clock)
    assert arrival.solicited
    assert (arrival.subject, f"{arrival.given_name} {arrival.family_name}") == (PERSON.login, PERSON.name)
    assert arrival.authenticated_at == clock.now()
    # The second time the portal asks nothing, and the moment of the password stays what it was.
    clock.move(timedelta(hours=1))
    again = there.portal.depart(clock.now())
    there.memories.keep(again)
    second = bring(there, browser.get(again.url.removeprefix(config.url)), clock)
    assert second.authenticated_at == arrival.authenticated_at
    assert second.message_id != arrival.message_id
    assert second.portal_session == arrival.portal_session


def test_a_login_by_the_link_inside_the_portal(browser: Client, gate: Callable[..., House], clock: ManualClock) -> None:
    home = browser.follow(browser.submit(browser.get("/"), LOGIN))
    assert "Examens et concours" in home.text
    links = home.tree.xpath("//a[contains(., 'Imagin')]/@href")
    page = browser.get(str(links[0]))
    there = gate(unsolicited=True)
    arrival = bring(there, page, clock)
    assert not arrival.solicited
    assert (arrival.subject, arrival.relay) == (PERSON.login, "/missions")
    with pytest.raises(AnswerRefused) as caught:
        bring(gate(), page, clock)
    assert caught.value.code is Code.UNSOLICITED


def test_the_page_that_carries_the_answer_works_without_script(browser: Client) -> None:
    browser.submit(browser.get("/"), LOGIN)
    page = browser.get("/saml/imagin")
    assert page.tree.xpath("//form[@method='post']/@action") == [ACS]
    assert [each.text_content() for each in page.tree.xpath("//form//button")] == ["Continuer vers Imagin"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda query: query.replace("Signature=", "Signature=AAAA"),
        lambda query: query.partition("&SigAlg")[0],
        lambda query: query.replace("sha256", "sha1"),
        lambda query: query.replace("SAMLRequest=", "SAMLRequest=AAAA"),
        lambda query: "",
    ],
    ids=["signature", "unsigned", "sha1", "request", "nothing"],
)
def test_it_answers_no_request_that_is_not_ours(
    browser: Client, gate: Callable[..., House], clock: ManualClock, spoil: Callable[[str], str]
) -> None:
    browser.submit(browser.get("/"), LOGIN)
    path, _, query = gate().portal.depart(clock.now()).url.partition("?")
    reply = browser.get(f"{urlsplit(path).path}?{spoil(query)}")
    assert reply.status == 400
    assert "SAMLResponse" not in reply.text


def test_leaving_the_portal_ends_its_session(browser: Client) -> None:
    browser.submit(browser.get("/"), LOGIN)
    assert browser.get("/").title == "Vos applications"
    browser.get("/deconnexion")
    assert browser.get("/saml/imagin").title == "Authentification"
