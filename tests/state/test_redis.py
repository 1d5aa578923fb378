"""What is particular to the Redis engine: its keys, its expiry, its outages, TLS."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.state.redis import COLLECT_AFTER, PREFIX, RedisStateStore
from imagin_gateway.state.store import Space, Swap
from tests.state.lossy import LossyDoor
from tests.state.servers import MASTER, PrivateRedis, RedisCluster, free_port, until
from tests.state.test_contract import CALLS, HOSTILE
from tests.state.tls import TlsDoor, write_certificate
from tests.state.workers import END, NOW


@pytest.fixture
def behind(redis_server: PrivateRedis) -> Iterator[redis.Redis]:
    """A plain client on the shared server, emptied first."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def store(redis_server: PrivateRedis, behind: redis.Redis) -> Iterator[RedisStateStore]:
    opened = RedisStateStore(redis_server.url)
    yield opened
    opened.close()


@pytest.fixture
def own_server() -> Iterator[PrivateRedis]:
    """A server that a test may stop, pause or fill."""
    server = PrivateRedis()
    server.start()
    yield server
    server.close()


def fill(store: RedisStateStore, until_bytes: int) -> None:
    for number in range(until_bytes // 10_000):
        store.put(Space.FLOW, str(number), b"x" * 10_000, expires_at=END, now=NOW)


def names(client: redis.Redis) -> set[str]:
    return {key.decode() for key in client.scan_iter(count=1000)}


def test_every_key_but_the_number_is_collected_by_redis_soon_after_its_end(
    store: RedisStateStore, behind: redis.Redis
) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=NOW + 100, now=NOW, indexes=["i"])
    store.put(Space.SESSION, "longer", b"v", expires_at=NOW + 500, now=NOW, indexes=["i"])
    store.put(Space.SESSION, "shorter", b"v", expires_at=NOW + 50, now=NOW, indexes=["i"])
    store.put_if_absent(Space.REPLAY, "r", b"v", expires_at=NOW + 100, now=NOW)
    store.increment(Space.COUNTER, "c", expires_at=NOW + 100, now=NOW)
    store.increment(Space.COUNTER, "c", expires_at=NOW + 9000, now=NOW)
    ends = {key: behind.pttl(key) / 1000 for key in names(behind) - {f"{PREFIX}:number"}}
    lives = {"session:s": 100, "session:longer": 500, "session:shorter": 50, "index:session:i": 500}
    lives |= {"replay:r": 100, "counter:c": 100}
    assert ends.keys() == {f"{PREFIX}:{name}" for name in lives}
    for name, life in lives.items():
        assert life < ends[f"{PREFIX}:{name}"] <= life + COLLECT_AFTER


def test_a_swap_moves_the_collection_too(store: RedisStateStore, behind: redis.Redis) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=NOW + 100, now=NOW, indexes=["i"])
    store.swap(Space.SESSION, [Swap("s", b"v", b"v", NOW + 900)], now=NOW)
    for name in ("session:s", "index:session:i"):
        assert behind.ttl(f"{PREFIX}:{name}") > 800


def test_an_index_is_cleaned_of_its_dead_by_those_who_come_after(store: RedisStateStore, behind: redis.Redis) -> None:
    for number in range(100):
        now = NOW + number * 10
        store.put(Space.SESSION, str(number), b"v", expires_at=now + 50, now=now, indexes=["i"])
    assert behind.zcard(f"{PREFIX}:index:session:i") == 5


def test_a_dead_record_leaves_with_all_its_members(store: RedisStateStore, behind: redis.Redis) -> None:
    store.put(Space.SESSION, "dead", b"v", expires_at=NOW + 10, now=NOW, indexes=["i", "j"])
    store.put(Space.SESSION, "live", b"v", expires_at=END, now=NOW + 10, indexes=["i"])
    assert names(behind) == {f"{PREFIX}:{name}" for name in ("number", "session:live", "index:session:i")}
    assert store.delete_indexed(Space.SESSION, "j") == 0


def test_find_drops_the_members_whose_record_is_gone(store: RedisStateStore, behind: redis.Redis) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    behind.delete(f"{PREFIX}:session:s")
    assert store.find(Space.SESSION, "i", now=NOW) == []
    assert behind.exists(f"{PREFIX}:index:session:i") == 0


def test_an_index_names_no_later_record_of_a_key_that_redis_dropped(
    store: RedisStateStore, behind: redis.Redis
) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i", "j"])
    behind.delete(f"{PREFIX}:session:s")
    store.put(Space.SESSION, "s", b"w", expires_at=END, now=NOW, indexes=["k"])
    assert store.find(Space.SESSION, "i", now=NOW) == []
    assert store.delete_indexed(Space.SESSION, "j") == 0
    assert store.get(Space.SESSION, "s", now=NOW) == b"w"


def test_a_record_put_again_is_listed_though_somebody_deleted_the_counter(
    store: RedisStateStore, behind: redis.Redis
) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i", "j"])
    behind.delete(f"{PREFIX}:number")
    store.put(Space.SESSION, "s", b"w", expires_at=END, now=NOW, indexes=["i"])
    assert [record.value for record in store.find(Space.SESSION, "i", now=NOW)] == [b"w"]
    assert store.find(Space.SESSION, "j", now=NOW) == []


def outer(client: redis.Redis) -> dict[str, int]:
    """Return how often each command came from outside since the last reset; not those inside scripts."""
    told = client.info("commandstats")
    asked = ("get", "evalsha", "eval", "script|load", "script", "ping", "multi", "exec", "exists", "mget")
    return {name: told[f"cmdstat_{name}"]["calls"] for name in asked if f"cmdstat_{name}" in told}


@pytest.mark.parametrize("name", sorted(CALLS.keys() - {"get", "get_many", "ping", "purge"}))
def test_an_operation_is_one_round_trip(store: RedisStateStore, behind: redis.Redis, name: str) -> None:
    CALLS[name](store)  # the server knows the script now
    behind.config_resetstat()
    CALLS[name](store)
    made = outer(behind)
    made.pop("get", None)  # inside the script
    assert made == {"evalsha": 1}


def test_reading_is_one_get(store: RedisStateStore, behind: redis.Redis) -> None:
    store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
    behind.config_resetstat()
    assert store.get(Space.SESSION, "s", now=NOW) == b"v"
    assert outer(behind) == {"get": 1}
    behind.config_resetstat()
    assert store.get_many(Space.SESSION, ["s", "t"], now=NOW) == [b"v", None]
    assert outer(behind) == {"mget": 1}


def test_keys_are_made_of_plain_characters_whatever_comes(store: RedisStateStore, behind: redis.Redis) -> None:
    for text in HOSTILE:
        store.put(Space.SESSION, text, b"v", expires_at=END, now=NOW, indexes=[text])
    made = names(behind)
    assert len(made) == 2 * len(HOSTILE) + 1
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~:%")
    assert all(set(name.removeprefix(PREFIX)) <= plain for name in made)


@pytest.mark.parametrize("garbage", [b"", b"\n", b"x", b"\x80\x04.", b"nan 0\nv", b"inf 0\nv", pickle.dumps({"a": 1})])
def test_what_is_no_record_of_ours_ended_long_ago(store: RedisStateStore, behind: redis.Redis, garbage: bytes) -> None:
    name = f"{PREFIX}:session:k"
    behind.set(name, garbage)
    assert store.get(Space.SESSION, "k", now=NOW) is None
    assert store.swap(Space.SESSION, [Swap("k", b"", b"v", END)], now=NOW) == [False]
    assert store.take(Space.SESSION, "k", now=NOW) is None
    behind.set(name, garbage)
    assert store.put_if_absent(Space.SESSION, "k", b"v", expires_at=END, now=NOW) is True


def test_a_key_of_another_type_is_unavailable(store: RedisStateStore, behind: redis.Redis) -> None:
    behind.rpush(f"{PREFIX}:flow:k", "v")
    with pytest.raises(Unavailable):
        store.get(Space.FLOW, "k", now=NOW)


def test_scripts_forgotten_by_the_server_are_told_again(store: RedisStateStore, behind: redis.Redis) -> None:
    assert store.increment(Space.COUNTER, "c", expires_at=END, now=NOW) == 1
    behind.script_flush()
    assert store.increment(Space.COUNTER, "c", expires_at=END, now=NOW) == 2


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_server_that_hangs_is_unavailable_and_serves_again_afterwards(
    own_server: PrivateRedis, call: Callable[[RedisStateStore], object]
) -> None:
    with closing(RedisStateStore(own_server.url, timeout=0.1)) as store:
        store.ping()
        own_server.pause()
        with pytest.raises(Unavailable) as caught:
            call(store)
        assert caught.value.code is Code.STORE_UNAVAILABLE
        own_server.go_on()
        with closing(RedisStateStore(own_server.url)) as patient:
            patient.ping()
        call(store)


def test_a_server_killed_is_unavailable_and_one_started_again_serves(own_server: PrivateRedis) -> None:
    with closing(RedisStateStore(own_server.url)) as store:
        store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW, indexes=["i"])
        own_server.stop()
        for call in CALLS.values():
            with pytest.raises(Unavailable):
                call(store)
        own_server.start()
        assert store.get(Space.SESSION, "s", now=NOW) is None
        store.put(Space.SESSION, "s", b"w", expires_at=END, now=NOW, indexes=["i"])
        assert len(store.find(Space.SESSION, "i", now=NOW)) == 1


def test_connections_that_a_restart_broke_are_made_anew(own_server: PrivateRedis) -> None:
    with closing(RedisStateStore(own_server.url)) as store:
        store.ping()
        own_server.stop()
        own_server.start()
        store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW)


def counts_once(store: RedisStateStore, door: LossyDoor) -> None:
    """The answer to a command that counts is lost: the store says so, and does not count again."""
    assert store.increment(Space.COUNTER, "c", expires_at=END, now=NOW) == 1  # the server knows the script now
    door.lost = b"EVALSHA"
    with pytest.raises(Unavailable):
        store.increment(Space.COUNTER, "c", expires_at=END, now=NOW)
    door.lost = b""
    assert store.get(Space.COUNTER, "c", now=NOW) == b"2"


def test_a_command_whose_answer_was_lost_is_not_run_again(behind: redis.Redis, redis_server: PrivateRedis) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="ig-") as short,
        closing(LossyDoor(Path(short) / "s", str(redis_server.socket))) as door,
        closing(RedisStateStore(door.url)) as store,
    ):
        counts_once(store, door)


def test_nor_is_it_where_sentinels_name_the_master(behind: redis.Redis, redis_server: PrivateRedis) -> None:
    port = free_port()
    watch = (f"sentinel monitor {MASTER} 127.0.0.1 {port} 1",)
    with (
        closing(LossyDoor(port, str(redis_server.socket))) as door,
        closing(PrivateRedis(*watch, port=free_port(), arguments=("--sentinel",))) as sentinel,
        closing(RedisStateStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}")) as store,
    ):
        sentinel.start()
        counts_once(store, door)


def test_nor_is_it_in_a_cluster() -> None:
    port = free_port()
    with (
        closing(RedisCluster(f"cluster-announce-port {port}", masters=1)) as alone,
        closing(LossyDoor(port, str(alone.servers[0].socket))) as door,
        closing(RedisStateStore(f"redis+cluster://127.0.0.1:{port}")) as store,
    ):
        alone.start()
        with alone.servers[0].client() as client:
            until(lambda: client.execute_command("CLUSTER", "SLOTS")[0][2][1] == port, "the node names the door")
        counts_once(store, door)
        assert store.in_charge() == f"127.0.0.1:{port}"


def test_a_place_where_another_server_took_over_is_looked_at_again(
    behind: redis.Redis, redis_server: PrivateRedis, own_server: PrivateRedis
) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="ig-") as short,
        closing(LossyDoor(Path(short) / "s", str(own_server.socket))) as door,
        closing(RedisStateStore(door.url)) as store,
        own_server.client() as client,
    ):
        store.ping()
        client.replicaof("127.0.0.1", free_port())
        door.behind = str(redis_server.socket)
        with pytest.raises(Unavailable):
            store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
        store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
        assert behind.exists(f"{PREFIX}:flow:k")


def test_a_full_server_is_unavailable_and_forgets_nothing(own_server: PrivateRedis) -> None:
    with closing(RedisStateStore(own_server.url)) as store, own_server.client() as client:
        store.put_if_absent(Space.REPLAY, "r", b"", expires_at=END, now=NOW)
        client.config_set("maxmemory", "3mb")
        fill(store, until_bytes=500_000)
        with pytest.raises(Unavailable):
            fill(store, until_bytes=5_000_000)
        assert store.get(Space.REPLAY, "r", now=NOW) == b""


def test_what_the_server_says_of_a_command_stays_out_of_the_error(own_server: PrivateRedis) -> None:
    with closing(RedisStateStore(own_server.url)) as store, own_server.client() as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=["-get", "-evalsha", "-eval"])
        with pytest.raises(Unavailable) as caught:
            store.get(Space.SESSION, "in-the-key", now=NOW)
        assert str(caught.value) == "the state store does not answer (NoPermissionError)"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_a_forked_child_has_connections_of_its_own(store: RedisStateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process: coverage does not follow
        os._exit(0 if all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200)) else 1)
    assert all(store.get(Space.FLOW, "k", now=NOW) == b"v" for _ in range(200))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_no_connection_is_made_before_it_is_wanted(tmp_path: Path) -> None:
    RedisStateStore(f"unix://{tmp_path}/nobody.sock").close()


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        return write_certificate(tmp_path, "localhost")

    @pytest.fixture
    def door(self, redis_server: PrivateRedis, certificate: Path) -> Iterator[TlsDoor]:
        opened = TlsDoor(certificate, urlsplit(redis_server.url).path)
        yield opened
        opened.close()

    def test_a_server_whose_certificate_we_trust_is_spoken_to(self, door: TlsDoor, certificate: Path) -> None:
        url = f"rediss://localhost:{door.port}/0?ssl_ca_certs={certificate}"
        with closing(RedisStateStore(url)) as store:
            store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
            assert store.take(Space.FLOW, "k", now=NOW) == b"v"

    def test_a_server_that_signed_its_own_certificate_is_told_nothing(self, door: TlsDoor) -> None:
        with closing(RedisStateStore(f"rediss://u:p@localhost:{door.port}/0")) as store, pytest.raises(Unavailable):
            store.ping()
        assert door.received == 0

    def test_a_server_of_another_name_is_told_nothing(self, door: TlsDoor, certificate: Path) -> None:
        url = f"rediss://u:p@127.0.0.1:{door.port}/0?ssl_ca_certs={certificate}"
        with closing(RedisStateStore(url)) as store, pytest.raises(Unavailable):
            store.ping()
        assert door.received == 0

    @pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=false", "ssl_check_hostname=0"])
    def test_no_address_switches_verification_off(self, option: str) -> None:
        with pytest.raises(SettingsError):
            RedisStateStore(f"rediss://localhost/0?{option}")
