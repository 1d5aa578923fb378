"""Decryption asked alone, piece by piece: what stands around it would refuse most of this once more."""

from __future__ import annotations

import base64
import copy
import functools
import secrets
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import decryption
from tests.providers.saml import forge, locksmith
from tests.providers.saml.forge import keys, one
from tests.providers.saml.locksmith import (
    CBC_METHODS,
    GCM,
    OAEP11,
    SHA256_URI,
    SHA384_URI,
    XENC11,
    Lock,
    encrypted,
    xenc,
)

IN_CBC = Lock(method=next(iter(CBC_METHODS)))
Edit = Callable[[etree._Element], object]


@functools.cache
def private() -> RSAPrivateKey:
    key = load_pem_private_key(keys("ours").private_pem, None)
    assert isinstance(key, RSAPrivateKey)
    return key


def opened(found: etree._Element, *, cbc: bool = True, inside_signature: bool = True) -> etree._Element:
    return decryption.element(found, decryption.Keys((private(),), cbc=cbc), inside_signature=inside_signature)


def told(found: etree._Element, code: Code = Code.SAML_ENCRYPTED) -> str:
    with pytest.raises(AnswerRefused) as refused:
        opened(found)
    assert refused.value.code is code
    return str(refused.value)


def plain(content: bytes, lock: Lock | None = None) -> etree._Element:
    return encrypted(content, lock or Lock())


def test_cbc_is_asked_for_and_the_same_in_every_other_respect() -> None:
    assert decryption.Keys((private(),)).cbc is False
    found = plain(b"<abc/>", IN_CBC)
    assert opened(found).tag == "abc"
    for cbc, inside in ((False, True), (True, False), (False, False)):
        with pytest.raises(AnswerRefused, match="AES-CBC is not allowed here"):
            opened(found, cbc=cbc, inside_signature=inside)


def test_what_is_too_large_inside_is_told_as_such() -> None:
    assert told(plain(b"<a>" + b"<b/>" * 10_001 + b"</a>"), Code.TOO_LARGE) == "the document is too large"


# the shape of an encrypted element


UNEXPECTED = "an encrypted element holds something unexpected"
KEYS = "an encrypted element does not hold a few wrapped keys"


def edited(edit: Edit, lock: Lock | None = None) -> etree._Element:
    found = plain(b"<a/>", lock)
    edit(found)
    return found


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: found.append(copy.deepcopy(found[0])),
        lambda found: found.remove(found[0]),
        lambda found: found.replace(found[0], etree.Element("{urn:x}y")),
        lambda found: etree.SubElement(found, "{urn:x}y"),
        lambda found: found.insert(0, etree.Element("{urn:x}y")),
    ],
    ids=["twice", "none", "another", "after", "before"],
)
@pytest.mark.parametrize("beside", [False, True])
def test_there_is_one_piece_of_data_and_its_keys_and_nothing_else(edit: Edit, beside: bool) -> None:
    assert told(edited(edit, Lock(beside=beside)), Code.SAML_SHAPE) == UNEXPECTED


def test_data_that_does_not_say_what_it_is_is_one_element() -> None:
    assert opened(edited(lambda found: found[0].attrib.pop("Type"))).tag == "a"
    other = edited(lambda found: found[0].set("Type", locksmith.XENC + "Content"))
    assert told(other, Code.SAML_SHAPE) == "what is encrypted is not one element"


@pytest.mark.parametrize("beside", [False, True])
def test_one_to_four_keys_are_tried(beside: bool) -> None:
    others = ("third",) * 3
    assert opened(plain(b"<a/>", Lock(beside=beside, to=(*others, "ours")))).tag == "a"
    assert told(plain(b"<a/>", Lock(beside=beside, to=(*others, "third", "ours"))), Code.SAML_SHAPE) == KEYS
    assert told(plain(b"<a/>", Lock(beside=beside, to=())), Code.SAML_SHAPE) == KEYS


@pytest.mark.parametrize("name", ["EncryptedKey", "EncryptedData"])
def test_a_key_or_data_anywhere_else_is_refused(name: str) -> None:
    def hide(found: etree._Element) -> None:
        etree.SubElement(etree.SubElement(found[0], xenc("EncryptionProperties")), xenc(name))

    assert told(edited(hide), Code.SAML_SHAPE) == KEYS


# values


def _comes_with_markup(value: etree._Element) -> None:
    etree.SubElement(value, "{urn:x}y")


def _has_other_signs(value: etree._Element) -> None:
    value.text = "*" + (value.text or "")


def _stops_early(value: etree._Element) -> None:
    value.text = "A"


def _is_empty(value: etree._Element) -> None:
    value.text = None


@pytest.mark.parametrize("edit", [_comes_with_markup, _has_other_signs, _stops_early, _is_empty])
@pytest.mark.parametrize("number", [0, 1])
def test_a_value_is_base64_and_nothing_else(edit: Edit, number: int) -> None:
    found = edited(lambda found: edit(forge.every(found, "CipherValue")[number]))
    assert told(found) == "what is encrypted cannot be read"


def test_base64_in_lines_is_read() -> None:
    def break_lines(found: etree._Element) -> None:
        for value in forge.every(found, "CipherValue"):
            value.text = "\n " + "\n".join(value.text or "") + " \t"

    assert opened(edited(break_lines)).tag == "a"


def test_a_key_without_its_method_is_refused() -> None:
    def edit(found: etree._Element) -> None:
        wrapped = one(found, "EncryptedKey")
        wrapped.remove(wrapped[0])

    assert told(edited(edit), Code.SAML_ALGORITHM) == "what wraps a key uses a method that is not allowed"


def test_data_without_its_method_is_refused() -> None:
    found = edited(lambda found: found[0].remove(found[0][0]))
    assert told(found, Code.SAML_ALGORITHM) == "what encrypts uses a method that is not allowed"


@pytest.mark.parametrize("label", [b"", b"a label"])
def test_a_label_is_base64_and_nothing_else(label: bytes) -> None:
    lock = Lock(label=label)
    assert opened(plain(b"<a/>", lock)).tag == "a"

    def empty(found: etree._Element) -> None:
        one(found, "OAEPparams").text = None

    def odd(found: etree._Element) -> None:
        one(found, "OAEPparams").text = "*" + base64.b64encode(label).decode()

    if not label:
        assert opened(edited(empty, lock)).tag == "a"
    assert told(edited(odd, lock)) == "what is encrypted cannot be read"


@pytest.mark.row("SAM-07")
def test_sha_384_wraps_like_its_neighbours() -> None:
    assert opened(plain(b"<a/>", Lock(wrap=OAEP11, digest=SHA384_URI, mask=f"{XENC11}mgf1sha384"))).tag == "a"


# ciphers


@pytest.mark.parametrize("method", [*GCM, *CBC_METHODS])
@pytest.mark.parametrize("size", [4, 14, 15, 16, 17, 31, 32])
def test_a_plaintext_of_any_length_comes_out_whole(method: str, size: int) -> None:
    content = b"<" + b"a" * (size - 3) + b"/>"
    assert opened(plain(content, Lock(method=method))).tag == "a" * (size - 3)


def in_cbc(padded: bytes) -> etree._Element:
    """Encrypt whole blocks as they are, the last byte the count of the padding."""
    session, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    sealer = Cipher(AES(session), CBC(iv)).encryptor()
    content = iv + sealer.update(padded) + sealer.finalize()
    cipher, mask = f"{locksmith.XENC}aes128-cbc", f"{XENC11}mgf1sha256"
    found = plain(b"<a/>", Lock(method=cipher, wrap=OAEP11, digest=SHA256_URI, mask=mask))
    values = forge.every(found, "CipherValue")
    values[0].text = base64.b64encode(private().public_key().encrypt(session, _oaep())).decode()
    values[1].text = base64.b64encode(content).decode()
    if one(found[0], "CipherValue") is not values[0]:  # the key stands before the data's own value
        values[0].text, values[1].text = values[1].text, values[0].text
    return found


def _oaep() -> OAEP:
    return OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)


@pytest.mark.row("SAM-08")
def test_the_padding_counts_one_to_sixteen() -> None:
    assert opened(in_cbc(b"<aaaaaaaaaaaa/>" + b"\x01")).tag == "a" * 12
    assert opened(in_cbc(b"<aaaaaaaaaaaaa/>" + b"x" * 15 + b"\x10")).tag == "a" * 13
    # Seventeen would leave an element, none would leave it all: neither is a padding.
    assert told(in_cbc(b"<aaaaaaaaaaaa/>" + b"x" * 16 + b"\x11")) == "what is encrypted cannot be read"
    assert told(in_cbc(b"<a>aaaaaaa</a>" + b"  ")) == "what is encrypted cannot be read"


# what comes out


def within(content: bytes, **around: str) -> etree._Element:
    """Return an encrypted element with prefixes declared around it; `default` is the one without a name."""
    names = " ".join(f'xmlns{"" if name == "default" else ":" + name}="{uri}"' for name, uri in around.items())
    holder = etree.fromstring(f'<h:holder xmlns:h="urn:around" {names}/>')
    found = plain(content)
    holder.append(found)
    return etree.fromstring(etree.tostring(holder))[0]


@pytest.mark.parametrize(
    "content", [b"x <a/>", b" <a/>x", b" <a/><b/>", b" ", b" x", b"<!-- x --><a/>", b"<a/><b/>", b"x"]
)
@pytest.mark.parametrize("around", [{}, {"p": "urn:p"}])
def test_one_element_comes_out_and_nothing_beside_it(content: bytes, around: dict[str, str]) -> None:
    assert told(within(content, **around)) == "what is encrypted cannot be read"


def test_blanks_around_the_element_are_nothing() -> None:
    found = opened(within(b"\n <a/> \n"))
    assert (found.tag, found.tail, found.getparent()) == ("a", None, None)


@pytest.mark.parametrize(
    ("content", "around", "tag"),
    [
        (b"<a/>", {}, "a"),
        (b"<a/>", {"p": "urn:p"}, "a"),
        (b"<p:a/>", {"p": "urn:p"}, "{urn:p}a"),
        (b"<a/>", {"default": "urn:d"}, "{urn:d}a"),
        (b'<a xmlns="urn:own"/>', {"default": "urn:d"}, "{urn:own}a"),
        (b'<p:a xmlns:p="urn:own"/>', {"p": "urn:p"}, "{urn:own}a"),
        (b'<p:a xmlns:p="urn:own"/>', {"default": "urn:d"}, "{urn:own}a"),
        (b'<a xmlns="urn:own" p:b=""/>', {"default": "urn:d", "p": "urn:p"}, "{urn:own}a"),
        (b'<pp:a xmlns:pp="urn:own"/>', {"p": "urn:p"}, "{urn:own}a"),
    ],
)
def test_a_prefix_stands_for_what_it_stood_for(content: bytes, around: dict[str, str], tag: str) -> None:
    found = opened(within(content, **around))
    assert found.tag == tag
    assert found.getparent() is None
    if b"p:b" in content:
        assert found.get("{urn:p}b") == ""


def test_a_prefix_that_nobody_declared_is_refused() -> None:
    assert told(within(b"<q:a/>", p="urn:p")) == "what is encrypted cannot be read"
