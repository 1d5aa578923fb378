"""From verified bytes to plain values: the only place where an answer is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml.documents import child, is_nil, text, told
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.name_id import of as name_id_of
from imagin_gateway.providers.saml.vocabulary import ATTRIBUTE_NAME_FORMATS, STATUSES, saml, samlp

_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(Z|\+00:00)")

UNKNOWN_STATUS: Final = "unknown"

_ISSUER: Final = saml("Issuer")
_STATUS: Final = samlp("Status")
_STATUS_CODE: Final = samlp("StatusCode")
_SUBJECT: Final = saml("Subject")
_NAME_ID: Final = saml("NameID")
_CONFIRMATION: Final = saml("SubjectConfirmation")
_CONFIRMATION_DATA: Final = saml("SubjectConfirmationData")
_CONDITIONS: Final = saml("Conditions")
_RESTRICTION: Final = saml("AudienceRestriction")
_AUDIENCE: Final = saml("Audience")
_UNDERSTOOD: Final = frozenset({_RESTRICTION, saml("OneTimeUse"), saml("ProxyRestriction")})
_AUTHENTICATION: Final = saml("AuthnStatement")
_CONTEXT: Final = saml("AuthnContext")
_CONTEXT_CLASS: Final = saml("AuthnContextClassRef")
_ATTRIBUTES: Final = saml("AttributeStatement")
_ATTRIBUTE: Final = saml("Attribute")
_VALUE: Final = saml("AttributeValue")
_NAME_FORMATS: Final = frozenset({None, *ATTRIBUTE_NAME_FORMATS})


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
    """What the portal proves.

    Attributes:
        name_id: None when none is told in clear.
        set_aside: names of attributes whose NameFormat is not read; for the operator alone.
    """

    id: str
    version: str
    issuer: Issuer
    issued_at: datetime
    name_id: NameId | None
    confirmations: tuple[Confirmation, ...]
    conditions: Conditions | None
    authentications: tuple[Authentication, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    set_aside: tuple[str, ...] = ()


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
    found = child(element, _ISSUER)
    return Issuer("", "") if found is None else Issuer(text(found), found.get("Format", ""))


def statuses(response: etree._Element) -> tuple[str, ...]:
    """Return the status codes, the outer one first; a code that is not of the standard is not repeated."""
    found: list[str] = []
    code = child(response, _STATUS)
    while code is not None and len(found) < 4 and (code := child(code, _STATUS_CODE)) is not None:
        value = code.get("Value", "")
        found.append(value if value in STATUSES else UNKNOWN_STATUS)
    return tuple(found)


def assertion(element: etree._Element) -> Assertion:
    """Read an assertion. Advice, unknown statements and extensions are left where they are (IIP-SP10)."""
    parts: dict[str, list[etree._Element]] = {}
    for each in element:
        parts.setdefault(each.tag, []).append(each)
    # The schema allows one subject and one group of conditions.
    name_id, confirmations = _subject(parts[_SUBJECT][0]) if _SUBJECT in parts else (None, ())
    attributes, set_aside = _attributes(parts.get(_ATTRIBUTES, ()))
    return Assertion(
        id=element.get("ID", ""),
        version=element.get("Version", ""),
        issuer=issuer(element),
        issued_at=_required(instant(element.get("IssueInstant"))),
        name_id=name_id,
        confirmations=confirmations,
        conditions=_conditions(parts[_CONDITIONS][0]) if _CONDITIONS in parts else None,
        authentications=tuple(map(_authentication, parts.get(_AUTHENTICATION, ()))),
        attributes=attributes,
        set_aside=set_aside,
    )


def _subject(element: etree._Element) -> tuple[NameId | None, tuple[Confirmation, ...]]:
    name_id = child(element, _NAME_ID)
    return (
        None if name_id is None else name_id_of(name_id),
        tuple(_confirmation(each) for each in element if each.tag == _CONFIRMATION),
    )


def _confirmation(element: etree._Element) -> Confirmation:
    data = child(element, _CONFIRMATION_DATA)
    said: Mapping[str, str] = {} if data is None else {str(name): str(value) for name, value in data.items()}
    return Confirmation(
        method=element.get("Method", ""),
        recipient=said.get("Recipient", ""),
        not_before=instant(said.get("NotBefore")),
        not_on_or_after=instant(said.get("NotOnOrAfter")),
        in_response_to=said.get("InResponseTo"),
    )


def _conditions(element: etree._Element) -> Conditions:
    return Conditions(
        not_before=instant(element.get("NotBefore")),
        not_on_or_after=instant(element.get("NotOnOrAfter")),
        audiences=tuple(
            tuple(told(each) for each in restriction if each.tag == _AUDIENCE)
            for restriction in element
            if restriction.tag == _RESTRICTION
        ),
        unknown=any(each.tag not in _UNDERSTOOD for each in element),
    )


def _authentication(element: etree._Element) -> Authentication:
    context = child(element, _CONTEXT)
    return Authentication(
        at=_required(instant(element.get("AuthnInstant"))),
        ends_at=instant(element.get("SessionNotOnOrAfter")),
        session=element.get("SessionIndex", ""),
        context="" if context is None else told(child(context, _CONTEXT_CLASS)),
    )


def _attributes(statements: Iterable[etree._Element]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Gather every value under its Name; FriendlyName and xsi:type say nothing (IIP-SP01, SP02).

    A value that is not plain text is no value of ours, and is left out whole. A name of a format that is not known
    is another name, and only told apart.
    """
    found: dict[str, list[str]] = {}
    set_aside: list[str] = []
    for attribute in (each for statement in statements for each in statement if each.tag == _ATTRIBUTE):
        name = attribute.get("Name", "")
        if attribute.get("NameFormat") not in _NAME_FORMATS:
            set_aside.append(name)
        elif name:
            values = found.setdefault(name, [])
            for value in attribute:
                if value.tag == _VALUE and not (len(value) or is_nil(value)):
                    values.append(value.text or "")
    return {name: tuple(values) for name, values in found.items()}, tuple(set_aside)


def _required(moment: datetime | None) -> datetime:
    if moment is None:
        raise AnswerRefused(Code.SAML_TIME, "a time is missing")
    return moment
