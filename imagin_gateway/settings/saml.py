"""Settings of a SAML 2.0 portal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from imagin_gateway.settings.portal import FederatedPortal


class SamlPortal(FederatedPortal):
    """SAML 2.0, through the metadata of the portal."""

    protocol: Literal["saml"]
    metadata: Path
    """Metadata file of the portal (XML)."""
    portal_entity_id: str
    """entityID expected: the metadata file may hold many."""
    entity_id: str = ""
    """Ours; by default the address of our metadata."""
    private_key: Path
    """PEM, RSA of 2048 bits or more: signs our requests."""
    certificate: Path
    clock_skew_seconds: int = Field(default=180, ge=0, le=300)
    require_signed: Literal["response", "assertion", "both"] = "response"
    """What must be signed at least; the portal that signs both is the one to prefer."""
    sign_requests: bool = True
