"""How a logout message comes: in the address (HTTP-Redirect) or in a form (HTTP-POST), and who signed it.

What is returned is the tree of the bytes that were signed, and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code, RequestRefused
from imagin_gateway.exchange import Request
from imagin_gateway.providers.saml import documents, schema, shape, signature
from imagin_gateway.providers.saml.signature import VerificationKey
from imagin_gateway.providers.saml.vocabulary import DEFLATE, ECDSA_METHODS, RSA_METHODS

MAX_LOGOUT_BYTES: Final = 64 * 1024
"""Largest logout message, unpacked: a few bytes of deflated text can be megabytes."""

MAX_RELAY_CHARS: Final = 512
"""The standard says 80 bytes (Bindings §3.4.3); some portals take more."""

_FIELDS: Final = ("SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding")


@dataclass(frozen=True, slots=True, repr=False)
class Proved:
    """A logout message whose signature was verified; `relay` is RelayState, to be given back as it came."""

    root: etree._Element
    relay: str


def carries(message: Request) -> str:
    """Return the field that carries the message: `SAMLRequest` or `SAMLResponse`.

    Raises:
        RequestRefused: neither, or both.
    """
    told = message.form if message.method == "POST" else message.query
    found = [name for name in ("SAMLRequest", "SAMLResponse") if name in told]
    if len(found) != 1:
        raise RequestRefused("the request carries no message, or two", code=Code.MALFORMED)
    return found[0]


def proved(message: Request, element: str, keys: Sequence[VerificationKey], forbidden: Collection[str] = ()) -> Proved:
    """Read a logout message.

    Args:
        message: as the browser brought it.
        element: `LogoutRequest` or `LogoutResponse`.
        keys: of the identity-provider role of the one portal that may speak here.
        forbidden: methods that the settings refuse on top.

    Raises:
        AnswerRefused: with the code of the first floor that refuses.
        RequestRefused: the request carries no message.
    """
    read = _by_post if message.method == "POST" else _by_redirect
    return read(message, element, keys, forbidden)


def _by_post(message: Request, element: str, keys: Sequence[VerificationKey], forbidden: Collection[str]) -> Proved:
    form = message.form
    root = documents.parse(documents.decoded(form[carries(message)]))
    _check_schema(root)
    shape.check_algorithms(root, forbidden)
    signed = documents.canonical(signature.signed_bytes(shape.sealed(root, element), keys))
    shape.check_plain(signed, element)
    return Proved(signed, _relay(form.get("RelayState", "")))


def _by_redirect(message: Request, element: str, keys: Sequence[VerificationKey], forbidden: Collection[str]) -> Proved:
    """Bindings §3.4.4.1: the signature covers the fields as they were written, in one order; it is the only one."""
    name = carries(message)
    fields = _written(message.query_string)
    if "Signature" not in fields or "SigAlg" not in fields:
        raise AnswerRefused(Code.SAML_UNSIGNED, "the message is not signed")
    if unquote_plus(fields.get("SAMLEncoding", DEFLATE)) != DEFLATE:
        raise AnswerRefused(Code.SAML_XML, "the message is encoded in another way")
    if name not in fields:
        raise RequestRefused("a field is written in a way of its own", code=Code.MALFORMED)
    covered = [f"{field}={fields[field]}" for field in (name, "RelayState", "SigAlg") if field in fields]
    method = unquote_plus(fields["SigAlg"])
    if method in forbidden or (method not in RSA_METHODS and method not in ECDSA_METHODS):
        raise AnswerRefused(Code.SAML_ALGORITHM, "a signature uses a method that is not allowed")
    made = _base64(fields["Signature"], Code.SAML_SIGNATURE)
    content = "&".join(covered).encode("ascii")
    if not any(key.verifies_octets(content, made, method) for key in keys):
        raise AnswerRefused(Code.SAML_SIGNATURE, "no key of this portal made this signature")
    root = documents.parse(_inflated(_base64(fields[name], Code.SAML_XML)))
    _check_schema(root)
    shape.check_plain(root, element)
    if next(root.iter(shape.SIGNATURE), None) is not None:
        raise AnswerRefused(Code.SAML_SHAPE, "a signature stands where none is expected")
    return Proved(root, _relay(unquote_plus(fields.get("RelayState", ""))))


def _written(query: bytes) -> dict[str, str]:
    """Return the fields of ours as they were written, each once, its name in plain letters."""
    found: dict[str, str] = {}
    for part in query.decode("ascii", "replace").split("&"):
        name, _, value = part.partition("=")
        if name in _FIELDS:
            if name in found:
                raise RequestRefused("a parameter is repeated", code=Code.PARAMETER_REPEATED)
            found[name] = value
        elif unquote_plus(name) in _FIELDS:
            # Two readers would not agree on what was signed.
            raise RequestRefused("a field is written in a way of its own", code=Code.MALFORMED)
    return found


def _base64(written: str, code: Code) -> bytes:
    try:
        return documents.from_base64(unquote_plus(written))
    except ValueError:
        raise AnswerRefused(code, "a field is not base64") from None


def _inflated(deflated: bytes) -> bytes:
    opener = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = opener.decompress(deflated, MAX_LOGOUT_BYTES)
    except zlib.error:
        raise AnswerRefused(Code.SAML_XML, "the message is not deflated") from None
    if len(plain) == MAX_LOGOUT_BYTES and not opener.eof:
        raise AnswerRefused(Code.TOO_LARGE, "the message is too large")
    if not opener.eof or opener.unused_data:
        raise AnswerRefused(Code.SAML_XML, "the message is cut, or followed by something")
    return plain


def _check_schema(root: etree._Element) -> None:
    if not schema.is_valid(root):
        raise AnswerRefused(Code.SAML_SCHEMA, "the message does not follow the schemas")


def _relay(relay: str) -> str:
    return relay if len(relay) <= MAX_RELAY_CHARS and relay.isprintable() else ""
