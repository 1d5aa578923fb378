"""The keys of the provider: which are used, and how they change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, Key, RSAKey

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.providers.oidc import keyset
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house, refusal
from tests.providers.oidc.provider import Answer, Document, Provider, base64url, ec_key, okp_key, public, rsa_key, sign


@pytest.mark.row("OID-06")
@pytest.mark.parametrize("others", [[], [ec_key()], [ec_key(), okp_key()]])
def test_without_kid_the_only_key_that_fits_is_used(provider: Provider, clock: ManualClock, others: list[Key]) -> None:
    provider.published = [public(provider.key), *(public(key) for key in others)]
    provider.edit_header = lambda header: header.pop("kid")
    house(provider, clock).login()


@pytest.mark.row("OID-06")
def test_without_kid_a_key_for_another_algorithm_or_curve_does_not_fit(provider: Provider, clock: ManualClock) -> None:
    provider.edit_header = lambda header: header.pop("kid")
    provider.published = [public(provider.key), public(rsa_key("other"), alg="PS256")]
    house(provider, clock).login()
    provider.key, provider.alg = ec_key(), "ES256"
    provider.published = [public(ECKey.generate_key("P-384", {"kid": "larger"})), public(ec_key())]
    house(provider, clock, algorithms=("ES256", "ES384")).login()


@pytest.mark.row("OID-06")
def test_without_kid_and_with_several_keys_that_fit_the_token_is_refused(
    provider: Provider, clock: ManualClock
) -> None:
    provider.published = [public(provider.key), public(rsa_key("other"))]
    provider.edit_header = lambda header: header.pop("kid")
    assert refusal(house(provider, clock)) is Code.OIDC_SIGNATURE


UNREADABLE: list[Any] = [
    {"kty": "AKP", "alg": "ML-DSA-44", "kid": "one", "pub": "AAAA"},
    {"kty": "RSA"},
    {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "bad"},
    {"kty": "RSA", "n": 5, "e": 6},
    {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    {"kty": "EC", "crv": "P-999", "x": "AAAA", "y": "AAAA"},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    {"kty": ["RSA"]},
    {"kid": "one"},
    {},
    None,
    "RSA",
    [],
    7,
]


@pytest.mark.row("OID-13", "INP-09")
@pytest.mark.parametrize("bad", UNREADABLE)
def test_a_key_that_cannot_be_read_does_not_break_the_others(
    provider: Provider, clock: ManualClock, bad: object
) -> None:
    provider.published = [bad, public(provider.key), bad]  # type: ignore[list-item]  # the point of the test
    house(provider, clock).login()


@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"use": 5}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"key_ops": []}, {"kid": 5}, {"alg": 1}],
)
def test_a_key_that_is_not_for_signatures_verifies_none(
    provider: Provider, clock: ManualClock, more: dict[str, Any]
) -> None:
    provider.published = [public(provider.key, **more)]
    assert refusal(house(provider, clock)) is Code.OIDC_SIGNATURE


def test_a_private_key_that_was_published_is_no_longer_anybodys(provider: Provider, clock: ManualClock) -> None:
    provider.published = [{**provider.key.as_dict(private=True), "use": "sig"}]
    assert refusal(house(provider, clock)) is Code.OIDC_SIGNATURE


def test_a_token_that_names_another_key_than_the_one_that_signed_it_is_refused(there: House) -> None:
    there.provider.edit_header = lambda header: header.update(kid="unknown")
    assert refusal(there) is Code.OIDC_SIGNATURE
    there.provider.published = [public(there.provider.key), public(rsa_key("two"))]
    there.provider.edit_header = lambda header: header.update(kid="two")
    there.clock.move(60)
    assert refusal(there) is Code.OIDC_SIGNATURE


@pytest.mark.filterwarnings("ignore")  # in production it is only a warning
@pytest.mark.parametrize(("bits", "good"), [(1024, False), (2047, False), (2048, True)])
def test_an_rsa_key_that_is_too_short_verifies_nothing(
    provider: Provider, clock: ManualClock, bits: int, good: bool
) -> None:
    provider.key = RSAKey.import_key(rsa.generate_private_key(65537, bits), {"kid": "short"})
    there = house(provider, clock)
    if good:
        there.login()
    else:
        assert refusal(there) is Code.OIDC_SIGNATURE


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, [], {"keys": [{}] * 51}])
def test_a_key_set_that_is_none_is_refused(provider: Provider, clock: ManualClock, document: object) -> None:
    provider.replies["/keys"] = lambda: Answer.json(document)
    assert refusal(house(provider, clock)) is Code.OIDC_KEYS


def test_a_key_set_is_read_up_to_fifty_keys(provider: Provider, clock: ManualClock) -> None:
    provider.published = [*({} for _ in range(49)), public(provider.key)]
    house(provider, clock).login()


@pytest.mark.parametrize("status", [203, 206, 404])
def test_keys_under_another_status_than_200_are_none(provider: Provider, clock: ManualClock, status: int) -> None:
    provider.replies["/keys"] = lambda: Answer.json({"keys": [public(provider.key)]}, status)
    assert refusal(house(provider, clock)) is Code.OIDC_KEYS


def test_keys_are_asked_for_as_json(there: House) -> None:
    there.login()
    (asked,) = [seen for seen in there.provider.seen if seen.path == "/keys"]
    assert asked.headers["accept"] == "application/jwk-set+json, application/json"


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        *((rsa_key(), alg) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        (ec_key(), "ES256"),
        (ECKey.generate_key("P-384", {"kid": "larger"}), "ES384"),
        (okp_key(), "EdDSA"),
    ],
)
def test_each_algorithm_that_can_be_configured_verifies(
    provider: Provider, clock: ManualClock, key: Key, alg: str
) -> None:
    provider.key, provider.alg = key, alg
    house(provider, clock, algorithms=(alg,)).login()


def kept(*entries: dict[str, Any]) -> int:
    return len(keyset.read({"keys": list(entries)}).keys)


@pytest.mark.row("OID-08")
@pytest.mark.parametrize(
    "more",
    [{"use": "enc"}, {"use": 5}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"key_ops": []}, {"kid": 5}, {"alg": 1}],
)
def test_a_key_that_is_not_for_signatures_is_not_even_kept(more: dict[str, Any]) -> None:
    """The library that verifies refuses some of them too: this does not lean on it."""
    plain = public(rsa_key())
    assert kept(plain, {**plain, **more}) == 1
    assert kept({**plain, "key_ops": ["verify"]}, {**plain, "key_ops": ["sign", "verify"]}) == 2
    del plain["use"]
    assert kept(plain) == 1


@pytest.mark.parametrize(("bits", "good"), [(2047, False), (2048, True), (8192, True), (8193, False)])
@pytest.mark.filterwarnings("ignore")  # of the library, about the short one
def test_an_rsa_key_is_kept_from_2048_to_8192_bits(bits: int, good: bool) -> None:
    """Its size alone counts here: the number is odd, and no product of two primes."""
    modulus = (2 ** (bits - 1) + 1).to_bytes((bits + 7) // 8, "big")
    assert kept({"kty": "RSA", "n": base64url(modulus), "e": "AQAB", "use": "sig"}) == good


# --- rotation


@pytest.mark.row("OID-14")
def test_a_key_of_a_new_name_is_fetched_at_once(there: House) -> None:
    there.login()
    there.provider.key = rsa_key("two")
    there.login()
    assert there.provider.count("/keys") == 2


@pytest.mark.row("OID-14")
def test_a_new_key_of_the_same_name_is_fetched_at_once(there: House) -> None:
    there.login()
    there.provider.key = RSAKey.import_key(rsa_key("two").as_dict(private=True) | {"kid": "one"})
    there.login()
    assert there.provider.count("/keys") == 2


@pytest.mark.row("OID-14")
@pytest.mark.parametrize("kid", ["one", None, "random"])
def test_a_flood_of_bad_tokens_makes_one_fetch_a_minute(there: House, kid: str | None) -> None:
    there.login()
    attacker = rsa_key("attacker")
    count = iter(range(10_000))

    def attack(header: Document, claims: Document) -> str:
        told = {**header, "kid": f"kid-{next(count)}" if kid == "random" else kid}
        if kid is None:
            del told["kid"]
        return sign(told, claims, attacker)

    there.provider.sign = attack
    for minute in range(1, 4):
        for _ in range(20):
            assert refusal(there) is Code.OIDC_SIGNATURE
        assert there.provider.count("/keys") == 1 + minute
        there.clock.move(60)


@pytest.mark.row("OID-14")
def test_each_portal_has_a_limit_of_its_own(provider: Provider, clock: ManualClock) -> None:
    one, other = house(provider, clock), house(provider, clock)
    for there in (one, other):
        there.login()
    provider.sign = lambda header, claims: sign({**header, "kid": "bad"}, claims, rsa_key("attacker"))
    for there in (one, one, other, other):
        refusal(there)
    assert provider.count("/keys") == 4


@pytest.mark.row("OID-14")
def test_many_threads_that_meet_a_new_key_fetch_it_once_and_all_pass(there: House) -> None:
    there.login()
    answers = [there.leave() for _ in range(8)]
    there.provider.key = rsa_key("two")
    barrier = threading.Barrier(8)

    def come_back(answer: dict[str, str]) -> str:
        barrier.wait()
        return there.come_back(answer).subject

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(come_back, answers)) == ["person-1"] * 8
    assert there.provider.count("/keys") == 2


def test_keys_are_believed_for_an_hour(there: House) -> None:
    there.login()
    for _ in range(10):
        there.clock.move(timedelta(minutes=5))
        there.login()
    assert there.provider.count("/keys") == 1
    there.clock.move(timedelta(minutes=10))
    there.login()
    assert there.provider.count("/keys") == 2


def test_a_key_withdrawn_by_the_provider_is_forgotten_within_the_hour(there: House) -> None:
    there.login()
    withdrawn = there.provider.key
    there.provider.key = rsa_key("two")
    there.provider.sign = lambda header, claims: sign({**header, "kid": "one"}, claims, withdrawn)
    there.login()  # still believed
    there.clock.move(timedelta(hours=1))
    assert refusal(there) is Code.OIDC_SIGNATURE


def test_keys_that_cannot_be_had_make_the_portal_unavailable(there: House) -> None:
    there.provider.replies["/keys"] = lambda: Answer(502)
    with pytest.raises(Unavailable) as unavailable:
        there.login()
    assert unavailable.value.code is Code.PORTAL_UNAVAILABLE
    there.provider.replies.clear()
    there.clock.move(5)
    there.login()


@pytest.mark.row("OID-13")
def test_keys_move_with_the_address_that_the_provider_publishes(provider: Provider, there: House) -> None:
    there.login()
    provider.edit_discovery = lambda document: document.update(jwks_uri=document["jwks_uri"] + "-new")
    provider.replies["/keys-new"] = lambda: Answer.json({"keys": [public(rsa_key("two"))]})
    provider.key = rsa_key("two")
    there.clock.move(timedelta(hours=1))
    there.login()
    assert (provider.count("/keys"), provider.count("/keys-new")) == (1, 1)
