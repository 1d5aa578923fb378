"""From bytes to a tree, the careful way, and text read whole."""

from __future__ import annotations

import base64
import functools
import re
import threading
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml.vocabulary import XML, XSI

_DECLARED: Final = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]*)["']""")

_BLANKS: Final = b" \t\r\n"

_DECLARES: Final = b"xmlns"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may weigh: bytes, and markup, which is counted before anything is built."""

    size: int
    marks: int
    depth: int = 64
    attributes: int = 64
    """On one element: canonicalisation sorts them, one by one."""
    namespaces: int = 0
    """Declared on one element; they are no attributes, and each is looked up for each element within. 0: any number."""
    comments: bool = False
    """Whether comments and processing instructions may stand in it."""


MESSAGE: Final = Limits(size=256 * 1024, marks=10_000, namespaces=64)
"""An answer of a portal. A comment there is covered by no signature and helps nobody but a forger."""

METADATA: Final = Limits(size=64 * 1024 * 1024, marks=8_000_000, comments=True)
"""A metadata file, a federation's aggregate included."""


def decoded(encoded: str) -> bytes:
    """Decode the base64 of an answer by POST (Bindings §3.5.4), line breaks allowed, nothing else."""
    if len(encoded) > MESSAGE.size * 2:
        raise AnswerRefused(Code.TOO_LARGE, "the answer is too large")
    try:
        raw = from_base64(encoded)
    except ValueError:
        raise AnswerRefused(Code.SAML_XML, "the answer is not base64") from None
    if len(raw) > MESSAGE.size:
        raise AnswerRefused(Code.TOO_LARGE, "the answer is too large")
    return raw


def from_base64(told: str) -> bytes:
    """Decode a base64Binary (XML Schema 2 §3.2.16): blanks of XML may stand anywhere in it, and nothing else may.

    Raises:
        ValueError: it is something else.
    """
    raw = told.encode("ascii")
    if any(blank in raw for blank in _BLANKS):
        raw = raw.translate(None, _BLANKS)
    return base64.b64decode(raw, validate=True)


def parse(raw: bytes, limits: Limits = MESSAGE) -> etree._Element:
    """Parse once, hardened: UTF-8 only, no DTD, no entity, no network, bounded in size, markup and depth.

    Returns:
        The root.

    Raises:
        AnswerRefused: `TOO_LARGE` or `SAML_XML`.
    """
    if len(raw) > limits.size or raw.count(b"<") > limits.marks:
        raise AnswerRefused(Code.TOO_LARGE, "the document is too large")
    _check_encoding(raw)
    # Asked of the whole first: few documents hold so many.
    if 0 < limits.namespaces < raw.count(_DECLARES) and _declares_more_than(limits.namespaces, raw):
        raise AnswerRefused(Code.TOO_LARGE, "an element declares too many namespaces")
    # One letter is looked for first: an honest message holds none, and finding words costs as much as parsing it.
    if b"!" in raw and (b"<!DOCTYPE" in raw or b"<!ENTITY" in raw):
        raise AnswerRefused(Code.SAML_XML, "the document holds a document type")
    try:
        root = etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError):
        # Not chained: the parser's words quote the document.
        raise AnswerRefused(Code.SAML_XML, "the document is not well-formed XML") from None
    _check_tree(root, limits)
    return root


def _declares_more_than(most: int, raw: bytes) -> bool:
    """Tell whether one tag declares more namespaces. Between two `<` there is one tag at most, and text."""
    return any(piece.count(_DECLARES) > most for piece in raw.split(b"<"))


def canonical(raw: bytes) -> etree._Element:
    """Parse canonical bytes that were made here from a tree that `parse` had accepted: what was counted is counted.

    Raises:
        AnswerRefused: `SAML_XML`.
    """
    try:
        return etree.fromstring(raw, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise AnswerRefused(Code.SAML_XML, "the document is not well-formed XML") from None


class _Kept(threading.local):
    """A parser a thread: making one costs a tenth of what it reads, and it keeps nothing of a document."""

    parser: etree.XMLParser | None = None


_kept = _Kept()


def _parser() -> etree.XMLParser:
    if _kept.parser is None:
        _kept.parser = _new_parser()
    return _kept.parser


def _new_parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        resolve_entities=False,
        huge_tree=False,
        recover=False,
        remove_blank_text=False,
        strip_cdata=True,
    )


def _check_encoding(raw: bytes) -> None:
    """One reading only: what a declaration of another encoding would say is never tried."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise AnswerRefused(Code.SAML_XML, "the document is not UTF-8") from None
    declared = _DECLARED.match(raw.removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise AnswerRefused(Code.SAML_XML, "the document declares another encoding than UTF-8")


def _check_tree(root: etree._Element, limits: Limits) -> None:
    info: Any = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise AnswerRefused(Code.SAML_XML, "the document holds a document type")
    if not _is_odd(limits)(root):
        return
    if _deeper_than(limits.depth)(root):
        raise AnswerRefused(Code.TOO_LARGE, "the document is too deep")
    if _more_attributes_than(limits.attributes)(root):
        raise AnswerRefused(Code.TOO_LARGE, "an element has too many attributes")
    if not limits.comments and _holds_comments(root):
        raise AnswerRefused(Code.SAML_XML, "the document holds comments or processing instructions")
    raise AnswerRefused(Code.SAML_XML, "the document asks for other documents")


_COMMENTS: Final = "boolean(//comment() | //processing-instruction())"
_INCLUSIONS: Final = "boolean(//xi:*)"


def _depth(most: int) -> str:
    return "boolean(" + "/*" * (most + 1) + ")"


def _attributes(most: int) -> str:
    return f"boolean(//*/@*[{most + 1}])"


@functools.cache
def _is_odd(limits: Limits) -> etree.XPath:
    """Anything that is refused, asked at once: each question apart costs as much again."""
    asked = [_depth(limits.depth), _attributes(limits.attributes), _INCLUSIONS]
    asked += [] if limits.comments else [_COMMENTS]
    return etree.XPath(" or ".join(asked), namespaces={"xi": "http://www.w3.org/2001/XInclude"})


@functools.cache
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath(_depth(depth))


@functools.cache
def _more_attributes_than(count: int) -> etree.XPath:
    return etree.XPath(_attributes(count))


_holds_comments: Final = etree.XPath(_COMMENTS)


def child(element: etree._Element, name: str) -> etree._Element | None:
    """Return the first child of this name. What `find` does, without its language of paths, for a third of the time."""
    for each in element:
        if each.tag == name:
            return each
    return None


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Return the children of this name; what `child` is to `find`, this is to `findall`."""
    return [each for each in element if each.tag == name]


def text(element: etree._Element) -> str:
    """Return the whole text of an element that holds nothing but text.

    Raises:
        AnswerRefused: it holds something else, so its text could be read in two ways.
    """
    if len(element):
        raise AnswerRefused(Code.SAML_SHAPE, "a text value holds markup")
    return element.text or ""


def told(element: etree._Element | None) -> str:
    """Return the trimmed text of an element, "" when it is absent."""
    return "" if element is None else text(element).strip()


def is_nil(element: etree._Element) -> bool:
    """Tell whether a value says that there is none (Core §2.7.3.1.1)."""
    said = element.get(_NIL)
    return said is not None and said.strip() in ("true", "1")


_NIL: Final = f"{{{XSI}}}nil"


_XML_ID: Final = f"{{{XML}}}id"
_identifying: Final = etree.XPath(
    # One comparison an attribute, that lets a lone letter pass too: the length is asked of those few alone.
    "descendant-or-self::*/@*[contains('ID Id iD id', local-name())][string-length(local-name()) = 2]"
)


def identifiers(root: etree._Element) -> list[str]:
    """Return the value of everything that any reader might take for an ID.

    Raises:
        AnswerRefused: `xml:id`, which names an element whatever the schema says.
    """
    found: Any = _identifying(root)
    if any(each.attrname == _XML_ID for each in found):
        raise AnswerRefused(Code.SAML_SHAPE, "an element is named by xml:id")
    return [str(each) for each in found]
