"""A master found through Sentinels: it is killed, demoted, isolated; who is in charge is never taken for granted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from imagin_gateway.errors import Unavailable
from imagin_gateway.state import connecting
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.store import Space
from tests.state.history import keeps_its_promises, observed, survives_pauses
from tests.state.servers import MASTER, SentinelledRedis, until
from tests.state.test_contract import CALLS
from tests.state.workers import END, NOW


@pytest.fixture
def servers() -> Iterator[SentinelledRedis]:
    """Servers that a test may kill."""
    started = SentinelledRedis()
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def store(servers: SentinelledRedis) -> Iterator[RedisStateStore]:
    opened = RedisStateStore(servers.url, timeout=0.5)
    yield opened
    opened.close()


def answers(store: RedisStateStore) -> bool:
    try:
        store.put(Space.FLOW, "probe", b"", expires_at=END, now=NOW)
    except Unavailable:
        return False
    return True


def elsewhere(store: RedisStateStore, former: str) -> bool:
    try:
        return store.in_charge() != former
    except Unavailable:
        return False


def watch_another(servers: SentinelledRedis, port: int) -> None:
    """Let every Sentinel name the server of this port, as after a failover that the former master knows nothing of."""
    for sentinel in servers.sentinels:
        with sentinel.client() as client:
            client.sentinel_remove(MASTER)
            client.sentinel_monitor(MASTER, "127.0.0.1", port, 2)


def test_the_master_is_killed_and_the_same_store_goes_on_with_the_replica(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    master, replica = servers.servers
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    assert store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW) is True
    former = store.in_charge()
    with master.client() as client:
        assert client.wait(1, 5000) == 1  # the replica has it all
    master.stop()
    for call in CALLS.values():
        with pytest.raises(Unavailable):
            call(store)
    until(lambda: answers(store), "the store goes on")
    assert store.in_charge() == f"127.0.0.1:{replica.port}" != former
    assert store.get(Space.SESSION, "s", now=NOW) == b"v"
    assert [record.key for record in store.find(Space.SESSION, "i", now=NOW)] == ["s"]
    assert store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW) is False
    assert keeps_its_promises(store, servers.empty) > 15


def test_the_master_is_paused_and_nobody_reads_it_when_it_comes_back(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    master, _ = servers.servers
    former = store.in_charge()
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    with master.client() as client:
        assert client.wait(1, 5000) == 1
    master.pause()
    until(lambda: elsewhere(store, former) and answers(store), "the replica leads")
    assert store.delete_indexed(Space.SESSION, "i") == 1
    master.go_on()
    for _ in range(200):
        assert store.get(Space.SESSION, "s", now=NOW) is None
    assert keeps_its_promises(store, servers.empty) > 15


def test_the_master_is_paused_for_too_short_to_be_replaced_and_nothing_runs_twice(servers: SentinelledRedis) -> None:
    for sentinel in servers.sentinels:
        with sentinel.client() as client:
            client.sentinel_set(MASTER, "down-after-milliseconds", 120_000)
    with closing(RedisStateStore(servers.url, timeout=0.2)) as store:
        former = store.in_charge()
        survives_pauses(store, servers.servers[0])
        assert store.in_charge() == former
        assert keeps_its_promises(store, servers.empty) > 15


def test_a_switch_ordered_under_load_makes_the_store_unavailable_for_a_while(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    former = store.in_charge()
    with observed(store, lossy=True) as history:
        until(lambda: history.answered > 20, "the store is at work")
        with servers.sentinels[0].client() as sentinel:
            sentinel.sentinel_failover(MASTER)
        with servers.servers[0].client() as client:
            until(lambda: client.info("replication")["role"] == "slave", "the former master follows")
        until(lambda: elsewhere(store, former), "another is in charge")
        history.reset()
        until(lambda: history.answered > 20, "the store is at work again")
    assert keeps_its_promises(store, servers.empty) > 15


def test_what_the_replica_had_not_received_is_lost_and_that_alone(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    """The limit that the documentation states: replication is asynchronous."""
    master, replica = servers.servers
    assert store.put_if_absent(Space.REPLAY, "arrived", b"", expires_at=END, now=NOW)
    with master.client() as client:
        assert client.wait(1, 5000) == 1
    replica.pause()
    with master.client() as client:
        client.client_kill_filter(_type="replica")
    assert store.put_if_absent(Space.REPLAY, "late", b"", expires_at=END, now=NOW)
    master.stop()
    replica.go_on()
    until(lambda: answers(store), "the store goes on")
    assert store.put_if_absent(Space.REPLAY, "arrived", b"", expires_at=END, now=NOW) is False
    assert store.put_if_absent(Space.REPLAY, "late", b"", expires_at=END, now=NOW) is True


def test_a_master_that_wants_its_replica_admits_nothing_that_would_be_lost_for_long(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    master, replica = servers.servers
    assert len(store.warnings()) == 1
    with master.client() as client:
        client.config_set("min-replicas-max-lag", 1)
        client.config_set("min-replicas-to-write", 1)
        assert store.warnings() == []
        replica.stop()
        until(lambda: not answers(store), "the master takes nothing more")


def test_a_master_that_was_replaced_and_goes_on_answering_is_left_within_a_second(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    former, replica = servers.servers
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW)
    with former.client() as client:
        assert client.wait(1, 5000) == 1
    with replica.client() as client:
        client.replicaof("NO", "ONE")
        client.flushall()  # somebody logged out, at the new master
    watch_another(servers, replica.port)
    until(lambda: store.get(Space.SESSION, "s", now=NOW) is None, "the store reads the new master")
    assert store.in_charge() == f"127.0.0.1:{replica.port}"
    with former.client() as client:
        assert client.info("replication")["role"] == "master"  # it would have answered still


def test_a_master_demoted_by_hand_is_left_at_its_first_refusal(
    servers: SentinelledRedis, store: RedisStateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "BELIEVED", 1000.0)
    former, replica = servers.servers
    assert answers(store)
    with former.client() as one, replica.client() as other:
        other.replicaof("NO", "ONE")
        one.replicaof("127.0.0.1", replica.port)
    assert not answers(store)
    with pytest.raises(Unavailable):
        store.get(Space.FLOW, "probe", now=NOW)  # the Sentinels name it still, but nobody reads a replica
    watch_another(servers, replica.port)
    until(lambda: answers(store), "the store goes on")
    assert store.in_charge() == f"127.0.0.1:{replica.port}"


def test_a_replica_that_sentinels_name_is_not_taken_for_a_master(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    _, replica = servers.servers
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW)
    watch_another(servers, replica.port)

    def left() -> bool:
        try:
            # From the master, until the Sentinels are asked again.
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"
        except Unavailable:
            return True
        return False

    until(left, "the master is not believed any more")
    with closing(RedisStateStore(servers.url)) as other:
        for call in CALLS.values():
            with pytest.raises(Unavailable):
                call(other)
        with closing(other.dedicated()) as client, pytest.raises(redis.ConnectionError):
            client.ping()


def test_with_one_sentinel_left_the_master_is_found(servers: SentinelledRedis) -> None:
    for sentinel in servers.sentinels[:2]:
        sentinel.stop()
    with closing(RedisStateStore(servers.url, timeout=0.5)) as store:
        assert answers(store)


def test_without_any_sentinel_a_new_store_finds_nobody(servers: SentinelledRedis, store: RedisStateStore) -> None:
    assert answers(store)
    for sentinel in servers.sentinels:
        sentinel.stop()
    assert answers(store)  # it knew the master a moment ago
    with closing(RedisStateStore(servers.url, timeout=0.5)) as other:
        for call in CALLS.values():
            with pytest.raises(Unavailable):
                call(other)
        with pytest.raises(Unavailable):
            other.in_charge()
        with pytest.raises(Unavailable):
            other.dedicated()


def test_the_dedicated_client_is_of_the_master_alone_and_new_each_time(
    servers: SentinelledRedis, store: RedisStateStore
) -> None:
    with closing(store.dedicated()) as one, closing(store.dedicated()) as other:
        assert one is not other
        assert one.connection_pool is not other.connection_pool
        assert one.connection_pool.connection_kwargs["port"] == servers.servers[0].port
        assert one.client_id() != other.client_id()
        servers.servers[0].stop()
        with pytest.raises(redis.ConnectionError):
            one.ping()
    until(lambda: answers(store), "the store goes on")
    with closing(store.dedicated()) as after:
        assert after.connection_pool.connection_kwargs["port"] == servers.servers[1].port
        assert after.ping()


def test_passwords_of_the_servers_and_of_the_sentinels_are_each_ones_own() -> None:
    servers = SentinelledRedis(password="for-servers", sentinel_password="for-sentinels")
    try:
        servers.start()
        with closing(RedisStateStore(servers.url)) as store:
            assert answers(store)
            with closing(store.dedicated()) as client:
                assert client.ping()
        for right, wrong in (("for-servers", "other"), ("for-sentinels", "for-servers")):
            with closing(RedisStateStore(servers.url.replace(right, wrong))) as store:
                assert not answers(store)
    finally:
        servers.close()


def test_a_forked_child_finds_the_master_itself(sentinelled: SentinelledRedis) -> None:
    with closing(RedisStateStore(sentinelled.url)) as store:
        store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
        child = os.fork()
        if child == 0:  # pragma: no cover  # another process: coverage does not follow
            os._exit(0 if all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200)) else 1)
        assert all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
