"""The two requests of the authorization code flow with PKCE, and no other grant.

authlib prepares both; sending, reading and checking are ours, so that the code,
the verifier and the tokens pass through no logger and no shared client object.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from authlib.oauth2 import ClientAuth, OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.keys import Secret, new_token
from imagin_gateway.providers.oidc.assertion import ASSERTION_TYPE, AssertionSigner
from imagin_gateway.providers.oidc.wire import Reply, Wire
from imagin_gateway.settings import OidcPortal

MAX_CODE_CHARS: Final = 4096

VERIFIER_BITS: Final = 512
"""86 characters: RFC 7636 §4.1 asks for 43 at least, 128 at most."""

RECENT_SECONDS: Final = 30
"""`max_age` of a login asked anew. Not 0: Canaille then finds nobody recent enough, and asks in circles; Glewlwyd
refuses it. It is `prompt` that asks; this makes the provider tell `auth_time`, checked against our departure."""

_ERROR_NAME: Final = re.compile(r"[a-z0-9_]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Registration:
    """What we are to the portal.

    Attributes:
        client_id: our name there.
        client_secret: our secret there.
        authentication: how we prove who we are, ``client_secret_basic``, ``client_secret_post`` or ``private_key_jwt``.
        redirect_uri: where answers come; a constant of the configuration.
        scopes: what is asked for.
        signer: proves who we are without a shared secret (``private_key_jwt``).
        more: parameters that the configuration adds to every authorization request.
    """

    client_id: str
    client_secret: Secret
    authentication: str
    redirect_uri: str
    scopes: tuple[str, ...]
    signer: AssertionSigner | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The unpredictable values of one login."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> Ticket:
        """Return fresh values: 256 bits each, and more for the PKCE verifier."""
        return cls(state=new_token(), nonce=new_token(), verifier=new_token(VERIFIER_BITS))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was changed into. Used once, and forgotten."""

    access_token: Secret
    id_token: Secret


def asked_for(config: OidcPortal) -> dict[str, str]:
    """Return the parameters that the configuration adds to every authorization request (Core §3.1.2.1, §5.5.1.1)."""
    more: dict[str, str] = {}
    if config.response_mode == "form_post":
        more["response_mode"] = "form_post"
    if config.acr_values and config.acr_request == "acr_values":
        more["acr_values"] = " ".join(config.acr_values)
    elif config.acr_values:
        wanted = {"id_token": {"acr": {"essential": True, "values": list(config.acr_values)}}}
        more["claims"] = json.dumps(wanted, separators=(",", ":"))
    if config.max_age_seconds is not None:
        more["max_age"] = str(config.max_age_seconds)
    return more


def authorization_url(
    endpoint: str, registration: Registration, ticket: Ticket, login_hint: str = "", *, anew: bool = False
) -> str:
    """Return the address at which the person logs in (Core 1.0 §3.1.2.1, RFC 7636 §4.3).

    Args:
        endpoint: `authorization_endpoint` of the portal.
        registration: what we are to it.
        ticket: values of this login.
        login_hint: as the portal gave it when it began the login (Core §4).
        anew: ask for the credentials whatever the portal remembers; `max_age` makes it tell when it did.
    """
    more = {**registration.more, **({"login_hint": login_hint} if login_hint else {})}
    if anew:
        more |= {"prompt": "login", "max_age": str(min(RECENT_SECONDS, int(more.get("max_age", RECENT_SECONDS))))}
    client = OAuth2Client(
        session=None,
        client_id=registration.client_id,
        scope=" ".join(registration.scopes),
        redirect_uri=registration.redirect_uri,
        code_challenge_method="S256",
    )
    url, _ = client.create_authorization_url(
        endpoint, state=ticket.state, nonce=ticket.nonce, code_verifier=ticket.verifier, response_type="code", **more
    )
    return str(url)


def check_code(code: str | None) -> Secret:
    """RFC 6749 §4.1.2, appendix A.11: a code of visible characters."""
    if not code or len(code) > MAX_CODE_CHARS or not (code.isascii() and code.isprintable()):
        raise AnswerRefused(Code.OIDC_CODE, "the answer holds no usable code")
    return Secret(code)


def told_error(error: object) -> tuple[str, ...]:
    """Return the name of an error told by the portal if it looks like one, else nothing (RFC 6749 §5.2)."""
    return (error,) if isinstance(error, str) and _ERROR_NAME.match(error) else ()


def redeem(wire: Wire, endpoint: str, registration: Registration, code: Secret, verifier: str, now: datetime) -> Tokens:
    """Change a code into tokens (Core 1.0 §3.1.3).

    Args:
        wire: calls to this portal.
        endpoint: its `token_endpoint`.
        registration: what we are to it.
        code: of the answer.
        verifier: of this login.
        now: the present moment.

    Raises:
        AnswerRefused: `OIDC_TOKEN_RESPONSE`, with the error the portal tells, if any.
        Unavailable: the portal does not answer.
    """
    form = prepare_token_request(
        "authorization_code",
        redirect_uri=registration.redirect_uri,
        code=code.reveal(),
        code_verifier=verifier,
    )
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    headers, form = _authenticated(registration, endpoint, headers, form, now)
    return read(wire.post(endpoint, Code.OIDC_TOKEN_RESPONSE, form, headers))


def _authenticated(
    registration: Registration, endpoint: str, headers: dict[str, str], form: str, now: datetime
) -> tuple[dict[str, str], str]:
    """Core §9: say who we are, in the one way of the configuration."""
    if registration.signer is not None:
        proof = {
            "client_id": registration.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": registration.signer.assertion(registration.client_id, endpoint, now),
        }
        return headers, f"{form}&{urlencode(proof)}"
    method = _basic if registration.authentication == "client_secret_basic" else "client_secret_post"
    client = ClientAuth(registration.client_id, registration.client_secret.reveal(), method)
    _, headers, form = client.prepare("POST", endpoint, headers, form)
    return headers, form


def _basic(client: ClientAuth, _method: str, uri: str, headers: dict[str, str], body: str) -> tuple[Any, ...]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined by a colon.

    A space is `%20`, which every reader decodes: Authlib and pyop take the `+` of a form for a plus sign.
    """
    pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    headers["Authorization"] = "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
    return uri, headers, body


def read(reply: Reply) -> Tokens:
    """Core 1.0 §3.1.3.3, §3.1.3.5: a success is a JSON object with both tokens, of type Bearer.

    A refusal should be one too (RFC 6749 §5.2); of a page, or nothing, the HTTP status is all that is told.
    """
    answer = reply.json(Code.OIDC_TOKEN_RESPONSE) if reply.status == 200 else _of_refusal(reply)
    if reply.status != 200 or "error" in answer:
        statuses = told_error(answer.get("error")) or ((str(reply.status),) if reply.status != 200 else ())
        raise AnswerRefused(Code.OIDC_TOKEN_RESPONSE, "the portal refuses the code", statuses=statuses)
    kind = answer.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AnswerRefused(Code.OIDC_TOKEN_RESPONSE, "the access token is of another type")
    return Tokens(_token(answer, "access_token"), _token(answer, "id_token"))


def _of_refusal(reply: Reply) -> dict[str, Any]:
    try:
        return reply.json(Code.OIDC_TOKEN_RESPONSE)
    except AnswerRefused:
        return {}


def _token(answer: dict[str, Any], name: str) -> Secret:
    value = answer.get(name)
    # Visible ASCII only: it is about to stand in a header (RFC 6750 §2.1).
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()) or " " in value:
        raise AnswerRefused(Code.OIDC_TOKEN_RESPONSE, f"the answer holds no usable {name}")
    return Secret(value)
