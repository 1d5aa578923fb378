"""Settings of an OpenID Connect portal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from imagin_gateway.keys import Secret
from imagin_gateway.problems import wrong
from imagin_gateway.settings.portal import FederatedPortal
from imagin_gateway.settings.secrets import SecretText


class OidcPortal(FederatedPortal):
    """OpenID Connect, authorization code with PKCE."""

    protocol: Literal["oidc"]
    subject_attribute: str = "sub"
    issuer: str
    """Exactly as the provider writes it, final slash included or not."""
    client_id: str
    """Name under which the provider knows this application."""
    client_authentication: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    """How we prove to the provider that we are this application."""
    client_secret: SecretText | None = Field(default=None, validate_default=True)
    """Needed unless `client_authentication` is `private_key_jwt`, which is the one to prefer."""
    private_key: Path | None = None
    """PEM: signs our assertions for `private_key_jwt`; its public half is served at our `metadata` address."""
    other_private_keys: tuple[Path, ...] = ()
    """PEM: keys that sign nothing, published beside `private_key` while one takes the place of the other: the next one,
    then the former one, until the portal has read our key set again."""
    private_key_algorithm: Literal["RS256", "PS256", "ES256"] = "RS256"
    """With which `private_key` signs."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """Scopes asked for; `offline_access` is refused: nothing is refreshed."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"], ...] = (
        "RS256",
    )
    """Algorithms a token of the provider may be signed with; no other is believed."""
    ca_file: Path | None = None
    """Authorities to believe (PEM), for a portal whose certificate is of a private one; by default the system's."""
    leeway_seconds: int = Field(default=30, ge=0, le=60)
    """How far the provider's clock may be off."""
    token_age_seconds: int = Field(default=600, ge=60, le=3600)
    """How long ago an ID token may have been issued."""
    response_mode: Literal["query", "form_post"] = "query"
    """How the answer comes: in the address, or in a form that the browser posts."""
    acr_values: tuple[str, ...] = ()
    """Authentication context classes asked for, the preferred one first."""
    acr_request: Literal["acr_values", "claims"] = "acr_values"
    """The parameter that asks for them; some providers take `claims` only."""
    required_acr: tuple[str, ...] = ()
    """One of these must be told, or nobody enters; a provider that tells none has told the weakest."""
    required_amr: tuple[str, ...] = ()
    """All of these methods must be told."""
    max_age_seconds: int | None = Field(default=None, ge=0, le=86400)
    """How long ago the provider may have checked the credentials; asked for, then checked."""
    logout_tokens: Literal["strict", "early"] = "strict"
    """`early`: a provider whose logout tokens say neither `typ: logout+jwt` nor when they end, as drafts allowed."""
    logout_id_token: Literal["bare", "required", "any", "never"] = "bare"
    """When the ID token is kept until the logout, to be shown back to the provider (`id_token_hint`): `bare`, when it
    tells nothing of the person that is not kept anyway, and else `client_id` alone is sent; `required`, the same, for a
    provider that takes no logout without it; `any`, whatever it tells; `never`."""
    other_hosts: tuple[str, ...] = ()
    """Hosts the provider's discovery document may name besides the issuer's own."""
    timeout_seconds: float = Field(default=5, gt=0, le=30)
    """Longest wait for an answer of the provider, as a whole, not for each byte."""

    @field_validator("issuer")
    @classmethod
    def _read(cls, issuer: str) -> str:
        try:
            _ = urlsplit(issuer).port
        except ValueError:
            raise wrong("l'émetteur n'est pas une adresse", '"https://..."') from None
        return issuer

    @field_validator("client_secret")
    @classmethod
    def _needed(cls, secret: Secret | None, info: ValidationInfo) -> Secret | None:
        if secret is None and info.data.get("client_authentication") != "private_key_jwt":
            raise wrong("clé absente", "le secret donné par le portail, ou private_key_jwt")
        return secret
