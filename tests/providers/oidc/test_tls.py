"""Whom a portal believes to be its provider."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.providers.oidc import bounded
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.clock import ManualClock
from tests.providers.oidc.journey import DOOR, REDIRECT_URI, House, configured
from tests.providers.oidc.provider import Provider
from tests.providers.oidc.serving import over_a_socket, serve


def certificate(folder: Path, name: str, *, ends: timedelta = timedelta(days=1)) -> Path:
    """Write a self-signed certificate for `name` with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return file


def offering(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.row("KEY-05")
def test_a_certificate_that_is_believed_lets_the_login_through(
    provider: Provider, clock: ManualClock, tmp_path: Path
) -> None:
    file = certificate(tmp_path, "localhost")
    with serve(provider, offering(file)):
        there = over_a_socket(provider, clock, trusting=ssl.create_default_context(cafile=file))
        assert there.login().subject == "person-1"
        there.portal.close()


@pytest.mark.row("KEY-05")
@pytest.mark.row("OID-28")
@pytest.mark.parametrize(
    ("name", "ends", "trusted", "why"),
    [
        ("localhost", timedelta(days=1), False, bounded.UNKNOWN_AUTHORITY),
        ("other.example", timedelta(days=1), True, bounded.OTHER_HOST),
        ("localhost", -timedelta(days=1), True, bounded.EXPIRED),
    ],
    ids=["unknown authority", "another host", "expired"],
)
def test_a_bad_certificate_is_refused_and_nothing_is_sent(
    provider: Provider, clock: ManualClock, tmp_path: Path, name: str, ends: timedelta, trusted: bool, why: str
) -> None:
    file = certificate(tmp_path, name, ends=ends)
    with serve(provider, offering(file)):
        trusting = ssl.create_default_context(cafile=file) if trusted else None
        there = over_a_socket(provider, clock, trusting=trusting)
        with pytest.raises(Unavailable, match=why):
            there.leave()
        there.portal.close()
    assert provider.seen == []


def test_what_keeps_a_provider_from_answering_is_told(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def why(issuer: str) -> str:
        portal = OidcPortal.open(DOOR, configured(issuer), redirect_uri=REDIRECT_URI, development=False)
        with pytest.raises(Unavailable) as caught:
            portal.depart(clock.now())
        portal.close()
        return str(caught.value)

    plain = Provider("", clock.now(), REDIRECT_URI)
    with serve(plain):
        issuer = plain.issuer.replace("http:", "https:")
        assert bounded.NO_TLS in why(issuer)
    assert bounded.NOBODY in why(issuer)

    def nowhere(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert bounded.NO_ADDRESS in why(issuer)


@pytest.mark.row("OID-28")
def test_the_environment_adds_no_authority(
    provider: Provider, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with serve(provider, offering(file)):
        there = over_a_socket(provider, clock)
        with pytest.raises(Unavailable):
            there.leave()
        there.portal.close()


def test_a_private_authority_is_believed_when_the_settings_name_its_file(
    provider: Provider, clock: ManualClock, tmp_path: Path
) -> None:
    file = certificate(tmp_path, "localhost")
    with serve(provider, offering(file)):
        section = configured(provider.issuer, ca_file=file)
        portal = OidcPortal.open(DOOR, section, redirect_uri=REDIRECT_URI, development=False)
        assert House(provider, portal, clock).login().subject == "person-1"
        portal.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_holds_no_authority_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="ca_file"):
        OidcPortal.open(DOOR, configured(ca_file=file), redirect_uri=REDIRECT_URI, development=False)
