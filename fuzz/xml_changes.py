"""Changing an XML document as somebody who knows XML would: by its elements, names, values and pieces of base64."""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Callable
from random import Random
from typing import Final

from lxml import etree

from fuzz.frame import any_change

MOST_ELEMENTS: Final = 2000

Change = Callable[[etree._Element, list[etree._Element], Random], None]


def changed(document: bytes, random: Random) -> bytes:
    """Return the document with one to three changes; by its bytes when it cannot be read, and now and then anyway."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return any_change(document, random)
    if random.random() < 0.25:
        return any_change(document, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        elements = list(root.iter("*"))
        if len(elements) > MOST_ELEMENTS:
            break
        random.choice(_CHANGES)(root, elements, random)
    try:
        return etree.tostring(root)
    except (etree.SerialisationError, ValueError):
        return any_change(document, random)


def _remove(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element = random.choice(elements)
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _move(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element, place = random.choice(elements), random.choice(elements)
    if element is not root and element not in (place, *place.iterancestors()):
        place.insert(random.randrange(len(place) + 1), element)


def _double(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    copied, place = copy.deepcopy(random.choice(elements)), random.choice(elements)
    if random.random() < 0.5:
        for each in copied.iter("*"):
            if "ID" in each.attrib:
                each.set("ID", "_again" + each.get("ID", ""))
    place.insert(random.randrange(len(place) + 1), copied)


def _rename(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    random.choice(elements).tag = random.choice(elements).tag


def _wrap(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element, kind = random.choice(elements), random.choice(elements)
    parent = element.getparent()
    if parent is not None:
        holder = etree.Element(kind.tag, attrib={str(name): str(value) for name, value in kind.attrib.items()})
        parent.replace(element, holder)
        holder.append(element)


def _attribute(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element, other = random.choice(elements), random.choice(elements)
    names = [str(name) for name in (*element.attrib, *other.attrib)] or ["ID"]
    values = [str(value) for each in elements for value in each.attrib.values()]
    name = random.choice(names)
    match random.randrange(3):
        case 0:
            element.attrib.pop(name, "")
        case 1 if values:
            element.set(name, random.choice(values))
        case _:
            element.set(name, _value(element.get(name, ""), random))


def _text(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element = random.choice(elements)
    told = [each.text for each in elements if each.text and each.text.strip()]
    if told and random.random() < 0.5:
        element.text = random.choice(told)
    else:
        element.text = _value(element.text or "", random)


def _split(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    element = random.choice(elements)
    text = element.text or ""
    cut = random.randrange(len(text) + 1)
    mark = random.choice((etree.Comment("x"), etree.ProcessingInstruction("x", "y"), etree.Element("{urn:other}x")))
    element.text, mark.tail = text[:cut], text[cut:]
    element.insert(0, mark)


def _octets(root: etree._Element, elements: list[etree._Element], random: Random) -> None:
    """Change what a piece of base64 stands for: a key, a certificate, a digest, a signature, a ciphertext."""
    encoded = [each for each in elements if len((each.text or "").strip()) >= 24 and not len(each)]
    random.shuffle(encoded)
    for element in encoded:
        try:
            octets = base64.b64decode("".join((element.text or "").split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        element.text = base64.b64encode(any_change(octets, random)).decode()
        return


def _value(value: str, random: Random) -> str:
    """Return a text that XML can hold."""
    if random.random() < 0.5:
        return random.choice(_VALUES)
    return "".join(
        sign
        for sign in any_change(value.encode(), random).decode("utf-8", "ignore")
        if sign.isprintable() or sign == "\n"
    )


_VALUES: Final = (
    *("", " ", "admin", "#", "2.0", "true", "0", "-1", "é", "2099-01-01T00:00:00Z", "2026-12-14T08:00:00Z"),
    *(
        "2026-12-14T08:00:00+02:00",
        "2026-02-30T00:00:00Z",
        "https://evil.example/",
        "javascript:alert(1)",
        "_a",
        "x" * 300,
    ),
)

_CHANGES: Final[list[Change]] = [
    _remove,
    _move,
    _double,
    _rename,
    _wrap,
    _attribute,
    _attribute,
    _text,
    _split,
    _octets,
]
