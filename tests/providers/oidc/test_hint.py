"""Whether the ID token is kept for the logout: by default only if it tells nothing that is not kept anyway."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import GatewayError
from imagin_gateway.providers.oidc import hint
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.oidc.signed import Signed
from imagin_gateway.providers.portal import Arrival, Departure, PortalSession
from tests.clock import ManualClock
from tests.providers.oidc.journey import ISSUER, configured, house
from tests.providers.oidc.provider import CLIENT_ID, Document, Provider

BACK = "https://imagin.example/connexion/portail/arena-paris/fin"
POSTING = "0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300"


def kept(provider: Provider, clock: ManualClock, claims: Document | None = None, **config: Any) -> bool:
    """Log in; tell whether the ID token, with these claims more, is kept."""
    provider.edit_claims = lambda told: told.update(claims or {})
    told = house(provider, clock, **config).login().logout_hint
    assert told in ("", provider.id_tokens[-1])
    return bool(told)


def test_a_token_that_tells_only_what_is_kept_is_kept(provider: Provider, clock: ManualClock) -> None:
    assert kept(provider, clock)
    provider.id_token_tells_the_person = True
    provider.person |= {"codaca": 1, "FrEduRne": [POSTING], "title": "ENS"}
    assert kept(provider, clock)
    # as Keycloak and LemonLDAP::NG write one, without what they know of the person
    assert kept(provider, clock, {"typ": "ID", "azp": CLIENT_ID, "session_state": "s", "jti": "j", "nbf": 1})
    assert kept(provider, clock, {"courriel": provider.person["email"]}, attributes={"ctemail": ("courriel",)})


@pytest.mark.parametrize(
    "claims",
    [
        {"employeeNumber": "01E9501234ABC"},
        {"preferred_username": "elefevre"},
        {"email_verified": True},
        {"name": "Élodie Lefèvre"},
        {"birthdate": None},
        {"address": {"locality": "Paris"}},
        {"groups": []},
        {"mail": "elodie@prive.example"},
        {"title": ["ENS", {"grade": "3"}]},
        {"title": [3, None]},
        {"FrEduRne": ["0750001X$UAJ$PU$ENS$0750001U$T3$LYC$300"]},
        {"FrEduUrlRetour": "https://arena.example/"},
        {"x" * 300: "y"},
        {"jti": {"person": "01E9501234ABC"}},
        {"typ": "01E9501234ABC" * 99},
        {"c_hash": ["01E9501234ABC"] * 99},
        {"session_state": None},
    ],
    ids=lambda claims: next(iter(claims))[:20],
)
def test_a_token_that_tells_anything_more_is_not(provider: Provider, clock: ManualClock, claims: Document) -> None:
    assert not kept(provider, clock, claims)
    assert not kept(provider, clock, claims, logout_id_token="required")
    assert kept(provider, clock, claims, logout_id_token="any") is (len(provider.id_tokens[-1]) <= hint.MAX_HINT_CHARS)
    assert not kept(provider, clock, {}, logout_id_token="never")


@pytest.mark.parametrize("more", [{"x5c": ["MIIB"]}, {"person": "01E9501234ABC"}, {"x5t": "b" * 999}])
def test_a_header_that_holds_more_than_names_of_keys_is_more(
    provider: Provider, clock: ManualClock, more: Document
) -> None:
    provider.edit_header = lambda told: told.update(more)
    assert not kept(provider, clock)


def test_the_claim_that_is_the_subject_is_kept_anyway(provider: Provider, clock: ManualClock) -> None:
    assert kept(provider, clock, {"uid": "elefevre"}, subject_attribute="uid", unsolicited=False)
    assert not kept(provider, clock, {"uid": "elefevre"})


NAMES = ("ctln", "family_name", "sn", "codaca", "title", "courriel", "uid", "name", "numen", "sub", "acr", "jti")
SCALARS = st.sampled_from(["Lefèvre", "ENS", "1", "elodie@ac-paris.fr", "elefevre", "secret"]) | st.sampled_from(
    [1, 7, True, None, 1.5]
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from(["a"]), SCALARS, max_size=1)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5))
def test_whatever_the_claims_a_kept_token_holds_no_value_of_a_person_that_is_not_kept(claims: Document) -> None:
    config = configured(attributes={"ctemail": ("courriel",)}, subject_attribute="uid")
    arrival = Arrival(
        issuer=ISSUER,
        subject="elefevre",
        method="oidc",
        authenticated_at=ManualClock().now(),
        attributes={"ctln": ("Lefèvre",), "title": ("ENS",), "codaca": ("1",), "ctemail": ("elodie@ac-paris.fr",)},
    )
    if not hint.tells_nothing_more(config, Signed("RS256", claims, {"alg": "RS256"}), arrival):
        return
    held = {value for values in arrival.attributes.values() for value in values} | {arrival.subject}
    for name, value in claims.items():
        if name not in ("sub", "acr", "jti"):
            assert {str(each) for each in (value if isinstance(value, list) else [value])} <= held


def leaving(provider: Provider, clock: ManualClock, token: str, **config: Any) -> Departure | None:
    portal = OidcPortal.open(
        "arena-paris",
        configured(provider.issuer, **config),
        redirect_uri=provider.redirect_uri,
        logout_uri=BACK,
        development=False,
        transport=provider.transport(),
    )
    return portal.depart_logout(PortalSession(issuer=ISSUER, subject="person-1", logout_hint=token), clock.now())


def test_without_a_token_the_provider_is_told_which_client_asks(provider: Provider, clock: ManualClock) -> None:
    departure = leaving(provider, clock, "")
    assert departure is not None
    asked = parse_qs(urlsplit(departure.url).query)
    assert asked == {"client_id": [CLIENT_ID], "post_logout_redirect_uri": [BACK], "state": [departure.correlation]}
    assert departure.memory["id_token"] == ""


def test_nobody_leaves_without_one_for_a_provider_that_requires_it(provider: Provider, clock: ManualClock) -> None:
    assert leaving(provider, clock, "", logout_id_token="required") is None
    departure = leaving(provider, clock, "a.b.c", logout_id_token="required")
    assert departure is not None
    assert "id_token_hint=a.b.c" in departure.url
    assert departure.memory["id_token"] == "shown"


def test_one_that_an_earlier_setting_kept_is_not_shown_any_more(provider: Provider, clock: ManualClock) -> None:
    departure = leaving(provider, clock, "a.b.c", logout_id_token="never")
    assert departure is not None
    assert "a.b.c" not in departure.url


@pytest.mark.parametrize("wrong", ["bare", "never", "sometimes"])
def test_proconnect_must_be_shown_it(wrong: str) -> None:
    from pydantic import ValidationError

    from imagin_gateway.settings.proconnect import ProConnect

    values: dict[str, Any] = {"issuer": ISSUER, "client_id": "imagin", "client_secret": "x" * 40}
    assert ProConnect(**values).logout_id_token == "required"
    with pytest.raises((ValidationError, GatewayError)):
        ProConnect(**values | {"logout_id_token": wrong})
