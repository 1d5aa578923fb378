"""Settings of ProConnect, the State's sign-in for professionals: an optional way to an account of the direct door."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.oidc import OidcPortal

PROCONNECT: Final = "proconnect"
"""Its door: it is not one of the table, since nobody is sent there who does not ask for it."""

_NAMES: Final[dict[str, tuple[str, ...]]] = {"ctln": ("usual_name",)}
"""It tells no `family_name`."""


class ProConnect(OidcPortal):
    """Off by default. It authenticates and selects nobody: only an account linked beforehand is opened by it."""

    protocol: Literal["oidc"] = "oidc"
    enabled: bool = False
    client_authentication: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_post"
    )
    scopes: tuple[str, ...] = ("openid", "given_name", "usual_name", "email")
    acr_request: Literal["acr_values", "claims"] = "claims"
    logout_id_token: Literal["bare", "required", "any", "never"] = "required"
    attributes: dict[str, tuple[str, ...]] = Field(default_factory=lambda: dict(_NAMES))

    @field_validator("client_authentication")
    @classmethod
    def _not_basic(cls, way: str) -> str:
        if way == "client_secret_basic":
            raise wrong("ProConnect ne prend pas client_secret_basic", '"client_secret_post" ou "private_key_jwt"')
        return way

    @field_validator("subject_attribute")
    @classmethod
    def _sub(cls, name: str) -> str:
        if name != "sub":
            raise wrong("chez ProConnect, une personne se reconnaît à sub seulement", "l'enlever")
        return name

    @field_validator("logout_id_token")
    @classmethod
    def _shown(cls, when: str) -> str:
        if when in ("bare", "never"):
            raise wrong("ProConnect ne termine une session qu’avec le jeton d’identité", '"required", ou "any"')
        return when

    @field_validator("unsolicited")
    @classmethod
    def _asked(cls, unsolicited: bool) -> bool:
        if unsolicited:
            raise wrong("ProConnect ne commence pas de connexion", "l'enlever")
        return unsolicited
