"""The keys of the portals under attack: always the same, so that inputs kept in the repository stay signed.

They are made of a name, here, and open nothing anywhere: no private key stands in the repository.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from examples.demo.portals.saml_messages import KeyPair

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)


@functools.cache
def private_key(name: str) -> EllipticCurvePrivateKey:
    """Return the P-256 key of this name."""
    return derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") >> 1, SECP256R1())


@functools.cache
def pair(name: str) -> KeyPair:
    """Return the same key with a certificate, in PEM."""
    key = private_key(name)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(BEGINS)
        .not_valid_after(BEGINS + timedelta(days=3650))
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(private, certificate.public_bytes(Encoding.PEM))
