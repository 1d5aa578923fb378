"""Verify a signature, and return the very bytes it covers.

python-xmlsec verifies with one given key: whatever the message says about keys
is taken away before. Then the bytes are canonicalised here a second time, apart,
and must have the digest that was signed. Who reads those bytes reads what was
signed, wherever it stood in the message.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import documents, shape
from imagin_gateway.providers.saml.native import xmlsec
from imagin_gateway.providers.saml.vocabulary import DIGESTS, ECDSA_METHODS, RSA_METHODS, ds

MINIMUM_RSA_BITS: Final = 2048
MINIMUM_EC_BITS: Final = 256

_HASHES: Final[dict[str, type[HashAlgorithm]]] = {"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}


class Kind(StrEnum):
    """Kinds of public keys that may verify."""

    RSA = "rsa"
    EC = "ec"


class UnusableKey(ValueError):
    """A certificate holds a key that may not verify anything: too small, or of another kind."""


class VerificationKey:
    """One public key of a portal. A certificate only carries it: dates and signer say nothing here (IIP-MD11).

    Args:
        key: as read from the metadata.

    Raises:
        UnusableKey: it may not verify anything.
    """

    __slots__ = ("_key", "_public", "kind", "public")

    def __init__(self, key: PublicKeyTypes) -> None:
        self._public: RSAPublicKey | EllipticCurvePublicKey
        if isinstance(key, RSAPublicKey) and key.key_size >= MINIMUM_RSA_BITS:
            self.kind, self._public = Kind.RSA, key
        elif isinstance(key, EllipticCurvePublicKey) and key.key_size >= MINIMUM_EC_BITS:
            self.kind, self._public = Kind.EC, key
        else:
            raise UnusableKey
        self.public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key = xmlsec.Key.from_memory(self.public, xmlsec.constants.KeyDataFormatDer)

    def verifies(self, signature: etree._Element, method: str) -> bool:
        """Tell whether this key made the signature, by a method of its kind."""
        if (method in RSA_METHODS) != (self.kind is Kind.RSA):
            return False
        parent = signature.getparent()
        if parent is None:
            return False
        context = xmlsec.SignatureContext()
        context.key = self._key
        context.register_id(parent, "ID")
        try:
            context.verify(signature)
        except xmlsec.Error:
            return False
        return True

    def verifies_octets(self, content: bytes, made: bytes, method: str) -> bool:
        """Tell whether this key made a signature over plain octets, by a method of its kind (Bindings §3.4.4.1)."""
        try:
            if isinstance(self._public, RSAPublicKey):
                self._public.verify(made, content, PKCS1v15(), _HASHES[RSA_METHODS[method]]())
                return True
            # XML Signature §6.4.3: both numbers, one after the other, each as long as the curve. Bindings §3.4.4.1 does
            # not say so of an address: what is built on OpenSAML (Shibboleth, CAS) leaves them in DER, as Java signs.
            size = (self._public.key_size + 7) // 8
            if len(made) == 2 * size:
                made = encode_dss_signature(int.from_bytes(made[:size], "big"), int.from_bytes(made[size:], "big"))
            self._public.verify(made, content, ECDSA(_HASHES[ECDSA_METHODS[method]]()))
        except (InvalidSignature, KeyError):
            return False
        return True

    @property
    def bits(self) -> int:
        """Size of the key."""
        return self._public.key_size


def signed_bytes(signature: etree._Element, keys: Iterable[VerificationKey], *, last: bool = False) -> bytes:
    """Verify a signature of the expected shape, and return the canonical bytes of its parent, without it.

    Args:
        signature: in the tree as it was received, already held to `shape.check_signature`.
        keys: of the one portal this answer may come from; any of them will do.
        last: nobody reads that tree afterwards. Then it is taken apart itself, not a copy.

    Raises:
        AnswerRefused: `SAML_SIGNATURE`.
    """
    if not last:
        signature = _apart(signature)
    parent = signature.getparent()
    if parent is None:
        raise AnswerRefused(Code.SAML_SIGNATURE, "a signature signs nothing")
    for keys_told in documents.children(signature, ds("KeyInfo")):
        signature.remove(keys_told)
    method = signature[0][1].get("Algorithm", "")
    if not any(key.verifies(signature, method) for key in keys):
        raise AnswerRefused(Code.SAML_SIGNATURE, "no key of this portal made this signature")
    reference = signature[0][2]
    algorithm, expected = DIGESTS[reference[1].get("Algorithm", "")], _base64(reference[2])
    kept = shape.prefixes(reference)
    _take_out(signature, parent)
    canonical = etree.tostring(parent, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=kept)
    if not hmac.compare_digest(hashlib.new(algorithm, canonical).digest(), expected):
        raise AnswerRefused(Code.SAML_SIGNATURE, "the bytes read are not those that were signed")
    return canonical


def _apart(signature: etree._Element) -> etree._Element:
    """Return the same signature in a copy of the whole document, which may then be changed."""
    tree = signature.getroottree()
    steps = []
    node = signature
    while (parent := node.getparent()) is not None:
        steps.append(parent.index(node))
        node = parent
    copied = copy.deepcopy(tree).getroot()
    for step in reversed(steps):
        copied = copied[step]
    return copied


def _take_out(signature: etree._Element, parent: etree._Element) -> None:
    """XML Signature §6.6.4: remove the signature, and only it: the text after it stays."""
    before = signature.getprevious()
    if before is None:
        parent.text = (parent.text or "") + (signature.tail or "")
    else:
        before.tail = (before.tail or "") + (signature.tail or "")
    parent.remove(signature)


def _base64(element: etree._Element) -> bytes:
    try:
        return documents.from_base64(element.text or "")
    except ValueError:
        raise AnswerRefused(Code.SAML_SIGNATURE, "a digest cannot be read") from None
