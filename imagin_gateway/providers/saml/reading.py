"""From verified bytes to plain values: the only place where an answer is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml.documents import is_nil, text, told
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.name_id import of as name_id_of
from imagin_gateway.providers.saml.vocabulary import ATTRIBUTE_NAME_FORMATS, STATUSES, saml, samlp

_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(Z|\+00:00)")

UNKNOWN_STATUS: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who speaks; "" when nobody is named. `format` is "" unless told."""

    name: str
    format: str


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """What the Response itself says.

    Attributes:
        signed: whether its own signature was verified; else every field here is only a claim,
            which must agree with what the assertion proves.
    """

    signed: bool
    version: str
    issuer: Issuer
    issued_at: datetime
    destination: str
    in_response_to: str | None
    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Confirmation:
    """One way to confirm the subject (Core §2.4.1.1)."""

    method: str
    recipient: str
    not_before: datetime | None
    not_on_or_after: datetime | None
    in_response_to: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Conditions:
    """Under what the assertion may be used (Core §2.5). One tuple of audiences a restriction."""

    not_before: datetime | None
    not_on_or_after: datetime | None
    audiences: tuple[tuple[str, ...], ...]
    unknown: bool


@dataclass(frozen=True, slots=True, repr=False)
class Authentication:
    """One AuthnStatement (Core §2.7.2)."""

    at: datetime
    ends_at: datetime | None
    session: str
    context: str


@dataclass(frozen=True, slots=True, repr=False)
class Assertion:
    """What the portal proves. `name_id` is None when none is told, or when it is encrypted."""

    id: str
    version: str
    issuer: Issuer
    issued_at: datetime
    name_id: NameId | None
    confirmations: tuple[Confirmation, ...]
    conditions: Conditions | None
    authentications: tuple[Authentication, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)


def instant(value: str | None) -> datetime | None:
    """Read a time (Core §1.3.3: UTC, no other zone). None when there is none.

    Raises:
        AnswerRefused: `SAML_TIME`, it is there and cannot be read.
    """
    if value is None:
        return None
    try:
        if _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise AnswerRefused(Code.SAML_TIME, "a time cannot be read")


def envelope(response: etree._Element, *, signed: bool) -> Envelope:
    """Read what a Response says besides its assertion."""
    return Envelope(
        signed=signed,
        version=response.get("Version", ""),
        issuer=issuer(response),
        issued_at=_required(instant(response.get("IssueInstant"))),
        destination=response.get("Destination", ""),
        in_response_to=response.get("InResponseTo"),
        statuses=statuses(response),
    )


def issuer(element: etree._Element) -> Issuer:
    """Read who speaks: Core §2.2.5."""
    found = element.find(saml("Issuer"))
    return Issuer("", "") if found is None else Issuer(text(found), found.get("Format", ""))


def statuses(response: etree._Element) -> tuple[str, ...]:
    """Return the status codes, the outer one first; a code that is not of the standard is not repeated."""
    code = response.find(f"{samlp('Status')}/{samlp('StatusCode')}")
    found: list[str] = []
    while code is not None and len(found) < 4:
        value = code.get("Value", "")
        found.append(value if value in STATUSES else UNKNOWN_STATUS)
        code = code.find(samlp("StatusCode"))
    return tuple(found)


def assertion(element: etree._Element) -> Assertion:
    """Read an assertion. Advice, unknown statements and extensions are left where they are (IIP-SP10)."""
    subject = element.find(saml("Subject"))
    name_id = None if subject is None else subject.find(saml("NameID"))
    conditions = element.find(saml("Conditions"))
    return Assertion(
        id=element.get("ID", ""),
        version=element.get("Version", ""),
        issuer=issuer(element),
        issued_at=_required(instant(element.get("IssueInstant"))),
        name_id=None if name_id is None else name_id_of(name_id),
        confirmations=()
        if subject is None
        else tuple(_confirmation(each) for each in subject.findall(saml("SubjectConfirmation"))),
        conditions=None if conditions is None else _conditions(conditions),
        authentications=tuple(_authentication(each) for each in element.findall(saml("AuthnStatement"))),
        attributes=_attributes(element),
    )


def _confirmation(element: etree._Element) -> Confirmation:
    data = element.find(saml("SubjectConfirmationData"))
    said: Mapping[str, str] = {} if data is None else {str(name): str(value) for name, value in data.attrib.items()}
    return Confirmation(
        method=element.get("Method", ""),
        recipient=said.get("Recipient", ""),
        not_before=instant(said.get("NotBefore")),
        not_on_or_after=instant(said.get("NotOnOrAfter")),
        in_response_to=said.get("InResponseTo"),
    )


def _conditions(element: etree._Element) -> Conditions:
    understood = {saml("AudienceRestriction"), saml("OneTimeUse"), saml("ProxyRestriction")}
    return Conditions(
        not_before=instant(element.get("NotBefore")),
        not_on_or_after=instant(element.get("NotOnOrAfter")),
        audiences=tuple(
            tuple(told(each) for each in restriction.findall(saml("Audience")))
            for restriction in element.findall(saml("AudienceRestriction"))
        ),
        unknown=any(child.tag not in understood for child in element),
    )


def _authentication(element: etree._Element) -> Authentication:
    return Authentication(
        at=_required(instant(element.get("AuthnInstant"))),
        ends_at=instant(element.get("SessionNotOnOrAfter")),
        session=element.get("SessionIndex", ""),
        context=told(element.find(f"{saml('AuthnContext')}/{saml('AuthnContextClassRef')}")),
    )


def _attributes(element: etree._Element) -> dict[str, tuple[str, ...]]:
    """Gather every value under its Name; FriendlyName and xsi:type say nothing (IIP-SP01, SP02).

    A value that is not plain text is no value of ours, and is left out whole.
    """
    found: dict[str, tuple[str, ...]] = {}
    for attribute in element.iterfind(f"{saml('AttributeStatement')}/{saml('Attribute')}"):
        name = attribute.get("Name", "")
        if name and attribute.get("NameFormat") in (None, *ATTRIBUTE_NAME_FORMATS):
            values = (value for value in attribute.findall(saml("AttributeValue")) if not (len(value) or is_nil(value)))
            found[name] = (*found.get(name, ()), *(text(value) for value in values))
    return found


def _required(moment: datetime | None) -> datetime:
    if moment is None:
        raise AnswerRefused(Code.SAML_TIME, "a time is missing")
    return moment
