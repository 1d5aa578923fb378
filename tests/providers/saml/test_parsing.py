"""The parser and its limits, asked alone: two locks hold most doors, and each must hold by itself."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import documents
from imagin_gateway.providers.saml.documents import MESSAGE, METADATA, Limits

SMALL = Limits(size=60, marks=6, depth=3, attributes=2)
XI = 'xmlns:xi="http://www.w3.org/2001/XInclude"'


def told(call: Callable[[], object], code: Code = Code.SAML_XML) -> str:
    with pytest.raises(AnswerRefused) as refused:
        call()
    assert refused.value.code is code
    return str(refused.value)


def why(raw: bytes, limits: Limits = MESSAGE, code: Code = Code.SAML_XML) -> str:
    return told(lambda: documents.parse(raw, limits), code)


def with_a_new_parser(raw: bytes) -> etree._Element:
    return etree.fromstring(raw, documents._new_parser())


# limits


@pytest.mark.row("SAM-31")
def test_the_limits_are_those_that_the_documents_tell() -> None:
    assert Limits(size=262_144, marks=10_000, depth=64, attributes=64, namespaces=64, comments=False) == MESSAGE
    assert Limits(size=67_108_864, marks=8_000_000, depth=64, attributes=64, namespaces=0, comments=True) == METADATA


def test_each_limit_is_reached_and_not_passed() -> None:
    documents.parse(b"<a>" + b"x" * 53 + b"</a>", SMALL)
    assert why(b"<a>" + b"x" * 54 + b"</a>", SMALL, Code.TOO_LARGE) == "the document is too large"
    documents.parse(b"<a><b/><b/><b/><b/></a>", SMALL)
    assert why(b"<a><b/><b/><b/><b/><b/></a>", SMALL, Code.TOO_LARGE) == "the document is too large"
    documents.parse(b"<a><b><c/></b></a>", SMALL)
    assert why(b"<a><b><c><d/></c></b></a>", Limits(size=60, marks=60, depth=3), Code.TOO_LARGE) == (
        "the document is too deep"
    )
    documents.parse(b"<a><b c='' d=''/></a>", SMALL)
    assert why(b"<a><b c='' d='' e=''/></a>", SMALL, Code.TOO_LARGE) == "an element has too many attributes"


def test_an_answer_in_base64_may_weigh_what_an_answer_may() -> None:
    most = b"x" * 262_144
    assert documents.decoded(base64.b64encode(most).decode()) == most
    over = base64.b64encode(most + b"x").decode()
    assert told(lambda: documents.decoded(over), Code.TOO_LARGE) == "the answer is too large"


def test_blanks_in_base64_weigh_too() -> None:
    short = base64.b64encode(b"<a/>").decode()
    assert documents.decoded(short + "\n" * (524_288 - len(short))) == b"<a/>"
    over = short + "\n" * (524_289 - len(short))
    assert told(lambda: documents.decoded(over), Code.TOO_LARGE) == "the answer is too large"


# what is refused before and after the parser


@pytest.mark.row("SAM-31")
@pytest.mark.parametrize("mark", [b"<!DOCTYPE", b"<!ENTITY"])
def test_a_document_type_is_refused_by_its_bytes_alone(mark: bytes) -> None:
    assert why(b"<a><![CDATA[" + mark + b"]]></a>") == "the document holds a document type"


def test_bytes_that_are_not_utf_8_are_told_as_such() -> None:
    assert why(b"<a>\xff</a>") == "the document is not UTF-8"


def test_another_encoding_is_refused_behind_a_byte_order_mark_too() -> None:
    declared = b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>"
    for raw in (declared, b"\xef\xbb\xbf" + declared):
        assert why(raw) == "the document declares another encoding than UTF-8"


@pytest.mark.parametrize("name", [b"UTF-8", b"utf-8", b"utf8", b"UTF8", b"US-ASCII", b"us-ascii"])
def test_utf_8_is_declared_by_any_of_its_names(name: bytes) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        assert documents.parse(mark + b"<?xml version='1.0' encoding='" + name + b"'?><a/>").tag == "a"


def test_what_is_odd_is_told_by_its_own_name() -> None:
    include = f"<a {XI}><xi:include href='x'/></a>".encode()
    both = f"<a {XI}><!-- x --><xi:include href='x'/></a>".encode()
    comment, instruction = b"<a><!-- x --></a>", b"<a><?x y?></a>"
    for raw in (comment, instruction, both):
        assert why(raw) == "the document holds comments or processing instructions"
    assert why(include) == "the document asks for other documents"
    assert why(include, METADATA) == why(both, METADATA) == "the document asks for other documents"
    assert documents.parse(comment, METADATA).tag == documents.parse(instruction, METADATA).tag == "a"


def test_canonical_bytes_that_are_none_are_refused() -> None:
    assert documents.canonical(b"<a/>").tag == "a"
    for raw in (b"<a>", b"", b"<a>&b;</a>"):
        assert told(lambda raw=raw: documents.canonical(raw)) == "the document is not well-formed XML"  # type: ignore[misc]


# the parser itself


def test_a_thread_has_one_parser_and_keeps_it() -> None:
    found: list[object] = []

    def ask() -> None:
        found.extend((documents._parser(), documents._parser(), documents.parse(b"<a/>").tag))

    for thread in (threading.Thread(target=ask), threading.Thread(target=ask)):
        thread.start()
        thread.join()
    first, again, tag, other, _, _ = found
    assert isinstance(first, etree.XMLParser)
    assert first is again
    assert first is not other
    assert tag == "a"


@pytest.mark.row("SAM-31")
def test_the_parser_by_itself_loads_nothing_fills_in_nothing_and_opens_no_entity(tmp_path: Path) -> None:
    (tmp_path / "x.dtd").write_text('<!ATTLIST a x CDATA "y"><!ENTITY e "told">', encoding="ascii")
    outside = with_a_new_parser(f'<!DOCTYPE a SYSTEM "{tmp_path.as_uri()}/x.dtd"><a/>'.encode())
    assert outside.getroottree().docinfo.externalDTD is None
    assert outside.keys() == []
    inside = with_a_new_parser(b'<!DOCTYPE a [<!ENTITY e "told">]><a>&e;</a>')
    assert inside.text is None
    assert inside[0].tag is etree.Entity


@pytest.mark.parametrize("raw", [b"<a><b></a>", b"<a>", b"<a>&b;</a>", b"<a></a><a></a>", b"<a b=c/>"])
def test_the_parser_mends_nothing(raw: bytes) -> None:
    with pytest.raises(etree.XMLSyntaxError):
        with_a_new_parser(raw)


def test_the_parser_keeps_every_blank_and_reads_cdata_as_text() -> None:
    assert etree.tostring(with_a_new_parser(b"<a> <b/>\n</a>")) == b"<a> <b/>\n</a>"
    assert etree.tostring(with_a_new_parser(b"<a><![CDATA[<b>]]></a>")) == b"<a>&lt;b&gt;</a>"


def test_the_parser_has_the_bounds_of_its_library() -> None:
    with pytest.raises(etree.XMLSyntaxError):
        with_a_new_parser(b"<a>" + b"<b>" * 300 + b"</b>" * 300 + b"</a>")


# values


@pytest.mark.parametrize(
    ("said", "nil"), [("true", True), ("1", True), (" true ", True), ("false", False), ("0", False), ("", False)]
)
def test_a_value_is_none_only_when_it_says_so(said: str, nil: bool) -> None:
    element = etree.Element("a")
    assert documents.is_nil(element) is False
    element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", said)
    assert documents.is_nil(element) is nil
