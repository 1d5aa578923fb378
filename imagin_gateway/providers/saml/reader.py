"""From the received bytes to what was signed, in the one order that makes sense."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lxml import etree

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import decryption, documents, name_id, profile, reading, schema, shape, signature
from imagin_gateway.providers.saml.signature import VerificationKey
from imagin_gateway.providers.saml.steps import Begin, Step, silently
from imagin_gateway.providers.saml.vocabulary import saml, samlp

RequireSigned = Literal["response", "assertion", "both"]


@dataclass(frozen=True, slots=True, repr=False)
class Verified:
    """An answer whose assertion was signed by the portal."""

    envelope: reading.Envelope
    assertion: reading.Assertion


def read(
    encoded: str,
    *,
    issuer: str,
    keys: Sequence[VerificationKey],
    require_signed: RequireSigned,
    decryption_keys: decryption.Keys,
    forbidden: Collection[str] = (),
    begin: Begin = silently,
) -> Verified:
    """Read an answer that came by POST.

    Args:
        encoded: the field `SAMLResponse`.
        issuer: entityID of the only portal that may speak here.
        keys: of its identity-provider role.
        require_signed: what must carry a signature of its own. A signature that nobody asked for must be right too.
        decryption_keys: ours, for an assertion that is encrypted.
        forbidden: methods that the settings refuse on top.
        begin: told as each step begins.

    Raises:
        AnswerRefused: with the code of the first floor that refuses.
    """
    begin(Step.BASE64)
    raw = documents.decoded(encoded)
    begin(Step.XML)
    root = documents.parse(raw)
    begin(Step.SCHEMA)
    if not schema.is_valid(root):
        raise AnswerRefused(Code.SAML_SCHEMA, "the message does not follow the schemas")
    begin(Step.SHAPE)
    message = shape.message(root)
    shape.check_algorithms(root, forbidden)
    begin(Step.SPEAKER)
    # Not believed, only asked: another portal's answer is told apart from a forged one.
    for element in (message.response, message.assertion):
        if element is not None and (speaker := reading.issuer(element)).name:
            profile.check_issuer(speaker, issuer)
    begin(Step.RESPONSE_SIGNATURE)
    _check_response_signed(message, require_signed)
    response = message.response
    if message.response_signature is not None:
        signed = signature.signed_bytes(message.response_signature, keys, last=message.assertion_signature is None)
        response = documents.canonical(signed)
        check_same(response.tag, samlp("Response"))
    is_signed = message.response_signature is not None
    if message.encrypted is None:
        seal, assertion = message.assertion_signature, shape.the_statement(response)
    else:
        begin(Step.DECRYPTION)
        # Only now, and out of the verified bytes: before that, nothing of ours answers to what was changed on the way.
        around = shape.the_statement(response)
        check_same(around.tag, saml("EncryptedAssertion"))
        assertion = decryption.element(around, decryption_keys, inside_signature=is_signed)
        if not schema.is_valid(assertion):
            raise AnswerRefused(Code.SAML_SCHEMA, "what was encrypted does not follow the schemas")
        seal = shape.decrypted(assertion, message.identifiers)
        shape.check_algorithms(assertion, forbidden)
    begin(Step.ASSERTION_SIGNATURE)
    if seal is None and require_signed in ("assertion", "both"):
        raise AnswerRefused(Code.SAML_UNSIGNED, "the assertion is not signed")
    if seal is not None:
        # An envelope that is not signed is still read from the tree that holds it.
        last = is_signed or message.encrypted is not None
        proved = documents.canonical(signature.signed_bytes(seal, keys, last=last))
        check_same(proved.tag, saml("Assertion"))
        # Where both are signed, the Response's own bytes are read: they hold the Assertion's.
        assertion = assertion if is_signed and message.encrypted is None else proved
    check_same(assertion.tag, saml("Assertion"))
    told = reading.assertion(assertion)
    if told.name_id is None:
        told = replace(told, name_id=_encrypted_name(assertion, decryption_keys))
    return Verified(reading.envelope(response, signed=is_signed), told)


def _encrypted_name(assertion: etree._Element, keys: decryption.Keys) -> name_id.NameId | None:
    """Core §2.2.4: the NameID may come encrypted, out of verified bytes here. A logout names the session by it.

    Nobody is recognised by it (row SAM-22): one that cannot be opened keeps nobody out, and names no session.
    """
    subject = documents.child(assertion, saml("Subject"))
    encrypted = None if subject is None else documents.child(subject, saml("EncryptedID"))
    if encrypted is None:
        return None
    try:
        found = decryption.element(encrypted, keys, inside_signature=True)
        return name_id.of(found) if found.tag == saml("NameID") else None
    except AnswerRefused:
        return None


def _check_response_signed(message: shape.Message, required: RequireSigned) -> None:
    """Profiles §4.1.3.5: an assertion that comes by POST is signed, itself or with the Response around it (SAM-01)."""
    if required in ("response", "both") and message.response_signature is None:
        raise AnswerRefused(Code.SAML_UNSIGNED, "the response is not signed")


def check_same(found: object, expected: str) -> None:
    """What was signed is what was looked for."""
    if found != expected:
        raise AnswerRefused(Code.SAML_SIGNATURE, "something else was signed")
