"""Secrets that do not print, and signing by purpose with keys that rotate.

A list of keys goes from the oldest to the newest: the newest signs, all of them
verify. Dropping a key from the list ends everything it signed. Each use has a
purpose of its own, so what was signed for one is nothing to another
(OWASP ASVS 5.0.0, 11.2.2 and 13.3.4).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

import itsdangerous

MASK: Final = "********"

MINIMUM_KEY_BYTES: Final = 32

_NONCE_BYTES: Final = 12

_SEALED: Final = "sealed\x00"
"""Before the purpose: what encrypts is never what signs, even under one name."""


class Secret:
    """A value that neither prints, nor pickles, nor compares in variable time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself: to be called where it is used, and nowhere else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, hashlib.sha256(self._value.encode()).digest()))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")


def new_token(bits: int = 256) -> str:
    """Return `bits` unpredictable bits, URL-safe (ASVS 11.5.1)."""
    if bits < 128:
        raise ValueError("fewer than 128 bits can be guessed")
    return secrets.token_urlsafe(bits // 8)


def digest(value: str) -> str:
    """Return the SHA-256 of an unpredictable value, in hexadecimal: what a store keeps instead of it."""
    return hashlib.sha256(value.encode()).hexdigest()


class Keyring:
    """Keys of one secret, from the oldest to the newest.

    Args:
        keys: at least one; each of 32 bytes or more (checked by the settings).
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        if not keys:
            raise ValueError("a keyring needs at least one key")
        self._keys = tuple(keys)
        self._versions = tuple(key_version(key) for key in keys)
        # A hundred thousand letters take one derivation.
        self._derived: dict[tuple[int, str], hmac.HMAC] = {}

    def signer(self, purpose: str) -> PurposeSigner:
        """Return a signer whose signatures mean nothing under another purpose."""
        return PurposeSigner(self._keys, purpose)

    @property
    def newest(self) -> str:
        """Version of the key that signs now."""
        return self._versions[-1]

    def mac(self, purpose: str, message: str, version: str | None = None) -> str | None:
        """Return HMAC-SHA-256 of `message` in hexadecimal, or None when `version` is no longer held.

        Args:
            purpose: keeps two uses of one key apart.
            message: what is authenticated.
            version: key to use, as `key_version` names it; the newest when None.
        """
        index = self._index(version)
        if index is None:
            return None
        derived = self._derived.get((index, purpose))
        if derived is None:
            key = _derive(self._keys[index], purpose)
            derived = self._derived[index, purpose] = hmac.new(key, digestmod="sha256")
        code = derived.copy()
        code.update(message.encode())
        return code.hexdigest()

    @property
    def versions(self) -> tuple[str, ...]:
        """Version of every key that is held, the oldest first."""
        return self._versions

    def seal(self, purpose: str, text: Secret, about: str) -> str:
        """Return a text encrypted under the newest key: nobody reads or changes it without (AES-256-GCM).

        Args:
            purpose: keeps two uses of one key apart.
            text: what is kept secret.
            about: what it belongs to; it opens for nothing else.

        A key seals far fewer texts than the 2³² for which random nonces are good (NIST SP 800-38D §8.3).
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        key = _derive(self._keys[-1], _SEALED + purpose)
        sealed = nonce + AESGCM(key).encrypt(nonce, text.reveal().encode(), about.encode())
        return f"{self.newest}.{base64.urlsafe_b64encode(sealed).decode('ascii')}"

    def unseal(self, purpose: str, sealed: str, about: str) -> Secret | None:
        """Return what was sealed, or None: another purpose, another owner, changed, or under a key no longer held."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version, _, encoded = sealed.partition(".")
        if version not in self._versions:
            return None
        key = _derive(self._keys[self._versions.index(version)], _SEALED + purpose)
        try:
            raw = base64.urlsafe_b64decode(encoded)
            text = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError):
            return None
        return Secret(text.decode())

    def is_newest(self, sealed: str) -> bool:
        """Tell whether a text was sealed under the newest key."""
        return sealed.partition(".")[0] == self.newest

    def _index(self, version: str | None) -> int | None:
        if version is None:
            return len(self._keys) - 1
        return self._versions.index(version) if version in self._versions else None


def key_version(key: Secret) -> str:
    """Name a key without telling it: eight hexadecimal digits."""
    return hashlib.sha256(b"imagin-gateway key version\x00" + key.reveal().encode()).hexdigest()[:8]


def _derive(key: Secret, purpose: str) -> bytes:
    return hmac.new(key.reveal().encode(), b"imagin-gateway\x00" + purpose.encode(), hashlib.sha256).digest()


class PurposeSigner:
    """Signs short texts for one purpose (itsdangerous, HMAC-SHA-256, derived key)."""

    def __init__(self, keys: Sequence[Secret], purpose: str) -> None:
        if not purpose:
            raise ValueError("a signature needs a purpose")
        self._signer = itsdangerous.Signer(
            [_derive(key, purpose) for key in keys],
            salt=b"imagin-gateway/" + purpose.encode(),
            sep=".",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def sign(self, value: str) -> str:
        """Return `value` followed by its signature under the newest key."""
        return self._signer.sign(value.encode()).decode("ascii")

    def unsign(self, signed: str) -> str | None:
        """Return the value if any key of the ring signed it for this purpose, else None."""
        try:
            return self._signer.unsign(signed.encode()).decode("ascii")
        except (itsdangerous.BadSignature, UnicodeError):
            return None
