"""The whole house with a real SAML portal behind two doors, and the messages that portals would send it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from tests.client import HOST, Client, Reply
from tests.flows.conftest import TheHouse
from tests.providers.saml import forge, logouts
from tests.providers.saml.forge import OTHER_PORTAL, PORTAL, forged, keys

CRETEIL: Final = "arena-creteil"
VERSAILLES: Final = "arena-versailles"
BASE: Final = f"http://{HOST}/connexion/portail/{CRETEIL}"
FIN: Final = f"/connexion/portail/{CRETEIL}/fin"


def sections(folder: Path, **more: Any) -> dict[str, dict[str, Any]]:
    """Return the sections of two doors; `more` is for the first."""
    (folder / "ours.key").write_bytes(keys("ours").private_pem)
    (folder / "ours.crt").write_bytes(keys("ours").certificate_pem)
    (folder / "creteil.xml").write_bytes(more.pop("published", None) or logouts.metadata())
    other = logouts.metadata(key="other").replace(PORTAL.encode(), OTHER_PORTAL.encode())
    (folder / "versailles.xml").write_bytes(other)
    common = {"protocol": "saml", "private_key": folder / "ours.key", "certificate": folder / "ours.crt"}
    return {
        CRETEIL: {
            **common,
            "metadata": folder / "creteil.xml",
            "portal_entity_id": PORTAL,
            "unsolicited": True,
            **more,
        },
        VERSAILLES: {
            **common,
            "metadata": folder / "versailles.xml",
            "portal_entity_id": OTHER_PORTAL,
            "unsolicited": True,
        },
    }


def answer(house: TheHouse | None = None, edit: forge.Edit | None = None, **more: Any) -> etree._Element:
    """Return a genuine answer of the portal of Créteil; one that nobody asked for unless `in_response_to` says."""
    at = house.clock.now() if house is not None else forge.NOW
    usual: dict[str, Any] = {
        "acs_url": BASE + "/acs",
        "audience": BASE + "/metadata",
        "at": at,
        "authenticated_at": at,
        "in_response_to": None,
    }
    return forged(edit, **{**usual, **more})


def post(client: Client, message: etree._Element, *, relay: str | None = None, door: str = CRETEIL) -> Reply:
    """Let the browser post an answer, as the portal's page makes it do."""
    fields = {"SAMLResponse": base64.b64encode(etree.tostring(message)).decode()}
    if relay is not None:
        fields["RelayState"] = relay
    return client.post(f"/connexion/portail/{door}/acs", fields, headers={"Origin": "https://idp.ac-creteil.example"})


@dataclass
class SamlHouse:
    """A house, and what people do in it."""

    house: TheHouse

    def leave(self, client: Client, asked: str = "/missions") -> str:
        """Leave for the portal; return the ID of our request."""
        reply = client.get(f"/connexion/portail/{CRETEIL}?next={asked}")
        assert reply.status == 303
        carried, _ = logouts.carried(reply.location)
        return carried.get("ID", "")

    def sign_in(self, client: Client, **more: Any) -> Reply:
        """Log in from our side, to the landing page."""
        return client.follow(post(client, answer(self.house, in_response_to=self.leave(client), **more)))

    def end(self, client: Client) -> Reply:
        """Ask our page to end the session."""
        return client.submit(client.get("/connexion/fin"), {})

    def bring(self, client: Client, message: Any) -> Reply:
        """Let the browser bring a logout message."""
        if message.method == "GET":
            return client.get(f"{FIN}?{message.query_string.decode()}")
        fields = {name: values[0] for name, values in parse_qs(message.body.decode()).items()}
        return client.post(FIN, fields)


def request_id(url: str) -> str:
    """Return the ID of the logout request in an address."""
    assert "SAMLRequest" in urlsplit(url).query
    return logouts.carried(url)[0].get("ID", "")
