"""What reaches the parser, and how text is read."""

from __future__ import annotations

import base64
import copy
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from lxml import etree

from examples.demo.portals.saml_messages import SAML, SAMLP, SUCCESS, XSI, sign
from imagin_gateway.errors import AnswerRefused, Code, RequestRefused
from imagin_gateway.exchange import MAX_BODY_BYTES
from imagin_gateway.providers.saml import documents, reading
from imagin_gateway.providers.saml.name_id import NameId
from tests.providers.saml import forge
from tests.providers.saml.forge import NOW, forged, one, raw
from tests.providers.saml.journey import House

LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n > 1 else str()};" * 10}">' for n in range(1, 10))
    + "]>"
)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[object]]]:
    """A server on this machine that notes who calls."""
    calls: list[object] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        try:
            while True:
                connection, address = server.accept()
                calls.append(address)
                connection.close()
        except OSError:
            return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/", calls
    server.close()


def _with_doctype(doctype: str) -> bytes:
    return doctype.encode() + raw(forged())


@pytest.mark.row("SAM-31")
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE Response>",
        "<!DOCTYPE samlp:Response []>",
        '<!DOCTYPE r [<!ENTITY a "b">]>',
        "<!DOCTYPE r [<!ATTLIST r ID ID #IMPLIED>]>",
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
        LAUGHS,
    ],
    ids=["bare", "empty", "entity", "attlist", "parameter", "laughs"],
)
def test_a_document_type_is_refused(there: House, doctype: str) -> None:
    assert there.code(_with_doctype(doctype)) is Code.SAML_XML


@pytest.mark.row("SAM-31")
def test_a_document_type_is_looked_for_before_and_after_parsing() -> None:
    """Before, so that the parser never sees one; after, in case it was written in a way nobody thought of."""
    with pytest.raises(AnswerRefused):
        documents.parse(b"<a><![CDATA[<!ENTITY]]></a>")
    with pytest.raises(AnswerRefused):
        documents._check_tree(etree.fromstring("<!DOCTYPE a><a/>"), documents.MESSAGE)


@pytest.mark.row("SAM-31")
def test_nothing_outside_is_ever_asked_for(there: House, listener: tuple[str, list[object]]) -> None:
    url, calls = listener
    for doctype in (
        f'<!DOCTYPE r SYSTEM "{url}dtd">',
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "{url}entity">]>',
        f'<!DOCTYPE r [<!ENTITY % x SYSTEM "{url}parameter"> %x;]>',
    ):
        assert there.code(_with_doctype(doctype)) is Code.SAML_XML
    included = forged()
    xi = "{http://www.w3.org/2001/XInclude}include"
    forge.extensions(included, etree.Element(xi, attrib={"href": url, "parse": "text"}))
    assert there.code(included) is Code.SAML_XML
    located = forged()
    located.set(f"{{{XSI}}}schemaLocation", f"urn:elsewhere {url}schema.xsd")
    forge.extensions(located, etree.Element("{urn:elsewhere}thing"))
    assert there.code(located) is Code.SAML_SIGNATURE
    pointed = forged()
    told = one(pointed, "KeyInfo")
    for child in list(told):
        told.remove(child)
    etree.SubElement(told, forge.ds("RetrievalMethod"), attrib={"URI": url})
    assert there.come_back(pointed).subject == forge.PERSON.login
    referenced = forged()
    one(referenced, "Reference").set("URI", url)
    assert there.code(referenced) is Code.SAML_SHAPE
    assert calls == []


@pytest.mark.row("SAM-31")
def test_a_message_of_2_mb_is_refused_before_it_is_parsed(there: House) -> None:
    padded = raw(forged(lambda root: forge.add_attribute(root, "padding", "a" * 2_000_000)))
    with pytest.raises(RequestRefused) as caught:
        there.come_back(padded)
    assert caught.value.code is Code.TOO_LARGE
    assert len(urlencode({"SAMLResponse": base64.b64encode(padded)})) > MAX_BODY_BYTES
    with pytest.raises(AnswerRefused) as refused:
        documents.decoded(base64.b64encode(padded).decode())
    assert refused.value.code is Code.TOO_LARGE
    barely = raw(forged(lambda root: forge.add_attribute(root, "padding", "a" * documents.MESSAGE.size)))
    assert there.code(barely) is Code.TOO_LARGE


@pytest.mark.row("SAM-31")
def test_a_message_10_000_elements_deep_is_refused(there: House) -> None:
    deep = b"<a>" * 10_000 + b"</a>" * 10_000
    assert there.code(deep) is Code.TOO_LARGE
    fewer = b"<a>" * 4_000 + b"</a>" * 4_000
    assert there.code(fewer) in (Code.TOO_LARGE, Code.SAML_XML)


@pytest.mark.row("SAM-31")
def test_depth_is_capped_to_the_element(there: House) -> None:
    def nested(depth: int) -> Callable[[etree._Element], None]:
        def edit(root: etree._Element) -> None:
            # Response, Extensions, then as many as it takes.
            inner = outer = etree.Element("{urn:elsewhere}thing")
            for _ in range(depth - 3):
                inner = etree.SubElement(inner, "{urn:elsewhere}thing")
            forge.extensions(root, outer)

        return edit

    assert there.come_back(forged(nested(documents.MESSAGE.depth))).subject == forge.PERSON.login
    assert there.code(forged(nested(documents.MESSAGE.depth + 1))) is Code.TOO_LARGE


def test_a_flood_of_markup_is_refused_before_it_is_parsed(there: House) -> None:
    assert there.code(b"<a>" + b"<b/>" * documents.MESSAGE.marks + b"</a>") is Code.TOO_LARGE


def test_an_element_with_a_flood_of_attributes_is_refused(there: House) -> None:
    def with_attributes(count: int) -> Callable[[etree._Element], None]:
        told = {f"a{number}": "" for number in range(count)}
        return lambda root: forge.extensions(root, etree.Element("{urn:elsewhere}thing", attrib=told))

    most = documents.MESSAGE.attributes
    assert there.come_back(forged(with_attributes(most))).subject == forge.PERSON.login
    assert there.code(forged(with_attributes(most + 1))) is Code.TOO_LARGE


@pytest.mark.parametrize("quote", [b'"', b"'"])
def test_an_element_with_a_flood_of_namespaces_is_refused(there: House, quote: bytes) -> None:
    """They are no attributes to XPath; canonicalising, and opening what is encrypted, look each of them up."""

    def with_namespaces(count: int) -> bytes:
        told = b"".join(b" xmlns:n%d=%su:%d%s" % (number, quote, number, quote) for number in range(count))
        return forge.raw(forged(lambda root: forge.extensions(root, etree.Element("{urn:elsewhere}thing")))).replace(
            b"<ns0:thing", b"<ns0:thing" + told
        )

    # One more is the element's own. Those that nothing uses are no part of what is signed.
    most = documents.MESSAGE.namespaces - 1
    assert there.come_back(with_namespaces(most)).subject == forge.PERSON.login
    assert there.code(with_namespaces(most + 1)) is Code.TOO_LARGE


def test_as_many_namespaces_may_be_declared_as_there_are_elements(there: House) -> None:
    """Some portals declare two for each value."""

    def in_every_value(root: etree._Element) -> None:
        forge.add_attribute(root, "FrEduRneResp", *("X",) * 400)

    told = forge.raw(forged(in_every_value)).replace(b"<saml:AttributeValue", b'<saml:AttributeValue xmlns:u="u:u"')
    assert there.come_back(told).subject == forge.PERSON.login


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"no xml",
        b"<Response",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&nbsp;</a>",
        b"<a>&#0;</a>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<?xml version='1.0' encoding='UTF-16'?><a/>",
        b"<?xml version='1.0' encoding='UTF-7'?><a/>",
        b'<?xml version="1.0" encoding="iso-8859-1"?><a/>',
        b"<a>\xe9</a>",
        "<a/>".encode("utf-16"),
        b"<a xmlns:p='urn:x'><p:b q:c=''/></a>",
        b"<a b='1' b='2'/>",
    ],
)
def test_what_is_not_plain_xml_in_utf_8_is_refused(there: House, content: bytes) -> None:
    if content:
        assert there.code(content) is Code.SAML_XML
    with pytest.raises(AnswerRefused) as caught:
        documents.parse(content)
    assert caught.value.code is Code.SAML_XML
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("encoded", ["é", "====", "AAA", "PGEvPg", "PGEv%3E", "<a/>", "PGEvPg==PGEvPg==", "PG-vPg=="])
def test_what_is_not_base64_is_refused(encoded: str) -> None:
    with pytest.raises(AnswerRefused) as caught:
        documents.decoded(encoded)
    assert caught.value.code is Code.SAML_XML


def test_base64_in_lines_is_read() -> None:
    message = raw(forged())
    assert documents.decoded(base64.encodebytes(message).decode().replace("\n", "\r\n")) == message


def test_a_deflated_message_is_not_one_that_comes_by_post(there: House) -> None:
    assert there.code(zlib.compress(raw(forged()))) is Code.SAML_XML


@pytest.mark.parametrize(
    "content",
    [
        b"<Response/>",
        b'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>',
        b'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol" Version="2.0"/>',
        b"<html><body>bonjour</body></html>",
    ],
)
def test_what_does_not_follow_the_schemas_is_refused(there: House, content: bytes) -> None:
    assert there.code(content) is Code.SAML_SCHEMA


def test_unknown_attributes_and_elements_of_the_protocol_are_refused_by_the_schema(there: House) -> None:
    def attribute(root: etree._Element) -> None:
        root.set("Admin", "true")

    def element(root: etree._Element) -> None:
        etree.SubElement(one(root, "Assertion"), forge.saml("Privilege"))

    for edit in (attribute, element):
        assert there.code(forged(edit)) is Code.SAML_SCHEMA


@pytest.mark.parametrize("name", ["LogoutResponse", "LogoutRequest", "AuthnRequest", "ArtifactResponse"])
def test_another_message_of_the_protocol_is_refused(there: House, name: str) -> None:
    """A LogoutResponse at this address, signed by the right key, logs nobody in."""
    root = etree.Element(forge.samlp(name), nsmap={"samlp": SAMLP, "saml": SAML})
    for key, value in (("ID", "_logout"), ("Version", "2.0"), ("IssueInstant", "2026-12-14T08:00:00Z")):
        root.set(key, value)
    root.set("Destination", forge.ACS)
    etree.SubElement(root, forge.saml("Issuer")).text = forge.PORTAL
    if name.endswith("Response"):
        status = etree.SubElement(root, forge.samlp("Status"))
        etree.SubElement(status, forge.samlp("StatusCode"), attrib={"Value": SUCCESS})
    if name == "LogoutRequest":
        etree.SubElement(root, forge.saml("NameID")).text = forge.PERSON.login
    sign(root, forge.keys("portal"))
    assert there.code(root) is Code.SAML_SHAPE


def test_an_assertion_alone_is_no_response(by_assertion: House) -> None:
    alone = copy.deepcopy(one(forged(lambda root: forge.add_attribute(root, "x", "y"), attributes={}), "Assertion"))
    assert by_assertion.code(alone) is Code.SAML_SHAPE


# --- text is read whole (row SAM-03)

LONG = "admin.evil"


def _spoilt(message: bytes, replacement: str) -> bytes:
    """Write something into the login and the NameID, by the bytes; canonicalisation ignores comments."""
    spoilt = message.replace(f">{LONG}<".encode(), f">{replacement}<".encode())
    assert spoilt.count(replacement.encode()) == 2
    return spoilt


def _long() -> bytes:
    def edit(root: etree._Element) -> None:
        forge.value_of(root, "ct-remote-user").text = LONG
        one(root, "NameID").text = LONG

    return raw(forged(edit))


@pytest.mark.row("SAM-03")
@pytest.mark.parametrize(
    "inside",
    ["admin<!---->.evil", "admin<!-- x -->.evil", "<!-- x -->admin.evil", "admin<?x y?>.evil"],
)
def test_a_comment_in_a_value_never_shortens_it(there: House, inside: str) -> None:
    assert there.come_back(_long()).subject == LONG
    assert there.code(_spoilt(_long(), inside)) is Code.SAML_XML


@pytest.mark.row("SAM-03")
@pytest.mark.parametrize(
    "inside",
    [
        "admin<![CDATA[]]>.evil",
        "<![CDATA[admin]]>.evil",
        "admin<![CDATA[.]]>evil",
        "admin&#46;evil",
        "admin&#x2e;evil",
        "<![CDATA[admin.evil]]>",
    ],
)
def test_another_writing_of_the_same_text_is_the_same_text(there: House, inside: str) -> None:
    arrival = there.come_back(_spoilt(_long(), inside))
    assert arrival.subject == LONG
    name = NameId.read(arrival.name_id)
    assert name is not None
    assert name.value == LONG


@pytest.mark.row("SAM-03")
@pytest.mark.parametrize(
    "inside", ["admin&evil;.evil", "admin&amp.evil", "admin<b/>.evil", "admin<![CDATA[<!---->]]>.evil"]
)
def test_an_entity_or_markup_in_a_value_is_refused(there: House, inside: str) -> None:
    assert there.code(_spoilt(_long(), inside)) in (Code.SAML_XML, Code.SAML_SCHEMA, Code.SAML_SIGNATURE)


@pytest.mark.row("SAM-03")
def test_markup_that_was_signed_inside_a_value_is_no_value() -> None:
    """Were such a value signed by the portal itself, half of it would still not be read."""
    element = etree.fromstring("<v>admin<b/>.evil</v>")
    with pytest.raises(AnswerRefused):
        documents.text(element)


@pytest.mark.row("SAM-03")
@pytest.mark.parametrize("where", ["prolog", "epilog", "extensions", "signature"])
def test_a_comment_anywhere_is_refused(there: House, where: str) -> None:
    message = raw(forged(lambda root: forge.extensions(root, etree.Element("{urn:elsewhere}thing"))))
    comment = b"<!-- x -->"
    spoilt = {
        "prolog": comment + message,
        "epilog": message + comment,
        "extensions": message.replace(b"<samlp:Extensions>", b"<samlp:Extensions>" + comment),
        "signature": message.replace(b"<ds:DigestValue>", b"<ds:DigestValue>" + comment),
    }[where]
    assert spoilt != message
    assert there.come_back(message, now=NOW).subject == forge.PERSON.login
    assert there.code(spoilt) is Code.SAML_XML


# --- what any reader might take for an ID


@pytest.mark.parametrize("name", ["ID", "Id", "id", "iD", "{urn:elsewhere}ID", "{urn:elsewhere}iD"])
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_whatever_any_reader_might_take_for_an_id_is_seen(name: str, depth: int) -> None:
    root = etree.Element("a")
    last = root
    for _ in range(depth):
        last = etree.SubElement(last, "{urn:elsewhere}b", attrib={"Idx": "_1", "I": "_2", "D": "_3", "DI": "_4"})
    last.set(name, "_seen")
    etree.SubElement(last, "c").set("ID", "_other")
    assert documents.identifiers(root) == ["_seen", "_other"]


def test_only_the_element_and_what_it_holds_are_looked_at() -> None:
    root = etree.fromstring('<a ID="_1"><b id="_2"><c Id="_3"/></b><d ID="_4"/></a>')
    assert documents.identifiers(root[0]) == ["_2", "_3"]


def test_a_name_of_xml_itself_is_refused_anywhere() -> None:
    with pytest.raises(AnswerRefused) as caught:
        documents.identifiers(etree.fromstring('<a ID="_1"><b xml:id="_2"/></a>'))
    assert caught.value.code is Code.SAML_SHAPE


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_flood_of_attributes_is_seen_on_every_element(at: int) -> None:
    def of(count: int) -> bytes:
        flood = "".join(f' a{number}="" ' for number in range(count))
        return ("<r>" * at + f"<r{flood}/>" + "</r>" * at).encode()

    most = documents.MESSAGE.attributes
    assert documents.parse(of(most)).tag == "r"
    with pytest.raises(AnswerRefused) as caught:
        documents.parse(of(most + 1))
    assert caught.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("blank", [" ", "\t", "\r", "\n", "\r\n"])
def test_base64_may_be_broken_into_lines_anywhere(blank: str) -> None:
    encoded = base64.b64encode(b"genuine bytes of some length").decode()
    for at in range(len(encoded) + 1):
        assert documents.decoded(encoded[:at] + blank + encoded[at:]) == b"genuine bytes of some length"


@pytest.mark.parametrize("mark", ["\v", "\f", "\x00", "\u00a0", "\u2028", "-", "_", "%0A", "=", "."])
def test_base64_holds_nothing_else(mark: str) -> None:
    encoded = base64.b64encode(b"genuine bytes of some length").decode()
    for broken in (encoded[:8] + mark + encoded[8:], encoded[:8] + "\n" + mark + encoded[8:]):
        with pytest.raises(AnswerRefused) as caught:
            documents.decoded(broken)
        assert caught.value.code is Code.SAML_XML


# --- what is read, and from where


def test_what_bears_the_name_of_something_else_is_no_value() -> None:
    """The schemas refuse such a message before; the reader does not lean on that."""
    assertion = copy.deepcopy(one(forged(signed="nothing"), "Assertion"))
    attribute = next(assertion.iter(forge.saml("Attribute")))
    for name in ("{urn:elsewhere}AttributeValue", forge.saml("Audience"), "AttributeValue"):
        etree.SubElement(attribute, name).text = "admin"
    statement = etree.SubElement(assertion, "{urn:elsewhere}AttributeStatement")
    statement.append(copy.deepcopy(attribute))
    etree.SubElement(statement[0], forge.saml("AttributeValue")).text = "admin"
    for name in ("{urn:elsewhere}Attribute", forge.saml("EncryptedAttribute"), "Attribute"):
        other = copy.deepcopy(attribute)
        other.tag = name
        one(assertion, "AttributeStatement").append(other)
    told = reading.assertion(assertion).attributes
    assert told["ct-remote-user"] == (forge.PERSON.login,)


def test_a_value_that_says_there_is_none_is_no_value() -> None:
    """Were it an empty one, it would stand beside the other and tell nobody apart."""
    assertion = copy.deepcopy(one(forged(signed="nothing"), "Assertion"))
    attribute = next(assertion.iter(forge.saml("Attribute")))
    for nil in ("true", "1", " true "):
        etree.SubElement(attribute, forge.saml("AttributeValue")).set(f"{{{XSI}}}nil", nil)
    assert reading.assertion(assertion).attributes["ct-remote-user"] == (forge.PERSON.login,)


def test_values_of_a_name_are_gathered_from_every_statement_in_order() -> None:
    assertion = copy.deepcopy(one(forged(signed="nothing", attributes={"a": ("1", "2"), "b": ("3",)}), "Assertion"))
    statement = one(assertion, "AttributeStatement")
    statement.append(copy.deepcopy(statement[0]))
    assertion.append(copy.deepcopy(statement))
    assert reading.assertion(assertion).attributes == {"a": ("1", "2") * 4, "b": ("3", "3")}


def test_status_codes_are_read_outwards_in_and_no_deeper_than_four() -> None:
    root = etree.Element(forge.samlp("Response"))
    assert reading.statuses(root) == ()
    code = etree.SubElement(root, forge.samlp("Status"))
    assert reading.statuses(root) == ()
    for _ in range(6):
        code = etree.SubElement(code, forge.samlp("StatusCode"), attrib={"Value": SUCCESS})
    assert reading.statuses(root) == (SUCCESS,) * 4
