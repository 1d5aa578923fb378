"""Our key pairs for portals: a new one beside the one in use, and the lines to write, step by step.

The settings file is the operator's: it is never rewritten here. A rollover takes what the
portal takes: our metadata shows both keys, answers encrypted for either are opened, then the
new one signs, then the old one goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from imagin_gateway.operating import key_store
from imagin_gateway.operating.key_store import KeysRefused
from imagin_gateway.settings import OidcPortal, SamlPortal
from imagin_gateway.settings.proconnect import PROCONNECT

RSA_BITS: Final = 3072

LIFE: Final = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rollover: what to do, and the lines to write in the settings."""

    text: str
    lines: tuple[str, ...] = ()


def make(door: str, section: SamlPortal | OidcPortal, folder: Path, now: datetime) -> tuple[Path, Path]:
    """Make a key and its certificate beside those in use, or those that are named and not there; return their paths.

    Args:
        door: its id, for the names of the files.
        section: of the portal.
        folder: of the settings, where keys go when none is in use.
        now: the present moment.

    The certificate is written last: a key without one was interrupted, is in no use, and may be deleted.

    Raises:
        KeysRefused: of the pair that is named, one is there without the other.
    """
    private, public = _names(door, section, folder, now)
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"imagin {door}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .sign(key, SHA256())
    )
    key_store.write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key_store.write(public, certificate.public_bytes(Encoding.PEM), 0o644)
    return private, public


def new_names(door: str, folder: Path, now: datetime) -> tuple[Path, Path]:
    """Return the names of a new pair in a folder."""
    stem = f"{door}-{now:%Y%m%d-%H%M%S}"
    return folder / f"{stem}.key", folder / f"{stem}.crt"


def _names(door: str, section: SamlPortal | OidcPortal, folder: Path, now: datetime) -> tuple[Path, Path]:
    private = section.private_key
    if private is None:
        return new_names(door, folder, now)
    public = section.certificate if isinstance(section, SamlPortal) else private.with_suffix(".crt")
    if not private.exists() and not public.exists():
        return private, public
    if isinstance(section, SamlPortal) and not (private.exists() and public.exists()):
        there, absent = (private, public) if private.exists() else (public, private)
        raise KeysRefused(f"{there} est là, sans {absent} : l’effacer, s’il n’a pas servi, puis recommencer")
    return new_names(door, private.parent, now)


def steps(door: str, section: SamlPortal | OidcPortal, private: Path, public: Path) -> list[Step]:
    """Return what is left to do once the pair is made."""
    head = f"[{door}]" if door == PROCONNECT else f"[portals.{door}]"
    if private == section.private_key and isinstance(section, SamlPortal):
        return [
            Step(
                "Écrire, si ce n’est fait, puis redémarrer :",
                (head, f'private_key = "{private}"', f'certificate = "{public}"'),
            ),
            Step(f"Donner nos métadonnées au portail : imagin-gateway saml metadata {door}"),
        ]
    if isinstance(section, OidcPortal):
        return _openid_steps(door, section, private, head)
    old, old_public = section.private_key, section.certificate
    both = (head, f'other_private_keys = ["{private}"]', f'other_certificates = ["{public}"]')
    turned = (
        head,
        f'private_key = "{private}"',
        f'certificate = "{public}"',
        f'other_private_keys = ["{old}"]',
        f'other_certificates = ["{old_public}"]',
    )
    return [
        Step("Publier les deux clés. Écrire, puis redémarrer :", both),
        Step(f"Donner nos métadonnées au portail : imagin-gateway saml metadata {door}"),
        Step("Quand il les a prises, se servir de la nouvelle. Écrire, puis redémarrer :", turned),
        Step(f"Redonner nos métadonnées au portail : imagin-gateway saml metadata {door}"),
        Step("Quand il les a prises, enlever other_private_keys et other_certificates, et redémarrer."),
    ]


def _openid_steps(door: str, section: OidcPortal, private: Path, head: str) -> list[Step]:
    ours = f"…/portail/{door}/metadata"
    new = f'private_key = "{private}"'
    if section.private_key in (None, private):
        by_key = 'client_authentication = "private_key_jwt"'
        return [
            Step("Écrire, puis redémarrer quand le portail est prêt à prendre notre clé :", (head, by_key, new)),
            Step(f"Donner au portail notre jeu de clés : {ours}"),
        ]
    return [
        Step("Publier les deux clés. Écrire, puis redémarrer :", (head, f'other_private_keys = ["{private}"]')),
        Step(f"Attendre que le portail ait relu notre jeu de clés, ou le lui redonner : {ours}"),
        Step(
            "Se servir de la nouvelle. Écrire, puis redémarrer :",
            (head, new, f'other_private_keys = ["{section.private_key}"]'),
        ),
        Step("Tous les processus redémarrés, enlever other_private_keys, et redémarrer."),
    ]
