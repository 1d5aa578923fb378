"""What is read of a message, element by element: all that is there, and nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import reading
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.reading import (
    Assertion,
    Authentication,
    Conditions,
    Confirmation,
    Envelope,
    Issuer,
)

SPACES = (
    'xmlns="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:o="urn:other"'
)
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
DENIED = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"
BASIC = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"


def parsed(text: str) -> etree._Element:
    name, _, rest = text[1:].partition(">")
    end = "/" if name.endswith("/") else ""
    return etree.fromstring(f"<{name.removesuffix('/')} {SPACES}{end}>{rest}")


def at(second: int) -> datetime:
    return datetime(2026, 12, 14, 8, 0, second, tzinfo=UTC)


def code(call: Callable[[], object]) -> Code:
    with pytest.raises(AnswerRefused) as refused:
        call()
    return refused.value.code


def test_a_response_that_says_little_is_read_as_little() -> None:
    assert reading.envelope(parsed('<p:Response IssueInstant="2026-12-14T08:00:01Z"/>'), signed=False) == Envelope(
        signed=False,
        version="",
        issuer=Issuer("", ""),
        issued_at=at(1),
        destination="",
        in_response_to=None,
        statuses=(),
    )


def test_a_response_is_read_whole() -> None:
    found = parsed(
        '<p:Response IssueInstant="2026-12-14T08:00:01Z" Version="2.0" Destination="https://d" InResponseTo="_r">'
        '<Issuer Format="urn:f"> https://i </Issuer>'
        f'<p:Status><p:StatusCode Value="{RESPONDER}"><p:StatusCode Value="{DENIED}"><p:StatusCode Value="urn:x"/>'
        "</p:StatusCode></p:StatusCode></p:Status></p:Response>"
    )
    assert reading.envelope(found, signed=True) == Envelope(
        signed=True,
        version="2.0",
        issuer=Issuer(" https://i ", "urn:f"),
        issued_at=at(1),
        destination="https://d",
        in_response_to="_r",
        statuses=(RESPONDER, DENIED, "unknown"),
    )


@pytest.mark.parametrize("depth", [1, 3, 4, 5])
def test_four_status_codes_are_read(depth: int) -> None:
    codes = "<p:StatusCode>" * depth + "</p:StatusCode>" * depth
    assert reading.statuses(parsed(f"<p:Response><p:Status>{codes}</p:Status></p:Response>")) == ("unknown",) * min(
        depth, 4
    )
    assert reading.statuses(parsed("<p:Response><p:Status/></p:Response>")) == ()


def test_a_response_without_its_time_is_refused() -> None:
    for told in ("", ' IssueInstant="now"', ' IssueInstant=""'):
        found = parsed(f"<p:Response{told}/>")
        assert code(lambda found=found: reading.envelope(found, signed=True)) is Code.SAML_TIME  # type: ignore[misc]


def test_an_assertion_that_says_little_is_read_as_little() -> None:
    assert reading.assertion(parsed('<Assertion IssueInstant="2026-12-14T08:00:01Z"/>')) == Assertion(
        id="",
        version="",
        issuer=Issuer("", ""),
        issued_at=at(1),
        name_id=None,
        confirmations=(),
        conditions=None,
        authentications=(),
        attributes={},
    )


def test_an_assertion_is_read_whole() -> None:
    found = parsed(
        '<Assertion IssueInstant="2026-12-14T08:00:01Z" ID="_a" Version="2.0"><Issuer>https://i</Issuer>'
        '<Subject><NameID Format="urn:n" NameQualifier="q" SPNameQualifier="s" SPProvidedID="p">who</NameID>'
        '<SubjectConfirmation Method="urn:m1"/><SubjectConfirmation Method="urn:m2"><SubjectConfirmationData'
        ' Recipient="https://r" NotBefore="2026-12-14T08:00:02Z" NotOnOrAfter="2026-12-14T08:00:03.25Z"'
        ' InResponseTo="_r"/></SubjectConfirmation></Subject>'
        '<Conditions NotBefore="2026-12-14T08:00:04Z" NotOnOrAfter="2026-12-14T08:00:05+00:00">'
        "<AudienceRestriction><Audience> a </Audience><Audience>b</Audience></AudienceRestriction>"
        "<OneTimeUse/><AudienceRestriction><Audience>c</Audience></AudienceRestriction><ProxyRestriction/></Conditions>"
        '<AuthnStatement AuthnInstant="2026-12-14T08:00:06Z"/>'
        '<AuthnStatement AuthnInstant="2026-12-14T08:00:07Z" SessionNotOnOrAfter="2026-12-14T08:00:08Z"'
        ' SessionIndex="_s"><AuthnContext><AuthnContextClassRef> urn:c </AuthnContextClassRef></AuthnContext>'
        "</AuthnStatement>"
        f'<AttributeStatement><Attribute Name="one" NameFormat="{BASIC}" FriendlyName="f">'
        '<AttributeValue>x</AttributeValue><AttributeValue/><AttributeValue xsi:nil="true"/>'
        "<AttributeValue><o:y/></AttributeValue><o:AttributeValue>z</o:AttributeValue></Attribute>"
        "<o:Attribute Name='four'><AttributeValue>4</AttributeValue></o:Attribute></AttributeStatement>"
        '<AttributeStatement><Attribute Name="one"><AttributeValue>w</AttributeValue></Attribute>'
        "<Attribute><AttributeValue>t</AttributeValue></Attribute>"
        '<Attribute Name="two"/><Attribute Name=""><AttributeValue>v</AttributeValue></Attribute>'
        '<Attribute Name="three" NameFormat="urn:odd"><AttributeValue>u</AttributeValue></Attribute>'
        "</AttributeStatement></Assertion>"
    )
    quarter = datetime(2026, 12, 14, 8, 0, 3, 250_000, tzinfo=UTC)
    assert reading.assertion(found) == Assertion(
        id="_a",
        version="2.0",
        issuer=Issuer("https://i", ""),
        issued_at=at(1),
        name_id=NameId("who", "urn:n", "q", "s", "p"),
        confirmations=(
            Confirmation("urn:m1", "", None, None, None),
            Confirmation("urn:m2", "https://r", at(2), quarter, "_r"),
        ),
        conditions=Conditions(at(4), at(5), (("a", "b"), ("c",)), unknown=False),
        authentications=(Authentication(at(6), None, "", ""), Authentication(at(7), at(8), "_s", "urn:c")),
        attributes={"one": ("x", "", "w"), "two": ()},
        set_aside=("three",),
    )


def test_conditions_that_say_nothing_limit_nothing_and_one_that_is_not_understood_is_seen() -> None:
    def conditions(content: str) -> Conditions | None:
        found = parsed(f'<Assertion IssueInstant="2026-12-14T08:00:01Z"><Conditions>{content}</Conditions></Assertion>')
        return reading.assertion(found).conditions

    assert conditions("") == Conditions(None, None, (), unknown=False)
    assert conditions("<AudienceRestriction/>") == Conditions(None, None, ((),), unknown=False)
    assert conditions("<AudienceRestriction><Audience/></AudienceRestriction>") == Conditions(
        None, None, (("",),), unknown=False
    )
    assert conditions("<Condition/>") == Conditions(None, None, (), unknown=True)
    assert conditions("<OneTimeUse/><o:Condition/>") == Conditions(None, None, (), unknown=True)


def test_a_subject_may_have_no_name_and_an_authentication_no_context() -> None:
    found = parsed(
        '<Assertion IssueInstant="2026-12-14T08:00:01Z"><Subject><EncryptedID/><SubjectConfirmation Method="urn:m"/>'
        "<SubjectConfirmation/>"
        '</Subject><AuthnStatement AuthnInstant="2026-12-14T08:00:02Z"><AuthnContext/></AuthnStatement></Assertion>'
    )
    told = reading.assertion(found)
    assert told.name_id is None
    assert told.confirmations == tuple(Confirmation(method, "", None, None, None) for method in ("urn:m", ""))
    assert told.authentications == (Authentication(at(2), None, "", ""),)


def test_an_authentication_without_its_time_is_refused() -> None:
    found = parsed('<Assertion IssueInstant="2026-12-14T08:00:01Z"><AuthnStatement/></Assertion>')
    assert code(lambda: reading.assertion(found)) is Code.SAML_TIME


@pytest.mark.parametrize(
    "value",
    [
        *("2026-12-14T08:00:01", "2026-12-14T08:00:01+01:00", "2026-12-14 08:00:01Z", "2026-12-14T08:00Z", ""),
        *("2026-13-14T08:00:01Z", "2026-12-14T25:00:01Z", " 2026-12-14T08:00:01Z", "2026-12-14T08:00:01.Z"),
        "2026-12-14T08:00:01.1234567890123Z",
    ],
)
def test_a_time_that_cannot_be_read_is_refused(value: str) -> None:
    assert code(lambda: reading.instant(value)) is Code.SAML_TIME


def test_a_time_is_read_to_the_microsecond_and_none_is_none() -> None:
    assert reading.instant(None) is None
    assert reading.instant("2026-12-14T08:00:01.123456789012Z") == datetime(2026, 12, 14, 8, 0, 1, 123_456, tzinfo=UTC)


def test_names_and_values_stay_out_of_logs() -> None:
    found = parsed(
        '<Assertion IssueInstant="2026-12-14T08:00:01Z"><AttributeStatement><Attribute Name="n">'
        "<AttributeValue>canari</AttributeValue></Attribute></AttributeStatement></Assertion>"
    )
    assert "canari" not in repr(reading.assertion(found))
