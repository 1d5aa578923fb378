"""A node found through a cluster: it is killed, paused, or our slot moves elsewhere under our hands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest
import redis
from redis.crc import key_slot

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.redis import PREFIX, RedisStateStore
from imagin_gateway.state.store import Space, Swap
from tests.state.history import keeps_its_promises, observed, survives_pauses
from tests.state.servers import OUR_SLOT, SLOTS, PrivateRedis, RedisCluster, free_port, until
from tests.state.test_contract import CALLS
from tests.state.workers import END, NOW


@pytest.fixture
def nodes() -> Iterator[RedisCluster]:
    """A cluster whose nodes a test may kill; the last is the replica of the first, which has our slot."""
    started = RedisCluster(replica=True)
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def store(nodes: RedisCluster) -> Iterator[RedisStateStore]:
    opened = RedisStateStore(nodes.url, timeout=0.5)
    yield opened
    opened.close()


def answers(store: RedisStateStore) -> bool:
    try:
        store.put(Space.FLOW, "probe", b"", expires_at=END, now=NOW)
    except Unavailable:
        return False
    return True


def leads(store: RedisStateStore, node: PrivateRedis) -> bool:
    return store.in_charge() == f"127.0.0.1:{node.port}"


class Move:
    """Our slot on its way from one node to another, as an operator moves it."""

    def __init__(self, source: PrivateRedis, target: PrivateRedis) -> None:
        self._from, self._to = source, target
        self._ids = [self._do(server, "MYID").decode() for server in (source, target)]

    @staticmethod
    def _do(server: PrivateRedis, *words: str | int) -> bytes:
        with server.client() as client:
            answer: bytes = client.execute_command("CLUSTER", *words)
            return answer

    def begin(self) -> None:
        self._do(self._to, "SETSLOT", OUR_SLOT, "IMPORTING", self._ids[0])
        self._do(self._from, "SETSLOT", OUR_SLOT, "MIGRATING", self._ids[1])

    def carry(self, *keys: str) -> None:
        """Move keys, or all of them."""
        with self._from.client() as client:
            moved = list(keys) or [key.decode() for key in client.scan_iter(count=1000)]
            for key in moved:
                client.migrate("127.0.0.1", self._to.port, key, 0, 5000)

    def end(self) -> None:
        for server in (self._to, self._from):
            self._do(server, "SETSLOT", OUR_SLOT, "NODE", self._ids[1])


def test_all_our_keys_are_in_one_slot(store: RedisStateStore, nodes: RedisCluster) -> None:
    for call in CALLS.values():
        call(store)
    store.put(Space.SESSION, "}{", b"v", expires_at=END, now=NOW, indexes=["{x}"])
    with nodes.servers[0].client() as client:
        keys = list(client.scan_iter())
    assert len(keys) > 3
    assert {key_slot(key) for key in keys} == {OUR_SLOT}


def test_our_node_is_killed_and_the_same_store_goes_on_with_its_replica(
    nodes: RedisCluster, store: RedisStateStore
) -> None:
    ours, replica = nodes.servers[0], nodes.servers[3]
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    assert store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW) is True
    with ours.client() as client:
        assert client.wait(1, 5000) == 1
    ours.stop()
    for call in CALLS.values():
        with pytest.raises(Unavailable):
            call(store)
    until(lambda: answers(store), "the store goes on")
    assert store.in_charge() == f"127.0.0.1:{replica.port}"
    assert store.get(Space.SESSION, "s", now=NOW) == b"v"
    assert store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW) is False
    assert keeps_its_promises(store, nodes.empty) > 15


def test_our_node_is_paused_and_answers_nothing_wrong_when_it_comes_back(
    nodes: RedisCluster, store: RedisStateStore
) -> None:
    ours, replica = nodes.servers[0], nodes.servers[3]
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    with ours.client() as client:
        assert client.wait(1, 5000) == 1
    ours.pause()
    until(lambda: answers(store), "the store goes on with the replica")
    assert store.in_charge() == f"127.0.0.1:{replica.port}"
    assert store.delete_indexed(Space.SESSION, "i") == 1
    ours.go_on()
    for _ in range(200):
        assert store.get(Space.SESSION, "s", now=NOW) is None
    assert keeps_its_promises(store, nodes.empty) > 15


def test_our_node_is_paused_where_no_other_can_replace_it_and_nothing_runs_twice(cluster: RedisCluster) -> None:
    cluster.empty()
    with closing(RedisStateStore(cluster.url, timeout=0.2)) as store:
        survives_pauses(store, cluster.servers[0])
        cluster.until_well(3)
        assert keeps_its_promises(store, cluster.empty) > 15


def test_a_node_that_has_none_of_our_keys_may_die(nodes: RedisCluster, store: RedisStateStore) -> None:
    for node in nodes.servers:
        with node.client() as client:
            client.config_set("cluster-require-full-coverage", "no")
    assert answers(store)
    nodes.servers[1].stop()
    for node in nodes.servers[2:] + nodes.servers[:1]:
        with node.client() as client:
            client.execute_command("CLUSTER", "DELSLOTS", SLOTS - 1)  # nobody's any more
    until(lambda: answers(store), "the store goes on")
    assert store.in_charge() == f"127.0.0.1:{nodes.servers[0].port}"
    with closing(RedisStateStore(nodes.url, timeout=0.5)) as another:
        until(lambda: answers(another), "one that begins now does too")
    assert keeps_its_promises(store, nodes.empty) > 15


def test_the_whole_cluster_dies_and_the_store_begins_again_with_the_address(
    nodes: RedisCluster, store: RedisStateStore
) -> None:
    assert answers(store)
    for node in nodes.servers:
        node.stop()
    for call in CALLS.values():
        with pytest.raises(Unavailable):
            call(store)
    for node in nodes.servers:
        node.start()
    until(lambda: answers(store), "the store goes on")
    nodes.until_well(4)
    assert keeps_its_promises(store, nodes.empty) > 15


def test_every_node_is_replaced_and_the_store_finds_those_that_the_address_names() -> None:
    with closing(RedisCluster(masters=1)) as before, closing(RedisCluster(masters=1)) as after:
        before.start()
        ports = [cluster.servers[0].port for cluster in (before, after)]
        address = f"redis+cluster://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"
        with closing(RedisStateStore(address)) as store:
            assert answers(store)
            before.close()
            assert not answers(store)
            after.start()
            until(lambda: answers(store), "the store goes on")


def test_our_slot_moves_and_the_store_follows(cluster: RedisCluster) -> None:
    cluster.empty()
    ours, other, _ = cluster.servers
    with closing(RedisStateStore(cluster.url)) as store:
        for source, target in ((ours, other), (other, ours)):  # there, and back
            store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
            assert store.in_charge() == f"127.0.0.1:{source.port}"
            move = Move(source, target)
            move.begin()
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"
            move.carry()
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"  # the former says: ask there, this once
            move.end()
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"
            assert [record.key for record in store.find(Space.SESSION, "i", now=NOW)] == ["s"]
            until(partial(leads, store, target), "it knows")
            with closing(store.dedicated()) as client:
                assert client.connection_pool.connection_kwargs["port"] == target.port
                assert client.get(f"{PREFIX}:session:s") is not None
            assert keeps_its_promises(store, cluster.empty) > 15


def test_the_dedicated_client_of_a_node_that_lost_our_slot_says_so(cluster: RedisCluster) -> None:
    cluster.empty()
    ours, other, _ = cluster.servers
    with closing(RedisStateStore(cluster.url)) as store, closing(store.dedicated()) as client:
        assert client.get(f"{PREFIX}:number") is None
        for source, target in ((ours, other), (other, ours)):
            move = Move(source, target)
            move.begin()
            move.carry()
            move.end()
            if target is other:
                with pytest.raises(redis.exceptions.MovedError):
                    client.get(f"{PREFIX}:number")


@pytest.mark.parametrize("gone", ["index:session:i", "index:session:j", "number"])
def test_while_our_slot_moves_a_change_is_whole_or_none(cluster: RedisCluster, gone: str) -> None:
    cluster.empty()
    ours, other, _ = cluster.servers
    with closing(RedisStateStore(cluster.url)) as store:
        store.put(Space.SESSION, "s", b"old", expires_at=NOW + 10, now=NOW, indexes=["i", "j"])
        move = Move(ours, other)
        move.begin()
        move.carry(f"{PREFIX}:{gone}")
        writes: list[Callable[[], object]] = [
            lambda: store.put(Space.SESSION, "s", b"new", expires_at=NOW + 20, now=NOW, indexes=["j", "i"]),
            lambda: store.put(Space.SESSION, "t", b"new", expires_at=NOW + 20, now=NOW, indexes=["i", "j"]),
        ]
        if gone != "number":  # which a swap does not need
            writes.append(lambda: store.swap(Space.SESSION, [Swap("s", b"old", b"new", NOW + 20)], now=NOW))
        for write in writes:
            with pytest.raises(Unavailable):
                write()
        assert store.get(Space.SESSION, "s", now=NOW) == b"old"
        move.carry()
        move.end()
        until(lambda: answers(store), "the store goes on")
        for index in ("i", "j"):
            assert [record.value for record in store.find(Space.SESSION, index, now=NOW)] == [b"old"]
        assert store.delete_indexed(Space.SESSION, "i") == 1
        assert store.get(Space.SESSION, "s", now=NOW) is None
        back = Move(other, ours)
        back.begin()
        back.carry()
        back.end()
        assert keeps_its_promises(store, cluster.empty) > 15


def test_our_node_fails_over_by_order_under_load_and_nothing_is_admitted_twice(
    nodes: RedisCluster, store: RedisStateStore
) -> None:
    replica = nodes.servers[3]
    with observed(store) as history:
        until(lambda: history.answered > 20, "the store is at work")
        with replica.client() as client:
            until(
                lambda: client.info("replication")["role"] == "master",
                "the replica leads",
                ask=lambda: client.execute_command("CLUSTER", "FAILOVER"),
                every=6.0,  # the nodes give it up after five
            )
        history.reset()
        until(lambda: history.answered > 20, "the store is at work again")
    until(lambda: store.in_charge() == f"127.0.0.1:{replica.port}", "it knows who is in charge")


def test_a_server_that_is_no_cluster_is_unavailable() -> None:
    alone = PrivateRedis(port=free_port())
    try:
        alone.start()
        with closing(RedisStateStore(f"redis+cluster://127.0.0.1:{alone.port}")) as store:
            for call in CALLS.values():
                with pytest.raises(Unavailable):
                    call(store)
            with pytest.raises(Unavailable):
                store.in_charge()
            with pytest.raises(Unavailable):
                store.dedicated()
    finally:
        alone.close()


def test_a_forked_child_finds_our_node_itself(cluster: RedisCluster) -> None:
    with closing(RedisStateStore(cluster.url)) as store:
        store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
        child = os.fork()
        if child == 0:  # pragma: no cover  # another process: coverage does not follow
            os._exit(0 if all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200)) else 1)
        assert all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
