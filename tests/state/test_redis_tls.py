"""Redis servers that speak TLS themselves: alone, behind Sentinels, in a cluster. Always verified, at every hop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.store import Space
from tests.state.history import keeps_its_promises
from tests.state.servers import MASTER, PrivateRedis, RedisCluster, SentinelledRedis, free_port, until
from tests.state.test_contract import CALLS
from tests.state.tls import write_certificate
from tests.state.workers import END, NOW

PASSWORD = "Passw0rd"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


class Alone(PrivateRedis):
    """One server, reached by its port."""

    def __init__(self, *, tls: Path, password: str) -> None:
        super().__init__(port=free_port(), tls=tls, password=password)
        self._authority = tls

    @property
    def url(self) -> str:
        return f"rediss://:{PASSWORD}@127.0.0.1:{self.port}/0?ssl_ca_certs={self._authority}"


Servers = Alone | SentinelledRedis | RedisCluster


@pytest.fixture(scope="module", params=[Alone, SentinelledRedis, RedisCluster])
def servers(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Servers]:
    kind: Callable[..., Servers] = request.param
    started = kind(tls=certificate, password=PASSWORD)
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.mark.row("KEY-05")
def test_the_contract_holds_over_tls(servers: Servers) -> None:
    with closing(RedisStateStore(servers.url)) as store:
        assert keeps_its_promises(store, servers.empty) > 15
        with closing(store.dedicated()) as client:
            assert client.ping()
            assert client.connection_pool.connection_class.__mro__.count(redis.SSLConnection) == 1


@pytest.mark.row("KEY-05")
def test_servers_that_signed_their_own_certificate_are_told_nothing(servers: Servers, tmp_path: Path) -> None:
    other = write_certificate(tmp_path, "localhost", "127.0.0.1")
    address, _, _ = servers.url.partition("?")
    for url in (address, f"{address}?ssl_ca_certs={other}"):
        with closing(RedisStateStore(url)) as store:
            for call in CALLS.values():
                with pytest.raises(Unavailable):
                    call(store)


@pytest.mark.row("KEY-05")
def test_servers_of_another_name_are_told_nothing(tmp_path: Path) -> None:
    """The address tells where, the certificate tells who: an IP address that it does not hold is nobody."""
    certificate = write_certificate(tmp_path, "localhost")
    for kind in (Alone, RedisCluster):
        with closing(kind(tls=certificate, password=PASSWORD)) as server:
            server.start()
            with closing(RedisStateStore(server.url)) as store, pytest.raises(Unavailable):
                store.ping()


def test_a_master_of_another_name_than_the_sentinels_tell_is_told_nothing(tmp_path: Path) -> None:
    theirs = write_certificate(tmp_path, "sentinel.example", "127.0.0.1")
    named = write_certificate(tmp_path, "localhost")
    both = tmp_path / "both.pem"
    both.write_bytes(theirs.read_bytes() + named.read_bytes())
    with closing(Alone(tls=named, password=PASSWORD)) as master:
        watch = [f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 1", f"sentinel auth-pass {MASTER} {PASSWORD}"]
        watch += [f"tls-ca-cert-file {both}"]
        with closing(PrivateRedis(*watch, port=free_port(), tls=theirs, arguments=("--sentinel",))) as sentinel:
            master.start()
            sentinel.start()
            with sentinel.client() as client:
                until(lambda: client.sentinel_master(MASTER)["flags"] == "master", "the Sentinel sees the master")
            url = f"rediss+sentinel://:{PASSWORD}@127.0.0.1:{sentinel.port}/{MASTER}?ssl_ca_certs={both}"
            with closing(RedisStateStore(url)) as store, pytest.raises(Unavailable):
                store.ping()
        url = f"rediss://:{PASSWORD}@localhost:{master.port}?ssl_ca_certs={both}"
        with closing(RedisStateStore(url)) as store:
            store.ping()  # under its name, it is who it says


def test_no_server_with_tls_is_spoken_to_without(servers: Servers) -> None:
    plain = servers.url.partition("?")[0].replace("rediss", "redis", 1)
    with closing(RedisStateStore(plain, timeout=0.5)) as store, pytest.raises(Unavailable):
        store.ping()


def test_the_master_is_killed_and_the_store_goes_on_over_tls(certificate: Path) -> None:
    with closing(SentinelledRedis(tls=certificate, password=PASSWORD)) as servers:
        servers.start()
        with closing(RedisStateStore(servers.url, timeout=0.5)) as store:
            store.put(Space.SESSION, "s", b"v", expires_at=END, now=NOW)
            with servers.servers[0].client() as client:
                assert client.wait(1, 5000) == 1
            servers.servers[0].stop()

            def goes_on() -> bool:
                try:
                    return store.get(Space.SESSION, "s", now=NOW) == b"v"
                except Unavailable:
                    return False

            until(goes_on, "the store goes on")
