"""Single logout by SAML: what we send, and every way to spoil what a portal sends."""

from __future__ import annotations

import base64
import copy
import functools
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from examples.demo.portals.saml_messages import SAML, sign
from imagin_gateway.errors import AnswerRefused, Code, FlowLost, GatewayError, RequestRefused, Unavailable
from imagin_gateway.exchange import Request, Response
from imagin_gateway.providers.portal import LogoutOrder, LogoutWay, PortalSession, PostedForm
from imagin_gateway.providers.saml import documents, schema
from imagin_gateway.providers.saml.name_id import NameId
from imagin_gateway.providers.saml.vocabulary import STATUS
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import DOOR, LOGOUT, METADATA, NOW, OTHER_PORTAL, PORTAL, keys, one
from tests.providers.saml.journey import House
from tests.providers.saml.locksmith import Lock, encrypted
from tests.providers.saml.logouts import NAME, SLO, SLO_ANSWER, by_post, by_redirect, carried

Open = Callable[..., House]
BINDINGS: list[Callable[..., Request]] = [by_redirect, by_post]


@pytest.fixture
def there(opened: Open) -> House:
    """A portal that offers logout by redirect."""
    return opened(metadata=logouts.metadata())


def session(name: NameId | None = NAME, index: str = "_s-1") -> PortalSession:
    return PortalSession(
        issuer=PORTAL, subject="jdupont", portal_session=index, name_id=name.kept() if name is not None else ""
    )


def asked(there: House, message: Request, **more: Any) -> LogoutOrder:
    order = there.portal.logout_asked(message, LogoutWay.BROWSER, more.get("now", NOW))
    assert order is not None
    return order


def refused(there: House, message: Request, **more: Any) -> Code:
    with pytest.raises((AnswerRefused, RequestRefused)) as caught:
        asked(there, message, **more)
    assert "jdupont" not in str(caught.value)
    assert NAME.value not in str(caught.value)
    return caught.value.code


# --- ours


@pytest.mark.row("LGO-12")
def test_our_request_goes_by_redirect_signed_with_the_name_as_it_came(there: House) -> None:
    departure = there.portal.depart_logout(session(), NOW)
    assert departure is not None
    assert departure.url.startswith(SLO + "?SAMLRequest=")
    assert departure.memory == {"door": DOOR, "logout": departure.correlation}
    root, fields = carried(departure.url)
    assert set(fields) == {"SAMLRequest", "SigAlg", "Signature"}
    assert schema.is_valid(root)
    assert root.tag == forge.samlp("LogoutRequest")
    assert (root.get("ID"), root.get("Destination"), root.get("Version")) == (departure.correlation, SLO, "2.0")
    assert root.get("NotOnOrAfter") == "2026-12-14T08:05:00Z"
    assert one(root, "Issuer").text == METADATA
    assert one(root, "SessionIndex").text == "_s-1"
    assert not [each for each in root.iter() if etree.QName(each).localname in ("EncryptedID", "Signature")]


@pytest.mark.row("LGO-12")
@pytest.mark.parametrize(
    "name",
    [
        NameId("a"),
        NameId(" é & <b> ", format="urn:x", name_qualifier="n", sp_name_qualifier="s", sp_provided_id="p"),
        NameId("x" * 256, name_qualifier=PORTAL),
    ],
)
def test_the_name_goes_back_with_its_own_attributes_and_no_others(there: House, name: NameId) -> None:
    departure = there.portal.depart_logout(session(name, ""), NOW)
    assert departure is not None
    root, _ = carried(departure.url)
    told = one(root, "NameID")
    expected = {
        "Format": name.format,
        "NameQualifier": name.name_qualifier,
        "SPNameQualifier": name.sp_name_qualifier,
        "SPProvidedID": name.sp_provided_id,
    }
    assert told.text == name.value
    assert forge.attributes(told) == {key: value for key, value in expected.items() if value}
    assert not root.findall(forge.samlp("SessionIndex"))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=5, max_size=5))
def test_a_name_is_kept_as_every_release_wrote_it_and_read_back(parts: list[str]) -> None:
    # Sessions that another release opened are found again by this text.
    name = NameId(*parts)
    written = json.dumps(parts, ensure_ascii=False, separators=(",", ":")) if parts[0] else ""
    assert name.kept() == written
    assert NameId.read(name.kept()) == (name if parts[0] else None)


@pytest.mark.row("LGO-12")
def test_what_came_at_login_is_what_goes_back(there: House) -> None:
    def edit(root: etree._Element) -> None:
        one(root, "NameID").set("NameQualifier", PORTAL)

    arrival = there.come_back(forge.forged(edit, name_id="_t-9"))
    departure = there.portal.depart_logout(
        PortalSession(
            issuer=arrival.issuer,
            subject=arrival.subject,
            portal_session=arrival.portal_session,
            name_id=arrival.name_id,
        ),
        NOW,
    )
    assert departure is not None
    sent = one(carried(departure.url)[0], "NameID")
    came = one(forge.forged(edit, name_id="_t-9"), "NameID")
    assert (sent.text, forge.attributes(sent)) == (came.text, forge.attributes(came))


def test_a_logout_is_offered_only_where_it_makes_sense(opened: Open, there: House) -> None:
    assert opened().portal.depart_logout(session(), NOW) is None, "its metadata offers none"
    assert there.portal.depart_logout(session(None), NOW) is None, "nothing names the session"
    for kept in ("[]", "{}", "null", "x", '["a"]', '["","","","",""]', '[1,"","","",""]'):
        told = PortalSession(issuer=PORTAL, subject="jdupont", name_id=kept)
        assert there.portal.depart_logout(told, NOW) is None
    off = opened(metadata=logouts.metadata(), single_logout=False)
    assert off.portal.depart_logout(session(), NOW) is None
    with pytest.raises(RequestRefused):
        off.portal.logout_asked(by_redirect(logouts.request()), LogoutWay.BROWSER, NOW)
    by_post_alone = opened(metadata=logouts.metadata((logouts.POST, SLO, None)))
    assert by_post_alone.portal.depart_logout(session(), NOW) is None, "ours goes by redirect"


@pytest.mark.parametrize("way", [LogoutWay.CHANNEL, LogoutWay.FRAME])
def test_saml_has_no_other_way(there: House, way: LogoutWay) -> None:
    with pytest.raises(RequestRefused) as caught:
        there.portal.logout_asked(by_redirect(logouts.request()), way, NOW)
    assert caught.value.code is Code.NOT_FOUND


def returned(there: House, make: Callable[..., Request], root_of: Callable[[str], etree._Element], **more: Any) -> None:
    departure = there.portal.depart_logout(session(), NOW)
    assert departure is not None
    there.memories.keep(departure)
    message = make(root_of(departure.correlation), **more)
    assert there.portal.logout_asked(message, LogoutWay.BROWSER, NOW) is None
    there.portal.logout_returned(message, there.memories, NOW)


@pytest.mark.parametrize("make", BINDINGS)
def test_the_portals_answer_is_accepted_once(there: House, make: Callable[..., Request]) -> None:
    returned(there, make, logouts.response)
    with pytest.raises(FlowLost):
        there.portal.logout_returned(make(logouts.response("_unknown")), there.memories, NOW)


PARTIAL = f'<samlp:StatusCode xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Value="{STATUS}PartialLogout"/>'


@pytest.mark.parametrize("make", BINDINGS)
@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda root: one(root, "StatusCode").set("Value", STATUS + "Responder"), Code.PORTAL_REFUSED),
        (lambda root: one(root, "StatusCode").append(etree.fromstring(PARTIAL)), Code.PORTAL_REFUSED),
        (lambda root: setattr(one(root, "Issuer"), "text", OTHER_PORTAL), Code.ROUTE_MISMATCH),
        (lambda root: forge.without(one(root, "Issuer")), Code.SAML_SHAPE),
        (lambda root: root.set("Destination", LOGOUT + "x"), Code.SAML_DESTINATION),
        (lambda root: root.attrib.pop("Destination"), Code.SAML_DESTINATION),
        (lambda root: root.set("Version", "1.1"), Code.SAML_SHAPE),
        (lambda root: root.set("IssueInstant", "2026-12-14T08:03:01Z"), Code.SAML_TIME),
    ],
)
def test_an_answer_that_breaks_a_rule_proves_nothing(
    there: House, make: Callable[..., Request], edit: forge.Edit, code: Code
) -> None:
    with pytest.raises(AnswerRefused) as caught:
        returned(there, make, lambda to: logouts.response(to, edit))
    assert caught.value.code in {code, schema_of(code)}


def schema_of(code: Code) -> Code:
    """Return the code of a shape that the schemas refuse first, by POST."""
    return Code.SAML_SCHEMA if code is Code.SAML_SHAPE else code


def test_an_answer_to_another_request_proves_nothing(there: House) -> None:
    departure = there.portal.depart_logout(session(), NOW)
    assert departure is not None
    there.memories.kept["_other"] = departure.memory
    with pytest.raises(AnswerRefused) as caught:
        there.portal.logout_returned(by_redirect(logouts.response("_other")), there.memories, NOW)
    assert caught.value.code is Code.SAML_IN_RESPONSE_TO
    for memory, error in (({"door": "arena-paris", "logout": "_o"}, AnswerRefused), ({"door": DOOR}, FlowLost)):
        there.memories.kept["_o"] = memory
        with pytest.raises(error):
            there.portal.logout_returned(by_redirect(logouts.response("_o")), there.memories, NOW)


# --- theirs


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", BINDINGS)
def test_an_order_names_the_sessions_as_the_login_did(there: House, make: Callable[..., Request]) -> None:
    order = asked(there, make(logouts.request(sessions=("_s-1", " _s-2 ")), relay="r"))
    assert (order.issuer, order.name_ids[0], order.portal_sessions) == (PORTAL, NAME.kept(), ("_s-1", "_s-2"))
    assert order.message_id
    assert order.message_ends_at is not None
    assert NAME.value not in repr(order)
    assert asked(there, make(logouts.request(sessions=()))).portal_sessions == ()


@pytest.mark.row("LGO-13")
@given(
    first=st.tuples(st.sampled_from(["", "portal", "else"]), st.sampled_from(["", "ours", "else"])),
    second=st.tuples(st.sampled_from(["", "portal", "else"]), st.sampled_from(["", "ours", "else"])),
)
def test_a_qualifier_that_the_message_tells_anyway_may_be_left_out(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    """Core §8.3.7: so two names are one where they differ by nothing else, and are two otherwise."""
    one_way, other_way = (NameId("n", "f", *each, "p") for each in (first, second))
    spelled = other_way.spellings("portal", "ours")
    assert spelled[0] == other_way.kept()
    assert len(spelled) == len(set(spelled)) <= 8
    implied = [
        tuple(each or told for each, told in zip(way, ("portal", "ours"), strict=True)) for way in (first, second)
    ]
    assert (one_way.kept() in spelled) == (implied[0] == implied[1])


OF_1_1 = ("emailAddress", "X509SubjectName", "WindowsDomainQualifiedName")
OF_2_0 = ("kerberos", "entity", "persistent", "transient")
MAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
LASTING = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize(
    ("told", "asked_for", "same"),
    [
        *((f"urn:oasis:names:tc:SAML:1.1:nameid-format:{each}", "", True) for each in OF_1_1),
        *((f"urn:oasis:names:tc:SAML:2.0:nameid-format:{each}", "", True) for each in OF_2_0),
        *[("", MAIL, True), ("", "urn:elsewhere", True), (MAIL, MAIL, True), (MAIL, LASTING, False)],
    ],
)
def test_a_format_that_is_not_told_contradicts_none(told: str, asked_for: str, same: bool) -> None:
    """Core §8.3.1: unspecified leaves open what the name is. samlify tells it at the login and in no order."""
    named = [NameId("n", each, "portal", "ours") for each in (told, asked_for)]
    spelled = named[1].spellings("portal", "ours")
    assert spelled[0] == named[1].kept()
    assert (named[0].kept() in spelled) is same
    assert NameId("other", told, "portal", "ours").kept() not in spelled


@pytest.mark.row("LGO-13")
def test_the_prefix_of_the_name_says_nothing(there: House) -> None:
    def other_prefix(root: etree._Element) -> None:
        old = one(root, "NameID")
        new = etree.SubElement(root, forge.saml("NameID"), nsmap={"a": SAML}, attrib=forge.attributes(old))
        new.text = old.text
        root.replace(old, new)

    assert asked(there, by_redirect(logouts.request(other_prefix))).name_ids[0] == NAME.kept()


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", BINDINGS)
@pytest.mark.parametrize("to", ["ours", "third"])
def test_an_encrypted_name_is_opened(there: House, make: Callable[..., Request], to: str) -> None:
    def edit(root: etree._Element) -> None:
        name = one(root, "NameID")
        root.replace(name, encrypted(etree.tostring(name), Lock(to=(to,)), "EncryptedID"))

    if to == "ours":
        assert asked(there, make(logouts.request(edit))).name_ids[0] == NAME.kept()
    else:
        assert refused(there, make(logouts.request(edit))) is Code.SAML_ENCRYPTED


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("whole", [True, False])
def test_our_answer_is_signed_and_goes_where_the_metadata_says(there: House, whole: bool) -> None:
    request = logouts.request()
    answer = asked(there, by_redirect(request, relay="relais é")).done(whole)
    assert isinstance(answer, Response)
    assert answer.status == 303
    (location,) = [value for name, value in answer.headers if name == "Location"]
    assert location.startswith(SLO_ANSWER + "?SAMLResponse=")
    root, fields = carried(location)
    assert fields["RelayState"] == "relais é"
    assert schema.is_valid(root)
    assert root.get("InResponseTo") == request.get("ID")
    assert root.get("Destination") == SLO_ANSWER
    assert one(root, "Issuer").text == METADATA
    assert one(root, "StatusCode").get("Value") == STATUS + ("Success" if whole else "Responder")


@pytest.mark.row("LGO-13")
def test_a_portal_that_takes_posts_alone_gets_a_signed_form(opened: Open) -> None:
    there = opened(metadata=logouts.metadata((logouts.POST, SLO, None)))
    request = logouts.request()
    answer = asked(there, by_post(request, relay="r")).done(True)
    assert isinstance(answer, PostedForm)
    assert answer.action == SLO
    assert answer.fields["RelayState"] == "r"
    root = etree.fromstring(base64.b64decode(answer.fields["SAMLResponse"]))
    assert schema.is_valid(root)
    assert root.get("InResponseTo") == request.get("ID")
    context = xmlsec.SignatureContext()
    pem = keys("ours").certificate_pem
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
    context.register_id(root, "ID")
    context.verify(one(root, "Signature"))
    assert isinstance(asked(there, by_post(logouts.request())).done(True), PostedForm)


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", BINDINGS)
def test_an_order_must_be_signed_by_this_very_portal(there: House, make: Callable[..., Request]) -> None:
    assert refused(there, make(logouts.request(), signed=False)) is Code.SAML_UNSIGNED
    for stranger in ("attacker", "ours", "other"):
        assert refused(there, make(logouts.request(), key=keys(stranger))) is Code.SAML_SIGNATURE
    other = logouts.request(lambda root: setattr(one(root, "Issuer"), "text", OTHER_PORTAL))
    assert refused(there, make(other)) is Code.ROUTE_MISMATCH


RULES: dict[str, tuple[forge.Edit, Code]] = {
    "no destination": (lambda root: root.attrib.pop("Destination"), Code.SAML_DESTINATION),
    "another destination": (lambda root: root.set("Destination", LOGOUT + "/"), Code.SAML_DESTINATION),
    "the acs": (lambda root: root.set("Destination", forge.ACS), Code.SAML_DESTINATION),
    "of the future": (lambda root: root.set("IssueInstant", "2026-12-14T08:03:01Z"), Code.SAML_TIME),
    "too old": (lambda root: root.set("IssueInstant", "2026-12-14T07:52:00Z"), Code.SAML_TIME),
    "expired": (lambda root: root.set("NotOnOrAfter", "2026-12-14T07:57:00Z"), Code.SAML_TIME),
    "another version": (lambda root: root.set("Version", "1.1"), Code.SAML_SHAPE),
    "nobody named": (lambda root: setattr(one(root, "NameID"), "text", ""), Code.SAML_SHAPE),
    "no name": (lambda root: forge.without(one(root, "NameID")), Code.SAML_SCHEMA),
    "no issuer": (lambda root: forge.without(one(root, "Issuer")), Code.SAML_SHAPE),
}


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("make", BINDINGS)
@pytest.mark.parametrize("rule", RULES)
def test_an_order_that_breaks_a_rule_ends_nothing(there: House, make: Callable[..., Request], rule: str) -> None:
    edit, code = RULES[rule]
    assert refused(there, make(logouts.request(edit))) in {code, schema_of(code)}


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize(("seconds", "fine"), [(-180, True), (-181, False), (479, True), (480, False)])
def test_an_order_lives_five_minutes_and_two_clocks_may_differ(there: House, seconds: int, fine: bool) -> None:
    now = NOW + timedelta(seconds=seconds)
    message = by_redirect(logouts.request(lambda root: root.attrib.pop("NotOnOrAfter")))
    if fine:
        order = asked(there, message, now=now)
        assert order.message_ends_at is not None
        assert order.message_ends_at >= NOW + timedelta(seconds=480), "it is remembered for as long as it would pass"
    else:
        assert refused(there, message, now=now) is Code.SAML_TIME


SPOILT: dict[str, tuple[Callable[[], Request], Code]] = {
    "another method": (lambda: by_redirect(logouts.request(), method=logouts.RSA_SHA1), Code.SAML_ALGORITHM),
    "a method of another kind": (
        lambda: by_redirect(logouts.request(), method="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        Code.SAML_SIGNATURE,
    ),
    "a mac": (
        lambda: by_redirect(logouts.request(), method="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        Code.SAML_ALGORITHM,
    ),
    "no method": (
        lambda: by_redirect(logouts.request(), change=lambda q: q.replace("&SigAlg=", "&Sig=")),
        Code.SAML_UNSIGNED,
    ),
    "another relay": (
        lambda: by_redirect(logouts.request(), relay="a", change=lambda q: q.replace("RelayState=a", "RelayState=b")),
        Code.SAML_SIGNATURE,
    ),
    "a relay too many": (
        lambda: by_redirect(logouts.request(), change=lambda q: q.replace("&SigAlg", "&RelayState=b&SigAlg")),
        Code.SAML_SIGNATURE,
    ),
    "a relay taken away": (
        lambda: by_redirect(logouts.request(), relay="a", change=lambda q: q.replace("&RelayState=a", "")),
        Code.SAML_SIGNATURE,
    ),
    "a field twice": (
        lambda: by_redirect(logouts.request(), change=lambda q: q + "&SAMLRequest=AAAA"),
        Code.PARAMETER_REPEATED,
    ),
    "a field twice in other letters": (
        lambda: by_redirect(logouts.request(), change=lambda q: q + "&%52elayState=x"),
        Code.MALFORMED,
    ),
    "its name in other letters": (
        lambda: by_redirect(logouts.request(), change=lambda q: q.replace("SAMLRequest", "SAMLR%65quest")),
        Code.MALFORMED,
    ),
    "both messages": (
        lambda: by_redirect(logouts.request(), change=lambda q: q + "&SAMLResponse=AAAA"),
        Code.MALFORMED,
    ),
    "no message": (lambda: Request("GET", "/portail/arena-creteil/fin", b"RelayState=x"), Code.MALFORMED),
    "another encoding": (
        lambda: by_redirect(logouts.request(), change=lambda q: q + "&SAMLEncoding=urn:x"),
        Code.SAML_XML,
    ),
    "a signature that is no base64": (
        lambda: by_redirect(logouts.request(), change=lambda q: q + "%C3%A9"),
        Code.SAML_SIGNATURE,
    ),
    "no base64": (lambda: by_redirect(logouts.request(), message="&&&"), Code.SAML_XML),
    "not deflated": (
        lambda: by_redirect(logouts.request(), message=base64.b64encode(b"<a/>").decode()),
        Code.SAML_XML,
    ),
    "cut": (lambda: by_redirect(logouts.request(), message=logouts.deflated(b"<a/>" * 50)[:20]), Code.SAML_XML),
    "a bomb": (lambda: by_redirect(b" " * 5_000_000), Code.TOO_LARGE),
    "a document type": (lambda: by_redirect(b"<!DOCTYPE a><a/>"), Code.SAML_XML),
    "a comment": (
        lambda: by_redirect(logouts.request(lambda r: one(r, "NameID").append(etree.Comment("x")))),
        Code.SAML_XML,
    ),
    "an assertion": (
        lambda: by_redirect(etree.tostring(one(forge.forged(signed="nothing"), "Assertion"))),
        Code.SAML_SHAPE,
    ),
    "a Response": (lambda: by_redirect(forge.raw(forge.forged(signed="nothing"))), Code.SAML_SHAPE),
    "an answer": (lambda: by_redirect(logouts.response("_a"), name="SAMLRequest"), Code.SAML_SHAPE),
    "signed inside too": (lambda: by_redirect(_sealed(logouts.request())), Code.SAML_SHAPE),
}


def _sealed(root: etree._Element) -> etree._Element:
    sign(root, keys("portal"), prefixes="")
    return root


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("how", SPOILT)
def test_an_order_in_an_address_that_was_spoilt_ends_nothing(there: House, how: str) -> None:
    make, code = SPOILT[how]
    assert refused(there, make()) is code


def nested(root: etree._Element) -> etree._Element:
    """Return an order for somebody else that holds the genuine one in its Extensions."""
    sign(root, keys("portal"), prefixes="")
    false = logouts.request(name=NameId("somebody-else"))
    extra = etree.Element(forge.samlp("Extensions"))
    extra.append(root)
    one(false, "Issuer").addnext(extra)
    return false


def moved(root: etree._Element) -> etree._Element:
    """The same, its signature moved up."""
    false = nested(root)
    false.insert(1, one(root, "Signature"))
    return false


@pytest.mark.row("LGO-13")
@pytest.mark.parametrize("wrap", [nested, moved])
def test_a_genuine_order_lends_nothing_to_another(
    there: House, wrap: Callable[[etree._Element], etree._Element]
) -> None:
    message = by_post(wrap(logouts.request()), signed=False)
    assert refused(there, message) in {Code.SAML_SHAPE, Code.SAML_SCHEMA}


@pytest.mark.row("LGO-13")
def test_an_order_by_post_is_held_to_the_same_shape(opened: Open, there: House) -> None:
    twice = logouts.request()
    sign(twice, keys("portal"), prefixes="")
    twice.insert(1, copy.deepcopy(one(twice, "Signature")))
    assert refused(there, by_post(twice, signed=False)) in {Code.SAML_SHAPE, Code.SAML_SCHEMA}
    weak = by_post(logouts.request(), method=xmlsec.constants.TransformRsaSha1)
    assert refused(there, weak) is Code.SAML_ALGORITHM
    changed = logouts.request()
    sign(changed, keys("portal"), prefixes="")
    one(changed, "NameID").text = "somebody-else"
    assert refused(there, by_post(changed, signed=False)) is Code.SAML_SIGNATURE
    strict = opened(metadata=logouts.metadata(), forbidden_algorithms=(logouts.RSA_SHA256,))
    for make in BINDINGS:
        assert refused(strict, make(logouts.request())) is Code.SAML_ALGORITHM


@functools.cache
def genuine_query() -> Request:
    return by_redirect(logouts.request(), relay="abc")


@pytest.mark.row("LGO-13")
@given(st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_an_order_in_an_address_gets_through(there: House, data: st.DataObject) -> None:
    genuine = genuine_query()
    raw = bytearray(genuine.query_string)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.sampled_from(b"ABab01%&=+./_-").filter(lambda byte: byte != raw[place]))
    message = Request("GET", genuine.path, bytes(raw))
    try:
        order = there.portal.logout_asked(message, LogoutWay.BROWSER, NOW)
    except GatewayError:
        return
    assert order is not None
    assert (order.name_ids[0], order.portal_sessions) == (NAME.kept(), ("_s-1",))


def test_a_portal_whose_metadata_has_expired_is_not_heard(opened: Open) -> None:
    root = etree.fromstring(logouts.metadata())
    root.set("validUntil", "2026-12-14T09:00:00Z")
    there = opened(metadata=etree.tostring(root))
    end = NOW + timedelta(hours=1)
    with pytest.raises(Unavailable):
        there.portal.depart_logout(session(), end)
    with pytest.raises(Unavailable):
        there.portal.logout_asked(by_redirect(logouts.request(at=end)), LogoutWay.BROWSER, end)


def test_an_order_of_a_portal_without_logout_is_refused(opened: Open) -> None:
    assert refused(opened(), by_redirect(logouts.request())) is Code.ROUTE_MISMATCH


def test_our_metadata_says_where_logouts_come(opened: Open, there: House) -> None:
    root = documents.parse(there.portal.metadata(NOW).body)
    offered = [forge.attributes(each) for each in forge.every(root, "SingleLogoutService")]
    assert offered == [{"Binding": binding, "Location": LOGOUT} for binding in (logouts.REDIRECT, logouts.POST)]
    off = documents.parse(opened(single_logout=False).portal.metadata(NOW).body)
    assert not forge.every(off, "SingleLogoutService")


@pytest.mark.parametrize("service", [("http://idp.example/slo", None), (SLO, "javascript:x"), ("", None)])
def test_a_logout_goes_to_https_addresses_only(tmp_path: Path, service: tuple[str, str | None]) -> None:
    from tests.providers.saml.test_configuration import key, problems

    found = problems(tmp_path, metadata=logouts.metadata((logouts.REDIRECT, *service)))
    assert [each.message for each in found[key("metadata")]] == [
        "l’adresse SingleLogoutService n’est pas une adresse https complète"
    ]
