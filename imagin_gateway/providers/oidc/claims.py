"""The checks of an ID token, each with its section of OpenID Connect Core 1.0.

They run on claims whose signature was verified. Each raises `AnswerRefused` with
its own code; what comes back is a value with its type.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from imagin_gateway.errors import AnswerRefused, Code

Claims = Mapping[str, Any]

MAX_SUBJECT_CHARS: Final = 255

MAX_TEXT_CHARS: Final = 255
"""Longest `acr` or `amr` taken."""

MAX_SESSION_CHARS: Final = 2048
"""Longest `sid` taken: that of idpy-oidc is the whole session, encrypted, in some three hundred."""

MAX_METHODS: Final = 16

_LAST_SECOND: Final = 253402300799
"""31 December 9999: later is no date."""

_HASHES: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an ID token must fit.

    Attributes:
        issuer: of the configuration.
        client_id: ours.
        nonce: sent with this login.
        now: the present moment.
        leeway: how far the clocks may differ, at most 60 s.
        max_age: how old a token may be.
        contexts: one of these `acr` must be told; any, and none, will do when it is empty.
        methods: every one of these `amr` must be told.
        recency: how long ago the credentials may have been checked, if that was asked for.
    """

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    now: datetime
    leeway: timedelta
    max_age: timedelta
    contexts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    recency: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """What an ID token proves, once every check has passed."""

    subject: str = field(repr=False)
    issued_at: datetime
    authenticated_at: datetime | None
    acr: str | None
    amr: tuple[str, ...]
    session: str = field(repr=False)


def check_id_token(claims: Claims, alg: str, access_token: str, expected: Expected) -> IdToken:
    """Run every check on the claims of an ID token.

    Args:
        claims: of the verified token.
        alg: algorithm that verified it.
        access_token: that came with it.
        expected: what they must fit.

    Raises:
        AnswerRefused: with the code of the first check that fails.
    """
    check_no_events(claims)
    check_issuer(claims, expected.issuer)
    check_audience(claims, expected.client_id)
    check_authorized_party(claims, expected.client_id)
    check_expiry(claims, expected.now, expected.leeway)
    check_not_before(claims, expected.now, expected.leeway)
    issued_at = check_issued_at(claims, expected.now, expected.leeway, expected.max_age)
    check_nonce(claims, expected.nonce)
    subject = check_subject(claims)
    check_access_token_hash(claims, alg, access_token)
    authenticated_at = check_authentication_time(claims, expected.now, expected.leeway)
    acr, amr = check_context_class(claims), check_methods(claims)
    check_strength(acr, amr, expected.contexts, expected.methods)
    check_recency(authenticated_at, expected.now, expected.leeway, expected.recency)
    return IdToken(
        subject=subject,
        issued_at=issued_at,
        authenticated_at=authenticated_at,
        acr=acr,
        amr=amr,
        session=check_session(claims),
    )


def check_no_events(claims: Claims) -> None:
    """RFC 8417 §2.2, Back-Channel Logout 1.0 §2.4: a token of events is no ID token."""
    if "events" in claims:
        raise AnswerRefused(Code.OIDC_TOKEN_TYPE, "a token of events is not an ID token")


def check_issuer(claims: Claims, issuer: str) -> None:
    """Core §3.1.3.7 step 2: exactly the configured issuer."""
    if claims.get("iss") != issuer:
        raise AnswerRefused(Code.OIDC_ISSUER, "the token is of another issuer")


def check_audience(claims: Claims, client_id: str) -> None:
    """Core §3.1.3.7 step 3: for us, and for nobody else whom we do not know (ASVS 9.2.3, 10.5.4)."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not audiences or any(one != client_id for one in audiences):
        raise AnswerRefused(Code.OIDC_AUDIENCE, "the token is not for us alone")


def check_authorized_party(claims: Claims, client_id: str) -> None:
    """Core §3.1.3.7 steps 4 and 5: who it was issued to, if told, is us."""
    if "azp" in claims and claims["azp"] != client_id:
        raise AnswerRefused(Code.OIDC_AUDIENCE, "the token was issued to another client")


def check_expiry(claims: Claims, now: datetime, leeway: timedelta) -> None:
    """Core §3.1.3.7 step 9: not past its end."""
    # Not added to the end: that of "never" is the last moment there is.
    if now - leeway >= _moment(claims, "exp"):
        raise AnswerRefused(Code.OIDC_TIME, "the token has expired")


def check_not_before(claims: Claims, now: datetime, leeway: timedelta) -> None:
    """RFC 7519 §4.1.5: not before its beginning, if it tells one."""
    told = claims.get("nbf")
    if told == 0 and not isinstance(told, bool):
        return  # the first moment there is: how Keycloak, before its version 10, says that there is none
    if "nbf" in claims and now < _moment(claims, "nbf") - leeway:
        raise AnswerRefused(Code.OIDC_TIME, "the token is not valid yet")


def check_issued_at(claims: Claims, now: datetime, leeway: timedelta, max_age: timedelta) -> datetime:
    """Core §3.1.3.7 step 10: issued a moment ago, as an answer to this login must be."""
    issued_at = _moment(claims, "iat")
    if issued_at > now + leeway:
        raise AnswerRefused(Code.OIDC_TIME, "the token comes from the future")
    if now - issued_at > max_age + leeway:
        raise AnswerRefused(Code.OIDC_TIME, "the token is too old for this login")
    return issued_at


def check_nonce(claims: Claims, nonce: str) -> None:
    """Core §3.1.3.7 step 11: made for the login of this browser (RFC 9700 §4.5.3.2)."""
    told = claims.get("nonce")
    if not isinstance(told, str) or not told.isascii() or not nonce or not hmac.compare_digest(told, nonce):
        raise AnswerRefused(Code.OIDC_NONCE, "the token was made for another login")


def check_subject(claims: Claims) -> str:
    """Core §2: a text of at most 255 ASCII characters, which names somebody."""
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not subject.strip()
        or len(subject) > MAX_SUBJECT_CHARS
        or not (subject.isascii() and subject.isprintable())
    ):
        raise AnswerRefused(Code.OIDC_SUBJECT, "the token names nobody")
    return subject


def check_access_token_hash(claims: Claims, alg: str, access_token: str) -> None:
    """Core §3.1.3.8: the access token that came along is the one the ID token speaks of, if it does."""
    if "at_hash" not in claims:
        return
    # EdDSA tells no hash size; with Ed25519 the inner hash is SHA-512 (RFC 8032 §5.1).
    hashed = _HASHES.get(alg[-3:], hashlib.sha512)(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(hashed[: len(hashed) // 2]).rstrip(b"=").decode("ascii")
    told = claims["at_hash"]
    if not isinstance(told, str) or not told.isascii() or not hmac.compare_digest(told, half):
        raise AnswerRefused(Code.OIDC_AT_HASH, "the access token is not the one that was issued with the ID token")


def check_authentication_time(claims: Claims, now: datetime, leeway: timedelta) -> datetime | None:
    """Core §2 `auth_time`: when the portal checked the credentials, if it says so."""
    told = claims.get("auth_time", 0)
    # Some providers write 0 for what they do not know (Glewlwyd does, always): it is no moment of 1970.
    if told == 0 and not isinstance(told, bool):
        return None
    moment = _moment(claims, "auth_time")
    if moment > now + leeway:
        raise AnswerRefused(Code.OIDC_TIME, "the authentication comes from the future")
    return moment


def check_context_class(claims: Claims) -> str | None:
    """Core §2 `acr`: a text, if told."""
    return _text(claims, "acr") if "acr" in claims else None


def check_methods(claims: Claims) -> tuple[str, ...]:
    """Core §2 `amr`: a list of texts, if told."""
    methods = claims.get("amr", [])
    if not isinstance(methods, list) or len(methods) > MAX_METHODS:
        raise AnswerRefused(Code.OIDC_CLAIMS, "amr is not a list of texts")
    return tuple(_text({"amr": method}, "amr") for method in methods)


def check_strength(acr: str | None, amr: tuple[str, ...], contexts: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """Core §2 `acr`, `amr` (ASVS 6.8.4): as strong as the configuration wants; what is not told is the weakest."""
    if contexts and acr not in contexts:
        told = () if acr is None else (acr,)
        raise AnswerRefused(Code.OIDC_STRENGTH, "the authentication is not of a context class asked for", statuses=told)
    if not set(methods) <= set(amr):
        raise AnswerRefused(Code.OIDC_STRENGTH, "the authentication lacks a method asked for", statuses=amr)


def check_recency(
    authenticated_at: datetime | None, now: datetime, leeway: timedelta, recency: timedelta | None
) -> None:
    """Core §3.1.2.1 `max_age`, §3.1.3.7 step 13: where it was asked, `auth_time` is required, and recent."""
    if recency is None:
        return
    if authenticated_at is None:
        raise AnswerRefused(Code.OIDC_RECENCY, "the token does not say when the credentials were checked")
    if now - authenticated_at > recency + leeway:
        raise AnswerRefused(Code.OIDC_RECENCY, "the credentials were checked too long ago")


def check_session(claims: Claims) -> str:
    """Back-Channel Logout 1.0 §2.1 `sid`: a text, if told; kept for the logout."""
    return _text(claims, "sid", MAX_SESSION_CHARS) if "sid" in claims else ""


def _text(claims: Claims, name: str, longest: int = MAX_TEXT_CHARS) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value.isprintable():
        raise AnswerRefused(Code.OIDC_CLAIMS, f"{name} is not a text")
    if len(value) > longest:
        raise AnswerRefused(Code.OIDC_CLAIMS, f"{name} is too long")
    return value


def _moment(claims: Claims, name: str) -> datetime:
    """Return a NumericDate (RFC 7519 §2): a number of seconds, whole or not, of a year that exists."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LAST_SECOND:
        raise AnswerRefused(Code.OIDC_TIME, f"{name} is missing or is not a moment")
    return datetime.fromtimestamp(value, UTC)
