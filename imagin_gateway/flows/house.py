"""What every journey needs: the rooms, wired once, and the visit of one browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from imagin_gateway.clock import Clock, timestamp
from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventLog, EventName
from imagin_gateway.exchange import Request, Response, SetCookie
from imagin_gateway.flows.hooks import Hooks
from imagin_gateway.flows.readiness import Readiness
from imagin_gateway.flows.seldom import Seldom
from imagin_gateway.identity import Door
from imagin_gateway.keys import Keyring, new_token
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.pages.language import Language
from imagin_gateway.pages.render import Pages
from imagin_gateway.policy import Policy, Text
from imagin_gateway.policy.admission import Admission
from imagin_gateway.providers.portal import Portal
from imagin_gateway.sessions.cache import Live
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.sessions.session import Session
from imagin_gateway.settings import Settings
from imagin_gateway.state.store import Space, StateStore

if TYPE_CHECKING:
    from imagin_gateway.flows.metrics import Watch

JOURNEY: Final = timedelta(minutes=10)
"""Longest time between leaving for a portal and coming back (rows SAM-13, OID-17)."""

PER_PORTAL: Final = 4
"""Requests one portal may hold at once: a portal that hangs keeps its share, not everybody's."""

_DIRECT: Final = Door.DIRECT.value


@dataclass(frozen=True, slots=True)
class House:
    """Every room, wired. Made by the gateway, read by the flows."""

    settings: Settings
    clock: Clock
    events: EventLog
    keys: Keyring
    state: StateStore
    sessions: SessionRegistry
    policy: Policy
    admission: Admission
    pages: Pages
    direct: DirectDoor
    portals: Mapping[str, Portal]
    turnstiles: Mapping[str, threading.BoundedSemaphore] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    readiness: Readiness = field(default_factory=Readiness)
    redirects: Seldom = field(default_factory=Seldom)
    """Which refused landing pages are told."""
    sockets: Seldom = field(default_factory=Seldom)
    """Which websockets of other sites are told."""
    watch: Watch | None = None
    """Counts and times what happens, where the settings ask for it."""

    def is_open(self, door: str) -> bool:
        """Tell whether a door is open: a portal closed in the settings is closed for the sessions it opened, too."""
        return door in self.portals or door == _DIRECT

    def path(self, below: str) -> str:
        """Return the path of one of our pages, as the browser asks for it."""
        return self.settings.mount_path + below

    def href(self, visit: Visit, below: str, /, **fields: str) -> str:
        """Return the address of one of our pages, for a link of a page: with what is not empty, and the language."""
        told = {name: value for name, value in {**fields, "lang": visit.language.carried}.items() if value}
        return self.path(below) + ("?" + urlencode(told) if told else "")

    def text(self, visit: Visit, key: str, /, **params: object) -> str:
        """Return a text in the language of a visit."""
        return self.pages.text(key, visit.language.code, **params)

    def page(self, visit: Visit, template: str, /, **values: Any) -> Response:
        """Return a page in the language of a visit, or the step it is to a script; see `Pages`."""
        if visit.request.wants_json and self.pages.tells(template):
            return self.pages.tell(template, language=visit.language, **values)
        return self.pages.render(template, language=visit.language, **values)

    def cookie(self, use: str, value: str, *, max_age: int | None = None) -> SetCookie:
        """Return a cookie for this site alone."""
        name = self.settings.cookie_name(use)
        return SetCookie(name=name, value=value, secure=self.settings.secure_cookies, max_age=max_age)

    def no_cookie(self, use: str) -> SetCookie:
        """Return what removes a cookie."""
        return self.cookie(use, "", max_age=0)

    def keep(self, key: str, value: Mapping[str, object], life: timedelta) -> None:
        """Keep a step of a journey on our side."""
        now = timestamp(self.clock.now())
        self.state.put(Space.FLOW, key, json.dumps(value).encode(), expires_at=now + life.total_seconds(), now=now)

    def peek(self, key: str) -> dict[str, object] | None:
        """Return a step kept, leaving it there."""
        return _step(self.state.get(Space.FLOW, key, now=timestamp(self.clock.now())))

    def take(self, key: str) -> dict[str, object] | None:
        """Return a step kept and remove it: of many takers, one has it."""
        return _step(self.state.take(Space.FLOW, key, now=timestamp(self.clock.now())))


def _step(raw: bytes | None) -> dict[str, object] | None:
    if raw is None:
        return None
    step = json.loads(raw)
    return step if isinstance(step, dict) else None


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one browser.

    Attributes:
        request: what was asked.
        session: the live session of this browser, if it sent one.
        browser: unpredictable name of this browser, to which its forms are bound.
        new_browser: the browser has not been given its name yet.
        language: in which it is answered.
        door: door id in the path, for the routes that have one; "" for a door that does not exist.
    """

    request: Request
    session: Session | None
    browser: str = field(repr=False)
    new_browser: bool
    language: Language
    door: str = ""
    takes: frozenset[str] | None = None
    """Fields a script may send here; None where only forms are taken."""
    forms: list[str] = field(default_factory=list, repr=False)
    """What the forms of this page are about; empty while the page has none."""
    idle_ends_at: datetime | None = None
    """When that session ends if nobody comes any more."""

    def said(self, text: Text) -> str:
        """Return a text of the policy in the language of this visit."""
        return text.get(self.language.code)

    def event(self, house: House, name: EventName, code: Code | None = None, **more: object) -> None:
        """Write an event of this visit."""
        fields: dict[str, object] = {"door": self.door, **more}
        event = Event(
            name=name,
            code=code,
            address=self.request.address,
            correlation=self.request.correlation,
            **fields,  # type: ignore[arg-type]  # names and types are those of Event; its constructor checks the names
        )
        house.events.emit(event)


def begin_visit(house: House, request: Request, live: Live | None, language: Language) -> Visit:
    """Return the visit of a request, by somebody whose session is live, or by nobody."""
    browser = request.cookies.get(house.settings.cookie_name("browser"), "")
    known = 20 <= len(browser) <= 64 and browser.isascii() and browser.isprintable()
    return Visit(
        request,
        live.session if live else None,
        browser if known else new_token(128),
        not known,
        language,
        idle_ends_at=house.sessions.ends_at(live) if live else None,
    )
