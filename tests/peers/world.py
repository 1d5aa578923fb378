"""A real portal, our gateway before a host application, and the names that join them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import pytest

from imagin_gateway import Gateway, Settings
from imagin_gateway import settings as settings_
from imagin_gateway.identity import Door
from imagin_gateway.providers.oidc.bounded import BoundedTransport
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.peers.authority import Authority, key_pair
from tests.peers.browser import Browser, Page
from tests.peers.lemonldap import HOST, LemonLdap
from tests.peers.lemonldap_files import Client, ServiceProvider
from tests.peers.names import free_port, resolve_to_loopback
from tests.peers.people import PEOPLE, Person
from tests.peers.served import Served, host

OURS: Final = "imagin.exemple.test"
"""Not a name under the portal's: to a browser the two are different sites, as they really are."""

STRANGER: Final = "https://autre.exemple.test/metadata"
"""A service provider that the portal knows with our address for answers, but under its own name."""

SOLICITED_ONLY: Final = Door.CRETEIL
BOTH_WAYS: Final = Door.VERSAILLES
OPENID: Final = Door.PARIS


class Journal:
    """The events the gateway told since the test began."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)

    def codes(self, event: str) -> list[str]:
        """Return the reason codes of the events of one name."""
        return [each.get("code", "") for each in map(json.loads, self.lines) if each["event"] == event]


@dataclass(frozen=True)
class World:
    """Everything a test of a login needs.

    Attributes:
        portal: the peer; it stands behind all three doors.
        gateway: ours.
        authority: what browsers and the gateway believe.
        url: where the host application is, without a final slash.
        journal: what the gateway told.
        clients: what we are to the portal's OpenID provider: the gateway, and one to which it tells
            everything signed.
    """

    portal: LemonLdap
    gateway: Gateway
    authority: Authority
    url: str
    journal: Journal
    clients: tuple[Client, Client]

    def browser(self) -> Browser:
        """Return a browser that was never used."""
        return Browser(self.authority.believed())

    def door(self, door: str, page: str | None = None) -> str:
        """Return the address at which somebody leaves for a portal, from `page` of the host."""
        return f"{self.url}/connexion/portail/{door}" + (f"?{urlencode({'next': page})}" if page else "")

    def inside_link(self, door: str, relay: str | None = None, *, provider: str | None = None) -> str:
        """Return the address of the link to us inside the portal."""
        query = {"IDPInitiated": "1", "sp": provider or entity_id(self.url, door)}
        return f"{self.portal.url}saml/singleSignOn?{urlencode({**query, **({'RelayState': relay} if relay else {})})}"

    def open_id(self, client: Client, *, believing: bool = True) -> OidcPortal:
        """Open the portal of the gateway's settings as one of the clients; by default it believes the authority."""
        return _open_id(self, client, believing=believing)

    def who(self, browser: Browser) -> dict[str, Any] | None:
        """Return whom the host takes this browser for, or None."""
        told: dict[str, Any] = json.loads(browser.open(f"{self.url}/").text)
        return told.get("person")


def log_in(browser: Browser, who: Person, *, follow: bool = True) -> Page:
    """Fill in the portal's login page."""
    form = browser.page.form("user", "password")
    return browser.send(form, follow=follow, user=who.login, password=who.password)


def entity_id(url: str, door: str) -> str:
    """Return the name under which we are a service provider for a door."""
    return f"{url}/connexion/portail/{door}/metadata"


def _settings(folder: Path, url: str, portal: LemonLdap, client: Client) -> Settings:
    key, certificate = key_pair("gateway")
    for name, content in (("gateway.key", key), ("gateway.crt", certificate)):
        (folder / name).write_text(content)
    (folder / "portal.xml").write_bytes(portal.metadata())
    saml = {
        "protocol": "saml",
        "metadata": folder / "portal.xml",
        "portal_entity_id": portal.entity_id,
        "private_key": folder / "gateway.key",
        "certificate": folder / "gateway.crt",
        "require_signed": "both",
        "required_attributes": ["rne"],
    }
    return Settings.load(
        base_url=url,
        landing="/missions",
        privacy_url="/donnees",
        legal_url="/mentions",
        accessibility_url="/accessibilite",
        protect=[{"prefix": "/missions"}],
        keys={"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        state={"url": f"sqlite:///{folder / 'state.db'}"},
        accounts={"url": f"sqlite:///{folder / 'accounts.db'}"},
        mail={"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
        portals={
            BOTH_WAYS: {**saml, "academie": 25, "unsolicited": True},
            SOLICITED_ONLY: {**saml, "academie": 24},
            OPENID: {
                "protocol": "oidc",
                "issuer": portal.url,
                "client_id": client.id,
                "client_secret": client.secret,
                "scopes": ["openid", "profile", "email", "arena"],
                "subject_attribute": "ct-remote-user",
                "academie": 1,
            },
        },
    )


def _open_id(world: World, client: Client, *, believing: bool = True) -> OidcPortal:
    """Open the OpenID portal of the gateway's settings as one of the portal's clients."""
    config = world.gateway.settings.portals[OPENID]
    assert isinstance(config, settings.OidcPortal)
    context = world.authority.believed() if believing else None
    return OidcPortal.open(
        OPENID,
        config.model_copy(update={"client_id": client.id, "client_secret": Secret(client.secret)}),
        redirect_uri=world.door(OPENID) + "/retour",
        development=False,
        # In production the authorities are the system's; the tests' own is not among them.
        transport=BoundedTransport(config.timeout_seconds, ssl_context=context),
    )


def _registered(world: World) -> list[ServiceProvider]:
    """Return us as the portal's administrator would register us: from our own metadata."""
    with httpx2.Client(verify=world.authority.believed(), trust_env=False, timeout=10) as client:
        ours = {
            door: client.get(entity_id(world.url, door)).raise_for_status().text for door in (BOTH_WAYS, SOLICITED_ONLY)
        }
    stranger = re.sub(r'entityID="[^"]+"', f'entityID="{STRANGER}"', ours[BOTH_WAYS], count=1)
    return [
        # A NameID that changes at each login; and for the other door whatever the portal makes of our request.
        ServiceProvider(ours[BOTH_WAYS], {"NameIDFormat": "transient"}),
        ServiceProvider(ours[SOLICITED_ONLY]),
        ServiceProvider(stranger),
    ]


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Open the world in an empty folder, and close it."""
    authority = Authority(folder / "authority")
    port = free_port()
    url = f"https://{OURS}:{port}"
    client = Client("imagin", secrets.token_urlsafe(32), (f"{url}/connexion/portail/{OPENID}/retour",))
    with pytest.MonkeyPatch.context() as patch:
        resolve_to_loopback(patch, {HOST, OURS})
        with LemonLdap(folder / "portal", authority, PEOPLE, port=free_port(), clients=[client]) as portal:
            journal = Journal()
            with Gateway(_settings(folder, url, portal, client), sink=journal) as gateway:
                world = World(portal, gateway, authority, url, journal)
                _believe(gateway, authority)
                served = Served(gateway.asgi(host), port, authority.server(OURS))
                served.start()
                try:
                    portal.trust(*_registered(world))
                    yield world
                finally:
                    served.stop()
