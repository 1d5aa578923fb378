"""Our own metadata for one portal (Metadata §2.4.4), with what a federation asks for (row SAM-30)."""

from __future__ import annotations

import base64
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from saml2 import ExtensionElement, element_to_extension_element, md, xmldsig
from saml2.extension import mdui

from imagin_gateway.providers.saml.configuration import Configuration
from imagin_gateway.providers.saml.vocabulary import (
    CBC_CIPHERS,
    GCM_CIPHERS,
    OAEP_MGF1P,
    OAEP_XENC11,
    POST,
    REDIRECT,
    SAMLP,
)

LANGUAGE: Final = "fr"


def write(config: Configuration) -> bytes:
    """Write it: who we are, our keys, where answers and logouts come, and what to tell people of us."""
    section, addresses = config.section, config.addresses
    logout = [
        md.SingleLogoutService(binding=binding, location=addresses.logout)
        for binding in (REDIRECT, POST)
        if section.single_logout
    ]
    role = md.SPSSODescriptor(
        protocol_support_enumeration=SAMLP,
        authn_requests_signed=_boolean(section.sign_requests),
        want_assertions_signed=_boolean(section.require_signed != "response"),
        extensions=md.Extensions(extension_elements=[_ui(config)]),
        key_descriptor=[
            *(_key("signing", certificate) for certificate in config.certificates),
            # One only: the portal encrypts for the key in use, the others are still tried.
            _key("encryption", config.certificates[0], _ciphers(section.allow_cbc)),
        ],
        single_logout_service=logout,
        assertion_consumer_service=[
            md.AssertionConsumerService(binding=POST, location=addresses.acs, index="0", is_default="true")
        ],
    )
    contact = md.ContactPerson(
        contact_type="technical",
        company=md.Company(text=config.about.controller),
        email_address=[md.EmailAddress(text=f"mailto:{config.about.contact}")],
    )
    entity = md.EntityDescriptor(entity_id=config.entity_id, spsso_descriptor=role, contact_person=[contact])
    return bytes(entity.to_string())


def _key(use: str, certificate: x509.Certificate, methods: tuple[str, ...] = ()) -> md.KeyDescriptor:
    der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
    return md.KeyDescriptor(
        use=use,
        key_info=xmldsig.KeyInfo(x509_data=[xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=der))]),
        encryption_method=[md.EncryptionMethod(algorithm=method) for method in methods],
    )


def _ciphers(cbc: bool) -> tuple[str, ...]:
    return (*GCM_CIPHERS, *(CBC_CIPHERS if cbc else ()), OAEP_XENC11, OAEP_MGF1P)


def _ui(config: Configuration) -> ExtensionElement:
    about, section = config.about, config.section
    info = mdui.UIInfo(
        display_name=[mdui.DisplayName(lang=LANGUAGE, text=section.display_name)],
        logo=[mdui.Logo(height=str(section.logo_height), width=str(section.logo_width), text=about.logo_url)],
        privacy_statement_url=[mdui.PrivacyStatementURL(lang=LANGUAGE, text=about.privacy_url)],
    )
    return element_to_extension_element(info)


def _boolean(value: bool) -> str:
    return "true" if value else "false"
