"""What we send: the AuthnRequest by HTTP-Redirect, and our own metadata. pysaml2's classes write both."""

from __future__ import annotations

import base64
import secrets
import zlib
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from saml2 import md, saml, samlp, xmldsig

from imagin_gateway.providers.saml.configuration import Configuration
from imagin_gateway.providers.saml.vocabulary import POST, RSA_SHA256, SAMLP

_ID_BYTES: Final = 20


def new_id() -> str:
    """Return an ID nobody can guess: 160 bits (Core §1.3.4 wants 128), after the letter or `_` that XML wants."""
    return "_" + secrets.token_hex(_ID_BYTES)


def authn_request(config: Configuration, identifier: str, now: datetime) -> bytes:
    """Write an AuthnRequest (Core §3.4.1).

    The address of the answer is written in full, as in our metadata, and no index
    goes with it; no form of NameID is asked for (row SAM-24).
    """
    request = samlp.AuthnRequest(
        id=identifier,
        version="2.0",
        issue_instant=_instant(now),
        destination=config.partner.sso_url,
        protocol_binding=POST,
        assertion_consumer_service_url=config.acs_url,
        issuer=saml.Issuer(text=config.entity_id),
        name_id_policy=samlp.NameIDPolicy(allow_create="true"),
    )
    return bytes(request.to_string())


def redirect_url(location: str, message: bytes, key: RSAPrivateKey | None) -> str:
    """Return the address that carries a request (Bindings §3.4.4.1).

    Args:
        location: of the portal; may have a query of its own.
        message: the request.
        key: signs the query, with RSA-SHA256; None sends it unsigned.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(message) + compressor.flush()
    query = "SAMLRequest=" + _encoded(deflated)
    if key is not None:
        # The signature covers these very characters, in this order.
        query += "&SigAlg=" + quote(RSA_SHA256, safe="")
        query += "&Signature=" + _encoded(key.sign(query.encode("ascii"), padding.PKCS1v15(), SHA256()))
    return f"{location}{'&' if '?' in location else '?'}{query}"


def metadata(config: Configuration) -> bytes:
    """Write our metadata for this portal (Metadata §2.4.4): who we are, our key, where answers go."""
    certificate = base64.b64encode(config.certificate.public_bytes(Encoding.DER)).decode("ascii")
    role = md.SPSSODescriptor(
        protocol_support_enumeration=SAMLP,
        authn_requests_signed=_boolean(config.section.sign_requests),
        want_assertions_signed=_boolean(config.section.require_signed != "response"),
        key_descriptor=[
            md.KeyDescriptor(
                use="signing",
                key_info=xmldsig.KeyInfo(
                    x509_data=[xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=certificate))]
                ),
            )
        ],
        assertion_consumer_service=[
            md.AssertionConsumerService(binding=POST, location=config.acs_url, index="0", is_default="true")
        ],
    )
    return bytes(md.EntityDescriptor(entity_id=config.entity_id, spsso_descriptor=role).to_string())


def _encoded(raw: bytes) -> str:
    return quote(base64.b64encode(raw), safe="")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
