"""Encrypted assertions: opened by our keys alone, and then worth no more than what came in clear."""

from __future__ import annotations

import base64
import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from examples.demo.portals.saml_messages import sign
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.operating.key_pairs import RSA_BITS
from imagin_gateway.providers.saml import decryption, documents, signature
from tests.providers.saml import forge, locksmith
from tests.providers.saml.forge import PERSON, forged, keys, one
from tests.providers.saml.journey import House, house
from tests.providers.saml.locksmith import (
    CBC_METHODS,
    GCM,
    MGF1P,
    OAEP11,
    RSA15,
    SHA1_URI,
    SHA256_URI,
    SHA384_URI,
    SHA512_URI,
    XENC,
    XENC11,
    Lock,
    encrypt_assertion,
    encrypted,
)
from tests.providers.saml.logouts import NAME

Open = Callable[..., House]


def sealed(lock: Lock | None = None, *, inner: bool = True, outer: bool = True, **more: Any) -> etree._Element:
    """Return a message whose assertion is signed (`inner`), encrypted, and then signed around (`outer`)."""
    root = forged(signed="assertion" if inner else "nothing", **more)
    encrypt_assertion(root, lock)
    if outer:
        sign(root, keys("portal"), prefixes="")
    return etree.fromstring(etree.tostring(root))


@pytest.mark.row("SAM-07")
@pytest.mark.parametrize("method", GCM)
@pytest.mark.parametrize(
    ("wrap", "digest", "mask"),
    [
        (MGF1P, None, None),
        (MGF1P, SHA1_URI, None),
        (MGF1P, SHA256_URI, None),
        (OAEP11, None, None),
        (OAEP11, SHA256_URI, f"{XENC11}mgf1sha256"),
        (OAEP11, SHA512_URI, f"{XENC11}mgf1sha1"),
        (OAEP11, SHA384_URI, f"{XENC11}mgf1sha384"),
        (OAEP11, SHA1_URI, f"{XENC11}mgf1sha512"),
    ],
)
def test_every_pair_of_algorithms_is_opened(
    there: House, method: str, wrap: str, digest: str | None, mask: str | None
) -> None:
    arrival = there.come_back(sealed(Lock(method=method, wrap=wrap, digest=digest, mask=mask)))
    assert arrival.subject == PERSON.login
    assert arrival.name_id


@pytest.mark.row("SAM-07")
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("label", [None, b"", b"a label"])
def test_the_wrapped_key_stands_inside_or_beside(there: House, beside: bool, label: bytes | None) -> None:
    assert there.come_back(sealed(Lock(beside=beside, label=label))).subject == PERSON.login


@pytest.mark.row("SAM-07")
@pytest.mark.parametrize("cipher", ["TransformAes128Gcm", "TransformAes256Gcm"])
def test_what_another_implementation_encrypted_is_opened(there: House, cipher: str) -> None:
    root = forged(signed="assertion")
    locksmith.encrypt_by_xmlsec(root, getattr(xmlsec.constants, cipher), xmlsec.constants.TransformRsaOaep)
    # It leaves prefixes to be found around: the signature must cover what they stand for.
    sign(root, keys("portal"), prefixes="xs xsi")
    assert there.come_back(root).subject == PERSON.login


def test_what_prefixes_stand_for_is_believed_only_where_it_is_signed(there: House) -> None:
    root = forged(signed="nothing")
    locksmith.encrypt_by_xmlsec(root, xmlsec.constants.TransformAes128Gcm, xmlsec.constants.TransformRsaOaep)
    sign(root, keys("portal"), prefixes="")
    assert there.code(root) is Code.SAML_ENCRYPTED


@pytest.fixture(scope="session")
def two_keys(opened: Open, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A portal opened with the key in use and the one before it."""
    folder = tmp_path_factory.mktemp("other-key")
    (folder / "other.key").write_bytes(keys("other").private_pem)
    (folder / "other.crt").write_bytes(keys("other").certificate_pem)
    return opened(other_private_keys=(folder / "other.key",), other_certificates=(folder / "other.crt",))


@pytest.mark.row("SAM-07")
@pytest.mark.parametrize("to", [("ours",), ("other",), ("third", "other"), ("third", "ours")])
def test_each_of_our_two_keys_opens(two_keys: House, to: tuple[str, ...]) -> None:
    assert two_keys.come_back(sealed(Lock(to=to))).subject == PERSON.login


@pytest.mark.row("SAM-07")
def test_a_third_key_fails_as_everything_else_does(two_keys: House, there: House) -> None:
    told = {str(there.refuses(sealed(Lock(to=("other",)))))}
    told.add(str(two_keys.refuses(sealed(Lock(to=("third",))))))
    for lock in (
        Lock(spoil=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])),
        Lock(spoil=lambda raw: bytes([raw[0] ^ 1]) + raw[1:]),
        Lock(spoil=lambda raw: raw[:20]),
        Lock(spoil=lambda raw: b""),
        Lock(spoil_key=lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])),
        Lock(spoil_key=lambda raw: b"short"),
    ):
        refused = there.refuses(sealed(lock))
        assert refused.code is Code.SAML_ENCRYPTED
        told.add(str(refused))
    for plain in (
        b"",
        b"no markup",
        b"<a>",
        b"<a/><b/>",
        b"<!--x--><a/>",
        b"</_><_>",
        b"<?xml version='1.0'?><a/>",
        b"\xff",
    ):
        root = forged(signed="nothing")
        root.replace(one(root, "Assertion"), encrypted(plain, Lock()))
        sign(root, keys("portal"), prefixes="")
        refused = there.refuses(etree.fromstring(etree.tostring(root)))
        assert refused.code is Code.SAML_ENCRYPTED, plain
        told.add(str(refused))
    assert told == {"what is encrypted cannot be read"}


@pytest.mark.row("SAM-06")
@pytest.mark.parametrize(
    "lock",
    [
        Lock(wrap=RSA15, digest=None),
        Lock(wrap=MGF1P, digest="http://www.w3.org/2001/04/xmldsig-more#md5"),
        Lock(wrap=OAEP11, mask=f"{XENC11}mgf1md5"),
        Lock(wrap=MGF1P, mask=f"{XENC11}mgf1sha256"),
        Lock(method=f"{XENC}tripledes-cbc"),
        Lock(method=f"{XENC}aes128-ctr"),
    ],
)
def test_a_method_that_is_not_on_the_list_opens_nothing(opened: Open, lock: Lock) -> None:
    for there in (opened(), opened(allow_cbc=True)):
        assert there.code(sealed(lock)) is Code.SAML_ALGORITHM


@pytest.mark.row("SAM-08")
@pytest.mark.parametrize("method", CBC_METHODS)
def test_cbc_is_opened_only_when_allowed_and_signed_around(opened: Open, method: str) -> None:
    lock = Lock(method=method)
    assert opened().code(sealed(lock)) is Code.SAML_ALGORITHM
    assert opened(allow_cbc=True).come_back(sealed(lock)).subject == PERSON.login
    by_assertion = opened(allow_cbc=True, require_signed="assertion")
    assert by_assertion.come_back(sealed(lock)).subject == PERSON.login
    assert by_assertion.code(sealed(lock, outer=False)) is Code.SAML_ALGORITHM


@pytest.mark.row("SAM-08")
def test_allowing_cbc_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house(tmp_path)
    assert "AES-CBC" not in caplog.text
    house(tmp_path, allow_cbc=True)
    (told,) = [each for each in caplog.records if "AES-CBC" in each.getMessage()]
    assert told.levelname == "WARNING"


@pytest.mark.row("SAM-08")
def test_a_wrong_padding_and_a_wrong_key_are_one_failure(opened: Open) -> None:
    there = opened(allow_cbc=True)
    method = f"{XENC}aes128-cbc"
    told = set()
    for lock in (
        Lock(method=method, spoil=lambda raw: raw[:-1] + bytes([raw[-1] ^ 0x80])),
        Lock(method=method, spoil=lambda raw: raw[:-17] + bytes([raw[-17] ^ 0xF0]) + raw[-16:]),
        Lock(method=method, spoil=lambda raw: raw[:-3]),
        Lock(method=method, spoil=lambda raw: raw[:16]),
        Lock(method=method, to=("third",)),
        Lock(method=method, spoil_key=lambda raw: raw[::-1]),
    ):
        refused = there.refuses(sealed(lock))
        told.add((refused.code, str(refused)))
    assert told == {(Code.SAML_ENCRYPTED, "what is encrypted cannot be read")}


@pytest.mark.row("SAM-08")
def test_nothing_is_decrypted_before_what_holds_it_is_verified(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_by_us: list[bool] = []
    real = decryption.element

    def watched(*args: Any, **more: Any) -> etree._Element:
        opened_by_us.append(more["inside_signature"])
        return real(*args, **more)

    monkeypatch.setattr(decryption, "element", watched)
    there = opened(allow_cbc=True)
    root = sealed(Lock(method=f"{XENC}aes128-cbc"))
    value = one(root, "CipherValue")
    assert value.text is not None
    changed = bytearray(base64.b64decode(value.text))
    changed[0] ^= 1
    value.text = base64.b64encode(bytes(changed)).decode()
    assert there.code(root) is Code.SAML_SIGNATURE
    assert opened_by_us == []
    there.come_back(sealed())
    assert opened_by_us == [True]


def test_what_is_signed_inside_must_be_right_too(opened: Open) -> None:
    there = opened(require_signed="both")
    assert there.come_back(sealed()).subject == PERSON.login
    assert there.code(sealed(inner=False)) is Code.SAML_UNSIGNED
    assert there.code(sealed(outer=False)) is Code.SAML_UNSIGNED
    wrong = forged(signed="assertion", key=keys("attacker"))
    encrypt_assertion(wrong)
    sign(wrong, keys("portal"), prefixes="")
    assert opened().code(etree.fromstring(etree.tostring(wrong))) is Code.SAML_SIGNATURE


@pytest.mark.row("SAM-01")
def test_anybody_can_encrypt_for_us_so_what_is_encrypted_needs_a_signature(opened: Open) -> None:
    for required in ("response", "assertion", "both"):
        assert opened(require_signed=required).code(sealed(inner=False, outer=False)) is Code.SAML_UNSIGNED
    assert opened(require_signed="assertion").come_back(sealed(outer=False)).subject == PERSON.login


def with_plain(plain: bytes, *, lock: Lock | None = None) -> etree._Element:
    root = forged(signed="nothing")
    root.replace(one(root, "Assertion"), encrypted(plain, lock or Lock()))
    sign(root, keys("portal"), prefixes="")
    return etree.fromstring(etree.tostring(root))


def test_only_an_assertion_alone_comes_out(there: House) -> None:
    signed = forged(signed="assertion")
    assertion = one(signed, "Assertion")
    signature = one(signed, "Signature")
    whole = etree.tostring(forged(signed="both"))
    nested = copy.deepcopy(assertion)
    advice = etree.Element(forge.saml("Advice"))
    advice.append(forge.evil(assertion))
    one(nested, "Conditions").addnext(advice)
    for plain in (whole, etree.tostring(signature), etree.tostring(nested)):
        assert there.code(with_plain(plain)) in {Code.SAML_SHAPE, Code.SAML_SCHEMA}
    bare = etree.fromstring(etree.tostring(assertion))
    one(bare, "Subject").append(etree.Element("{urn:x}y"))
    assert there.code(with_plain(etree.tostring(bare))) is Code.SAML_SCHEMA


def test_an_assertion_that_holds_another_is_refused_by_its_shape(there: House) -> None:
    for name in ("Assertion", "EncryptedAssertion"):
        outer = forge.unsigned(one(forged(signed="nothing"), "Assertion"))
        for value in forge.every(outer, "AttributeValue"):
            value.attrib.clear()
        inner = forge.evil(outer)
        if name == "EncryptedAssertion":
            inner = encrypted(etree.tostring(inner), Lock())
        advice = etree.Element(forge.saml("Advice"))
        advice.append(inner)
        one(outer, "Conditions").addnext(advice)
        outer.set("ID", "_outer")
        refused = there.refuses(with_plain(etree.tostring(outer)))
        assert (refused.code, str(refused)) == (Code.SAML_SHAPE, "an assertion holds another one")


def test_an_encrypted_assertion_inside_an_encrypted_one_is_refused(there: House) -> None:
    inner = encrypted(etree.tostring(one(forged(signed="assertion"), "Assertion")), Lock())
    assert there.code(with_plain(etree.tostring(inner))) is Code.SAML_SHAPE


def test_clear_and_encrypted_assertions_do_not_go_together(by_assertion: House) -> None:
    for first in (True, False):
        root = forged(signed="assertion")
        genuine = one(root, "Assertion")
        false = encrypted(etree.tostring(forge.evil(genuine)), Lock())
        if first:
            genuine.addprevious(false)
        else:
            genuine.addnext(false)
        assert by_assertion.code(root) is Code.SAML_SHAPE
    for name, place in forge.NESTS.items():
        if name == "Object":
            continue
        root = forged(signed="assertion")
        place(root, encrypted(etree.tostring(forge.evil(one(root, "Assertion"))), Lock()))
        assert by_assertion.code(root) in {Code.SAML_SHAPE, Code.SAML_SCHEMA, Code.SAML_SIGNATURE}


def test_two_encrypted_assertions_are_refused(there: House) -> None:
    root = sealed(outer=False)
    root.append(copy.deepcopy(one(root, "EncryptedAssertion")))
    sign(root, keys("portal"), prefixes="")
    assert there.code(root) is Code.SAML_SHAPE


def test_an_id_inside_and_outside_is_refused(by_assertion: House) -> None:
    root = forged(signed="nothing")
    assertion = one(root, "Assertion")
    assertion.set("ID", root.get("ID", ""))
    sign(assertion, keys("portal"))
    encrypt_assertion(root)
    assert by_assertion.code(etree.fromstring(etree.tostring(root))) is Code.SAML_SHAPE


def test_the_shape_of_what_is_encrypted_leaves_no_choice(there: House) -> None:
    def twice(root: etree._Element) -> None:
        holder = one(root, "EncryptedAssertion")
        holder.append(copy.deepcopy(holder[0]))

    def of_another_type(root: etree._Element) -> None:
        one(root, "EncryptedData").set("Type", XENC + "Content")

    def without_key(root: etree._Element) -> None:
        forge.without(one(root, "EncryptedKey"))

    def by_reference(root: etree._Element) -> None:
        value = one(one(root, "EncryptedData"), "CipherValue")
        parent = value.getparent()
        assert parent is not None
        parent.replace(value, etree.Element(locksmith.xenc("CipherReference"), URI="https://evil.example/x"))

    expected = {
        twice: {Code.SAML_SCHEMA, Code.SAML_SHAPE},
        of_another_type: {Code.SAML_SHAPE},
        without_key: {Code.SAML_SHAPE, Code.SAML_SCHEMA},
        by_reference: {Code.SAML_ENCRYPTED},
    }
    for edit, codes in expected.items():
        root = sealed(outer=False)
        edit(root)
        sign(root, keys("portal"), prefixes="")
        assert there.code(etree.fromstring(etree.tostring(root))) in codes, edit.__name__
    assert there.code(sealed(Lock(to=("third",) * 5))) is Code.SAML_SHAPE


@pytest.mark.row("SAM-31")
@pytest.mark.parametrize(
    "plain",
    [
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>" * 9000,
        b"<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='file:///etc/passwd'/></a>",
        b"<a>" * 100 + b"</a>" * 100,
    ],
)
def test_the_plaintext_is_held_to_the_same_limits(there: House, plain: bytes) -> None:
    began = time.monotonic()
    assert there.code(with_plain(plain)) in {Code.SAML_ENCRYPTED, Code.TOO_LARGE}
    assert time.monotonic() - began < 30, "it ends"


def test_prefixes_declared_around_the_plaintext_are_known_inside(there: House) -> None:
    assertion = one(forged(signed="nothing"), "Assertion")
    plain = etree.tostring(assertion, with_tail=False)
    for declaration in (b' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"',):
        assert declaration in plain
        plain = plain.replace(declaration, b"", 1)
    root = forged(signed="nothing")
    root.replace(one(root, "Assertion"), encrypted(plain, Lock()))
    sign(root, keys("portal"), prefixes="")
    assert there.come_back(etree.fromstring(etree.tostring(root))).subject == PERSON.login


@pytest.mark.row("LGO-13", "SAM-22")
@pytest.mark.parametrize(
    ("lock", "cbc", "told"),
    [
        (Lock(), False, NAME.kept()),
        (Lock(method=f"{XENC}aes128-cbc"), True, NAME.kept()),
        # Nobody is recognised by it: what cannot be opened keeps nobody out.
        (Lock(method=f"{XENC}aes128-cbc"), False, ""),
        (Lock(to=("third",)), False, ""),
    ],
)
@pytest.mark.parametrize("around", [False, True])
def test_an_encrypted_name_is_opened_at_login_as_the_logout_will_name_it(
    opened: Open, lock: Lock, cbc: bool, told: str, around: bool
) -> None:
    assert spoken_with(opened(allow_cbc=cbc), etree.tostring(name_element()), lock, around=around) == told


@pytest.mark.row("SAM-22")
@pytest.mark.parametrize(
    "content",
    [b"<Issuer xmlns='urn:oasis:names:tc:SAML:2.0:assertion'>x</Issuer>", b"<NameID>x</NameID>", b"no markup"],
)
def test_something_else_than_a_name_that_was_encrypted_is_no_name(there: House, content: bytes) -> None:
    assert spoken_with(there, content, Lock()) == ""


def name_element() -> etree._Element:
    name = etree.Element(forge.saml("NameID"), Format=NAME.format, SPNameQualifier=NAME.sp_name_qualifier)
    name.text = NAME.value
    return name


def spoken_with(portal: House, content: bytes, lock: Lock, *, around: bool = False) -> str:
    """Return the name kept of a login whose answer holds `content` encrypted in the place of the name."""

    def edit(root: etree._Element) -> None:
        name = one(root, "NameID")
        parent = name.getparent()
        assert parent is not None
        parent.replace(name, encrypted(content, lock, "EncryptedID"))

    arrival = portal.come_back(sealed(edit=edit) if around else forged(edit))
    assert arrival.subject == PERSON.login
    return arrival.name_id


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_what_is_encrypted_gets_through(by_assertion: House, data: st.DataObject) -> None:
    """Signed inside alone, the ciphertext is anybody's to change."""
    root = sealed(outer=False)
    values = [each for each in root.iter() if etree.QName(each).localname == "CipherValue"]
    chosen = data.draw(st.sampled_from(values))
    raw = bytearray(base64.b64decode(chosen.text or ""))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    chosen.text = base64.b64encode(bytes(raw)).decode()
    with pytest.raises(AnswerRefused) as caught:
        by_assertion.come_back(root)
    assert caught.value.code is Code.SAML_ENCRYPTED


def test_keys_and_plaintexts_do_not_hang_from_the_refusal(there: House) -> None:
    refused = there.refuses(sealed(Lock(to=("third",))))
    assert refused.__cause__ is None
    assert refused.__context__ is None
    assert "RSA" not in repr(decryption.Keys(()))
    assert "private" not in repr(there.portal)
    assert RSA_BITS == 3072
    assert documents.MESSAGE.size < 512 * 1024


@pytest.mark.row("SAM-06")
def test_a_method_that_the_settings_forbid_is_forbidden_inside_too(opened: Open) -> None:
    more: dict[str, Any] = {"method": xmlsec.constants.TransformRsaSha512}
    forbidding = opened(forbidden_algorithms=("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",))
    assert forbidding.come_back(sealed()).subject == PERSON.login
    assert forbidding.code(sealed(**more)) is Code.SAML_ALGORITHM
    assert opened().come_back(sealed(**more)).subject == PERSON.login


@pytest.mark.row("SAM-03")
@pytest.mark.parametrize("encrypting", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_whatever_the_tree_says_what_was_verified_is_read(
    opened: Open, encrypting: bool, outer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that the last signature gave back say another name than the tree: that name is the person's."""
    there = opened(require_signed="response" if outer else "assertion")
    told: list[bytes] = []
    verify = signature.signed_bytes

    def verified(*words: Any, **more: Any) -> bytes:
        told.append(verify(*words, **more).replace(PERSON.login.encode(), b"verified%d" % (len(told) + 1)))
        return told[-1]

    monkeypatch.setattr(signature, "signed_bytes", verified)
    message = sealed(outer=outer) if encrypting else forged(signed="both" if outer else "assertion")
    # Of two signatures in clear, the outer one's bytes hold the other's.
    wanted = 2 if outer and encrypting else 1
    assert there.come_back(message).subject == f"verified{wanted}"
