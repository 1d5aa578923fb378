"""A second opinion on XML signatures: who signed what, without xmlsec and without the code under attack.

Kept simple on purpose. It knows the one shape of signature that an honest portal makes, and
canonicalises with lxml; what it hands out is read again by another parser (expat).
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from lxml import etree

DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"

_HASHES: Final[dict[str, type[SHA256 | SHA384 | SHA512]]] = {"256": SHA256, "384": SHA384, "512": SHA512}


def proved(document: bytes, key: EllipticCurvePublicKey) -> list[bytes]:
    """Return the canonical bytes of every element that a signature of this key covers, signatures taken out."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    return [found for signature in root.iter(DS + "Signature") for found in _covered(root, signature, key)]


def _covered(root: etree._Element, signature: etree._Element, key: EllipticCurvePublicKey) -> Iterator[bytes]:
    info, value = signature.find(DS + "SignedInfo"), signature.find(DS + "SignatureValue")
    if info is None or value is None:
        return
    method, reference = info.find(DS + "SignatureMethod"), info.find(DS + "Reference")
    if method is None or reference is None:
        return
    signed = etree.tostring(info, method="c14n", exclusive=True, with_comments=False)
    if not verifies(key, signed, _octets(value), method.get("Algorithm", "")):
        return
    for element in list(root.iter("*")):
        if element.get("ID") == reference.get("URI", "")[1:]:
            yield from _digested(element, reference)


def _digested(element: etree._Element, reference: etree._Element) -> Iterator[bytes]:
    told, method = reference.find(DS + "DigestValue"), reference.find(DS + "DigestMethod")
    if told is None or method is None:
        return
    prefixes = [name for each in reference.iter("*") for name in each.get("PrefixList", "").split()]
    copied = _apart(element)
    for seal in copied.findall(DS + "Signature"):
        before, parent = seal.getprevious(), copied
        if before is None:
            parent.text = (parent.text or "") + (seal.tail or "")
        else:
            before.tail = (before.tail or "") + (seal.tail or "")
        parent.remove(seal)
    canonical = etree.tostring(
        copied, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes or None
    )
    name = "sha" + method.get("Algorithm", "")[-3:]
    if name in ("sha256", "sha384", "sha512") and hashlib.new(name, canonical).digest() == _octets(told):
        yield canonical


def _apart(element: etree._Element) -> etree._Element:
    """Return the element in a copy of its document, so that it keeps the names that stand around it."""
    path = element.getroottree().getelementpath(element)
    whole = copy.deepcopy(element.getroottree().getroot())
    found = whole if path == "." else whole.find(path)
    assert found is not None
    return found


def verifies(key: EllipticCurvePublicKey, content: bytes, made: bytes, method: str) -> bool:
    """Tell whether this key signed these octets by an ECDSA method of XML Signature."""
    size = (key.key_size + 7) // 8
    hashing = _HASHES.get(method[-3:])
    if "ecdsa-sha" not in method or hashing is None or len(made) != 2 * size:
        return False
    numbers = encode_dss_signature(int.from_bytes(made[:size], "big"), int.from_bytes(made[size:], "big"))
    try:
        key.verify(numbers, content, ECDSA(hashing()))
    except InvalidSignature:
        return False
    return True


def _octets(element: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def told(canonical: bytes) -> ElementTree.Element:
    """Read canonical bytes by expat."""
    return ElementTree.fromstring(canonical)


def whole_text(element: ElementTree.Element | None) -> str:
    """Return every character of an element and of what is in it."""
    return "" if element is None else "".join(element.itertext())
