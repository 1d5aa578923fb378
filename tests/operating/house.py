"""A house that an operator is about to open, good in every part, and each part ready to be broken for real."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from examples.demo.portals import saml_messages
from imagin_gateway.operating.check import check
from imagin_gateway.operating.findings import Finding, Report
from tests import accounts_file
from tests.providers.saml.forge import PORTAL, SSO, keys


def toml(values: dict[str, Any], section: str = "") -> str:
    """Return values as TOML: enough for settings."""
    lines = [f"{name} = {_value(value)}" for name, value in values.items() if not isinstance(value, dict)]
    text = (f"[{section}]\n" if section and lines else "") + "\n".join(lines) + "\n"
    for name, value in values.items():
        if isinstance(value, dict):
            text += toml(value, f"{section}.{name}" if section else name)
    return text


def _value(value: Any) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


USUAL_MOUNTS = Path(__file__).with_name("mounts")
"""The machine of the tests may keep temporary files in memory, as containers keep secrets."""


@dataclass
class House:
    """The folder of a house and what its settings file says."""

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, folder: Path) -> House:
        """Return a house without anything wrong in it but what needs the network."""
        accounts_file.put(folder / "accounts.db")
        values: dict[str, Any] = {
            "base_url": "https://imagin.exemple.test",
            "privacy_url": "/donnees",
            "legal_url": "/mentions",
            "accessibility_url": "/accessibilite",
            "trusted_proxies": 1,
            "keys": {name: [secrets.token_urlsafe(48)] for name in ("signing", "provisional", "factors")},
            "second_factor": {"mode": "optional"},
            "state": {"url": f"sqlite:///{folder}/state.db"},
            "accounts": {"url": f"sqlite:///{folder}/accounts.db"},
            "mail": {"host": "localhost", "port": 1, "sender": "imagin@exemple.test"},
            "events": {"path": str(folder / "events.jsonl")},
            "portals": {},
        }
        return cls(folder, values, {"offline": True})

    def add_saml(self, *, ours: str = "ours", theirs: bytes | None = None, bits: int = 3072, **more: Any) -> None:
        """Put a SAML portal behind the door of Créteil."""
        self.write("saml.key", keys(ours, bits).private_pem, 0o600)
        self.write("saml.crt", keys(ours, bits).certificate_pem)
        published = theirs or saml_messages.metadata(PORTAL, SSO, [keys("strong", 3072)])
        self.values["portals"]["arena-creteil"] = {
            "protocol": "saml",
            "portal_entity_id": PORTAL,
            "private_key": "saml.key",
            "certificate": "saml.crt",
            "metadata": str(self.write("creteil.xml", published)),
            **more,
        }

    def write(self, name: str, content: bytes | str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    @property
    def file(self) -> Path:
        return self.folder / "gateway.toml"

    def save(self) -> Path:
        return self.write("gateway.toml", toml(self.values), 0o600)

    def checked(self, now: datetime | None = None, **more: Any) -> Report:
        """Write the settings, unless they were written by hand, and check the house."""
        if not self.options.get("written"):
            self.save()
        options = {name: value for name, value in self.options.items() if name != "written"} | more
        return check(self.file, now or datetime.now(UTC), **{"timeout": 2.0, "mounts": USUAL_MOUNTS, **options})


def named(report: Report, name: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.id == name]


def write_certificate(folder: Path, *, begins: int = -1, ends: int = 90, host: str = "localhost") -> Path:
    """Write a key and a self-signed certificate, in one file; `begins` and `ends` in days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}-{ends}.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return path
