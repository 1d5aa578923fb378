"""The rules of the Web Browser SSO profile, one function each; all of them must pass.

Sections are those of the OASIS standards of March 2005: Core, Bindings, Profiles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml.reading import Assertion, Authentication, Conditions, Confirmation, Envelope, Issuer
from imagin_gateway.providers.saml.steps import Begin, Step, silently
from imagin_gateway.providers.saml.vocabulary import BEARER, ENTITY, SUCCESS


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must fit.

    Attributes:
        issuer: entityID of the portal.
        audience: entityID of ours.
        acs_url: the very address answers are posted to, as our metadata writes it.
        now: when the answer came, UTC.
        skew: how far two honest clocks may be apart.
        contexts: classes of authentication that suffice; any, when empty.
    """

    issuer: str
    audience: str
    acs_url: str
    now: datetime
    skew: timedelta
    contexts: Collection[str] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Accepted:
    """What is left when every rule passed.

    Attributes:
        in_response_to: ID of the request it answers; None for an answer nobody asked for here.
        ends_at: after that moment, clock skew included, this assertion is refused by its own dates.
    """

    authentication: Authentication
    in_response_to: str | None
    ends_at: datetime


def check(envelope: Envelope, assertion: Assertion, expected: Expected, begin: Begin = silently) -> Accepted:
    """Hold a verified answer to every rule; `begin` is told of each.

    Raises:
        AnswerRefused: with the code of the first rule broken.
    """
    begin(Step.VERSION)
    check_version(envelope.version)
    check_version(assertion.version)
    begin(Step.ISSUER)
    if envelope.issuer.name or envelope.signed:
        check_issuer(envelope.issuer, expected.issuer)
    check_issuer(assertion.issuer, expected.issuer)
    begin(Step.STATUS)
    check_status(envelope.statuses)
    begin(Step.DESTINATION)
    check_destination(envelope.destination, expected.acs_url)
    begin(Step.ISSUED)
    check_issued(envelope.issued_at, expected)
    check_issued(assertion.issued_at, expected)
    begin(Step.CONFIRMATION)
    confirmation = check_confirmation(assertion.confirmations)
    begin(Step.RECIPIENT)
    check_recipient(confirmation, expected.acs_url)
    begin(Step.CONFIRMATION_TIME)
    confirmed_until = check_confirmation_time(confirmation, expected)
    begin(Step.CONDITIONS)
    conditions = check_conditions(assertion.conditions)
    begin(Step.AUDIENCE)
    check_audience(conditions.audiences, expected.audience)
    begin(Step.CONDITIONS_TIME)
    check_conditions_time(conditions, expected)
    begin(Step.AUTHENTICATION)
    authentication = check_authentication(assertion.authentications, expected)
    begin(Step.CONTEXT)
    check_context(authentication, expected.contexts)
    begin(Step.IN_RESPONSE_TO)
    in_response_to = check_in_response_to(envelope, confirmation)
    latest = max(confirmed_until, conditions.not_on_or_after or confirmed_until)
    return Accepted(authentication, in_response_to, _later(latest, expected.skew))


def check_version(version: str) -> None:
    """Core §2.3.3, §3.2.2: "The identifier for the version of SAML defined in this specification is 2.0"."""
    if version != "2.0":
        raise AnswerRefused(Code.SAML_SHAPE, "the message is not of SAML 2.0")


def check_issuer(issuer: Issuer, expected: str) -> None:
    """Profiles §4.1.4.2: the Issuer "MUST contain the unique identifier of the issuing identity provider".

    Its Format "MUST be omitted or have a value of ...:entity". Compared as it is, byte for byte.
    """
    if not issuer.name:
        raise AnswerRefused(Code.SAML_SHAPE, "nobody is named as the issuer")
    if issuer.name != expected:
        raise AnswerRefused(Code.ROUTE_MISMATCH, "the answer is of another issuer")
    if issuer.format not in ("", ENTITY):
        raise AnswerRefused(Code.SAML_SHAPE, "the issuer is not named as an entity")


def check_status(statuses: Sequence[str]) -> None:
    """Core §3.2.2.2: only "urn:oasis:names:tc:SAML:2.0:status:Success" means that the request succeeded."""
    if not statuses or statuses[0] != SUCCESS:
        raise AnswerRefused(Code.PORTAL_REFUSED, "the portal refused the login", statuses=statuses)


def check_destination(destination: str, acs_url: str) -> None:
    """Core §3.2.2: if Destination is there, "the actual recipient MUST check that the URI reference identifies the
    location at which the message was received"; Bindings §3.5.5.2 wants it on a signed message. Absent is refused.
    """
    if destination != acs_url:
        raise AnswerRefused(Code.SAML_DESTINATION, "the answer was meant for another address")


def check_issued(at: datetime, expected: Expected) -> None:
    """Core §3.2.2, §2.3.3: IssueInstant is "the time instant of issue": not in times to come."""
    if at > expected.now + expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the answer was issued in the future")


def check_confirmation(confirmations: Sequence[Confirmation]) -> Confirmation:
    """Profiles §4.1.4.2: a bearer SubjectConfirmation must be there; here it is the only one, as no other is known."""
    if len(confirmations) != 1 or confirmations[0].method != BEARER:
        raise AnswerRefused(Code.SAML_CONFIRMATION, "the subject is not confirmed by one bearer confirmation")
    return confirmations[0]


def check_recipient(confirmation: Confirmation, acs_url: str) -> None:
    """Profiles §4.1.4.3: "Verify that the Recipient attribute in the bearer <SubjectConfirmationData> matches the
    assertion consumer service URL to which the <Response> or artifact was delivered". As a string.
    """
    if confirmation.recipient != acs_url:
        raise AnswerRefused(Code.SAML_RECIPIENT, "the assertion was meant for another recipient")


def check_confirmation_time(confirmation: Confirmation, expected: Expected) -> datetime:
    """Profiles §4.1.4.3: "Verify that the NotOnOrAfter attribute in the bearer <SubjectConfirmationData> has not
    passed, subject to allowable clock skew". Absent is refused.
    """
    if confirmation.not_on_or_after is None:
        raise AnswerRefused(Code.SAML_TIME, "the confirmation has no end")
    _check_window(confirmation.not_before, confirmation.not_on_or_after, expected)
    return confirmation.not_on_or_after


def check_conditions(conditions: Conditions | None) -> Conditions:
    """Core §2.5.1: a condition that is not understood makes the validity of the assertion indeterminate."""
    if conditions is None:
        raise AnswerRefused(Code.SAML_AUDIENCE, "the assertion has no conditions")
    if conditions.unknown:
        raise AnswerRefused(Code.SAML_SHAPE, "the assertion has a condition that is not understood")
    return conditions


def check_audience(restrictions: Sequence[Sequence[str]], audience: str) -> None:
    """Core §2.5.1.4: the condition is valid "if and only if the SAML relying party is a member of one or more of the
    audiences specified"; each restriction apart. Profiles §4.1.4.2 wants one: absent is refused.
    """
    if not restrictions or not all(audience in restriction for restriction in restrictions):
        raise AnswerRefused(Code.SAML_AUDIENCE, "the assertion was meant for somebody else")


def check_conditions_time(conditions: Conditions, expected: Expected) -> None:
    """Core §2.5.1.2: NotBefore is when the assertion begins to be valid, NotOnOrAfter when it has expired."""
    _check_window(conditions.not_before, conditions.not_on_or_after, expected)


def check_authentication(authentications: Sequence[Authentication], expected: Expected) -> Authentication:
    """Profiles §4.1.4.2: an AuthnStatement "that reflects the authentication of the principal". Of two, which one
    counts would be a guess: refused. Core §2.7.2: after SessionNotOnOrAfter the session "MUST be considered ended".
    """
    if len(authentications) != 1:
        raise AnswerRefused(Code.SAML_AUTHN_CONTEXT, "the assertion does not tell one authentication")
    authentication = authentications[0]
    if authentication.at > expected.now + expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the authentication is in the future")
    if authentication.ends_at is not None and authentication.ends_at <= expected.now - expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the session of the portal has ended")
    return authentication


def check_asked_anew(at: datetime, since: str, skew: timedelta) -> None:
    """Core §3.4.1 `ForceAuthn`: where we asked it to check the credentials anew, the portal did so since."""
    if since and at < datetime.fromisoformat(since) - skew:
        raise AnswerRefused(Code.SAML_TIME, "the portal did not ask for the credentials anew")


def check_context(authentication: Authentication, contexts: Collection[str]) -> None:
    """Core §2.7.2.2, §3.3.2.2.1: the class told is one of those that were asked for, exactly.

    A class that is not known, or not told, is the weakest there is (row SAM-25).
    """
    if contexts and authentication.context not in contexts:
        raise AnswerRefused(Code.SAML_AUTHN_CONTEXT, "the authentication is not of a class that suffices")


def check_in_response_to(envelope: Envelope, confirmation: Confirmation) -> str | None:
    """Profiles §4.1.4.3: InResponseTo of the confirmation "equals the ID of its original <AuthnRequest> message,
    unless the response is unsolicited, in which case the attribute MUST NOT be present"; §4.1.5 says the same of
    the Response. Both say one thing, or neither says anything.
    """
    if envelope.in_response_to != confirmation.in_response_to:
        raise AnswerRefused(Code.SAML_IN_RESPONSE_TO, "the response and its assertion answer two different requests")
    if envelope.in_response_to is not None and not envelope.in_response_to.strip():
        raise AnswerRefused(Code.SAML_IN_RESPONSE_TO, "the answer names no request")
    return envelope.in_response_to


def _check_window(begins: datetime | None, ends: datetime | None, expected: Expected) -> None:
    """Core §2.5.1.2, with clocks a little apart: the end itself is already outside."""
    if begins is not None and ends is not None and begins >= ends:
        raise AnswerRefused(Code.SAML_TIME, "a period ends before it begins")
    if begins is not None and begins > expected.now + expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the assertion is not valid yet")
    if ends is not None and ends <= expected.now - expected.skew:
        raise AnswerRefused(Code.SAML_TIME, "the assertion has expired")


def _later(moment: datetime, by: timedelta) -> datetime:
    limit = datetime.max.replace(tzinfo=moment.tzinfo)
    return moment + by if moment <= limit - by else limit
