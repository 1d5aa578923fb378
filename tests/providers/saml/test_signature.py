"""Who signed, with what, and what the signature covers."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from lxml import etree
from pydantic import ValidationError

from examples.demo.portals import saml_messages
from examples.demo.portals.saml_messages import KeyPair, sign
from imagin_gateway.errors import AnswerRefused, Code, SettingsError
from imagin_gateway.providers.saml import decryption, documents, reader, shape, signature
from imagin_gateway.providers.saml.vocabulary import DIGESTS, ECDSA_METHODS, EXC_C14N, RSA_METHODS
from tests.providers.saml import forge
from tests.providers.saml.forge import OTHER_PORTAL, PORTAL, SSO, ds, forged, keys, one
from tests.providers.saml.journey import House, house, section

NO_KEYS = decryption.Keys(())
DSIG = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA256 = MORE + "rsa-sha256"


def metadata_with(*descriptors: tuple[KeyPair, str | None], role: str = "IDPSSODescriptor") -> bytes:
    """Return the portal's metadata with these keys, each with its `use` (None: without)."""
    root = etree.fromstring(saml_messages.metadata(PORTAL, SSO, [keys("portal")]))
    usual = one(root, "KeyDescriptor")
    holder = usual.getparent()
    assert holder is not None
    if role != "IDPSSODescriptor":
        tag = f"{{{saml_messages.MD}}}{role}"
        other = etree.SubElement(root, tag, attrib={"protocolSupportEnumeration": saml_messages.SAMLP})
        holder, place = other, 0
    else:
        holder.remove(usual)
        place = 0
    for pair, use in descriptors:
        descriptor = copy.deepcopy(usual)
        one(descriptor, "X509Certificate").text = pair.certificate_base64
        if use is None:
            del descriptor.attrib["use"]
        else:
            descriptor.set("use", use)
        holder.insert(place, descriptor)
    return etree.tostring(root)


@pytest.mark.row("SAM-01")
@pytest.mark.parametrize("signed", ["nothing", "response", "assertion", "both"])
@pytest.mark.parametrize("required", ["response", "assertion", "both"])
def test_what_must_be_signed_is_signed_or_the_answer_is_refused(
    opened: Callable[..., House], required: str, signed: str
) -> None:
    there = opened(require_signed=required)
    message = forged(signed=signed)
    if signed in (required, "both"):
        assert there.come_back(message).subject == forge.PERSON.login
    else:
        assert there.code(message) is Code.SAML_UNSIGNED


@pytest.mark.row("SAM-01")
@pytest.mark.parametrize("nothing", ["none", "", None, False])
def test_no_setting_accepts_a_message_without_signature(tmp_path: Path, nothing: object) -> None:
    with pytest.raises(ValidationError):
        section(tmp_path, require_signed=nothing)


def test_a_signature_nobody_asked_for_must_be_right_too(opened: Callable[..., House]) -> None:
    for required, other in (("response", "Assertion"), ("assertion", "Response")):
        root = forged(signed="assertion", key=keys("attacker" if other == "Assertion" else "portal"))
        sign(root, keys("attacker" if other == "Response" else "portal"))
        message = etree.fromstring(etree.tostring(root))
        assert opened(require_signed=required).code(message) is Code.SAML_SIGNATURE


@pytest.mark.row("SAM-04")
@pytest.mark.parametrize("signed", ["response", "assertion", "both"])
def test_a_key_carried_by_the_message_verifies_nothing(opened: Callable[..., House], signed: str) -> None:
    """The attacker's certificate stands in KeyInfo, where the message says to look."""
    there = opened(require_signed=signed)
    message = forged(signed=signed, key=keys("attacker"))
    assert keys("attacker").certificate_base64[:60] in (one(message, "X509Certificate").text or "")
    assert there.code(message) is Code.SAML_SIGNATURE


@pytest.mark.row("SAM-04")
def test_the_key_of_another_portal_verifies_nothing_here(there: House) -> None:
    assert there.code(forged(key=keys("other portal"))) is Code.SAML_SIGNATURE


@pytest.mark.row("SAM-04")
def test_the_answer_of_another_portal_is_told_apart(there: House) -> None:
    """It is genuine, elsewhere."""
    assert there.code(forged(key=keys("other portal"), issuer=OTHER_PORTAL)) is Code.ROUTE_MISMATCH


def test_the_keys_of_another_entity_of_the_file_are_not_read(tmp_path: Path) -> None:
    federation = etree.Element(f"{{{saml_messages.MD}}}EntitiesDescriptor")
    for entity, pair in ((OTHER_PORTAL, "other portal"), (PORTAL, "portal")):
        federation.append(etree.fromstring(saml_messages.metadata(entity, SSO, [keys(pair)])))
    there = house(tmp_path, metadata=etree.tostring(federation))
    assert there.come_back(forged()).issuer == PORTAL
    assert there.code(forged(key=keys("other portal"))) is Code.SAML_SIGNATURE


@pytest.mark.parametrize("role", ["SPSSODescriptor", "AttributeAuthorityDescriptor"])
def test_a_key_of_another_role_of_the_portal_verifies_nothing(tmp_path: Path, role: str) -> None:
    there = house(tmp_path, metadata=metadata_with((keys("other role"), "signing"), role=role))
    assert there.come_back(forged()).issuer == PORTAL
    assert there.code(forged(key=keys("other role"))) is Code.SAML_SIGNATURE


def test_a_key_for_encryption_verifies_nothing(tmp_path: Path) -> None:
    metadata = metadata_with((keys("portal"), "signing"), (keys("encrypts"), "encryption"))
    there = house(tmp_path, metadata=metadata)
    assert there.code(forged(key=keys("encrypts"))) is Code.SAML_SIGNATURE


@pytest.mark.row("SAM-05")
def test_every_signing_certificate_is_tried_whatever_its_dates_and_its_use(tmp_path: Path) -> None:
    metadata = metadata_with((keys("expired"), "signing"), (keys("any use"), None))
    assert keys("expired").certificate.not_valid_after_utc < forge.NOW
    there = house(tmp_path, metadata=metadata)
    for name in ("expired", "any use"):
        assert there.come_back(forged(key=keys(name))).subject == forge.PERSON.login
    assert there.code(forged(key=keys("third"))) is Code.SAML_SIGNATURE


@pytest.mark.parametrize("beside", [None, "portal", "authority"])
def test_a_key_may_stand_in_the_metadata_without_a_certificate(tmp_path: Path, beside: str | None) -> None:
    root = etree.fromstring(saml_messages.metadata(PORTAL, SSO, [keys(beside or "portal")]))
    told = one(root, "KeyInfo")
    numbers = keys("portal").certificate.public_key().public_numbers()  # type: ignore[union-attr]  # RSA
    value = etree.SubElement(etree.SubElement(told, ds("KeyValue")), ds("RSAKeyValue"))
    for name, number in (("Modulus", numbers.n), ("Exponent", numbers.e)):  # type: ignore[union-attr]  # RSA
        whole = number.to_bytes((number.bit_length() + 7) // 8, "big")
        etree.SubElement(value, ds(name)).text = base64.b64encode(whole).decode()
    if beside is None:
        forge.without(one(told, "X509Data"))
    if beside == "authority":
        with pytest.raises(SettingsError):
            house(tmp_path, metadata=etree.tostring(root))
        return
    there = house(tmp_path, metadata=etree.tostring(root))
    assert there.come_back(forged()).subject == forge.PERSON.login
    assert there.code(forged(key=keys("attacker"))) is Code.SAML_SIGNATURE


def test_key_info_may_lack_or_say_anything(there: House) -> None:
    def spoilt(root: etree._Element, text: str | None) -> etree._Element:
        for told in forge.every(root, "KeyInfo"):
            if text is None:
                forge.without(told)
            else:
                one(told, "X509Certificate").text = text
        return root

    # Of the Response alone: the one of the Assertion is signed by the Response around it.
    for text in (None, base64.b64encode(b"no certificate").decode()):
        assert there.come_back(spoilt(forged(signed="response"), text)).subject == forge.PERSON.login
    assert there.code(spoilt(forged(signed="both"), None)) is Code.SAML_SIGNATURE


def test_hmac_with_the_public_key_as_its_secret_is_refused(there: House) -> None:
    root = saml_messages.response(forge.said())
    seal = xmlsec.template.create(
        root, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformHmacSha256, ns="ds"
    )
    root.insert(1, seal)
    reference = xmlsec.template.add_reference(seal, xmlsec.constants.TransformSha256, uri="#" + root.get("ID", ""))
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    context = xmlsec.SignatureContext()
    public = keys("portal").certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    context.key = xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataHmac, public)
    context.register_id(root, "ID")
    context.sign(seal)
    assert there.code(root) is Code.SAML_ALGORITHM


@pytest.mark.row("SAM-06")
@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (xmlsec.constants.TransformRsaSha1, xmlsec.constants.TransformSha256),
        (xmlsec.constants.TransformRsaSha256, xmlsec.constants.TransformSha1),
        (xmlsec.constants.TransformRsaSha1, xmlsec.constants.TransformSha1),
        (xmlsec.constants.TransformRsaSha224, xmlsec.constants.TransformSha224),
    ],
    ids=["rsa-sha1", "sha1", "both", "sha224"],
)
@pytest.mark.parametrize("signed", ["response", "assertion"])
def test_an_old_method_is_refused_though_the_key_is_right(
    opened: Callable[..., House], signed: str, method: Any, digest: Any
) -> None:
    there = opened(require_signed=signed)
    assert there.code(forged(signed=signed, method=method, digest=digest)) is Code.SAML_ALGORITHM


@pytest.mark.row("SAM-06")
@pytest.mark.parametrize("uri", [MORE + "rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256", EXC_C14N])
def test_the_settings_may_forbid_more(opened: Callable[..., House], uri: str) -> None:
    assert opened(forbidden_algorithms=(uri,)).code(forged()) is Code.SAML_ALGORITHM
    assert opened(forbidden_algorithms=("urn:another",)).come_back(forged()).subject == forge.PERSON.login


@pytest.mark.row("SAM-06")
@pytest.mark.parametrize(
    ("part", "uri"),
    [
        ("SignatureMethod", MORE + "rsa-md5"),
        ("SignatureMethod", DSIG + "hmac-sha1"),
        ("SignatureMethod", MORE + "hmac-sha512"),
        ("SignatureMethod", DSIG + "dsa-sha1"),
        ("SignatureMethod", "none"),
        ("SignatureMethod", ""),
        ("DigestMethod", MORE + "md5"),
        ("DigestMethod", DSIG + "sha1"),
        ("DigestMethod", ""),
        ("CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        ("CanonicalizationMethod", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
        ("CanonicalizationMethod", "http://www.w3.org/2006/12/xml-c14n11"),
    ],
)
def test_a_method_that_is_not_on_the_list_is_refused(there: House, part: str, uri: str) -> None:
    root = forged(signed="response")
    one(root, part).set("Algorithm", uri)
    assert there.code(root) is Code.SAML_ALGORITHM


def test_no_method_of_the_list_is_weak() -> None:
    listed = {*RSA_METHODS, *ECDSA_METHODS, *DIGESTS}
    assert all(any(size in each for size in ("256", "384", "512")) for each in listed)
    assert not any(weak in each.lower() for each in listed for weak in ("sha1", "md5", "hmac", "ripemd", "dsa-sha2#"))
    assert {hashlib.new(name).digest_size for name in DIGESTS.values()} == {32, 48, 64}


TRANSFORMS = {
    "xslt": "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "xpath": "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "xpath-filter": "http://www.w3.org/2002/06/xmldsig-filter2",
    "base64": DSIG + "base64",
    "inclusive": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "with-comments": "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
}


@pytest.mark.row("SAM-31")
@pytest.mark.parametrize("uri", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("how", ["instead", "first", "last"])
def test_any_other_transform_is_refused(there: House, uri: str, how: str) -> None:
    root = forged(signed="response")
    transforms = one(root, "Transforms")
    other = etree.Element(ds("Transform"), attrib={"Algorithm": uri})
    if "xslt" in uri:
        style = etree.SubElement(other, "{http://www.w3.org/1999/XSL/Transform}stylesheet", attrib={"version": "1.0"})
        etree.SubElement(style, "{http://www.w3.org/1999/XSL/Transform}template", attrib={"match": "/"})
    if "xpath-1999" in uri:
        etree.SubElement(other, ds("XPath")).text = "not(ancestor-or-self::*[local-name()='Assertion'])"
    if how == "instead":
        transforms.replace(transforms[1], other)
    else:
        transforms.insert(0 if how == "first" else 2, other)
    assert there.code(root) is Code.SAML_ALGORITHM


@pytest.mark.parametrize("which", [0, 1], ids=["enveloped", "exclusive"])
def test_a_missing_transform_is_refused(there: House, which: int) -> None:
    root = forged(signed="response")
    forge.without(one(root, "Transforms")[which])
    assert there.code(root) is Code.SAML_ALGORITHM


def test_both_transforms_in_the_other_order_are_refused(there: House) -> None:
    root = forged(signed="response")
    transforms = one(root, "Transforms")
    transforms.append(transforms[0])
    assert there.code(root) is Code.SAML_ALGORITHM


@pytest.mark.parametrize(
    "uri", ["", "#_other", "#", "#xpointer(/)", "#xpointer(id('{id}'))", "https://e.example/#{id}"]
)
def test_a_reference_to_anything_but_the_parent_is_refused(there: House, uri: str) -> None:
    root = forged(signed="response")
    one(root, "Reference").set("URI", uri.replace("{id}", root.get("ID", "")))
    assert there.code(root) is Code.SAML_SHAPE


def test_a_reference_without_uri_is_refused(there: House) -> None:
    root = forged(signed="response")
    del one(root, "Reference").attrib["URI"]
    assert there.code(root) is Code.SAML_SHAPE


def test_a_signature_of_the_response_that_names_the_assertion_is_refused(there: House) -> None:
    """It covers the assertion rightly, and the Response around it not at all."""

    def seal(root: etree._Element) -> None:
        assertion = one(root, "Assertion")
        signed = sign(assertion, keys("portal"))
        root.insert(1, signed)

    assert there.code(forged(seal, signed="nothing")) is Code.SAML_SHAPE


def test_a_signature_of_two_things_is_refused(there: House) -> None:
    root = forged(signed="response")
    reference = one(root, "Reference")
    reference.addnext(copy.deepcopy(reference))
    assert there.code(root) is Code.SAML_SHAPE


@pytest.mark.parametrize("place", ["Signature", "SignedInfo"])
def test_an_object_or_a_manifest_in_a_signature_is_refused(there: House, place: str) -> None:
    root = forged(signed="response")
    holder = etree.SubElement(one(root, place), ds("Object"))
    etree.SubElement(holder, ds("Manifest")).append(copy.deepcopy(one(root, "Reference")))
    assert there.code(root) in (Code.SAML_SHAPE, Code.SAML_SCHEMA)
    with pytest.raises(AnswerRefused):
        shape.message(root)


@pytest.mark.parametrize("part", ["SignatureMethod", "DigestMethod", "Transform", "CanonicalizationMethod"])
def test_a_method_with_parameters_is_refused(there: House, part: str) -> None:
    """A shortened HMAC is the classic one."""
    root = forged(signed="response")
    etree.SubElement(one(root, part), ds("HMACOutputLength")).text = "8"
    assert there.code(root) in (Code.SAML_SHAPE, Code.SAML_SCHEMA)
    with pytest.raises(AnswerRefused):
        shape.message(root)


@pytest.mark.parametrize("part", ["Transform", "CanonicalizationMethod"])
def test_a_flood_of_prefixes_to_keep_is_refused(there: House, part: str) -> None:
    root = forged(signed="response")
    holder = root.findall(f".//{ds(part)}")[-1]
    kept = etree.Element(f"{{{EXC_C14N}}}InclusiveNamespaces")
    kept.set("PrefixList", " ".join(f"p{number}" for number in range(shape.MAX_PREFIXES + 1)))
    holder[:] = [kept]
    assert there.code(root) in (Code.SAML_SHAPE, Code.SAML_SCHEMA)
    with pytest.raises(AnswerRefused, match="too many prefixes"):
        shape.message(root)


@pytest.mark.parametrize("part", ["DigestValue", "SignatureValue"])
def test_a_changed_digest_or_signature_is_refused(there: House, part: str) -> None:
    root = forged(signed="response")
    value = one(root, part)
    decoded = bytearray(base64.b64decode(value.text or ""))
    decoded[0] ^= 1
    value.text = base64.b64encode(decoded).decode()
    assert there.code(root) is Code.SAML_SIGNATURE


def test_changed_content_is_refused(opened: Callable[..., House]) -> None:
    for signed in ("response", "assertion", "both"):
        root = forged(signed=signed)
        forge.value_of(root, "ct-remote-user").text = "admin"
        assert opened(require_signed=signed).code(root) is Code.SAML_SIGNATURE


def test_a_digest_over_other_bytes_than_those_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the verifier to look elsewhere, the second canonicalisation would still tell."""
    monkeypatch.setattr(signature.VerificationKey, "verifies", lambda *_: True)
    trusted = [signature.VerificationKey(keys("portal").certificate.public_key())]
    root = forged(signed="response")
    seal = one(root, "Signature")
    assert signature.signed_bytes(seal, trusted)
    forge.value_of(root, "ct-remote-user").text = "admin"
    with pytest.raises(AnswerRefused, match="not those that were signed"):
        signature.signed_bytes(seal, trusted)


def test_the_verifier_is_shown_no_key_of_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given a key; what the message says about keys is taken away before, so nothing can prefer it."""
    seen: list[list[object]] = []

    def looks(_: object, seal: etree._Element, method: str) -> bool:
        seen.append([child.tag for child in seal])
        return method in RSA_METHODS

    monkeypatch.setattr(signature.VerificationKey, "verifies", looks)
    root = forged()
    for seal in forge.every(root, "Signature"):
        assert signature.signed_bytes(seal, [signature.VerificationKey(keys("portal").certificate.public_key())])
    assert seen == [[ds("SignedInfo"), ds("SignatureValue")]] * 2


def test_without_any_key_nothing_is_verified() -> None:
    with pytest.raises(AnswerRefused) as caught:
        signature.signed_bytes(one(forged(signed="response"), "Signature"), [])
    assert caught.value.code is Code.SAML_SIGNATURE


def test_verifying_changes_nothing_in_the_message() -> None:
    root = forged()
    before = etree.tostring(root)
    for seal in forge.every(root, "Signature"):
        signature.signed_bytes(seal, [signature.VerificationKey(keys("portal").certificate.public_key())])
    assert etree.tostring(root) == before


@pytest.mark.parametrize("prefixes", ["", "xs", "xs xsi", "#default xs"])
@pytest.mark.parametrize("signed", ["response", "assertion", "both"])
def test_prefixes_declared_far_away_are_canonicalised_as_they_were_signed(
    opened: Callable[..., House], signed: str, prefixes: str
) -> None:
    message = forged(signed=signed, prefixes=prefixes)
    assert opened(require_signed=signed).come_back(message).subject == forge.PERSON.login


def test_text_around_a_signature_is_part_of_what_is_signed(there: House) -> None:
    """Indented messages are as good as others, and stay exactly as indented."""
    message = forged(etree.indent, signed="both")
    assert there.come_back(message).subject == forge.PERSON.login
    seal = message.find(ds("Signature"))
    assert seal is not None
    seal.tail = (seal.tail or "") + "\n"
    assert there.code(message) is Code.SAML_SIGNATURE


def test_ecdsa_signatures_are_verified_too() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pair = _certified(key)
    trusted = [
        signature.VerificationKey(keys("portal").certificate.public_key()),
        signature.VerificationKey(pair.certificate.public_key()),
    ]
    message = forged(signed="response", key=pair, method=xmlsec.constants.TransformEcdsaSha256)
    encoded = base64.b64encode(forge.raw(message)).decode()
    read = reader.read(encoded, issuer=PORTAL, keys=trusted, require_signed="response", decryption_keys=NO_KEYS)
    assert read.assertion.attributes["ct-remote-user"] == (forge.PERSON.login,)
    with pytest.raises(AnswerRefused):
        reader.read(encoded, issuer=PORTAL, keys=trusted[:1], require_signed="response", decryption_keys=NO_KEYS)


def test_a_key_serves_the_methods_of_its_kind_alone() -> None:
    rsa = signature.VerificationKey(keys("portal").certificate.public_key())
    seal = one(forged(signed="response"), "Signature")
    assert rsa.verifies(seal, next(iter(RSA_METHODS)))
    assert not any(rsa.verifies(seal, method) for method in ECDSA_METHODS)


RSA_SHA = {"sha256": RSA256, "sha384": MORE + "rsa-sha384", "sha512": MORE + "rsa-sha512"}
EC_SHA = {name: f"{MORE}ecdsa-{name}" for name in RSA_SHA}
HASHES: dict[str, Any] = {"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}


@pytest.mark.row("LGO-12")
@pytest.mark.parametrize("hashed", HASHES)
def test_octets_are_verified_with_an_rsa_key(hashed: str) -> None:
    """Bindings §3.4.4.1: what a redirect signs is a part of the address, not XML."""
    key = signature.VerificationKey(keys("portal").certificate.public_key())
    private = load_pem_private_key(keys("portal").private_pem, None)
    assert isinstance(private, RSAPrivateKey)
    made = private.sign(b"SAMLRequest=x", PKCS1v15(), HASHES[hashed]())
    assert key.verifies_octets(b"SAMLRequest=x", made, RSA_SHA[hashed]) is True
    assert key.bits == 2048
    assert key.verifies_octets(b"SAMLRequest=y", made, RSA_SHA[hashed]) is False
    assert key.verifies_octets(b"SAMLRequest=x", made[:-1] + bytes([made[-1] ^ 1]), RSA_SHA[hashed]) is False
    for other in {*RSA_SHA.values(), *EC_SHA.values(), "", DSIG + "rsa-sha1"} - {RSA_SHA[hashed]}:
        assert key.verifies_octets(b"SAMLRequest=x", made, other) is False


@pytest.mark.row("LGO-12")
@pytest.mark.parametrize("hashed", HASHES)
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_octets_are_verified_with_an_elliptic_key(curve: ec.EllipticCurve, hashed: str) -> None:
    """XML Signature §6.4.3: the two numbers one after the other, each as long as the curve; or DER, as Java signs."""
    private = ec.generate_private_key(curve)
    key = signature.VerificationKey(private.public_key())
    size = (curve.key_size + 7) // 8
    der = private.sign(b"SAMLRequest=x", ec.ECDSA(HASHES[hashed]()))
    r, s = decode_dss_signature(der)
    made = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    assert key.bits == curve.key_size
    for fine in (made, der):
        assert key.verifies_octets(b"SAMLRequest=x", fine, EC_SHA[hashed]) is True
        assert key.verifies_octets(b"SAMLRequest=y", fine, EC_SHA[hashed]) is False
        for other in {*RSA_SHA.values(), *EC_SHA.values(), ""} - {EC_SHA[hashed]}:
            assert key.verifies_octets(b"SAMLRequest=x", fine, other) is False
    others = (made + b"\0", b"\0" + made, made[:-1], made[size:] + made[:size], bytes(2 * size))
    for wrong in (b"", *others, der[:-1], der + b"\0", encode_dss_signature(s, r), encode_dss_signature(0, 0)):
        assert key.verifies_octets(b"SAMLRequest=x", wrong, EC_SHA[hashed]) is False


@pytest.mark.row("SAM-05")
def test_a_signature_alone_in_its_document_signs_nothing() -> None:
    """The shape refuses it before; neither the key nor the reader of bytes leans on that."""
    seal = copy.deepcopy(one(forged(signed="response"), "Signature"))
    key = signature.VerificationKey(keys("portal").certificate.public_key())
    assert key.verifies(seal, RSA256) is False
    for last in (False, True):
        with pytest.raises(AnswerRefused, match="signs nothing"):
            signature.signed_bytes(seal, [key], last=last)


def test_a_key_of_another_kind_or_a_false_signature_is_a_plain_no() -> None:
    seal = one(forged(signed="response"), "Signature")
    portal, other = (signature.VerificationKey(keys(name).certificate.public_key()) for name in ("portal", "attacker"))
    assert portal.verifies(seal, RSA256) is True
    assert portal.verifies(seal, EC_SHA["sha256"]) is False
    assert other.verifies(seal, RSA256) is False


def test_the_text_on_both_sides_of_a_signature_stays() -> None:
    """XML Signature §6.6.4 takes out the element alone: what stood before and after it is signed."""

    def spaced(root: etree._Element) -> None:
        root.text = " a "
        root[0].tail = " b "

    trusted = [signature.VerificationKey(keys("portal").certificate.public_key())]
    for first in (False, True):
        root = forged(spaced, signed="nothing")
        seal = sign(root, keys("portal"), prefixes="")
        if first:
            root.insert(0, seal)
            seal.tail = root.text
            root.text = ""
        assert seal.getparent() is root
        kept = signature.signed_bytes(seal, trusted)
        assert b" a <" in kept
        assert b"> b <" in kept


def test_only_the_signature_is_taken_out_and_not_the_text_around_it() -> None:
    root = etree.fromstring("<a>one<s/>two<b/>three<s/>four</a>")
    first, _, last = root
    signature._take_out(first, root)
    signature._take_out(last, root)
    assert etree.tostring(root) == b"<a>onetwo<b/>threefour</a>"


def test_a_digest_may_be_broken_into_lines_and_holds_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature.VerificationKey, "verifies", lambda *_: True)
    trusted = [signature.VerificationKey(keys("portal").certificate.public_key())]
    root = forged(signed="response")
    digest = one(root, "DigestValue")
    plain = digest.text or ""
    digest.text = f"\n {plain[:9]}\r\n\t{plain[9:]} "
    assert signature.signed_bytes(one(root, "Signature"), trusted)
    digest.text = plain[:9] + "!" + plain[9:]
    with pytest.raises(AnswerRefused, match="cannot be read"):
        signature.signed_bytes(one(root, "Signature"), trusted)


@pytest.mark.parametrize("digest", ["", "AAAA", "A", "====", "\u00e9", None])
def test_a_digest_that_cannot_be_read_is_refused(digest: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature.VerificationKey, "verifies", lambda *_: True)
    root = forged(signed="response")
    one(root, "DigestValue").text = digest
    trusted = [signature.VerificationKey(keys("portal").certificate.public_key())]
    with pytest.raises(AnswerRefused) as caught:
        signature.signed_bytes(one(root, "Signature"), trusted)
    assert caught.value.code is Code.SAML_SIGNATURE


def test_a_signature_may_be_verified_in_the_tree_itself_when_nobody_reads_it_afterwards() -> None:
    trusted = [signature.VerificationKey(keys("portal").certificate.public_key())]
    root = forged(signed="response")
    kept = signature.signed_bytes(one(root, "Signature"), trusted)
    assert one(root, "Signature").getparent() is root
    assert signature.signed_bytes(one(root, "Signature"), trusted, last=True) == kept
    assert root.find(ds("Signature")) is None


@pytest.mark.parametrize("weak", ["rsa-1024", "p-192-like", "ed25519"])
def test_weak_or_unknown_keys_are_not_keys(weak: str) -> None:
    if weak == "rsa-1024":
        certificate = keys("weak", bits=1024).certificate
    elif weak == "ed25519":
        from cryptography.hazmat.primitives.asymmetric import ed25519

        certificate = _certified(ed25519.Ed25519PrivateKey.generate()).certificate
    else:
        certificate = _certified(ec.generate_private_key(ec.SECP192R1())).certificate
    with pytest.raises(signature.UnusableKey):
        signature.VerificationKey(certificate.public_key())


def _certified(key: Any) -> KeyPair:
    from cryptography import x509

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ec")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(forge.NOW).not_valid_after(forge.NOW.replace(year=2027))
    certificate = builder.sign(key, None if "25519" in type(key).__name__ else SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(private, certificate.public_bytes(Encoding.PEM))


def test_what_is_read_comes_from_the_signed_bytes_and_not_from_the_tree_received() -> None:
    """Under a signature of the assertion alone, only the claims of the Response come from elsewhere."""
    root = forged(signed="assertion")
    canonical = signature.signed_bytes(
        one(one(root, "Assertion"), "Signature"), [signature.VerificationKey(keys("portal").certificate.public_key())]
    )
    parsed = documents.parse(canonical)
    assert parsed.tag == forge.saml("Assertion")
    assert parsed.find(ds("Signature")) is None
    assert parsed.getroottree().getroot() is parsed
