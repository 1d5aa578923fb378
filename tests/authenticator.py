"""A device that holds passkeys, in software: real keys, real signatures, and every lie a test needs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Device:
    """One device.

    Attributes:
        origin: of the page it is used on.
        host: site it takes itself to be on.
        verifies: it checks its owner.
        counts: what it adds to its count each time.
    """

    origin: str
    host: str
    verifies: bool = True
    counts: int = 1
    count: int = 0
    cross_origin: bool = False
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    handle: str = ""

    def _client(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(told).encode()

    def _data(self, more: bytes = b"", flags: int = 0) -> bytes:
        self.count += self.counts
        flags |= 0x01 | (0x04 if self.verifies else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big") + more

    def make(self, options: str | dict[str, Any]) -> str:
        """Make a passkey as asked."""
        asked = json.loads(options) if isinstance(options, str) else options
        self.handle = asked["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + cbor2.dumps(cose)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(held, 0x40)})
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", asked["challenge"])),
            "attestationObject": b64(attestation),
        }
        return self._told(response)

    def use(self, options: str | dict[str, Any]) -> str:
        """Prove the passkey as asked."""
        asked = json.loads(options) if isinstance(options, str) else options
        client, data = self._client("webauthn.get", asked["challenge"]), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        if self.handle:
            response["userHandle"] = self.handle
        return self._told(response)

    def _told(self, response: dict[str, str]) -> str:
        name = b64(self.credential)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
