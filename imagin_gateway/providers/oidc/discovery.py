"""What the portal publishes about itself (OpenID Connect Discovery 1.0).

Only the document of the configured issuer is read, and only addresses of the
portal's own hosts are taken from it. What it says of algorithms is not read at
all: those come from our configuration (ASVS 9.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from authlib.oidc.discovery import get_well_known_url

from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.providers.oidc.wire import Wire

LIFE: Final = timedelta(hours=1)
"""How long the document is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The part of the document that a login uses.

    Attributes:
        issuer: equal to the configured one.
        userinfo_endpoint: None when the provider has none.
        says_issuer: answers carry `iss` (RFC 9207 §3), so one without it is refused.
        end_session_endpoint: where a person logs out (RP-Initiated Logout 1.0 §2.1); None when it has none.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    says_issuer: bool
    end_session_endpoint: str | None = None


def address(issuer: str) -> str:
    """Return where the document of an issuer is (Discovery 1.0 §4.1)."""
    return str(get_well_known_url(issuer, external=True))


def fetch(wire: Wire, issuer: str) -> Provider:
    """Read and check the document of `issuer`.

    Raises:
        AnswerRefused: `OIDC_DISCOVERY`; see the checks.
        Unavailable: the portal does not answer.
    """
    reply = wire.get(address(issuer), Code.OIDC_DISCOVERY, {"Accept": "application/json"})
    if reply.status != 200:
        raise AnswerRefused(Code.OIDC_DISCOVERY, "the portal has no discovery document there")
    return read(reply.json(Code.OIDC_DISCOVERY), issuer, wire)


def read(document: dict[str, Any], issuer: str, wire: Wire) -> Provider:
    """Check a discovery document and keep what a login uses of it."""
    check_issuer(document, issuer)
    check_code_flow(document)
    return Provider(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", wire),
        token_endpoint=_endpoint(document, "token_endpoint", wire),
        jwks_uri=_endpoint(document, "jwks_uri", wire),
        userinfo_endpoint=_optional(document, "userinfo_endpoint", wire),
        end_session_endpoint=_optional(document, "end_session_endpoint", wire),
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def check_issuer(document: dict[str, Any], issuer: str) -> None:
    """Discovery 1.0 §4.3: the issuer told must be identical to the one asked for. No normalisation."""
    if document.get("issuer") != issuer:
        raise AnswerRefused(Code.OIDC_DISCOVERY, "the discovery document is of another issuer")


def check_code_flow(document: dict[str, Any]) -> None:
    """Discovery 1.0 §3: a provider that lists its response types must list `code`."""
    types = document.get("response_types_supported", ["code"])
    if not isinstance(types, list) or "code" not in types:
        raise AnswerRefused(Code.OIDC_DISCOVERY, "the portal does not offer the authorization code flow")


def _optional(document: dict[str, Any], name: str, wire: Wire) -> str | None:
    return _endpoint(document, name, wire) if name in document else None


def _endpoint(document: dict[str, Any], name: str, wire: Wire) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not wire.allows(url):
        raise AnswerRefused(Code.OIDC_DISCOVERY, f"{name} is missing or is not an address of this portal")
    return url
