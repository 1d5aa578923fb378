"""What a metadata document says of a portal, and what is wrong with it: for the operator, never for a login."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from imagin_gateway.errors import AnswerRefused
from imagin_gateway.providers.saml import documents, partner, schema, source
from imagin_gateway.providers.saml.partner import MetadataRefused
from imagin_gateway.providers.saml.shape import SIGNATURE
from imagin_gateway.providers.saml.signature import VerificationKey
from imagin_gateway.providers.saml.vocabulary import md

SOON = timedelta(days=30)

_ENDPOINTS = ("SingleSignOnService", "SingleLogoutService", "ArtifactResolutionService")


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    Attributes:
        facts: label and value, in French, in the order to show them.
        warnings: what may be wrong soon, or is odd.
        problems: what keeps the portal from being used, each with what to do.
    """

    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class KeyFact:
    """One key that a portal publishes.

    Attributes:
        use: ``signing``, ``encryption``, or "" for both.
        family: ``RSA``, ``EC`` or another name.
        bits: its size.
        print: beginning of the SHA-256 of the public key.
        ends: of the certificate that carries it; None without one.
    """

    use: str
    family: str
    bits: int
    print: str
    ends: datetime | None


def keys_in(root: etree._Element, entity_id: str) -> list[KeyFact]:
    """Return the readable keys of an identity provider, those that are too weak included."""
    found = []
    for entity in root.iter(md("EntityDescriptor")):
        if entity.get("entityID") != entity_id:
            continue
        for descriptor in entity.iterfind(f"{md('IDPSSODescriptor')}/{md('KeyDescriptor')}"):
            try:
                for certificate, public in partner.keys_of(descriptor):
                    found.append(_fact(descriptor.get("use", ""), certificate, public))
            except (ValueError, UnsupportedAlgorithm):
                continue
    return found


def _fact(use: str, certificate: x509.Certificate | None, public: PublicKeyTypes) -> KeyFact:
    family, bits = type(public).__name__.removesuffix("PublicKey").lstrip("_"), 0
    if isinstance(public, RSAPublicKey):
        family, bits = "RSA", public.key_size
    elif isinstance(public, EllipticCurvePublicKey):
        family, bits = "EC", public.key_size
    ends = None if certificate is None else certificate.not_valid_after_utc
    return KeyFact(use, family, bits, fingerprint(public), ends)


def fingerprint(public: PublicKeyTypes) -> str:
    """Return the beginning of the SHA-256 of a public key, by which two people compare it."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:16]


def examine(
    raw: bytes,
    entity_id: str,
    *,
    key: VerificationKey | None,
    longest: timedelta,
    development: bool,
    now: datetime,
) -> Examination:
    """Look at a metadata document. Never raises because of what stands in it.

    Args:
        raw: the document.
        entity_id: the portal looked for.
        key: who must have signed it, if anybody must.
        longest: for how long signed metadata may claim to be good.
        development: plain http is allowed.
        now: the present moment.
    """
    facts = [("taille", f"{len(raw):,} octets".replace(",", " "))]
    warnings: list[str] = []
    problems: list[tuple[str, str]] = []
    try:
        source.entity(raw, entity_id, key=key, longest=longest, development=development, now=now)
    except MetadataRefused as refused:
        problems += refused.problems
    try:
        root = documents.parse(raw, documents.METADATA)
    except AnswerRefused:
        return Examination(tuple(facts), (), tuple(problems))
    for role in list(root.iter(md("RoleDescriptor"))):
        # Metadata §2.4.1: a place for other protocols (ADFS and Entra ID fill it), whose schemas are not ours to have.
        parent = role.getparent()
        if parent is not None:
            parent.remove(role)
    if where := schema.fault(root):
        warnings.append(f"le document ne suit pas les schémas de SAML 2.0 : {where}")
    entities = list(root.iter(md("EntityDescriptor")))
    facts.append(("document", f"{etree.QName(root).localname}, {len(entities)} entité{'s' * (len(entities) > 1)}"))
    facts.append(("signature", "signé" if root.find(SIGNATURE) is not None else "non signé"))
    facts += [("valable jusqu’au", told) for told in [root.get("validUntil", "")] if told]
    found = [each for each in entities if each.get("entityID") == entity_id]
    if not found:
        known = [each.get("entityID", "") for each in entities[:10]]
        facts.append(("entités présentes", ", ".join(known) + (" …" if len(entities) > 10 else "")))
    for entity in found[:1]:
        facts.append(("entité", entity_id))
        facts += [("entité jusqu’au", told) for told in [entity.get("validUntil", "")] if told]
        for role in entity.findall(md("IDPSSODescriptor")):
            facts += _role(role, now, warnings)
    ends = _end([root, *found[:1]])
    if ends is not None and ends <= now and source.EXPIRED not in problems:
        # A file is read all the same, so that the other doors open; nobody enters by this one.
        problems.append(source.EXPIRED)
    elif ends is not None and now <= ends <= now + timedelta(days=2):
        warnings.append("les métadonnées expirent dans moins de deux jours")
    return Examination(tuple(facts), tuple(warnings), tuple(problems))


def _end(elements: list[etree._Element]) -> datetime | None:
    try:
        return partner.valid_until(elements)
    except MetadataRefused:
        return None


def _role(role: etree._Element, now: datetime, warnings: list[str]) -> Iterator[tuple[str, str]]:
    wants = role.get("WantAuthnRequestsSigned", "").strip() in ("true", "1")
    yield "demandes signées", "exigées" if wants else "non exigées"
    for name in _ENDPOINTS:
        for service in role.findall(md(name)):
            binding = service.get("Binding", "").rpartition(":")[2]
            answers = service.get("ResponseLocation")
            yield name, f"{binding} {service.get('Location', '')}" + (f" (réponses : {answers})" if answers else "")
    if role.get("errorURL"):
        yield "aide (errorURL)", role.get("errorURL", "")
    for descriptor in role.findall(md("KeyDescriptor")):
        use = {"signing": "signature", "encryption": "chiffrement"}.get(descriptor.get("use", ""), "tous usages")
        try:
            for certificate, public in partner.keys_of(descriptor):
                yield f"clé ({use})", _key(public) + _dates(certificate, now, warnings)
        except (ValueError, UnsupportedAlgorithm):
            yield f"clé ({use})", "illisible"


def _key(public: PublicKeyTypes) -> str:
    kind = type(public).__name__.removesuffix("PublicKey").lstrip("_")
    if isinstance(public, RSAPublicKey):
        kind = f"RSA de {public.key_size} bits"
    elif isinstance(public, EllipticCurvePublicKey):
        kind = f"ECDSA {public.curve.name}"
    return f"{kind}, empreinte {fingerprint(public)}"


def _dates(certificate: x509.Certificate | None, now: datetime, warnings: list[str]) -> str:
    """A certificate only carries its key: its dates refuse nothing, and are worth a word (IIP-MD11)."""
    if certificate is None:
        return ", sans certificat"
    ends = certificate.not_valid_after_utc
    if ends <= now:
        warnings.append(f"un certificat a expiré le {ends:%d/%m/%Y} ; sa clé sert encore")
    elif ends <= now + SOON:
        warnings.append(f"un certificat expire le {ends:%d/%m/%Y} : le portail va sans doute changer de clé")
    return f", certificat du {certificate.not_valid_before_utc:%d/%m/%Y} au {ends:%d/%m/%Y}"
