"""What the portal tells of the person beyond the ID token (OpenID Connect Core 1.0 §5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.claims import Claims, Expected, check_expiry, check_no_events
from imagin_gateway.providers.oidc.discovery import Provider
from imagin_gateway.providers.oidc.signed import Verifier
from imagin_gateway.providers.oidc.wire import Wire

JSON: Final = "application/json"
JWT: Final = "application/jwt"

ABOUT_THE_TOKEN: Final = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti", "nonce", "at_hash", "c_hash", "auth_time", "acr", "amr"}
    | {"sid", "typ", "events", "_claim_names", "_claim_sources"}
)
"""Claims that say how the token was made, not who the person is. The last two point to claims held
elsewhere (Core §5.6.2): nothing is ever fetched from there."""


def ask(
    wire: Wire,
    verifier: Verifier,
    provider: Provider,
    access_token: Secret,
    subject: str,
    expected: Expected,
) -> Claims:
    """Read the userinfo of the person, as JSON or as a signed JWT, by its content type.

    Args:
        wire: calls to this portal.
        verifier: of what it signs.
        provider: what it publishes.
        access_token: shown in the Authorization header, and nowhere else (RFC 6750 §2.1).
        subject: `sub` of the ID token.
        expected: what the ID token had to fit.

    Returns:
        The claims; none when the portal has no such endpoint.

    Raises:
        AnswerRefused: `OIDC_USERINFO`, or the code of the signature's check that fails.
        Unavailable: the portal does not answer.
    """
    if provider.userinfo_endpoint is None:
        return {}
    headers = {"Authorization": f"Bearer {access_token.reveal()}", "Accept": f"{JSON}, {JWT}"}
    reply = wire.get(provider.userinfo_endpoint, Code.OIDC_USERINFO, headers)
    if reply.status != 200:
        told = (str(reply.status),)
        raise AnswerRefused(Code.OIDC_USERINFO, "the portal refuses its own access token", statuses=told)
    claims: Claims
    if reply.media_type == JSON:
        claims = reply.json(Code.OIDC_USERINFO)
    elif reply.media_type == JWT:
        token = reply.body.decode("ascii", "replace").strip()
        claims = verifier.verify(token, provider.jwks_uri, expected.now, Code.OIDC_USERINFO).claims
        check_signed(claims, expected)
    else:
        raise AnswerRefused(Code.OIDC_USERINFO, "the userinfo is neither JSON nor a signed token")
    check_subject(claims, subject)
    return claims


def check_signed(claims: Claims, expected: Expected) -> None:
    """Core §5.3.2: a signed answer "SHOULD" say by whom it is and for whom; and it has not expired, if it tells an end.

    Some portals sign the bare claims. That is no weaker than the plain JSON form: asked of this portal's own
    endpoint, over TLS, with our token, signed by its key, and of the same person. What it does say must fit.
    """
    check_no_events(claims)
    audience = claims.get("aud", expected.client_id)
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss", expected.issuer) != expected.issuer or expected.client_id not in audiences:
        raise AnswerRefused(Code.OIDC_USERINFO, "the userinfo is of another issuer or for somebody else")
    if "exp" in claims:
        check_expiry(claims, expected.now, expected.leeway)


def check_subject(claims: Claims, subject: str) -> None:
    """Core §5.3.2, §5.3.4: the same person as the ID token; else nothing of it may be used."""
    if claims.get("sub") != subject:
        raise AnswerRefused(Code.OIDC_USERINFO, "the userinfo is of another person")


def about_the_person(id_token: Claims, userinfo: Claims) -> Mapping[str, Any]:
    """Return the claims that tell the person, from both sources; what was signed comes first."""
    told = {**userinfo, **id_token}
    return {name: value for name, value in told.items() if name not in ABOUT_THE_TOKEN}
