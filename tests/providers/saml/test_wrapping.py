"""Signature wrapping: a genuine signature, and other content than what it covers."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable

import pytest
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import decryption, reader, shape, signature
from tests.providers.saml import forge
from tests.providers.saml.forge import NESTS, forged, one
from tests.providers.saml.journey import House

Wrap = Callable[[etree._Element], etree._Element]

OF_RESPONSE = [forge.xsw1, forge.xsw2]
OF_ASSERTION = [forge.xsw3, forge.xsw4, forge.xsw5, forge.xsw6, forge.xsw7, forge.xsw8]
ALL = [(wrap, "response") for wrap in OF_RESPONSE] + [(wrap, "assertion") for wrap in OF_ASSERTION]

FLOORS = {Code.SAML_SCHEMA, Code.SAML_SHAPE}


def _name(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.row("SAM-02")
@pytest.mark.parametrize(("wrap", "signed"), ALL, ids=_name)
def test_each_of_the_eight_wrappings_is_refused(opened: Callable[..., House], wrap: Wrap, signed: str) -> None:
    for signatures in (signed, "both"):
        there = opened(require_signed=signed)
        genuine = forged(signed=signatures)
        assert there.come_back(genuine).subject == forge.PERSON.login
        assert there.code(wrap(copy.deepcopy(genuine))) in FLOORS


@pytest.mark.parametrize(("wrap", "signed"), ALL, ids=_name)
def test_each_wrapping_is_refused_by_its_shape_alone(wrap: Wrap, signed: str) -> None:
    """The schema is one floor, not the only one."""
    with pytest.raises(AnswerRefused) as caught:
        shape.message(wrap(forged(signed=signed)))
    assert caught.value.code is Code.SAML_SHAPE


def _false(*, signed: bool) -> etree._Element:
    """Return a message that tells somebody else, as an attacker would sign it."""
    false = forged(
        lambda root: setattr(forge.value_of(root, "ct-remote-user"), "text", "admin"),
        signed="both" if signed else "nothing",
        key=forge.keys("attacker"),
    )
    false.set("ID", "_evil-response")
    return false


@pytest.mark.parametrize("part", ["Response", "Assertion"])
@pytest.mark.parametrize("signed", [False, True], ids=["one-signature", "two-signatures"])
@pytest.mark.parametrize("nest", NESTS, ids=str)
def test_a_genuine_message_nested_in_another_lends_it_nothing(
    opened: Callable[..., House], nest: str, signed: bool, part: str
) -> None:
    for required in ("response", "assertion", "both"):
        there = opened(require_signed=required)
        false = _false(signed=signed)
        NESTS[nest](false, one(forged(), part))
        assert there.code(false) in FLOORS
        with pytest.raises(AnswerRefused) as caught:
            shape.message(false)
        assert caught.value.code is Code.SAML_SHAPE


@pytest.mark.parametrize("first", [True, False], ids=["genuine-first", "genuine-last"])
def test_of_two_assertions_neither_is_read(by_assertion: House, first: bool) -> None:
    root = forged(signed="assertion")
    genuine = one(root, "Assertion")
    false = forge.evil(genuine)
    if first:
        genuine.addnext(false)
    else:
        genuine.addprevious(false)
    assert by_assertion.code(root) is Code.SAML_SHAPE


def test_two_genuine_assertions_are_refused_as_well(there: House) -> None:
    def doubled(root: etree._Element) -> None:
        second = copy.deepcopy(one(root, "Assertion"))
        second.set("ID", "_second")
        root.append(second)

    assert there.code(forged(doubled, signed="response")) is Code.SAML_SHAPE


@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_two_signatures_on_one_element_are_refused(there: House, place: int) -> None:
    root = forged(signed="response")
    signature = one(root, "Signature")
    second = copy.deepcopy(signature)
    if place == 0:
        signature.addprevious(second)
    else:
        root.append(second)
    assert there.code(root) in FLOORS
    with pytest.raises(AnswerRefused, match="two signatures"):
        shape.message(root)


def test_a_signature_of_the_assertion_moved_to_the_response_signs_neither(there: House) -> None:
    root = forged(signed="assertion")
    root.insert(1, one(root, "Signature"))
    assert there.code(root) is Code.SAML_SHAPE


@pytest.mark.row("SAM-02")
def test_an_id_that_stands_twice_is_refused(there: House) -> None:
    def twice(root: etree._Element) -> None:
        one(root, "Assertion").set("ID", root.get("ID", ""))

    assert there.code(forged(twice, signed="response")) in FLOORS
    root = forged(signed="response")
    extra = etree.Element("{urn:elsewhere}thing", attrib={"Id": root.get("ID", "")})
    forge.extensions(root, extra)
    assert there.code(root) is Code.SAML_SHAPE


def test_an_element_named_by_xml_id_is_refused(there: House) -> None:
    xml_id = "{http://www.w3.org/XML/1998/namespace}id"

    def named(root: etree._Element) -> None:
        forge.extensions(root, etree.Element("{urn:elsewhere}thing", attrib={xml_id: "_other"}))

    assert there.code(forged(named)) is Code.SAML_SHAPE


@pytest.mark.row("SAM-02")
def test_a_signed_element_moved_elsewhere_is_refused(by_assertion: House) -> None:
    """The genuine, signed assertion anywhere but in the Response itself."""
    root = forged(signed="assertion")
    genuine = one(root, "Assertion")
    forge.without(genuine)
    forge.extensions(root, genuine)
    assert by_assertion.code(root) is Code.SAML_SHAPE


def test_a_response_inside_another_is_refused_though_it_says_nothing(there: House) -> None:
    def edit(root: etree._Element) -> None:
        inner = forge.unsigned(root)
        inner.set("ID", "_inner")
        forge.without(one(inner, "Assertion"))
        forge.in_status_detail(root, inner)

    assert there.code(forged(edit)) is Code.SAML_SHAPE


@pytest.mark.parametrize("place", ["StatusDetail", "Extensions", "Advice"])
def test_a_signature_where_none_is_expected_is_refused(opened: Callable[..., House], place: str) -> None:
    """Whoever looks for "the first signature" of a document must find the right one, or none."""
    for signed in ("response", "assertion"):
        there = opened(require_signed=signed)
        root = forged(signed=signed)
        NESTS[place](root, copy.deepcopy(one(root, "Signature")))
        assert there.code(root) is Code.SAML_SHAPE


@pytest.mark.row("SAM-02")
@pytest.mark.parametrize("signed", ["response", "assertion"])
def test_the_person_is_read_from_what_the_signature_covers_wherever_one_looks(
    monkeypatch: pytest.MonkeyPatch, signed: str
) -> None:
    """Were the search for the assertion fooled, what the signature covers would still be what is read."""
    root = forged(signed=signed)
    false = forge.evil(one(root, "Assertion"))
    misled = shape.Message(
        response=root,
        assertion=false,
        response_signature=root.find(forge.ds("Signature")),
        assertion_signature=one(root, "Assertion").find(forge.ds("Signature")),
        encrypted=None,
        identifiers=frozenset(),
    )
    monkeypatch.setattr(shape, "message", lambda _: misled)
    verified = reader.read(
        base64.b64encode(forge.raw(root)).decode(),
        issuer=forge.PORTAL,
        keys=[signature.VerificationKey(forge.keys("portal").certificate.public_key())],
        require_signed="response" if signed == "response" else "assertion",
        decryption_keys=decryption.Keys(()),
    )
    assert verified.assertion.attributes["ct-remote-user"] == (forge.PERSON.login,)
    assert verified.envelope.signed is (signed == "response")
