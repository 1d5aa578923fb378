"""Logout messages on their way, asked alone: which field, which limits, what goes back."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import pytest
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code, GatewayError, RequestRefused
from imagin_gateway.exchange import Request
from imagin_gateway.providers.saml import bindings
from imagin_gateway.providers.saml.signature import VerificationKey
from tests.providers.saml import logouts
from tests.providers.saml.forge import keys, one, samlp
from tests.providers.saml.logouts import by_post, by_redirect, posted

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"


def portal() -> list[VerificationKey]:
    return [VerificationKey(keys(name).certificate.public_key()) for name in ("another", "portal")]


def proved(message: Request, *forbidden: str) -> bindings.Proved:
    return bindings.proved(message, "LogoutRequest", portal(), forbidden)


def told(call: Callable[[], object], code: Code) -> str:
    with pytest.raises(GatewayError) as refused:
        call()
    assert refused.value.code is code
    return str(refused.value)


def test_the_field_of_the_message_is_looked_for_where_the_method_puts_it() -> None:
    for name in ("SAMLRequest", "SAMLResponse"):
        query = f"{name}=x".encode()
        assert bindings.carries(Request("GET", "/", query)) == name
        post = posted({name: "x"})
        assert bindings.carries(post) == name
        assert bindings.carries(Request("GET", "/", query, headers=post.headers, body=b"SAMLResponse=y")) == name
    for message in (posted({}), posted({"SAMLRequest": "x", "SAMLResponse": "x"}), Request("GET", "/", b"a=b")):
        with pytest.raises(RequestRefused):
            bindings.carries(message)


@pytest.mark.parametrize("make", [by_redirect, by_post])
def test_a_message_is_proved_by_any_key_of_the_portal_and_by_no_other(make: Callable[..., Request]) -> None:
    assert proved(make(logouts.request(ID="_mine"))).root.get("ID") == "_mine"
    assert proved(make(logouts.request(), key=keys("another"))).root.tag == samlp("LogoutRequest")
    assert told(lambda: proved(make(logouts.request(), key=keys("stranger"))), Code.SAML_SIGNATURE)
    assert (
        told(lambda: proved(make(logouts.request(), signed=False)), Code.SAML_UNSIGNED) == "the message is not signed"
    )


@pytest.mark.row("SAM-06")
@pytest.mark.parametrize("make", [by_redirect, by_post])
def test_a_method_that_the_settings_forbid_is_refused(make: Callable[..., Request]) -> None:
    proved(make(logouts.request()), "urn:another")
    assert told(lambda: proved(make(logouts.request()), RSA_SHA256), Code.SAML_ALGORITHM)
    assert told(lambda: proved(by_post(logouts.request()), ENVELOPED), Code.SAML_ALGORITHM)


@pytest.mark.parametrize("make", [by_redirect, by_post])
@pytest.mark.parametrize(
    ("relay", "kept"),
    [
        *((None, ""), ("", ""), ("/a b+c&d=é", "/a b+c&d=é"), ("x" * 512, "x" * 512), ("x" * 513, "")),
        *(("a\nb", ""), ("a\u202eb", "")),
    ],
)
def test_relay_state_goes_back_as_it_came_or_not_at_all(
    make: Callable[..., Request], relay: str | None, kept: str
) -> None:
    assert proved(make(logouts.request(), relay=relay)).relay == kept


def test_deflate_may_be_named_and_nothing_else() -> None:
    name = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

    def sent_as(encoding: str) -> Request:
        return by_redirect(logouts.request(), change=lambda query: f"{query}&SAMLEncoding={encoding}")

    for encoding in (name, name.replace(":", "%3A")):
        assert proved(sent_as(encoding)).root.tag == samlp("LogoutRequest")
    assert told(lambda: proved(sent_as(name + "x")), Code.SAML_XML) == "the message is encoded in another way"


def test_a_method_needs_a_signature_and_a_signature_its_method() -> None:
    def without(field: str) -> Request:
        return by_redirect(logouts.request(), change=lambda query: query.replace(f"&{field}=", "&x="))

    for field in ("SigAlg", "Signature"):
        assert told(lambda field=field: proved(without(field)), Code.SAML_UNSIGNED)  # type: ignore[misc]


def test_fields_of_others_may_stand_between_ours() -> None:
    message = by_redirect(logouts.request(), relay="a", change=lambda query: f"z=1&{query}&y=2")
    assert proved(message).relay == "a"
    assert bindings._written(b"RelayState=%20a&x=1&SAMLRequest=b=c&x=2") == {"RelayState": "%20a", "SAMLRequest": "b=c"}
    assert bindings._written(b"\xff=\xfe&SigAlg=x") == {"SigAlg": "x"}


@pytest.mark.parametrize("field", ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"])
def test_a_field_is_written_once_in_plain_letters(field: str) -> None:
    assert told(lambda: bindings._written(f"{field}=a&{field}=a".encode()), Code.PARAMETER_REPEATED)
    in_code = f"%{ord(field[0]):x}{field[1:]}"
    assert told(lambda: bindings._written(f"{in_code}=a".encode()), Code.MALFORMED)


def raw_deflate(content: bytes) -> bytes:
    opener = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return opener.compress(content) + opener.flush()


@pytest.mark.row("SAM-31")
def test_what_is_unpacked_weighs_at_most_sixty_four_kibibytes() -> None:
    most = b"x" * 65_536
    assert bindings._inflated(raw_deflate(most)) == most
    over = raw_deflate(b"x" * 65_537)
    assert told(lambda: bindings._inflated(over), Code.TOO_LARGE) == "the message is too large"


def test_what_is_packed_is_whole_and_nothing_follows() -> None:
    packed = raw_deflate(b"<a/>" * 9)
    assert bindings._inflated(packed) == b"<a/>" * 9
    for spoilt in (packed[:-1], packed + b"x"):
        assert told(lambda spoilt=spoilt: bindings._inflated(spoilt), Code.SAML_XML) == (  # type: ignore[misc]
            "the message is cut, or followed by something"
        )
    assert told(lambda: bindings._inflated(b"\xff\xff"), Code.SAML_XML) == "the message is not deflated"
    assert told(lambda: bindings._inflated(b""), Code.SAML_XML)


@pytest.mark.parametrize("written", ["é", "====", "AAA", "A-B_", "%2A%2A%2A%2A", "AAAA*"])
def test_a_field_is_base64_and_nothing_else(written: str) -> None:
    for code in (Code.SAML_SIGNATURE, Code.SAML_XML):
        assert told(lambda code=code: bindings._base64(written, code), code) == "a field is not base64"  # type: ignore[misc]


def test_a_field_in_base64_may_be_written_in_lines_and_in_codes() -> None:
    for written in ("PGEvPg==", "PGEv%0APg%3D%3D", "PG%20Ev%0D%0APg=="):
        assert bindings._base64(written, Code.SAML_XML) == b"<a/>"


@pytest.mark.parametrize("make", [by_redirect, by_post])
def test_a_message_that_does_not_follow_the_schemas_is_told_as_such(make: Callable[..., Request]) -> None:
    message = make(logouts.request(lambda root: root.append(etree.Element("{urn:x}y"))))
    assert told(lambda: proved(message), Code.SAML_SCHEMA) == "the message does not follow the schemas"


def test_a_message_signed_in_its_address_is_not_signed_inside() -> None:
    def sealed(root: etree._Element) -> None:
        by_post(root)

    message = by_redirect(logouts.request(sealed))
    assert told(lambda: proved(message), Code.SAML_SHAPE) == "a signature stands where none is expected"


@pytest.mark.row("LGO-13")
def test_what_is_read_of_a_post_is_what_was_signed() -> None:
    root = logouts.request()
    message = by_post(root)
    assert proved(message).root is not root
    assert one(proved(message).root, "NameID").text == logouts.NAME.value
    content = base64.b64decode(message.form["SAMLRequest"]).replace(b"_s-1", b"_s-2")
    spoilt = posted({"SAMLRequest": base64.b64encode(content).decode()})
    with pytest.raises(AnswerRefused):
        proved(spoilt)
