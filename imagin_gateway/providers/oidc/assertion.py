"""`private_key_jwt`: we prove who we are with a signature, and no secret is shared (Core 1.0 §9, RFC 7523 §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.keys import new_token
from imagin_gateway.providers.oidc.keyset import FITTING, MIN_RSA_BITS

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_ANY: Final = ("RS256", "ES256")
"""One algorithm of each family of keys that we sign with."""

LIFE: Final = timedelta(minutes=1)
"""Long enough for one call, too short to be kept for another."""


@dataclass(frozen=True, slots=True)
class AssertionSigner:
    """Signs our assertions.

    Attributes:
        algorithm: e.g. ``RS256``.
        key: private.
        kid: its thumbprint (RFC 7638), by which the portal finds it in our key set.
        others: public halves of our other keys, published beside it: the next one, or the former one.
    """

    algorithm: str
    key: Key = field(repr=False)
    kid: str
    others: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, door: str, file: Path, algorithm: str, others: Sequence[Path] = ()) -> AssertionSigner:
        """Read our private keys in PEM.

        Args:
            door: id of the portal, for what is told.
            file: of the key that signs.
            algorithm: with which it signs.
            others: of keys that sign nothing here, and are published; of any algorithm we can sign with.

        Raises:
            SettingsError: one of them is no key, or not one for its algorithm.
        """
        key = _read(file, (algorithm,))
        if key is None:
            remedy = f"un fichier PEM sans mot de passe, pour {algorithm}"
            problem = Problem(f"portals.{door}.private_key", "aucune clé privée lisible de ce type", remedy)
            raise SettingsError([problem])
        published: dict[str, Mapping[str, Any]] = {}
        for other in others:
            found = _read(other, (algorithm, *_ANY))
            if found is None:
                remedy = "des fichiers PEM sans mot de passe, RSA de 2048 bits ou plus, ou P-256"
                problem = Problem(f"portals.{door}.other_private_keys", "l'une n'est pas une clé privée", remedy)
                raise SettingsError([problem])
            published[found.thumbprint()] = _public(found)
        published.pop(key.thumbprint(), None)
        return cls(algorithm, key, key.thumbprint(), tuple(published.values()))

    def assertion(self, client_id: str, audience: str, now: datetime) -> str:
        """Return a fresh assertion (RFC 7523 §3): of us, about us, for that endpoint, for a minute, once.

        Args:
            client_id: ours.
            audience: the token endpoint it is shown to, and to nobody else.
            now: the present moment.
        """
        issued = int(timestamp(now))
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": new_token(),
            "iat": issued,
            "exp": issued + int(LIFE.total_seconds()),
        }
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        return jws.serialize_compact(header, json.dumps(claims).encode(), self.key, algorithms=[self.algorithm])

    def published(self) -> Mapping[str, Any]:
        """Return our key set, public halves only (RFC 7517 §5): what the portal's administrator registers."""
        # The others say no `alg`: which one they will sign with, or did, is not known here.
        return {"keys": [{**_public(self.key), "alg": self.algorithm}, *self.others]}


def _read(file: Path, algorithms: Sequence[str]) -> Key | None:
    """Return the private key in a PEM file, None when it is none, or for none of these algorithms."""
    try:
        content = file.read_bytes()
        loaded = load_pem_private_key(content, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not any(_fits(loaded, algorithm) for algorithm in algorithms):
        return None
    family: type[RSAKey] | type[ECKey] = RSAKey if isinstance(loaded, RSAPrivateKey) else ECKey
    return family.import_key(content)


def _public(key: Key) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig"}


def _fits(key: PrivateKeyTypes, algorithm: str) -> bool:
    if FITTING[algorithm][0] == "RSA":
        return isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS
    return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
