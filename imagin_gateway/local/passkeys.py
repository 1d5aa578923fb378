"""Passkeys: what is asked of the browser, and what its answer must be (WebAuthn level 3, §7).

The name and the origin are those of the configuration alone. No attestation is asked
for: which brand of key somebody bought is none of our business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from imagin_gateway.errors import Code
from imagin_gateway.keys import Secret, digest
from imagin_gateway.local.factors import FactorRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

T = TypeVar("T")

MAX_ANSWER: Final = 32 * 1024
"""Longest answer read, in characters; honest ones have a few thousand."""

TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that was just made and verified."""

    credential_id: str
    public_key: str = field(repr=False)
    sign_count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read, and not yet verified.

    Attributes:
        credential_id: the passkey it says it comes from.
        user_handle: the account the passkey was made for, or "" when the browser did not tell.
    """

    told: dict[str, Any] = field(repr=False)
    credential_id: str
    user_handle: str


def handle_of(account_id: int) -> str:
    """Return the name under which a passkey knows its account: it tells nobody anything, and never changes."""
    return digest(f"imagin-gateway passkey of account {account_id}")[:32]


class Ceremonies:
    """Asks and verifies.

    Args:
        host: name of our site, without port: what passkeys are bound to.
        origin: address of our site, the only one whose pages may use them.
        service: what people call it.
    """

    def __init__(self, host: str, origin: str, service: str) -> None:
        self._host = host
        self._origin = origin
        self._service = service

    def to_make(self, challenge: Secret, account_id: int, identifier: str, others: Sequence[str]) -> str:
        """Return what the browser is asked to make a passkey with, in JSON.

        Args:
            challenge: unpredictable, used once.
            account_id, identifier: whose it will be.
            others: passkeys the account has: a device makes no second one.
        """
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name=self._service,
            user_id=handle_of(account_id).encode(),
            user_name=identifier,
            user_display_name=identifier,
            challenge=challenge.reveal().encode(),
            timeout=TIMEOUT_SECONDS * 1000,
            attestation=structs.AttestationConveyancePreference.NONE,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=self._descriptors(others),
        )
        return webauthn.options_to_json(options)

    def to_use(self, challenge: Secret, known: Sequence[str]) -> str:
        """Return what the browser is asked to prove, in JSON; with no passkey named, any of this site will do."""
        import webauthn
        from webauthn.helpers import structs

        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=challenge.reveal().encode(),
            timeout=TIMEOUT_SECONDS * 1000,
            allow_credentials=self._descriptors(known),
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    def _descriptors(self, known: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
        from webauthn.helpers import base64url_to_bytes, structs

        return [structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each)) for each in known]

    def made(self, answer: Secret, challenge: Secret) -> NewPasskey:
        """Return the passkey a browser made. Raises `FactorRefused`."""
        import webauthn
        from webauthn.helpers import bytes_to_base64url

        told = read(answer).told
        self._check_place(told, challenge)
        verified = _guarded(
            lambda: webauthn.verify_registration_response(
                credential=told,
                expected_challenge=challenge.reveal().encode(),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        )
        return NewPasskey(
            bytes_to_base64url(verified.credential_id),
            bytes_to_base64url(verified.credential_public_key),
            verified.sign_count,
        )

    def used(self, answer: Answer, challenge: Secret, public_key: str, sign_count: int) -> int:
        """Return the count of a passkey that proved itself, its owner checked by the device. Raises `FactorRefused`."""
        import webauthn
        from webauthn.helpers import base64url_to_bytes

        self._check_place(answer.told, challenge)
        verified = _guarded(
            lambda: webauthn.verify_authentication_response(
                credential=answer.told,
                expected_challenge=challenge.reveal().encode(),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=base64url_to_bytes(public_key),
                # Compared below, once the signature is known to be good: a counter that anybody may write says nothing.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        )
        if (verified.new_sign_count or sign_count) and verified.new_sign_count <= sign_count:
            raise FactorRefused(Code.FACTOR_COUNTER, "the passkey counts backwards: it may have been copied")
        return verified.new_sign_count

    def _check_place(self, told: dict[str, Any], challenge: Secret) -> None:
        """Tell apart what the library refuses in one breath: another site, another challenge."""
        from webauthn.helpers import base64url_to_bytes, parse_client_data_json

        client = _guarded(lambda: parse_client_data_json(base64url_to_bytes(told["response"]["clientDataJSON"])))
        if client.origin != self._origin or client.cross_origin:
            raise FactorRefused(Code.FACTOR_ORIGIN, "the passkey was used on another site")
        if client.challenge != challenge.reveal().encode():
            raise FactorRefused(Code.FACTOR_CHALLENGE, "the passkey answers another challenge")


def read(answer: Secret) -> Answer:
    """Read an answer of a browser. Raises `FactorRefused` when it is none."""
    text = answer.reveal()
    try:
        told = json.loads(text) if len(text) <= MAX_ANSWER else None
        if not isinstance(told, dict) or not isinstance(told["response"], dict):
            raise FactorRefused(Code.FACTOR_ANSWER, "the browser's answer cannot be read")
        credential_id = told["id"]
        handle = told["response"].get("userHandle") or ""
        if not isinstance(credential_id, str) or not isinstance(handle, str):
            raise FactorRefused(Code.FACTOR_ANSWER, "the browser's answer cannot be read")
    except (ValueError, KeyError, RecursionError):
        raise FactorRefused(Code.FACTOR_ANSWER, "the browser's answer cannot be read") from None
    return Answer(told, credential_id, _text(handle))


def _text(handle: str) -> str:
    from webauthn.helpers import base64url_to_bytes

    try:
        return base64url_to_bytes(handle).decode("ascii")
    except ValueError:
        return "?"


def _guarded(verify: Callable[[], T]) -> T:
    """Run a check of the library: whatever it raises, on whatever a browser sent, is a refusal."""
    try:
        return verify()
    except FactorRefused:
        raise
    except Exception as error:
        # The message may quote what was sent.
        code = next((code for words, code in _TOLD.items() if words in str(error)), Code.FACTOR_ANSWER)
        raise FactorRefused(code, f"the passkey's answer is refused ({type(error).__name__})") from None


_TOLD: Final = {
    "User verification is required": Code.FACTOR_UNVERIFIED,
    "Unexpected RP ID hash": Code.FACTOR_ORIGIN,
}
"""What the library says in words; whatever else it says is refused all the same."""
