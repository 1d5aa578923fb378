"""How often a password may be tried, and a link asked for.

Three counts, in the shared store: failures of an account over 24 hours, failures
of a network (an IPv4 address, an IPv6 /64), failures of everybody. An account's
delay grows with its failures; within it nothing is evaluated, not even the right
password, and the answer is that of a failure (row THR-03). A network over its
limit is told to wait. When everybody's failures rise (one password tried on many
accounts from many places), no one is shut out: each network's share shrinks.

The longest delay is bounded, and a reset link works meanwhile (row THR-06).
"""

from __future__ import annotations

import ipaddress
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import digest, new_token
from imagin_gateway.state.store import Record, Space, StateStore

DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 0, 5, 30, 90, 180, 300, 600, 1200, 2400, 5400))
"""Delay after n failures within `ACCOUNT_WINDOW`; the last one holds for more."""

ACCOUNT_FAILURES: Final = 25
"""Failures of one account within `ACCOUNT_WINDOW` (CNIL délibération 2022-100, row THR-01)."""

ACCOUNT_WINDOW: Final = timedelta(hours=24)

LOCK_AFTER: Final = 100
"""Failures in a row after which only a reset link or a new letter opens an account (NIST SP 800-63B-4 §3.2.2)."""

MEMORY: Final = timedelta(days=30)
"""How long failures in a row are remembered."""

NETWORK_FAILURES: Final = 50
"""Failures of one network within `NETWORK_WINDOW`, after which it waits for as long: a school has one address."""

NETWORK_WINDOW: Final = timedelta(minutes=10)

ALARM_FAILURES: Final = 1000
"""Failures of everybody within `NETWORK_WINDOW` that raise the alarm, for as long."""

NETWORK_FAILURES_IN_ALARM: Final = 5

LINKS_PER_ACCOUNT: Final = 3
"""Reset links mailed to one account within `LINKS_WINDOW`; the last one stays good."""

LINKS_PER_NETWORK: Final = 30

LINKS_WINDOW: Final = timedelta(hours=1)

_log = logging.getLogger("imagin_gateway.local")


class NetworkThrottled(Refused):
    """Too many tries from one network. `retry_after` is in seconds."""

    code = Code.NETWORK_THROTTLED

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many tries from one network")
        self.retry_after = retry_after


def network_of(address: str) -> str:
    """Return the network an address is counted under; every unreadable address is one network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))


def delay_after(failures: int) -> timedelta:
    """Return how long an account waits after its last failure."""
    return DELAYS[min(failures, len(DELAYS) - 1)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that may be evaluated. It already counts as a failure: only success takes it away.

    Attributes:
        record: key of its record.
    """

    record: str


class Throttle:
    """Counts attempts.

    Args:
        state: the shared store; its failure is `Unavailable`, and refuses.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state

    # -- one account ---------------------------------------------------------

    def begin(self, account: str, now: datetime) -> Attempt | None:
        """Count an attempt on an account, existing or not, and return it; None within a delay: evaluate nothing.

        Counted before it is evaluated, then counted again together with those that
        began meanwhile: tries in parallel gain nothing.
        """
        index = _key("failures", account)
        at = timestamp(now)
        if _delayed(self._state.find(Space.COUNTER, index, now=at), now):
            return None
        attempt = Attempt(digest(new_token()))
        self._state.put(
            Space.COUNTER,
            attempt.record,
            str(at).encode(),
            expires_at=at + ACCOUNT_WINDOW.total_seconds(),
            now=at,
            indexes=[index],
        )
        others = [record for record in self._state.find(Space.COUNTER, index, now=at) if record.key != attempt.record]
        if _delayed(others, now):
            self.withdraw(attempt)
            return None
        return attempt

    def withdraw(self, attempt: Attempt) -> None:
        """Take back an attempt that was not evaluated."""
        self._state.delete(Space.COUNTER, attempt.record)

    def failed(self, account: str, now: datetime) -> bool:
        """Note that an attempt was evaluated and failed; tell whether the account is now to be locked."""
        at = timestamp(now)
        in_a_row = self._state.increment(
            Space.COUNTER, _key("in a row", account), expires_at=at + MEMORY.total_seconds(), now=at
        )
        return in_a_row >= LOCK_AFTER

    def clear(self, account: str) -> None:
        """Forget the failures of one account, after a success or a reset."""
        self._state.delete_indexed(Space.COUNTER, _key("failures", account))
        self._state.delete(Space.COUNTER, _key("in a row", account))

    # -- one network, and all of them ----------------------------------------

    def admit(self, address: str, now: datetime) -> None:
        """Refuse a network that must wait. Raises `NetworkThrottled`."""
        at = timestamp(now)
        until = self._state.get(Space.COUNTER, _key("waits", network_of(address)), now=at)
        if until is not None:
            raise NetworkThrottled(max(1, math.ceil(float(until) - at)))

    def failed_from(self, address: str, now: datetime) -> None:
        """Count a failure of a network."""
        at = timestamp(now)
        until = at + NETWORK_WINDOW.total_seconds()
        network = network_of(address)
        everybody = self._state.increment(Space.COUNTER, _key("everybody", ""), expires_at=until, now=at)
        if everybody == ALARM_FAILURES:
            _log.warning("password failures rise everywhere: each network's share shrinks")
            self._state.put(Space.COUNTER, _key("alarm", ""), b"1", expires_at=until, now=at)
        alarm = self._state.get(Space.COUNTER, _key("alarm", ""), now=at) is not None
        count = self._state.increment(Space.COUNTER, _key("network", network), expires_at=until, now=at)
        if count >= (NETWORK_FAILURES_IN_ALARM if alarm else NETWORK_FAILURES):
            self._state.put(Space.COUNTER, _key("waits", network), str(until).encode(), expires_at=until, now=at)

    # -- reset links ---------------------------------------------------------

    def may_ask(self, account: str, address: str, now: datetime) -> bool:
        """Count a request for a link; tell whether it is within the account's share.

        Asking counts for nothing in the account's failures, and never locks it.

        Raises:
            NetworkThrottled: it is over the network's share.
        """
        at = timestamp(now)
        until = at + LINKS_WINDOW.total_seconds()
        network = _key("links of network", network_of(address))
        if self._state.increment(Space.COUNTER, network, expires_at=until, now=at) > LINKS_PER_NETWORK:
            raise NetworkThrottled(int(LINKS_WINDOW.total_seconds()))
        links = self._state.increment(Space.COUNTER, _key("links", account), expires_at=until, now=at)
        return links <= LINKS_PER_ACCOUNT


def _key(use: str, of: str) -> str:
    return digest(f"throttle\x00{use}\x00{of}")


def _delayed(failures: list[Record], now: datetime) -> bool:
    if len(failures) >= ACCOUNT_FAILURES:
        return True
    last = max((float(record.value) for record in failures), default=-math.inf)
    return timestamp(now) < last + delay_after(len(failures)).total_seconds()
