"""Fixtures that run a test on each engine of the ephemeral state.

A test runs on SQLite and on one Redis. With `on(...)` it names others: `sentinel`, a master found through
its Sentinels; `cluster`, a node found through a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from imagin_gateway.state import open_store
from imagin_gateway.state.store import StateStore
from tests.state.servers import PrivateRedis, RedisCluster, SentinelledRedis

EVERY_ENGINE = ("sqlite", "redis", "sentinel", "cluster")


def on(*engines: str) -> pytest.MarkDecorator:
    """Return the mark of tests that run on these engines."""
    return pytest.mark.parametrize("fresh_url", engines, indirect=True)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[PrivateRedis]:
    """A server shared by the tests, each of which finds it empty."""
    server = PrivateRedis()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def sentinelled() -> Iterator[SentinelledRedis]:
    """A master behind Sentinels, shared as `redis_server` is."""
    servers = SentinelledRedis()
    servers.start()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[RedisCluster]:
    """A cluster, shared as `redis_server` is."""
    servers = RedisCluster()
    servers.start()
    yield servers
    servers.close()


@pytest.fixture(params=["sqlite", "redis"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that returns the address of an empty store, on each engine."""
    numbers = count()
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/state{next(numbers)}.db"
    fixture = {"redis": "redis_server", "sentinel": "sentinelled", "cluster": "cluster"}[request.param]
    server: PrivateRedis | SentinelledRedis | RedisCluster = request.getfixturevalue(fixture)

    def emptied() -> str:
        server.empty()
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
