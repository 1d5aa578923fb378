"""Settings of an OpenID Connect portal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from imagin_gateway.settings.portal import FederatedPortal
from imagin_gateway.settings.secrets import SecretText


class OidcPortal(FederatedPortal):
    """OpenID Connect, authorization code with PKCE."""

    protocol: Literal["oidc"]
    subject_attribute: str = "sub"
    issuer: str
    """Exactly as the provider writes it, final slash included or not."""
    client_id: str
    client_secret: SecretText
    client_authentication: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"], ...] = (
        "RS256",
    )
    ca_file: Path | None = None
    """Authorities to believe (PEM), for a portal whose certificate is of a private one; by default the system's."""
    leeway_seconds: int = Field(default=30, ge=0, le=60)
    token_age_seconds: int = Field(default=600, ge=60, le=3600)
    """How long ago an ID token may have been issued."""
    other_hosts: tuple[str, ...] = ()
    """Hosts the provider's discovery document may name besides the issuer's own."""
    timeout_seconds: float = Field(default=5, gt=0, le=30)
