"""The ID token that is kept until the logout, and when: a signed token cannot be kept in part.

RP-Initiated Logout 1.0 §2 recommends showing it back to the provider (`id_token_hint`). Some providers put into
it whatever they know of a person; keeping such a token would keep all of that (RGPD art. 5.1.c; row DPO-03).
So by default one is kept only if it tells nothing that is not kept anyway.
"""

from __future__ import annotations

from typing import Any, Final

from imagin_gateway.providers.attributes import canonical_name
from imagin_gateway.providers.oidc.claims import MAX_TEXT_CHARS
from imagin_gateway.providers.oidc.person import texts
from imagin_gateway.providers.oidc.signed import Signed
from imagin_gateway.providers.portal import Arrival
from imagin_gateway.settings import OidcPortal

MAX_HINT_CHARS: Final = 6000
"""Longest ID token kept for the logout: servers refuse an address that is much longer."""

MAX_ITEMS: Final = 16

OF_THE_PROTOCOL: Final = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti", "nonce", "auth_time", "acr", "amr", "sid", "typ"}
    | {"at_hash", "c_hash", "s_hash", "session_state"}
)
"""Claims by which a token is checked or a session named (Core §2, Session Management, logout): nothing of a person
but `sub`, `acr` and `amr`, which are kept."""

OF_THE_SIGNATURE: Final = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
"""Members of the header (RFC 7515 §4.1) that name the key, and hold nothing else."""


def to_keep(config: OidcPortal, token: str, signed: Signed, arrival: Arrival) -> str:
    """Return the ID token if it is to be kept for the logout, "" if not.

    Args:
        config: section of the portal.
        token: as received.
        signed: what it says, verified.
        arrival: what is kept of the person.
    """
    wanted = config.logout_id_token
    if not config.single_logout or wanted == "never" or len(token) > MAX_HINT_CHARS:
        return ""
    return token if wanted == "any" or tells_nothing_more(config, signed, arrival) else ""


def tells_nothing_more(config: OidcPortal, signed: Signed, arrival: Arrival) -> bool:
    """Tell whether all that a token says of the person is kept of them anyway. What is not understood says more."""
    if not signed.header.keys() <= OF_THE_SIGNATURE or not all(map(_is_word, signed.header.values())):
        return False
    return all(
        (name in OF_THE_PROTOCOL and _is_short(value)) or _is_kept(config, name, value, arrival)
        for name, value in signed.claims.items()
    )


def _is_kept(config: OidcPortal, name: str, value: object, arrival: Arrival) -> bool:
    told = texts(value)
    if len(told) != (len(value) if isinstance(value, list) else 1):
        return False  # it holds something that is no text, of which nothing was read
    if name.lower() == config.subject_attribute.lower() and told == (arrival.subject,):
        return True
    if name == "sid" and told == (arrival.portal_session,):
        return True
    attribute = canonical_name(name, config.attributes)
    return bool(told) and set(told) <= set(arrival.attributes.get(attribute, ()))


def _is_short(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return len(items) <= MAX_ITEMS and all(_is_word(each) or isinstance(each, int | float) for each in items)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT_CHARS
