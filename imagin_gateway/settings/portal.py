"""What the settings of every portal share, and the door that is a link."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, field_validator

from imagin_gateway.problems import wrong
from imagin_gateway.settings.section import Section

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")


class AnyPortal(Section):
    """A portal, whatever its protocol."""

    enabled: bool = True
    """Whether this portal opens sessions; closing it ends those it opened, at the next start."""


class LinkPortal(AnyPortal):
    """No federation: the door is a link, and the page says where to click."""

    protocol: Literal["link"]


class FederatedPortal(AnyPortal):
    """A portal that tells us who somebody is."""

    academie: int | None = Field(default=None, ge=1, le=99)
    """Code of the académie entitled to this portal (24, 1, 25): a `codaca` of another one is refused."""
    domains: tuple[str, ...] = ()
    """Domains this portal may use in mail addresses and scoped identifiers, e.g. `ac-creteil.fr`."""
    return_hosts: tuple[str, ...] = ()
    """Hosts of the portal to which `FrEduUrlRetour` may lead back."""
    attributes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names under which this portal tells an attribute, besides the usual ones: `ctemail = ["courriel"]`."""
    subject_attribute: str = "ct-remote-user"
    """Attribute that tells people apart, with the issuer; it must never pass from one person to another."""
    required_attributes: tuple[str, ...] = ()
    """Attributes without which nobody enters; the page says which lack."""
    unsolicited: bool = False
    """Accept an answer nobody asked for here: a link inside the portal."""
    single_logout: bool = True
    """Ending the session here ends the portal's too, where it offers that, and the portal may end ours."""

    @field_validator("domains", "return_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise wrong("un nom de domaine, sans schéma ni chemin", '["ac-creteil.fr"]')
        return tuple(host.lower() for host in hosts)
