"""The claims of an ID token: each check, and what attacks it.

A refused token ends the login before userinfo is asked: no test here may see a
request with the access token.
"""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta
from typing import Any

import pytest

from imagin_gateway.errors import AnswerRefused, Code
from tests.clock import ManualClock
from tests.providers.oidc.journey import ABSENT, House, house, telling
from tests.providers.oidc.provider import (
    CLIENT_ID,
    Document,
    Provider,
    base64url,
    ec_key,
    okp_key,
)


def refusal(there: House, **claims: object) -> Code:
    """Return why a token with these claims is refused; nothing may be asked with its access token."""
    there.provider.edit_claims = telling(**claims)
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert there.provider.count("/userinfo") == 0
    return refused.value.code


def accepted(there: House, **claims: object) -> None:
    there.provider.edit_claims = telling(**claims)
    assert there.login().subject == claims.get("sub", "person-1")


# --- iss


@pytest.mark.row("OID-02")
@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example",
        "https://oidc.ac-paris.example/",
        "https://OIDC.ac-paris.example",
        "http://oidc.ac-paris.example",
        "",
        None,
        ["https://oidc.ac-paris.example"],
        ABSENT,
    ],
)
def test_a_token_of_another_issuer_is_refused(there: House, iss: object) -> None:
    assert refusal(there, iss=iss) is Code.OIDC_ISSUER


# --- sub


@pytest.mark.row("OID-03")
@pytest.mark.parametrize(
    "sub", [ABSENT, "", " ", None, 12, True, ["person-1"], {"a": 1}, "é", "a\nb", "a\x00", "x" * 256]
)
def test_a_token_that_names_nobody_is_refused(there: House, sub: object) -> None:
    assert refusal(there, sub=sub) is Code.OIDC_SUBJECT


def test_a_subject_of_255_characters_is_a_subject(there: House) -> None:
    there.provider.person["sub"] = "x" * 255
    assert there.login().subject == "x" * 255


# --- aud, azp


@pytest.mark.row("OID-04")
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ABSENT},
        {"aud": ABSENT, "azp": CLIENT_ID},
        {"aud": ""},
        {"aud": []},
        {"aud": None},
        {"aud": {CLIENT_ID: 1}},
        {"aud": "other"},
        {"aud": "other", "azp": CLIENT_ID},
        {"aud": ["other", "x"], "azp": CLIENT_ID},
        {"aud": [CLIENT_ID, "other"]},
        {"aud": ["other", CLIENT_ID], "azp": CLIENT_ID},
        {"aud": [CLIENT_ID, 7]},
        {"aud": [[CLIENT_ID]]},
        {"aud": CLIENT_ID.upper()},
        {"aud": f"{CLIENT_ID} other"},
        {"aud": CLIENT_ID, "azp": "other"},
        {"aud": CLIENT_ID, "azp": None},
        {"aud": CLIENT_ID, "azp": [CLIENT_ID]},
    ],
)
def test_a_token_for_another_client_or_for_others_too_is_refused(there: House, claims: dict[str, Any]) -> None:
    assert refusal(there, **claims) is Code.OIDC_AUDIENCE


@pytest.mark.parametrize("claims", [{"aud": CLIENT_ID}, {"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID], "azp": CLIENT_ID}])
def test_a_token_for_us_alone_is_accepted(there: House, claims: dict[str, Any]) -> None:
    accepted(there, **claims)


# --- exp, nbf, iat; the provider's clock says 0, ours as much, the leeway is 30 s


def at(clock: ManualClock, seconds: float) -> float:
    return clock.now().timestamp() + seconds


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("exp", [-10_000, -31, -30])
def test_an_expired_token_is_refused(there: House, exp: int) -> None:
    assert refusal(there, exp=at(there.clock, exp), iat=at(there.clock, exp - 1)) is Code.OIDC_TIME


@pytest.mark.row("OID-05")
def test_an_end_is_passed_by_the_leeway_at_most(there: House) -> None:
    accepted(there, exp=at(there.clock, -29))


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("seconds", [31, 3600])
def test_a_token_that_is_not_valid_yet_is_refused(there: House, seconds: int) -> None:
    assert refusal(there, nbf=at(there.clock, seconds)) is Code.OIDC_TIME


@pytest.mark.row("OID-05")
def test_a_beginning_is_anticipated_by_the_leeway_at_most(there: House) -> None:
    accepted(there, nbf=at(there.clock, 30))


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("seconds", [31, 3600, -600 - 31, -3600, -10 * 365 * 86_400])
def test_a_token_issued_in_the_future_or_long_ago_is_refused(there: House, seconds: int) -> None:
    assert refusal(there, iat=at(there.clock, seconds)) is Code.OIDC_TIME


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("seconds", [30, 0, -600 - 30])
def test_a_token_issued_a_moment_ago_is_accepted(there: House, seconds: int) -> None:
    accepted(there, iat=at(there.clock, seconds))


@pytest.mark.row("OID-05")
@pytest.mark.parametrize(("age", "issued", "good"), [(60, -90, True), (60, -91, False), (3600, -3000, True)])
def test_the_age_of_a_token_is_configured(
    provider: Provider, clock: ManualClock, age: int, issued: int, good: bool
) -> None:
    there = house(provider, clock, token_age_seconds=age)
    if good:
        accepted(there, iat=at(clock, issued))
    else:
        assert refusal(there, iat=at(clock, issued)) is Code.OIDC_TIME


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("leeway", [0, 60])
def test_the_leeway_is_configured_and_never_more_than_a_minute(
    provider: Provider, clock: ManualClock, leeway: int
) -> None:
    there = house(provider, clock, leeway_seconds=leeway)
    accepted(there, exp=at(clock, 1 - leeway))
    provider.seen.clear()
    assert refusal(there, exp=at(clock, -leeway)) is Code.OIDC_TIME
    with pytest.raises(ValueError, match="less_than_equal"):
        house(provider, clock, leeway_seconds=61)


NO_MOMENTS: list[object] = [
    *(None, "1700000000", True, False, [], {}, -1, 1e300, 10**400, math.nan, math.inf, 253402300800),
]


@pytest.mark.row("OID-05")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("iat", "exp", "nbf", "auth_time") for value in NO_MOMENTS),
        *((name, 0) for name in ("iat", "exp", "auth_time")),
    ],
)
def test_a_moment_that_is_none_is_refused(there: House, name: str, value: object) -> None:
    if name == "auth_time" and value == 0:
        return  # some providers write it so where they do not know: test_claims
    expected = {Code.OIDC_TIME}
    if isinstance(value, float) and not math.isfinite(value):
        expected = {Code.OIDC_TOKEN_RESPONSE}  # NaN and Infinity are not JSON
    assert refusal(there, **{name: value}) in expected


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("first", [0, 0.0])
def test_a_token_valid_since_the_first_moment_there_is(there: House, first: float) -> None:
    # Keycloak, before its version 10, wrote `nbf: 0` into every token.
    accepted(there, nbf=first)


@pytest.mark.row("OID-05")
@pytest.mark.parametrize("name", ["iat", "exp"])
def test_a_token_without_its_moments_is_refused(there: House, name: str) -> None:
    assert refusal(there, **{name: ABSENT}) is Code.OIDC_TIME


def test_the_time_the_provider_takes_does_not_make_its_token_come_from_the_future(
    provider: Provider, clock: ManualClock
) -> None:
    ticks = iter([100.0, 104.0])
    there = house(provider, clock, leeway_seconds=0, monotonic=lambda: next(ticks))
    accepted(there, iat=at(clock, 4))


# --- nonce


@pytest.mark.row("OID-09")
@pytest.mark.parametrize("nonce", [ABSENT, "", None, 1, "another", "é", [], "\U0001f511"])
def test_a_token_without_the_nonce_of_this_login_is_refused(there: House, nonce: object) -> None:
    assert refusal(there, nonce=nonce) is Code.OIDC_NONCE


@pytest.mark.parametrize("name", ["nonce", "sub", "sid", "unknown"])
def test_half_a_pair_of_surrogates_is_no_text_of_a_token(there: House, name: str) -> None:
    assert refusal(there, **{name: "\ud800"}) is Code.OIDC_TOKEN_RESPONSE


@pytest.mark.row("OID-09")
def test_a_nonce_is_good_for_its_own_login_only(there: House) -> None:
    used: list[str] = []
    there.provider.edit_claims = lambda told: used.append(told["nonce"])
    there.login()
    there.provider.seen.clear()
    assert refusal(there, nonce=used[0]) is Code.OIDC_NONCE


@pytest.mark.row("OID-09")
def test_every_departure_sends_a_nonce(there: House) -> None:
    departure = there.portal.depart(there.clock.now())
    assert f"nonce={departure.memory['nonce']}" in departure.url
    assert len(departure.memory["nonce"]) >= 43


# --- at_hash


@pytest.mark.parametrize("at_hash", ["", "wrong", "é", None, 1, base64url(b"x" * 16), base64url(b"x" * 32)])
def test_an_access_token_that_is_not_the_one_of_the_id_token_is_refused(there: House, at_hash: object) -> None:
    assert refusal(there, at_hash=at_hash) is Code.OIDC_AT_HASH


def test_an_access_token_put_in_the_place_of_the_right_one_is_refused(there: House) -> None:
    there.provider.edit_tokens = lambda tokens: tokens.update(access_token="of-somebody-else")
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_AT_HASH
    assert there.provider.count("/userinfo") == 0


def test_an_id_token_need_not_speak_of_the_access_token(there: House) -> None:
    accepted(there, at_hash=ABSENT)


@pytest.mark.parametrize(
    ("alg", "digest"), [("RS256", "sha256"), ("PS384", "sha384"), ("RS512", "sha512"), ("ES256", "sha256")]
)
def test_the_hash_is_the_one_of_the_algorithm(provider: Provider, clock: ManualClock, alg: str, digest: str) -> None:
    provider.alg = alg
    if alg.startswith("ES"):
        provider.key = ec_key()
    there = house(provider, clock, algorithms=(alg,))
    accepted(there)
    wrong = {"sha256": "sha512", "sha384": "sha256", "sha512": "sha256"}[digest]

    def swapped(told: Document) -> None:
        half = hashlib.new(wrong, b"anything").digest()
        told["at_hash"] = base64url(half[: len(half) // 2])

    provider.edit_claims = swapped
    with pytest.raises(AnswerRefused, match="access token"):
        there.login()


def test_with_eddsa_the_hash_is_sha_512(provider: Provider, clock: ManualClock) -> None:
    provider.key, provider.alg = okp_key(), "EdDSA"
    accepted(house(provider, clock, algorithms=("EdDSA",)))


# --- what else a token may say


@pytest.mark.row("OID-11")
@pytest.mark.parametrize("events", [{}, {"http://schemas.openid.net/event/backchannel-logout": {}}, None, "x"])
def test_a_token_of_events_is_not_an_id_token(there: House, events: object) -> None:
    assert refusal(there, events=events) is Code.OIDC_TOKEN_TYPE


@pytest.mark.row("INP-09")
@pytest.mark.parametrize(
    "claims",
    [
        {"acr": 1},
        {"acr": None},
        {"acr": "x" * 256},
        {"acr": "a\nb"},
        {"amr": "pwd"},
        {"amr": None},
        {"amr": [1]},
        {"amr": ["pwd", None]},
        {"amr": ["x" * 256]},
        {"amr": ["pwd"] * 17},
        {"sid": 5},
        {"sid": "a\x1b[31m"},
        {"sid": "x" * 2049},
    ],
)
def test_a_claim_of_the_wrong_type_is_refused(there: House, claims: dict[str, Any]) -> None:
    assert refusal(there, **claims) is Code.OIDC_CLAIMS


def test_a_session_of_the_portal_may_have_a_long_name(there: House) -> None:
    """Back-Channel Logout 1.0 §2.1 sets no bound; that of idpy-oidc is a whole session, encrypted."""
    there.provider.edit_claims = telling(sid="x" * 2048)
    arrival = there.login()
    assert arrival.portal_session == "x" * 2048
    assert arrival.logout_hint, "it is kept anyway: the token tells nothing more"


def test_an_authentication_in_the_future_is_refused(there: House) -> None:
    assert refusal(there, auth_time=at(there.clock, 31)) is Code.OIDC_TIME


def test_what_the_token_says_of_the_authentication_is_told(there: House) -> None:
    arrival = there.login()
    assert arrival.authenticated_at == there.clock.now() - timedelta(seconds=60)
    assert arrival.acr == "eidas1"
    assert arrival.amr == ("pwd",)
    assert arrival.portal_session == "session-of-the-portal"


def test_a_token_that_says_nothing_of_it_was_made_when_it_was_issued(there: House) -> None:
    there.provider.edit_claims = telling(auth_time=ABSENT, acr=ABSENT, amr=ABSENT, sid=ABSENT)
    arrival = there.login()
    assert arrival.authenticated_at == there.clock.now()
    assert (arrival.acr, arrival.amr, arrival.portal_session) == (None, (), "")


@pytest.mark.row("OID-11")
def test_an_access_token_is_not_an_id_token(there: House) -> None:
    there.provider.edit_tokens = lambda tokens: tokens.update(id_token=tokens["access_token"])
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_TOKEN_RESPONSE


@pytest.mark.row("OID-11")
@pytest.mark.parametrize("kind", ["logout+jwt", "JWT"])
def test_a_whole_logout_token_is_not_an_id_token(there: House, kind: str) -> None:
    there.provider.edit_tokens = lambda tokens: tokens.update(
        id_token=there.provider.logout_token({"typ": kind}, sub="person-1", sid="s")
    )
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert refused.value.code is Code.OIDC_TOKEN_TYPE
