"""Logging out at the provider, and being told of a logout there.

OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0 and Front-Channel Logout 1.0.
A logout token is verified as an ID token is, by the same keys and algorithms; what
differs is checked here, each difference in a function that quotes its section.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from imagin_gateway.errors import AnswerRefused, Code, RequestRefused
from imagin_gateway.exchange import Params, Request, Response
from imagin_gateway.providers.oidc.claims import (
    MAX_SESSION_CHARS,
    MAX_TEXT_CHARS,
    Claims,
    check_audience,
    check_expiry,
    check_issued_at,
    check_issuer,
    check_not_before,
    check_session,
    check_subject,
)
from imagin_gateway.providers.oidc.request import told_error
from imagin_gateway.providers.portal import LogoutOrder

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"

MAX_BODY_BYTES: Final = 32 * 1024
"""A logout token is a few hundred bytes; some keys and headers are long."""

AGE: Final = timedelta(minutes=10)
"""How long after it was issued a logout token may still come."""

_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLogout:
    """What a logout token must fit.

    Attributes:
        issuer: of the configuration.
        client_id: ours.
        now: the present moment.
        leeway: how far the clocks may differ.
        must_end: it must say when it ends (Back-Channel Logout 1.0 §2.4; earlier drafts did not ask for it).
    """

    issuer: str
    client_id: str
    now: datetime
    leeway: timedelta
    must_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutToken:
    """What a logout token proves, once every check has passed: one of `subject` and `session` at least."""

    jti: str = field(repr=False)
    subject: str = field(repr=False)
    session: str = field(repr=False)
    issued_at: datetime


def end_session_url(endpoint: str, *, client_id: str, hint: str, back: str, state: str) -> str:
    """Return where the person logs out (RP-Initiated Logout 1.0 §2).

    Args:
        endpoint: `end_session_endpoint` of the provider.
        client_id: ours.
        hint: the ID token of the login; "" when it was not kept.
        back: our registered `post_logout_redirect_uri`; a constant of the configuration.
        state: unpredictable, of this logout.
    """
    shown = {"id_token_hint": hint} if hint else {}
    fields = {**shown, "client_id": client_id, "post_logout_redirect_uri": back, "state": state}
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(fields)}"


def check_returned(query: Params) -> None:
    """RP-Initiated Logout 1.0 §3: the provider may say that it did not end its session."""
    if "error" in query:
        raise AnswerRefused(
            Code.PORTAL_REFUSED, "the portal did not end its session", statuses=told_error(query["error"])
        )


def token_of(message: Request) -> str:
    """Return the logout token of a request (Back-Channel Logout 1.0 §2.5): a small form, and nothing else."""
    if len(message.body) > MAX_BODY_BYTES:
        raise RequestRefused("the form is too large for a logout token", code=Code.TOO_LARGE)
    token = message.form.get("logout_token", "")
    if not token:
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "the form holds no logout token")
    return token


def check_logout_token(claims: Claims, expected: ExpectedLogout) -> LogoutToken:
    """Run every check on the claims of a verified logout token (Back-Channel Logout 1.0 §2.6).

    Raises:
        AnswerRefused: with the code of the first check that fails.
    """
    check_event(claims)
    check_no_nonce(claims)
    check_issuer(claims, expected.issuer)
    check_audience(claims, expected.client_id)
    if expected.must_end or "exp" in claims:
        check_expiry(claims, expected.now, expected.leeway)
    check_not_before(claims, expected.now, expected.leeway)
    issued_at = check_issued_at(claims, expected.now, expected.leeway, AGE)
    subject = check_subject(claims) if "sub" in claims else ""
    session = check_session(claims)
    if not subject and not session:
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "the logout token names nobody")
    return LogoutToken(jti=check_jti(claims), subject=subject, session=session, issued_at=issued_at)


def check_event(claims: Claims) -> None:
    """§2.4 `events`, §2.6 step 6: an object that holds the logout event, itself an object."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "the token tells of no logout")


def check_no_nonce(claims: Claims) -> None:
    """§2.4, §2.6 step 7: a nonce is prohibited, so that no logout token is ever taken for an ID token."""
    if "nonce" in claims:
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "a logout token has no nonce")


def check_jti(claims: Claims) -> str:
    """§2.4 `jti`, required: what makes a token that was seen known again."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti or len(jti) > MAX_TEXT_CHARS:
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "the logout token has no usable jti")
    return jti


def back_channel_order(issuer: str, token: LogoutToken, leeway: timedelta) -> LogoutOrder:
    """Return what a logout token asks for: the sessions of its `sid`, or, without, all those of its `sub` (§2.7)."""
    return LogoutOrder(
        issuer=issuer,
        # Our own name for the person may be another claim; `sub` was kept beside it for this.
        name_ids=(token.subject,) if token.subject else (),
        portal_sessions=(token.session,) if token.session else (),
        message_id=token.jti,
        # Past this it is too old to be taken anyway.
        message_ends_at=token.issued_at + AGE + 2 * leeway,
        done=_told,
    )


def _told(whole: bool) -> Response:
    """§2.8: 200 when it is done; what could not be done now may be asked for again."""
    if whole:
        return Response(200, b"", _PLAIN)
    return Response(503, b"", _PLAIN, headers=[("Retry-After", "5")])


def front_channel_order(issuer: str, query: Params) -> LogoutOrder:
    """Return what a frame of the provider asks for (Front-Channel Logout 1.0 §3).

    It is not signed: what it must know is the `sid`, which the provider told us and nobody else. Cookies are
    of no use in a frame of another site, so without both `iss` and `sid` nothing is done.

    Raises:
        AnswerRefused: another issuer, or no session.
    """
    if query.get("iss") != issuer:
        raise AnswerRefused(Code.OIDC_ISSUER, "the logout is of another issuer")
    session = query.get("sid", "")
    if not session or len(session) > MAX_SESSION_CHARS:
        raise AnswerRefused(Code.OIDC_LOGOUT_TOKEN, "the logout names no session")

    def shown(whole: bool) -> Response:
        policy = f"default-src 'none'; frame-ancestors {_origin(issuer)}"
        return Response(200 if whole else 503, b"", _PLAIN, headers=[("Content-Security-Policy", policy)])

    return LogoutOrder(issuer=issuer, portal_sessions=(session,), done=shown)


def _origin(issuer: str) -> str:
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}"
