"""Change a genuine message anywhere: it is refused, or what is read is exactly what was signed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from imagin_gateway.errors import AnswerRefused, FlowLost, RequestRefused
from imagin_gateway.providers.portal import Arrival
from imagin_gateway.providers.saml import schema
from tests.providers.saml import forge
from tests.providers.saml.forge import forged, raw
from tests.providers.saml.journey import House, house

Change = Callable[[etree._Element, st.DataObject], None]

SIGNED = ("response", "assertion", "both")
INTERESTING = [
    *(
        b"<!-- -->",
        b"<?a b?>",
        b"<![CDATA[",
        b"]]>",
        b"&#46;",
        b"&amp;",
        b"<a/>",
        b"</a>",
        b'"',
        b"'",
        b">",
        b"<",
        b"=",
    ),
    *(b"admin", b"ID", b"#", b"xmlns", b"\x00", b"\xef\xbb\xbf", b"\r\n", b" ", b"\xff", b"saml:", b"2099"),
]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[House, etree._Element, Arrival]]:
    """A portal for each thing that may be signed, a genuine message for it, and what that message proves."""
    found = {}
    for signed in SIGNED:
        folder: Path = tmp_path_factory.mktemp(signed)
        there = house(folder, require_signed=signed, unsolicited=True)
        message = forged(signed=signed, in_response_to=None)
        found[signed] = (there, message, there.come_back(message))
    return found


def holds(there: House, message: bytes, proved: Arrival) -> None:
    """Bring a changed message: nothing else than what was signed may come out."""
    try:
        arrival = there.come_back(message)
    except (AnswerRefused, FlowLost, RequestRefused):
        return
    # Every field of both is compared.
    assert arrival == proved


@settings(max_examples=400)
@given(signed=st.sampled_from(SIGNED), data=st.data())
def test_bytes_changed_anywhere(
    doors: dict[str, tuple[House, etree._Element, Arrival]], signed: str, data: st.DataObject
) -> None:
    there, message, proved = doors[signed]
    spoilt = bytearray(raw(message))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(spoilt) - 1))
        length = data.draw(st.integers(0, 40))
        match data.draw(st.sampled_from(["replace", "insert", "delete", "copy", "flip"])):
            case "replace":
                spoilt[place : place + length] = data.draw(st.binary(max_size=8))
            case "insert":
                spoilt[place:place] = data.draw(st.sampled_from(INTERESTING))
            case "delete":
                del spoilt[place : place + max(1, length)]
            case "copy":
                other = data.draw(st.integers(0, len(spoilt)))
                spoilt[other:other] = spoilt[place : place + length * 20]
            case _:
                spoilt[place] ^= 1 << data.draw(st.integers(0, 7))
        if not spoilt:
            break
    holds(there, bytes(spoilt), proved)


def _any(root: etree._Element, data: st.DataObject) -> etree._Element:
    return data.draw(st.sampled_from(list(root.iter("*"))), label="element")


def remove(root: etree._Element, data: st.DataObject) -> None:
    element = _any(root, data)
    if element is not root:
        forge.without(element)


def move(root: etree._Element, data: st.DataObject) -> None:
    element, place = _any(root, data), _any(root, data)
    if element is not root and place not in list(element.iter()):
        place.insert(data.draw(st.integers(0, len(place))), element)


def double(root: etree._Element, data: st.DataObject) -> None:
    copied, place = copy.deepcopy(_any(root, data)), _any(root, data)
    if data.draw(st.booleans(), label="another person"):
        for text in copied.iter("*"):
            if text.text == forge.PERSON.login:
                text.text = "admin"
    if data.draw(st.booleans(), label="other ids"):
        for each in copied.iter("*"):
            if "ID" in each.attrib:
                each.set("ID", "_other" + each.get("ID", ""))
    place.insert(data.draw(st.integers(0, len(place))), copied)


def swap(root: etree._Element, data: st.DataObject) -> None:
    parent = _any(root, data)
    parent[:] = data.draw(st.permutations(list(parent)))


def rename(root: etree._Element, data: st.DataObject) -> None:
    element, other = _any(root, data), _any(root, data)
    element.tag = other.tag


def wrap(root: etree._Element, data: st.DataObject) -> None:
    element, kind = _any(root, data), _any(root, data)
    parent = element.getparent()
    if parent is not None:
        holder = etree.Element(kind.tag, attrib={str(name): str(value) for name, value in kind.attrib.items()})
        parent.replace(element, holder)
        holder.append(element)


def change_attribute(root: etree._Element, data: st.DataObject) -> None:
    element, other = _any(root, data), _any(root, data)
    names = sorted(str(name) for name in (*element.attrib, *other.attrib, "ID", "Id", "Version"))
    name = data.draw(st.sampled_from(names))
    values = [str(value) for each in root.iter("*") for value in each.attrib.values()]
    value = data.draw(st.one_of(st.none(), st.sampled_from(values), st.sampled_from(["", "#", "2099-01-01T00:00:00Z"])))
    if value is None:
        element.attrib.pop(name, "")
    else:
        element.set(name, value)


def change_text(root: etree._Element, data: st.DataObject) -> None:
    element = _any(root, data)
    told = sorted({each.text for each in root.iter("*") if each.text and each.text.strip()})
    text = data.draw(st.sampled_from([*told, "admin", " ", "\n", forge.METADATA, forge.OTHER_PORTAL]))
    if data.draw(st.booleans()):
        element.text = text
    else:
        element.tail = text


def split(root: etree._Element, data: st.DataObject) -> None:
    """Put a comment, an instruction or an element into the middle of a text."""
    element = _any(root, data)
    text = element.text or ""
    cut = data.draw(st.integers(0, len(text)))
    makers: list[Callable[[], etree._Element]] = [
        lambda: etree.Comment("x"),
        lambda: etree.ProcessingInstruction("x", "y"),
        lambda: etree.Element("{urn:elsewhere}x"),
    ]
    mark = data.draw(st.sampled_from(makers))()
    element.text = text[:cut]
    element.insert(0, mark)
    mark.tail = text[cut:]


CHANGES: list[Change] = [remove, move, double, swap, rename, wrap, change_attribute, change_text, split]


@pytest.mark.parametrize("with_schema", [True, False], ids=["every-floor", "without-schema"])
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    signed=st.sampled_from(SIGNED), changes=st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3), data=st.data()
)
def test_elements_and_attributes_changed_anywhere(
    doors: dict[str, tuple[House, etree._Element, Arrival]],
    monkeypatch: pytest.MonkeyPatch,
    with_schema: bool,
    signed: str,
    changes: list[Change],
    data: st.DataObject,
) -> None:
    """The schema stops most of it; the floors below must hold by themselves."""
    if not with_schema:
        monkeypatch.setattr(schema, "is_valid", lambda _: True)
    there, message, proved = doors[signed]
    spoilt = copy.deepcopy(message)
    for change in changes:
        change(spoilt, data)
    holds(there, raw(spoilt), proved)


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_anything_at_all_is_refused(doors: dict[str, tuple[House, etree._Element, Arrival]], content: bytes) -> None:
    there, _, _ = doors["response"]
    with pytest.raises((AnswerRefused, RequestRefused)):
        there.come_back(content)


def test_an_untouched_message_is_read(doors: dict[str, tuple[House, etree._Element, Arrival]]) -> None:
    """Else the properties above would hold of a door that is always shut."""
    for there, message, proved in doors.values():
        assert there.come_back(raw(message)) == proved
        assert proved.subject == forge.PERSON.login
