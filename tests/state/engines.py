"""Fixtures that run a test on each engine of the ephemeral state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from imagin_gateway.state import open_store
from imagin_gateway.state.store import StateStore
from tests.state.servers import PrivateRedis


@pytest.fixture(scope="session")
def redis_server() -> Iterator[PrivateRedis]:
    """A server shared by the tests, each of which finds it empty."""
    server = PrivateRedis()
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "redis"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that returns the address of an empty store, on each engine."""
    numbers = count()
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/state{next(numbers)}.db"
    server: PrivateRedis = request.getfixturevalue("redis_server")

    def emptied() -> str:
        with server.client() as client:
            client.flushall()
        return server.url

    return emptied


@pytest.fixture
def url(fresh_url: Callable[[], str]) -> str:
    return fresh_url()


@pytest.fixture
def store(url: str) -> Iterator[StateStore]:
    opened = open_store(url)
    yield opened
    opened.close()
