"""The checks of the claims one by one, at their very edges: whole tokens are in test_id_token.py."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc import claims

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
LEEWAY = timedelta(seconds=30)


def at(moment: datetime) -> float:
    return moment.timestamp()


@pytest.mark.parametrize("told", ["", "n", None])
def test_a_login_that_expects_no_nonce_expects_nobody(told: object) -> None:
    with pytest.raises(AnswerRefused) as caught:
        claims.check_nonce({"nonce": told}, "")
    assert caught.value.code is Code.OIDC_NONCE


def test_an_authentication_may_be_ahead_by_the_leeway_itself() -> None:
    ahead = {"auth_time": at(NOW + LEEWAY)}
    assert claims.check_authentication_time(ahead, NOW, LEEWAY) == NOW + LEEWAY
    with pytest.raises(AnswerRefused):
        claims.check_authentication_time({"auth_time": at(NOW + LEEWAY) + 1}, NOW, LEEWAY)


def test_as_many_methods_as_are_taken_and_as_long_as_they_may_be() -> None:
    longest = "m" * claims.MAX_TEXT_CHARS
    methods = [longest] * claims.MAX_METHODS
    assert claims.check_methods({"amr": methods}) == tuple(methods)
    for wrong in ([*methods, "m"], [longest + "m"]):
        with pytest.raises(AnswerRefused) as caught:
            claims.check_methods({"amr": wrong})
        assert caught.value.code is Code.OIDC_CLAIMS


def test_the_last_second_there_is_is_a_moment_and_what_is_no_number_of_a_year_is_none() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert claims.check_authentication_time({"auth_time": at(last)}, last, timedelta()) == last
    for value in (at(last) + 1, float("inf"), float("nan"), -1, True, False, None, "1"):
        with pytest.raises(AnswerRefused) as caught:
            claims.check_authentication_time({"auth_time": value}, last, timedelta())
        assert caught.value.code is Code.OIDC_TIME


def test_an_authentication_at_zero_is_one_whose_moment_is_not_told() -> None:
    """As Glewlwyd writes it; where the moment was asked for, nobody enters so."""
    assert claims.check_authentication_time({"auth_time": 0}, NOW, LEEWAY) is None
    with pytest.raises(AnswerRefused) as caught:
        claims.check_recency(None, NOW, LEEWAY, timedelta(hours=1))
    assert caught.value.code is Code.OIDC_RECENCY


@pytest.mark.parametrize(("alg", "name"), [("RS256", "sha256"), ("ES384", "sha384"), ("PS512", "sha512")])
def test_the_hash_of_any_access_token_is_its_left_half(alg: str, name: str) -> None:
    """Of enough tokens that every letter stands last in one of them."""
    for number in range(300):
        token = f"jeton-{number}"
        whole = hashlib.new(name, token.encode()).digest()
        half = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()
        claims.check_access_token_hash({"at_hash": half}, alg, token)
        with pytest.raises(AnswerRefused):
            claims.check_access_token_hash({"at_hash": half[:-1]}, alg, token)


@pytest.mark.row("OID-05")
def test_a_token_that_never_ends_has_an_end_like_another() -> None:
    """Providers write the last second there is; adding to it is no date."""
    claims.check_expiry({"exp": 253402300799}, NOW, LEEWAY)
    claims.check_expiry({"exp": at(NOW)}, NOW, LEEWAY)
    with pytest.raises(AnswerRefused) as caught:
        claims.check_expiry({"exp": at(NOW - LEEWAY)}, NOW, LEEWAY)
    assert caught.value.code is Code.OIDC_TIME


def test_what_names_a_person_or_a_login_is_not_printed() -> None:
    expected = claims.Expected(
        issuer="i", client_id="c", nonce="canary", now=NOW, leeway=LEEWAY, max_age=timedelta(minutes=5)
    )
    token = claims.IdToken(subject="canary", issued_at=NOW, authenticated_at=None, acr=None, amr=(), session="canary")
    assert "canary" not in repr(expected) + repr(token)
