"""What an OpenID portal publishes: its keys, and where its endpoints are.

An input is one byte of choices, then a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import httpx2
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey

from fuzz import json_changes
from fuzz.browser import browser
from fuzz.frame import Target, demand
from fuzz.portal_keys import private_key
from imagin_gateway.errors import AnswerRefused, Code, GatewayError
from imagin_gateway.providers.oidc import discovery, keyset
from imagin_gateway.providers.oidc.keyset import FITTING
from imagin_gateway.providers.oidc.strict_json import read_object
from imagin_gateway.providers.oidc.wire import Wire

DISCOVERY: Final = 1

ISSUER: Final = "https://oidc.ac-paris.example"
HOSTS: Final = frozenset({"oidc.ac-paris.example", "keys.ac-paris.example"})

_called: Final[list[httpx2.URL]] = []


def _answer(request: httpx2.Request) -> httpx2.Response:
    _called.append(request.url)
    return httpx2.Response(200, content=iter([b"{}"]))


_WIRE: Final = Wire(HOSTS, plain_loopback=False, timeout=1.0, transport=httpx2.MockTransport(_answer))


def attack(data: bytes) -> bool:
    """Read a document; no address leads away from the portal's hosts, no key is weak or private."""
    choices, told = data[0] if data else 0, data[1:]
    try:
        document = read_object(told)
    except ValueError:
        return False
    # Read again by another library, which must then read the same.
    demand(msgspec.json.decode(told) == document, "two readers of one document")
    return _discovered(document) if choices & DISCOVERY else _keys(document, told)


def _discovered(document: dict[str, Any]) -> bool:
    found = discovery.read(document, ISSUER, _WIRE)
    demand(found.issuer == ISSUER == document["issuer"], "the document of another issuer")
    endpoints = [found.authorization_endpoint, found.token_endpoint, found.jwks_uri]
    endpoints += [each for each in (found.userinfo_endpoint, found.end_session_endpoint) if each is not None]
    for endpoint in endpoints:
        place = browser().resolve(endpoint)
        # What no browser can read leads nowhere.
        if place is not None:
            demand(place.protocol == "https:" and place.host in HOSTS and not place.user, "an address leads elsewhere")
    _called.clear()
    try:
        _WIRE.get(found.jwks_uri, Code.OIDC_KEYS)
    except AnswerRefused:
        return False
    demand(len(_called) == 1 and _called[0].host in HOSTS and _called[0].scheme == "https", "another host is called")
    return True


def _keys(document: dict[str, Any], told: bytes) -> bool:
    found = keyset.read(document)
    entries = msgspec.json.decode(told)["keys"]
    demand(len(found.keys) <= len(entries) <= keyset.MAX_KEYS, "more keys than were published")
    for key in found.keys:
        public = key.key.public_key
        demand(not key.key.is_private, "a private key is published, and believed")
        demand(key.kty in ("RSA", "EC", "OKP"), "a symmetric key is believed")
        if isinstance(public, rsa.RSAPublicKey):
            demand(2048 <= public.key_size <= 8192, "a weak or an absurd key is believed")
        told_by = [each for each in entries if isinstance(each, dict) and each.get("kid") == key.kid]
        demand(any(each.get("kty") == key.kty and "d" not in each for each in told_by), "a key nobody published")
    for alg in FITTING:
        try:
            candidates = found.candidates(alg, None)
        except GatewayError:
            continue
        demand(all(FITTING[alg][0] == each.kty for each in candidates), "a key of another kind may verify")
    return bool(found.keys)


def seeds() -> Iterator[bytes]:
    """Return an honest document of each kind."""
    curve = ECKey.import_key(private_key("oidc").public_key()).as_dict(private=False)
    # A modulus is taken as it is: nobody can tell that this one was never made of two primes.
    modulus = json_changes.base64url(bytes([0xC5]) + bytes(range(255)))
    keys: list[dict[str, Any]] = [
        {**curve, "use": "sig", "kid": "curve", "alg": "ES256"},
        {"kty": "RSA", "n": modulus, "e": "AQAB", "kid": "large", "use": "sig", "key_ops": ["verify"]},
        {"kty": "OKP", "crv": "Ed25519", "x": json_changes.base64url(bytes(range(32))), "kid": "edwards"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
    ]
    yield b"\x00" + json.dumps({"keys": keys}).encode()
    document = {
        "issuer": ISSUER,
        **{
            name: f"https://{host}/{name}?tenant=1"
            for name, host in (
                ("authorization_endpoint", "oidc.ac-paris.example"),
                ("token_endpoint", "oidc.ac-paris.example:8443"),
                ("jwks_uri", "keys.ac-paris.example"),
                ("userinfo_endpoint", "oidc.ac-paris.example"),
                ("end_session_endpoint", "oidc.ac-paris.example"),
            )
        },
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": True,
    }
    yield bytes((DISCOVERY,)) + json.dumps(document).encode()


def mutate(data: bytes, random: Random) -> bytes:
    """Change a document by its names and values."""
    return (data[:1] or b"\x00") + json_changes.changed(data[1:], random)


TARGET: Final = Target(name="oidc_documents", attack=attack, seeds=seeds, mutate=mutate)
