"""The three simulated portals, and the settings that make the gateway know them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.demo.portals.oidc_portal import Client, OidcProvider
from examples.demo.portals.people import PEOPLE
from examples.demo.portals.saml_messages import KeyPair
from examples.demo.portals.saml_portal import SamlPortalConfig, Service, saml_portal

ACADEMIES = {"arena-creteil": 24, "arena-paris": 1, "arena-versailles": 25}
OIDC = "arena-paris"
TITLE = {
    "arena-creteil": "Portail ARENA de Créteil",
    "arena-paris": "Portail ARENA de Paris",
    "arena-versailles": "Portail ARENA de Versailles",
}


class PortalSet:
    """Créteil and Versailles by SAML 2.0, Paris by OpenID Connect.

    Args:
        folder: where metadata and keys are written for the gateway.
        gateway_url: address of the gateway, mount path included.
        urls: address of each portal, without a final slash.
    """

    def __init__(self, folder: Path, *, gateway_url: str, urls: Mapping[str, str]) -> None:
        self._folder = folder
        self._gateway_url = gateway_url
        self._urls = urls
        self._secret = secrets.token_urlsafe(32)
        self._ours = KeyPair.new("gateway")
        self._saml = {door: self._saml_config(door) for door in urls if door != OIDC}
        _write_private(folder / "gateway.key", self._ours.private_pem)
        (folder / "gateway.crt").write_bytes(self._ours.certificate_pem)
        for door, config in self._saml.items():
            (folder / f"{door}.xml").write_bytes(config.metadata())

    def _below(self, door: str, path: str) -> str:
        return f"{self._gateway_url}/portail/{door}/{path}"

    def _saml_config(self, door: str) -> SamlPortalConfig:
        service = Service(self._below(door, "metadata"), self._below(door, "acs"), self._ours.certificate_pem)
        return SamlPortalConfig(self._urls[door], TITLE[door], PEOPLE[door], service, KeyPair.new(door))

    def apps(self) -> dict[str, Any]:
        """Return each portal as an application."""
        apps: dict[str, Any] = {door: saml_portal(config) for door, config in self._saml.items()}
        client = Client("mes-missions", self._secret, (self._below(OIDC, "retour"),), (self._below(OIDC, "fin"),))
        apps[OIDC] = OidcProvider(
            issuer=self._urls[OIDC],
            clients=[client],
            people=PEOPLE[OIDC],
            title=TITLE[OIDC],
            imagin_url=f"{self._gateway_url}/portail/{OIDC}",
        ).app
        return apps

    def settings(self) -> str:
        """Return the part of the settings file that is about portals."""
        parts = [
            f"""[portals.{door}]
protocol = "saml"
academie = {ACADEMIES[door]}
metadata = "{door}.xml"
portal_entity_id = "{config.entity_id}"
private_key = "gateway.key"
certificate = "gateway.crt"
require_signed = "both"
unsolicited = true
"""
            for door, config in self._saml.items()
        ]
        parts.append(f"""[portals.{OIDC}]
protocol = "oidc"
academie = {ACADEMIES[OIDC]}
issuer = "{self._urls[OIDC]}"
client_id = "mes-missions"
client_secret = "{self._secret}"
""")
        return "\n".join(parts)


def _write_private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
