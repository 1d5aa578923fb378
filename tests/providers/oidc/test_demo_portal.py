"""The simulated portal of the demonstration, on a socket, with our portal as its client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
import uvicorn

from examples.demo.portals.oidc_portal import Client, OidcProvider
from examples.demo.portals.people import PEOPLE
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.portal import Arrival, Departure
from tests.providers.oidc.journey import DOOR, Memories, configured

RETURN = "http://127.0.0.1:8400/connexion/arena-paris/retour"
AFTER = "http://127.0.0.1:8400/apres"


SOMEONE = PEOPLE["arena-paris"][0]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of the simulated portal."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    issuer = f"http://127.0.0.1:{port}"
    client = Client("imagin", "un secret : &+é", (RETURN,), (AFTER,))
    provider = OidcProvider(
        issuer=issuer,
        clients=[client],
        people=PEOPLE["arena-paris"],
        title="ARENA Paris",
        imagin_url="http://127.0.0.1:8400/",
    )
    server = uvicorn.Server(
        uvicorn.Config(provider.app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield issuer
    server.should_exit = True
    thread.join()


@pytest.fixture
def browser() -> Iterator[httpx2.Client]:
    with httpx2.Client(follow_redirects=False, trust_env=False) as client:
        yield client


@pytest.fixture
def portal(address: str) -> Iterator[OidcPortal]:
    opened = OidcPortal.open(
        DOOR,
        configured(address, client_secret=Secret("un secret : &+é")),
        redirect_uri=RETURN,
        development=True,
    )
    yield opened
    opened.close()


def now() -> datetime:
    return datetime.now(UTC)


def sign_in(browser: httpx2.Client, url: str) -> httpx2.Response:
    """Fill in the form at `url` and follow the portal's own redirect."""
    assert 'name="motdepasse"' in browser.get(url).text
    sent = browser.post(url, data={"identifiant": SOMEONE.login, "motdepasse": SOMEONE.password})
    assert sent.status_code == 303
    return browser.get(str(sent.url.join(sent.headers["location"])))


def come_back(portal: OidcPortal, departure: Departure, answer: httpx2.Response) -> Arrival:
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith(RETURN + "?")
    memories = Memories()
    memories.keep(departure)
    return portal.arrive(Request("GET", "/", urlsplit(location).query.encode()), memories, now())


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_a_login_from_one_end_to_the_other(address: str, browser: httpx2.Client, authentication: str) -> None:
    config = configured(
        address, client_secret=Secret("un secret : &+é"), client_authentication=authentication, academie=1
    )
    portal = OidcPortal.open(DOOR, config, redirect_uri=RETURN, development=True)
    departure = portal.depart(now())
    arrival = come_back(portal, departure, sign_in(browser, departure.url))
    assert (arrival.issuer, arrival.subject) == (address, SOMEONE.login)
    assert (arrival.given_name, arrival.family_name) == (SOMEONE.given_name, SOMEONE.family_name)
    assert arrival.email == SOMEONE.mail
    assert arrival.attributes["FrEduRne"] == SOMEONE.attributes["FrEduRne"]
    assert "01E9501234ABC" not in str(arrival.attributes)
    assert arrival.amr == ("pwd",)
    portal.close()


def test_the_second_login_asks_nothing(portal: OidcPortal, browser: httpx2.Client) -> None:
    first = portal.depart(now())
    one = come_back(portal, first, sign_in(browser, first.url))
    second = portal.depart(now())
    two = come_back(portal, second, browser.get(second.url))
    assert one.authenticated_at == two.authenticated_at


def test_a_code_is_good_once(portal: OidcPortal, browser: httpx2.Client) -> None:
    departure = portal.depart(now())
    answer = sign_in(browser, departure.url)
    come_back(portal, departure, answer)
    with pytest.raises(AnswerRefused) as refused:
        come_back(portal, departure, answer)
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_TOKEN_RESPONSE, ("invalid_grant",))


def test_a_code_is_worth_nothing_without_its_verifier(portal: OidcPortal, browser: httpx2.Client) -> None:
    departure, other = portal.depart(now()), portal.depart(now())
    answer = sign_in(browser, departure.url)
    stolen = Departure(departure.url, departure.correlation, other.memory, False)
    with pytest.raises(AnswerRefused) as refused:
        come_back(portal, stolen, answer)
    assert refused.value.statuses == ("invalid_grant",)


def test_a_wrong_password_is_refused(portal: OidcPortal, browser: httpx2.Client) -> None:
    url = portal.depart(now()).url
    for login in (SOMEONE.login, "personne"):
        answer = browser.post(url, data={"identifiant": login, "motdepasse": "autre chose"})
        assert answer.status_code == 401
        assert "incorrect" in answer.text
    assert not browser.cookies


@pytest.mark.parametrize(
    "edit", [{"client_id": "other"}, {"redirect_uri": "http://evil.example/"}, {"redirect_uri": RETURN + "/x"}]
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    portal: OidcPortal, browser: httpx2.Client, edit: dict[str, str]
) -> None:
    url, _, query = portal.depart(now()).url.partition("?")
    answer = browser.get(f"{url}?{urlencode({**dict(parse_qsl(query)), **edit})}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_an_error_comes_back_as_an_answer(
    portal: OidcPortal, browser: httpx2.Client, edit: dict[str, str], error: str
) -> None:
    departure = portal.depart(now())
    url, _, query = departure.url.partition("?")
    answer = browser.get(f"{url}?{urlencode({**dict(parse_qsl(query)), **edit})}")
    with pytest.raises(AnswerRefused) as refused:
        come_back(portal, departure, answer)
    assert (refused.value.code, refused.value.statuses) == (Code.PORTAL_REFUSED, (error,))


def test_the_home_page_asks_for_the_password_then_links_to_imagin(address: str, browser: httpx2.Client) -> None:
    assert ">Imagin</a>" in sign_in(browser, f"{address}/").text


def test_leaving_the_portal_ends_its_session(address: str, portal: OidcPortal, browser: httpx2.Client) -> None:
    sign_in(browser, portal.depart(now()).url)
    answer = browser.get(f"{address}/logout?{urlencode({'post_logout_redirect_uri': AFTER, 'state': 'x'})}")
    assert answer.headers["location"] == f"{AFTER}?state=x"
    assert 'name="motdepasse"' in browser.get(portal.depart(now()).url).text
    elsewhere = browser.get(f"{address}/logout?post_logout_redirect_uri=http%3A%2F%2Fevil.example%2F")
    assert "location" not in elsewhere.headers
