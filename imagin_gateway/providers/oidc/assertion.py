"""`private_key_jwt`: we prove who we are with a signature, and no secret is shared (Core 1.0 §9, RFC 7523 §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
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

LIFE: Final = timedelta(minutes=1)
"""Long enough for one call, too short to be kept for another."""


@dataclass(frozen=True, slots=True)
class AssertionSigner:
    """Signs our assertions.

    Attributes:
        algorithm: e.g. ``RS256``.
        key: private.
        kid: its thumbprint (RFC 7638), by which the portal finds it in our key set.
    """

    algorithm: str
    key: Key = field(repr=False)
    kid: str

    @classmethod
    def read(cls, door: str, file: Path, algorithm: str) -> AssertionSigner:
        """Read a private key in PEM. Raises `SettingsError` when it is none, or not one for `algorithm`."""
        content = b""
        fits = False
        try:
            content = file.read_bytes()
            fits = _fits(load_pem_private_key(content, password=None), algorithm)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
            fits = False
        # Raised here, so that nothing of the file hangs from the error.
        if not fits:
            remedy = f"un fichier PEM sans mot de passe, pour {algorithm}"
            problem = Problem(f"portals.{door}.private_key", "aucune clé privée lisible de ce type", remedy)
            raise SettingsError([problem])
        family: type[RSAKey] | type[ECKey] = RSAKey if FITTING[algorithm][0] == "RSA" else ECKey
        key = family.import_key(content)
        return cls(algorithm, key, key.thumbprint())

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
        public = {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.algorithm}
        return {"keys": [public]}


def _fits(key: PrivateKeyTypes, algorithm: str) -> bool:
    if FITTING[algorithm][0] == "RSA":
        return isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS
    return isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
