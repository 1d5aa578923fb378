"""What the portal's own metadata says: where people are sent, and which keys may speak for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Problem
from imagin_gateway.providers.saml import documents
from imagin_gateway.providers.saml.reading import instant
from imagin_gateway.providers.saml.signature import UnusableKey, VerificationKey
from imagin_gateway.providers.saml.vocabulary import POST, REDIRECT, SAMLP, ds, md

_CERTIFICATE: Final = f"{ds('KeyInfo')}/{ds('X509Data')}/{ds('X509Certificate')}"
_RSA_KEY: Final = f"{ds('KeyInfo')}/{ds('KeyValue')}/{ds('RSAKeyValue')}"


@dataclass(frozen=True, slots=True)
class Logout:
    """The SingleLogoutService of a portal (Metadata §2.4.2).

    Attributes:
        url: where a LogoutRequest goes, by HTTP-Redirect; "" when that is not offered.
        answer_url: where a LogoutResponse goes.
        answer_by_post: it goes there by HTTP-POST: the portal offers nothing else.
    """

    url: str
    answer_url: str
    answer_by_post: bool


@dataclass(frozen=True, slots=True)
class Partner:
    """One identity provider, as its metadata tells it.

    Attributes:
        entity_id: its name; equal to the configured one.
        sso_url: where an AuthnRequest goes, by HTTP-Redirect.
        keys: of its IDPSSODescriptor, for signing; all of them are tried.
        wants_signed_requests: `WantAuthnRequestsSigned`.
        logout: where logout messages go; None when it offers no logout by HTTP-Redirect or HTTP-POST.
        error_url: page of the portal for those it sends here without what is needed; "" unless https.
        valid_until: after that its metadata says nothing any more (Metadata §2.3.2).
    """

    entity_id: str
    sso_url: str
    keys: tuple[VerificationKey, ...]
    wants_signed_requests: bool
    logout: Logout | None
    error_url: str
    valid_until: datetime | None


class MetadataRefused(Exception):
    """The metadata cannot be used; `problems` says why, without their key."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("the metadata is refused")
        self.problems = problems

    def at(self, key: str) -> list[Problem]:
        """Return the problems under the key of the settings they concern."""
        return [Problem(key, message, remedy) for message, remedy in self.problems]


def read(raw: bytes, entity_id: str, *, development: bool) -> Partner:
    """Read one identity provider out of a metadata document, alone in it or in a federation's aggregate.

    Args:
        raw: the document.
        entity_id: which entity.
        development: allow addresses in plain http.

    Raises:
        MetadataRefused: listing everything wrong.
    """
    try:
        root = documents.parse(raw, documents.METADATA)
    except AnswerRefused:
        raise MetadataRefused(
            ("ce n’est pas un document XML acceptable", "les métadonnées SAML du portail, telles qu’il les publie")
        ) from None
    return of(root, entity_id, development=development)


def of(root: etree._Element, entity_id: str, *, development: bool) -> Partner:
    """Read one identity provider out of a metadata tree; the rest of it is left where it is.

    Raises:
        MetadataRefused: listing everything wrong.
    """
    problems: list[tuple[str, str]] = []
    entity = _entity(root, entity_id)
    role = _role(entity)
    sso_url = _endpoint(role, development, problems)
    keys = _keys(role, problems)
    logout = _logout(role, development, problems)
    ends = None
    try:
        ends = valid_until([role, entity, *entity.iterancestors()])
    except MetadataRefused as refused:
        problems += refused.problems
    if problems:
        raise MetadataRefused(*problems)
    return Partner(
        entity_id=entity_id,
        sso_url=sso_url,
        keys=keys,
        wants_signed_requests=role.get("WantAuthnRequestsSigned", "").strip() in ("true", "1"),
        logout=logout,
        error_url=_error_url(role),
        valid_until=ends,
    )


def _entity(root: etree._Element, entity_id: str) -> etree._Element:
    found = [each for each in root.iter(md("EntityDescriptor")) if each.get("entityID") == entity_id]
    if not found:
        raise MetadataRefused(
            (
                "l’entité portal_entity_id n’y figure pas",
                "portal_entity_id = l’attribut entityID du fichier, à la lettre",
            )
        )
    if len(found) > 1:
        raise MetadataRefused(("l’entité portal_entity_id y figure plusieurs fois", "n’en garder qu’une"))
    return found[0]


def _role(entity: etree._Element) -> etree._Element:
    """Only this role speaks for people: a key of another role of the same entity verifies nothing (Metadata §2.4)."""
    roles = entity.findall(md("IDPSSODescriptor"))
    speaking = [role for role in roles if SAMLP in role.get("protocolSupportEnumeration", "").split()]
    if len(speaking) != 1:
        raise MetadataRefused(
            (
                "cette entité n’a pas un rôle IDPSSODescriptor de SAML 2.0, et un seul",
                "les métadonnées de fournisseur d’identité",
            )
        )
    return speaking[0]


def _endpoint(role: etree._Element, development: bool, problems: list[tuple[str, str]]) -> str:
    redirects = [each for each in role.findall(md("SingleSignOnService")) if each.get("Binding") == REDIRECT]
    if not redirects:
        problems.append(
            ("pas de SingleSignOnService par HTTP-Redirect", "demander au portail de publier cette adresse")
        )
        return ""
    location = redirects[0].get("Location", "")
    if not is_address(location, development=development):
        problems.append(("l’adresse SingleSignOnService n’est pas une adresse https complète", '"https://..."'))
    return location


def _logout(role: etree._Element, development: bool, problems: list[tuple[str, str]]) -> Logout | None:
    """Find where logout messages go: HTTP-Redirect before HTTP-POST; other bindings are not spoken here."""
    offered: dict[str, etree._Element] = {}
    for each in role.findall(md("SingleLogoutService")):
        offered.setdefault(each.get("Binding", ""), each)
    for binding in (REDIRECT, POST):
        service = offered.get(binding)
        if service is None:
            continue
        location = service.get("Location", "")
        answer = service.get("ResponseLocation", location)
        if not (is_address(location, development=development) and is_address(answer, development=development)):
            problems.append(("l’adresse SingleLogoutService n’est pas une adresse https complète", '"https://..."'))
            return None
        return Logout(location if binding == REDIRECT else "", answer, binding == POST)
    return None


def _error_url(role: etree._Element) -> str:
    """Metadata §2.4.1: errorURL "may be used to direct a user". Only a link of https is shown to people (SAM-19)."""
    url = role.get("errorURL", "")
    return url if is_address(url, development=False) else ""


def is_address(url: str, *, development: bool) -> bool:
    """Tell whether a browser may be sent there: absolute, https, without user nor fragment (row INP-07)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if development else ("https",)
    plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    return (
        plain
        and parts.scheme in schemes
        and bool(parts.hostname)
        and parts.username is None
        and "#" not in url
        and port != 0
    )


def _keys(role: etree._Element, problems: list[tuple[str, str]]) -> tuple[VerificationKey, ...]:
    """Metadata §2.4.1.1: a KeyDescriptor without `use` serves both uses. One KeyDescriptor, one key."""
    found: dict[bytes, VerificationKey] = {}
    for descriptor in role.findall(md("KeyDescriptor")):
        if descriptor.get("use", "signing") != "signing":
            continue
        try:
            keys = {key.public: key for key in (VerificationKey(public) for _, public in keys_of(descriptor))}
        except (UnusableKey, UnsupportedAlgorithm):
            problems.append(
                (
                    "une clé de signature est trop faible ou d’un type inconnu",
                    "RSA de 2048 bits ou plus, ou ECDSA P-256 ou plus",
                )
            )
            continue
        except ValueError:
            problems.append(("une clé de signature est illisible", "un X509Certificate en base64"))
            continue
        if len(keys) > 1:
            problems.append(
                ("un KeyDescriptor porte plusieurs clés", "un KeyDescriptor par clé, sans chaîne de certificats")
            )
            continue
        found.update(keys)
    if not found and not problems:
        problems.append(
            (
                "pas de clé de signature dans le rôle IDPSSODescriptor",
                'un KeyDescriptor use="signing" avec X509Certificate',
            )
        )
    return tuple(found.values())


def keys_of(descriptor: etree._Element) -> Iterator[tuple[x509.Certificate | None, PublicKeyTypes]]:
    """Yield what a KeyDescriptor carries, in a certificate or bare (XML Signature §4.4.2.2). Raises `ValueError`."""
    for element in descriptor.iterfind(_CERTIFICATE):
        yield (certificate := _certificate(_base64(element))), certificate.public_key()
    for bare in descriptor.iterfind(_RSA_KEY):
        modulus, exponent = (bare.find(ds(part)) for part in ("Modulus", "Exponent"))
        if modulus is None or exponent is None:
            raise ValueError("half a key")
        numbers = (int.from_bytes(_base64(part), "big") for part in (exponent, modulus))
        yield None, RSAPublicNumbers(*numbers).public_key()


def _certificate(octets: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(octets)
    except x509.InvalidVersion:
        raise ValueError("a certificate of a version that does not exist") from None


_whole: Final = etree.XPath("string()", smart_strings=False)
"""The text of an element: a comment is no part of it, and does not end it (XML 1.0 §2.5)."""


def _base64(element: etree._Element) -> bytes:
    return documents.from_base64(str(_whole(element)))


def valid_until(elements: Sequence[etree._Element]) -> datetime | None:
    """Return the earliest end told by elements of metadata. Raises `MetadataRefused` for one that cannot be read."""
    try:
        ends = [end for each in elements if (end := instant(each.get("validUntil"))) is not None]
    except AnswerRefused:
        raise MetadataRefused(
            ("une date validUntil est illisible", "une date UTC, comme 2027-01-31T00:00:00Z")
        ) from None
    return min(ends, default=None)
