"""Leaving for the provider."""

from __future__ import annotations

import base64
import hashlib
import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.portal import Departure
from tests.clock import ManualClock
from tests.providers.oidc.journey import ISSUER, REDIRECT_URI, House, configured, house
from tests.providers.oidc.provider import CLIENT_ID, Answer, Provider


def asked(departure: Departure) -> dict[str, str]:
    """Return the parameters of the address, each of which must stand once."""
    found = parse_qs(urlsplit(departure.url).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def test_the_address_asks_for_a_code_with_every_protection(there: House) -> None:
    departure = there.portal.depart(there.clock.now())
    parameters = asked(departure)
    assert departure.url.startswith(f"{ISSUER}/authorize?")
    assert parameters.keys() == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    assert parameters["response_type"] == "code"
    assert parameters["client_id"] == CLIENT_ID
    assert parameters["redirect_uri"] == REDIRECT_URI
    assert parameters["state"] == departure.correlation
    assert parameters["nonce"] == departure.memory["nonce"]
    assert not departure.cross_site_post


@pytest.mark.row("OID-15")
@pytest.mark.parametrize("scopes", [("openid",), ("openid", "profile"), ("openid", "arena", "email")])
def test_the_scope_is_the_configured_list_and_nothing_more(
    provider: Provider, clock: ManualClock, scopes: tuple[str, ...]
) -> None:
    portal = house(provider, clock, scopes=scopes).portal
    assert asked(portal.depart(clock.now()))["scope"] == " ".join(scopes)


@pytest.mark.row("OID-16")
def test_a_thousand_departures_share_no_value(there: House) -> None:
    departures = [there.portal.depart(there.clock.now()) for _ in range(1000)]
    for values in (
        [departure.memory["verifier"] for departure in departures],
        [departure.memory["nonce"] for departure in departures],
        [departure.correlation for departure in departures],
    ):
        assert len(set(values)) == 1000
        assert min(len(value) for value in values) >= 43  # 256 bits and more, six bits a character
    for departure in departures:
        parameters = asked(departure)
        digest = hashlib.sha256(departure.memory["verifier"].encode()).digest()
        assert parameters["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert parameters["code_challenge_method"] == "S256"
        assert 43 <= len(departure.memory["verifier"]) <= 128
        assert departure.memory["verifier"] not in departure.url


@pytest.mark.row("OID-16")
def test_the_token_request_carries_the_verifier_of_its_own_login(there: House) -> None:
    one, two = there.leave(), there.leave()
    verifiers = {state: memory["verifier"] for state, memory in there.memories.kept.items()}
    for answer in (two, one):
        there.come_back(answer)
        assert there.provider.last("/token").form["code_verifier"] == verifiers[answer["state"]]


@pytest.mark.row("OID-16")
@pytest.mark.parametrize("key", ["code_challenge_method", "pkce"])
def test_no_setting_weakens_pkce(key: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        configured(**{key: "plain"})


@pytest.mark.row("OID-23")
@pytest.mark.parametrize(
    "more",
    [{"response_type": "token"}, {"response_type": "code id_token"}]
    + [{"grant_type": grant} for grant in ("implicit", "password", "client_credentials")],
)
def test_another_flow_cannot_be_configured(more: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        configured(**more)


@pytest.mark.row("OID-23")
def test_an_answer_cannot_be_asked_for_in_a_fragment() -> None:
    with pytest.raises(ValidationError, match="literal_error"):
        configured(response_mode="fragment")


@pytest.mark.row("OID-23")
def test_every_request_is_of_the_code_flow(there: House) -> None:
    assert asked(there.portal.depart(there.clock.now()))["response_type"] == "code"
    there.login()
    assert there.provider.last("/token").form["grant_type"] == "authorization_code"


@pytest.mark.row("OID-23")
def test_tokens_in_the_answer_itself_are_not_looked_at(there: House) -> None:
    answer = there.leave()
    del answer["code"]
    with pytest.raises(AnswerRefused) as refused:
        there.come_back({**answer, "id_token": "eyJ.e30.x", "access_token": "abc", "token_type": "Bearer"})
    assert refused.value.code is Code.OIDC_CODE
    assert there.provider.count("/token") == 0


@pytest.mark.row("OID-20")
def test_the_return_address_is_a_constant_whatever_the_request_says(there: House) -> None:
    answer = there.leave()
    hostile = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    there.come_back(answer, headers=hostile)
    assert there.provider.last("/token").form["redirect_uri"] == REDIRECT_URI
    assert asked(there.portal.depart(there.clock.now()))["redirect_uri"] == REDIRECT_URI


def test_a_query_that_the_endpoint_already_has_is_kept(provider: Provider, clock: ManualClock) -> None:
    provider.edit_discovery = lambda document: document.update(authorization_endpoint=f"{ISSUER}/authorize?realm=paris")
    parameters = asked(house(provider, clock).portal.depart(clock.now()))
    assert parameters["realm"] == "paris"
    assert parameters["response_type"] == "code"


def test_opening_asks_the_provider_nothing_and_a_dead_one_is_told_at_departure(
    provider: Provider, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider.replies["/.well-known/openid-configuration"] = lambda: Answer(503)
    portal = house(provider, clock).portal
    assert provider.seen == []
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as unavailable:
        portal.depart(clock.now())
    assert unavailable.value.code is Code.PORTAL_UNAVAILABLE


def test_a_provider_that_failed_is_left_alone_a_moment_and_then_asked_again(
    provider: Provider, clock: ManualClock
) -> None:
    provider.replies["/.well-known/openid-configuration"] = lambda: Answer(503)
    there = house(provider, clock)
    for _ in range(20):
        with pytest.raises(Unavailable):
            there.portal.depart(clock.now())
    assert len(provider.seen) == 1
    provider.replies.clear()
    clock.move(5)
    there.login()


def test_values_of_a_login_do_not_print(there: House) -> None:
    departure = there.portal.depart(there.clock.now())
    shown = repr(departure)
    assert departure.correlation not in shown
    assert departure.memory["verifier"] not in shown
    assert departure.memory["nonce"] not in shown
