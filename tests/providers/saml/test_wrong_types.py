"""An attribute of an assertion that is no text, in every form XML has for it, is no value (row INP-09)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from lxml import etree

from examples.demo.portals.saml_messages import XSI
from imagin_gateway.errors import Code
from tests.providers.saml import forge
from tests.providers.saml.forge import PERSON, forged, saml
from tests.providers.saml.journey import House

pytestmark = pytest.mark.row("INP-09")

Form = Callable[[etree._Element], None]


def _nested(value: etree._Element) -> None:
    etree.SubElement(value, saml("NameID")).text = "x"


def _mixed(value: etree._Element) -> None:
    value.text = "x"
    etree.SubElement(value, "{urn:elsewhere}part").tail = "y"


def _deep(value: etree._Element) -> None:
    for _ in range(3):
        value = etree.SubElement(value, "{urn:elsewhere}list")
    value.text = "x"


def _nothing(value: etree._Element) -> None:
    value.set(f"{{{XSI}}}nil", "1")


def _empty(value: etree._Element) -> None:
    value.text = ""


def _blank(value: etree._Element) -> None:
    value.text = " \u00a0\n"


NO_TEXT: Final[dict[str, Form]] = {
    "an element": _nested,
    "text and an element": _mixed,
    "a list of lists": _deep,
    "nil": _nothing,
    "empty": _empty,
    "blank": _blank,
}


def telling(name: str, form: Form) -> Callable[[etree._Element], None]:
    """Return what makes a message tell an attribute in that form, and in no other."""

    def edit(root: etree._Element) -> None:
        forge.drop_attributes(root, name)
        form(forge.add_attribute(root, name, "")[0])

    return edit


@pytest.mark.parametrize("form", NO_TEXT.values(), ids=NO_TEXT)
def test_an_attribute_that_is_no_text_has_no_value(there: House, form: Form) -> None:
    for name, field in (("ctln", "family_name"), ("ctfn", "given_name"), ("ctemail", "email")):
        arrival = there.come_back(forged(telling(name, form)))
        assert getattr(arrival, field) == ""
        assert name not in arrival.attributes
        assert arrival.subject == PERSON.login


@pytest.mark.parametrize("form", NO_TEXT.values(), ids=NO_TEXT)
def test_what_tells_people_apart_is_a_text(there: House, form: Form) -> None:
    assert there.refuses(forged(telling("ct-remote-user", form))).code is Code.ATTRIBUTE_MISSING
