"""Settings become rooms: everything a house is made of is opened here, whole or in part.

A host opens it all (`open_house`); a command opens what it works on, without portals nor pages (`open_stores`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from imagin_gateway.clock import Clock, SystemClock
from imagin_gateway.errors import Code, Problem, SettingsError, Unavailable
from imagin_gateway.events import Event, EventLog, EventName, FileSink, Sink, StreamSink
from imagin_gateway.events.syslog import SyslogSink, read_target
from imagin_gateway.flows.house import PER_PORTAL, House
from imagin_gateway.identity import Door
from imagin_gateway.keys import Keyring
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.pages.render import LOGO_PATH, Pages
from imagin_gateway.policy import Policy, siec
from imagin_gateway.policy import load as load_policy
from imagin_gateway.policy.admission import Admission, load_admission
from imagin_gateway.providers import arena
from imagin_gateway.providers.portal import Portal
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.settings import HeaderPortal, LinkPortal, OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT
from imagin_gateway.state import open_store

if TYPE_CHECKING:
    from imagin_gateway.providers.saml.configuration import About, Addresses


@dataclass(frozen=True, slots=True)
class Stores:
    """The rooms that keep something, without pages nor portals: what commands work on."""

    settings: Settings
    clock: Clock
    keys: Keyring
    events: EventLog
    sessions: SessionRegistry
    direct: DirectDoor

    def close(self) -> None:
        """Release connections."""
        self.direct.close()
        self.sessions.close()
        self.sessions.store.close()
        self.events.close()


def open_stores(
    settings: Settings, clock: Clock | None = None, sink: Sink | None = None, *, upgrade: bool = True
) -> Stores:
    """Open accounts and sessions, in SQLite with their tables brought up to date if `upgrade`.

    Raises:
        SettingsError: they cannot be opened.
        Unavailable: the accounts do not answer.
    """
    clock = clock or SystemClock()
    keys = Keyring(settings.keys.signing)
    events = open_events(settings, clock, sink)
    state = open_store(settings.state.url)
    sessions = SessionRegistry(
        state,
        keys,
        clock,
        settings.sessions.idle,
        settings.sessions.absolute,
        grain=settings.sessions.grain,
        cached=settings.sessions.cached,
        lag=settings.sessions.lag_seconds,
        parallel=settings.sessions.parallel,
        refuse_more=settings.sessions.beyond_parallel == "refuse",
        displaced=lambda session: events.emit(
            Event(name=EventName.SESSION_ENDED, code=Code.TOO_MANY_SESSIONS, door=session.door, person=session.person)
        ),
    )
    direct = DirectDoor.open(settings, state, clock, events, upgrade=upgrade)
    return Stores(settings, clock, keys, events, sessions, direct)


def open_events(settings: Settings, clock: Clock | None = None, sink: Sink | None = None) -> EventLog:
    """Return what writes the events of a house: nothing but the settings is needed.

    Args:
        settings: where events go.
        clock: when they happened.
        sink: where they go instead.
    """
    told, clock = settings.events, clock or SystemClock()
    sinks: list[Sink] = [sink] if sink is not None else []
    if sink is None:
        if told.path == "-":
            sinks.append(StreamSink())
        elif told.file is not None:
            sinks.append(FileSink(told.file, clock))
        if told.stdout:
            sinks.append(StreamSink(name="stdout"))
        if told.syslog:
            sinks.append(SyslogSink(read_target(told.syslog)))
    keys = Keyring(settings.keys.events or settings.keys.signing)
    return EventLog(sinks, clock, keys, retention=told.retention)


def open_policy(settings: Settings) -> Policy:
    """Return SIEC's table, or the one the settings name."""
    return siec() if settings.policy is None else load_policy(settings.policy)


def open_admission(settings: Settings, policy: Policy) -> Admission:
    """Return the host's admission rules. Raises `PolicyError` with everything wrong in them."""
    return Admission(policy) if settings.admission is None else load_admission(settings.admission, policy)


def open_portals(settings: Settings, policy: Policy) -> dict[str, Portal]:
    """Open every federated portal. Raises `SettingsError` listing the problems of all of them."""
    problems: list[Problem] = []
    portals: dict[str, Portal] = {}
    known = set(policy.doors)
    for door, config in settings.portals.items():
        if door not in known or door == Door.DIRECT:
            names = ", ".join(sorted(known - {Door.DIRECT}))
            problems.append(Problem(f"portals.{door}", "aucune porte de la table ne porte ce nom", f"une de : {names}"))
            continue
        if not config.enabled or isinstance(config, LinkPortal):
            continue
        try:
            portals[door] = open_portal(settings, door, config)
        except SettingsError as error:
            problems += error.problems
    if settings.proconnect is not None and settings.proconnect.enabled:
        try:
            portals[PROCONNECT] = open_portal(settings, PROCONNECT, settings.proconnect)
        except SettingsError as error:
            problems += [replace(each, key=each.key.removeprefix("portals.")) for each in error.problems]
    if problems:
        raise SettingsError(problems)
    return portals


def open_portal(settings: Settings, door: str, config: SamlPortal | OidcPortal | HeaderPortal) -> Portal:
    """Open one federated portal. Raises `SettingsError`."""
    # Imported here: a host with one protocol does not pay for the other.
    base = settings.url(f"/portail/{door}")
    config = arena.settle(door, config)
    if isinstance(config, HeaderPortal):
        from imagin_gateway.providers.header import HeaderPortalClient

        below = f"/portail/{door}/entree"
        return HeaderPortalClient.open(door, config, entry_url=settings.url(below), entry_path=below)
    if isinstance(config, SamlPortal):
        from imagin_gateway.providers.saml.portal import SamlPortalClient

        return SamlPortalClient.open(door, config, **saml_surroundings(settings, door, config))
    from imagin_gateway.providers.oidc.portal import OidcPortal as OidcPortalClient

    return OidcPortalClient.open(
        door, config, redirect_uri=f"{base}/retour", logout_uri=f"{base}/fin", development=settings.development
    )


class SamlSurroundings(TypedDict):
    """What a SAML portal is told of the house."""

    addresses: Addresses
    about: About
    development: bool


def saml_surroundings(settings: Settings, door: str, config: SamlPortal) -> SamlSurroundings:
    """Return what a SAML portal is told of the house: its own addresses, and what to tell people of us."""
    from imagin_gateway.providers.saml.configuration import About, Addresses

    base = settings.url(f"/portail/{door}")
    own = settings.privacy_url.startswith("/")
    return SamlSurroundings(
        addresses=Addresses(acs=f"{base}/acs", logout=f"{base}/fin", metadata=f"{base}/metadata"),
        about=About(
            privacy_url=settings.base_url + settings.privacy_url if own else settings.privacy_url,
            logo_url=config.logo_url or settings.url(LOGO_PATH),
            contact=settings.contact,
            controller=settings.controller,
        ),
        development=settings.development,
    )


T = TypeVar("T")


def _opened(problems: list[Problem], opens: Callable[[], T]) -> T | None:
    """Open one room; one that is refused adds its problems, and does not hide those of the next."""
    try:
        return opens()
    except SettingsError as error:
        problems += error.problems
    except Unavailable:
        if not problems:
            raise  # else what the settings lack would be told once the store answers, and no sooner
    return None


def open_house(settings: Settings, clock: Clock, sink: Sink | None, templates: Path | None) -> House:
    """Wire every room.

    Raises:
        SettingsError: listing what each of them finds wrong.
        PolicyError: the table, or the admission rules: the doors of the others are not known.
    """
    policy = open_policy(settings)
    admission = open_admission(settings, policy)
    problems: list[Problem] = []
    portals = _opened(problems, lambda: open_portals(settings, policy))
    pages = _opened(problems, lambda: Pages(settings, overrides=templates))
    # A start that is refused leaves the accounts as the release before can read them.
    stores = _opened(problems, lambda: open_stores(settings, clock, sink, upgrade=not problems))
    if portals is None or pages is None or stores is None:
        for portal in (portals or {}).values():
            getattr(portal, "close", lambda: None)()
        if stores is not None:
            stores.close()
        raise SettingsError(problems)
    return House(
        settings=settings,
        clock=clock,
        events=stores.events,
        keys=stores.keys,
        state=stores.sessions.store,
        sessions=stores.sessions,
        policy=policy,
        admission=admission,
        pages=pages,
        direct=stores.direct,
        portals=portals,
        turnstiles={door: threading.BoundedSemaphore(PER_PORTAL) for door in portals},
    )
