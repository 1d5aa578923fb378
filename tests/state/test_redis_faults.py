"""A Redis that is restarted, paused, filled, or refuses: no operation answers wrongly, and the same store goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest
import redis

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.store import Space, StateStore, Swap
from tests.state.history import keeps_its_promises, observed, survives_pauses
from tests.state.servers import PrivateRedis, free_port, until
from tests.state.test_contract import CALLS
from tests.state.workers import END, NOW

pytestmark = pytest.mark.fault

READS = {name: CALLS[name] for name in ("get", "ping", "purge")}
WRITES = {name: CALLS[name] for name in ("put", "put_if_absent", "increment")}


@contextmanager
def server_with(*options: str, port: int = 0, password: str = "") -> Iterator[PrivateRedis]:
    server = PrivateRedis(*options, port=port, password=password)
    try:
        server.start()
        yield server
    finally:
        server.close()


def answers(store: StateStore) -> bool:
    try:
        store.ping()
    except Unavailable:
        return False
    return True


def refused(call: Callable[[StateStore], object], store: StateStore) -> str:
    with pytest.raises(Unavailable) as caught:
        call(store)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    return str(caught.value)


def test_killed_and_started_again_with_its_log_it_has_lost_nothing() -> None:
    with (
        server_with("appendonly yes", "appendfsync always") as server,
        closing(RedisStateStore(server.url)) as store,
    ):
        store.put(Space.SESSION, "before", b"v", expires_at=END, now=NOW, indexes=["i"])
        with observed(store) as history:
            for _ in range(3):
                until(lambda: history.answered > 20, "the store is at work")
                server.stop()
                history.reset()
                until(lambda: history.unavailable > 20, "the store is unavailable")
                server.start()
                history.reset()
            until(lambda: history.answered > 20, "the store is at work again")
        assert [record.key for record in store.find(Space.SESSION, "i", now=NOW)] == ["before"]
        assert keeps_its_promises(store, server.empty) > 15


def test_killed_and_started_again_without_disk_it_has_lost_all_and_serves() -> None:
    with server_with() as server, closing(RedisStateStore(server.url)) as store:
        store.put(Space.SESSION, "before", b"v", expires_at=END, now=NOW, indexes=["i"])
        server.stop()
        for call in CALLS.values():
            refused(call, store)
        server.start()
        assert store.get(Space.SESSION, "before", now=NOW) is None
        assert store.find(Space.SESSION, "i", now=NOW) == []
        assert keeps_its_promises(store, server.empty) > 15


def test_paused_it_is_unavailable_and_afterwards_nothing_has_run_twice() -> None:
    with server_with() as server, closing(RedisStateStore(server.url, timeout=0.2)) as store:
        survives_pauses(store, server)
        assert keeps_its_promises(store, server.empty) > 15


def test_filled_it_takes_nothing_more_and_still_gives_and_ends_what_it_holds() -> None:
    with server_with("maxmemory-policy noeviction") as server, closing(RedisStateStore(server.url)) as store:
        store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
        store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW)
        with server.client() as client:
            client.config_set("maxmemory", 1)
            for call in WRITES.values():
                refused(call, store)
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"
            assert [record.key for record in store.find(Space.SESSION, "i", now=NOW)] == ["s"]
            assert store.get(Space.REPLAY, "r", now=NOW) == b""
            assert store.delete_indexed(Space.SESSION, "i") == 1
            assert store.get(Space.SESSION, "s", now=NOW) is None
            client.config_set("maxmemory", 0)
        assert keeps_its_promises(store, server.empty) > 15


def test_what_a_full_server_refuses_is_not_half_done() -> None:
    with server_with("maxmemory-policy noeviction") as server, closing(RedisStateStore(server.url)) as store:
        store.put(Space.SESSION, "s", b"old", expires_at=END, now=NOW, indexes=["i", "j"])
        with server.client() as client:
            client.config_set("maxmemory", 1)
        refused(lambda store: store.put(Space.SESSION, "s", b"new", expires_at=END, now=NOW, indexes=["i"]), store)
        refused(lambda store: store.swap(Space.SESSION, [Swap("s", b"old", b"new", END)], now=NOW), store)
        for index in ("i", "j"):
            assert [record.value for record in store.find(Space.SESSION, index, now=NOW)] == [b"old"]


def test_a_server_that_cannot_save_takes_nothing_more() -> None:
    with server_with("save 3600 1") as server, closing(RedisStateStore(server.url)) as store:
        store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW)
        with server.client() as client:
            gone = server.folder / "gone"
            gone.mkdir()
            client.config_set("dir", str(gone))
            gone.rmdir()
            client.bgsave()
            until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "it could not save")
            for call in WRITES.values():
                refused(call, store)
            assert store.get(Space.SESSION, "s", now=NOW) == b"v"
            client.config_set("stop-writes-on-bgsave-error", "no")
        assert keeps_its_promises(store, server.empty) > 15


def test_a_server_that_is_loading_is_unavailable_and_then_knows_everything() -> None:
    # While it loads, a server looks at its connections every two megabytes.
    options = ("appendonly yes", "rdbcompression no", "key-load-delay 1000")
    with server_with(*options) as server, closing(RedisStateStore(server.url)) as store:
        for number in range(1000):
            store.put(Space.SESSION, str(number), b"v" * 20_000, expires_at=END, now=NOW)
        with server.client() as client:
            client.bgrewriteaof()
            until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the log is short")
        server.stop()
        server.start(wait=False)
        seen = set()

        def loaded() -> bool:
            try:
                assert store.get(Space.SESSION, "999", now=NOW) == b"v" * 20_000
            except Unavailable as unavailable:
                seen.add(str(unavailable))
                return False
            return True

        until(loaded, "it has loaded")
        assert "the state store does not answer (BusyLoadingError)" in seen


def test_a_replica_is_read_and_refuses_the_rest_until_it_is_promoted() -> None:
    with (
        server_with(port=free_port()) as master,
        server_with() as server,
        server.client() as client,
        closing(RedisStateStore(server.url)) as store,
    ):
        client.replicaof("127.0.0.1", master.port)
        until(lambda: client.info("replication")["master_link_status"] == "up", "it follows")
        for call in WRITES.values():
            refused(call, store)
        assert store.get(Space.SESSION, "s", now=NOW) is None
        client.replicaof("NO", "ONE")
        assert keeps_its_promises(store, server.empty) > 15


def test_a_server_without_the_replicas_it_wants_takes_nothing_more() -> None:
    with server_with() as server, closing(RedisStateStore(server.url)) as store, server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        for call in WRITES.values():
            refused(call, store)
        client.config_set("min-replicas-to-write", 0)
        assert keeps_its_promises(store, server.empty) > 15


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:right@"])
def test_a_server_that_wants_another_password_is_unavailable(login: str) -> None:
    with server_with(password="right") as server:
        with closing(RedisStateStore(server.url)) as store:
            store.ping()
        with closing(RedisStateStore(server.url.replace(":right@", login))) as store:
            for call in CALLS.values():
                said = refused(call, store)
                assert "wrong" not in said
                assert "right" not in said


def test_a_password_that_changes_meanwhile_makes_it_unavailable() -> None:
    with server_with() as server, closing(RedisStateStore(server.url)) as store, server.client() as client:
        store.ping()
        client.config_set("requirepass", "new")
        client.client_kill_filter(_type="normal", skipme=True)
        for call in CALLS.values():
            refused(call, store)


def test_a_server_busy_with_somebodys_script_is_unavailable_and_serves_afterwards() -> None:
    with server_with("lua-time-limit 10") as server, closing(RedisStateStore(server.url, timeout=1)) as store:

        def spin() -> None:
            with server.client() as client, pytest.raises(redis.ResponseError):
                client.eval("while true do end", 0)

        spinning = Thread(target=spin)
        spinning.start()
        until(lambda: not answers(store), "it is busy")
        for call in (*READS.values(), *WRITES.values()):
            refused(call, store)
        with server.client() as client:
            client.script_kill()
        spinning.join()
        assert keeps_its_promises(store, server.empty) > 15
