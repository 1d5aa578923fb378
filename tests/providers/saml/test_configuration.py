"""Everything that can be wrong in a portal's section, told at once."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from lxml import etree

from examples.demo.portals import saml_messages
from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.providers.saml import examination, native, partner
from imagin_gateway.providers.saml.portal import SamlPortalClient
from tests.providers.saml import forge
from tests.providers.saml.forge import ACS, DOOR, NOW, PORTAL, SSO, forged, keys, one
from tests.providers.saml.journey import ABOUT, ADDRESSES, house, section
from tests.providers.saml.test_signature import metadata_with

GOOD = saml_messages.metadata(PORTAL, SSO, [keys("portal")])


def problems(
    folder: Path, *, files: dict[str, bytes] | None = None, paths: dict[str, Path] | None = None, **more: Any
) -> dict[str, list[Problem]]:
    """Open a portal that must be refused; return what is said, by key."""
    config = section(folder, **{name: value for name, value in more.items() if name not in ("acs_url", "development")})
    config = config.model_copy(update=paths)
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        SamlPortalClient.open(
            DOOR,
            config,
            addresses=replace(ADDRESSES, acs=more.get("acs_url", ACS)),
            about=ABOUT,
            development=more.get("development", False),
        )
    found: dict[str, list[Problem]] = {}
    for problem in caught.value.problems:
        assert problem.remedy, f"{problem.key} does not say what to write"
        found.setdefault(problem.key, []).append(problem)
    assert b"BEGIN" not in str(caught.value).encode()
    return found


def key(name: str) -> str:
    return f"portals.{DOOR}.{name}"


def changed(**attributes: str) -> bytes:
    """Return the portal's metadata with an attribute changed, by `part__name`."""
    root = etree.fromstring(GOOD)
    for where, value in attributes.items():
        part, _, name = where.partition("__")
        one(root, part).set(name, value)
    return etree.tostring(root)


def without(part: str) -> bytes:
    root = etree.fromstring(GOOD)
    forge.without(one(root, part))
    return etree.tostring(root)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        files={"portal.xml": b"<a/>", "ours.key": b"", "ours.crt": b"nothing"},
        subject_attribute="employeeNumber",
        acs_url="http://imagin.example/acs",
    )
    assert set(found) == {
        "base_url",
        key("subject_attribute"),
        key("metadata"),
        key("private_key"),
        key("certificate"),
    }


@pytest.mark.parametrize("name", ["metadata", "private_key", "certificate"])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    assert "n’existe pas" in problems(tmp_path, paths={name: tmp_path / "none"})[key(name)][0].message
    assert "lu" in problems(tmp_path, paths={name: tmp_path})[key(name)][0].message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "XML"),
        (b"<!DOCTYPE a><a/>", "XML"),
        (b"<html/>", "portal_entity_id"),
        (changed(EntityDescriptor__entityID=PORTAL + "/"), "portal_entity_id"),
        (GOOD.replace(b"IDPSSODescriptor", b"SPSSODescriptor"), "IDPSSODescriptor"),
        (changed(IDPSSODescriptor__protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"), "IDPSSO"),
        (without("SingleSignOnService"), "HTTP-Redirect"),
        (changed(SingleSignOnService__Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP"), "HTTP-Redirect"),
        (without("KeyDescriptor"), "clé de signature"),
        (changed(KeyDescriptor__use="encryption"), "clé de signature"),
        (GOOD.replace(keys("portal").certificate_base64.encode(), b"AAAA"), "illisible"),
        (GOOD.replace(keys("portal").certificate_base64.encode(), b"=!="), "illisible"),
        (metadata_with((keys("weak", bits=1024), "signing")), "trop faible"),
        (metadata_with((keys("portal"), "signing"), (keys("weak", bits=1024), None)), "trop faible"),
        (changed(IDPSSODescriptor__validUntil="demain"), "validUntil"),
    ],
)
def test_metadata_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    found = problems(tmp_path, files={"portal.xml": content})
    assert set(found) == {key("metadata")}
    assert words in "".join(str(problem) for problem in found[key("metadata")])


def test_an_entity_that_stands_twice_is_refused(tmp_path: Path) -> None:
    federation = etree.Element(f"{{{saml_messages.MD}}}EntitiesDescriptor")
    federation.extend([etree.fromstring(GOOD), etree.fromstring(GOOD)])
    assert (
        "plusieurs fois"
        in problems(tmp_path, files={"portal.xml": etree.tostring(federation)})[key("metadata")][0].message
    )


def test_a_key_descriptor_with_two_keys_is_refused(tmp_path: Path) -> None:
    """A chain of certificates would make the authority a signer."""
    root = etree.fromstring(GOOD)
    data = one(root, "X509Data")
    etree.SubElement(data, forge.ds("X509Certificate")).text = keys("authority").certificate_base64
    message = problems(tmp_path, files={"portal.xml": etree.tostring(root)})[key("metadata")][0].message
    assert "plusieurs clés" in message


@pytest.mark.parametrize("bare", [False, True])
def test_a_comment_within_a_key_is_no_part_of_it_and_does_not_end_it(tmp_path: Path, bare: bool) -> None:
    """Half a modulus is another number, which somebody may factorise (XML 1.0 §2.5)."""
    root = etree.fromstring(GOOD)
    told = one(root, "X509Certificate")
    if bare:
        numbers = keys("portal").certificate.public_key().public_numbers()  # type: ignore[union-attr]  # RSA
        value = etree.SubElement(etree.SubElement(one(root, "KeyInfo"), forge.ds("KeyValue")), forge.ds("RSAKeyValue"))
        for name, number in (("Modulus", numbers.n), ("Exponent", numbers.e)):  # type: ignore[union-attr]  # RSA
            whole = number.to_bytes((number.bit_length() + 7) // 8, "big")
            etree.SubElement(value, forge.ds(name)).text = base64.b64encode(whole).decode()
        forge.without(one(root, "X509Data"))
        told = one(root, "Modulus")
    text = "".join((told.text or "").split())
    half = len(text) // 2
    told.text = None
    for before, after in (("signing", text[:half]), ("half", text[half:])):
        comment = etree.Comment(before)
        comment.tail = after
        told.append(comment)
    there = house(tmp_path, metadata=etree.tostring(root))
    assert there.come_back(forged()).issuer == PORTAL


def test_comments_in_metadata_are_no_matter(tmp_path: Path) -> None:
    there = house(tmp_path, metadata=b"<?xml version='1.0'?><!-- by hand -->" + GOOD.split(b"?>", 1)[1])
    assert there.come_back(forged()).issuer == PORTAL


LOCATIONS = {
    "https://idp.example/sso": True,
    "https://idp.example:8443/sso?a=b": True,
    "http://idp.example/sso": False,
    "ftp://idp.example/": False,
    "javascript:alert(1)": False,
    "//idp.example/sso": False,
    "/sso": False,
    "": False,
    "https://": False,
    "https:///sso": False,
    "https://user@idp.example/": False,
    "https://idp.example/#part": False,
    "https://idp.example:99999/": False,
    "https://idp.example\\@evil.example/": False,
    "https://idp.example/\r\nSet-Cookie: a=b": False,
    "https://idp.example/ a": False,
    "https://[::1": False,
    "https://idp.académie.example/": False,
}


@pytest.mark.parametrize(("url", "fine"), LOCATIONS.items())
def test_people_are_sent_to_https_addresses_only(tmp_path: Path, url: str, fine: bool) -> None:
    assert partner.is_address(url, development=False) is fine
    metadata = changed(SingleSignOnService__Location="PLACE").replace(
        b"PLACE", url.replace("&", "&amp;").encode("ascii", "xmlcharrefreplace")
    )
    if fine:
        assert house(tmp_path, metadata=metadata).portal.depart(forge.NOW).url.startswith(url)
    else:
        assert set(problems(tmp_path, metadata=metadata)) == {key("metadata")}


def test_plain_http_is_for_development(tmp_path: Path) -> None:
    metadata = changed(SingleSignOnService__Location="http://127.0.0.1:8401/saml/sso")
    assert set(problems(tmp_path, metadata=metadata)) == {key("metadata")}
    assert house(tmp_path, metadata=metadata, development=True).portal.depart(forge.NOW).url.startswith("http://127")
    assert set(problems(tmp_path, acs_url="http://127.0.0.1:8400/acs")) == {"base_url"}


def _encrypted() -> bytes:
    loaded = load_pem_private_key(keys("ours").private_pem, None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "illisible"),
        (keys("ours").certificate_pem, "illisible"),
        (_encrypted(), "illisible"),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "RSA",
        ),
        (keys("weak", bits=1024).private_pem, "1024 bits"),
    ],
    ids=["empty", "certificate", "encrypted", "elliptic", "1024"],
)
def test_a_private_key_that_cannot_serve_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    found = problems(tmp_path, files={"ours.key": content})
    assert set(found) == {key("private_key")}
    assert words in found[key("private_key")][0].message


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, files={"ours.crt": keys("portal").certificate_pem})
    assert "private_key" in found[key("certificate")][0].message


def test_the_numen_is_refused_as_an_identifier(tmp_path: Path) -> None:
    for name in ("employeeNumber", "EMPLOYEENUMBER", "urn:oid:2.16.840.1.113730.3.1.3", " "):
        assert set(problems(tmp_path, subject_attribute=name)) == {key("subject_attribute")}


@pytest.mark.parametrize("name", ["email", "CTEMAIL", ""])
def test_an_attribute_that_arena_does_not_name_is_told(tmp_path: Path, name: str) -> None:
    assert set(problems(tmp_path, attributes={name: ("courriel",)})) == {key("attributes")}


def test_a_portal_that_wants_signed_requests_is_not_sent_others(tmp_path: Path) -> None:
    assert set(problems(tmp_path, sign_requests=False)) == {key("sign_requests")}


def test_no_private_key_is_ever_shown(tmp_path: Path) -> None:
    config = house(tmp_path).portal._config
    assert "PRIVATE" not in repr(config)
    assert "RSAPrivateKey" not in repr(config)


def test_libraries_with_two_layouts_of_trees_are_refused() -> None:
    assert native.problem((2, 14, 6), (2, 14, 6)) is None
    assert native.problem((2, 14, 6), (2, 14, 9)) is None
    found = native.problem((2, 14, 6), (2, 11, 9))
    assert found is not None
    assert "2.14.6" in found.message
    assert "2.11.9" in found.message
    assert "pip install" in found.remedy


@pytest.mark.parametrize(
    "spoil",
    [
        "module.get_libxml_version = lambda: (2, 9, 14)\nsys.modules['xmlsec'] = module",
        "sys.modules['xmlsec'] = None",
    ],
    ids=["other-libxml2", "absent"],
)
def test_a_mismatch_is_told_as_a_problem_of_the_settings_when_the_room_is_opened(spoil: str) -> None:
    program = f"""
import sys, types
module = types.ModuleType("xmlsec")
{spoil}
from imagin_gateway.errors import SettingsError
try:
    import imagin_gateway.providers.saml.portal
except SettingsError as error:
    print(error.problems[0].key, error.problems[0].remedy)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "(installation)" in done.stdout, done.stderr
    assert "pip install" in done.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, imagin_gateway.providers.saml, imagin_gateway.providers.attributes\n"
        "print([name for name in ('lxml', 'xmlsec', 'saml2', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_certificate_of_a_version_that_does_not_exist_is_told_and_is_no_fault(tmp_path: Path) -> None:
    """Found by fuzzing: the library has an error of its own for that, which is no `ValueError`."""
    told = keys("portal").certificate.public_bytes(Encoding.DER)
    odd = told.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"), 1)
    assert odd != told
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(odd) + b"-----END CERTIFICATE-----\n"
    document = GOOD.replace(keys("portal").certificate_base64.encode(), base64.b64encode(odd))
    assert "illisible" in str(problems(tmp_path, files={"portal.xml": document})[key("metadata")])
    seen = examination.examine(document, PORTAL, key=None, longest=timedelta(days=30), development=False, now=NOW)
    assert ("clé (signature)", "illisible") in seen.facts
    (tmp_path / "signer.crt").write_bytes(pem)
    found = problems(tmp_path, paths={"metadata_certificate": tmp_path / "signer.crt"})
    assert "illisible" in str(found[key("metadata_certificate")])
