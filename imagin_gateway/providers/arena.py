"""ARENA, the portal of an académie: what its three doors have in common, and what each brings of its own.

`creteil`, `paris` and `versailles` are one value each. Whether people come from
there by SAML, by OpenID Connect or in trusted headers is a setting of the door;
what that door may say of people is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import urlsplit

from imagin_gateway.identity import Door
from imagin_gateway.settings.portal import FederatedPortal

_Portal = TypeVar("_Portal", bound=FederatedPortal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The ARENA portal of one académie.

    Attributes:
        door: id of the door.
        academie: its code (`codaca`), and the only one it may speak for.
        domain: mail domain of its agents, and the only scope it may use.
        link: front page of the portal; `FrEduUrlRetour` may lead back to its host.
        recovery: where its agents recover lost credentials.
        names: names under which it tells an attribute of ARENA's vocabulary, besides the usual ones.
    """

    door: str
    academie: int
    domain: str
    link: str
    recovery: str
    names: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def settle(self, section: _Portal) -> _Portal:
        """Return the door's section of the settings, with what this portal is known to be where it says nothing."""
        host = urlsplit(self.link).hostname or ""
        known = {
            "academie": self.academie,
            "domains": (self.domain,),
            "return_hosts": (host,),
            "attributes": {**self.names, **section.attributes},
        }
        unsaid = {name: value for name, value in known.items() if name not in section.model_fields_set}
        return section.model_copy(update={**unsaid, "attributes": known["attributes"]})


_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {Door.CRETEIL: "creteil", Door.PARIS: "paris", Door.VERSAILLES: "versailles"}
)


def known(door: str) -> Arena | None:
    """Return the ARENA portal behind a door, None for a door of another service."""
    module = _MODULES.get(door)
    if module is None:
        return None
    found: Arena = import_module(f"imagin_gateway.providers.{module}").ARENA
    return found


def settle(door: str, section: _Portal) -> _Portal:
    """Return a door's section of the settings as its portal's module completes it."""
    arena = known(door)
    return section if arena is None else arena.settle(section)
