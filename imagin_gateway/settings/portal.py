"""What the settings of every portal share, and the door that is a link."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from imagin_gateway.settings.section import Section


class AnyPortal(Section):
    """A portal, whatever its protocol."""

    enabled: bool = True


class LinkPortal(AnyPortal):
    """No federation: the door is a link, and the page says where to click."""

    protocol: Literal["link"]


class FederatedPortal(AnyPortal):
    """A portal that tells us who somebody is."""

    academie: int | None = Field(default=None, ge=1, le=99)
    """Code of the académie entitled to this portal (24, 1, 25): a `codaca` of another one is refused."""
    subject_attribute: str = "ct-remote-user"
    required_attributes: tuple[str, ...] = ()
    unsolicited: bool = False
    """Accept an answer nobody asked for here: a link inside the portal."""
    return_hosts: tuple[str, ...] = ()
    """Hosts to which `FrEduUrlRetour` may lead back; with none, that address is dropped."""
    single_logout: bool = True
    """Ending the session here ends the portal's too, where it offers that, and the portal may end ours."""
