"""The one object a host builds: routes its own addresses, resolves the session of the others."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from unicodedata import category

from imagin_gateway.clock import Clock, SystemClock
from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventName, Sink
from imagin_gateway.exchange import Request, Response
from imagin_gateway.flows.answering import answer, language_at, live_session, to_what_is_due
from imagin_gateway.flows.hooks import Hooks
from imagin_gateway.flows.house import House
from imagin_gateway.flows.proxies import Proxies
from imagin_gateway.flows.routes import Route, find
from imagin_gateway.opening import open_house
from imagin_gateway.pages.language import Language
from imagin_gateway.providers.portal import Portal
from imagin_gateway.sessions.cache import Live
from imagin_gateway.sessions.session import Session
from imagin_gateway.settings import Settings

if TYPE_CHECKING:
    from imagin_gateway.mounts.asgi import ASGIApp, GatewayASGI
    from imagin_gateway.mounts.wsgi import GatewayWSGI, WSGIApp

_log = logging.getLogger("imagin_gateway")

THREADS: Final = 16
"""Threads of the gateway's own under ASGI: logins never starve the host's own endpoints."""

LOOKUPS: Final = 8
"""Threads that only look sessions up: a rush of logins never starves those who are signed in."""

_REFERENCE_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

_REFERENCE_LENGTH: Final = 8


def new_reference() -> str:
    """Return a reference that can be read out over the telephone, e.g. ``R-7K4M-2QXP``."""
    signs = "".join(secrets.choice(_REFERENCE_SIGNS) for _ in range(_REFERENCE_LENGTH))
    return f"R-{signs[:4]}-{signs[4:]}"


def read_reference(typed: str) -> str:
    """Return a reference as `new_reference` writes it, from one that was read out and typed.

    Args:
        typed: in any case, with or without the `R-`, hyphens and spaces.

    Raises:
        ValueError: it cannot be a reference.
    """
    text = "".join("-" if sign.isspace() or category(sign) == "Pd" else sign for sign in typed).upper().strip("-")
    signs = text.removeprefix("R-").replace("-", "")
    # R is a sign of references, too: without its hyphen, only the length tells the one in front.
    if len(signs) == _REFERENCE_LENGTH + 1 and not text.startswith("R-"):
        signs = signs.removeprefix("R")
    if len(signs) != _REFERENCE_LENGTH or not set(signs) <= set(_REFERENCE_SIGNS):
        raise ValueError("not a reference")
    return f"R-{signs[:4]}-{signs[4:]}"


class Gateway:
    """The front door.

    Args:
        settings: from `Settings.load`.
        clock: tells the time; tests move it.
        sink: where events go; by default what the settings say.
        templates: folder of the host whose templates replace ours.
        sends_mail: deliver mail from a thread of this process; False when another process does.
        hooks: what the host wants called at logins and logouts.

    Raises:
        SettingsError: listing every problem of every room.
        PolicyError: the table of rules, or the admission rules, are refused.
        TypeError: `settings`, `templates` or `hooks` is something else, such as the name of the file.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        sink: Sink | None = None,
        templates: Path | None = None,
        sends_mail: bool = True,
        hooks: Hooks | None = None,
    ) -> None:
        if not isinstance(settings, Settings):
            raise TypeError('a Gateway is made of Settings: Gateway(Settings.load("gateway.toml"))')
        if templates is not None and not isinstance(templates, Path):
            raise TypeError(f"templates is a pathlib.Path: write Path({templates!r})")
        if hooks is not None and not isinstance(hooks, Hooks):
            raise TypeError("hooks are Hooks: write hooks=Hooks(after_login=...)")
        self.settings = settings
        self._sends_mail = sends_mail
        self._started_pid = 0
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._pool_lock = threading.Lock()
        self._proxies = Proxies()
        self.house = replace(open_house(settings, clock or SystemClock(), sink, templates), hooks=hooks or Hooks())
        if settings.metrics.enabled or settings.metrics.traces:
            # Imported here: who does not count does not pay.
            from imagin_gateway.flows.metrics import Watch

            self.house = replace(self.house, watch=Watch(self.house))
        if settings.development:
            self.house.events.emit(Event(name=EventName.DEVELOPMENT_MODE))
            _log.warning("MODE DÉVELOPPEMENT : cookies sans Secure, http accepté. Jamais devant de vrais comptes.")

    def asgi(self, app: ASGIApp, **options: Any) -> GatewayASGI:
        """Return `app` behind the gateway, as an ASGI application."""
        from imagin_gateway.mounts.asgi import GatewayASGI

        return GatewayASGI(self, app, **options)

    def wsgi(self, app: WSGIApp) -> GatewayWSGI:
        """Return `app` behind the gateway, as a WSGI application."""
        from imagin_gateway.mounts.wsgi import GatewayWSGI

        return GatewayWSGI(self, app)

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Threads of our own for our own pages, started when first used."""
        return self._threads("pages", THREADS)

    @property
    def lookups(self) -> ThreadPoolExecutor:
        """Threads of our own for the sessions of the host's pages."""
        return self._threads("lookups", LOOKUPS)

    @property
    def watching(self) -> ThreadPoolExecutor:
        """Threads for the machine that watches: it is answered while logins wait."""
        return self._threads("watching", 2)

    def _threads(self, use: str, count: int) -> ThreadPoolExecutor:
        with self._pool_lock:
            if use not in self._pools:
                self._pools[use] = ThreadPoolExecutor(count, thread_name_prefix=f"imagin-gateway-{use}")
            return self._pools[use]

    def handle(self, request: Request) -> Response:
        """Answer a request to one of our own addresses. Never raises."""
        watch = self.house.watch
        if watch is None:
            return self._answer(request)
        found = find(request.path)
        route, door = (found[0].pattern, found[1]) if found else ("other", "")
        return watch.around(request, route, door if door in self.house.portals else "", self._answer)

    def _answer(self, request: Request) -> Response:
        return answer(self.house, request, self._before)

    def _before(self, house: House, request: Request) -> None:
        self._start_threads()
        self._proxies.notice(house, request)

    def language(self, request: Request, route: Route | None) -> Language:
        """Return the language in which a request to one of our own addresses is answered."""
        return language_at(self.house, request, route)

    def _start_threads(self) -> None:
        # In the process that serves, not in the one that forked it: threads do not cross a fork.
        if self._started_pid == os.getpid():
            return
        self._started_pid = os.getpid()
        if self._sends_mail:
            self.house.direct.start_sender()
        for door, portal in self.house.portals.items():
            start: Callable[..., None] | None = getattr(portal, "start", None)
            if start is not None:
                start(self.house.clock.now, functools.partial(self._metadata_renewed, door))

    def _metadata_renewed(self, door: str, renewed: bool, problem: str) -> None:
        name = EventName.METADATA_RENEWED if renewed else EventName.METADATA_REFUSED
        detail = {"reason": problem[:200]} if problem else {}
        self.house.events.emit(Event(name=name, code=None if renewed else Code.SAML_METADATA, door=door, detail=detail))

    def live(self, cookies: Mapping[str, str], *, anew: bool = False, counts: bool = True) -> Live | None:
        """Return the live session of a request, or None.

        Args:
            cookies: of the request, by name.
            anew: ask the store, whatever this process knows.
            counts: the request moves the idle limit.

        Raises:
            Unavailable: the store does not answer; nobody is signed in meanwhile.
        """
        return live_session(self.house, cookies, anew=anew, counts=counts)

    def is_open(self, door: str) -> bool:
        """Tell whether a door is open: a portal closed in the settings is closed for the sessions it opened, too."""
        return self.house.is_open(door)

    def replace_portal(self, door: str, portal: Portal) -> None:
        """Put another portal behind a door that is open, for the tests of a host.

        Raises:
            RuntimeError: the settings are not those of development.
        """
        if not self.settings.development:
            raise RuntimeError("portals are replaced in development only")
        self.house = replace(self.house, portals={**self.house.portals, door: portal})

    def session(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the record of the live session of a request, or None. See `live`."""
        live = self.live(cookies)
        return None if live is None else live.session

    def to_what_is_due(self, restricted: str, back_to: str | None = None) -> Response:
        """Send a person whose session may do a single thing to the page where it is done.

        Args:
            restricted: what alone the session may do (`Session.restricted`).
            back_to: path to come back to afterwards; the landing page when None.
        """
        return to_what_is_due(self.house, restricted, back_to)

    def close(self) -> None:
        """Write what is pending and release connections and threads."""
        for pool in self._pools.values():
            pool.shutdown()
        self.house.direct.close()
        self.house.sessions.close()
        self.house.state.close()
        for portal in self.house.portals.values():
            close: Callable[[], None] | None = getattr(portal, "close", None)
            if close is not None:
                close()
        self.house.events.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
