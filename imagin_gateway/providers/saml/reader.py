"""From the received bytes to what was signed, in the one order that makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.saml import documents, profile, reading, schema, shape, signature
from imagin_gateway.providers.saml.signature import VerificationKey
from imagin_gateway.providers.saml.vocabulary import saml, samlp

RequireSigned = Literal["response", "assertion", "both"]


@dataclass(frozen=True, slots=True, repr=False)
class Verified:
    """An answer whose assertion was signed by the portal."""

    envelope: reading.Envelope
    assertion: reading.Assertion


def read(encoded: str, *, issuer: str, keys: Sequence[VerificationKey], require_signed: RequireSigned) -> Verified:
    """Read an answer that came by POST.

    Args:
        encoded: the field `SAMLResponse`.
        issuer: entityID of the only portal that may speak here.
        keys: of its identity-provider role.
        require_signed: what must carry a signature of its own. A signature that nobody asked for must be right too.

    Raises:
        AnswerRefused: with the code of the first floor that refuses.
    """
    root = documents.parse(documents.decoded(encoded))
    if not schema.is_valid(root):
        raise AnswerRefused(Code.SAML_SCHEMA, "the message does not follow the schemas")
    message = shape.message(root)
    # Not believed, only asked: another portal's answer is told apart from a forged one.
    for speaker in (reading.issuer(message.response), reading.issuer(message.assertion)):
        if speaker.name:
            profile.check_issuer(speaker, issuer)
    _check_signed(message, require_signed)
    signed = {
        element.tag: signature.signed_bytes(seal, keys)
        for element, seal in (
            (message.response, message.response_signature),
            (message.assertion, message.assertion_signature),
        )
        if seal is not None
    }
    if (response := signed.get(samlp("Response"))) is not None:
        proved = documents.parse(response)
        check_same(proved.tag, samlp("Response"))
        return Verified(reading.envelope(proved, signed=True), reading.assertion(shape.the_assertion(proved)))
    proved = documents.parse(signed[saml("Assertion")])
    check_same(proved.tag, saml("Assertion"))
    return Verified(reading.envelope(message.response, signed=False), reading.assertion(proved))


def _check_signed(message: shape.Message, required: RequireSigned) -> None:
    """Profiles §4.1.3.5: an assertion that comes by POST is signed, itself or with the Response around it (SAM-01)."""
    if required in ("response", "both") and message.response_signature is None:
        raise AnswerRefused(Code.SAML_UNSIGNED, "the response is not signed")
    if required in ("assertion", "both") and message.assertion_signature is None:
        raise AnswerRefused(Code.SAML_UNSIGNED, "the assertion is not signed")


def check_same(found: object, expected: str) -> None:
    """What was signed is what was looked for."""
    if found != expected:
        raise AnswerRefused(Code.SAML_SIGNATURE, "something else was signed")
