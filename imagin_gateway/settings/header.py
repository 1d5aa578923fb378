"""Settings of a portal whose agent stands in front of the application and tells who somebody is in request headers."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from imagin_gateway.keys import Secret
from imagin_gateway.problems import wrong
from imagin_gateway.settings.portal import FederatedPortal
from imagin_gateway.settings.secrets import SecretText, strong_keys

UNIX: Final = "unix"
"""Stands in `proxies` for a proxy that connects by a Unix socket: the socket's own rights say who may."""

WIDEST: Final = {4: 16, 6: 48}
"""Shortest prefix of a network that is still a list of machines, by version of IP."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_PREFIX: Final = re.compile(r"X-Imagin-(?:[A-Za-z0-9]+-)+")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


class HeaderPortal(FederatedPortal):
    """Trusted headers. Believed on one path, from one proxy, that proves that it is the one."""

    protocol: Literal["header"]
    issuer: str
    """Name of the portal: with the subject, it is what tells people apart. The address of the portal will do."""
    proxies: tuple[str, ...]
    """Addresses or networks from which the agent's proxy connects; or `unix`."""
    secrets: tuple[SecretText, ...] = ()
    """What the proxy shows in `secret_header`, from the oldest to the newest."""
    certificates: tuple[str, ...] = ()
    """SHA-256 fingerprints of the certificate it shows instead, or besides, when the server verifies it."""
    secret_header: str = Field(default="X-Imagin-Gateway-Secret", validate_default=True)
    """Header in which the proxy shows the secret."""
    prefix: str = ""
    """What the proxy puts before each name, e.g. `X-Imagin-Agent-`: a name that nobody else uses is harder to forge."""
    charset: Literal["utf-8", "iso-8859-1"] = "utf-8"
    """In which the agent writes; ask the portal, then try a name with an accent."""
    wsgi_server_drops_underscores: bool = False
    """Say so once it is checked: WSGI itself cannot tell `ct_remote_user` from `ct-remote-user`, so a server that lets
    both in makes headers unsafe. Without this, nobody enters by headers under WSGI. ASGI needs no such promise."""
    unsolicited: bool = True

    @field_validator("issuer")
    @classmethod
    def _named(cls, issuer: str) -> str:
        if not issuer.strip() or not issuer.isprintable() or len(issuer) > 255:
            raise wrong("le portail n'a pas de nom", '"https://bv.ac-paris.fr"')
        return issuer

    @field_validator("proxies")
    @classmethod
    def _machines(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        if not proxies:
            raise wrong("aucun mandataire déclaré", '["10.0.0.5"]')
        for each in proxies:
            if each == UNIX:
                continue
            try:
                network = ipaddress.ip_network(each)
            except ValueError:
                raise wrong("une entrée n'est ni une adresse ni un réseau", '["10.0.0.5", "10.0.1.0/28"]') from None
            if network.prefixlen < WIDEST[network.version]:
                raise wrong("un réseau déclaré est trop large pour être une liste de machines", '["10.0.0.5"]')
        return proxies

    @field_validator("secrets")
    @classmethod
    def _strong(cls, keys: tuple[Secret, ...]) -> tuple[Secret, ...]:
        if keys:
            strong_keys(keys)
        if not all(key.reveal().isascii() and key.reveal().isprintable() and " " not in key.reveal() for key in keys):
            raise wrong("un secret ne peut pas figurer dans un en-tête", "des signes ASCII visibles")
        return keys

    @field_validator("certificates")
    @classmethod
    def _fingerprints(cls, prints: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(each.replace(":", "").lower() for each in prints)
        if not all(_FINGERPRINT.fullmatch(each) for each in plain):
            raise wrong("une empreinte n'est pas un SHA-256", "openssl x509 -noout -fingerprint -sha256 -in agent.crt")
        return plain

    @field_validator("secret_header")
    @classmethod
    def _dropped(cls, name: str) -> str:
        # Names that begin so never reach the host application.
        if not _NAME.fullmatch(name) or not name.lower().startswith("x-imagin-"):
            raise wrong("le nom de cet en-tête commence par X-Imagin-", '"X-Imagin-Gateway-Secret"')
        return name.lower()

    @field_validator("prefix")
    @classmethod
    def _prefixed(cls, prefix: str) -> str:
        if prefix and not _PREFIX.fullmatch(prefix):
            raise wrong("le préfixe commence par X-Imagin- et finit par un tiret", '"X-Imagin-Agent-"')
        return prefix.lower()

    @field_validator("subject_attribute", "required_attributes", "attributes")
    @classmethod
    def _names(cls, told: object) -> object:
        names = [told] if isinstance(told, str) else told
        if isinstance(names, dict):
            names = [name for group in names.values() for name in group]
        if not isinstance(names, list | tuple) or not all(_NAME.fullmatch(str(name)) for name in names):
            raise wrong("un attribut ne peut pas être le nom d'un en-tête", "des lettres, des chiffres et des tirets")
        return told

    @model_validator(mode="after")
    def _proved(self) -> HeaderPortal:
        if not self.secrets and not self.certificates:
            raise wrong("rien ne prouve que le mandataire est le bon", "secrets ou certificates")
        return self
