"""Codes of an application: RFC 6238, six digits, thirty seconds.

A code is good for its own step and the one on either side (RFC 6238 §5.2). Beyond, a
right code of another time tells that the clock of the device is off, and by how much.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.keys import Secret
from imagin_gateway.local.provisional import bare

STEP_SECONDS: Final = 30

DIGITS: Final = 6

WINDOW: Final = 1
"""Steps on either side that are taken."""

SEARCH: Final = 20
"""Steps on either side in which a clock that is off is recognised: ten minutes."""

SECRET_SIGNS: Final = 32
"""Base32 signs of a secret: 160 bits (RFC 4226 §4, R6)."""


def new_secret() -> Secret:
    """Return a new secret, in base32."""
    import pyotp

    return Secret(pyotp.random_base32(SECRET_SIGNS))


def step_at(now: datetime) -> int:
    """Return the number of the step a moment is in."""
    return int(timestamp(now)) // STEP_SECONDS


def address(secret: Secret, identifier: str, issuer: str) -> Secret:
    """Return what the application reads from the picture: it holds the secret."""
    import pyotp

    return Secret(pyotp.TOTP(secret.reveal()).provisioning_uri(name=identifier, issuer_name=issuer))


def find(secret: Secret, typed: Secret, now: datetime) -> int | None:
    """Return the step of which a code is, the nearest to now, within `SEARCH`; None when it is of none of them.

    Args:
        secret: in base32.
        typed: as typed: spaces and hyphens do not matter.
        now: the present moment.
    """
    import pyotp

    text = bare(typed.reveal()[:64])
    if len(text) != DIGITS or not (text.isascii() and text.isdigit()):
        return None
    made, present, found = pyotp.TOTP(secret.reveal()), step_at(now), None
    # Every one is compared, the farthest first: the time it takes tells nothing, and the nearest wins.
    for distance in range(SEARCH, -1, -1):
        for step in {present - distance, present + distance}:
            if step >= 0 and hmac.compare_digest(made.generate_otp(step), text):
                found = step
    return found
