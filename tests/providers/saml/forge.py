"""Genuine messages of a portal, and every way to spoil one that the tests know.

A message is spoilt either before it is signed (a portal that says something
wrong, with the right key) or after (somebody on the way).
"""

from __future__ import annotations

import base64
import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import xmlsec
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.people import PEOPLE
from examples.demo.portals.saml_messages import BASIC, DS, SAML, SAMLP, XSI, Answer, KeyPair, sign
from imagin_gateway.exchange import Request

DOOR: Final = "arena-creteil"
PORTAL: Final = "https://idp.ac-creteil.example/saml/metadata"
SSO: Final = "https://idp.ac-creteil.example/saml/sso"
OTHER_PORTAL: Final = "https://idp.ac-paris.example/saml/metadata"
BASE: Final = "https://imagin.example/connexion/portail/arena-creteil"
ACS: Final = BASE + "/acs"
LOGOUT: Final = BASE + "/fin"
METADATA: Final = BASE + "/metadata"
NOW: Final = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
PERSON: Final = PEOPLE[DOOR][1]
REQUEST: Final = "_0123456789abcdef0123456789abcdef"

Edit = Callable[[etree._Element], object]


@functools.cache
def keys(name: str, bits: int = 2048) -> KeyPair:
    """Return the key pair of this name; the certificate of `expired` is."""
    begins = datetime(2020, 1, 1, tzinfo=UTC) if name == "expired" else datetime(2026, 1, 1, tzinfo=UTC)
    return KeyPair.new(name, bits=bits, begins=begins, days=365)


def said(**changes: Any) -> Answer:
    """Return what a genuine, solicited answer says."""
    usual = Answer(
        issuer=PORTAL,
        audience=METADATA,
        acs_url=ACS,
        at=NOW,
        authenticated_at=NOW - timedelta(minutes=3),
        attributes=PERSON.attributes,
        in_response_to=REQUEST,
    )
    return replace(usual, **changes)


def forged(
    edit: Edit | None = None,
    *,
    signed: str = "both",
    key: KeyPair | None = None,
    method: Any = xmlsec.constants.TransformRsaSha256,
    digest: Any = xmlsec.constants.TransformSha256,
    prefixes: str = "xs",
    **changes: Any,
) -> etree._Element:
    """Return a message signed by the portal (or by `key`), edited before it is signed.

    Args:
        edit: changes the message, given its root.
        signed: ``response``, ``assertion``, ``both`` or ``nothing``.
    """
    root = saml_messages.response(said(**changes))
    if edit is not None:
        edit(root)
    pair = key or keys("portal")
    if signed in ("assertion", "both"):
        sign(one(root, "Assertion"), pair, method=method, digest=digest, prefixes=prefixes)
    if signed in ("response", "both"):
        sign(root, pair, method=method, digest=digest, prefixes=prefixes)
    # As a reader will see it: one tree, parsed.
    return etree.fromstring(etree.tostring(root))


def raw(root: etree._Element) -> bytes:
    return etree.tostring(root)


def posted(message: etree._Element | bytes, *, relay: str | None = None, method: str = "POST") -> Request:
    """Return the request of a browser that posts a message to us."""
    content = message if isinstance(message, bytes) else raw(message)
    fields = {"SAMLResponse": base64.b64encode(content).decode("ascii")}
    if relay is not None:
        fields["RelayState"] = relay
    return Request(
        method,
        "/portail/arena-creteil/acs",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(fields).encode(),
    )


# --- finding things


def saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def samlp(name: str) -> str:
    return f"{{{SAMLP}}}{name}"


def ds(name: str) -> str:
    return f"{{{DS}}}{name}"


def one(root: etree._Element, name: str) -> etree._Element:
    """Return the first element with this local name, the root included."""
    return next(each for each in root.iter() if etree.QName(each).localname == name)


def every(root: etree._Element, name: str) -> list[etree._Element]:
    return [each for each in root.iter() if etree.QName(each).localname == name]


def value_of(root: etree._Element, attribute: str) -> etree._Element:
    """Return the first value of an attribute of the person."""
    found = next(each for each in root.iter(saml("Attribute")) if each.get("Name") == attribute)
    return found[0]


def without(element: etree._Element) -> None:
    """Take an element out."""
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def evil(assertion: etree._Element) -> etree._Element:
    """Return an unsigned copy of an assertion that tells somebody else."""
    copied = copy.deepcopy(assertion)
    for signature in copied.findall(ds("Signature")):
        copied.remove(signature)
    copied.set("ID", "_evil-assertion")
    value_of(copied, "ct-remote-user").text = "admin"
    return copied


def unsigned(element: etree._Element) -> etree._Element:
    """Return a copy without its own signature."""
    copied = copy.deepcopy(element)
    for signature in copied.findall(ds("Signature")):
        copied.remove(signature)
    return copied


def add_attribute(root: etree._Element, name: str, *values: str, name_format: str | None = BASIC) -> etree._Element:
    """Add an attribute of the person."""
    attribute = etree.SubElement(one(root, "AttributeStatement"), saml("Attribute"), attrib={"Name": name})
    if name_format is not None:
        attribute.set("NameFormat", name_format)
    for value in values:
        etree.SubElement(attribute, saml("AttributeValue")).text = value
    return attribute


def drop_attributes(root: etree._Element, *names: str) -> None:
    for attribute in list(root.iter(saml("Attribute"))):
        if attribute.get("Name") in names:
            without(attribute)


def extensions(root: etree._Element, *content: etree._Element) -> None:
    """Put something into the Extensions of the Response, where the schema allows almost anything."""
    extra = etree.Element(samlp("Extensions"))
    extra.extend(content)
    root.insert([child.tag for child in root].index(samlp("Status")), extra)


def nil(value: etree._Element) -> None:
    value.set(f"{{{XSI}}}nil", "true")


# --- the eight classic wrappings, from a message whose signature is genuine


def _evil_response(root: etree._Element) -> tuple[etree._Element, etree._Element, etree._Element]:
    """Return a Response that tells somebody else, the genuine signature, and the genuine Response without it."""
    false = unsigned(root)
    false.set("ID", "_evil-response")
    value_of(false, "ct-remote-user").text = "admin"
    one(false, "Assertion").set("ID", "_evil-assertion")
    signature = copy.deepcopy(root.find(ds("Signature")))
    assert signature is not None
    return false, signature, unsigned(root)


def xsw1(root: etree._Element) -> etree._Element:
    """The genuine Response inside its own signature, in another Response."""
    false, signature, genuine = _evil_response(root)
    signature.append(genuine)
    false.insert(1, signature)
    return false


def xsw2(root: etree._Element) -> etree._Element:
    """The genuine Response beside its signature, in another Response."""
    false, signature, genuine = _evil_response(root)
    false.insert(1, genuine)
    false.insert(2, signature)
    return false


def xsw3(root: etree._Element) -> etree._Element:
    """Another assertion before the genuine one."""
    genuine = one(root, "Assertion")
    root.insert(root.index(genuine), evil(genuine))
    return root


def xsw4(root: etree._Element) -> etree._Element:
    """The genuine assertion inside another one."""
    genuine = one(root, "Assertion")
    false = evil(genuine)
    root.replace(genuine, false)
    false.append(genuine)
    return root


def xsw5(root: etree._Element) -> etree._Element:
    """The genuine signature in another assertion, the genuine assertion after it."""
    genuine = one(root, "Assertion")
    false = evil(genuine)
    signature = genuine.find(ds("Signature"))
    assert signature is not None
    false.insert(1, signature)
    root.replace(genuine, false)
    root.append(genuine)
    return root


def xsw6(root: etree._Element) -> etree._Element:
    """The genuine assertion inside its signature, in another assertion."""
    genuine = one(root, "Assertion")
    false = evil(genuine)
    signature = genuine.find(ds("Signature"))
    assert signature is not None
    false.insert(1, signature)
    root.replace(genuine, false)
    signature.append(genuine)
    return root


def xsw7(root: etree._Element) -> etree._Element:
    """Another assertion, with the same ID, in Extensions."""
    genuine = one(root, "Assertion")
    false = evil(genuine)
    false.set("ID", genuine.get("ID", ""))
    extensions(root, false)
    return root


def xsw8(root: etree._Element) -> etree._Element:
    """The genuine assertion in an Object of its signature, in another assertion."""
    genuine = one(root, "Assertion")
    false = evil(genuine)
    signature = genuine.find(ds("Signature"))
    assert signature is not None
    false.insert(1, signature)
    root.replace(genuine, false)
    etree.SubElement(signature, ds("Object")).append(genuine)
    return root


# --- the genuine message nested in places that may hold anything


def in_status_detail(false: etree._Element, genuine: etree._Element) -> None:
    etree.SubElement(one(false, "Status"), samlp("StatusDetail")).append(genuine)


def in_advice(false: etree._Element, genuine: etree._Element) -> None:
    advice = etree.Element(saml("Advice"))
    advice.append(genuine)
    conditions = one(false, "Conditions")
    conditions.addnext(advice)


def in_extensions(false: etree._Element, genuine: etree._Element) -> None:
    extensions(false, genuine)


def in_attribute_value(false: etree._Element, genuine: etree._Element) -> None:
    value = value_of(false, "cn")
    value.text = None
    value.attrib.clear()
    value.append(genuine)


def in_object(false: etree._Element, genuine: etree._Element) -> None:
    """In an Object of the signature found in the message, else of one made for it."""
    signature = one(genuine, "Signature")
    holder = copy.deepcopy(signature)
    etree.SubElement(holder, ds("Object")).append(genuine)
    false.insert(1, holder)


NESTS: Final[dict[str, Callable[[etree._Element, etree._Element], None]]] = {
    "StatusDetail": in_status_detail,
    "Advice": in_advice,
    "Extensions": in_extensions,
    "AttributeValue": in_attribute_value,
    "Object": in_object,
}


def attributes(element: etree._Element) -> dict[str, str]:
    """Return the XML attributes of an element."""
    return {str(name): str(value) for name, value in element.attrib.items()}
