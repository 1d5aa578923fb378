"""Logout messages of a portal, genuine and spoilt, as a browser brings them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.saml_messages import SAML, SAMLP, SUCCESS, KeyPair, instant, new_id, sign
from imagin_gateway.exchange import Request
from imagin_gateway.providers.saml.name_id import NameId
from tests.providers.saml.forge import LOGOUT, NOW, PORTAL, SSO, Edit, keys, saml, samlp

SLO: Final = "https://idp.ac-creteil.example/saml/slo"
SLO_ANSWER: Final = "https://idp.ac-creteil.example/saml/slo/return"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
NAME: Final = NameId("_transient-1", format=TRANSIENT, sp_name_qualifier="https://imagin.example")
RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1: Final = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SOAP: Final = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"


def metadata(*services: tuple[str, str, str | None], key: str = "portal") -> bytes:
    """Return the metadata of a portal that offers these logouts: binding, address, address of answers."""
    root = etree.fromstring(saml_messages.metadata(PORTAL, SSO, [keys(key)]))
    role = root[0]
    place = next(each for each in role if etree.QName(each).localname == "NameIDFormat")
    for binding, location, answers in services or ((SOAP, SLO + "/soap", None), (REDIRECT, SLO, SLO_ANSWER)):
        service = etree.Element("{urn:oasis:names:tc:SAML:2.0:metadata}SingleLogoutService")
        service.set("Binding", binding)
        service.set("Location", location)
        if answers is not None:
            service.set("ResponseLocation", answers)
        place.addprevious(service)
    return etree.tostring(root)


def request(
    edit: Edit | None = None,
    *,
    name: NameId = NAME,
    sessions: tuple[str, ...] = ("_s-1",),
    at: datetime = NOW,
    **more: str,
) -> etree._Element:
    """Return an unsigned LogoutRequest."""
    root = _message("LogoutRequest", at, more)
    root.set("NotOnOrAfter", instant(at + timedelta(minutes=5)))
    told = etree.SubElement(root, saml("NameID"))
    told.text = name.value
    for attribute, value in (
        ("Format", name.format),
        ("NameQualifier", name.name_qualifier),
        ("SPNameQualifier", name.sp_name_qualifier),
        ("SPProvidedID", name.sp_provided_id),
    ):
        if value:
            told.set(attribute, value)
    for each in sessions:
        etree.SubElement(root, samlp("SessionIndex")).text = each
    if edit is not None:
        edit(root)
    return root


def response(
    to: str, edit: Edit | None = None, *, status: str = SUCCESS, at: datetime = NOW, **more: str
) -> etree._Element:
    """Return an unsigned LogoutResponse."""
    root = _message("LogoutResponse", at, more)
    root.set("InResponseTo", to)
    code = etree.SubElement(etree.SubElement(root, samlp("Status")), samlp("StatusCode"))
    code.set("Value", status)
    if edit is not None:
        edit(root)
    return root


def _message(name: str, at: datetime, more: dict[str, str]) -> etree._Element:
    root = etree.Element(samlp(name), nsmap={"samlp": SAMLP, "saml": SAML})
    for attribute, value in {
        "ID": new_id(),
        "Version": "2.0",
        "IssueInstant": instant(at),
        "Destination": LOGOUT,
        **more,
    }.items():
        if value:
            root.set(attribute, value)
    etree.SubElement(root, saml("Issuer")).text = PORTAL
    return root


def field(root: etree._Element) -> str:
    """Return the field that carries this message."""
    return "SAMLResponse" if etree.QName(root).localname.endswith("Response") else "SAMLRequest"


def deflated(content: bytes) -> str:
    opener = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(opener.compress(content) + opener.flush()).decode()


def by_redirect(
    root: etree._Element | bytes,
    *,
    key: KeyPair | None = None,
    relay: str | None = None,
    method: str = RSA_SHA256,
    name: str = "",
    signed: bool = True,
    change: Callable[[str], str] | None = None,
    message: str | None = None,
) -> Request:
    """Return the request of a browser that brings a message in its address; `change` spoils the query after that."""
    content = root if isinstance(root, bytes) else etree.tostring(root)
    name = name or ("SAMLRequest" if isinstance(root, bytes) else field(root))
    query = f"{name}={quote(message if message is not None else deflated(content), safe='')}"
    if relay is not None:
        query += "&RelayState=" + quote(relay, safe="")
    if signed:
        query += "&SigAlg=" + quote(method, safe="")
        private: Any = load_pem_private_key((key or keys("portal")).private_pem, None)
        digest = SHA1() if method == RSA_SHA1 else SHA256()  # noqa: S303  # an attack
        made = private.sign(query.encode(), padding.PKCS1v15(), digest)
        query += "&Signature=" + quote(base64.b64encode(made).decode(), safe="")
    return Request("GET", "/portail/arena-creteil/fin", (change(query) if change else query).encode())


def by_post(
    root: etree._Element, *, key: KeyPair | None = None, relay: str | None = None, signed: bool = True, **how: Any
) -> Request:
    """Return the request of a browser that posts a message."""
    if signed:
        sign(root, key or keys("portal"), prefixes="", **how)
    fields = {field(root): base64.b64encode(etree.tostring(root)).decode()}
    if relay is not None:
        fields["RelayState"] = relay
    return posted(fields)


def posted(fields: dict[str, str]) -> Request:
    return Request(
        "POST",
        "/portail/arena-creteil/fin",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(fields).encode(),
    )


def carried(url: str) -> tuple[etree._Element, dict[str, str]]:
    """Return the message in an address of ours, and every field, after its signature was verified by our public key."""
    query = urlsplit(url).query
    fields = dict(parse_qsl(query))
    name = "SAMLResponse" if "SAMLResponse" in fields else "SAMLRequest"
    covered, _, made = query.partition("&Signature=")
    public: Any = keys("ours").certificate.public_key()
    public.verify(base64.b64decode(unquote(made)), covered.encode(), padding.PKCS1v15(), SHA256())
    assert fields["SigAlg"] == RSA_SHA256
    return etree.fromstring(zlib.decompress(base64.b64decode(fields[name]), wbits=-15)), fields
