"""Changing a JSON document by its names and values, repeated names and odd numbers included."""

from __future__ import annotations

import base64
import copy
import json
from random import Random
from typing import Any, Final

from fuzz.frame import any_change


def changed(document: bytes, random: Random) -> bytes:
    """Return the document with one change; by its bytes when it is no object, and now and then anyway."""
    try:
        told = json.loads(document)
    except (ValueError, RecursionError):
        return any_change(document, random)
    if not isinstance(told, dict) or random.random() < 0.25:
        return any_change(document, random)
    places = [told, *_inner(told)]
    place = random.choice(places)
    name = random.choice([*place, *_NAMES])
    match random.randrange(4):
        case 0:
            place.pop(name, None)
        case 1:
            place[name] = copy.deepcopy(random.choice([value for each in places for value in each.values()] or [None]))
        case 2:
            place[name] = copy.deepcopy(random.choice(_VALUES))
        case _:
            value = place.get(name)
            place[name] = (
                any_change(value.encode(), random).decode("utf-8", "replace") if isinstance(value, str) else [value]
            )
    written = json.dumps(told)
    if random.random() < 0.05:
        written = written[:-1] + f', "{name}": {json.dumps(random.choice(_VALUES))}' + "}"
    return written.encode("utf-8", "surrogatepass")  # half a character is worth a try, too


def base64url(octets: bytes) -> str:
    """Return octets as JSON Web Keys write them."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _inner(value: Any, depth: int = 0) -> list[dict[str, Any]]:
    """Return every object inside a value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for each in inside if isinstance(each, dict)]
    return found + [deeper for each in inside if depth < 6 for deeper in _inner(each, depth + 1)]


_NAMES: Final = (
    *("iss", "sub", "aud", "azp", "exp", "nbf", "iat", "nonce", "at_hash", "auth_time", "acr", "amr", "sid", "events"),
    *("jti", "alg", "typ", "kid", "crit", "b64", "jwk", "jku", "x5c", "kty", "crv", "use", "key_ops", "d", "n", "e"),
)

_VALUES: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1e308,
        2**63,
        10**400,
        1,
        1797235200,
        1797235500.5,
        253402300799,
        253402300800,
        "",
        "none",
        "HS256",
        "é",
        "\x00",
        "x" * 300,
    ),
    *([], {}, [None], ["imagin"], ["imagin", "other"], ["imagin", "imagin"], "imagin", "sig", "enc", ["verify"]),
)
