"""Logout messages of a portal by SAML, in the address and by form: orders, and answers to ours.

An input is one byte of choices and then a message, or a whole query string that is brought as it is.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final
from urllib.parse import quote, unquote_to_bytes
from xml.etree import ElementTree

import xmlsec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from fuzz import proof, xml_changes
from fuzz.frame import Target, any_change, demand
from fuzz.portal_keys import private_key
from fuzz.saml_house import DOOR, LOGOUT, NOW, PORTAL, PORTAL_KEY, REQUEST, portal, recalled, sign
from imagin_gateway.exchange import Request, Response
from imagin_gateway.providers.portal import LogoutOrder, LogoutWay, Memory, PostedForm
from imagin_gateway.providers.saml.name_id import NameId

BY_POST: Final = 1
SIGNED_HERE: Final = 2
ANSWERS: Final = 4
WITH_RELAY: Final = 8

_METHOD: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_OLDEST: Final = timedelta(minutes=5, seconds=180)


def attack(data: bytes) -> bool:
    """Bring a message; an order or an answer that is taken must be told by bytes that the portal signed."""
    choices, message = data[0] if data else 0, data[1:]
    request = _request(choices, message)
    client = portal("response")
    if choices & ANSWERS:
        kept: dict[str, Memory] = {REQUEST: {"door": DOOR, "logout": REQUEST}}
        client.logout_returned(request, lambda correlation: recalled(kept, correlation), NOW)
        demand(any(_is_whole(each) for each in _proved(request)), "a logout counts as done, and nobody signed so")
        return True
    order = client.logout_asked(request, LogoutWay.BROWSER, NOW)
    if order is None:
        # It says that it is an answer: taken for no order.
        demand("SAMLResponse" in dict(_fields(request)), "an order was taken for an answer")
        return False
    demand(any(_orders(each, order) for each in _proved(request)), "an order was taken, and nobody signed it")
    _check_answer(order, request)
    return True


def _request(choices: int, message: bytes) -> Request:
    path = "/portail/arena-creteil/fin"
    field = "SAMLResponse" if choices & ANSWERS else "SAMLRequest"
    relay = "&RelayState=" + quote("état 1&2", safe="") if choices & WITH_RELAY else ""
    if choices & BY_POST:
        content = _signed(message) if choices & SIGNED_HERE else message
        body = f"{field}={quote(base64.b64encode(content).decode(), safe='')}{relay}".encode()
        return Request("POST", path, headers={"content-type": "application/x-www-form-urlencoded"}, body=body)
    return Request("GET", path, _query(field, message, relay) if choices & SIGNED_HERE else message)


def _signed(message: bytes) -> bytes:
    try:
        root = etree.fromstring(message, etree.XMLParser(resolve_entities=False, no_network=True))
        sign(root)
    except (etree.XMLSyntaxError, xmlsec.Error, ValueError):
        return message
    return etree.tostring(root)


def _query(field: str, message: bytes, relay: str) -> bytes:
    """Return a query as the portal writes and signs it (Bindings §3.4.4.1)."""
    opener = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = base64.b64encode(opener.compress(message) + opener.flush()).decode()
    query = f"{field}={quote(packed, safe='')}{relay}&SigAlg={quote(_METHOD, safe='')}"
    r, s = decode_dss_signature(private_key("portal").sign(query.encode(), ECDSA(SHA256())))
    made = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    return f"{query}&Signature={quote(made, safe='')}".encode()


# --- what may be accepted


def _fields(request: Request) -> Iterator[tuple[str, bytes]]:
    """Yield the fields of a query or a form as they are written, decoded once."""
    for part in (request.body or request.query_string).split(b"&"):
        name, _, value = part.partition(b"=")
        decoded = unquote_to_bytes(name.replace(b"+", b" ")).decode("latin-1")
        yield decoded, unquote_to_bytes(value.replace(b"+", b" "))


def _proved(request: Request) -> list[ElementTree.Element]:
    """Return what the portal's key covers, by this module's own reading of the standard."""
    if request.method == "POST":
        documents = [value for name, value in _fields(request) if name in ("SAMLRequest", "SAMLResponse")]
        return [
            proof.told(canonical)
            for each in documents
            for canonical in proof.proved(base64.b64decode(each), PORTAL_KEY)
        ]
    written = dict(part.partition(b"=")[::2] for part in request.query_string.split(b"&"))
    name = b"SAMLResponse" if b"SAMLResponse" in written else b"SAMLRequest"
    covered = b"&".join(field + b"=" + written[field] for field in (name, b"RelayState", b"SigAlg") if field in written)
    told = {field: unquote_to_bytes(value.replace(b"+", b" ")) for field, value in written.items()}
    if not proof.verifies(PORTAL_KEY, covered, _octets(told[b"Signature"]), told[b"SigAlg"].decode()):
        return []
    return [proof.told(zlib.decompress(_octets(told[name]), -zlib.MAX_WBITS))]


def _octets(encoded: bytes) -> bytes:
    return base64.b64decode(b"".join(encoded.split()))


def _is_from_the_portal(root: ElementTree.Element) -> bool:
    issuers = [proof.whole_text(each) for each in root.findall(_SAML + "Issuer")]
    return issuers == [PORTAL] and root.get("Destination") == LOGOUT and root.get("Version") == "2.0"


def _orders(root: ElementTree.Element, order: LogoutOrder) -> bool:
    names = [proof.whole_text(each) for each in root.findall(_SAML + "NameID")]
    kept = NameId.read(order.name_ids[0])
    sessions = tuple(proof.whole_text(each).strip() for each in root.findall(_SAMLP + "SessionIndex"))
    issued = datetime.fromisoformat(root.get("IssueInstant", "").strip())
    return (
        root.tag == _SAMLP + "LogoutRequest"
        and _is_from_the_portal(root)
        and kept is not None
        and names == [kept.value]
        and order.issuer == PORTAL
        and order.portal_sessions == tuple(each for each in sessions if each)
        and order.message_id == root.get("ID")
        and abs(NOW - issued) <= _OLDEST
    )


def _is_whole(root: ElementTree.Element) -> bool:
    codes = [each.get("Value") for each in root.iter(_SAMLP + "StatusCode")]
    return (
        root.tag == _SAMLP + "LogoutResponse"
        and _is_from_the_portal(root)
        and codes == [_SUCCESS]
        and root.get("InResponseTo") == REQUEST
    )


def _check_answer(order: LogoutOrder, request: Request) -> None:
    """What is answered goes to the portal alone, and gives its RelayState back as it came, or not at all."""
    answer = order.done(True)
    if isinstance(answer, PostedForm):
        demand(answer.action.startswith("https://idp.ac-creteil.example/"), "the answer leaves for elsewhere")
        return
    demand(isinstance(answer, Response), "no answer")
    location = dict(answer.headers)["Location"]
    demand(
        location.startswith("https://idp.ac-creteil.example/saml/slo?SAMLResponse="), "the answer leaves for elsewhere"
    )
    answer.header_lines()
    back = dict(_fields(Request("GET", "/", location.partition("?")[2].encode())))
    relays = [value for name, value in _fields(request) if name == "RelayState"]
    demand("RelayState" not in back or [back["RelayState"]] == relays, "another RelayState is given back")


# --- to begin with


def seeds() -> Iterator[bytes]:
    """Return honest orders and answers, by both ways; to be signed here, and already signed."""
    order, answer = _message("LogoutRequest"), _message("LogoutResponse")
    for choices in (0, BY_POST, WITH_RELAY, BY_POST | WITH_RELAY):
        yield bytes((choices | SIGNED_HERE,)) + order
        yield bytes((choices | SIGNED_HERE | ANSWERS,)) + answer
    yield b"\x00" + _query("SAMLRequest", order, "&RelayState=a")
    yield bytes((ANSWERS,)) + _query("SAMLResponse", answer, "")
    yield bytes((BY_POST,)) + _signed(order)
    yield bytes((BY_POST | ANSWERS,)) + _signed(answer)


def _message(name: str) -> bytes:
    root = etree.Element(_SAMLP + name, nsmap={"samlp": _SAMLP[1:-1], "saml": _SAML[1:-1]})
    told = {"ID": "_message", "Version": "2.0", "IssueInstant": "2026-12-14T08:00:00Z", "Destination": LOGOUT}
    for attribute, value in told.items():
        root.set(attribute, value)
    etree.SubElement(root, _SAML + "Issuer").text = PORTAL
    if name == "LogoutRequest":
        root.set("NotOnOrAfter", "2026-12-14T08:05:00Z")
        named = etree.SubElement(root, _SAML + "NameID", Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient")
        named.text = "_transient"
        etree.SubElement(root, _SAMLP + "SessionIndex").text = "_session"
    else:
        root.set("InResponseTo", REQUEST)
        etree.SubElement(etree.SubElement(root, _SAMLP + "Status"), _SAMLP + "StatusCode", Value=_SUCCESS)
    return etree.tostring(root)


def mutate(data: bytes, random: Random) -> bytes:
    """Change the choices, or the message by its XML, or the query by its bytes."""
    choices, message = data[:1] or b"\x00", data[1:]
    if random.random() < 0.15:
        return bytes((random.randrange(16),)) + message
    return choices + (xml_changes.changed if message.lstrip().startswith(b"<") else any_change)(message, random)


TARGET: Final = Target(name="saml_logout", attack=attack, seeds=seeds, mutate=mutate)
