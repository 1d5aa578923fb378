"""The rules of logout messages asked alone, to the second and to the last attribute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from examples.demo.portals.saml_messages import instant
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import decryption, logout
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import LOGOUT, NOW, PORTAL, keys, one
from tests.providers.saml.locksmith import Lock, encrypted
from tests.providers.saml.logouts import NAME

SECOND, SKEW, LIFE = timedelta(seconds=1), timedelta(seconds=90), timedelta(minutes=5)
EXPECTED = logout.Expected(issuer=PORTAL, address=LOGOUT, now=NOW, skew=SKEW)


def ours() -> decryption.Keys:
    key = load_pem_private_key(keys("ours").private_pem, None)
    assert isinstance(key, RSAPrivateKey)
    return decryption.Keys((key,), cbc=True)


def read(root: etree._Element) -> logout.Order:
    return logout.order(root, ours(), EXPECTED)


def code(call: Callable[[], object]) -> Code:
    with pytest.raises(AnswerRefused) as refused:
        call()
    return refused.value.code


def refused(edit: forge.Edit) -> Code:
    """Return why an order is refused."""
    return code(lambda: read(logouts.request(edit)))


def test_an_order_is_read_whole() -> None:
    order = read(logouts.request(sessions=("_1", "", " _2 "), ID="_mine"))
    assert (order.id, order.name, order.sessions) == ("_mine", NAME, ("_1", "_2"))
    assert order.ends_at == NOW + LIFE + 2 * SKEW, "it is remembered for as long as it would pass"
    assert read(logouts.request(sessions=())).sessions == ()


@pytest.mark.parametrize("name", ["Version", "Destination", "IssueInstant"])
def test_what_every_message_says_is_there_and_right(name: str) -> None:
    codes = {"Version": Code.SAML_SHAPE, "Destination": Code.SAML_DESTINATION, "IssueInstant": Code.SAML_TIME}
    for value in (None, "", "x"):

        def spoil(root: etree._Element, value: str | None = value) -> None:
            del root.attrib[name]
            if value is not None:
                root.set(name, value)

        assert refused(spoil) is codes[name]
        assert code(lambda: logout.answer(logouts.response("_a", spoil), "_a", EXPECTED)) is codes[name]


def test_who_speaks_is_there_and_right() -> None:
    assert refused(lambda root: forge.without(one(root, "Issuer"))) is Code.SAML_SHAPE
    assert refused(lambda root: setattr(one(root, "Issuer"), "text", PORTAL + "x")) is Code.ROUTE_MISMATCH


@pytest.mark.row("LGO-13")
def test_an_order_lives_five_minutes_to_the_second_on_two_clocks() -> None:
    def end(root: etree._Element) -> None:
        root.attrib.pop("NotOnOrAfter")

    for moment in (NOW + SKEW, NOW, NOW - LIFE - SKEW + SECOND):
        assert read(logouts.request(end, at=moment)).ends_at == moment + LIFE + 2 * SKEW
    for moment in (NOW + SKEW + SECOND, NOW - LIFE - SKEW):
        assert code(lambda moment=moment: read(logouts.request(end, at=moment))) is Code.SAML_TIME  # type: ignore[misc]


@pytest.mark.row("LGO-13")
def test_an_order_ends_when_it_says_to_the_second() -> None:
    def ending(moment: str) -> forge.Edit:
        return lambda root: root.set("NotOnOrAfter", moment)

    assert read(logouts.request(ending(instant(NOW - SKEW + SECOND)))).name == NAME
    assert refused(ending(instant(NOW - SKEW))) is Code.SAML_TIME
    assert refused(ending("")) is Code.SAML_TIME


def renamed(root: etree._Element) -> None:
    one(root, "NameID").tag = forge.saml("BaseID")


def in_cipher(content: bytes, lock: Lock | None = None) -> forge.Edit:
    def edit(root: etree._Element) -> None:
        name = one(root, "NameID")
        root.replace(name, encrypted(content, lock or Lock(), "EncryptedID"))

    return edit


def test_an_order_names_somebody() -> None:
    assert refused(lambda root: forge.without(one(root, "NameID"))) is Code.SAML_SHAPE
    assert refused(renamed) is Code.SAML_SHAPE
    assert refused(lambda root: setattr(one(root, "NameID"), "text", None)) is Code.SAML_SHAPE


def test_an_encrypted_name_is_a_name_and_nothing_else() -> None:
    space = b'xmlns="urn:oasis:names:tc:SAML:2.0:assertion"'
    for method in ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#aes128-cbc"):
        edit = in_cipher(b"<NameID " + space + b">who</NameID>", Lock(method=method))
        assert read(logouts.request(edit)).name.value == "who"
    for content in (b"<NameID>who</NameID>", b"<Issuer " + space + b">who</Issuer>", b"<NameID " + space + b"/>"):
        assert refused(in_cipher(content)) is Code.SAML_SHAPE


def test_an_answer_is_to_the_request_that_was_sent_and_says_that_all_is_done() -> None:
    logout.answer(logouts.response("_a"), "_a", EXPECTED)
    assert code(lambda: logout.answer(logouts.response("_b"), "_a", EXPECTED)) is Code.SAML_IN_RESPONSE_TO
    without = logouts.response("_a")
    del without.attrib["InResponseTo"]
    for asked in ("_a", "x"):
        assert code(lambda asked=asked: logout.answer(without, asked, EXPECTED)) is Code.SAML_IN_RESPONSE_TO  # type: ignore[misc]
    partial = logouts.response("_a", status="urn:oasis:names:tc:SAML:2.0:status:PartialLogout")
    assert code(lambda: logout.answer(partial, "_a", EXPECTED)) is Code.PORTAL_REFUSED
