"""A certificate authority of the tests' own, so that every exchange with the peer is verified TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: CertificateIssuerPrivateKeyTypes) -> str:
    # The older form: some of the peer's libraries read no other.
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _certificate(subject: str, key: CertificateIssuerPrivateKeyTypes) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def key_pair(subject: str, bits: int = 2048) -> tuple[str, str]:
    """Return an RSA key and its self-signed certificate, in PEM: what signs messages on both sides."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = _certificate(subject, key).issuer_name(_name(subject)).sign(key, hashes.SHA256())
    return _pem(key), certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """Issues server certificates for two days; `folder` keeps them.

    Attributes:
        root: the authority's own certificate, PEM.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = "peer tests"
        use = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            _certificate(self._subject, self._key)
            .issuer_name(_name(self._subject))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(use, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.root = folder / "authority.pem"
        self.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str) -> tuple[Path, Path]:
        """Return the files of a key and of a certificate for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _certificate(host, key)
            .issuer_name(_name(self._subject))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        key_file, certificate_file = self._folder / f"{host}.key", self._folder / f"{host}.crt"
        key_file.write_text(_pem(key))
        key_file.chmod(0o600)
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return key_file, certificate_file

    def believed(self) -> ssl.SSLContext:
        """Return a context of a client that believes this authority, and no other."""
        return ssl.create_default_context(cafile=str(self.root))
