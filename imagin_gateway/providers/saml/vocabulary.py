"""Names of the standards, written once."""

from __future__ import annotations

import functools
from typing import Final

SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
MD: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XML: Final = "http://www.w3.org/XML/1998/namespace"

REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
DEFLATE: Final = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"

STATUS: Final = "urn:oasis:names:tc:SAML:2.0:status:"
SUCCESS: Final = STATUS + "Success"
RESPONDER: Final = STATUS + "Responder"
STATUSES: Final = frozenset(
    STATUS + name
    for name in (
        *("Success", "Requester", "Responder", "VersionMismatch", "AuthnFailed", "InvalidAttrNameOrValue"),
        *("InvalidNameIDPolicy", "NoAuthnContext", "NoAvailableIDP", "NoPassive", "NoSupportedIDP"),
        *("PartialLogout", "ProxyCountExceeded", "RequestDenied", "RequestUnsupported"),
        *("RequestVersionDeprecated", "RequestVersionTooHigh", "RequestVersionTooLow"),
        *("ResourceNotRecognized", "TooManyResponses", "UnknownAttrProfile", "UnknownPrincipal"),
        "UnsupportedBinding",
    )
)
"""Core §3.2.2.2: the only status codes that are ever repeated in a log."""

ATTRIBUTE_NAME_FORMATS: Final = frozenset(
    "urn:oasis:names:tc:SAML:2.0:attrname-format:" + name for name in ("basic", "uri", "unspecified")
)

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_METHODS: Final = {_MORE + "rsa-" + name: name for name in ("sha256", "sha384", "sha512")}
ECDSA_METHODS: Final = {_MORE + "ecdsa-" + name: name for name in ("sha256", "sha384", "sha512")}
"""What may sign, and the digest it uses."""
DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
ENVELOPED: Final = DS + "enveloped-signature"

GCM_CIPHERS: Final = {XENC11 + "aes128-gcm": 16, XENC11 + "aes192-gcm": 24, XENC11 + "aes256-gcm": 32}
CBC_CIPHERS: Final = {XENC + "aes128-cbc": 16, XENC + "aes192-cbc": 24, XENC + "aes256-cbc": 32}
"""Key lengths in bytes. What CBC hides can be changed by others unless it is signed around."""
OAEP_MGF1P: Final = XENC + "rsa-oaep-mgf1p"
OAEP_XENC11: Final = XENC11 + "rsa-oaep"
MGF: Final = XENC11


@functools.cache
def samlp(name: str) -> str:
    """Return the qualified name of an element of the protocol."""
    return f"{{{SAMLP}}}{name}"


@functools.cache
def saml(name: str) -> str:
    """Return the qualified name of an element of an assertion."""
    return f"{{{SAML}}}{name}"


@functools.cache
def md(name: str) -> str:
    """Return the qualified name of an element of metadata."""
    return f"{{{MD}}}{name}"


@functools.cache
def ds(name: str) -> str:
    """Return the qualified name of an element of a signature."""
    return f"{{{DS}}}{name}"


@functools.cache
def xenc(name: str) -> str:
    """Return the qualified name of an element of encryption."""
    return f"{{{XENC}}}{name}"


@functools.cache
def xenc11(name: str) -> str:
    """Return the qualified name of an element of encryption, version 1.1."""
    return f"{{{XENC11}}}{name}"
