from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.sessions.registry import SessionRegistry
from tests.clock import ManualClock
from tests.sessions.people import CountingStore
from tests.state.engines import fresh_url, redis_server, store, url

__all__ = ["fresh_url", "redis_server", "store", "url"]

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=10)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keyring() -> Keyring:
    return Keyring([Secret("signing key of the tests, 32 bytes and more")])


@pytest.fixture
def counted(store: object) -> CountingStore:
    """The store of each engine, counting what is asked of it."""
    return CountingStore(store)


@pytest.fixture
def registry(counted: CountingStore, keyring: Keyring, clock: ManualClock) -> Iterator[SessionRegistry]:
    opened = SessionRegistry(counted.as_store, keyring, clock, IDLE, ABSOLUTE)
    yield opened
    opened.close()
