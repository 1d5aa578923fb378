"""From a signed JWT to its claims: nothing is read of it before its signature is verified.

The header alone is looked at first, to choose the key, and only through the list
of algorithms of our configuration (RFC 8725 §3.1; ASVS 9.1.1, 9.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.util import urlsafe_b64decode

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc.kept import Kept
from imagin_gateway.providers.oidc.keyset import FITTING, MAX_RSA_BITS, KeySet
from imagin_gateway.providers.oidc.strict_json import read_object
from imagin_gateway.providers.oidc.wire import MAX_ANSWER_BYTES

MAX_HEADER_CHARS: Final = 16 * 1024
"""A certificate chain in a header is legal, long, and not read."""


PLAIN_TYPES: Final = frozenset({"jwt"})
"""What an ID token or a signed userinfo may say that it is."""

LOGOUT_TYPES: Final = frozenset({"logout+jwt"})
"""What a logout token must say that it is (Back-Channel Logout 1.0 §2.4, RFC 8725 §3.11)."""


_ALGORITHM_NAME: Final = re.compile(r"[A-Za-z0-9]{1,16}\Z")


class _Registry(JWSRegistry):
    """The algorithms of one portal, by exact name.

    joserfc warns each time EdDSA is used, because the name does not tell the curve
    (RFC 9864); here the key set admits Ed25519 alone under it.
    """

    max_header_length = MAX_HEADER_CHARS
    # As long as the keys and the answers that are taken: joserfc's own bounds are shorter.
    max_signature_length = MAX_RSA_BITS // 6 + 1
    max_payload_length = MAX_ANSWER_BYTES

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class Signed:
    """Claims whose signature was verified.

    Attributes:
        alg: algorithm of the signature, one of the configured ones.
        claims: the payload.
        header: what stands before it, signed too.
    """

    alg: str
    claims: dict[str, Any] = field(repr=False)
    header: dict[str, Any] = field(default_factory=dict, repr=False)


class Verifier:
    """Verifies what one portal signs.

    Args:
        algorithms: names accepted; `none` and symmetric ones have no place among them.
        keys: the key sets of the portal, by address.
    """

    def __init__(self, algorithms: Collection[str], keys: Kept[KeySet]) -> None:
        if not algorithms or not FITTING.keys() >= set(algorithms):
            raise ValueError("only asymmetric signature algorithms verify a portal")
        self._algorithms = tuple(algorithms)
        self._registry = _Registry(algorithms=self._algorithms, strict_check_header=False)
        self._keys = keys

    def verify(
        self, token: str, jwks_uri: str, now: datetime, code: Code, types: Collection[str] = PLAIN_TYPES
    ) -> Signed:
        """Return the claims of a JWT in compact form.

        A key that is not known, or a signature that does not fit, is tried once more
        with the keys the portal publishes now, if they were not just asked for.

        Args:
            token: as received.
            jwks_uri: where the portal publishes its keys.
            now: the present moment.
            code: reason when it is no JWT at all.
            types: values of `typ` that are taken, lower case, without ``application/``.

        Raises:
            AnswerRefused: `code`, `OIDC_ALGORITHM`, `OIDC_TOKEN_TYPE` or `OIDC_SIGNATURE`.
            Unavailable: the keys cannot be had.
        """
        jws = self._parsed(token, code)
        header = jws.headers()
        alg = self.check_algorithm(header)
        check_critical(header)
        check_type(header, types)
        kid = _kid(header)
        keys = self._keys.get(jwks_uri, now)
        if not self._any(jws, keys, alg, kid):
            renewed = self._keys.renew(jwks_uri, now, keys)
            if renewed is None or not self._any(jws, renewed, alg, kid):
                raise AnswerRefused(Code.OIDC_SIGNATURE, "no key of the portal made this signature")
        try:
            return Signed(alg, read_object(jws.payload), header)
        except ValueError:
            raise AnswerRefused(code, "the payload of the token is not a JSON object") from None

    def check_algorithm(self, header: dict[str, Any]) -> str:
        """Core 1.0 §3.1.3.7 step 7, RFC 8725 §3.1: the algorithm is one of ours, whatever else is announced."""
        alg = header.get("alg")
        if not isinstance(alg, str) or alg not in self._algorithms:
            # Told, since the ID token, the userinfo and a logout token may each be signed with another.
            named = (alg,) if isinstance(alg, str) and _ALGORITHM_NAME.match(alg) else ()
            raise AnswerRefused(Code.OIDC_ALGORITHM, "the algorithm is not one of those configured", statuses=named)
        return alg

    def _parsed(self, token: str, code: Code) -> CompactSignature:
        jws: CompactSignature | None
        try:
            jws = extract_compact(token.encode("ascii"), registry=self._registry)
            # RFC 7515 §4: UTF-8, and each name once. Of anything else two readers may take two keys, or two types.
            read_object(urlsafe_b64decode(jws.segments["header"]))
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
            jws = None
        # Raised here, so that the token does not hang from the error.
        if jws is None or not isinstance(jws.headers(), dict):
            # RFC 7516 §7.1: five parts. A provider encrypts what it was told to when we were registered.
            raise AnswerRefused(code, "the token is encrypted" if token.count(".") == 4 else "not a signed token")
        return jws

    def _any(self, jws: CompactSignature, keys: KeySet, alg: str, kid: str | None) -> bool:
        return any(self._made_by(jws, candidate.key) for candidate in keys.candidates(alg, kid))

    def _made_by(self, jws: CompactSignature, key: Any) -> bool:
        try:
            return validate_compact(jws, key, registry=self._registry) is True
        except (JoseError, ValueError, TypeError):
            return False


def check_critical(header: dict[str, Any]) -> None:
    """RFC 7515 §4.1.11: what must be understood and is not ends here; we understand no extension."""
    if "crit" in header or "b64" in header:
        raise AnswerRefused(Code.OIDC_TOKEN_TYPE, "the token needs an extension")


def check_type(header: dict[str, Any], types: Collection[str] = PLAIN_TYPES) -> None:
    """RFC 8725 §3.11, ASVS 9.2.2: a token made for something else (`at+jwt`, `logout+jwt`) is not this one."""
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in types:
        raise AnswerRefused(Code.OIDC_TOKEN_TYPE, "the token is of another type")


def _kid(header: dict[str, Any]) -> str | None:
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise AnswerRefused(Code.OIDC_SIGNATURE, "the name of the key is not a text")
    return kid
