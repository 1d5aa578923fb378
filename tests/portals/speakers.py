"""A portal of each protocol, as it really speaks, behind one small vocabulary that the contract is written in."""

from __future__ import annotations

import base64
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from lxml import etree

from examples.demo.portals import saml_messages
from imagin_gateway.identity import Door
from imagin_gateway.opening import open_portals
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse
from tests.providers.oidc.journey import configured
from tests.providers.oidc.provider import Answer, Provider
from tests.providers.saml.forge import keys

HERE: Final = Door.CRETEIL
"""The door of the contract."""

THERE: Final = Door.PARIS
"""Another door of the same protocol, which must be nothing to it."""

ACADEMIES: Final = {HERE: 24, THERE: 1}

PERSON: Final[Mapping[str, tuple[str, ...]]] = {
    "ct-remote-user": ("elefevre1",),
    "ctln": ("Lefèvre",),
    "ctfn": ("Élodie",),
    "ctemail": ("elodie.lefevre@exemple.test",),
    "codaca": ("024",),
    "rne": ("0750001U",),
    "employeeNumber": ("01E9501234ABC",),
    "FrEduRne": (
        "0750001U$UAJ$PU$ENS$0750001U$T3$LYC$300",
        "0750002V$UAJ$PU$ADM$0750002V$T3$LP$320",
    ),
}
"""What every portal tells of one person; the NUMEN must not enter."""


@dataclass(frozen=True)
class Sent:
    """An answer as it goes to us: what a thief could keep.

    Attributes:
        method, path: where it goes.
        fields: of the query or of the form.
        headers: written by the agent.
    """

    method: str
    path: str
    fields: Mapping[str, str]
    headers: Mapping[str, str]

    def at(self, door: str) -> Sent:
        """Return the same answer given at another door."""
        return replace(self, path=self.path.replace(f"/{HERE}/", f"/{door}/"))


class Speaker(ABC):
    """Two doors of one protocol in a house: the one of the contract, and another."""

    method: str

    def __init__(self, house: TheHouse, folder: Path, **section: Any) -> None:
        self.house = house
        self.folder = folder
        for door in (HERE, THERE):
            more = section if door == HERE else {}
            portal = self.opened(door, {"academie": ACADEMIES[door], **more})
            house.gateway.house.portals[door] = portal  # type: ignore[index]  # a dict

    @abstractmethod
    def opened(self, door: str, section: Mapping[str, Any]) -> Any:
        """Return the portal of a door, of our own code, for these settings."""

    @abstractmethod
    def answer(self, location: str, told: Mapping[str, Sequence[str]], door: str = HERE) -> Sent:
        """Return the honest answer of the portal to somebody who left for `location`."""

    @abstractmethod
    def take_down(self) -> None:
        """Make the portal of the contract's door stop answering anything."""

    def deliver(self, client: Client, sent: Sent) -> Reply:
        """Bring an answer to us, as the browser does."""
        headers = dict(sent.headers)
        if sent.method == "POST":
            return client.post(sent.path, dict(sent.fields), headers=headers)
        query = f"?{urlencode(sent.fields)}" if sent.fields else ""
        return client.get(sent.path + query, headers=headers)

    def leave(self, client: Client, page: str = "/missions", door: str = HERE) -> Reply:
        """Leave for a portal."""
        return client.get(f"/connexion/portail/{door}?{urlencode({'next': page})}")

    def login(
        self, client: Client, page: str = "/missions", changes: Mapping[str, Sequence[str]] | None = None
    ) -> Reply:
        """Go there and back, up to the first answer that is not a redirect to our own pages."""
        sent = self.answer(self.leave(client, page).location, {**PERSON, **(changes or {})})
        reply = self.deliver(client, sent)
        return client.get(reply.location) if reply.status == 303 else reply

    def is_in(self, client: Client) -> bool:
        return client.get("/missions").status == 200


class Saml(Speaker):
    """SAML 2.0: the answer is a signed Response that the browser posts."""

    method = "saml"

    def entity_id(self, door: str) -> str:
        return f"https://idp.{door}.example/saml/metadata"

    def opened(self, door: str, section: Mapping[str, Any]) -> Any:
        folder = self.folder / door
        folder.mkdir()
        sso = f"https://idp.{door}.example/saml/sso"
        (folder / "portal.xml").write_bytes(saml_messages.metadata(self.entity_id(door), sso, [keys(door)]))
        (folder / "ours.key").write_bytes(keys("ours").private_pem)
        (folder / "ours.crt").write_bytes(keys("ours").certificate_pem)
        from imagin_gateway.settings import SamlPortal

        values: dict[str, Any] = {
            "protocol": "saml",
            "metadata": folder / "portal.xml",
            "portal_entity_id": self.entity_id(door),
            "private_key": folder / "ours.key",
            "certificate": folder / "ours.crt",
            **section,
        }
        return _through_the_gateway(self.house, door, SamlPortal(**values))

    def answer(self, location: str, told: Mapping[str, Sequence[str]], door: str = HERE) -> Sent:
        asked = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
        request = etree.fromstring(zlib.decompress(base64.b64decode(asked), -15))
        base = self.house.gateway.settings.url(f"/portail/{door}")
        now = self.house.clock.now()
        said = saml_messages.Answer(
            issuer=self.entity_id(door),
            audience=f"{base}/metadata",
            acs_url=f"{base}/acs",
            at=now,
            authenticated_at=now - timedelta(minutes=2),
            attributes=told,
            in_response_to=request.get("ID"),
        )
        message = base64.b64encode(saml_messages.signed_response(said, keys(door))).decode()
        headers = {"Origin": f"https://idp.{door}.example", "Sec-Fetch-Site": "cross-site"}
        return Sent("POST", f"/connexion/portail/{door}/acs", {"SAMLResponse": message}, headers)

    def take_down(self) -> None:
        """Nothing is asked of this portal but what the browser brings: it simply brings nothing."""


class OpenIdConnect(Speaker):
    """OpenID Connect: the answer is a code, changed into tokens from server to server."""

    method = "oidc"

    def opened(self, door: str, section: Mapping[str, Any]) -> Any:
        settings = self.house.gateway.settings
        redirect_uri = settings.url(f"/portail/{door}/retour")
        provider = Provider(f"https://oidc.{door}.example", self.house.clock.now(), redirect_uri)
        self.providers = {**getattr(self, "providers", {}), door: provider}
        return OidcPortal.open(
            door,
            configured(provider.issuer, subject_attribute="ct-remote-user", **section),
            redirect_uri=redirect_uri,
            logout_uri=settings.url(f"/portail/{door}/fin"),
            development=True,
            transport=provider.transport(),
            background=lambda _work: None,
        )

    def answer(self, location: str, told: Mapping[str, Sequence[str]], door: str = HERE) -> Sent:
        provider = self.providers[door]
        provider.now = self.house.clock.now()
        # One value is told as a text, several as a list.
        claims = {name: values[0] if len(values) == 1 else list(values) for name, values in told.items()}
        provider.person = {"sub": "opaque-1", **claims}
        fields = provider.authorize(location)
        return Sent("GET", f"/connexion/portail/{door}/retour", fields, {})

    def take_down(self) -> None:
        for path in ("/.well-known/openid-configuration", "/keys", "/token", "/userinfo"):
            self.providers[HERE].replies[path] = lambda: Answer(503)


class Headers(Speaker):
    """Trusted headers: the answer is what the agent in front of the entry page writes."""

    method = "header"
    secret = "Kq3vZ7dXw1Lh8RtB5nYc2MfJ6sPgA9eUo4Ti0"

    def opened(self, door: str, section: Mapping[str, Any]) -> Any:
        from imagin_gateway.keys import Secret
        from imagin_gateway.settings import HeaderPortal

        values: dict[str, Any] = {
            "protocol": "header",
            "issuer": f"https://arena.{door}.example",
            "proxies": ("192.0.2.7",),
            "secrets": (Secret(f"{door}-{self.secret}"),),
            "wsgi_server_drops_underscores": True,
            **section,
        }
        return _through_the_gateway(self.house, door, HeaderPortal(**values))

    def answer(self, location: str, told: Mapping[str, Sequence[str]], door: str = HERE) -> Sent:
        headers = {name: ",".join(values).encode().decode("latin-1") for name, values in told.items()}
        headers["X-Imagin-Gateway-Secret"] = f"{door}-{self.secret}"
        return Sent("GET", urlsplit(location).path, {}, headers)

    def take_down(self) -> None:
        """An agent that is down writes nothing: see `answer_of_nobody`."""


def _through_the_gateway(house: TheHouse, door: str, section: Any) -> Any:
    """Open a portal as the gateway itself does, with its addresses."""
    settings = house.gateway.settings.model_copy(update={"portals": {door: section}})
    return open_portals(settings, house.gateway.house.policy)[door]


SPEAKERS: Final[Mapping[str, Callable[..., Speaker]]] = {"saml": Saml, "oidc": OpenIdConnect, "header": Headers}
