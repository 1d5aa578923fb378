"""Keys and certificates as the inventory lists them: what each is for, how strong, since when and until when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from imagin_gateway.keys import key_version
from imagin_gateway.providers.saml import documents, partner
from imagin_gateway.providers.saml.vocabulary import md
from imagin_gateway.settings import OidcPortal, SamlPortal, Settings, key_files

Row = tuple[str, str, str, str, str, str]

_USES: Final = {
    "signing": ("cookies, formulaires, liens", "HMAC-SHA-256"),
    "provisional": ("mots de passe provisoires", "HMAC-SHA-256"),
    "pepper": ("poivre des mots de passe choisis", "HMAC-SHA-256"),
    "factors": ("seconds facteurs", "AES-256-GCM, HMAC-SHA-256"),
    "events": ("pseudonymes des événements", "HMAC-SHA-256"),
}

_UNREADABLE: Final = ("illisible", "–", "–", "–", "à corriger : imagin-gateway check")


def rows(settings: Settings, now: datetime) -> Iterator[Row]:
    """Return one row a key. What cannot be read is listed all the same."""
    for purpose, (use, algorithm) in _USES.items():
        yield from _of_the_house(settings, purpose, f"{use} (keys.{purpose})", algorithm)
    for door, portal in sorted(settings.portals.items()):
        if isinstance(portal, SamlPortal):
            pairs = zip(
                (portal.private_key, *portal.other_private_keys),
                (portal.certificate, *portal.other_certificates),
                strict=False,
            )
            for number, (private, certificate) in enumerate(pairs):
                yield from _ours(f"{door} : notre clé SAML", private, "autre" if number else "en service")
                yield from _certificate(f"{door} : notre certificat SAML", certificate, now)
            yield from _theirs(door, portal, now)
        if isinstance(portal, OidcPortal) and portal.private_key is not None:
            yield from _ours(f"{door} : notre clé OpenID Connect", portal.private_key, "en service")
            for other in portal.other_private_keys:
                yield from _ours(f"{door} : notre clé OpenID Connect", other, "publiée seulement")


def _of_the_house(settings: Settings, purpose: str, use: str, algorithm: str) -> Iterator[Row]:
    keys = getattr(settings.keys, purpose)
    if not keys:
        yield use, "–", "–", "–", "–", "aucune"
        return
    dated: dict[str, datetime] = {}
    if settings.keys.folder is not None:
        held = key_files.read(settings.keys.folder, purpose) if purpose in key_files.PURPOSES else None
        dated = {each.version: each.made_at for each in held or ()}
    for key in keys:
        known = dated.get(name := key_version(key))
        state = "en service" if key is keys[-1] else "vérifie seulement"
        size = f"{len(key.reveal().encode())} octets"
        yield use, name, algorithm, size, f"depuis le {known:%d/%m/%Y}" if known else "–", state


def _ours(use: str, file: Path, state: str) -> Iterator[Row]:
    try:
        public = load_pem_private_key(file.read_bytes(), None).public_key()
    except (OSError, ValueError, TypeError):
        yield (use, *_UNREADABLE)
        return
    algorithm, size = _strength(public)
    yield use, _fingerprint(public), algorithm, size, "–", state


def _certificate(use: str, file: Path, now: datetime) -> Iterator[Row]:
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
        yield (use, found.fingerprint(SHA256()).hex()[:16], *_strength(found.public_key()), *_life(found, now))
    except (OSError, ValueError):
        yield (use, *_UNREADABLE)


def _theirs(door: str, portal: SamlPortal, now: datetime) -> Iterator[Row]:
    """Their keys, as their metadata tells them: the file, or the last copy of what came from an address."""
    use, file = f"{door} : clé du portail", portal.metadata or portal.metadata_copy
    try:
        root = documents.parse(file.read_bytes() if file else b"", documents.METADATA)
        entities = [
            each for each in root.iter(md("EntityDescriptor")) if each.get("entityID") == portal.portal_entity_id
        ]
        found = [
            key
            for entity in entities
            for role in entity.findall(md("IDPSSODescriptor"))
            for descriptor in role.findall(md("KeyDescriptor"))
            for key in partner.keys_of(descriptor)
        ]
    except Exception:
        # What is wrong with it is said by `check`; the inventory lists that nothing is known.
        found = []
    if not found:
        yield (use, *_UNREADABLE)
    for certificate, public in found:
        life = ("–", "en service") if certificate is None else _life(certificate, now)
        yield (use, _fingerprint(public), *_strength(public), *life)


def _life(certificate: x509.Certificate, now: datetime) -> tuple[str, str]:
    ends = certificate.not_valid_after_utc
    return f"jusqu’au {ends:%d/%m/%Y}", "expiré" if ends <= now else "en service"


def _strength(public: Any) -> tuple[str, str]:
    if isinstance(public, RSAPublicKey):
        return "RSA", f"{public.key_size} bits"
    if isinstance(public, EllipticCurvePublicKey):
        return "ECDSA", f"{public.curve.name}, {public.key_size} bits"
    return type(public).__name__.removesuffix("PublicKey").lstrip("_"), "–"


def _fingerprint(public: Any) -> str:
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:16]
