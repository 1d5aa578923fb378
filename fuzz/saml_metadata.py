"""Metadata of a portal: a file of its own, or a federation's aggregate that somebody must have signed.

An input is one byte of choices and a document.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

import xmlsec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from lxml import etree

from examples.demo.portals import saml_messages
from fuzz import proof, xml_changes
from fuzz.frame import Target, demand
from fuzz.portal_keys import pair, private_key
from fuzz.saml_house import NOW, PORTAL, SSO, metadata, sign
from imagin_gateway.providers.saml import examination, source
from imagin_gateway.providers.saml.partner import MetadataRefused, Partner
from imagin_gateway.providers.saml.signature import VerificationKey

MUST_BE_SIGNED: Final = 1
SIGNED_HERE: Final = 2
PLAIN_HTTP: Final = 4

_MD: Final = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_LONGEST: Final = timedelta(days=30)
_FEDERATION: Final = private_key("federation").public_key()
_KEY: Final = VerificationKey(_FEDERATION)


def attack(data: bytes) -> bool:
    """Read a document as the portal's metadata, and look at it as the operator does."""
    choices, document = data[0] if data else 0, data[1:]
    if choices & SIGNED_HERE:
        document = _signed(document)
    key = _KEY if choices & MUST_BE_SIGNED else None
    development = bool(choices & PLAIN_HTTP)
    # It promises never to raise, whatever stands there.
    seen = examination.examine(document, PORTAL, key=key, longest=_LONGEST, development=development, now=NOW)
    try:
        found = source.entity(document, PORTAL, key=key, longest=_LONGEST, development=development, now=NOW)
    except MetadataRefused as refused:
        demand(bool(refused.problems), "refused without a reason")
        demand(bool(seen.problems), "the operator is told that it is fine")
        raise
    _hold(found, document, key is not None, development)
    return True


def _signed(document: bytes) -> bytes:
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
        root.set("ID", root.get("ID") or "_federation")
        sign(root, pair("federation"))
        if len(root) > 1:
            # The schema of metadata wants it first.
            root.insert(0, root[1])
    except (etree.XMLSyntaxError, xmlsec.Error, ValueError):
        return document
    return etree.tostring(root)


def _hold(found: Partner, document: bytes, must_be_signed: bool, development: bool) -> None:
    """Every address and key must stand in the one role of the one entity, in bytes that were signed if they must be."""
    readings = proof.proved(document, _FEDERATION) if must_be_signed else [document]
    entities = [
        entity
        for each in readings
        for entity in proof.told(each).iter(_MD + "EntityDescriptor")
        if entity.get("entityID") == PORTAL
    ]
    demand(bool(entities), "a portal was read that nobody signed")
    roles = [role for entity in entities for role in entity.findall(_MD + "IDPSSODescriptor")]
    addresses = {
        each.get("Location", "")
        for role in roles
        for each in role.findall(_MD + "SingleSignOnService")
        if each.get("Binding") == _REDIRECT
    }
    demand(found.sso_url in addresses, "people are sent to an address that is not that of the portal")
    sent = [found.sso_url, *((found.logout.url, found.logout.answer_url) if found.logout else ())]
    schemes = ("https", "http") if development else ("https",)
    demand(all(urlsplit(url).scheme in schemes for url in sent if url), "people are sent in the clear")
    demand(not found.error_url or found.error_url.startswith(("https://", "HTTPS://")), "a link that is not https")
    told = {octets for role in roles for octets in _keys_told(role)}
    demand(bool(found.keys) and all(_stands_in(key, told) for key in found.keys), "a key of nobody verifies")


def _keys_told(role: ElementTree.Element) -> Iterator[bytes]:
    for each in role.iter():
        text = "".join(proof.whole_text(each).split())
        if each.tag.endswith(("}X509Certificate", "}Modulus")):
            with contextlib.suppress(binascii.Error):
                yield base64.b64decode(text)


def _stands_in(key: VerificationKey, told: set[bytes]) -> bool:
    """Tell whether the key's own numbers stand in something that the role told."""
    numbers = load_der_public_key(key.public).public_numbers()  # type: ignore[union-attr]  # RSA or EC
    values = [getattr(numbers, name) for name in ("n", "x", "y") if hasattr(numbers, name)]
    parts = [value.to_bytes((value.bit_length() + 7) // 8, "big") for value in values]
    return any(all(part in octets for part in parts) for octets in told)


def seeds() -> Iterator[bytes]:
    """Return a portal's own document, and an aggregate of three."""
    alone = metadata()
    aggregate = etree.Element(_MD + "EntitiesDescriptor", nsmap={"md": _MD[1:-1]})
    for url in (PORTAL, "https://idp.other.example/metadata"):
        entity = etree.fromstring(alone)
        entity.set("entityID", url)
        aggregate.append(entity)
    aggregate.append(etree.fromstring(saml_messages.metadata("https://third.example", SSO, [pair("third")])))
    whole = etree.tostring(aggregate)
    until = b'validUntil="2026-12-20T08:00:00Z"'
    for choices in (0, PLAIN_HTTP):
        yield bytes((choices,)) + alone
        yield bytes((choices,)) + whole
    for document in (alone, whole):
        dated = document.replace(b"Descriptor ", b"Descriptor " + until + b" ", 1)
        yield bytes((MUST_BE_SIGNED | SIGNED_HERE,)) + dated
        yield bytes((MUST_BE_SIGNED,)) + _signed(dated)


def mutate(data: bytes, random: Random) -> bytes:
    """Change the choices, or the document by its XML."""
    if random.random() < 0.1:
        return bytes((random.randrange(8),)) + data[1:]
    return (data[:1] or b"\x00") + xml_changes.changed(data[1:], random)


TARGET: Final = Target(
    name="saml_metadata", attack=attack, seeds=seeds, mutate=mutate, refusals=(MetadataRefused,), longest=24 * 1024
)
