"""What a SAML identity provider writes and signs: keys, metadata, answers. python-xmlsec signs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XS: Final = "http://www.w3.org/2001/XMLSchema"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
BASIC: Final = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"


@dataclass(frozen=True)
class KeyPair:
    """A private key and the certificate that carries its public half, both in PEM."""

    private_pem: bytes = field(repr=False)
    certificate_pem: bytes

    @classmethod
    def new(cls, name: str, *, bits: int = 2048, begins: datetime | None = None, days: int = 365) -> KeyPair:
        """Make an RSA key and a self-signed certificate."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        begins = begins or datetime.now(UTC) - timedelta(days=1)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=days))
            .sign(key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(private, certificate.public_bytes(Encoding.PEM))

    @property
    def certificate(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_pem)

    @property
    def certificate_base64(self) -> str:
        """The certificate as metadata writes it."""
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an answer says. `in_response_to` is None when nobody asked."""

    issuer: str
    audience: str
    acs_url: str
    at: datetime
    authenticated_at: datetime
    attributes: Mapping[str, Sequence[str]]
    in_response_to: str | None = None
    lifetime: timedelta = timedelta(minutes=5)
    session_ends_at: datetime | None = None
    name_id: str = ""
    session: str = ""


def new_id() -> str:
    return "_" + secrets.token_hex(16)


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def response(answer: Answer) -> etree._Element:
    """Write a Response with one Assertion, unsigned."""
    root = etree.Element(
        f"{{{SAMLP}}}Response", nsmap={"samlp": SAMLP, "saml": SAML, "xs": XS, "xsi": XSI}, attrib=_head(answer.at)
    )
    root.set("Destination", answer.acs_url)
    _add(root, SAML, "Issuer", text=answer.issuer)
    status = _add(root, SAMLP, "Status")
    _add(status, SAMLP, "StatusCode", Value=SUCCESS)
    assertion = _add(root, SAML, "Assertion", **_head(answer.at))
    _add(assertion, SAML, "Issuer", text=answer.issuer)
    until = instant(answer.at + answer.lifetime)
    subject = _add(assertion, SAML, "Subject")
    _add(subject, SAML, "NameID", text=answer.name_id or new_id(), Format=TRANSIENT, SPNameQualifier=answer.audience)
    confirmation = _add(subject, SAML, "SubjectConfirmation", Method=BEARER)
    data = _add(confirmation, SAML, "SubjectConfirmationData", NotOnOrAfter=until, Recipient=answer.acs_url)
    if answer.in_response_to is not None:
        root.set("InResponseTo", answer.in_response_to)
        data.set("InResponseTo", answer.in_response_to)
    conditions = _add(assertion, SAML, "Conditions", NotBefore=instant(answer.at), NotOnOrAfter=until)
    _add(_add(conditions, SAML, "AudienceRestriction"), SAML, "Audience", text=answer.audience)
    statement = _add(assertion, SAML, "AuthnStatement", AuthnInstant=instant(answer.authenticated_at))
    statement.set("SessionIndex", answer.session or new_id())
    if answer.session_ends_at is not None:
        statement.set("SessionNotOnOrAfter", instant(answer.session_ends_at))
    _add(_add(statement, SAML, "AuthnContext"), SAML, "AuthnContextClassRef", text=PASSWORD)
    told = _add(assertion, SAML, "AttributeStatement")
    for name, values in answer.attributes.items():
        attribute = _add(told, SAML, "Attribute", Name=name, NameFormat=BASIC)
        for value in values:
            _add(attribute, SAML, "AttributeValue", text=value).set(f"{{{XSI}}}type", "xs:string")
    return root


def _head(at: datetime) -> dict[str, str]:
    return {"ID": new_id(), "Version": "2.0", "IssueInstant": instant(at)}


def _add(parent: etree._Element, namespace: str, name: str, *, text: str | None = None, **more: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", attrib=more)
    element.text = text
    return element


def sign(
    element: etree._Element,
    keys: KeyPair,
    *,
    method: Any = xmlsec.constants.TransformRsaSha256,
    digest: Any = xmlsec.constants.TransformSha256,
    prefixes: str = "xs",
) -> etree._Element:
    """Sign a Response or an Assertion, after its Issuer, in the way SAML wants (Core §5.4). Return the signature."""
    signature = xmlsec.template.create(element, xmlsec.constants.TransformExclC14N, method, ns="ds")
    element.insert(1, signature)
    reference = xmlsec.template.add_reference(signature, digest, uri="#" + element.get("ID", ""))
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    exclusive = xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    if prefixes:
        xmlsec.template.transform_add_c14n_inclusive_namespaces(exclusive, prefixes)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(keys.private_pem, xmlsec.constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(keys.certificate_pem, xmlsec.constants.KeyDataFormatCertPem)
    context.register_id(element, "ID")
    context.sign(signature)
    return signature


def signed_response(answer: Answer, keys: KeyPair) -> bytes:
    """Write an answer, its Assertion signed and then the whole Response."""
    root = response(answer)
    sign(root.find(f"{{{SAML}}}Assertion"), keys)  # type: ignore[arg-type]  # it was just written
    sign(root, keys)
    return etree.tostring(root)


def metadata(entity_id: str, sso_url: str, keys: Sequence[KeyPair], *, wants_signed: bool = True) -> bytes:
    """Write the metadata of an identity provider."""
    root = etree.Element(f"{{{MD}}}EntityDescriptor", nsmap={"md": MD, "ds": DS}, attrib={"entityID": entity_id})
    role = _add(root, MD, "IDPSSODescriptor", protocolSupportEnumeration=SAMLP)
    role.set("WantAuthnRequestsSigned", "true" if wants_signed else "false")
    for pair in keys:
        descriptor = _add(role, MD, "KeyDescriptor", use="signing")
        data = _add(_add(descriptor, DS, "KeyInfo"), DS, "X509Data")
        _add(data, DS, "X509Certificate", text=pair.certificate_base64)
    _add(role, MD, "NameIDFormat", text=TRANSIENT)
    redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    _add(role, MD, "SingleSignOnService", Binding=redirect, Location=sso_url)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
