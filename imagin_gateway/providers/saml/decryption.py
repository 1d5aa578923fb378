"""What a portal encrypted for us (XML Encryption 1.1), over the cryptography of one library.

Anybody can encrypt for us: our key is public. So what comes out is worth no more
than what comes in, and goes through every floor again. Whatever fails on the way
fails in one way, with one code and one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr  # nosec B406  # writes XML, reads none

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import documents
from imagin_gateway.providers.saml.vocabulary import (
    CBC_CIPHERS,
    GCM_CIPHERS,
    MGF,
    OAEP_MGF1P,
    OAEP_XENC11,
    XENC,
    ds,
    xenc,
    xenc11,
)

MAX_KEYS: Final = 4
"""EncryptedKeys in one message: each costs one RSA operation for each of our keys."""

_GCM_IV: Final = 12
_TAG: Final = 16
_BLOCK: Final = 16

_DIGESTS: Final[dict[str, type[HashAlgorithm]]] = {
    # Within OAEP nothing rests on collisions: SHA-1 there is what the standard's first URI means (RFC 8017 §B.1).
    "http://www.w3.org/2000/09/xmldsig#sha1": SHA1,
    "http://www.w3.org/2001/04/xmlenc#sha256": SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": SHA512,
}
_MASKS: Final[dict[str, type[HashAlgorithm]]] = {
    MGF + "mgf1sha1": SHA1,
    MGF + "mgf1sha256": SHA256,
    MGF + "mgf1sha384": SHA384,
    MGF + "mgf1sha512": SHA512,
}


class _Failed(Exception):
    """It cannot be decrypted; never says where."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Our private keys, tried one after the other.

    Attributes:
        private: the one in use, and the one before or after it.
        cbc: also take AES-CBC, which hides but does not protect: only what is signed around it may be decrypted so.
    """

    private: Sequence[RSAPrivateKey]
    cbc: bool = False


def element(encrypted: etree._Element, keys: Keys, *, inside_signature: bool) -> etree._Element:
    """Decrypt an EncryptedAssertion or an EncryptedID (Core §2.2.4, §2.3.4).

    Args:
        encrypted: in a tree that followed the schemas.
        keys: ours.
        inside_signature: what holds it was signed, and that was verified: AES-CBC needs it.

    Returns:
        The element, the root of a document of its own.

    Raises:
        AnswerRefused: `SAML_ALGORITHM` for a method that is not allowed; `SAML_ENCRYPTED` for all else.
    """
    data, wrapped = _parts(encrypted)
    method = _method(data)
    if method in CBC_CIPHERS and not (keys.cbc and inside_signature):
        raise AnswerRefused(Code.SAML_ALGORITHM, "AES-CBC is not allowed here")
    if method not in CBC_CIPHERS and method not in GCM_CIPHERS:
        raise AnswerRefused(Code.SAML_ALGORITHM, "what encrypts uses a method that is not allowed")
    paddings = [_padding(each) for each in wrapped]
    try:
        secrets = list(zip(map(_cipher_value, wrapped), paddings, strict=True))
        return _parsed(_decrypted(_cipher_value(data), method, secrets, keys.private), data)
    except _Failed:
        pass
    except AnswerRefused as refused:
        if refused.code is Code.TOO_LARGE:
            raise
    # Raised here: neither the key nor the plaintext hangs from it, and all failures are one.
    raise AnswerRefused(Code.SAML_ENCRYPTED, "what is encrypted cannot be read")


def _parts(encrypted: etree._Element) -> tuple[etree._Element, list[etree._Element]]:
    """Return the EncryptedData and its EncryptedKeys, inside its KeyInfo or beside it."""
    data = documents.children(encrypted, xenc("EncryptedData"))
    beside = documents.children(encrypted, xenc("EncryptedKey"))
    if len(data) != 1 or len(encrypted) != 1 + len(beside):
        raise AnswerRefused(Code.SAML_SHAPE, "an encrypted element holds something unexpected")
    if data[0].get("Type", XENC + "Element") != XENC + "Element":
        raise AnswerRefused(Code.SAML_SHAPE, "what is encrypted is not one element")
    around = documents.children(data[0], ds("KeyInfo"))
    wrapped = [*(key for each in around for key in documents.children(each, xenc("EncryptedKey"))), *beside]
    found = sum(1 for _ in encrypted.iter(xenc("EncryptedKey")))
    if (
        not 0 < len(wrapped) <= MAX_KEYS
        or found != len(wrapped)
        or sum(1 for _ in encrypted.iter(xenc("EncryptedData"))) > 1
    ):
        raise AnswerRefused(Code.SAML_SHAPE, "an encrypted element does not hold a few wrapped keys")
    return data[0], wrapped


def _method(element: etree._Element) -> str:
    found = documents.child(element, xenc("EncryptionMethod"))
    return "" if found is None else found.get("Algorithm", "")


def _cipher_value(element: etree._Element) -> bytes:
    data = documents.child(element, xenc("CipherData"))
    value = None if data is None else documents.child(data, xenc("CipherValue"))
    if value is None or len(value):
        raise _Failed  # a CipherReference would have us fetch it
    try:
        return documents.from_base64(value.text or "")
    except ValueError:
        raise _Failed from None


def _decrypted(
    ciphertext: bytes, method: str, secrets: Sequence[tuple[bytes, OAEP]], private: Sequence[RSAPrivateKey]
) -> bytes:
    length = (GCM_CIPHERS | CBC_CIPHERS)[method]
    for secret, padding in secrets:
        for key in private:
            try:
                session = key.decrypt(secret, padding)
                if len(session) == length:
                    return _opened(ciphertext, session, method)
            except (ValueError, InvalidTag, _Failed):
                continue
    raise _Failed


def _padding(wrapped: etree._Element) -> OAEP:
    """XML Encryption 1.1 §5.5.2: the digest is SHA-1 unless told; so is that of MGF1, unless the second URI tells."""
    method = documents.child(wrapped, xenc("EncryptionMethod"))
    if method is None or method.get("Algorithm") not in (OAEP_MGF1P, OAEP_XENC11):
        raise AnswerRefused(Code.SAML_ALGORITHM, "what wraps a key uses a method that is not allowed")
    named = (ds("DigestMethod"), xenc11("MGF"), xenc("OAEPparams"))
    digest, mask, label = (documents.child(method, name) for name in named)
    hashes = _DIGESTS.get("http://www.w3.org/2000/09/xmldsig#sha1" if digest is None else digest.get("Algorithm", ""))
    masks = _MASKS.get(MGF + "mgf1sha1" if mask is None else mask.get("Algorithm", ""))
    if hashes is None or masks is None or (mask is not None and method.get("Algorithm") == OAEP_MGF1P):
        raise AnswerRefused(Code.SAML_ALGORITHM, "what wraps a key uses a digest that is not allowed")
    try:
        told = None if label is None else documents.from_base64(label.text or "")
    except ValueError:
        raise AnswerRefused(Code.SAML_ENCRYPTED, "what is encrypted cannot be read") from None
    return OAEP(mgf=MGF1(masks()), algorithm=hashes(), label=told)


def _opened(ciphertext: bytes, session: bytes, method: str) -> bytes:
    if method in GCM_CIPHERS:
        # XML Encryption 1.1 §5.2.4: 96 bits of IV before, 128 of tag after.
        if len(ciphertext) <= _GCM_IV + _TAG:
            raise _Failed
        return AESGCM(session).decrypt(ciphertext[:_GCM_IV], ciphertext[_GCM_IV:], None)
    if len(ciphertext) < 2 * _BLOCK or len(ciphertext) % _BLOCK:
        raise _Failed
    opener = Cipher(AES(session), CBC(ciphertext[:_BLOCK])).decryptor()
    padded = opener.update(ciphertext[_BLOCK:]) + opener.finalize()
    # §5.2.3: the last byte counts the padding, whose other bytes may be anything.
    if not 1 <= padded[-1] <= _BLOCK:
        raise _Failed
    return padded[: -padded[-1]]


def _parsed(plain: bytes, data: etree._Element) -> etree._Element:
    """Return the one element of a plaintext, read where it stood: its prefixes may be declared around it (§4.4)."""
    around = {prefix: uri for prefix, uri in data.nsmap.items() if uri}
    if plain.startswith(b"<") and plain[1:2].isalpha() and not any(_left_to_be_found(each, plain) for each in around):
        return documents.parse(plain)
    declared = "".join(
        f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in around.items()
    ).encode()
    root = documents.parse(b"<_" + declared + b">" + plain + b"</_>")
    if len(root) != 1 or (root.text or "").strip() or (root[0].tail or "").strip():
        raise _Failed
    found = root[0]
    found.tail = None
    # Alone in its document, with the declarations it uses: what is read next is these bytes and nothing around.
    return documents.parse(etree.tostring(found, encoding="utf-8"))


def _left_to_be_found(prefix: str | None, plain: bytes) -> bool:
    """Tell whether a plaintext uses a prefix without declaring it: most declare all they use."""
    if prefix is None:
        return b"xmlns=" not in plain
    told = prefix.encode()
    return told + b":" in plain and b"xmlns:" + told + b"=" not in plain
