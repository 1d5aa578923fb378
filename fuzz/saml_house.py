"""A portal opened towards the keys of `portal_keys`, for the targets that speak SAML."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import xmlsec
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.saml_messages import KeyPair
from fuzz.portal_keys import pair, private_key
from imagin_gateway import settings
from imagin_gateway.errors import Code, FlowLost
from imagin_gateway.providers.portal import Memory
from imagin_gateway.providers.saml.configuration import About, Addresses
from imagin_gateway.providers.saml.portal import SamlPortalClient

DOOR: Final = "arena-creteil"
PORTAL: Final = "https://idp.ac-creteil.example/saml/metadata"
SSO: Final = "https://idp.ac-creteil.example/saml/sso"
SLO: Final = "https://idp.ac-creteil.example/saml/slo"
BASE: Final = "https://imagin.example/connexion/portail/arena-creteil"
ACS: Final = BASE + "/acs"
LOGOUT: Final = BASE + "/fin"
METADATA: Final = BASE + "/metadata"
NOW: Final = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
REQUEST: Final = "_0123456789abcdef0123456789abcdef"
SKEW_SECONDS: Final = 180

PORTAL_KEY: Final = private_key("portal").public_key()


@functools.cache
def ours() -> KeyPair:
    """Return our own pair, made once a process: what is encrypted is encrypted as it is tried."""
    return KeyPair.new("ours")


def metadata() -> bytes:
    """Return the metadata of the portal, with both ways to log out."""
    root = etree.fromstring(saml_messages.metadata(PORTAL, SSO, [pair("portal")]))
    place = next(each for each in root[0] if etree.QName(each).localname == "NameIDFormat")
    service = etree.Element("{urn:oasis:names:tc:SAML:2.0:metadata}SingleLogoutService")
    service.set("Binding", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect")
    service.set("Location", SLO)
    place.addprevious(service)
    return etree.tostring(root)


@functools.cache
def portal(require_signed: str) -> SamlPortalClient:
    """Return the portal that must sign this much."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "portal.xml").write_bytes(metadata())
        (folder / "ours.key").write_bytes(ours().private_pem)
        (folder / "ours.crt").write_bytes(ours().certificate_pem)
        values: dict[str, Any] = {
            "protocol": "saml",
            "metadata": folder / "portal.xml",
            "portal_entity_id": PORTAL,
            "private_key": folder / "ours.key",
            "certificate": folder / "ours.crt",
            "academie": 24,
            "unsolicited": True,
            "require_signed": require_signed,
            "clock_skew_seconds": SKEW_SECONDS,
        }
        return SamlPortalClient.open(
            DOOR,
            settings.SamlPortal(**values),
            addresses=Addresses(acs=ACS, logout=LOGOUT, metadata=METADATA),
            about=About("https://imagin.example/donnees", "https://imagin.example/logo.svg", "i@exemple.test", "SIEC"),
        )


def recalled(kept: Mapping[str, Memory], correlation: str) -> Memory:
    """Give a journey back."""
    if correlation not in kept:
        raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)
    return kept[correlation]


def sign(element: etree._Element, key: KeyPair | None = None) -> None:
    """Sign an element as the portal does, whatever signatures it bears; nothing when it cannot be signed."""
    for seal in element.findall("{http://www.w3.org/2000/09/xmldsig#}Signature"):
        element.remove(seal)
    if element.get("ID") is None or not len(element):
        return
    saml_messages.sign(
        element,
        key or pair("portal"),
        method=xmlsec.constants.TransformEcdsaSha256,
        prefixes="xs" if "xs" in element.nsmap else "",
    )
