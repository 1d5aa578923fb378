"""The shape of messages, asked alone: what stands behind it would refuse most of this once more."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from lxml import etree

from examples.demo.portals.saml_messages import sign
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import shape
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import ds, keys, one, saml, samlp

Check = Callable[[etree._Element], None]


def told(call: Callable[[], object], code: Code = Code.SAML_SHAPE) -> str:
    with pytest.raises(AnswerRefused) as refused:
        call()
    assert refused.value.code is code
    return str(refused.value)


def why(found: etree._Element) -> str:
    return told(lambda: shape.check_signature(found))


def signature(prefixes: str = "xs") -> etree._Element:
    """Return the signature of a genuine answer, where it stands."""
    found = forge.forged(signed="response", prefixes=prefixes).find(ds("Signature"))
    assert found is not None
    shape.check_signature(found)
    return found


# messages


def test_what_is_not_a_response_is_refused_for_that_alone() -> None:
    root = forge.forged(signed="response")
    root.tag = samlp("LogoutResponse")
    assert told(lambda: shape.message(root)) == "the message is not a Response"


def test_a_refusal_of_the_portal_is_told_only_when_it_brings_no_assertion() -> None:
    def no(root: etree._Element) -> None:
        one(root, "StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")

    with_one = forge.forged(no, signed="response")
    assert shape.message(with_one).assertion is not None
    without = forge.forged(no, signed="response")
    forge.without(one(without, "Assertion"))
    assert told(lambda: shape.message(without), Code.PORTAL_REFUSED) == "the portal refused the login"
    yes = forge.forged(signed="response")
    forge.without(one(yes, "Assertion"))
    assert told(lambda: shape.message(yes)) == "there is not exactly one assertion, in the Response itself"


@pytest.mark.row("SAM-08")
@pytest.mark.parametrize("name", [saml("Assertion"), saml("EncryptedAssertion"), samlp("Response")])
def test_an_assertion_that_was_encrypted_holds_no_other_message(name: str) -> None:
    assertion = one(forge.forged(signed="assertion"), "Assertion")
    assert shape.decrypted(assertion, ()) is assertion.find(ds("Signature"))
    etree.SubElement(one(assertion, "AttributeValue"), name)
    assert told(lambda: shape.decrypted(assertion, ())) == "an assertion holds another one"


def test_the_signature_of_an_assertion_that_was_encrypted_has_its_shape_too() -> None:
    assertion = one(forge.forged(signed="assertion"), "Assertion")
    one(assertion, "Reference").set("URI", "")
    assert told(lambda: shape.decrypted(assertion, ())) == "a signature does not name the element that holds it"


# logout messages


def sealed() -> etree._Element:
    root = logouts.request()
    sign(root, keys("portal"))
    return etree.fromstring(etree.tostring(root))


@pytest.mark.row("LGO-13")
def test_a_logout_message_that_is_signed_is_the_one_that_was_looked_for() -> None:
    root = sealed()
    assert shape.sealed(root, "LogoutRequest") is root.find(ds("Signature"))
    assert told(lambda: shape.sealed(root, "LogoutResponse")) == "the message is another than was looked for"


@pytest.mark.parametrize(
    "name", [samlp("LogoutRequest"), samlp("LogoutResponse"), samlp("Response"), saml("Assertion")]
)
def test_a_logout_message_holds_no_other_message(name: str) -> None:
    root = logouts.request()
    shape.check_plain(root, "LogoutRequest")
    etree.SubElement(etree.SubElement(root, samlp("Extensions")), name)
    assert told(lambda: shape.check_plain(root, "LogoutRequest")) == "a message holds another one"


def test_a_logout_message_names_nothing_twice() -> None:
    root = logouts.request()
    etree.SubElement(etree.SubElement(root, samlp("Extensions")), "{urn:x}y", ID=root.get("ID", ""))
    assert told(lambda: shape.check_plain(root, "LogoutRequest")) == "an ID stands twice"


# signatures


def test_a_signature_that_stands_alone_signs_nothing() -> None:
    assert why(copy.deepcopy(signature())) == "a signature does not sign exactly one thing"


@pytest.mark.row("SAM-09")
@pytest.mark.parametrize("uri", ["", "#", "#x"])
def test_a_signature_in_an_element_without_a_name_names_nothing(uri: str) -> None:
    found = signature()
    parent = found.getparent()
    assert parent is not None
    del parent.attrib["ID"]
    one(found, "Reference").set("URI", uri)
    assert why(found) == "a signature does not name the element that holds it"


@pytest.mark.parametrize("name", ["Transforms", "DigestMethod", "DigestValue"])
def test_a_reference_holds_its_three_parts_and_no_more(name: str) -> None:
    less, more = signature(), signature()
    forge.without(one(less, name))
    one(more, "Reference").append(copy.deepcopy(one(more, name)))
    for found in (less, more):
        assert why(found) == "a reference holds something unexpected"


def _text(element: etree._Element) -> None:
    element.text = " x "


def _child(element: etree._Element) -> None:
    etree.SubElement(element, "{urn:x}y")


@pytest.mark.parametrize("spoil", [_text, _child])
def test_a_canonicalisation_has_no_parameters_but_prefixes(spoil: Check) -> None:
    for place in range(2):
        found = signature()
        spoil((one(found, "CanonicalizationMethod"), forge.every(found, "Transform")[1])[place])
        assert why(found) == "a canonicalisation has parameters of its own"


@pytest.mark.parametrize("spoil", [_text, _child])
@pytest.mark.parametrize("name", ["SignatureMethod", "DigestMethod", "InclusiveNamespaces", "Transform"])
def test_a_method_has_no_parameters(name: str, spoil: Check) -> None:
    found = signature()
    spoil(one(found, name))
    assert why(found) == "a method has parameters"


def test_spaces_between_the_parts_of_a_method_are_no_parameters() -> None:
    found = signature()
    for name in ("SignatureMethod", "DigestMethod", "InclusiveNamespaces", "Transform", "CanonicalizationMethod"):
        one(found, name).text = "\n  "
    shape.check_signature(found)


def test_a_signature_keeps_up_to_thirty_two_prefixes() -> None:
    most = " ".join(f"p{number}" for number in range(32))
    found = signature()
    one(found, "InclusiveNamespaces").set("PrefixList", most)
    shape.check_signature(found)
    assert shape.prefixes(one(found, "Reference")) == most.split()
    one(found, "InclusiveNamespaces").set("PrefixList", most + " p32")
    assert why(found) == "a canonicalisation keeps too many prefixes"


def test_a_signature_that_names_no_prefix_keeps_none() -> None:
    without, empty = signature(prefixes=""), signature()
    del one(empty, "InclusiveNamespaces").attrib["PrefixList"]
    for found in (without, empty):
        shape.check_signature(found)
        assert shape.prefixes(one(found, "Reference")) == []
