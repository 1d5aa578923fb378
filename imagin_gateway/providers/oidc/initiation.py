"""A login that begins inside the portal: third-party-initiated login (OpenID Connect Core 1.0 §4).

The answer that nobody asked for, so common with SAML, does not exist here: the portal
asks us to begin, and a normal login follows, with a state and a nonce of its own.
"""

from __future__ import annotations

from typing import Final

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.exchange import Params
from imagin_gateway.providers.portal import Initiation

MAX_HINT_CHARS: Final = 512

MAX_TARGET_CHARS: Final = 2048


def read(asked: Params, issuer: str) -> Initiation:
    """Read what the portal asks for.

    Args:
        asked: fields of the query or of the form.
        issuer: of the configuration.

    Raises:
        AnswerRefused: `OIDC_ISSUER` or `OIDC_INITIATION`.
    """
    check_issuer(asked, issuer)
    return Initiation(
        target=_text(asked, "target_link_uri", MAX_TARGET_CHARS), login_hint=_text(asked, "login_hint", MAX_HINT_CHARS)
    )


def check_issuer(asked: Params, issuer: str) -> None:
    """Core §4 `iss`, required: exactly the configured issuer of this portal."""
    if asked.get("iss") != issuer:
        raise AnswerRefused(Code.OIDC_ISSUER, "a login is begun for another issuer")


def _text(asked: Params, name: str, longest: int) -> str:
    value = asked.get(name, "")
    if len(value) > longest or not value.isprintable():
        raise AnswerRefused(Code.OIDC_INITIATION, f"{name} is not a text")
    return value
