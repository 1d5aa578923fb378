"""How often a password may be tried, and a link asked for.

Three counts, in the shared store: failures of an account over 24 hours, failures
of a network (an IPv4 address, an IPv6 /64), failures of everybody. An account's
delay grows with its failures; within it nothing is evaluated, not even the right
password, and the answer is that of a failure (row THR-03). A network over its
limit is told to wait. When everybody's failures rise (one password tried on many
accounts from many places), no one is shut out: each network's share shrinks.

Somebody attacking an account cannot keep its owner out (row THR-06): a part of the
tries is kept for the browsers the account is known to (`clients`), which neither the
account's delay nor its network's reaches; a reset link works meanwhile, and makes
the browser that used it a known one. [Decision 0043]
"""

from __future__ import annotations

import ipaddress
import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import digest, new_token
from imagin_gateway.local.dossier import Failures
from imagin_gateway.state.store import Record, Space, StateStore

DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 0, 0, 5, 30, 90, 180, 300, 600, 1200, 2400, 5400))
"""Delay after n failures within `ACCOUNT_WINDOW`; the last one holds for more."""

ACCOUNT_FAILURES: Final = 25
"""Failures of one account within `ACCOUNT_WINDOW` (CNIL délibération 2022-100, row THR-01)."""

KNOWN_FAILURES: Final = 5
"""Those of them that are kept for the browsers the account is known to."""

ACCOUNT_WINDOW: Final = timedelta(hours=24)

MOST_IN_A_ROW: Final = 100
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


def of_second_step(account: str) -> str:
    """Return the name under which tries of the second step of an account count: apart from those of its password."""
    # No identifier holds a NUL: these counts are never those of a password.
    return f"{account}\x00second factor"


def delay_after(failures: int) -> timedelta:
    """Return how long an account waits after its last failure."""
    return DELAYS[min(failures, len(DELAYS) - 1)]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that may be evaluated. It already counts as a failure: only success takes it away.

    Attributes:
        record: key of its record.
        known: it comes from a browser the account is known to.
    """

    record: str
    known: bool = False


class Throttle:
    """Counts attempts.

    Args:
        state: the shared store; its failure is `Unavailable`, and refuses.
        lock: lock the account instead of making it wait; a link or a letter opens it again.
        in_a_row: failures in a row after which it is locked, in either mode.
    """

    def __init__(self, state: StateStore, *, lock: bool = False, in_a_row: int = MOST_IN_A_ROW) -> None:
        self._state = state
        self._lock = lock
        self._in_a_row = in_a_row

    # -- one account ---------------------------------------------------------

    def begin(self, account: str, now: datetime, *, known: bool = False) -> Attempt | None:
        """Count an attempt on an account, existing or not, and return it; None within a delay: evaluate nothing.

        Counted before it is evaluated, then counted again together with those that
        began meanwhile: tries in parallel gain nothing.
        """
        index = self._index(account, known)
        at = timestamp(now)
        if self._delayed(self._state.find(Space.COUNTER, index, now=at), now, known):
            return None
        attempt = Attempt(digest(new_token()), known)
        self._state.put(
            Space.COUNTER,
            attempt.record,
            str(at).encode(),
            expires_at=at + (MEMORY if self._lock else ACCOUNT_WINDOW).total_seconds(),
            now=at,
            indexes=[index],
        )
        others = [record for record in self._state.find(Space.COUNTER, index, now=at) if record.key != attempt.record]
        if self._delayed(others, now, known):
            self.withdraw(attempt)
            return None
        return attempt

    def _index(self, account: str, known: bool) -> str:
        # A lock closes the account to everybody: one count.
        return _key("failures of known" if known and not self._lock else "failures", account)

    def _delayed(self, failures: list[Record], now: datetime, known: bool) -> bool:
        if self._lock:
            return len(failures) >= self._in_a_row
        if len(failures) >= (KNOWN_FAILURES if known else ACCOUNT_FAILURES - KNOWN_FAILURES):
            return True
        last = max((float(record.value) for record in failures), default=-math.inf)
        return timestamp(now) < last + delay_after(len(failures)).total_seconds()

    def withdraw(self, attempt: Attempt) -> None:
        """Take back an attempt that was not evaluated."""
        self._state.delete(Space.COUNTER, attempt.record)

    def failed(self, account: str, now: datetime) -> bool:
        """Note that an attempt was evaluated and failed; tell whether the account is now to be locked."""
        at = timestamp(now)
        in_a_row = self._state.increment(
            Space.COUNTER, _key("in a row", account), expires_at=at + MEMORY.total_seconds(), now=at
        )
        return in_a_row >= self._in_a_row

    def succeeded(self, account: str, attempt: Attempt, now: datetime) -> int:
        """Forget failures after a success, and return how many there were.

        Those of strangers stay when a known browser comes in: else each visit of the
        owner would give whoever attacks the account its tries back.
        """
        ours, theirs = self._index(account, attempt.known), self._index(account, not attempt.known)
        at = timestamp(now)
        found = {record.key for index in (ours, theirs) for record in self._state.find(Space.COUNTER, index, now=at)}
        if found == {attempt.record}:
            # By far the most common: one write to the store, and no more.
            self.withdraw(attempt)
        else:
            for index in (ours,) if attempt.known else (ours, theirs):
                self._state.delete_indexed(Space.COUNTER, index)
        in_a_row = _key("in a row", account)
        if self._state.get(Space.COUNTER, in_a_row, now=at) is not None:
            self._state.delete(Space.COUNTER, in_a_row)
        return len(found - {attempt.record})

    def clear(self, account: str) -> None:
        """Forget every failure of one account: a link was used."""
        for known in (False, True):
            self._state.delete_indexed(Space.COUNTER, self._index(account, known))
        self._state.delete(Space.COUNTER, _key("in a row", account))

    def forgive(self, account: str) -> None:
        """Forget the failures of its second step, too, which lock it as well: somebody who knows its owner helped."""
        self.clear(account)
        self.clear(of_second_step(account))

    def failures(self, account: str, now: datetime) -> Failures:
        """Return what counts against one account; counts nothing."""
        at = timestamp(now)
        found = {
            record.key: record
            for known in (False, True)
            for record in self._state.find(Space.COUNTER, self._index(account, known), now=at)
        }
        if not found:
            return Failures()
        strangers = self._state.find(Space.COUNTER, self._index(account, False), now=at)
        last = max(float(record.value) for record in found.values())
        return Failures(
            count=len(found),
            last=datetime.fromtimestamp(last, UTC),
            waits=self._delayed(strangers, now, False),
        )

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

    def may_ask(self, account: str, address: str, now: datetime, *, what: str = "links") -> bool:
        """Count a request for a mail with a link, or with `what`; tell whether it is within the account's share.

        Asking counts for nothing in the account's failures, and never locks it.

        Raises:
            NetworkThrottled: it is over the network's share.
        """
        at = timestamp(now)
        until = at + LINKS_WINDOW.total_seconds()
        network = _key(f"{what} of network", network_of(address))
        ends = _key(f"{what} of network end", network_of(address))
        asked = self._state.increment(Space.COUNTER, network, expires_at=until, now=at)
        if asked == 1:
            # A count does not tell its own end, and a whole school reads how long it has to wait.
            self._state.put(Space.COUNTER, ends, str(until).encode(), expires_at=until, now=at)
        elif asked > LINKS_PER_NETWORK:
            told = self._state.get(Space.COUNTER, ends, now=at)
            raise NetworkThrottled(max(1, math.ceil((until if told is None else float(told)) - at)))
        links = self._state.increment(Space.COUNTER, _key(what, account), expires_at=until, now=at)
        return links <= LINKS_PER_ACCOUNT


def _key(use: str, of: str) -> str:
    return digest(f"throttle\x00{use}\x00{of}")
