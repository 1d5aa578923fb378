"""Everything that can be wrong in a portal's section, told at once, at start-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from imagin_gateway import settings
from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.providers import scopes
from imagin_gateway.providers.attributes import NEVER_KEPT
from imagin_gateway.providers.saml import partner
from imagin_gateway.providers.saml.partner import Partner
from imagin_gateway.providers.saml.signature import MINIMUM_RSA_BITS

MAX_FILE_BYTES: Final = 64 * 1024 * 1024

MAKE_A_KEY: Final = (
    "openssl req -x509 -newkey rsa:3072 -nodes -days 1095 -keyout saml.key -out saml.crt -subj /CN=imagin"
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A section of the settings, read to the end and found good."""

    door: str
    section: settings.SamlPortal
    partner: Partner
    entity_id: str
    acs_url: str
    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate = field(repr=False)


def read(
    door: str, section: settings.SamlPortal, *, acs_url: str, metadata_url: str, development: bool
) -> Configuration:
    """Read what the section points to.

    Raises:
        SettingsError: listing every problem.
    """
    problems: list[Problem] = []
    key = f"portals.{door}"
    for name, url in (("acs_url", acs_url), ("metadata_url", metadata_url)):
        if not partner.is_address(url, development=development):
            problems.append(Problem("base_url", f"l’adresse {name} n’est pas une adresse https", '"https://..."'))
    if section.subject_attribute.lower() in NEVER_KEPT or not section.subject_attribute.strip():
        problems.append(
            Problem(f"{key}.subject_attribute", "cet attribut ne sert jamais d’identifiant", '"ct-remote-user"')
        )
    problems += scopes.problems(key, section)
    found = _partner(f"{key}.metadata", section, problems, development=development)
    private_key = _private_key(f"{key}.private_key", section.private_key, problems)
    certificate = _certificate(f"{key}.certificate", section.certificate, problems)
    if private_key is not None and certificate is not None and certificate.public_key() != private_key.public_key():
        problems.append(
            Problem(
                f"{key}.certificate",
                "ce certificat n’est pas celui de private_key",
                f"les deux ensemble : {MAKE_A_KEY}",
            )
        )
    if found is not None and found.wants_signed_requests and not section.sign_requests:
        problems.append(
            Problem(f"{key}.sign_requests", "ce portail exige des demandes signées", "sign_requests = true")
        )
    if problems or found is None or private_key is None or certificate is None:
        raise SettingsError(problems)
    return Configuration(door, section, found, section.entity_id or metadata_url, acs_url, private_key, certificate)


def _partner(key: str, section: settings.SamlPortal, problems: list[Problem], *, development: bool) -> Partner | None:
    raw = _file(key, section.metadata, problems, "le fichier XML des métadonnées du portail")
    if raw is None:
        return None
    try:
        return partner.read(raw, section.portal_entity_id, development=development)
    except partner.MetadataRefused as refused:
        problems += refused.at(key)
        return None


def _private_key(key: str, path: Path, problems: list[Problem]) -> RSAPrivateKey | None:
    raw = _file(key, path, problems, f"un fichier PEM ; en fabriquer un : {MAKE_A_KEY}")
    if raw is None:
        return None
    remedy = (
        f"une clé RSA de {MINIMUM_RSA_BITS} bits ou plus, en PEM, sans mot de passe ; en fabriquer une : {MAKE_A_KEY}"
    )
    try:
        loaded = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problems.append(Problem(key, "la clé privée est illisible", remedy))
        return None
    if not isinstance(loaded, RSAPrivateKey):
        problems.append(Problem(key, "la clé privée n’est pas une clé RSA", remedy))
        return None
    if loaded.key_size < MINIMUM_RSA_BITS:
        problems.append(Problem(key, f"la clé privée ne compte que {loaded.key_size} bits", remedy))
        return None
    return loaded


def _certificate(key: str, path: Path, problems: list[Problem]) -> x509.Certificate | None:
    raw = _file(key, path, problems, f"un fichier PEM ; en fabriquer un : {MAKE_A_KEY}")
    if raw is None:
        return None
    try:
        return x509.load_pem_x509_certificate(raw)
    except ValueError:
        problems.append(Problem(key, "le certificat est illisible", "un certificat X.509 en PEM"))
        return None


def _file(key: str, path: Path, problems: list[Problem], expected: str) -> bytes | None:
    try:
        if path.stat().st_size <= MAX_FILE_BYTES:
            return path.read_bytes()
        problem = "le fichier est trop gros"
    except FileNotFoundError:
        problem = "le fichier n’existe pas"
    except OSError:
        problem = "le fichier ne peut pas être lu"
    problems.append(Problem(key, problem, expected))
    return None
