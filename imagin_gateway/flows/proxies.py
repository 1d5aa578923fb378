"""A proxy that stands in front and is not declared: noticed, told once, and never believed.

Its own address is then taken for everybody's: one throttle for all, and events that name one machine. What it adds
could as well have been written by anybody, so it changes nothing until the operator counts it in `trusted_proxies`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.exchange import Request
from imagin_gateway.flows.house import House
from imagin_gateway.keys import Keyring
from imagin_gateway.state.store import Space

_log = logging.getLogger("imagin_gateway")

_HEADERS: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-proto")

KEPT: Final = timedelta(days=2)
"""How long `imagin-gateway check` tells it after the last process that noticed."""

UNDECLARED: Final = (
    "a request came from %s with %s, and no proxy is declared: it was not believed, and everybody behind that machine "
    "has its address. If it is a proxy of yours, write in the settings how many of them stand in front: "
    "trusted_proxies = 1"
)

UNREAD: Final = (
    "a request came from %s with %s and without X-Forwarded-For, the only one that is read: everybody behind that "
    "machine has its address. Have the proxy add X-Forwarded-For, or write in the settings that none stands in front: "
    "trusted_proxies = 0"
)


def undeclared(trusted_proxies: int, request: Request) -> str:
    """Return the header that tells of a proxy the settings do not count or cannot read, "" when all is as declared."""
    told = next((name for name in _HEADERS if name in request.headers), "")
    hops = request.headers.get("x-forwarded-for")
    if trusted_proxies:
        return "" if hops is not None else told
    # A server that reads the header itself (uvicorn's --forwarded-allow-ips) gives the client as its peer.
    if request.peer and request.peer in (hop.strip() for hop in (hops or "").split(",")):
        return ""
    return told


class Proxies:
    """Notices once in each process. Safe to share between threads: at worst it is told twice."""

    def __init__(self) -> None:
        self._told = False

    def notice(self, house: House, request: Request) -> None:
        """Tell the operator of a proxy that is not declared, the first time one shows. Never raises."""
        if self._told:
            return
        header = undeclared(house.settings.trusted_proxies, request)
        if not header:
            return
        self._told = True
        peer = request.peer or "a local socket"
        _log.warning(UNREAD if house.settings.trusted_proxies else UNDECLARED, peer, header)
        house.events.emit(
            Event(
                name=EventName.PROXY_UNDECLARED,
                address=request.peer,
                correlation=request.correlation,
                detail={"header": header, "setting": "trusted_proxies"},
            )
        )
        now = timestamp(house.clock.now())
        expires_at = now + KEPT.total_seconds()
        try:
            house.state.put(Space.SEEN, kept_under(house.keys), header.encode(), expires_at=expires_at, now=now)
        except Unavailable:
            _log.warning("what was noticed of the proxy could not be kept for imagin-gateway check")


def kept_under(keys: Keyring) -> str:
    """Return the name under which what was noticed is kept."""
    return keys.mac("proxy noticed", "undeclared") or ""
