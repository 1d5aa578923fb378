"""Addresses of the state: what is accepted, what is refused, and that no password gets out."""

from __future__ import annotations

from pathlib import Path
from traceback import format_exception
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.settings import State
from imagin_gateway.state import open_store
from imagin_gateway.state.address import Address, Reach, parse, refusal
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
    "redis+sentinel://one:26379,two:26380,three/master/0",
    "redis+sentinel://one/master",
    "redis+sentinel://user:pass%40word@[::1]:26379,[fe80::1]/my%20master/3",
    "redis+sentinel://one/master?sentinel_username=u&sentinel_password=p",
    "rediss+sentinel://one,two/master/0?ssl_ca_certs=/etc/ca.pem&sentinel_password=p",
    "redis+cluster://one:7000,two:7001",
    "redis+cluster://one/",
    "redis+cluster://one/0",
    "rediss+cluster://user:password@one:7000,[::1]:7001?ssl_ca_certs=/etc/ca.pem",
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
    "rediss://localhost?ssl_keyfile=/k.pem",
    "redis://localhost?socket_timeout=0",
    "unix://",
    "unix:///",
    "unix://host/run/redis.sock",
    "unix:///run/redis.sock?db=x",
    "redis://[::1",
    "redis://[::1]x",
    "redis://[localhost]",
    "redis://one,two",
    "redis://localhost:0",
    "redis://localhost/²",
    "redis://local host",
    "rediss://localhost?ssl_ca_certs=/a&ssl_ca_certs=/b",
    "unix:///run/redis.sock?db=1&db=2",
    "redis+sentinel://",
    "redis+sentinel:///master",
    "redis+sentinel://one",
    "redis+sentinel://one/",
    "redis+sentinel://one//0",
    "redis+sentinel://one/master/zero",
    "redis+sentinel://one/master/0/1",
    "redis+sentinel://one,,two/master",
    "redis+sentinel://one,one/master",
    "redis+sentinel://one:26379,one/master",
    "redis+sentinel://u:p@one,u:p@two/master",
    "redis+sentinel://one/master?ssl_ca_certs=/etc/ca.pem",
    "rediss+sentinel://one/master?ssl_cert_reqs=none",
    "redis+sentinel://one/master?db=1",
    "redis+sentinel://one/master#fragment",
    "redis+cluster://one/1",
    "redis+cluster://one/master",
    "redis+cluster://one:70000",
    "redis+cluster://one;two",
    "redis+cluster://one?sentinel_password=p",
    "rediss+cluster://one?ssl_check_hostname=false",
    "redis+cluster:///run/redis.sock",
    "redis+other://one",
    "REDIS://one",
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


def test_everything_an_address_says_is_read() -> None:
    read = parse(
        "rediss+sentinel://us%2Cer:pa%2F%40ss@one:1,[::2]/my%2Fmaster/4"
        "?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&sentinel_username=s%26u&sentinel_password=s%23p"
    )
    assert read == Address(
        Reach.SENTINEL,
        tls=True,
        hosts=(("one", 1), ("::2", 26379)),
        service="my/master",
        db=4,
        username="us,er",
        password=Secret("pa/@ss"),
        sentinel_username="s&u",
        sentinel_password=Secret("s#p"),
        files={"ssl_ca_certs": "/ca.pem", "ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"},
    )
    assert parse("unix://u:p@/run/my%20redis.sock?db=2") == Address(
        Reach.DIRECT, socket="/run/my redis.sock", db=2, username="u", password=Secret("p")
    )
    assert parse("redis://:p@host") == Address(Reach.DIRECT, hosts=(("host", 6379),), password=Secret("p"))
    assert parse("redis+cluster://a,b:7000") == Address(Reach.CLUSTER, hosts=(("a", 6379), ("b", 7000)))


@given(url=st.text() | st.from_regex(r"\A(rediss?(\+(sentinel|cluster))?|unix)://[\x20-\x7e]*\Z"))
def test_no_address_makes_the_reader_fall(url: str) -> None:
    wrong = refusal(url)
    assert wrong is None or all(wrong)


@given(password=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_password_can_be_written(password: str) -> None:
    for scheme, path in (("redis", ""), ("rediss+sentinel", "/master"), ("redis+cluster", "")):
        read = parse(f"{scheme}://:{quote(password, safe='')}@one{path}")
        assert read.password.reveal() == password
        assert read.hosts[0][0] == "one"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://user:Passw0rd@one/",
        "redis+sentinel://user:Passw0rd@one,user:Passw0rd@two/master",
        "redis+sentinel://one/master?sentinel_password=Passw0rd&other=1",
        "redis+cluster://user:Passw0rd@one/1",
        "redis+cluster://user:Passw0rd",
        "redis://user:Passw0rd@one:1:2",
        "redis://user:Passw0rd#x@one",
    ],
)
def test_no_password_of_a_refused_address_is_in_what_is_said(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert "Passw0rd" not in "".join(format_exception(caught.value))
    with pytest.raises(SettingsError) as refused:
        RedisStateStore(url)
    assert "Passw0rd" not in "".join(format_exception(refused.value))


def test_an_address_does_not_print_its_passwords() -> None:
    printed = repr(parse("redis+sentinel://user:Passw0rd@one/master?sentinel_password=Passw0rd"))
    assert "Passw0rd" not in printed


def test_the_address_names_the_engine(tmp_path: Path) -> None:
    sqlite = open_store(f"sqlite:///{tmp_path}/state.db")
    redis = open_store("redis://localhost:1/0")
    assert isinstance(sqlite, SqliteStateStore)
    assert isinstance(redis, RedisStateStore)
    sqlite.close()
    redis.close()


@pytest.mark.parametrize("url", ["redis+sentinel://localhost:1/master", "redis+cluster://localhost:1"])
def test_no_server_is_looked_for_before_it_is_wanted(url: str) -> None:
    store = open_store(url)
    with pytest.raises(Unavailable):
        store.ping()
    store.close()
