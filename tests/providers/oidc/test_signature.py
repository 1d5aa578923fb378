"""Who signed: algorithms and headers."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc.kept import Kept
from imagin_gateway.providers.oidc.keyset import FITTING, LIFE, KeySet
from imagin_gateway.providers.oidc.signed import Signed, Verifier
from tests.clock import ManualClock
from tests.providers.oidc.journey import House, house, refusal
from tests.providers.oidc.provider import (
    CLIENT_SECRET,
    Document,
    Provider,
    base64url,
    ec_key,
    okp_key,
    public,
    rsa_key,
    sign,
    unsigned,
)


def signing(there: House, call: Callable[[Document, Document], str]) -> None:
    there.provider.sign = call


# --- algorithms


@pytest.mark.row("OID-07")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
@pytest.mark.parametrize("kid", [True, False])
def test_an_unsigned_token_is_refused_even_when_the_provider_announces_none(there: House, alg: str, kid: bool) -> None:
    assert "none" in there.provider.discovery()["id_token_signing_alg_values_supported"]

    def none(header: Document, claims: Document) -> str:
        told = {**header, "alg": alg} if kid else {"alg": alg}
        return f"{base64url(json.dumps(told).encode())}.{base64url(json.dumps(claims).encode())}."

    signing(there, none)
    assert refusal(there) is Code.OIDC_ALGORITHM
    signing(there, unsigned)
    assert refusal(there) is Code.OIDC_ALGORITHM


@pytest.mark.parametrize(
    ("alg", "told"), [("ES256", ("ES256",)), ("none", ("none",)), ("R,S=256", ()), ("A" * 17, ()), (7, ()), (None, ())]
)
def test_an_algorithm_that_is_refused_is_told_if_it_looks_like_one(there: House, alg: object, told: object) -> None:
    signing(there, lambda header, claims: f"{base64url(json.dumps({**header, 'alg': alg}).encode())}.e30.e30")
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert (refused.value.code, refused.value.statuses) == (Code.OIDC_ALGORITHM, told)


@pytest.mark.row("OID-07")
def test_a_signature_taken_away_is_no_signature(there: House) -> None:
    signing(there, lambda header, claims: sign(header, claims, there.provider.key).rpartition(".")[0] + ".")
    assert refusal(there) is Code.OIDC_SIGNATURE


@pytest.mark.row("OID-08")
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_is_not_a_shared_secret(there: House, encoding: Encoding) -> None:
    key = there.provider.key
    assert isinstance(key, RSAKey)
    secret = key.public_key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    for shared in (secret, secret.rstrip(b"\n"), CLIENT_SECRET.encode()):
        signing(there, functools.partial(_with_a_shared_secret, shared))
        assert refusal(there) is Code.OIDC_ALGORITHM


def _with_a_shared_secret(secret: bytes, header: Document, claims: Document) -> str:
    told = {**header, "alg": "HS256"}
    first = f"{base64url(json.dumps(told).encode())}.{base64url(json.dumps(claims).encode())}"
    return f"{first}.{base64url(hmac.digest(secret, first.encode(), 'sha256'))}"


@pytest.mark.row("OID-08")
def test_a_symmetric_key_in_the_key_set_verifies_nothing(provider: Provider, clock: ManualClock) -> None:
    secret: dict[str, str | list[str]] = {
        "kty": "oct",
        "kid": "one",
        "k": base64url(b"published-for-everybody-to-read!"),
    }
    provider.published = [dict(secret)]
    provider.sign = lambda _, claims: sign({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(secret))
    assert refusal(house(provider, clock)) is Code.OIDC_ALGORITHM


@pytest.mark.row("OID-08")
@pytest.mark.parametrize(
    ("key", "alg"), [(okp_key(), "EdDSA"), (ec_key(), "ES256"), (rsa_key(), "PS256"), (rsa_key(), "RS512")]
)
def test_an_algorithm_that_is_not_configured_is_refused_however_well_signed(
    provider: Provider, clock: ManualClock, key: Key, alg: str
) -> None:
    provider.key, provider.alg = key, alg
    assert refusal(house(provider, clock)) is Code.OIDC_ALGORITHM
    house(provider, clock, algorithms=("RS256", alg)).login()


@pytest.mark.row("OID-08")
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "none", "RS1", "dir"])
def test_no_symmetric_nor_empty_algorithm_can_be_configured(provider: Provider, clock: ManualClock, alg: str) -> None:
    with pytest.raises(ValueError, match="literal_error"):
        house(provider, clock, algorithms=(alg,))


@pytest.mark.row("OID-08")
@pytest.mark.parametrize(("key", "alg"), [(rsa_key(), "RS256"), (ec_key(), "ES256"), (okp_key(), "EdDSA")])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_changed_anywhere_is_refused(
    provider: Provider, clock: ManualClock, key: Key, alg: str, part: int
) -> None:
    provider.key, provider.alg = key, alg
    there = house(provider, clock, algorithms=("RS256", "ES256", "EdDSA"))

    def changed(header: Document, claims: Document) -> str:
        parts = sign(header, claims, key).split(".")
        if part == 0:
            parts[0] = base64url(json.dumps({**header, "x": 1}).encode())
        elif part == 1:
            parts[1] = base64url(json.dumps({**claims, "sub": "somebody-else"}).encode())
        else:
            parts[2] = ("A" if parts[2][0] != "A" else "B") + parts[2][1:]
        return ".".join(parts)

    signing(there, changed)
    assert refusal(there) is Code.OIDC_SIGNATURE


@pytest.mark.row("OID-08")
@pytest.mark.parametrize(("key", "alg"), [(rsa_key("other"), "RS256"), (ec_key("other"), "ES256")])
def test_a_signature_of_somebody_else_under_the_name_of_the_key_is_refused(
    provider: Provider, clock: ManualClock, key: Key, alg: str
) -> None:
    honest = rsa_key() if alg == "RS256" else ec_key()
    provider.key, provider.alg = honest, alg
    provider.sign = lambda header, claims: sign(header, claims, key)
    assert refusal(house(provider, clock, algorithms=(alg,))) is Code.OIDC_SIGNATURE


def test_an_algorithm_and_a_key_that_do_not_go_together_are_refused(provider: Provider, clock: ManualClock) -> None:
    there = house(provider, clock, algorithms=("RS256", "ES256"))
    provider.sign = lambda header, claims: sign({**header, "alg": "ES256"}, claims, ec_key())
    assert refusal(there) is Code.OIDC_SIGNATURE


def test_a_key_published_for_another_algorithm_is_not_used(provider: Provider, clock: ManualClock) -> None:
    provider.published = [public(provider.key, alg="PS256")]
    assert refusal(house(provider, clock)) is Code.OIDC_SIGNATURE


def test_an_elliptic_key_of_another_curve_is_not_used(provider: Provider, clock: ManualClock) -> None:
    key = ECKey.generate_key("P-384", {"kid": "curve"})
    provider.published = [public(key)]
    provider.key, provider.alg = ec_key(), "ES256"
    assert refusal(house(provider, clock, algorithms=("ES256",))) is Code.OIDC_SIGNATURE


# --- headers


@pytest.mark.row("OID-11")
@pytest.mark.parametrize(
    "typ", ["logout+jwt", "at+jwt", "application/at+jwt", "secevent+jwt", "JOSE", "", None, 1, ["JWT"]]
)
def test_a_token_of_another_type_is_refused(there: House, typ: object) -> None:
    there.provider.edit_header = lambda header: header.update(typ=typ)
    signing(there, lambda header, claims: _signed_as(header, claims, there.provider.key))
    assert refusal(there) is Code.OIDC_TOKEN_TYPE


def _signed_as(header: Document, claims: Document, key: Key) -> str:
    """Sign with a header that the signing library would refuse to write."""
    first = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims).encode())}"
    return f"{first}.{base64url(JWSRegistry.algorithms['RS256'].sign(first.encode(), key))}"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt"])
def test_a_token_that_says_it_is_one_is_accepted(there: House, typ: str) -> None:
    there.provider.edit_header = lambda header: header.update(typ=typ)
    there.login()


def test_a_token_that_does_not_say_what_it_is_is_accepted(there: House) -> None:
    there.provider.edit_header = lambda header: header.pop("typ")
    there.login()


@pytest.mark.parametrize(
    "more", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": True}, {"crit": "x"}]
)
def test_a_token_that_needs_an_extension_is_refused(there: House, more: dict[str, Any]) -> None:
    there.provider.edit_header = lambda header: header.update(more)
    signing(there, lambda header, claims: _signed_as(header, claims, there.provider.key))
    assert refusal(there) is Code.OIDC_TOKEN_TYPE


@pytest.mark.parametrize("kid", [5, ["one"], {}, True])
def test_a_key_name_that_is_no_text_is_refused(there: House, kid: object) -> None:
    there.provider.edit_header = lambda header: header.update(kid=kid)
    signing(there, lambda header, claims: _signed_as(header, claims, there.provider.key))
    assert refusal(there) is Code.OIDC_SIGNATURE


@pytest.mark.parametrize("header", ["[]", '"alg"', "5", "null", "{}", '{"alg":5}', '{"alg":["RS256"]}', "{", "\xff"])
def test_a_header_that_is_none_is_refused(there: House, header: str) -> None:
    signing(there, lambda _, claims: f"{base64url(header.encode('latin-1'))}.{base64url(b'{}')}.{base64url(b'x')}")
    assert refusal(there) in {Code.OIDC_TOKEN_RESPONSE, Code.OIDC_ALGORITHM}


@pytest.mark.row("OID-13")
@pytest.mark.parametrize("kid", ["one", "unknown", None])
def test_a_key_that_the_token_brings_or_points_to_is_neither_used_nor_fetched(
    provider: Provider, clock: ManualClock, kid: str | None
) -> None:
    attacker = rsa_key("attacker")
    hostile = {
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain",
        "jwk": attacker.as_dict(private=False),
        "x5c": [base64url(b"certificate" * 100)],
    }
    there = house(provider, clock)  # its transport fails the test on a call to another host

    def attack(header: Document, claims: Document) -> str:
        told = {**header, **hostile, "kid": kid}
        if kid is None:
            del told["kid"]
        return sign(told, claims, attacker)

    signing(there, attack)
    assert refusal(there) is Code.OIDC_SIGNATURE
    # The same headers on an honest token are ignored, not obeyed and not feared.
    signing(there, lambda header, claims: sign({**header, **hostile}, claims, provider.key))
    there.login()
    assert {seen.path for seen in provider.seen} <= {
        "/.well-known/openid-configuration",
        "/token",
        "/keys",
        "/userinfo",
    }


# --- the header is read once, and in one way


def utf_16(written: bytes) -> bytes:
    return written.decode().encode("utf-16")


def surrogate(written: bytes) -> bytes:
    return written.replace(b"{", b'{"\xed\xa0\x80": 1, ', 1)


def repeated(written: bytes) -> bytes:
    return written.replace(b"{", b'{"kid": "another", ', 1)


def not_a_number(written: bytes) -> bytes:
    return written.replace(b"{", b'{"iat": 1e999, ', 1)


@pytest.mark.parametrize("spoil", [utf_16, surrogate, repeated, not_a_number])
def test_a_header_that_two_readers_would_read_in_two_ways_is_refused(
    there: House, spoil: Callable[[bytes], bytes]
) -> None:
    """Found by fuzzing: the signature is right, and other libraries read another header, or none."""

    def signed(header: Document, claims: Document, change: Callable[[bytes], bytes] = spoil) -> str:
        return by_hand(change(json.dumps(header).encode()), json.dumps(claims).encode())

    signing(there, lambda header, claims: signed(header, claims, lambda written: written))
    there.login()
    signing(there, signed)
    assert refusal(there) is Code.OIDC_TOKEN_RESPONSE


# --- a verifier by itself


@pytest.mark.row("OID-08")
@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("RS256", "HS256"), ("RS256", "rs256")])
def test_a_verifier_is_not_made_for_what_verifies_no_portal(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="only asymmetric"):
        Verifier(algorithms, no_keys())
    Verifier(tuple(FITTING), no_keys())


def no_keys() -> Kept[KeySet]:
    return Kept(lambda address: KeySet(()), life=LIFE, patience=1.0)


@pytest.mark.row("OID-08")
@pytest.mark.parametrize(
    ("key", "alg"), [(rsa_key(), "RS256"), (rsa_key(), "PS256"), (ec_key(), "ES256"), (okp_key(), "EdDSA")]
)
@pytest.mark.parametrize("made", ["", "A", "AA", "AAAAA", "*", "=", "A" * 86, "A" * 10_000])
def test_what_cannot_be_a_signature_is_none(
    provider: Provider, clock: ManualClock, key: Key, alg: str, made: str
) -> None:
    provider.key, provider.alg = key, alg
    there = house(provider, clock, algorithms=(alg,))
    signing(there, lambda header, claims: sign(header, claims, key).rpartition(".")[0] + "." + made)
    assert refusal(there) in (Code.OIDC_SIGNATURE, Code.OIDC_TOKEN_RESPONSE)


def test_a_header_is_read_up_to_sixteen_kibibytes(there: House) -> None:
    def signed(length: int, header: Document, claims: Document) -> str:
        empty = len(json.dumps({**header, "x": ""}, separators=(",", ":")))
        return sign({**header, "x": "A" * (length - empty)}, claims, there.provider.key)

    written = 16 * 1024 // 4 * 3
    signing(there, functools.partial(signed, written))
    there.login()
    signing(there, functools.partial(signed, written + 1))
    assert refusal(there) is Code.OIDC_TOKEN_RESPONSE


@pytest.mark.parametrize("kid", [5, ["one"], {"one": 1}, True])
def test_a_key_whose_name_is_no_text_is_not_looked_for(there: House, kid: object) -> None:
    there.login()
    signing(
        there, lambda header, claims: by_hand(json.dumps({**header, "kid": kid}).encode(), json.dumps(claims).encode())
    )
    before = [seen.path for seen in there.provider.seen].count("/keys")
    assert refusal(there) is Code.OIDC_SIGNATURE
    assert [seen.path for seen in there.provider.seen].count("/keys") == before


def by_hand(header: bytes, payload: bytes) -> str:
    """Sign whatever it is: a library would not."""
    content = f"{base64url(header)}.{base64url(payload)}"
    private = rsa_key().private_key
    assert private is not None
    return f"{content}.{base64url(private.sign(content.encode(), PKCS1v15(), SHA256()))}"


def test_what_was_signed_stays_out_of_tracebacks() -> None:
    assert "Marie" not in repr(Signed("RS256", {"given_name": "Marie"}, {"x": "Marie"}))


def test_a_signature_of_the_longest_key_is_read(provider: Provider, clock: ManualClock) -> None:
    # A modulus of eight primes: one of two takes a minute to find.
    keys = [rsa_key(f"part {number}").private_key for number in range(4)]
    parts = [key.private_numbers() for key in keys if key is not None]
    modulus = math.prod(each.public_numbers.n for each in parts)
    exponent = pow(65537, -1, math.lcm(*((each.p - 1) * (each.q - 1) for each in parts)))
    size = (modulus.bit_length() + 7) // 8
    assert size == 1024

    def signed(header: Document, claims: Document) -> str:
        content = ".".join(base64url(json.dumps(each).encode()) for each in (header, claims))
        told = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(content.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(told) - 3) + b"\x00" + told
        return f"{content}.{base64url(pow(int.from_bytes(padded), exponent, modulus).to_bytes(size))}"

    provider.sign = signed
    provider.published = [{"kty": "RSA", "kid": "one", "e": "AQAB", "n": base64url(modulus.to_bytes(size))}]
    assert house(provider, clock).login().subject == "person-1"


def test_a_signed_userinfo_may_be_as_long_as_a_plain_one(provider: Provider, clock: ManualClock) -> None:
    provider.signed_userinfo = True
    provider.person["groups"] = ["x" * 1000] * 500
    assert house(provider, clock).login().subject == "person-1"
