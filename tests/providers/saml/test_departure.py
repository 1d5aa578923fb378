"""What we send to a portal: the AuthnRequest and our metadata."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from examples.demo.portals import saml_messages
from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.providers.saml import documents, schema
from imagin_gateway.providers.saml.vocabulary import POST, RSA_SHA256
from tests.providers.saml import forge
from tests.providers.saml.forge import ACS, DOOR, METADATA, NOW, PORTAL, SSO, forged, keys, one
from tests.providers.saml.journey import House, house


def sent(url: str) -> etree._Element:
    """Return the request that an address carries."""
    query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    return documents.parse(zlib.decompress(base64.b64decode(query["SAMLRequest"], validate=True), -zlib.MAX_WBITS))


def verify(url: str) -> None:
    """Verify the signature of an address, over its characters as they are (Bindings §3.4.4.1)."""
    signed, _, signature = urlsplit(url).query.rpartition("&Signature=")
    public = keys("ours").certificate.public_key()
    assert isinstance(public, RSAPublicKey)
    public.verify(base64.b64decode(unquote(signature)), signed.encode(), padding.PKCS1v15(), SHA256())


@pytest.mark.row("SAM-24")
def test_the_request_says_what_it_must_and_nothing_else(there: House) -> None:
    departure = there.portal.depart(NOW)
    request = sent(departure.url)
    assert departure.url.startswith(SSO + "?SAMLRequest=")
    assert schema.is_valid(request)
    assert request.tag == forge.samlp("AuthnRequest")
    assert forge.attributes(request) == {
        "ID": departure.correlation,
        "Version": "2.0",
        "IssueInstant": "2026-12-14T08:00:00Z",
        "Destination": SSO,
        "ProtocolBinding": POST,
        "AssertionConsumerServiceURL": ACS,
    }
    issuer, policy = request
    assert (issuer.tag, issuer.text, forge.attributes(issuer)) == (forge.saml("Issuer"), METADATA, {})
    assert (policy.tag, forge.attributes(policy)) == (forge.samlp("NameIDPolicy"), {"AllowCreate": "true"})


@pytest.mark.row("SAM-24")
def test_the_address_of_the_answer_is_that_of_our_metadata_to_the_letter(there: House) -> None:
    document = there.portal.metadata(NOW).body
    published = one(documents.parse(document), "AssertionConsumerService").get("Location")
    assert sent(there.portal.depart(NOW).url).get("AssertionConsumerServiceURL") == published == ACS


@pytest.mark.row("SAM-06")
@pytest.mark.row("SAM-24")
def test_the_request_is_signed_with_rsa_sha256(there: House) -> None:
    url = there.portal.depart(NOW).url
    query = parse_qsl(urlsplit(url).query)
    assert [name for name, _ in query] == ["SAMLRequest", "SigAlg", "Signature"]
    assert dict(query)["SigAlg"] == RSA_SHA256
    verify(url)
    with pytest.raises(InvalidSignature):
        verify(url.replace("SigAlg=http", "SigAlg=httq"))


@pytest.mark.row("SAM-24")
def test_a_portal_that_wants_no_signature_may_be_sent_none(opened: Callable[..., House]) -> None:
    indifferent = saml_messages.metadata(PORTAL, SSO, [keys("portal")], wants_signed=False)
    url = opened(metadata=indifferent, sign_requests=False).portal.depart(NOW).url
    assert [name for name, _ in parse_qsl(urlsplit(url).query)] == ["SAMLRequest"]
    verify(opened(metadata=indifferent).portal.depart(NOW).url)


def test_an_address_with_a_query_of_its_own_keeps_it(opened: Callable[..., House]) -> None:
    metadata = saml_messages.metadata(PORTAL, SSO + "?tenant=creteil", [keys("portal")])
    url = opened(metadata=metadata).portal.depart(NOW).url
    assert url.startswith(SSO + "?tenant=creteil&SAMLRequest=")
    assert sent(url).get("Destination") == SSO + "?tenant=creteil"


def test_no_id_is_ever_given_twice_and_none_can_be_guessed(there: House) -> None:
    found = {there.portal.depart(NOW).correlation for _ in range(200)}
    assert len(found) == 200
    for identifier in found:
        assert identifier[0] == "_"
        assert len(bytes.fromhex(identifier[1:])) * 8 >= 128


def test_what_must_be_found_again_stays_on_our_side(there: House) -> None:
    departure = there.portal.depart(NOW)
    assert departure.cross_site_post
    assert departure.memory == {"door": DOOR, "request": departure.correlation, "acs": ACS}
    assert departure.correlation not in repr(departure)
    there.memories.keep(departure)
    arrival = there.portal.arrive(
        forge.posted(forged(in_response_to=departure.correlation)), there.memories, NOW + timedelta(minutes=2)
    )
    assert arrival.solicited
    assert there.memories.asked == [departure.correlation]


def test_our_metadata_follows_the_schema_and_tells_our_key(there: House) -> None:
    response = there.portal.metadata(NOW)
    assert (response.status, response.content_type) == (200, "application/samlmetadata+xml")
    root = documents.parse(response.body)
    assert schema.is_valid(root)
    assert root.get("entityID") == METADATA
    role = one(root, "SPSSODescriptor")
    assert (role.get("AuthnRequestsSigned"), role.get("WantAssertionsSigned")) == ("true", "false")
    for use, descriptor in zip(("signing", "encryption"), forge.every(root, "KeyDescriptor"), strict=True):
        assert descriptor.get("use") == use
        assert one(descriptor, "X509Certificate").text == keys("ours").certificate_base64
    acs = one(root, "AssertionConsumerService")
    assert forge.attributes(acs) == {"Binding": POST, "Location": ACS, "index": "0", "isDefault": "true"}
    assert b"PRIVATE" not in response.body


@pytest.mark.parametrize(("required", "wants"), [("response", "false"), ("assertion", "true"), ("both", "true")])
def test_our_metadata_asks_for_the_signatures_we_need(opened: Callable[..., House], required: str, wants: str) -> None:
    body = opened(require_signed=required, entity_id="urn:imagin:siec").portal.metadata(NOW).body
    root = documents.parse(body)
    assert one(root, "SPSSODescriptor").get("WantAssertionsSigned") == wants
    assert root.get("entityID") == "urn:imagin:siec"


def test_metadata_past_its_end_sends_nobody_and_believes_nobody(tmp_path: Path) -> None:
    root = etree.fromstring(saml_messages.metadata(PORTAL, SSO, [keys("portal")]))
    one(root, "IDPSSODescriptor").set("validUntil", "2026-12-14T09:00:00Z")
    root.set("validUntil", "2026-12-15T00:00:00Z")
    there = house(tmp_path, metadata=etree.tostring(root))
    end = NOW + timedelta(hours=1)
    assert there.portal.depart(end - timedelta(seconds=1)).url
    assert there.come_back(forged()).issuer == PORTAL
    for action in (lambda: there.portal.depart(end), lambda: there.come_back(forged(at=end), now=end)):
        with pytest.raises(Unavailable) as caught:
            action()
        assert caught.value.code is Code.PORTAL_UNAVAILABLE


PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
STRONG = "https://refeds.org/profile/mfa"


@pytest.mark.row("SAM-24")
@pytest.mark.row("SAM-25")
def test_a_context_is_asked_for_only_if_configured_and_then_exactly(opened: Callable[..., House]) -> None:
    request = sent(opened(authn_contexts=(STRONG, "urn:x")).portal.depart(NOW).url)
    assert schema.is_valid(request)
    wanted = one(request, "RequestedAuthnContext")
    assert wanted.get("Comparison") == "exact"
    assert [each.text for each in wanted] == [STRONG, "urn:x"]
    assert not forge.every(sent(opened().portal.depart(NOW).url), "RequestedAuthnContext")


def _context(told: str | None) -> forge.Edit:
    def edit(root: etree._Element) -> None:
        reference = one(root, "AuthnContextClassRef")
        if told is None:
            parent = reference.getparent()
            assert parent is not None
            parent.replace(reference, etree.Element(forge.saml("AuthnContextDeclRef")))
        else:
            reference.text = told

    return edit


@pytest.mark.row("SAM-25")
@pytest.mark.parametrize(
    ("told", "fine"),
    [
        (STRONG, True),
        (f" {STRONG} ", True),
        (PASSWORD, False),
        ("urn:unknown", False),
        ("", False),
        (None, False),
        (STRONG.upper(), False),
        (STRONG + "x", False),
    ],
)
def test_the_context_of_the_answer_is_required(opened: Callable[..., House], told: str | None, fine: bool) -> None:
    there, anything = opened(authn_contexts=(STRONG,)), opened()
    message = forged(_context(told))
    if fine:
        assert there.come_back(message).acr == STRONG
    else:
        assert there.code(message) is Code.SAML_AUTHN_CONTEXT
    assert anything.come_back(message).acr in {None, (told or "").strip()}


@pytest.mark.row("SAM-30")
def test_our_metadata_has_all_that_a_federation_asks_for(opened: Callable[..., House]) -> None:
    there = opened(display_name="Missions d’examen")
    root = documents.parse(there.portal.metadata(NOW).body)
    assert schema.is_valid(root)
    info = one(root, "UIInfo")
    told = {etree.QName(each).localname: each for each in info}
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    assert told["DisplayName"].text == "Missions d’examen"
    assert told["DisplayName"].get(language) == told["PrivacyStatementURL"].get(language) == "fr"
    assert told["PrivacyStatementURL"].text == "https://imagin.example/donnees"
    assert told["Logo"].text == "https://imagin.example/logo.svg"
    assert forge.attributes(told["Logo"]) == {"height": "64", "width": "64"}
    contact = one(root, "ContactPerson")
    assert contact.get("contactType") == "technical"
    assert one(contact, "EmailAddress").text == "mailto:imagin@exemple.test"
    assert one(contact, "Company").text == "SIEC"
    encryption = forge.every(root, "KeyDescriptor")[-1]
    methods = [each.get("Algorithm", "") for each in forge.every(encryption, "EncryptionMethod")]
    assert encryption.get("use") == "encryption"
    assert [method.rpartition("#")[2] for method in methods] == [
        *("aes128-gcm", "aes192-gcm", "aes256-gcm", "rsa-oaep", "rsa-oaep-mgf1p")
    ]
    assert one(root, "SingleLogoutService").get("Location") == forge.LOGOUT
    cbc = documents.parse(opened(allow_cbc=True).portal.metadata(NOW).body)
    assert any(each.get("Algorithm", "").endswith("cbc") for each in forge.every(cbc, "EncryptionMethod"))


@pytest.mark.row("SAM-30")
def test_while_keys_change_both_are_published_and_one_encrypts(opened: Callable[..., House], tmp_path: Path) -> None:
    (tmp_path / "next.key").write_bytes(keys("next").private_pem)
    (tmp_path / "next.crt").write_bytes(keys("next").certificate_pem)
    more = {"other_private_keys": (tmp_path / "next.key",), "other_certificates": (tmp_path / "next.crt",)}
    root = documents.parse(opened(**more).portal.metadata(NOW).body)
    assert schema.is_valid(root)
    told = [(each.get("use"), one(each, "X509Certificate").text) for each in forge.every(root, "KeyDescriptor")]
    ours, following = keys("ours").certificate_base64, keys("next").certificate_base64
    assert told == [("signing", ours), ("signing", following), ("encryption", ours)]


@pytest.mark.row("SAM-30")
def test_a_key_of_1024_bits_is_refused_at_start_wherever_it_stands(tmp_path: Path) -> None:
    from tests.providers.saml.test_configuration import key, problems

    weak = keys("weak", bits=1024)
    found = problems(tmp_path, files={"ours.key": weak.private_pem, "ours.crt": weak.certificate_pem})
    assert "1024 bits" in found[key("private_key")][0].message
    (tmp_path / "weak.key").write_bytes(weak.private_pem)
    (tmp_path / "weak.crt").write_bytes(weak.certificate_pem)
    more = {"other_private_keys": (tmp_path / "weak.key",), "other_certificates": (tmp_path / "weak.crt",)}
    found = problems(tmp_path, paths=more)  # type: ignore[arg-type]  # a list of paths is a setting too
    assert "1024 bits" in found[key("other_private_keys.0")][0].message
    alone = problems(tmp_path, paths={"other_private_keys": (tmp_path / "weak.key",)})  # type: ignore[dict-item]
    assert key("other_certificates") in alone


def test_a_logo_of_another_place_is_https(opened: Callable[..., House]) -> None:
    with pytest.raises(ValueError, match="logo"):
        opened(logo_url="http://imagin.example/logo.png")
    for contexts in (("",), (" urn:x",), ("password",)):
        with pytest.raises(ValueError, match="classe"):
            opened(authn_contexts=contexts)


@pytest.mark.row("SES-19")
def test_asked_anew_the_portal_must_have_checked_the_credentials_since(there: House) -> None:
    departure = there.portal.depart(NOW, anew=True)
    request = sent(departure.url)
    assert request.get("ForceAuthn") == "true"
    assert schema.is_valid(request)
    verify(departure.url)
    assert sent(there.portal.depart(NOW).url).get("ForceAuthn") is None
    memory = {**departure.memory, "request": forge.REQUEST}
    skew = timedelta(seconds=180)
    for late in (skew + timedelta(seconds=1), timedelta(hours=3)):
        error = there.refuses(forged(authenticated_at=NOW - late), memory=memory)
        assert error.code is Code.SAML_TIME
    arrival = there.come_back(forged(authenticated_at=NOW - skew), memory=memory)
    assert arrival.proved_at == arrival.authenticated_at == NOW - skew
    arrival = there.come_back(forged(authenticated_at=NOW - timedelta(hours=3)))
    assert arrival.proved_at == NOW - timedelta(hours=3)
