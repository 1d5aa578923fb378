"""Provisional passwords, as printed on letters.

They are random, so they need no slow hash: 15 signs out of 31 are 74.3 bits, out
of reach of guessing even at full speed on a stolen database, and that database
holds only their HMAC under a key kept elsewhere. A hundred thousand letters then
take seconds.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final

from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.accounts import Account

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 signs: neither 0, 1, I, L nor O, which look like one another on paper."""

SIGNS: Final = 15

GROUP: Final = 5

_SIGN_OF: Final = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))

_UNEQUAL: Final = bytes(range(256 // len(ALPHABET) * len(ALPHABET), 256))

_PURPOSE: Final = "provisional password"

_SEPARATORS: Final = frozenset({"Zs", "Pd", "Cf"})
"""Categories of spaces and hyphens, of what phones and word processors make of them, and of marks that nobody sees."""

_MINUS: Final = "\u2212"
"""Typed for a hyphen; to Unicode it is none."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database keeps of a provisional password.

    Attributes:
        mac: HMAC-SHA-256, hexadecimal.
        key: version of the key, as `keys.key_version` names it.
    """

    mac: str
    key: str


def generate() -> Secret:
    """Return a new provisional password, in groups: ``K7RTM 4PXWQ 9HFDC``."""
    signs = ""
    while len(signs) < SIGNS:
        # A byte that would make some signs likelier than others is thrown away.
        signs += secrets.token_bytes(SIGNS + 4).translate(_SIGN_OF, _UNEQUAL).decode("ascii")
    return Secret(" ".join([signs[start : start + GROUP] for start in range(0, SIGNS, GROUP)]))


def canonical(typed: str) -> str:
    """Return what is compared: without spaces, hyphens and case. No entropy is lost, and typing is easier.

    What holds anything but ASCII besides was never printed: it becomes "", which matches nothing.
    """
    signs = bare(typed).replace("\t", "")
    return signs.upper() if signs.isascii() else ""


def bare(typed: str) -> str:
    """Return what was typed without spaces, hyphens, and marks that nobody sees."""
    return "".join(sign for sign in typed if sign != _MINUS and unicodedata.category(sign) not in _SEPARATORS)


class Provisionals:
    """Keeps and checks provisional passwords.

    Args:
        keys: `settings.keys.provisional`; a copy of the database without them verifies nothing.
    """

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def keep(self, value: Secret) -> Kept:
        """Return what to store instead of `value`."""
        version = self._keys.newest
        mac = self._keys.mac(_PURPOSE, canonical(value.reveal()), version)
        if mac is None:
            raise AssertionError("the newest key is always held")
        return Kept(mac, version)

    def matches(self, account: Account | None, typed: Secret) -> bool:
        """Tell whether `typed` is the provisional password kept for the account, in the same time either way.

        State and expiry are the caller's. A key that is no longer held verifies nothing.
        """
        stored = account.provisional_mac if account else None
        version = account.provisional_key if account else None
        mac = self._keys.mac(_PURPOSE, canonical(typed.reveal()), version)
        known = stored is not None and version is not None and mac is not None
        return hmac.compare_digest(mac or "", stored or "-") and known
