"""A real identity provider that speaks SAML alone, SimpleSAMLphp, and our gateway before a host application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from imagin_gateway import Gateway
from tests.peers.authority import Authority
from tests.peers.browser import Browser, Page
from tests.peers.names import free_port, resolving_to_loopback
from tests.peers.people import PEOPLE, Person
from tests.peers.simplesamlphp import HOST, SimpleSamlPhp
from tests.peers.world import (
    BOTH_WAYS,
    OURS,
    SOLICITED_ONLY,
    Addresses,
    Journal,
    Meeting,
    saml_section,
    serving,
    settings,
)


@dataclass(frozen=True)
class University(Meeting):
    """The identity provider, behind both SAML doors, and our gateway.

    Attributes:
        provider: the peer.
    """

    provider: SimpleSamlPhp

    def inside_link(self, door: str, relay: str | None = None) -> str:
        """Return the link to us inside the identity provider."""
        query = {"spentityid": self.at.entity_id(door), **({} if relay is None else {"RelayState": relay})}
        return f"{self.provider.url}saml2/idp/SSOService.php?{urlencode(query)}"

    def end_link(self) -> str:
        """Return the link by which it ends its session, and those of every application."""
        back = f"{self.provider.url}logout.php"
        return f"{self.provider.url}saml2/idp/initSLO.php?{urlencode({'RelayState': back})}"


def log_in(browser: Browser, who: Person) -> Page:
    """Fill in the login page, up to the page that holds the answer to us."""
    return browser.send(browser.page.form("username", "password"), username=who.login, password=who.password)


@contextmanager
def opened(folder: Path) -> Iterator[University]:
    """Open it all in an empty folder, and close it."""
    authority = Authority(folder / "authority")
    port = free_port()
    with (
        resolving_to_loopback(HOST, OURS),
        SimpleSamlPhp(folder / "provider", authority, PEOPLE, port=free_port()) as provider,
    ):
        at, journal = Addresses(f"https://{OURS}:{port}", provider.url), Journal()
        saml = saml_section(folder, provider.metadata(), provider.entity_id)
        portals: dict[str, object] = {
            BOTH_WAYS: {**saml, "academie": 25, "unsolicited": True},
            SOLICITED_ONLY: {**saml, "academie": 24},
        }
        with Gateway(settings(folder, at, portals), sink=journal) as gateway, serving(gateway, port, authority):
            university = University(gateway, authority, at, journal, provider)
            provider.trust(*map(university.our_metadata, (BOTH_WAYS, SOLICITED_ONLY)))
            yield university
