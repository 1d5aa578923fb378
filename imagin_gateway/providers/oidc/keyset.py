"""The keys with which a portal signs: public, asymmetric, and from its `jwks_uri` alone.

A header that brings or points to a key of its own (`jwk`, `jku`, `x5c`, `x5u`) is
not even read (RFC 7515 §10.7; ASVS 9.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc.wire import Wire

LIFE: Final = timedelta(hours=1)
"""How long a set is believed: a key withdrawn by the portal is forgotten within that time."""

MAX_KEYS: Final = 50

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192

FITTING: Final[dict[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Key type and curve for each algorithm a portal may be configured with (RFC 7518 §3.1, RFC 8037 §3.1)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a set, with what the set says of it."""

    kid: str | None
    kty: str
    crv: str | None
    alg: str | None
    key: Key

    def fits(self, alg: str) -> bool:
        """Tell whether this key may verify a signature of `alg`."""
        kty, crv = FITTING[alg]
        return self.kty == kty and (crv is None or self.crv == crv) and self.alg in (None, alg)


@dataclass(frozen=True, slots=True, eq=False)
class KeySet:
    """The usable keys of a portal. Compared by identity: two fetches are two sets."""

    keys: tuple[PublicKey, ...]

    def candidates(self, alg: str, kid: str | None) -> list[PublicKey]:
        """Return the keys that may have signed with `alg` under `kid`.

        Raises:
            AnswerRefused: no `kid` is told though several keys fit; the provider must
                tell one then (Core 1.0 §10.1), and we do not guess.
        """
        fitting = [key for key in self.keys if key.fits(alg)]
        if kid is not None:
            return [key for key in fitting if key.kid == kid]
        if len(fitting) > 1:
            raise AnswerRefused(Code.OIDC_SIGNATURE, "the token names no key and several could have signed it")
        return fitting


def fetch(wire: Wire, address: str) -> KeySet:
    """Read the key set at `address`.

    Raises:
        AnswerRefused: `OIDC_KEYS`: not a key set.
        Unavailable: the portal does not answer.
    """
    reply = wire.get(address, Code.OIDC_KEYS, {"Accept": "application/jwk-set+json, application/json"})
    if reply.status != 200:
        raise AnswerRefused(Code.OIDC_KEYS, "the portal publishes no keys there")
    return read(reply.json(Code.OIDC_KEYS))


def read(document: dict[str, Any]) -> KeySet:
    """Keep the usable keys of a JWK Set; one that cannot be read is left out (RFC 7517 §5)."""
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise AnswerRefused(Code.OIDC_KEYS, "not a key set")
    return KeySet(tuple(key for entry in entries if (key := _read_key(entry)) is not None))


def _read_key(entry: object) -> PublicKey | None:
    if not isinstance(entry, dict) or not _for_signatures(entry):
        return None
    kid, alg, crv = entry.get("kid"), entry.get("alg"), entry.get("crv")
    if not all(value is None or isinstance(value, str) for value in (kid, alg, crv)):
        return None
    try:
        key = JWKRegistry.import_key(entry)
        sound = _sound(key)
    except Exception:
        # Whatever is wrong with this key is no reason to lose the others; without it nothing more is accepted.
        return None
    return PublicKey(kid, key.key_type, crv, alg, key) if sound else None


def _for_signatures(entry: dict[str, Any]) -> bool:
    """RFC 7517 §4.2, §4.3: meant to verify signatures; and public, since a published private key is anybody's."""
    if entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return False
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _sound(key: Key) -> bool:
    """RFC 7518 §3.3: RSA of 2048 bits or more; and not so large that verifying is an attack by itself."""
    if isinstance(key, RSAKey):
        return MIN_RSA_BITS <= key.public_key.key_size <= MAX_RSA_BITS
    return isinstance(key, ECKey | OKPKey)
