"""What a server says of its own settings, and what `check` is to make of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.endangering import endangering
from imagin_gateway.state.redis import RedisStateStore
from tests.state.servers import PrivateRedis, RedisCluster, free_port


@pytest.fixture
def server() -> Iterator[PrivateRedis]:
    started = PrivateRedis()
    started.start()
    yield started
    started.close()


def said(store: RedisStateStore) -> list[str]:
    problems = store.warnings()
    assert all(problem.key == "state.url" and problem.remedy for problem in problems)
    return [problem.message for problem in problems]


def test_a_server_as_it_comes_endangers_nothing(server: PrivateRedis) -> None:
    with closing(RedisStateStore(server.url)) as store:
        assert said(store) == []


@pytest.mark.parametrize(
    ("policy", "forgets"),
    [
        ("noeviction", False),
        ("allkeys-lru", True),
        ("allkeys-random", True),
        ("volatile-lru", True),
        ("volatile-ttl", True),
    ],
)
def test_a_server_that_makes_room_by_forgetting_endangers_the_state(
    server: PrivateRedis, policy: str, forgets: bool
) -> None:
    with closing(RedisStateStore(server.url)) as store, server.client() as client:
        client.config_set("maxmemory-policy", policy)
        assert said(store) == []  # without a limit, nothing is forgotten
        client.config_set("maxmemory", "100mb")
        assert [True for message in said(store) if "oublie" in message] == [True] * forgets


def test_a_replica_is_no_place_to_write(server: PrivateRedis) -> None:
    with closing(RedisStateStore(server.url)) as store, server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        assert ["réplique" in message for message in said(store)] == [True]


def test_a_cluster_tells_of_the_node_that_has_our_keys(cluster: RedisCluster) -> None:
    ours, other, _ = cluster.servers
    with closing(RedisStateStore(cluster.url)) as store, ours.client() as client, other.client() as stranger:
        stranger.config_set("maxmemory-policy", "allkeys-lru")
        stranger.config_set("maxmemory", "100mb")
        assert said(store) == []
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "100mb")
        assert len(said(store)) == 1
        for each in (client, stranger):
            each.config_set("maxmemory", 0)
            each.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("version", "old"),
    [("5.0.14", True), ("4.9", True), ("6.0.0", False), ("6.2.14", False), ("10.1.0", False), ("", False)],
)
def test_an_old_server_lacks_what_we_need(version: str, old: bool) -> None:
    assert bool(endangering({"redis_version": version}, fails_over=False)) is old


def test_a_server_that_tells_nothing_endangers_nothing() -> None:
    assert endangering({}, fails_over=True) == []


def test_a_server_that_does_not_answer_is_unavailable(server: PrivateRedis) -> None:
    server.stop()
    with closing(RedisStateStore(server.url)) as store, pytest.raises(Unavailable):
        store.warnings()
