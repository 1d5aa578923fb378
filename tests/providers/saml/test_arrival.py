"""What an accepted answer proves about a person, and how anything unforeseen ends."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from lxml import etree

from examples.demo.portals.people import PEOPLE
from examples.demo.portals.saml_messages import BASIC
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, RequestRefused, Unavailable
from imagin_gateway.exchange import Request
from imagin_gateway.providers import attributes
from imagin_gateway.providers.portal import Portal
from imagin_gateway.providers.saml import documents, person, profile, reader, reading, schema, shape, signature
from imagin_gateway.providers.saml.name_id import NameId
from tests.providers.saml import forge
from tests.providers.saml.forge import NOW, PERSON, PORTAL, forged, one, raw
from tests.providers.saml.journey import House

URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"


def test_the_portal_is_what_journeys_expect(there: House) -> None:
    portal: Portal = there.portal
    assert (portal.door, portal.issuer, portal.answer_method) == (forge.DOOR, PORTAL, "POST")


def test_an_accepted_answer_tells_the_person_and_nothing_more(there: House) -> None:
    session_ends_at = NOW + timedelta(hours=8)
    message = forged(session="_session", session_ends_at=session_ends_at)
    arrival = there.come_back(message)
    assert arrival.issuer == PORTAL
    assert arrival.subject == PERSON.login
    assert arrival.method == "saml"
    assert (arrival.family_name, arrival.given_name) == ("LEFÈVRE-NGUYỄN", "Solène")
    assert arrival.email == PERSON.mail
    assert arrival.authenticated_at == NOW - timedelta(minutes=3)
    assert arrival.ends_at == session_ends_at
    assert arrival.portal_session == "_session"
    assert arrival.acr == "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    assert arrival.message_id == one(message, "Assertion").get("ID")
    assert arrival.message_ends_at == NOW + timedelta(minutes=5, seconds=180)
    assert arrival.attributes["rne"] == (PERSON.schools[0],)
    assert len(arrival.attributes["FrEduRne"]) == 2
    kept = {value for values in arrival.attributes.values() for value in values}
    assert "01E9501234ABC" not in kept
    assert not {"employeeNumber", "discim", "grade"} & set(arrival.attributes)
    assert PERSON.login not in repr(arrival)


def test_a_message_is_remembered_until_its_latest_end_and_the_skew(opened: Callable[..., House]) -> None:
    later = NOW + timedelta(hours=10)

    def edit(root: etree._Element) -> None:
        one(root, "Conditions").set("NotOnOrAfter", later.strftime("%Y-%m-%dT%H:%M:%SZ"))

    assert opened(clock_skew_seconds=60).come_back(forged(edit)).message_ends_at == later + timedelta(seconds=60)

    def endless(root: etree._Element) -> None:
        del one(root, "Conditions").attrib["NotOnOrAfter"]

    arrival = opened(clock_skew_seconds=60).come_back(forged(endless))
    assert arrival.message_ends_at == NOW + timedelta(minutes=5, seconds=60)


@pytest.mark.row("SAM-20")
def test_what_is_unknown_is_ignored_and_not_kept(there: House) -> None:
    def edit(root: etree._Element) -> None:
        forge.add_attribute(root, "shoeSize", "secret-42")
        forge.add_attribute(root, "urn:elsewhere:thing", "secret-43", name_format=URI)
        thing = etree.Element("{urn:elsewhere}thing", attrib={"{urn:elsewhere}kind": "secret-44"})
        thing.text = "secret-45"
        forge.extensions(root, thing)
        advice = etree.Element(forge.saml("Advice"))
        etree.SubElement(advice, "{urn:elsewhere}advice").text = "secret-46"
        one(root, "Conditions").addnext(advice)
        context = one(root, "AuthnContext")
        etree.SubElement(context, forge.saml("AuthenticatingAuthority")).text = "urn:secret-47"

    arrival = there.come_back(forged(edit))
    assert arrival.subject == PERSON.login
    plain = there.come_back(forged())
    everything = [repr(getattr(arrival, each.name)) for each in dataclasses.fields(arrival)]
    assert "secret-" not in "".join(everything)
    assert arrival.attributes == plain.attributes


@pytest.mark.row("SAM-21")
def test_attributes_are_matched_by_name_alone(there: House) -> None:
    def swapped(root: etree._Element) -> None:
        for attribute in root.iter(forge.saml("Attribute")):
            attribute.set("FriendlyName", {"ctln": "ctfn", "ctfn": "ctln"}.get(attribute.get("Name", ""), "ctemail"))
        forge.add_attribute(root, "urn:elsewhere:1", "admin").set("FriendlyName", "ct-remote-user")

    arrival = there.come_back(forged(swapped))
    assert (arrival.subject, arrival.family_name, arrival.given_name) == (PERSON.login, "LEFÈVRE-NGUYỄN", "Solène")


@pytest.mark.row("SAM-21")
def test_neither_a_type_nor_a_case_is_needed(there: House) -> None:
    def plain(root: etree._Element) -> None:
        for attribute in root.iter(forge.saml("Attribute")):
            attribute.set("Name", attribute.get("Name", "").upper())
            for value in attribute:
                value.attrib.clear()

    assert there.come_back(forged(plain)).attributes == there.come_back(forged()).attributes


@pytest.mark.row("SAM-21")
@pytest.mark.parametrize("name_format", [BASIC, URI, None, "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"])
def test_several_and_long_values_are_kept_whole(there: House, name_format: str | None) -> None:
    mails = ("solene@ac-creteil.fr", "s.lefevre@ac-creteil.fr")
    long = "é" * 256

    def edit(root: etree._Element) -> None:
        forge.drop_attributes(root, "ctemail", "ctln")
        forge.add_attribute(root, "ctemail", *mails, name_format=name_format)
        forge.add_attribute(root, "ctln", long, name_format=name_format)

    arrival = there.come_back(forged(edit))
    assert arrival.attributes["ctemail"] == mails
    assert arrival.email == mails[0]
    assert arrival.family_name == long


@pytest.mark.row("SAM-21")
def test_a_name_of_a_format_that_is_not_known_is_another_name(there: House) -> None:
    def edit(root: etree._Element) -> None:
        forge.drop_attributes(root, "ctln")
        forge.add_attribute(root, "ctln", "OTHER", name_format="urn:elsewhere:format")

    assert there.come_back(forged(edit)).family_name == ""


def test_values_that_are_no_text_are_no_values(there: House) -> None:
    def edit(root: etree._Element) -> None:
        forge.drop_attributes(root, "ctln", "ctfn")
        nested = forge.add_attribute(root, "ctln", "")
        etree.SubElement(nested[0], forge.saml("NameID")).text = "nested"
        forge.nil(forge.add_attribute(root, "ctfn", "")[0])

    arrival = there.come_back(forged(edit))
    assert (arrival.family_name, arrival.given_name) == ("", "")


@pytest.mark.row("SAM-22")
def test_a_name_id_is_not_needed(there: House) -> None:
    arrival = there.come_back(forged(lambda root: forge.without(one(root, "NameID"))))
    assert (arrival.subject, arrival.name_id) == (PERSON.login, "")


@pytest.mark.row("SAM-22")
def test_a_name_id_that_changes_at_each_login_changes_nobody(there: House) -> None:
    first, second = (there.come_back(forged(name_id=name)) for name in ("_transient-1", "_transient-2"))
    assert (first.issuer, first.subject) == (second.issuer, second.subject)
    assert first.name_id != second.name_id
    assert NameId.read(first.name_id) == NameId(
        "_transient-1",
        format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
        sp_name_qualifier=forge.METADATA,
    )


def test_the_subject_is_the_configured_attribute(opened: Callable[..., House]) -> None:
    there = opened(subject_attribute="CTEMAIL")
    assert there.come_back(forged()).subject == PERSON.mail


@pytest.mark.parametrize("values", [(), ("",), ("  ",), ("X",), ("one", "two"), ("01E9501234ABC",), ("a\nb",)])
def test_without_one_usable_subject_nobody_is_authenticated(there: House, values: tuple[str, ...]) -> None:
    error = there_refuses(there, {**PERSON.attributes, "ct-remote-user": values})
    assert (error.code, error.missing) == (Code.ATTRIBUTE_MISSING, ("ct-remote-user",))


def there_refuses(there: House, told: dict[str, tuple[str, ...]]) -> AnswerRefused:
    with pytest.raises(AnswerRefused) as caught:
        there.come_back(forged(attributes=told))
    return caught.value


def test_every_required_attribute_that_lacks_is_named(opened: Callable[..., House]) -> None:
    there = opened(required_attributes=("CTEmail", "rne", "FrEduRne", "badge", "ctln"))
    told = {**PERSON.attributes, "ctemail": ("X",), "rne": ("0939902A",), "FrEduRne": ("0939902H$UAJ",)}
    error = there_refuses(there, told)
    assert (error.code, error.missing) == (Code.ATTRIBUTE_MISSING, ("CTEmail", "rne", "FrEduRne", "badge"))
    whole = {**PERSON.attributes, "badge": ("7",)}
    assert there.come_back(forged(attributes=whole)).subject == PERSON.login


@pytest.mark.parametrize("codaca", ["24", "024", "0024"[1:], " 24 "])
def test_the_code_of_the_academie_is_a_number(there: House, codaca: str) -> None:
    assert there.come_back(forged(attributes={**PERSON.attributes, "codaca": (codaca,)})).subject == PERSON.login


@pytest.mark.parametrize("codaca", [("1",), ("25",), ("24", "1"), ("024x",), ("2 4",), ("-24",), ("٢٤",), ("24.0",)])
def test_a_portal_speaks_for_its_own_academie_only(there: House, codaca: tuple[str, ...]) -> None:
    assert there_refuses(there, {**PERSON.attributes, "codaca": codaca}).code is Code.SCOPE_VIOLATION
    other_case = {**PERSON.attributes, "CODACA": codaca}
    assert there_refuses(there, other_case).code is Code.SCOPE_VIOLATION


def test_without_a_code_or_without_the_setting_nothing_is_compared(opened: Callable[..., House]) -> None:
    for codaca in ((), ("X",), ("",)):
        assert opened().come_back(forged(attributes={**PERSON.attributes, "codaca": codaca})).subject == PERSON.login
    elsewhere = PEOPLE["arena-paris"][0].attributes
    assert opened(academie=None).come_back(forged(attributes=elsewhere)).attributes["codaca"] == ("1",)


def test_the_way_back_to_the_portal_is_kept_for_its_own_host_only(there: House) -> None:
    def told(url: str) -> tuple[str, ...]:
        message = forged(attributes={**PERSON.attributes, "FrEduURLretour": (url,)})
        return there.come_back(message).attributes.get("FrEduUrlRetour", ())

    fine = "https://idp.ac-creteil.example/arena"
    assert told(fine) == (fine,)
    for url in ("https://evil.example/", "https://idp.ac-creteil.example@evil.example/", "javascript:alert(1)", "//x"):
        assert told(url) == ()


# --- the request that brings it


def test_an_answer_comes_by_post(there: House) -> None:
    for method in ("GET", "HEAD", "PUT"):
        with pytest.raises(RequestRefused) as caught:
            there.portal.arrive(forge.posted(forged(), method=method), there.memories, NOW)
        assert caught.value.code is Code.METHOD_NOT_ALLOWED
    assert there.memories.asked == []


@pytest.mark.parametrize("body", [b"", b"SAMLResponse=", b"SAMLRequest=PGEvPg%3D%3D", b"samlresponse=PGEvPg%3D%3D"])
def test_a_form_without_an_answer_is_refused(there: House, body: bytes) -> None:
    request = Request("POST", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=body)
    with pytest.raises(RequestRefused) as caught:
        there.portal.arrive(request, there.memories, NOW)
    assert caught.value.code is Code.MALFORMED


def test_an_answer_in_the_address_is_not_read(there: House) -> None:
    form = forge.posted(forged())
    moved = dataclasses.replace(form, query_string=form.body, body=b"a=b")
    with pytest.raises(RequestRefused):
        there.portal.arrive(moved, there.memories, NOW)


def test_two_answers_in_one_form_are_refused(there: House) -> None:
    form = forge.posted(forged())
    doubled = dataclasses.replace(form, body=form.body + b"&" + form.body)
    with pytest.raises(RequestRefused) as caught:
        there.portal.arrive(doubled, there.memories, NOW)
    assert caught.value.code is Code.PARAMETER_REPEATED


def test_a_relay_state_too_long_is_dropped(opened: Callable[..., House]) -> None:
    there = opened(unsolicited=True)
    assert there.come_back(forged(in_response_to=None), relay="/" + "a" * 5000).relay == ""


# --- fail closed


CHECKS = [
    (documents, "decoded"),
    (documents, "parse"),
    (documents, "_check_tree"),
    (schema, "is_valid"),
    (shape, "message"),
    (shape, "check_identifiers"),
    (shape, "check_signature"),
    (signature, "signed_bytes"),
    (reader, "check_same"),
    (reading, "envelope"),
    (reading, "assertion"),
    (person, "subject"),
    (person, "map_attributes"),
    *((profile, name) for name in vars(profile) if name.startswith("check_")),
]


@pytest.mark.parametrize(("module", "name"), CHECKS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_check_that_breaks_is_a_check_that_fails(
    there: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: object, name: str
) -> None:
    def breaks(*_: object, **__: object) -> object:
        raise RuntimeError(f"broken on {PERSON.login}")

    monkeypatch.setattr(module, name, breaks)
    with caplog.at_level(logging.DEBUG), pytest.raises(AnswerRefused) as caught:
        there.come_back(forged())
    assert caught.value.code is Code.MALFORMED
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert PERSON.login not in caplog.text
    assert "RuntimeError" in caplog.text


def test_the_memory_says_no_in_its_own_words(there: House) -> None:
    def lost(_: str) -> dict[str, str]:
        raise FlowLost("the journey began in another browser", code=Code.FLOW_OTHER_BROWSER)

    def away(_: str) -> dict[str, str]:
        raise Unavailable

    with pytest.raises(FlowLost) as caught:
        there.portal.arrive(forge.posted(forged()), lost, NOW)
    assert caught.value.code is Code.FLOW_OTHER_BROWSER
    with pytest.raises(Unavailable):
        there.portal.arrive(forge.posted(forged()), away, NOW)


def test_nothing_of_a_message_is_logged(there: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        there.come_back(forged())
        there.code(raw(forged())[:-20])
        there.code(forged(key=forge.keys("attacker")))
    assert PERSON.login not in caplog.text
    assert PORTAL not in caplog.text


def test_many_threads_share_one_portal(opened: Callable[..., House]) -> None:
    there = opened(unsolicited=True, require_signed="both")
    people = PEOPLE["arena-creteil"] * 8
    genuine = [forge.posted(forged(in_response_to=None, attributes=each.attributes)) for each in people]
    spoilt = forge.posted(forged(in_response_to=None, key=forge.keys("attacker")))

    def login(request: Request) -> str:
        try:
            return there.portal.arrive(request, there.memories, NOW).subject
        except AnswerRefused as error:
            return error.code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(login, [each for request in genuine for each in (request, spoilt)]))
    assert found[0::2] == [each.login for each in people]
    assert set(found[1::2]) == {Code.SAML_SIGNATURE}


def test_the_numen_is_never_an_identifier() -> None:
    assert attributes.subject({"employeeNumber": ["jdupont"]}, "employeeNumber") == ""
