"""What the second factors of an account are: the values this room shares, and why one is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import Secret
from imagin_gateway.local.accounts import AccountView

MFA: Final = "mfa"
"""What `amr` holds once two factors were proved (RFC 8176)."""

MFA_CLASS: Final = "https://refeds.org/profile/mfa"
"""The `acr` of such a login."""

MOST_PASSKEYS: Final = 10


class FactorKind(StrEnum):
    """With what a second step is done."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY = "recovery"


AMR: Final = {
    FactorKind.TOTP: ("otp",),
    FactorKind.PASSKEY: ("pop",),
    # A list on paper is had, not known (NIST SP 800-63B-4 §3.1.2), and each code serves once.
    FactorKind.RECOVERY: ("otp",),
}
"""What each adds to `amr` (RFC 8176)."""


class FactorRefused(Refused):
    """A second factor is refused; `code` is one of `Code.FACTOR_*`. Nothing changed but the count of tries.

    Attributes:
        minutes: for `FACTOR_CLOCK`, how far the clock of the device is off: behind when negative.
    """

    code = Code.FACTOR_CODE

    def __init__(self, code: Code, message: str, *, minutes: int = 0) -> None:
        super().__init__(message, code=code)
        self.minutes = minutes


@dataclass(frozen=True, slots=True)
class TotpView:
    """The application of an account. Holds no secret."""

    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class PasskeyView:
    """One passkey of an account.

    Attributes:
        handle: names it in forms.
        name: as its owner called it, or "".
    """

    handle: str
    name: str
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class FactorsView:
    """The second factors of an account.

    Attributes:
        recovery_left: recovery codes that were not used.
        required: the account must have one.
    """

    totp: TotpView | None
    passkeys: tuple[PasskeyView, ...]
    recovery_left: int
    required: bool

    @property
    def any(self) -> bool:
        """Whether there is a factor; recovery codes alone are none."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def count(self) -> int:
        """How many factors there are; recovery codes are none."""
        return len(self.passkeys) + (self.totp is not None)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A factor was added.

    Attributes:
        account: as it is now.
        codes: recovery codes, seen this once; none if the account holds some already.
        amr: what adding it proved.
    """

    account: AccountView
    codes: tuple[Secret, ...] = field(repr=False)
    amr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepProved:
    """A second step was done.

    Attributes:
        account: whose.
        kind: with what.
        amr: what it adds to the password.
        recovery_left: recovery codes left.
    """

    account: AccountView
    kind: FactorKind
    amr: tuple[str, ...]
    recovery_left: int
