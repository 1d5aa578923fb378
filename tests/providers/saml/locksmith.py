"""Encrypting for us, honestly or not: over `cryptography`, and, as a second opinion, by xmlsec itself."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import xmlsec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from lxml import etree

from examples.demo.portals.saml_messages import KeyPair
from tests.providers.saml.forge import ds, keys, saml

XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
GCM: Final = {f"{XENC11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
CBC_METHODS: Final = {f"{XENC}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
MGF1P: Final = XENC + "rsa-oaep-mgf1p"
OAEP11: Final = XENC11 + "rsa-oaep"
RSA15: Final = XENC + "rsa-1_5"
SHA1_URI: Final = "http://www.w3.org/2000/09/xmldsig#sha1"
SHA256_URI: Final = XENC + "sha256"
SHA384_URI: Final = "http://www.w3.org/2001/04/xmldsig-more#sha384"
SHA512_URI: Final = XENC + "sha512"

_HASHES: Final[dict[str, Any]] = {SHA1_URI: SHA1, SHA256_URI: SHA256, SHA384_URI: SHA384, SHA512_URI: SHA512}
_MASKS: Final[dict[str, Any]] = {
    f"{XENC11}mgf1sha1": SHA1,
    f"{XENC11}mgf1sha256": SHA256,
    f"{XENC11}mgf1sha384": SHA384,
    f"{XENC11}mgf1sha512": SHA512,
}


@dataclass(frozen=True, kw_only=True)
class Lock:
    """How to encrypt; by default as a portal of today does."""

    method: str = f"{XENC11}aes256-gcm"
    wrap: str = MGF1P
    digest: str | None = SHA1_URI
    mask: str | None = None
    label: bytes | None = None
    beside: bool = False
    to: tuple[str, ...] = ("ours",)
    spoil: Callable[[bytes], bytes] | None = None
    """Changes the ciphertext."""
    spoil_key: Callable[[bytes], bytes] | None = None


def xenc(name: str) -> str:
    return f"{{{XENC}}}{name}"


def encrypted(plain: bytes, lock: Lock, holder: str = "EncryptedAssertion") -> etree._Element:
    """Return an encrypted element that holds `plain`, whatever that is."""
    outer = etree.Element(saml(holder), nsmap={"xenc": XENC, "ds": ds("x")[1:].partition("}")[0]})
    data = etree.SubElement(outer, xenc("EncryptedData"), Type=XENC + "Element")
    etree.SubElement(data, xenc("EncryptionMethod"), Algorithm=lock.method)
    session = secrets.token_bytes({**GCM, **CBC_METHODS}.get(lock.method, 32))
    place = outer if lock.beside else etree.SubElement(data, ds("KeyInfo"))
    ciphertext = _seal(plain, session, lock.method)
    _value(data, lock.spoil(ciphertext) if lock.spoil else ciphertext)
    for name in lock.to:
        _wrap(place, session, keys(name), lock)
    return outer


def _wrap(place: etree._Element, session: bytes, pair: KeyPair, lock: Lock) -> None:
    wrapped = etree.SubElement(place, xenc("EncryptedKey"))
    method = etree.SubElement(wrapped, xenc("EncryptionMethod"), Algorithm=lock.wrap)
    if lock.label is not None:
        etree.SubElement(method, xenc("OAEPparams")).text = base64.b64encode(lock.label).decode()
    if lock.digest is not None:
        etree.SubElement(method, ds("DigestMethod"), Algorithm=lock.digest)
    if lock.mask is not None:
        etree.SubElement(method, f"{{{XENC11}}}MGF", Algorithm=lock.mask)
    mask = _MASKS.get(lock.mask or f"{XENC11}mgf1sha1", SHA1)
    digest = _HASHES.get(lock.digest or SHA1_URI, SHA1)
    oaep = OAEP(mgf=MGF1(mask()), algorithm=digest(), label=lock.label)
    public: Any = pair.certificate.public_key()
    secret = public.encrypt(session, PKCS1v15() if lock.wrap == RSA15 else oaep)
    _value(wrapped, lock.spoil_key(secret) if lock.spoil_key else secret)


def _value(parent: etree._Element, value: bytes) -> None:
    data = etree.SubElement(parent, xenc("CipherData"))
    etree.SubElement(data, xenc("CipherValue")).text = base64.b64encode(value).decode()


def _seal(plain: bytes, session: bytes, method: str) -> bytes:
    if method not in CBC_METHODS:
        iv = secrets.token_bytes(12)
        return iv + AESGCM(session).encrypt(iv, plain, None)
    iv = secrets.token_bytes(16)
    size = 16 - len(plain) % 16
    padded = plain + secrets.token_bytes(size - 1) + bytes([size])
    sealer = Cipher(AES(session), CBC(iv)).encryptor()
    return iv + sealer.update(padded) + sealer.finalize()


def encrypt_assertion(root: etree._Element, lock: Lock | None = None) -> etree._Element:
    """Put the encrypted form of the assertion in its place; return the message."""
    assertion = root.find(saml("Assertion"))
    assert assertion is not None
    plain = etree.tostring(assertion, with_tail=False)
    root.replace(assertion, encrypted(plain, lock or Lock()))
    return root


def encrypt_by_xmlsec(root: etree._Element, cipher: Any, wrap: Any) -> etree._Element:
    """The same, by the other implementation: a second opinion on what the standard means."""
    assertion = root.find(saml("Assertion"))
    assert assertion is not None
    holder = etree.Element(saml("EncryptedAssertion"))
    root.replace(assertion, holder)
    holder.append(assertion)
    data = xmlsec.template.encrypted_data_create(holder, cipher, type=XENC + "Element", ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    wrapped = xmlsec.template.add_encrypted_key(info, wrap)
    xmlsec.template.encrypted_data_ensure_cipher_value(wrapped)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(keys("ours").certificate_pem, xmlsec.constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    bits = {
        xmlsec.constants.TransformAes128Gcm: 128,
        xmlsec.constants.TransformAes256Gcm: 256,
        xmlsec.constants.TransformAes128Cbc: 128,
    }
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, bits[cipher], xmlsec.constants.KeyDataTypeSession)
    context.encrypt_xml(data, assertion)
    return root
