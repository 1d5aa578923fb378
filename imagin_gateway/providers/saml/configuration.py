"""Everything that can be wrong in a portal's section, told at once, at start-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from imagin_gateway import settings
from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.providers import scopes
from imagin_gateway.providers.saml import decryption, partner
from imagin_gateway.providers.saml.signature import MINIMUM_RSA_BITS, VerificationKey

MAX_PEM_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ours, constants of one portal.

    Attributes:
        acs: where answers are posted.
        logout: where logout messages come.
        metadata: where our metadata is served.
    """

    acs: str
    logout: str
    metadata: str


@dataclass(frozen=True, slots=True)
class About:
    """What our metadata says of the application, for people (Metadata UI §2.1).

    Attributes:
        privacy_url: https.
        logo_url: https.
        contact: mail address of those who run it.
        controller: organisation.
    """

    privacy_url: str
    logo_url: str
    contact: str
    controller: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """A section of the settings, read to the end and found good.

    Attributes:
        private_keys: the one in use, then the others.
        certificates: likewise.
        metadata_key: what signs the portal's metadata, None for a file that is believed as it is.
        skew: how far two honest clocks may be apart.
    """

    door: str
    section: settings.SamlPortal
    entity_id: str
    addresses: Addresses
    about: About
    development: bool
    private_keys: tuple[RSAPrivateKey, ...] = field(repr=False)
    certificates: tuple[x509.Certificate, ...] = field(repr=False)
    metadata_key: VerificationKey | None = field(repr=False)
    skew: timedelta = field(init=False)

    def __post_init__(self) -> None:
        # Asked several times an answer: made once.
        object.__setattr__(self, "skew", timedelta(seconds=self.section.clock_skew_seconds))

    @property
    def private_key(self) -> RSAPrivateKey:
        """The key that signs."""
        return self.private_keys[0]

    @property
    def decryption_keys(self) -> decryption.Keys:
        """The keys that open what is encrypted for us."""
        return decryption.Keys(self.private_keys, cbc=self.section.allow_cbc)


def read(
    door: str, section: settings.SamlPortal, *, addresses: Addresses, about: About, development: bool
) -> Configuration:
    """Read what the section points to, the portal's metadata apart (`source`).

    Raises:
        SettingsError: listing every problem.
    """
    problems: list[Problem] = []
    key = f"portals.{door}"
    for name, url in (("acs_url", addresses.acs), ("metadata_url", addresses.metadata)):
        if not partner.is_address(url, development=development):
            problems.append(Problem("base_url", f"l’adresse {name} n’est pas une adresse https", '"https://..."'))
    problems += scopes.problems(key, section)
    if section.unsolicited_restarts and not section.unsolicited:
        problems.append(
            Problem(f"{key}.unsolicited_restarts", "ce réglage n’a de sens qu’avec unsolicited", "unsolicited = true")
        )
    problems += _where_metadata_is(key, section, development)
    metadata_key = _metadata_key(f"{key}.metadata_certificate", section.metadata_certificate, problems)
    pairs = _pairs(key, section, problems)
    if problems or pairs is None:
        raise SettingsError(problems)
    return Configuration(
        door=door,
        section=section,
        entity_id=section.entity_id or addresses.metadata,
        addresses=addresses,
        about=about,
        development=development,
        private_keys=tuple(private for private, _ in pairs),
        certificates=tuple(certificate for _, certificate in pairs),
        metadata_key=metadata_key,
    )


def _where_metadata_is(key: str, section: settings.SamlPortal, development: bool) -> list[Problem]:
    if (section.metadata is None) == (not section.metadata_url):
        told = "ni fichier ni adresse" if section.metadata is None else "un fichier et une adresse"
        return [Problem(f"{key}.metadata", f"les métadonnées du portail : {told}", "metadata ou metadata_url")]
    if not section.metadata_url:
        return []
    problems = []
    if not partner.is_address(section.metadata_url, development=development):
        problems.append(Problem(f"{key}.metadata_url", "ce n’est pas une adresse https complète", '"https://..."'))
    if section.metadata_certificate is None:
        problems.append(
            Problem(
                f"{key}.metadata_certificate",
                "des métadonnées venues du réseau doivent être signées",
                "le certificat de la clé qui les signe, en PEM",
            )
        )
    if section.metadata_copy is None:
        problems.append(
            Problem(
                f"{key}.metadata_copy",
                "il faut un fichier pour la dernière bonne copie",
                '"creteil-copie.xml", dans un dossier où la passerelle peut écrire',
            )
        )
    elif not section.metadata_copy.parent.is_dir():
        problems.append(Problem(f"{key}.metadata_copy", "le dossier n’existe pas", "le créer"))
    return problems


def _metadata_key(key: str, path: Path | None, problems: list[Problem]) -> VerificationKey | None:
    if path is None:
        return None
    certificate = _certificate(
        key, path, problems, "le certificat qui signe leurs métadonnées, en PEM : le leur demander"
    )
    if certificate is None:
        return None
    try:
        return VerificationKey(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        problems.append(
            Problem(
                key,
                "cette clé est trop faible ou d’un type inconnu",
                "RSA de 2048 bits ou plus, ou ECDSA P-256 ou plus",
            )
        )
        return None


def _pairs(
    key: str, section: settings.SamlPortal, problems: list[Problem]
) -> Sequence[tuple[RSAPrivateKey, x509.Certificate]] | None:
    """Read our keys, the one in use first. None when any of them is wrong."""
    if len(section.other_private_keys) != len(section.other_certificates):
        problems.append(
            Problem(
                f"{key}.other_certificates",
                "il faut un certificat pour chaque clé de other_private_keys",
                "les deux listes dans le même ordre",
            )
        )
        return None
    wanted = [(f"{key}.private_key", section.private_key, f"{key}.certificate", section.certificate)]
    for position, (private, certificate) in enumerate(
        zip(section.other_private_keys, section.other_certificates, strict=True)
    ):
        wanted.append(
            (f"{key}.other_private_keys.{position}", private, f"{key}.other_certificates.{position}", certificate)
        )
    # Over nothing that is there, whatever is wrong with it; and the command says which names to write.
    make = f"en fabriquer une paire, et la nommer ici : imagin-gateway keys make {key.removeprefix('portals.')}"
    found = []
    for private_at, private_path, certificate_at, certificate_path in wanted:
        private_key = _private_key(private_at, private_path, problems, make)
        certificate_of = _certificate(certificate_at, certificate_path, problems, f"un fichier PEM ; {make}")
        if private_key is None or certificate_of is None:
            continue
        if certificate_of.public_key() != private_key.public_key():
            problems.append(
                Problem(
                    certificate_at,
                    f"ce certificat n’est pas celui de {private_at.removeprefix(key + '.')}",
                    f"nommer ensemble une clé et son certificat ; ou {make}",
                    "saml.own_pair",
                )
            )
            continue
        found.append((private_key, certificate_of))
    return found if len(found) == len(wanted) else None


def _private_key(key: str, path: Path, problems: list[Problem], make: str) -> RSAPrivateKey | None:
    raw = file(key, path, problems, f"un fichier PEM ; {make}")
    if raw is None:
        return None
    remedy = f"une clé RSA de {MINIMUM_RSA_BITS} bits ou plus, en PEM, sans mot de passe ; {make}"
    try:
        loaded = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problems.append(Problem(key, "la clé privée est illisible", remedy, "saml.own_key_unreadable"))
        return None
    if not isinstance(loaded, RSAPrivateKey):
        problems.append(Problem(key, "la clé privée n’est pas une clé RSA", remedy, "saml.own_key_kind"))
        return None
    if loaded.key_size < MINIMUM_RSA_BITS:
        problems.append(
            Problem(key, f"la clé privée ne compte que {loaded.key_size} bits", remedy, "saml.own_key_weak")
        )
        return None
    return loaded


def _certificate(key: str, path: Path, problems: list[Problem], expected: str) -> x509.Certificate | None:
    raw = file(key, path, problems, expected)
    if raw is None:
        return None
    try:
        return x509.load_pem_x509_certificate(raw)
    except (ValueError, x509.InvalidVersion):
        problems.append(Problem(key, "le certificat est illisible", "un certificat X.509 en PEM", "saml.certificate"))
        return None


def file(key: str, path: Path, problems: list[Problem], expected: str, limit: int = MAX_PEM_BYTES) -> bytes | None:
    """Read a file of the settings; None, and a problem told, when it cannot be."""
    try:
        if path.stat().st_size <= limit:
            return path.read_bytes()
        problem = "le fichier est trop gros"
    except FileNotFoundError:
        problem = "le fichier n’existe pas"
    except OSError:
        problem = "le fichier ne peut pas être lu"
    problems.append(Problem(key, problem, expected, "portal.file"))
    return None
