"""A login that begins at a link inside an OpenID portal; and answers that come by POST, or that say no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import Provider

DOOR = "arena-paris"
ISSUER = "https://oidc.arena-paris.example"
OURS = "http://127.0.0.1:8400"


@dataclass
class Begun:
    """The house with one OpenID portal of these settings."""

    house: TheHouse
    provider: Provider

    @classmethod
    def open(cls, house: TheHouse, **config: Any) -> Begun:
        redirect_uri = house.gateway.settings.url(f"/portail/{DOOR}/retour")
        provider = Provider(ISSUER, house.clock.now(), redirect_uri)
        house.gateway.house.portals[DOOR] = OidcPortal.open(  # type: ignore[index]  # a dict
            DOOR,
            configured(ISSUER, **config),
            redirect_uri=redirect_uri,
            development=True,
            transport=provider.transport(),
        )
        return cls(house, provider)

    def begin(self, client: Client, method: str = "GET", **fields: str) -> Reply:
        """Follow the portal's link, or let its page post it."""
        target = f"/connexion/portail/{DOOR}/initier"
        if method == "GET":
            return client.get(f"{target}?{urlencode(fields)}")
        headers = {"Origin": ISSUER, "Sec-Fetch-Site": "cross-site"}
        return client.post(target, fields, headers=headers, cookies=False)

    def finish(self, client: Client, reply: Reply) -> Reply:
        """Log in at the provider, and come back."""
        answer = self.provider.authorize(reply.location)
        return client.follow(client.get(f"/connexion/portail/{DOOR}/retour?{urlencode(answer)}"))


@pytest.mark.row("OID-27")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_inside_the_portal_leads_to_a_full_login(house: TheHouse, method: str) -> None:
    begun = Begun.open(house, unsolicited=True)
    client = house.client()
    reply = begun.begin(client, method, iss=ISSUER, target_link_uri=f"{OURS}/missions/7?a=b", login_hint="élise")
    assert reply.status == 303
    asked = parse_qs(urlsplit(reply.location).query)
    assert asked["login_hint"] == ["élise"]
    page = begun.finish(client, reply)
    assert page.text.startswith("arena-paris|person-1")
    second = begun.begin(client, method, iss=ISSUER, target_link_uri=f"{OURS}/missions/7?a=b")
    again = parse_qs(urlsplit(second.location).query)
    assert {asked[name][0] for name in ("state", "nonce")}.isdisjoint({again[name][0] for name in ("state", "nonce")})
    assert "login_hint" not in again


@pytest.mark.row("OID-27")
def test_without_a_target_the_usual_page_is_meant(house: TheHouse) -> None:
    begun = Begun.open(house, unsolicited=True)
    client = house.client()
    reply = begun.begin(client, iss=ISSUER)
    answer = begun.provider.authorize(reply.location)
    arrived = client.get(client.get(f"/connexion/portail/{DOOR}/retour?{urlencode(answer)}").location)
    assert arrived.location == house.gateway.settings.landing


@pytest.mark.row("OID-27")
@pytest.mark.parametrize("issuer", ["", "https://evil.example", ISSUER + "/", ISSUER.upper(), None])
def test_a_login_begun_for_another_issuer_is_refused(house: TheHouse, issuer: str | None) -> None:
    begun = Begun.open(house, unsolicited=True)
    fields = {} if issuer is None else {"iss": issuer}
    reply = begun.begin(house.client(), **fields)
    assert (reply.status, reply.location) == (403, "")
    assert house.codes("login_refused") == [Code.OIDC_ISSUER]
    assert not begun.provider.seen


@pytest.mark.row("OID-27")
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/missions",
        f"{OURS}.evil.example/missions",
        f"{OURS}@evil.example/missions",
        f"{OURS}//evil.example",
        f"{OURS}/\\evil.example",
        f"{OURS}/missions/../connexion/fin",
        f"{OURS}/connexion/fin",
        f"{OURS}/missions#fragment",
        "https://127.0.0.1:8400/missions",
        "javascript:alert(1)",
        f"{OURS}/" + "x" * 3000,
        f"{OURS}/missions\n",
    ],
)
def test_a_login_begun_for_a_foreign_page_is_refused(house: TheHouse, target: str) -> None:
    begun = Begun.open(house, unsolicited=True)
    reply = begun.begin(house.client(), iss=ISSUER, target_link_uri=target)
    assert (reply.status, reply.location) == (400, "")
    text = target.isprintable() and len(target) < 2500
    assert house.codes("login_refused") == [Code.REDIRECT if text else Code.OIDC_INITIATION]
    assert not begun.provider.seen


@pytest.mark.row("OID-27")
def test_a_wish_that_is_no_text_is_refused(house: TheHouse) -> None:
    begun = Begun.open(house, unsolicited=True)
    reply = begun.begin(house.client(), iss=ISSUER, login_hint="x" * 5000)
    assert (reply.status, reply.location) == (400, "")
    assert house.codes("login_refused") == [Code.OIDC_INITIATION]


@pytest.mark.row("OID-27")
def test_a_code_that_nobody_asked_for_is_refused(house: TheHouse) -> None:
    begun = Begun.open(house, unsolicited=True)
    client = house.client()
    stranger = begun.provider.authorize(begun.begin(house.client(), iss=ISSUER).location)
    for bare in ({"code": stranger["code"], "iss": ISSUER}, {"code": "x", "state": "y" * 43, "iss": ISSUER}):
        reply = client.get(f"/connexion/portail/{DOOR}/retour?{urlencode(bare)}")
        assert reply.status == 400
    assert begun.provider.count("/token") == 0
    assert client.get("/missions").status == 303


@pytest.mark.row("OID-27")
def test_a_portal_that_may_not_begin_a_login_begins_none(house: TheHouse) -> None:
    begun = Begun.open(house)
    reply = begun.begin(house.client(), iss=ISSUER)
    assert (reply.status, house.codes("login_refused")) == (403, [Code.UNSOLICITED])


def test_another_protocol_has_no_such_address(house: TheHouse) -> None:
    assert house.client().get("/connexion/portail/arena-creteil/initier?iss=x").status == 404


@pytest.mark.row("OID-27")
def test_who_is_signed_in_is_not_silently_replaced_before_the_login_ends(house: TheHouse) -> None:
    begun = Begun.open(house, unsolicited=True)
    client = house.client()
    begun.finish(client, begun.begin(client, iss=ISSUER, target_link_uri=f"{OURS}/missions"))
    begun.begin(client, iss=ISSUER, target_link_uri=f"{OURS}/missions")
    assert client.get("/missions").text.startswith("arena-paris|person-1")


@pytest.mark.row("OID-21")
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_refusal_by_address_or_by_form_is_a_page_and_nothing_in_it_is_repeated(house: TheHouse, mode: str) -> None:
    begun = Begun.open(house, response_mode=mode)
    client = house.client()
    location = client.get(f"/connexion/portail/{DOOR}").location
    assert (parse_qs(urlsplit(location).query).get("response_mode") == ["form_post"]) == (mode == "form_post")
    state = begun.provider.authorize(location)["state"]
    markup = "<script>alert(1)</script>"
    fields = {"error": "login_required", "error_description": markup, "error_uri": markup, "state": state}
    reply = answered(client, mode, {**fields, "iss": ISSUER})
    assert reply.status == 403
    assert "n’a pas confirmé la connexion" in reply.title
    assert "alert(1)" not in reply.text
    assert begun.provider.count("/token") == 0
    assert client.get("/missions").status == 303
    event = next(each for each in house.events if each["event"] == "login_refused")
    assert (event["code"], event["detail"]["statuses"]) == (Code.PORTAL_REFUSED, "login_required")
    # an error that answers no login of this browser is a page too
    assert answered(house.client(), mode, fields).status == 400


def answered(client: Client, mode: str, fields: dict[str, str]) -> Reply:
    target = f"/connexion/portail/{DOOR}/retour"
    if mode == "query":
        return client.get(f"{target}?{urlencode(fields)}")
    return client.post(target, fields, headers={"Origin": ISSUER, "Sec-Fetch-Site": "cross-site"})


def test_an_answer_by_form_opens_a_session(house: TheHouse) -> None:
    begun = Begun.open(house, response_mode="form_post")
    client = house.client()
    reply = client.get(f"/connexion/portail/{DOOR}?next=/missions/5")
    posted = answered(client, "form_post", begun.provider.authorize(reply.location))
    assert client.follow(posted).text.startswith("arena-paris|person-1")


@pytest.mark.row("OID-21")
@pytest.mark.parametrize(("mode", "other"), [("query", "form_post"), ("form_post", "query")])
def test_an_answer_comes_in_the_one_way_that_was_asked_for(house: TheHouse, mode: str, other: str) -> None:
    begun = Begun.open(house, response_mode=mode)
    client = house.client()
    answer = begun.provider.authorize(client.get(f"/connexion/portail/{DOOR}").location)
    assert answered(client, other, answer).status == 405
    assert begun.provider.count("/token") == 0
    assert answered(client, mode, answer).status == 303
