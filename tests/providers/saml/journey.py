"""A login from one end to the other, with the person's browser and our memory played by the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from examples.demo.portals import saml_messages
from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, FlowLost
from imagin_gateway.providers.portal import Arrival, Departure, Memory
from imagin_gateway.providers.saml.configuration import About, Addresses
from imagin_gateway.providers.saml.portal import SamlPortalClient
from tests.providers.saml import forge
from tests.providers.saml.forge import ACS, DOOR, LOGOUT, METADATA, NOW, PORTAL, REQUEST, SSO, keys

ADDRESSES = Addresses(acs=ACS, logout=LOGOUT, metadata=METADATA)
ABOUT = About("https://imagin.example/donnees", "https://imagin.example/logo.svg", "imagin@exemple.test", "SIEC")


def section(folder: Path, *, metadata: bytes | None = None, **more: Any) -> settings.SamlPortal:
    """Return a section of the settings, its files written in a folder."""
    files = {
        "portal.xml": metadata or saml_messages.metadata(PORTAL, SSO, [keys("portal")]),
        "ours.key": keys("ours").private_pem,
        "ours.crt": keys("ours").certificate_pem,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    values: dict[str, Any] = {
        "protocol": "saml",
        "metadata": None if "metadata_url" in more else folder / "portal.xml",
        "portal_entity_id": PORTAL,
        "private_key": folder / "ours.key",
        "certificate": folder / "ours.crt",
        "academie": 24,
    }
    return settings.SamlPortal(**{**values, **more})


@dataclass
class Memories:
    """Our side's memory: gives each journey back once, to the browser that began it."""

    kept: dict[str, Memory] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def keep(self, departure: Departure) -> None:
        self.kept[departure.correlation] = departure.memory

    def __call__(self, correlation: str) -> Memory:
        self.asked.append(correlation)
        if correlation not in self.kept:
            raise FlowLost("no journey waits for this answer", code=Code.FLOW_UNKNOWN)
        return self.kept.pop(correlation)


@dataclass
class House:
    """A portal opened by us, and our memory: one journey, `forge.REQUEST`, always waits."""

    portal: SamlPortalClient
    memories: Memories = field(default_factory=Memories)

    def come_back(
        self,
        message: etree._Element | bytes,
        *,
        now: datetime = NOW,
        relay: str | None = None,
        memory: Mapping[str, str] | None = None,
    ) -> Arrival:
        """Post a message."""
        self.memories.kept[REQUEST] = memory or {"door": DOOR, "request": REQUEST, "acs": ACS}
        return self.portal.arrive(forge.posted(message, relay=relay), self.memories, now)

    def refuses(self, message: etree._Element | bytes, **more: Any) -> AnswerRefused:
        """Post a message that must be refused; return how."""
        self.memories.asked.clear()
        with pytest.raises(AnswerRefused) as caught:
            self.come_back(message, **more)
        error = caught.value
        told = [str(error), repr(error.args), *error.missing, *error.statuses]
        assert not any("admin" in text or forge.PERSON.login in text for text in told), "the error quotes the message"
        return error

    def code(self, message: etree._Element | bytes, **more: Any) -> Code:
        """Return the code of a refusal that leaves the journey waiting."""
        error = self.refuses(message, **more)
        assert self.memories.asked == [], "a refused answer used up a journey"
        return error.code


def house(folder: Path, *, metadata: bytes | None = None, development: bool = False, **config: Any) -> House:
    """Open a portal."""
    portal = SamlPortalClient.open(
        DOOR,
        section(folder, metadata=metadata, **config),
        addresses=ADDRESSES,
        about=ABOUT,
        development=development,
    )
    return House(portal)
