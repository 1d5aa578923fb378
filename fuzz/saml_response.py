"""Answers to a login by SAML, encrypted ones too: what is read must have been signed, and be for us, now.

An input is one byte of choices, four bytes that spoil the message once it is ready, and the
message. The portal may sign it as it stands (a portal that says something wrong, with the right
key), and encrypt its assertion; or it comes as it is, which is how kept inputs bear a signature
that somebody then worked around.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

import xmlsec
from lxml import etree

from examples.demo.portals import saml_messages
from examples.demo.portals.people import PEOPLE
from fuzz import proof, xml_changes
from fuzz.frame import Target, demand
from fuzz.saml_house import (
    ACS,
    DOOR,
    METADATA,
    NOW,
    PORTAL,
    PORTAL_KEY,
    REQUEST,
    SKEW_SECONDS,
    ours,
    portal,
    recalled,
    sign,
)
from imagin_gateway.exchange import Request
from imagin_gateway.providers.portal import Arrival, Memory

_REQUIRED: Final = ("response", "assertion", "both", "response")
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SAMLP: Final = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_SKEW: Final = timedelta(seconds=SKEW_SECONDS)


@dataclass(frozen=True)
class _Choices:
    """What is done with the message before it is posted."""

    required: str
    sign_assertion: bool
    sign_response: bool
    encrypt: bool

    @classmethod
    def of(cls, byte: int) -> _Choices:
        return cls(_REQUIRED[byte & 3], bool(byte & 4), bool(byte & 8), bool(byte & 16))


def attack(data: bytes) -> bool:
    """Post a message; whoever comes in must be told, word for word, by bytes that the portal signed."""
    choices, spoil, message = _Choices.of(data[0] if data else 0), data[1:5], data[5:]
    sent, plain = _ready(message, choices)
    if len(spoil) == 4 and spoil[3]:
        sent = _spoilt(sent, spoil)
        plain = plain if choices.encrypt else sent
    body = "SAMLResponse=" + quote(base64.b64encode(sent).decode(), safe="")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", "/portail/arena-creteil/acs", headers=kind, body=body.encode())
    kept: dict[str, Memory] = {REQUEST: {"door": DOOR, "request": REQUEST, "acs": ACS}}
    arrival = portal(choices.required).arrive(request, lambda correlation: recalled(kept, correlation), NOW)
    _hold(arrival, plain, choices)
    return True


def _ready(message: bytes, choices: _Choices) -> tuple[bytes, bytes]:
    """Return the message as it is posted, and what it says to who can open it."""
    if not (choices.sign_assertion or choices.sign_response or choices.encrypt):
        return message, message
    try:
        root = etree.fromstring(message, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return message, message
    plain = message
    try:
        assertion = root.find(_SAML + "Assertion")
        if choices.sign_assertion and assertion is not None:
            sign(assertion)
            plain = etree.tostring(root)
        if choices.encrypt and assertion is not None:
            _encrypt(assertion)
        if choices.sign_response:
            sign(root)
            plain = plain if choices.encrypt else etree.tostring(root)
    except (xmlsec.Error, ValueError):
        return message, message
    return etree.tostring(root), plain


def _encrypt(assertion: etree._Element) -> None:
    """Encrypt an assertion for us, as a portal of today does."""
    constants: Any = xmlsec.constants
    holder = etree.Element(_SAML + "EncryptedAssertion")
    parent = assertion.getparent()
    assert parent is not None
    assertion.tail = None
    parent.replace(assertion, holder)
    holder.append(assertion)
    data = xmlsec.template.encrypted_data_create(
        holder, constants.TransformAes256Gcm, type="http://www.w3.org/2001/04/xmlenc#Element", ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    xmlsec.template.encrypted_data_ensure_cipher_value(
        xmlsec.template.add_encrypted_key(info, constants.TransformRsaOaep)
    )
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(ours().certificate_pem, constants.KeyDataFormatCertPem))
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(constants.KeyDataAes, 256, constants.KeyDataTypeSession)
    context.encrypt_xml(data, assertion)


def _spoilt(sent: bytes, spoil: bytes) -> bytes:
    """Change one byte on the way: where is told by two bytes, into what by the third; the fourth says how."""
    if not sent:
        return sent
    place = int.from_bytes(spoil[:2], "big") * len(sent) >> 16
    made = bytearray(sent)
    match spoil[3] % 3:
        case 0:
            made[place] ^= spoil[2] or 1
        case 1:
            made[place:place] = spoil[2:3]
        case _:
            del made[place : place + 1 + spoil[2]]
    return bytes(made)


# --- what may be accepted: said again, of other bytes, by another parser


def _hold(arrival: Arrival, plain: bytes, choices: _Choices) -> None:
    signed = [proof.told(canonical) for canonical in proof.proved(plain, PORTAL_KEY)]
    assertions = [found for each in signed for found in each.iter(_SAML + "Assertion")]
    if choices.encrypt and not assertions and choices.required == "response":
        # The Response's own signature covers the ciphertext; the one assertion in it was made here.
        assertions = list(proof.told(plain).iter(_SAML + "Assertion"))
    demand(bool(assertions), "somebody came in, and no bytes with an assertion bear the portal's signature")
    demand(any(_tells(each, arrival) for each in assertions), "what was read is not what was signed")


def _tells(assertion: ElementTree.Element, arrival: Arrival) -> bool:
    """Tell whether a signed assertion says, word for word, who came in; and whether it may be accepted at all."""
    texts = {proof.whole_text(each).strip() for each in assertion.iter(_SAML + "AttributeValue")}
    told = {value for values in arrival.attributes.values() for value in values} - {arrival.subject}
    subject = arrival.subject in {text.lower() for text in texts}
    statements = [*assertion.iter(_SAML + "AuthnStatement")]
    data = [*assertion.iter(_SAML + "SubjectConfirmationData")]
    audiences = {proof.whole_text(each).strip() for each in assertion.iter(_SAML + "Audience")}
    issuers = [proof.whole_text(each) for each in assertion.findall(_SAML + "Issuer")]
    return (
        subject
        and told <= texts
        and assertion.get("ID") == arrival.message_id
        and issuers == [PORTAL]
        and METADATA in audiences
        and len(statements) == 1
        and statements[0].get("SessionIndex", "") == arrival.portal_session
        and len(data) == 1
        and data[0].get("Recipient") == ACS
        and data[0].get("InResponseTo") in ((REQUEST,) if arrival.solicited else (None,))
        and _is_later(data[0].get("NotOnOrAfter", ""))
        and all(
            _is_later(each.get("NotOnOrAfter", "9999-01-01T00:00:00Z")) for each in assertion.iter(_SAML + "Conditions")
        )
    )


def _is_later(written: str) -> bool:
    return datetime.fromisoformat(written.strip()) > NOW - _SKEW


# --- to begin with


def seeds() -> Iterator[bytes]:
    """Return honest answers: to be signed here in every way, and already signed in every way."""
    for solicited in (True, False):
        written = _honest(solicited)
        for byte in (4, 8, 12, 4 | 1, 12 | 2, 16 | 8, 16 | 12, 16 | 4 | 1):
            yield bytes((byte, 0, 0, 0, 0)) + written
    for required, signs in ((0, ("Response",)), (1, ("Assertion",)), (2, ("Assertion", "Response"))):
        root = etree.fromstring(_honest(True))
        for name in signs:
            element = root if name == "Response" else root.find(_SAML + "Assertion")
            assert element is not None
            sign(element)
        yield bytes((required, 0, 0, 0, 0)) + etree.tostring(root)


def _honest(solicited: bool) -> bytes:
    root = saml_messages.response(
        saml_messages.Answer(
            issuer=PORTAL,
            audience=METADATA,
            acs_url=ACS,
            at=NOW,
            authenticated_at=NOW - timedelta(minutes=3),
            attributes=PEOPLE[DOOR][1].attributes,
            in_response_to=REQUEST if solicited else None,
            name_id="_name",
            session="_session",
        )
    )
    root.set("ID", "_response")
    assertion = root.find(_SAML + "Assertion")
    assert assertion is not None
    assertion.set("ID", "_assertion")
    return etree.tostring(root)


def mutate(data: bytes, random: Random) -> bytes:
    """Change the choices, the spoiling, or the message by its XML."""
    head, message = bytearray(data[:5].ljust(5, b"\x00")), data[5:]
    match random.randrange(6):
        case 0:
            head[0] = random.randrange(32)
        case 1:
            head[1:5] = random.randbytes(4)
        case _:
            message = xml_changes.changed(message, random)
    return bytes(head) + message


TARGET: Final = Target(name="saml_response", attack=attack, seeds=seeds, mutate=mutate)
