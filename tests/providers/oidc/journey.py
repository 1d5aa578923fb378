"""A login from one end to the other, with the person's browser and our memory played by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from imagin_gateway import settings
from imagin_gateway.errors import AnswerRefused, Code, FlowLost
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.kept import Background
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.providers.portal import Arrival, Departure, Memory
from tests.clock import ManualClock
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Document, Provider, answer_query

DOOR = "arena-paris"
ISSUER = "https://oidc.ac-paris.example"
REDIRECT_URI = "https://imagin.example/connexion/arena-paris/retour"


def configured(issuer: str = ISSUER, **more: Any) -> settings.OidcPortal:
    """Return a section of the settings."""
    values: dict[str, Any] = {
        "protocol": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
        "academie": 1,
    }
    return settings.OidcPortal(**{**values, **more})


@dataclass
class Memories:
    """Our side's memory: gives each journey back once."""

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
    """A portal, its provider, a clock, and what is between them."""

    provider: Provider
    portal: OidcPortal
    clock: ManualClock
    memories: Memories = field(default_factory=Memories)

    def leave(self) -> dict[str, str]:
        """Leave for the portal and log in there; return the parameters of its answer."""
        self.provider.now = self.clock.now()
        departure = self.portal.depart(self.clock.now())
        self.memories.keep(departure)
        return self.provider.authorize(departure.url)

    def come_back(
        self, answer: Mapping[str, str], *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Arrival:
        """Bring an answer back."""
        told = answer_query(dict(answer))
        if method == "POST":
            headers = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
            request = Request(method, "/arena-paris/retour", b"", headers, told)
        else:
            request = Request(method, "/arena-paris/retour", told, headers or {})
        return self.portal.arrive(request, self.memories, self.clock.now())

    def login(self) -> Arrival:
        """Go there and back."""
        return self.come_back(self.leave())


def house(
    provider: Provider,
    clock: ManualClock,
    *,
    monotonic: Callable[[], float] = lambda: 0.0,
    background: Background = lambda _work: None,
    **config: Any,
) -> House:
    """Open a portal towards a provider in memory; an exchange takes no time unless `monotonic` says so."""
    portal = OidcPortal.open(
        DOOR,
        configured(provider.issuer, **config),
        redirect_uri=provider.redirect_uri,
        development=False,
        transport=provider.transport(),
        monotonic=monotonic,
        # Nothing happens behind the scenes, unless a test looks there.
        background=background,
    )
    return House(provider, portal, clock)


def new_provider(clock: ManualClock, issuer: str = ISSUER) -> Provider:
    """Return an honest provider."""
    return Provider(issuer, clock.now(), REDIRECT_URI)


def refusal(there: House) -> Code:
    """Return why the login is refused; nothing may be asked with the access token."""
    before = there.provider.count("/userinfo")
    with pytest.raises(AnswerRefused) as refused:
        there.login()
    assert there.provider.count("/userinfo") == before
    return refused.value.code


ABSENT = object()


def telling(**claims: object) -> Callable[[Document], None]:
    """Return what makes an ID token tell `claims`, or not tell them."""

    def edit(told: Document) -> None:
        for name, value in claims.items():
            if value is ABSENT:
                told.pop(name, None)
            else:
                told[name] = value

    return edit
