"""The channel of announcements suffers: whatever happens, nothing is believed longer than the lag."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.redis import PREFIX, RedisStateStore
from imagin_gateway.state.store import Space
from imagin_gateway.state.watch import Watch
from tests.state.doors import LISTENER, OTHER, ROLES, TELLER, Door
from tests.state.following import Told, followed, heard, heard_all
from tests.state.servers import PrivateRedis, RedisCluster, SentinelledRedis, free_port, until
from tests.state.test_redis_sentinel import elsewhere, watch_another
from tests.state.workers import END, NOW

pytestmark = pytest.mark.fault

SESSION = Space.SESSION
LAG = 1.0


@pytest.fixture
def server() -> Iterator[PrivateRedis]:
    """A server that a test may kill."""
    started = PrivateRedis()
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def store(server: PrivateRedis) -> Iterator[RedisStateStore]:
    with closing(RedisStateStore(server.url)) as opened:
        yield opened


@pytest.fixture
def door(server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = Door(server.folder / "door", str(server.folder / "s"))
    yield opened
    opened.close()


def put(store: RedisStateStore, *keys: str) -> None:
    for key in keys:
        store.put(SESSION, key, b"v", expires_at=END, now=NOW)


def disbelieved(watch: Watch, since: float, *, lag: float = LAG) -> None:
    """See that what happened at `since`, in seconds of this machine, is not believed away longer than the lag."""
    while True:
        # In this order: a pause of this test between the two counts against nobody.
        now = time.monotonic()
        if not watch.current():
            return
        assert now <= since + lag
        time.sleep(0.005)


def back(watch: Watch, told: Told) -> None:
    """See that it follows again, and told first that anything may have changed."""
    heard_all(watch, told)


def kill(server: PrivateRedis, *, teller: bool, listener: bool) -> None:
    """Close connections of a watch, as an administrator would."""
    with server.client() as client:
        clients = client.client_list()
        tellers = {each["id"]: each["redir"] for each in clients if "t" in each["flags"]}
        assert len(tellers) == 1
        for number, heard_by in tellers.items():
            for wanted, which in ((teller, number), (listener, heard_by)):
                assert not wanted or client.client_kill_filter(_id=which) == 1


@pytest.mark.parametrize(("teller", "listener"), [(True, False), (False, True), (True, True)])
def test_its_connections_are_closed(server: PrivateRedis, store: RedisStateStore, teller: bool, listener: bool) -> None:
    with followed(store) as (watch, told):
        put(store, "k")
        since = time.monotonic()
        kill(server, teller=teller, listener=listener)
        disbelieved(watch, since)
        store.delete(SESSION, "k")
        back(watch, told)
        put(store, "k")
        store.delete(SESSION, "k")
        heard(watch, told, "k")


@pytest.mark.parametrize("roles", [(LISTENER,), (TELLER,), (LISTENER, TELLER), ROLES])
def test_its_connections_are_silent_and_nobody_closes_them(door: Door, roles: tuple[str, ...]) -> None:
    with closing(RedisStateStore(door.url)) as store, followed(store) as (watch, told):
        since = time.monotonic()
        door.swallow(roles)
        disbelieved(watch, since)
        for _ in range(20):
            assert not watch.current()
            time.sleep(0.02)
        # Silent for a whole lag, whenever the beat that waits was sent; and less than what a socket is waited for.
        time.sleep(max(0.0, since + 1.5 * LAG - time.monotonic()))
        door.let_through(roles)
        back(watch, told)
        put(store, "k")
        store.delete(SESSION, "k")
        heard(watch, told, "k")


@pytest.mark.parametrize("roles", [(LISTENER,), (TELLER,), (OTHER,)])
def test_its_connections_are_cut_on_the_way(door: Door, roles: tuple[str, ...]) -> None:
    with closing(RedisStateStore(door.url)) as store, followed(store) as (watch, told):
        put(store, "k")
        since = time.monotonic()
        assert door.cut(roles)
        if roles == (OTHER,):  # those of the store are nothing to the watch
            store.delete(SESSION, "k")
            heard(watch, told, "k")
        else:
            disbelieved(watch, since)
            back(watch, told)


def test_a_change_that_is_swallowed_is_not_believed_away(server: PrivateRedis, door: Door) -> None:
    with (
        closing(RedisStateStore(server.url)) as elsewhere,
        closing(RedisStateStore(door.url)) as store,
        followed(store) as (watch, told),
    ):
        for _ in range(3):
            put(elsewhere, "k")
            until(lambda: watch.current() and told.keys, "the write was told")
            told.clear()
            door.swallow([LISTENER])
            elsewhere.delete(SESSION, "k")
            since = time.monotonic()
            disbelieved(watch, since)
            assert (told.keys, told.everything) == ([], 0)
            door.let_through([LISTENER])
            until(watch.current, "it is believed again")
            assert told.keys == ["k"] or told.everything
            told.clear()


def test_announcements_that_come_too_late_prove_nothing(server: PrivateRedis, door: Door) -> None:
    """Somebody touches our beats all the time, so something is announced all the time; but later and later."""
    done = threading.Event()

    def meddle() -> None:
        begun = time.monotonic()
        with server.client() as client:
            while not done.wait(0.01):
                door.delays[LISTENER] = min((time.monotonic() - begun) / 2, 3 * LAG)
                for key in client.keys(f"{PREFIX}:beat:*"):
                    client.append(key, "x")

    with (
        closing(RedisStateStore(server.url)) as other,
        closing(RedisStateStore(door.url, timeout=2)) as store,
        followed(store) as (watch, told),
    ):
        put(other, "k")
        meddler = threading.Thread(target=meddle)
        meddler.start()
        try:
            until(lambda: door.delays.get(LISTENER, 0) > 2.5 * LAG, "announcements are late")
            told.clear()
            other.delete(SESSION, "k")
            since = time.monotonic()
            while (now := time.monotonic()) < since + 3 * LAG:
                assert not watch.current() or now <= since + LAG or "k" in told.keys or told.everything
                time.sleep(0.002)
        finally:
            done.set()
            meddler.join()
            door.delays.clear()
        until(watch.current, "it follows again")


def test_the_server_is_paused(server: PrivateRedis, store: RedisStateStore) -> None:
    with followed(store) as (watch, told):
        for _ in range(2):
            since = time.monotonic()
            server.pause()
            disbelieved(watch, since)
            time.sleep(LAG)
            assert not watch.current()
            server.go_on()
            back(watch, told)
            put(store, "k")
            store.delete(SESSION, "k")
            heard(watch, told, "k")


def test_the_server_is_paused_for_less_than_the_lag_and_nothing_is_lost(
    server: PrivateRedis, store: RedisStateStore
) -> None:
    put(store, *map(str, range(5)))
    with followed(store) as (watch, told):
        for number in range(5):
            server.pause()
            time.sleep(0.1)
            server.go_on()
            store.delete(SESSION, str(number))
            until(lambda: watch.current() and told.keys, "it was told")
            assert (set(told.keys), told.everything) == ({str(number)}, 0)
            told.clear()


def test_the_server_is_killed_and_started_again_with_nothing(server: PrivateRedis, store: RedisStateStore) -> None:
    with followed(store) as (watch, told):
        since = time.monotonic()
        server.stop()
        disbelieved(watch, since)
        time.sleep(0.3)
        assert not watch.current()
        server.start()
        back(watch, told)
        put(store, "k")
        store.delete(SESSION, "k")
        heard(watch, told, "k")


@contextmanager
def full(server: PrivateRedis) -> Iterator[None]:
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def demoted(server: PrivateRedis) -> Iterator[None]:
    with server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def lonely(server: PrivateRedis) -> Iterator[None]:
    with server.client() as client:
        client.config_set("min-replicas-to-write", 1)
        yield
        client.config_set("min-replicas-to-write", 0)


@pytest.mark.parametrize("state", [full, demoted, lonely])
def test_a_server_that_takes_nothing_more_proves_nothing(
    server: PrivateRedis, store: RedisStateStore, state: Callable[[PrivateRedis], AbstractContextManager[None]]
) -> None:
    with followed(store) as (watch, told):
        since = time.monotonic()
        with state(server):
            disbelieved(watch, since + 0.1)
            time.sleep(0.3)
            assert not watch.current()
        back(watch, told)


def test_a_server_that_is_full_evicts_and_tells(server: PrivateRedis, store: RedisStateStore) -> None:
    put(store, "k")
    with followed(store) as (_, told), server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-random")
        client.config_set("maxmemory", 1)
        until(lambda: "k" in told.keys or told.everything, "the eviction was told")
        client.config_set("maxmemory", 0)


def test_a_password_that_changes_ends_belief(server: PrivateRedis, store: RedisStateStore) -> None:
    with followed(store) as (watch, told), server.client() as client:
        client.config_set("requirepass", "new")
        since = time.monotonic()
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_kill_filter(_type="pubsub", skipme=True)
        disbelieved(watch, since)
        for _ in range(10):
            assert not watch.current()
            time.sleep(0.05)
        client.config_set("requirepass", "")
        back(watch, told)


def test_tracking_that_somebody_switches_off_is_noticed(server: PrivateRedis, door: Door) -> None:
    """A server that lives, answers, and announces nothing: what only the beat can find out."""
    with closing(RedisStateStore(door.url)) as store, followed(store) as (watch, told):
        since = time.monotonic()
        door.delays[LISTENER] = 30.0
        put(store, "k")
        disbelieved(watch, since)
        door.delays.clear()
        door.cut([LISTENER])
        back(watch, told)


def test_a_flood_of_changes_is_told_whole_or_not_believed(server: PrivateRedis, store: RedisStateStore) -> None:
    names = [f"s{number}" for number in range(5000)]
    with server.client() as client, followed(store) as (_, told):
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            with client.pipeline() as pipe:
                for name in some:
                    pipe.set(f"{PREFIX}:session:{name}", "x", px=60_000)
                pipe.execute()
        with client.pipeline() as pipe:
            for name in names:
                pipe.delete(f"{PREFIX}:session:{name}")
            pipe.execute()
        until(lambda: set(names) <= set(told.keys) or told.everything, "all of it was told")


class TestSentinel:
    @pytest.fixture
    def servers(self) -> Iterator[SentinelledRedis]:
        started = SentinelledRedis()
        try:
            started.start()
            yield started
        finally:
            started.close()

    def test_a_failover_is_noticed_and_the_new_master_followed(self, servers: SentinelledRedis) -> None:
        master, _ = servers.servers
        with closing(RedisStateStore(servers.url, timeout=0.5)) as store, followed(store) as (watch, told):
            former = store.in_charge()
            since = time.monotonic()
            master.stop()
            disbelieved(watch, since)
            until(lambda: elsewhere(store, former), "another is in charge")
            back(watch, told)
            put(store, "k")
            store.delete(SESSION, "k")
            heard(watch, told, "k")

    def test_a_master_that_was_replaced_while_it_lives_is_followed_no_more(self, servers: SentinelledRedis) -> None:
        _, replica = servers.servers
        with closing(RedisStateStore(servers.url, timeout=0.5)) as store, followed(store) as (watch, told):
            with replica.client() as client:
                client.replicaof("NO", "ONE")
            watch_another(servers, replica.port)
            back(watch, told)
            until(lambda: store.in_charge() == f"127.0.0.1:{replica.port}", "the replica is in charge")
            put(store, "k")
            with replica.client() as client:
                assert client.delete(f"{PREFIX}:session:k") == 1
            heard(watch, told, "k")

    def test_while_no_sentinel_names_anybody_nothing_new_is_believed(self, servers: SentinelledRedis) -> None:
        for each in (*servers.sentinels, *servers.servers):
            each.pause()
        try:
            with closing(RedisStateStore(servers.url, timeout=0.2)) as store:
                told = Told()
                watch = store.watch(SESSION, told, lag=LAG)
                for _ in range(20):
                    assert not watch.current()
                    time.sleep(0.05)
                with pytest.raises(Unavailable):
                    store.ping()
                assert told.everything == 0
                watch.close()
        finally:
            for each in (*servers.sentinels, *servers.servers):
                each.go_on()


def test_in_a_cluster_the_node_with_our_slot_is_followed(cluster: RedisCluster) -> None:
    cluster.empty()
    with closing(RedisStateStore(cluster.url)) as store, followed(store) as (watch, told):
        put(store, "k")
        store.delete(SESSION, "k")
        heard(watch, told, "k")


def test_closing_does_not_wait_for_a_server_that_is_silent(door: Door) -> None:
    others = set(threading.enumerate())
    with closing(RedisStateStore(door.url)) as store, followed(store) as (watch, _):
        door.swallow(ROLES)
        watch.close()
        assert not watch.current()
        door.let_through(ROLES)
    assert "imagin-gateway-watch" not in {thread.name for thread in set(threading.enumerate()) - others}


def test_what_a_watch_writes_expires(server: PrivateRedis, store: RedisStateStore) -> None:
    with followed(store), server.client() as client:
        keys = client.keys(f"{PREFIX}:beat:*")
        assert keys
        assert all(0 < client.pttl(key) <= 2000 * LAG for key in keys)
