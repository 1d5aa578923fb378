"""Where a login may come back to: a path of this site, and nothing that a browser could read otherwise."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.local.throttle import network_of
from imagin_gateway.settings import Settings, under

MAX_CHARS: Final = 2000

_OUR_OWN: Final = (
    *("/session/toutes", "/proconnect", "/assistance"),
    *("/securite", "/securite/application", "/securite/cle", "/securite/codes"),
)


def landing(settings: Settings, asked: str | None) -> str:
    """Return the page asked for if it is allowed, else the default one. Never raises.

    Allowed is a path of this site, under one of `settings.landings`, outside the
    gateway itself, and written in a way that leaves no room for two readings:
    no scheme, host, backslash, control character, empty or dot segment
    (ASVS 3.7.2, RFC 9700 §4.11).
    """
    return asked if asked is not None and _is_allowed(settings, asked) else settings.landing


def landed(house: House, visit: Visit, asked: str | None) -> str:
    """Do the same for a page that a browser names, and tell the operator of one that is refused (row LOG-05).

    The person goes on, to the usual page: a link that was mangled must not cost a login. What was asked for is not
    told, it came from outside; nor is every one of a scanner's thousands.
    """
    page = landing(house.settings, asked)
    if asked and page != asked:
        untold = house.redirects.due(network_of(visit.request.address), house.clock.now())
        if untold is not None:
            detail = {"untold": untold} if untold else {}
            person = visit.session.person if visit.session else None
            visit.event(house, EventName.REDIRECT_REFUSED, Code.REDIRECT, person=person, detail=detail)
    return page


def _is_allowed(settings: Settings, asked: str) -> bool:
    if len(asked) > MAX_CHARS or not asked.startswith("/") or not asked.isascii() or not asked.isprintable():
        return False
    # Before any parser: some take an empty host for no host at all.
    if "\\" in asked or " " in asked or "//" in asked.partition("?")[0]:
        return False
    try:
        parts = urlsplit(asked)
    except ValueError:
        return False
    if parts.scheme or parts.netloc or parts.fragment:
        return False
    # A proxy or a host may decode once more than we do: both readings must be harmless.
    path = unquote(unquote(parts.path))
    if not path.isprintable() or "\\" in path or "//" in path:
        return False
    if any(segment in (".", "..") for segment in path.split("/")):
        return False
    if under(path, settings.mount_path):
        # Of our own pages, those that ask for a confirmation before they show anything.
        return asked.removeprefix(settings.mount_path) in _OUR_OWN
    return any(under(path, prefix) for prefix in settings.landings)
