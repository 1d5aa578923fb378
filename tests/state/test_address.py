"""Addresses of the state: what is accepted, what is refused, and that no password gets out."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagin_gateway.errors import SettingsError
from imagin_gateway.settings import State
from imagin_gateway.state import open_store
from imagin_gateway.state.address import refusal
from imagin_gateway.state.redis import RedisStateStore
from imagin_gateway.state.sqlite import SqliteStateStore

GOOD = [
    "sqlite:///state.db",
    "sqlite:////var/lib/gateway/state.db",
    "redis://localhost",
    "redis://localhost/",
    "redis://localhost:6380/3",
    "redis://user:pass%23word@redis.example:6379/0",
    "redis://[::1]:6379/0",
    "rediss://redis.example/0?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
    "unix:///run/redis.sock",
    "unix:///run/redis.sock?db=2",
    "unix://user:password@/run/redis.sock",
]

BAD = [
    "",
    "state.db",
    "sqlite://state.db",
    "sqlite:///",
    "sqlite:///:memory:",
    "postgresql://localhost/state",
    "memory://",
    "redis://",
    "redis:///0",
    "redis://localhost:port/0",
    "redis://localhost:99999/0",
    "redis://localhost/zero",
    "redis://localhost/0/1",
    "redis://localhost?db=1",
    "redis://localhost?ssl_ca_certs=/etc/ca.pem",
    "redis://localhost#fragment",
    "rediss://localhost?ssl_cert_reqs=none",
    "rediss://localhost?ssl_check_hostname=false",
    "rediss://localhost?ssl_ca_certs",
    "rediss://localhost?ssl_ca_certs=",
    "redis://localhost?socket_timeout=0",
    "unix://",
    "unix:///",
    "unix://host/run/redis.sock",
    "unix:///run/redis.sock?db=x",
    "redis://[::1",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_good_address_is_accepted_by_the_settings(url: str) -> None:
    assert refusal(url) is None
    assert State(url=url).url == url


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_refused_by_the_settings_and_by_the_store(url: str) -> None:
    assert refusal(url) is not None
    with pytest.raises(ValueError, match="State"):
        State(url=url)
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert caught.value.problems[0].key == "state.url"


def test_no_password_of_an_address_is_ever_printed() -> None:
    with pytest.raises(SettingsError) as caught:
        open_store("redis://user:Passw0rd@localhost/0?option=1")
    assert "Passw0rd" not in str(caught.value)
    assert "Passw0rd" not in repr(State(url="redis://user:Passw0rd@localhost/0"))
    with pytest.raises(ValueError, match="State") as refused:
        State(url="redis://user:Passw0rd@localhost/0?option=1")
    assert "Passw0rd" not in str(refused.value)


def test_the_address_names_the_engine(tmp_path: Path) -> None:
    sqlite = open_store(f"sqlite:///{tmp_path}/state.db")
    redis = open_store("redis://localhost:1/0")
    assert isinstance(sqlite, SqliteStateStore)
    assert isinstance(redis, RedisStateStore)
    sqlite.close()
    redis.close()
