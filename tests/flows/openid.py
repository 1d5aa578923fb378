"""The whole house with one real OpenID portal towards the suite's provider, and what people do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import Provider

DOOR = "arena-paris"
ISSUER = "https://oidc.arena-paris.example"
FIN = f"/connexion/portail/{DOOR}/fin"


@dataclass
class OpenId:
    """One OpenID door.

    Attributes:
        house: the rest of the gateway; its other doors are scripted.
        provider: behind the door.
        portal: ours.
    """

    house: TheHouse
    provider: Provider
    portal: OidcPortal

    @classmethod
    def open(cls, house: TheHouse, **config: Any) -> OpenId:
        """Put the portal behind the door, with changes to its section."""
        settings = house.gateway.settings
        redirect_uri = settings.url(f"/portail/{DOOR}/retour")
        provider = Provider(ISSUER, house.clock.now(), redirect_uri)
        portal = OidcPortal.open(
            DOOR,
            configured(ISSUER, **config),
            redirect_uri=redirect_uri,
            logout_uri=settings.url(f"/portail/{DOOR}/fin"),
            development=True,
            transport=provider.transport(),
            background=lambda _work: None,
        )
        house.gateway.house.portals[DOOR] = portal  # type: ignore[index]  # a dict
        return cls(house, provider, portal)

    def sign_in(self, *, sid: str = "session-of-the-portal", sub: str = "person-1") -> Client:
        """Return a new browser that went through a whole login."""
        client = self.house.client()
        self.provider.now = self.house.clock.now()
        self.provider.person["sub"] = sub
        self.provider.edit_claims = lambda claims: claims.update(sid=sid)
        reply = client.get(f"/connexion/portail/{DOOR}?next=/missions")
        answer = self.provider.authorize(reply.location)
        page = client.follow(client.get(f"/connexion/portail/{DOOR}/retour?{urlencode(answer)}"))
        assert page.text.startswith(f"{DOOR}|{sub}"), page.text
        return client

    def is_in(self, client: Client) -> bool:
        return client.get("/missions").status == 200

    def tell(self, token: str, **more: Any) -> Reply:
        """Send a logout token from server to server: no cookie, no browser."""
        server = self.house.client(address="203.0.113.9")
        return server.post(f"{FIN}/canal", {"logout_token": token}, **more)

    def leave(self, client: Client) -> Reply:
        """Ask to log out and confirm; return where that leads."""
        return client.submit(client.get("/connexion/fin"), {})
