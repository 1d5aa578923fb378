"""The rules of the profile, each attacked alone in a message that the portal itself signed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from pydantic import ValidationError

from examples.demo.portals.saml_messages import XSI, sign
from imagin_gateway.errors import AnswerRefused, Code, FlowLost
from imagin_gateway.providers.saml import logout, profile, reading
from imagin_gateway.providers.saml.vocabulary import STATUS
from tests.providers.saml import forge
from tests.providers.saml.forge import ACS, METADATA, NOW, OTHER_PORTAL, PORTAL, REQUEST, forged, one
from tests.providers.saml.journey import House, section

Edit = Callable[[etree._Element], None]
SKEW = timedelta(seconds=180)
SECOND = timedelta(seconds=1)


def sets(part: str, name: str, value: str | None) -> Edit:
    """Return an edit that sets an attribute, or takes it away."""

    def edit(root: etree._Element) -> None:
        element = one(root, part)
        if value is None:
            element.attrib.pop(name, "")
        else:
            element.set(name, value)

    return edit


def says(part: str, text: str, *, inside: str | None = None) -> Edit:
    def edit(root: etree._Element) -> None:
        one(root if inside is None else one(root, inside), part).text = text

    return edit


def drops(part: str) -> Edit:
    return lambda root: forge.without(one(root, part))


@pytest.fixture(params=["response", "assertion", "both"])
def any_signed(request: pytest.FixtureRequest, opened: Callable[..., House]) -> tuple[House, str]:
    """A portal for each thing that may be signed, and what its messages sign."""
    return opened(require_signed=request.param), request.param


# --- issuer


@pytest.mark.row("SAM-17")
@pytest.mark.parametrize("where", ["Response", "Assertion", "both"])
def test_an_issuer_that_is_not_the_portal_is_refused_everywhere(any_signed: tuple[House, str], where: str) -> None:
    there, signed = any_signed

    def edit(root: etree._Element) -> None:
        issuers = forge.every(root, "Issuer")
        for issuer in {"Response": issuers[:1], "Assertion": issuers[1:], "both": issuers}[where]:
            issuer.text = OTHER_PORTAL

    assert there.code(forged(edit, signed=signed)) is Code.ROUTE_MISMATCH


@pytest.mark.row("SAM-17")
@pytest.mark.parametrize("name", [PORTAL + "/", PORTAL.upper(), f" {PORTAL}", PORTAL + "\n", PORTAL[:-1]])
def test_the_issuer_is_compared_byte_for_byte(there: House, name: str) -> None:
    assert there.code(forged(issuer=name)) is Code.ROUTE_MISMATCH


@pytest.mark.row("SAM-17")
@pytest.mark.parametrize("where", ["envelope", "assertion"])
@pytest.mark.parametrize("signed", [True, False])
def test_the_issuer_is_checked_again_in_what_was_signed(where: str, signed: bool) -> None:
    """The first look, at what was received, only tells another portal's answer from a forged one."""
    root = forged()
    envelope, assertion = reading.envelope(root, signed=signed), reading.assertion(one(root, "Assertion"))
    expected = profile.Expected(issuer=PORTAL, audience=METADATA, acs_url=ACS, now=NOW, skew=SKEW)
    assert profile.check(envelope, assertion, expected).in_response_to == REQUEST
    other = reading.Issuer(OTHER_PORTAL, "")
    if where == "envelope":
        envelope = dataclasses.replace(envelope, issuer=other)
    else:
        assertion = dataclasses.replace(assertion, issuer=other)
    with pytest.raises(AnswerRefused) as caught:
        profile.check(envelope, assertion, expected)
    assert caught.value.code is Code.ROUTE_MISMATCH


def test_an_issuer_in_another_format_is_refused(there: House) -> None:
    transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    entity = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
    assert there.code(forged(sets("Issuer", "Format", transient))) is Code.SAML_SHAPE
    assert there.come_back(forged(sets("Issuer", "Format", entity))).issuer == PORTAL


def test_a_signed_response_names_its_issuer(opened: Callable[..., House]) -> None:
    """One that is not signed may leave that to its assertion (Profiles §4.1.4.2)."""
    there = opened(require_signed="assertion")

    def edit(root: etree._Element) -> None:
        forge.without(one(root, "Issuer"))

    assert there.come_back(forged(edit, signed="assertion")).issuer == PORTAL
    root = forged(edit, signed="assertion")
    root.insert(0, sign(root, forge.keys("portal")))
    assert there.code(etree.fromstring(etree.tostring(root))) in (Code.SAML_SHAPE, Code.SAML_SIGNATURE)


def test_a_nameless_issuer_is_refused() -> None:
    with pytest.raises(AnswerRefused) as caught:
        profile.check_issuer(reading.Issuer("", ""), PORTAL)
    assert caught.value.code is Code.SAML_SHAPE


# --- version and status


@pytest.mark.parametrize("part", ["Response", "Assertion"])
@pytest.mark.parametrize("version", ["1.1", "2.1", "2", ""])
def test_another_version_is_refused(there: House, part: str, version: str) -> None:
    assert there.code(forged(sets(part, "Version", version))) is Code.SAML_SHAPE


@pytest.mark.row("SAM-18")
@pytest.mark.parametrize("inner", ["AuthnFailed", "NoPassive", "RequestDenied"])
def test_a_status_other_than_success_is_refused_with_both_codes(any_signed: tuple[House, str], inner: str) -> None:
    there, signed = any_signed

    def edit(root: etree._Element) -> None:
        outer = one(root, "StatusCode")
        outer.set("Value", STATUS + "Responder")
        etree.SubElement(outer, forge.samlp("StatusCode"), attrib={"Value": STATUS + inner})

    for message in (forged(edit, signed=signed), _no_assertion(edit)):
        error = there.refuses(message)
        assert error.code is Code.PORTAL_REFUSED
        assert error.statuses == (STATUS + "Responder", STATUS + inner)


def _no_assertion(edit: Edit) -> etree._Element:
    def whole(root: etree._Element) -> None:
        edit(root)

    root = forged(whole, signed="nothing")
    forge.without(one(root, "Assertion"))
    return root


@pytest.mark.row("SAM-18")
def test_a_status_code_of_the_portals_own_is_never_repeated(there: House) -> None:
    message = _no_assertion(sets("StatusCode", "Value", "urn:admin:<script>"))
    error = there.refuses(message)
    assert (error.code, error.statuses) == (Code.PORTAL_REFUSED, (reading.UNKNOWN_STATUS,))


@pytest.mark.row("SAM-18")
def test_no_status_at_all_is_no_success() -> None:
    """The schema asks for one; the rule does not lean on it."""
    with pytest.raises(AnswerRefused) as caught:
        profile.check_status(())
    assert caught.value.code is Code.PORTAL_REFUSED


def test_success_without_an_assertion_is_nothing(there: House) -> None:
    assert there.code(_no_assertion(lambda _: None)) is Code.SAML_SHAPE


@pytest.mark.row("SAM-18")
def test_a_success_below_a_failure_is_a_failure(there: House) -> None:
    def edit(root: etree._Element) -> None:
        outer = one(root, "StatusCode")
        outer.set("Value", STATUS + "Requester")
        etree.SubElement(outer, forge.samlp("StatusCode"), attrib={"Value": STATUS + "Success"})

    assert there.code(forged(edit)) is Code.PORTAL_REFUSED


# --- where it was sent

WRONG_ADDRESSES = [
    "https://evil.example/acs",
    ACS + "/",
    ACS + "?",
    ACS.replace("https://imagin.example/", "https://imagin.example:443/"),
    ACS.replace("imagin.example", "IMAGIN.example"),
    ACS.replace("https", "http"),
    METADATA,
    PORTAL,
    "",
]


@pytest.mark.row("SAM-10")
@pytest.mark.parametrize("address", [*WRONG_ADDRESSES, None])
def test_a_destination_that_is_not_our_address_to_the_letter_is_refused(
    any_signed: tuple[House, str], address: str | None
) -> None:
    there, signed = any_signed
    assert there.code(forged(sets("Response", "Destination", address), signed=signed)) is Code.SAML_DESTINATION


@pytest.mark.row("SAM-10")
@pytest.mark.parametrize("address", [*WRONG_ADDRESSES, None])
def test_a_recipient_that_is_not_our_address_to_the_letter_is_refused(
    any_signed: tuple[House, str], address: str | None
) -> None:
    there, signed = any_signed
    edit = sets("SubjectConfirmationData", "Recipient", address)
    assert there.code(forged(edit, signed=signed)) is Code.SAML_RECIPIENT


def test_a_destination_changed_on_the_way_is_refused_under_a_signed_assertion_too(by_assertion: House) -> None:
    root = forged(signed="assertion")
    root.set("Destination", "https://evil.example/acs")
    assert by_assertion.code(root) is Code.SAML_DESTINATION


# --- audience


def _restrictions(*audiences: list[str]) -> Edit:
    def edit(root: etree._Element) -> None:
        conditions = one(root, "Conditions")
        for child in list(conditions):
            conditions.remove(child)
        for group in audiences:
            restriction = etree.SubElement(conditions, forge.saml("AudienceRestriction"))
            for name in group:
                etree.SubElement(restriction, forge.saml("Audience")).text = name

    return edit


@pytest.mark.row("SAM-09")
@pytest.mark.parametrize(
    "edit",
    [
        _restrictions(),
        _restrictions([OTHER_PORTAL]),
        _restrictions([""]),
        _restrictions([METADATA + "/"]),
        _restrictions([METADATA.upper()]),
        _restrictions([ACS]),
        _restrictions([METADATA], [OTHER_PORTAL]),
        _restrictions([OTHER_PORTAL], [METADATA]),
        drops("Conditions"),
    ],
    ids=["absent", "other", "empty", "slash", "case", "acs", "two-last", "two-first", "no-conditions"],
)
def test_an_assertion_for_another_audience_or_for_none_is_refused(any_signed: tuple[House, str], edit: Edit) -> None:
    there, signed = any_signed
    assert there.code(forged(edit, signed=signed)) is Code.SAML_AUDIENCE


@pytest.mark.row("SAM-09")
@pytest.mark.parametrize(
    "edit",
    [
        _restrictions([METADATA]),
        _restrictions([OTHER_PORTAL, METADATA]),
        _restrictions([METADATA], [METADATA, OTHER_PORTAL]),
    ],
)
def test_an_assertion_for_us_among_others_is_accepted(there: House, edit: Edit) -> None:
    assert there.come_back(forged(edit)).issuer == PORTAL


def test_an_empty_restriction_is_refused(there: House) -> None:
    assert there.code(forged(_restrictions([]))) in (Code.SAML_SCHEMA, Code.SAML_AUDIENCE)


def test_the_audience_is_the_entity_id_of_the_settings(opened: Callable[..., House]) -> None:
    there = opened(entity_id="urn:imagin:siec")
    assert there.come_back(forged(audience="urn:imagin:siec")).issuer == PORTAL
    assert there.code(forged()) is Code.SAML_AUDIENCE


def test_a_condition_that_is_not_understood_is_refused(there: House) -> None:
    def edit(root: etree._Element) -> None:
        condition = etree.SubElement(one(root, "Conditions"), forge.saml("Condition"))
        condition.set(f"{{{XSI}}}type", "saml:ProxyRestrictionType")

    assert there.code(forged(edit)) in (Code.SAML_SHAPE, Code.SAML_SCHEMA)
    unknown = reading.Conditions(None, None, ((METADATA,),), unknown=True)
    with pytest.raises(AnswerRefused) as caught:
        profile.check_conditions(unknown)
    assert caught.value.code is Code.SAML_SHAPE


def test_conditions_that_ask_nothing_of_us_are_accepted(there: House) -> None:
    def edit(root: etree._Element) -> None:
        etree.SubElement(one(root, "Conditions"), forge.saml("OneTimeUse"))
        etree.SubElement(one(root, "Conditions"), forge.saml("ProxyRestriction"), attrib={"Count": "0"})

    assert there.come_back(forged(edit)).issuer == PORTAL


# --- times


def _at(part: str, name: str, moment: datetime) -> Edit:
    return sets(part, name, moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.row("SAM-11")
@pytest.mark.parametrize("part", ["Conditions", "SubjectConfirmationData"])
def test_the_end_is_outside_and_the_skew_moves_it(any_signed: tuple[House, str], part: str) -> None:
    there, signed = any_signed

    def until(end: datetime) -> etree._Element:
        return forged(_both(_at(part, "NotOnOrAfter", end), sets("Conditions", "NotBefore", None)), signed=signed)

    assert there.come_back(until(NOW - SKEW + SECOND)).issuer == PORTAL
    assert there.code(until(NOW - SKEW)) is Code.SAML_TIME
    assert there.code(until(NOW - SKEW - SECOND)) is Code.SAML_TIME


@pytest.mark.row("SAM-11")
@pytest.mark.parametrize("part", ["Conditions", "SubjectConfirmationData"])
def test_the_beginning_is_inside_and_the_skew_moves_it(any_signed: tuple[House, str], part: str) -> None:
    there, signed = any_signed

    def since(begin: datetime) -> etree._Element:
        return forged(_at(part, "NotBefore", begin), signed=signed)

    assert there.come_back(since(NOW + SKEW)).issuer == PORTAL
    assert there.code(since(NOW + SKEW + SECOND)) is Code.SAML_TIME


@pytest.mark.row("SAM-11")
def test_a_confirmation_without_an_end_is_refused(any_signed: tuple[House, str]) -> None:
    there, signed = any_signed
    assert there.code(forged(sets("SubjectConfirmationData", "NotOnOrAfter", None), signed=signed)) is Code.SAML_TIME


@pytest.mark.row("SAM-11")
def test_the_skew_is_a_setting_between_0_and_300_seconds(opened: Callable[..., House], tmp_path: Path) -> None:
    assert section(tmp_path).clock_skew_seconds == 180
    for seconds in (600, 301, -1):
        with pytest.raises(ValidationError):
            section(tmp_path, clock_skew_seconds=seconds)
    for seconds in (0, 300):
        there = opened(clock_skew_seconds=seconds)
        end = NOW + timedelta(minutes=5)
        assert there.come_back(forged(), now=end + timedelta(seconds=seconds) - SECOND).issuer == PORTAL
        assert there.code(forged(), now=end + timedelta(seconds=seconds)) is Code.SAML_TIME


@pytest.mark.parametrize("part", ["Conditions", "SubjectConfirmationData"])
def test_a_period_that_ends_before_it_begins_is_refused(there: House, part: str) -> None:
    backwards = _both(_at(part, "NotBefore", NOW + SECOND), _at(part, "NotOnOrAfter", NOW))
    assert there.code(forged(backwards)) is Code.SAML_TIME


@pytest.mark.parametrize("part", ["Conditions", "SubjectConfirmationData"])
def test_a_period_without_a_moment_in_it_is_none_however_far_apart_clocks_may_be(there: House, part: str) -> None:
    empty = _both(_at(part, "NotBefore", NOW), _at(part, "NotOnOrAfter", NOW))
    assert there.code(forged(empty)) is Code.SAML_TIME


@pytest.mark.parametrize("part", ["Response", "Assertion"])
def test_what_is_issued_in_the_future_is_refused(there: House, part: str) -> None:
    assert there.come_back(forged(_at(part, "IssueInstant", NOW + SKEW))).issuer == PORTAL
    assert there.code(forged(_at(part, "IssueInstant", NOW + SKEW + SECOND))) is Code.SAML_TIME


@pytest.mark.parametrize(
    "written",
    [
        "2026-12-14T08:05:00",
        "2026-12-14T08:05:00+02:00",
        "2026-12-14T24:00:00Z",
        "-2026-12-14T08:05:00Z",
        "12026-12-14T08:05:00Z",
    ],
)
def test_a_time_that_is_not_utc_to_the_letter_is_refused(there: House, written: str) -> None:
    code = there.code(forged(sets("SubjectConfirmationData", "NotOnOrAfter", written)))
    assert code in (Code.SAML_TIME, Code.SAML_SCHEMA)


@pytest.mark.parametrize(
    "written", ["2026-12-14T08:05:00.123456789Z", "2026-12-14T08:05:00+00:00", "2026-12-14T08:05:00.5Z"]
)
def test_fractions_of_a_second_are_read(there: House, written: str) -> None:
    assert there.come_back(forged(sets("SubjectConfirmationData", "NotOnOrAfter", written))).issuer == PORTAL


def test_times_at_the_end_of_the_calendar_break_nothing(there: House) -> None:
    for name in ("Conditions", "SubjectConfirmationData"):
        arrival = there.come_back(forged(sets(name, "NotOnOrAfter", "9999-12-31T23:59:59Z")))
        assert arrival.message_ends_at is not None
        assert arrival.message_ends_at.year == 9999
    assert there.code(forged(sets("Conditions", "NotBefore", "9999-12-31T23:59:59Z"))) is Code.SAML_TIME
    assert there.code(forged(sets("Conditions", "NotOnOrAfter", "0001-01-01T00:00:00Z"))) is Code.SAML_TIME


def _both(*edits: Edit) -> Edit:
    def edit(root: etree._Element) -> None:
        for each in edits:
            each(root)

    return edit


# --- confirmation


@pytest.mark.row("SAM-17")
@pytest.mark.parametrize("method", ["sender-vouches", "holder-of-key", "Bearer", "bearer "])
def test_only_a_bearer_confirmation_is_accepted(any_signed: tuple[House, str], method: str) -> None:
    there, signed = any_signed
    edit = sets("SubjectConfirmation", "Method", "urn:oasis:names:tc:SAML:2.0:cm:" + method)
    assert there.code(forged(edit, signed=signed)) is Code.SAML_CONFIRMATION


@pytest.mark.parametrize("part", ["SubjectConfirmation", "Subject"])
def test_a_subject_that_nothing_confirms_is_refused(there: House, part: str) -> None:
    assert there.code(forged(drops(part))) is Code.SAML_CONFIRMATION


def test_a_confirmation_without_data_is_refused(there: House) -> None:
    assert there.code(forged(drops("SubjectConfirmationData"))) is Code.SAML_RECIPIENT


@pytest.mark.parametrize("first", [True, False])
def test_of_two_confirmations_neither_is_chosen(there: House, first: bool) -> None:
    def edit(root: etree._Element) -> None:
        confirmation = one(root, "SubjectConfirmation")
        other = copy.deepcopy(confirmation)
        other.set("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
        (confirmation.addprevious if first else confirmation.addnext)(other)

    assert there.code(forged(edit)) is Code.SAML_CONFIRMATION


# --- authentication


def test_an_assertion_without_an_authentication_is_refused(there: House) -> None:
    assert there.code(forged(drops("AuthnStatement"))) is Code.SAML_AUTHN_CONTEXT


def test_of_two_authentications_neither_is_chosen(there: House) -> None:
    def edit(root: etree._Element) -> None:
        statement = one(root, "AuthnStatement")
        statement.addnext(copy.deepcopy(statement))

    assert there.code(forged(edit)) is Code.SAML_AUTHN_CONTEXT


def test_an_authentication_in_the_future_is_refused(there: House) -> None:
    assert there.come_back(forged(authenticated_at=NOW + SKEW)).authenticated_at == NOW + SKEW
    assert there.code(forged(authenticated_at=NOW + SKEW + SECOND)) is Code.SAML_TIME


def test_a_session_of_the_portal_that_has_ended_opens_none(there: House) -> None:
    assert there.code(forged(session_ends_at=NOW - SKEW)) is Code.SAML_TIME
    end = NOW - SKEW + SECOND
    assert there.come_back(forged(session_ends_at=end)).ends_at == end


# --- which request


def _answers(response: str | None, confirmation: str | None) -> Edit:
    return _both(
        sets("Response", "InResponseTo", response), sets("SubjectConfirmationData", "InResponseTo", confirmation)
    )


def test_the_answer_gives_back_the_journey_of_its_request(any_signed: tuple[House, str]) -> None:
    there, signed = any_signed
    arrival = there.come_back(forged(signed=signed))
    assert arrival.solicited
    assert there.memories.asked == [REQUEST]
    assert arrival.relay == ""


@pytest.mark.row("SAM-14")
def test_an_unsolicited_answer_is_refused_unless_the_portal_is_flagged(opened: Callable[..., House]) -> None:
    for signed in ("response", "assertion", "both"):
        unsolicited = forged(signed=signed, in_response_to=None)
        assert opened(require_signed=signed).code(unsolicited, relay="/missions") is Code.UNSOLICITED
        there = opened(require_signed=signed, unsolicited=True)
        arrival = there.come_back(unsolicited, relay="/missions")
        assert not arrival.solicited
        assert arrival.relay == "/missions"
        assert there.memories.asked == []


@pytest.mark.row("SAM-14")
@pytest.mark.parametrize("unsolicited", [False, True])
def test_an_answer_to_a_request_that_nobody_made_is_refused(opened: Callable[..., House], unsolicited: bool) -> None:
    there = opened(unsolicited=unsolicited)
    with pytest.raises(FlowLost) as caught:
        there.come_back(forged(in_response_to="_unknown"))
    assert caught.value.code is Code.FLOW_UNKNOWN


@pytest.mark.row("SAM-14")
@pytest.mark.parametrize(
    ("response", "confirmation"),
    [(REQUEST, None), (None, REQUEST), (REQUEST, "_other"), ("_other", REQUEST)],
    ids=["response-only", "confirmation-only", "other-confirmation", "other-response"],
)
@pytest.mark.parametrize("unsolicited", [False, True])
def test_response_and_confirmation_answer_one_request_or_none(
    opened: Callable[..., House], unsolicited: bool, response: str | None, confirmation: str | None
) -> None:
    for signed in ("response", "assertion", "both"):
        there = opened(require_signed=signed, unsolicited=unsolicited)
        message = forged(_answers(response, confirmation), signed=signed)
        assert there.code(message) is Code.SAML_IN_RESPONSE_TO


@pytest.mark.row("SAM-14")
@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_request_is_no_request_and_no_unsolicited_answer_either(blank: str) -> None:
    """The schema refuses it before; the rule does not lean on it."""
    root = forged(in_response_to=None)
    envelope = dataclasses.replace(reading.envelope(root, signed=True), in_response_to=blank)
    (told,) = reading.assertion(one(root, "Assertion")).confirmations
    with pytest.raises(AnswerRefused) as caught:
        profile.check_in_response_to(envelope, dataclasses.replace(told, in_response_to=blank))
    assert caught.value.code is Code.SAML_IN_RESPONSE_TO


@pytest.mark.row("SAM-14")
def test_taking_in_response_to_off_the_envelope_makes_no_unsolicited_answer(opened: Callable[..., House]) -> None:
    """The envelope is not signed here, so anybody on the way can."""
    there = opened(require_signed="assertion", unsolicited=True)
    root = forged(signed="assertion")
    del root.attrib["InResponseTo"]
    assert there.code(root) is Code.SAML_IN_RESPONSE_TO


@pytest.mark.parametrize(
    ("memory", "code"),
    [
        ({"door": "arena-paris", "request": REQUEST, "acs": ACS}, Code.ROUTE_MISMATCH),
        ({"door": forge.DOOR, "request": "_other", "acs": ACS}, Code.SAML_IN_RESPONSE_TO),
        ({"door": forge.DOOR, "request": REQUEST, "acs": ACS + "/old"}, Code.SAML_IN_RESPONSE_TO),
    ],
    ids=["other-door", "other-request", "other-acs"],
)
def test_a_journey_towards_another_portal_is_refused(there: House, memory: dict[str, str], code: Code) -> None:
    with pytest.raises(AnswerRefused) as caught:
        there.come_back(forged(), memory=memory)
    assert caught.value.code is code


def test_a_journey_of_another_protocol_is_lost(there: House) -> None:
    with pytest.raises(FlowLost):
        there.come_back(forged(), memory={"door": forge.DOOR, "state": "s", "nonce": "n"})


def test_every_rule_has_its_section_written() -> None:
    rules = [value for room in (profile, logout) for name, value in vars(room).items() if name.startswith("check_")]
    assert len(rules) == 15 + 5
    assert all(any(word in (rule.__doc__ or "") for word in ("Core §", "Profiles §", "Bindings §")) for rule in rules)


def test_times_are_utc() -> None:
    assert reading.instant("2026-12-14T08:00:00Z") == datetime(2026, 12, 14, 8, tzinfo=UTC)
    assert reading.instant(None) is None
