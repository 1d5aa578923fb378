"""The rules of the Single Logout profile, one function each; both directions.

Sections are those of the OASIS standards of March 2005: Core, Bindings, Profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import decryption, name_id, profile, reading
from imagin_gateway.providers.saml.documents import told
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.vocabulary import SUCCESS, saml, samlp

LIFE: Final = timedelta(minutes=5)
"""How old an order may be: a logout happens while the browser goes round."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a logout message must fit.

    Attributes:
        issuer: entityID of the portal.
        address: ours, where logout messages come, as our metadata writes it.
        now: when it came, UTC.
        skew: how far two honest clocks may be apart.
    """

    issuer: str
    address: str
    now: datetime
    skew: timedelta


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """A LogoutRequest that passed every rule. Until `ends_at` its `id` must be remembered."""

    id: str
    name: NameId
    sessions: tuple[str, ...]
    ends_at: datetime


def order(root: etree._Element, keys: decryption.Keys, expected: Expected) -> Order:
    """Hold a verified LogoutRequest to every rule.

    Raises:
        AnswerRefused: with the code of the first rule broken.
    """
    _check_common(root, expected)
    issued = check_fresh(root, expected)
    check_not_over(root, expected)
    return Order(
        id=root.get("ID", ""),
        name=the_name(root, keys),
        sessions=tuple(value for each in root.findall(samlp("SessionIndex")) if (value := told(each))),
        ends_at=issued + LIFE + 2 * expected.skew,
    )


def answer(root: etree._Element, asked: str, expected: Expected) -> None:
    """Hold a verified LogoutResponse to every rule.

    Raises:
        AnswerRefused: with the code of the first rule broken; `PORTAL_REFUSED` when not all could be ended.
    """
    _check_common(root, expected)
    check_in_response_to(root, asked)
    check_whole(root)


def _check_common(root: etree._Element, expected: Expected) -> None:
    profile.check_version(root.get("Version", ""))
    # Profiles §4.4.4.1, §4.4.4.2: the Issuer "MUST be present", and be that of the one who sends.
    profile.check_issuer(reading.issuer(root), expected.issuer)
    check_destination(root, expected)
    issued = reading.instant(root.get("IssueInstant"))
    if issued is None or issued > expected.now + expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the message was issued in the future")


def check_destination(root: etree._Element, expected: Expected) -> None:
    """Bindings §3.4.5.2, §3.5.5.2: a signed message names in Destination the very address it goes to."""
    if root.get("Destination", "") != expected.address:
        raise AnswerRefused(Code.SAML_DESTINATION, "the message was meant for another address")


def check_fresh(root: etree._Element, expected: Expected) -> datetime:
    """Core §3.2.1: IssueInstant; an order that lay somewhere for long is somebody else's by now."""
    issued = reading.instant(root.get("IssueInstant"))
    if issued is None or issued <= expected.now - LIFE - expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the order is too old")
    return issued


def check_not_over(root: etree._Element, expected: Expected) -> None:
    """Core §3.7.1: NotOnOrAfter, "the time at which the request expires"."""
    ends = reading.instant(root.get("NotOnOrAfter"))
    if ends is not None and ends <= expected.now - expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the order has expired")


def the_name(root: etree._Element, keys: decryption.Keys) -> NameId:
    """Core §3.7.1: the principal, by NameID or EncryptedID; a BaseID means something to nobody here.

    Raises:
        AnswerRefused: `SAML_SHAPE`, `SAML_ENCRYPTED`, `SAML_ALGORITHM`.
    """
    found = root.find(saml("NameID"))
    encrypted = root.find(saml("EncryptedID"))
    if encrypted is not None:
        found = decryption.element(encrypted, keys, inside_signature=True)
    if found is None or found.tag != saml("NameID"):
        raise AnswerRefused(Code.SAML_SHAPE, "the order names nobody")
    name = name_id.of(found)
    if not name.value:
        raise AnswerRefused(Code.SAML_SHAPE, "the order names nobody")
    return name


def check_in_response_to(root: etree._Element, asked: str) -> None:
    """Core §3.2.2: InResponseTo is the ID of the request it answers."""
    if root.get("InResponseTo", "") != asked:
        raise AnswerRefused(Code.SAML_IN_RESPONSE_TO, "the answer is to another request")


def check_whole(root: etree._Element) -> None:
    """Core §3.7.3.2: Success alone; with PartialLogout below, something is open still."""
    statuses = reading.statuses(root)
    if statuses != (SUCCESS,):
        raise AnswerRefused(Code.PORTAL_REFUSED, "the portal did not end everything", statuses=statuses)
