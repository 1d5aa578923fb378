"""What docs/redis.md tells operators is true: the addresses, the settings, the rights."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.address import parse
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.store import Space
from tests.state.history import keeps_its_promises
from tests.state.servers import PrivateRedis, RedisCluster, SentinelledRedis, until

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")


def test_its_addresses_are_good() -> None:
    addresses = re.findall(r"`((?:rediss?(?:\+\w+)?|unix)://\S+)`", PAGE)
    assert {parse(address).reach.value for address in addresses} == {"direct", "sentinel", "cluster"}
    assert sum(parse(address).tls for address in addresses) == 3


def test_its_settings_leave_nothing_to_warn_of() -> None:
    lines = re.search(r"```\n(maxmemory-policy .*?)```", PAGE, re.DOTALL)
    assert lines
    with closing(SentinelledRedis(*lines[1].splitlines(), "maxmemory 100mb")) as servers:
        servers.start()
        with closing(RedisStateStore(servers.url)) as store:
            assert store.warnings() == []
            assert keeps_its_promises(store, servers.empty) > 15


@pytest.mark.parametrize("kind", ["redis_server", "sentinelled", "cluster"])
def test_its_rights_are_enough_and_no_more(request: pytest.FixtureRequest, kind: str) -> None:
    servers: PrivateRedis | SentinelledRedis | RedisCluster = request.getfixturevalue(kind)
    rights = re.search(r"^ACL SETUSER gateway (.*)$", PAGE, re.MULTILINE)
    assert rights
    members = [servers] if isinstance(servers, PrivateRedis) else servers.servers
    for member in members:
        with member.client() as client:
            client.execute_command("ACL", "SETUSER", "gateway", *shlex.split(rights[1]))
    url = servers.url.replace("://", "://gateway:password@", 1)
    try:
        with closing(RedisStateStore(url)) as store:
            assert keeps_its_promises(store, servers.empty) > 15
            assert store.in_charge()
            store.warnings()
            watch = store.watch(Space.SESSION, lambda keys: None, lag=1.0)
            until(watch.current, "changes are announced")
        with closing(RedisStateStore(url, prefix="{other}")) as store, pytest.raises(Unavailable):
            store.ping()
    finally:
        for member in members:
            with member.client() as client:
                client.execute_command("ACL", "DELUSER", "gateway")


@pytest.mark.parametrize(
    "right",
    [
        "get",
        "mget",
        "set",
        "del",
        "incr",
        "pttl",
        "pexpire",
        "zadd",
        "zrem",
        "zrange",
        "zrangebyscore",
        "eval",
        "evalsha",
    ],
)
def test_each_of_its_rights_is_needed(redis_server: PrivateRedis, right: str) -> None:
    rights = re.search(r"^ACL SETUSER gateway (.*)$", PAGE, re.MULTILINE)
    assert rights
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "less", *shlex.split(rights[1]), f"-{right}")
        client.script_flush()
        try:
            with (
                closing(RedisStateStore(redis_server.url.replace("://", "://less:password@", 1))) as store,
                pytest.raises(Unavailable),
            ):
                keeps_its_promises(store, redis_server.empty)
        finally:
            client.execute_command("ACL", "DELUSER", "less")
