"""Settings of a SAML 2.0 portal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.portal import FederatedPortal


class SamlPortal(FederatedPortal):
    """SAML 2.0, through the metadata of the portal: a file, or an address from which it is renewed."""

    protocol: Literal["saml"]
    metadata: Path | None = None
    """Metadata file of the portal (XML), read again when it changes."""
    metadata_url: str = ""
    """Address of the metadata, of the portal alone or of a whole federation; asked in the background, never for a
    request. Needs `metadata_certificate` and `metadata_copy`."""
    metadata_certificate: Path | None = None
    """Certificate (PEM) of the key that signs the metadata; with it, a file must be signed too."""
    metadata_copy: Path | None = None
    """Where the last good copy is kept, for the next start."""
    metadata_refresh_minutes: int = Field(default=60, ge=5, le=24 * 60)
    """How often metadata from an address is asked again."""
    metadata_max_days: int = Field(default=30, ge=1, le=366)
    """Signed metadata that claims to be good for longer is refused."""
    portal_entity_id: str
    """entityID expected: the metadata may hold many."""
    entity_id: str = ""
    """Ours; by default the address of our metadata."""
    private_key: Path
    """PEM, RSA of 3072 bits or more (2048 is accepted): signs what we send, opens what is encrypted for us."""
    certificate: Path
    """PEM: of `private_key`; published in our metadata."""
    other_private_keys: tuple[Path, ...] = ()
    """Also open what is encrypted for us: the key before, or the next one, while the portal changes over."""
    other_certificates: tuple[Path, ...] = ()
    """Of these keys, in the same order: published, so that the portal knows them in time."""
    clock_skew_seconds: int = Field(default=180, ge=0, le=300)
    """How far the portal's clock may be off."""
    require_signed: Literal["response", "assertion", "both"] = "response"
    """What must be signed at least; the portal that signs both is the one to prefer."""
    forbidden_algorithms: tuple[str, ...] = ()
    """Methods (URI) to refuse on top of those that are never accepted, the day one of them falls."""
    allow_cbc: bool = False
    """Also take assertions encrypted with AES-CBC, for an old portal; the Response must be signed."""
    sign_requests: bool = True
    """Whether our requests to log in are signed; a portal that wants them signed makes `false` an error."""
    authn_contexts: tuple[str, ...] = ()
    """Classes of authentication that suffice, asked for and then required; any, when empty."""
    unsolicited_restarts: bool = False
    """An answer nobody asked for is only taken as a wish to log in: the portal is asked again, from this browser.
    The safer way, where the portal has a session to answer from; with `unsolicited`."""
    display_name: str = "Imagin SIEC"
    """What the portal calls this application."""
    logo_url: str = ""
    """Logo for the portal's pages, https; by default ours."""
    logo_width: int = Field(default=64, ge=1, le=2000)
    """Of the logo, in pixels."""
    logo_height: int = Field(default=64, ge=1, le=2000)
    """Of the logo, in pixels."""

    @field_validator("logo_url")
    @classmethod
    def _logo(cls, url: str) -> str:
        if url and not url.startswith("https://"):
            raise wrong("l'adresse du logo doit être en https", '"https://..."')
        return url

    @field_validator("authn_contexts")
    @classmethod
    def _contexts(cls, contexts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(each.strip() == each and ":" in each for each in contexts):
            raise wrong("une classe d'authentification est un URI", '["urn:oasis:names:tc:SAML:2.0:ac:classes:..."]')
        return contexts
