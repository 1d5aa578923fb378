"""The share of one network: what anybody may ask for, and leaves a record of ours, is bounded by where it comes from.

A large school is one address, so the bounds are those of many people at once.
"""

from __future__ import annotations

from datetime import timedelta

from imagin_gateway.clock import timestamp
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.keys import digest
from imagin_gateway.local.throttle import NetworkThrottled, network_of
from imagin_gateway.state.store import Space


def count(house: House, visit: Visit, what: str, most: int, life: timedelta) -> None:
    """Count one more request of this network, and refuse it beyond its share.

    Args:
        house: keeps the count, for every process.
        visit: where it comes from.
        what: is counted, apart from everything else.
        most: requests heard within `life`.
        life: from the first of them on.

    Raises:
        NetworkThrottled: there were so many.
    """
    now = timestamp(house.clock.now())
    key = digest(f"{what}\x00{network_of(visit.request.address)}")
    ends = now + life.total_seconds()
    if house.state.increment(Space.COUNTER, key, expires_at=ends, now=now) > most:
        raise NetworkThrottled(int(life.total_seconds()))
