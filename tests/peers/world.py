"""A real portal, our gateway before a host application, and the names that join them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx2

from imagin_gateway import Gateway, Settings
from imagin_gateway import settings as sections
from imagin_gateway.identity import Door
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.portal import Portal
from imagin_gateway.providers.saml.portal import SamlPortalClient
from tests.peers.authority import Authority, key_pair
from tests.peers.browser import Browser, Page
from tests.peers.lemonldap import HOST, LemonLdap
from tests.peers.lemonldap_files import Client, ServiceProvider
from tests.peers.names import free_port, resolving_to_loopback
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
        """Take an event."""
        self.lines.append(line)

    def codes(self, event: str) -> list[str]:
        """Return the reason codes of the events of one name."""
        return [each.get("code", "") for each in map(json.loads, self.lines) if each["event"] == event]


@dataclass(frozen=True)
class Addresses:
    """Where people go, on both sides.

    Attributes:
        ours: the host application, without a final slash.
        portal: the peer, with a final slash.
    """

    ours: str
    portal: str

    def leave(self, door: str, page: str | None = None) -> str:
        """Return where somebody leaves for a portal, from `page` of the host."""
        return f"{self.ours}/connexion/portail/{door}" + (f"?{urlencode({'next': page})}" if page else "")

    def entity_id(self, door: str) -> str:
        """Return the name under which we are a service provider for a door."""
        return f"{self.ours}/connexion/portail/{door}/metadata"

    def redirect_uri(self) -> str:
        """Return where the portal sends back the people of the OpenID door."""
        return f"{self.ours}/connexion/portail/{OPENID}/retour"

    def inside_link(self, door: str, relay: str | None = None, *, provider: str = "") -> str:
        """Return the link to us inside the portal; `provider` names another service provider."""
        query = {"IDPInitiated": "1", "sp": provider or self.entity_id(door)}
        if relay is not None:
            query["RelayState"] = relay
        return f"{self.portal}saml/singleSignOn?{urlencode(query)}"


@dataclass(frozen=True)
class Meeting:
    """Everything a test of a login needs, whoever the peer is.

    Attributes:
        gateway: ours.
        authority: what browsers and the gateway believe.
        at: addresses.
        journal: what the gateway told.
    """

    gateway: Gateway
    authority: Authority
    at: Addresses
    journal: Journal

    def browser(self) -> Browser:
        """Return a browser that was never used."""
        return Browser(self.authority.believed())

    def who(self, browser: Browser) -> dict[str, Any] | None:
        """Return whom the host takes this browser for, or None."""
        told: dict[str, Any] = json.loads(browser.open(f"{self.at.ours}/").text)
        return told.get("person")

    @contextmanager
    def saml_with(self, door: str, **changes: object) -> Iterator[None]:
        """Let the gateway's administrator change the section of a SAML door, for a while."""
        from imagin_gateway.opening import open_portals

        portals = cast(dict[str, Portal], self.gateway.house.portals)
        before, told = portals[door], self.gateway.settings
        changed = told.portals[door].model_copy(update=changes)
        opened = open_portals(told.model_copy(update={"portals": {door: changed}}), self.gateway.house.policy)
        portals[door] = opened[door]
        try:
            yield
        finally:
            portals[door] = before

    def saml(self, door: str) -> SamlPortalClient:
        """Return a SAML portal of the gateway."""
        found = self.gateway.house.portals[door]
        assert isinstance(found, SamlPortalClient)
        return found

    def our_metadata(self, door: str) -> str:
        """Return what we give the peer's administrator for a SAML door."""
        with httpx2.Client(verify=self.authority.believed(), trust_env=False, timeout=10) as client:
            return client.get(self.at.entity_id(door)).raise_for_status().text


@dataclass(frozen=True)
class World(Meeting):
    """The portal that speaks both protocols, and our gateway.

    Attributes:
        portal: the peer; it stands behind all three doors.
        signed: another OpenID client of ours, to which the portal tells everything signed.
    """

    portal: LemonLdap
    signed: Client

    @contextmanager
    def registered_with(self, **options: object) -> Iterator[None]:
        """Let the portal's administrator change how it speaks to `BOTH_WAYS`, for a while."""
        first, *others = providers(self)
        self.portal.trust(ServiceProvider(first.metadata, {**first.options, **options}), *others)
        try:
            yield
        finally:
            self.portal.trust(first, *others)

    def open_id(self, **changes: Any) -> OidcPortal:
        """Open the OpenID portal of the gateway's settings once more, with changes to its section."""
        config = self.gateway.settings.portals[OPENID]
        assert isinstance(config, sections.OidcPortal)
        return OidcPortal.open(
            OPENID, config.model_copy(update=changes), redirect_uri=self.at.redirect_uri(), development=False
        )


def log_in(browser: Browser, who: Person, *, follow: bool = True) -> Page:
    """Fill in the portal's login page."""
    form = browser.page.form("user", "password")
    return browser.send(form, follow=follow, user=who.login, password=who.password)


def saml_section(folder: Path, metadata: bytes, entity_id: str) -> dict[str, object]:
    """Return what the settings of both SAML doors have in common, its files written in a folder."""
    key, certificate = key_pair("gateway")
    (folder / "gateway.key").write_text(key)
    (folder / "gateway.crt").write_text(certificate)
    (folder / "portal.xml").write_bytes(metadata)
    return {
        "protocol": "saml",
        "metadata": folder / "portal.xml",
        "portal_entity_id": entity_id,
        "private_key": folder / "gateway.key",
        "certificate": folder / "gateway.crt",
        "require_signed": "both",
        "required_attributes": ["rne"],
    }


def _portals(folder: Path, authority: Authority, portal: LemonLdap, client: Client) -> dict[str, dict[str, object]]:
    saml = saml_section(folder, portal.metadata(), portal.entity_id)
    oidc = {
        "protocol": "oidc",
        "issuer": portal.url,
        "client_id": client.id,
        "client_secret": client.secret,
        "scopes": ["openid", "profile", "email", "arena"],
        "subject_attribute": "ct-remote-user",
        "ca_file": authority.root,
        # Its logout tokens say `typ: JWT` and no end.
        "logout_tokens": "early",
    }
    return {
        BOTH_WAYS: {**saml, "academie": 25, "unsolicited": True},
        SOLICITED_ONLY: {**saml, "academie": 24},
        OPENID: {**oidc, "academie": 1},
    }


def settings(folder: Path, at: Addresses, portals: Mapping[str, object]) -> Settings:
    """Return the settings of production, with these portals."""
    return Settings.load(
        base_url=at.ours,
        landing="/missions",
        privacy_url="/donnees",
        legal_url="/mentions",
        accessibility_url="/accessibilite",
        protect=[{"prefix": "/missions"}],
        keys={"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        state={"url": f"sqlite:///{folder / 'state.db'}"},
        accounts={"url": f"sqlite:///{folder / 'accounts.db'}"},
        second_factor={"mode": "off", "reason": "portals alone"},
        mail={"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
        portals=dict(portals),
    )


def providers(world: World) -> list[ServiceProvider]:
    """Return us as the portal's administrator would register us: from our own metadata."""
    both, solicited = map(world.our_metadata, (BOTH_WAYS, SOLICITED_ONLY))
    stranger, replaced = re.subn(r'\bentityID="[^"]+"', f'entityID="{STRANGER}"', both, count=1)
    assert replaced
    # One door gets a NameID that changes at each login; the other whatever the portal makes of our request.
    return [ServiceProvider(both, {"NameIDFormat": "transient"}), ServiceProvider(solicited), ServiceProvider(stranger)]


@contextmanager
def serving(gateway: Gateway, port: int, authority: Authority) -> Iterator[None]:
    """Serve the gateway before its host, under our name."""
    served = Served(gateway.asgi(host), port, authority.server(OURS))
    served.start()
    try:
        yield
    finally:
        served.stop()


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Open the world in an empty folder, and close it."""
    authority = Authority(folder / "authority")
    port = free_port()
    url = f"https://{OURS}:{port}"
    redirect_uris = (f"{url}/connexion/portail/{OPENID}/retour",)
    logout = {
        "PostLogoutRedirectUris": f"{url}/connexion/portail/{OPENID}/fin",
        "LogoutUrl": f"{url}/connexion/portail/{OPENID}/fin/canal",
        "LogoutType": "back",
        "LogoutSessionRequired": 1,
    }
    client = Client("imagin", secrets.token_urlsafe(32), redirect_uris, logout)
    signed = Client("imagin-signed", secrets.token_urlsafe(32), redirect_uris, {"UserInfoSignAlg": "RS256"})
    with (
        resolving_to_loopback(HOST, OURS),
        LemonLdap(folder / "portal", authority, PEOPLE, port=free_port(), clients=[client, signed]) as portal,
    ):
        at, journal = Addresses(url, portal.url), Journal()
        told = settings(folder, at, _portals(folder, authority, portal, client))
        with Gateway(told, sink=journal) as gateway, serving(gateway, port, authority):
            world = World(gateway, authority, at, journal, portal, signed)
            portal.trust(*providers(world))
            yield world
