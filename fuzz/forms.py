"""Queries and bodies: every field that is read stands there once, and means what a browser meant by it.

An input is a line with a Content-Type, empty for a query string, and then the bytes. Multipart,
JSON and everything else that is not a plain form is refused whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from fuzz.frame import Target, any_change, demand
from imagin_gateway.exchange import MAX_BODY_BYTES, MAX_FIELDS, MAX_TARGET_CHARS, Request
from imagin_gateway.mounts.incoming import client_address, declared_too_long, is_identity_header

FORM: Final = b"application/x-www-form-urlencoded"


def attack(data: bytes) -> bool:
    """Read fields; check them against a reading of our own, sign by sign."""
    kind, _, body = data.partition(b"\n")
    _small_readings(kind.decode("latin-1"))
    if kind:
        read = Request("POST", "/", headers={"content-type": kind.decode("latin-1")}, body=body).form
        demand(kind.split(b";")[0].strip().lower() == FORM, "a body that is no form was read as one")
        demand(len(body) <= MAX_BODY_BYTES, "a body that is too large was read")
    else:
        read = Request("GET", "/", body).query
        demand(len(body) <= MAX_TARGET_CHARS, "a query that is too long was read")
    told = [(_meant(name), _meant(value)) for name, value in _pairs(body)]
    demand(dict(read) == dict(told), "a field was read that was not sent so")
    demand(len(told) == len(read) <= MAX_FIELDS, "of two values of one field, one was believed")
    demand(not any("\x00" in text for pair in told for text in pair), "a NUL was read")
    return True


def _pairs(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    for part in body.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            yield name, value


def _meant(encoded: bytes) -> str:
    """Decode percent signs and plus signs; what is not UTF-8 is not text."""
    made, at = bytearray(), 0
    while at < len(encoded):
        sign = encoded[at : at + 1]
        digits = encoded[at + 1 : at + 3]
        if sign == b"%" and len(digits) == 2 and all(chr(each) in "0123456789abcdefABCDEF" for each in digits):
            made.append(int(digits, 16))
            at += 3
            continue
        made += b" " if sign == b"+" else sign
        at += 1
    return made.decode("utf-8")


def _small_readings(text: str) -> None:
    """What the mounts read of single headers never raises, and never lets more in than it says."""
    if not declared_too_long(text) and text:
        demand(text.isascii() and text.isdigit() and int(text) <= MAX_BODY_BYTES, "a length that is none")
    address = client_address("192.0.2.1", text, 1)
    demand(not address or set(address) <= set("0123456789abcdef.:%") or "%" in address, "an address that is none")
    if is_identity_header(text):
        demand(is_identity_header(text.upper()) and is_identity_header(text.replace("-", "_")), "one spelling passes")


def seeds() -> Iterator[bytes]:
    """Return honest queries and forms, and bodies of other kinds."""
    yield b"\nnext=%2Fmissions&question=a+b"
    yield FORM + b"\nformulaire=abc.def&identifiant=mdurand7&mot_de_passe=%C3%A9t%C3%A9+1&vide="
    yield FORM + b"; charset=utf-8\na=1&b=2"
    yield b'multipart/form-data; boundary="b"\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
    yield b'application/json\n{"a": 1}'
    yield b"ct-remote-user\na=1"
    yield b"203.0.113.9, 192.0.2.7\na=1"


def mutate(data: bytes, random: Random) -> bytes:
    """Change one field, its name, its value, or double it."""
    kind, _, body = data.partition(b"\n")
    if random.random() < 0.2:
        return any_change(kind, random) + b"\n" + body
    parts = body.split(b"&")
    place = random.randrange(len(parts))
    match random.randrange(4):
        case 0:
            parts.insert(random.randrange(len(parts) + 1), parts[place])
        case 1:
            parts[place] = any_change(parts[place], random)
        case 2:
            parts[place] = parts[place].replace(b"=", random.choice((b"%3D", b"==", b"", b";", b"%", b"%u0041")), 1)
        case _:
            parts[place] = b"".join(
                b"%%%02X" % each if random.random() < 0.3 else bytes((each,)) for each in parts[place]
            )
    return kind + b"\n" + b"&".join(parts)


TARGET: Final = Target(name="forms", attack=attack, seeds=seeds, mutate=mutate)
