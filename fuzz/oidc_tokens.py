"""ID tokens and logout tokens: what is believed bears the portal's signature, and is for us, now.

An input is one byte of choices, then a token; or a header and a payload, on two lines, that the
portal signs as they stand.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from fuzz import json_changes
from fuzz.frame import Target, any_change, demand
from fuzz.portal_keys import private_key
from imagin_gateway.errors import Code
from imagin_gateway.providers.oidc import keyset
from imagin_gateway.providers.oidc.claims import Expected, check_id_token
from imagin_gateway.providers.oidc.kept import Kept
from imagin_gateway.providers.oidc.keyset import KeySet
from imagin_gateway.providers.oidc.logout import EVENT, ExpectedLogout, check_logout_token
from imagin_gateway.providers.oidc.signed import LOGOUT_TYPES, PLAIN_TYPES, Verifier

LOGOUT: Final = 1
SIGNED_HERE: Final = 2
KEYS_WITHOUT_NAME: Final = 4

ISSUER: Final = "https://oidc.ac-paris.example"
CLIENT: Final = "imagin"
NONCE: Final = "a-nonce-of-this-login"
ACCESS: Final = "an-access-token"
NOW: Final = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
LEEWAY: Final = timedelta(seconds=30)
MAX_AGE: Final = timedelta(minutes=10)

_KEY: Final = private_key("oidc")
_SECONDS: Final = NOW.timestamp()


def _verifier(kid: str | None) -> Verifier:
    public = ECKey.import_key(_KEY.public_key()).as_dict(private=False)
    told = {**public, "use": "sig", **({"kid": kid} if kid else {})}
    keys = keyset.read({"keys": [told]})
    kept: Kept[KeySet] = Kept(lambda _: keys, life=timedelta(days=1), patience=1.0, background=lambda _: None)
    return Verifier(("ES256",), kept)


_NAMED, _NAMELESS = _verifier("one"), _verifier(None)


def attack(data: bytes) -> bool:
    """Verify a token and run every check on it."""
    choices, told = data[0] if data else 0, data[1:]
    token = _signed(told) if choices & SIGNED_HERE else told.decode("latin-1")
    verifier = _NAMELESS if choices & KEYS_WITHOUT_NAME else _NAMED
    if choices & LOGOUT:
        signed = verifier.verify(token, ISSUER + "/keys", NOW, Code.OIDC_LOGOUT_TOKEN, LOGOUT_TYPES)
        expected = ExpectedLogout(issuer=ISSUER, client_id=CLIENT, now=NOW, leeway=LEEWAY, must_end=True)
        order = check_logout_token(signed.claims, expected)
        claims = _proved(token, ("logout+jwt",))
        demand(
            (order.subject, order.session) == (claims.get("sub", ""), claims.get("sid", "")), "another is logged out"
        )
        demand(bool(order.subject or order.session), "nobody is logged out")
        demand(claims.get("jti") == order.jti and isinstance(claims["events"][EVENT], dict), "not a logout")
        demand("nonce" not in claims, "an ID token logs somebody out")
        return True
    signed = verifier.verify(token, ISSUER + "/keys", NOW, Code.OIDC_CLAIMS, PLAIN_TYPES)
    identity = check_id_token(
        signed.claims,
        signed.alg,
        ACCESS,
        Expected(issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now=NOW, leeway=LEEWAY, max_age=MAX_AGE),
    )
    claims = _proved(token, ("jwt",))
    demand(claims["sub"] == identity.subject and claims["nonce"] == NONCE, "another person, or another login")
    demand("events" not in claims, "a logout token logs somebody in")
    demand(claims.get("azp", CLIENT) == CLIENT, "for another client")
    half = base64.urlsafe_b64encode(hashlib.sha256(ACCESS.encode()).digest()[:16]).rstrip(b"=").decode()
    demand(claims.get("at_hash", half) == half, "the token of another access token")
    return True


def _proved(token: str, types: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims if the portal's key signed them and they may be taken now: by other means."""
    header_told, payload, made = token.split(".")
    header, claims = _object(_octets(header_told)), _object(_octets(payload))
    demand(header.get("alg") == "ES256", "another algorithm than the one agreed")
    demand(str(header.get("typ", "JWT")).lower().removeprefix("application/") in types, "a token of another kind")
    demand("crit" not in header and "b64" not in header, "an extension that nobody understands")
    octets = _octets(made)
    demand(len(octets) == 64, "a signature of another length")
    numbers = encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    try:
        _KEY.public_key().verify(numbers, f"{header_told}.{payload}".encode(), ECDSA(SHA256()))
    except InvalidSignature:
        demand(False, "nobody signed it")
    audience = claims.get("aud")
    demand(claims.get("iss") == ISSUER, "of another")
    demand(audience == CLIENT or set(audience or []) == {CLIENT}, "for another")
    demand(claims["exp"] > _SECONDS - LEEWAY.total_seconds(), "over")
    demand(claims.get("nbf", 1) <= _SECONDS + LEEWAY.total_seconds(), "not yet")
    age = _SECONDS - claims["iat"]
    demand(-LEEWAY.total_seconds() <= age <= (MAX_AGE + LEEWAY).total_seconds(), "issued at no time we may believe")
    return claims


def _octets(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _object(octets: bytes) -> dict[str, Any]:
    return msgspec.json.decode(octets, type=dict[str, Any])


def _signed(told: bytes) -> str:
    header, _, payload = told.partition(b"\n")
    content = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload))
    r, s = decode_dss_signature(_KEY.sign(content, ECDSA(SHA256())))
    made = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=")
    return (content + b"." + made).decode()


def seeds() -> Iterator[bytes]:
    """Return honest tokens, to be signed here and already signed."""
    now = int(_SECONDS)
    shared: dict[str, Any] = {"iss": ISSUER, "aud": CLIENT, "exp": now + 300, "iat": now, "sub": "person-1"}
    half = base64.urlsafe_b64encode(hashlib.sha256(ACCESS.encode()).digest()[:16]).rstrip(b"=").decode()
    login = {
        **shared,
        "nonce": NONCE,
        "at_hash": half,
        "auth_time": now - 60,
        "acr": "eidas1",
        "amr": ["pwd"],
        "sid": "s",
    }
    logout = {**shared, "jti": "j", "sid": "s", "events": {EVENT: {}}}
    for choices, kind, claims in ((0, "JWT", login), (LOGOUT, "logout+jwt", logout)):
        told = json.dumps({"alg": "ES256", "typ": kind, "kid": "one"}).encode() + b"\n" + json.dumps(claims).encode()
        yield bytes((choices | SIGNED_HERE,)) + told
        yield bytes((choices,)) + _signed(told).encode()
        plain = told.replace(b', "kid": "one"', b"")
        yield bytes((choices | SIGNED_HERE | KEYS_WITHOUT_NAME,)) + plain


def mutate(data: bytes, random: Random) -> bytes:
    """Change the choices, the header, the claims, or what the pieces of a token stand for."""
    choices, told = data[:1] or b"\x00", data[1:]
    if random.random() < 0.1:
        return bytes((random.randrange(8),)) + told
    if choices[0] & SIGNED_HERE:
        header, _, payload = told.partition(b"\n")
        if random.random() < 0.3:
            header = json_changes.changed(header, random)
        else:
            payload = json_changes.changed(payload, random)
        return choices + header + b"\n" + payload
    parts = told.split(b".")
    place = random.randrange(len(parts))
    try:
        octets = base64.urlsafe_b64decode(parts[place] + b"==")
    except (binascii.Error, ValueError):
        return choices + any_change(told, random)
    change = json_changes.changed if place < 2 else any_change
    parts[place] = base64.urlsafe_b64encode(change(octets, random)).rstrip(b"=")
    return choices + b".".join(parts)


TARGET: Final = Target(name="oidc_tokens", attack=attack, seeds=seeds, mutate=mutate)
