"""From an address to the Redis server that is in charge of our keys: one server, what Sentinels name, a cluster's node.

Nothing connects before it is asked to, nothing that may have run is run a second
time, and every wait is bounded: by the timeout, times the servers that are named.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

from imagin_gateway.state.address import Address, Reach

NO_PASSWORD: Final = ""
"""Of the key of our certificate: with none said, OpenSSL asks the terminal for it, and waits, at each connection."""

ASK_AGAIN: Final = 1.0
"""Seconds after which it is asked again who is in charge. Without, a master that was replaced while it could still be
reached would go on being read: its connections never break."""

BELIEVED: Final = 10.0
"""Seconds during which a master is believed when no Sentinel answers any more."""


class Connecting(Protocol):
    """The way to one store. Safe to share between threads, and survives `fork`.

    Every method may raise `redis.RedisError`, `RedisClusterException` (which is none) or `OSError`.
    """

    def client(self) -> Any:
        """Return redis-py's client for commands on our keys: `redis.Redis` or `redis.cluster.RedisCluster`."""
        ...

    def in_charge(self) -> str:
        """Return a name for the server in charge now. With another name, what the former told is worth nothing."""
        ...

    def dedicated(self) -> redis.Redis:
        """Return a new client, of one server: the one in charge now. The caller closes it."""
        ...

    def failed(self, error: Exception) -> None:
        """Hear what a command met, to look elsewhere next time."""
        ...

    def close(self) -> None:
        """Close every connection but the dedicated ones."""
        ...


def connecting(
    address: Address, *, timeout: float, probe: str, monotonic: Callable[[], float] = time.monotonic
) -> Connecting:
    """Return the way to the server of an address.

    Args:
        address: as `state.address.parse` read it.
        timeout: seconds to wait for a connection, and for an answer.
        probe: one of our keys: whoever may read it is in charge.
        monotonic: seconds that never go back.
    """
    match address.reach:
        case Reach.DIRECT:
            return _Direct(address, timeout)
        case Reach.SENTINEL:
            return _ThroughSentinel(address, timeout, monotonic)
        case Reach.CLUSTER:
            return _InCluster(address, timeout, probe, monotonic)


def never_again() -> Retry:
    """Return the rule for a command that failed: not a second time, for one whose answer was lost may have run.

    A connection that broke while it was idle is noticed, and made anew, before it is used.
    """
    return Retry(NoBackoff(), 0)


def _options(address: Address, timeout: float) -> dict[str, Any]:
    """Return what every connection to every server of an address has in common."""
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "decode_responses": False,
        "protocol": 2,
    }
    if address.tls:
        options |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True, **address.files}
        options["ssl_password"] = NO_PASSWORD
    return options


def _server_options(address: Address, timeout: float) -> dict[str, Any]:
    login = {"username": address.username or None, "password": address.password.reveal() or None}
    return _options(address, timeout) | login


class _Direct:
    """One server at one place."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._options = _server_options(address, timeout) | {"db": address.db, "retry": never_again()}
        if address.socket:
            self._options["unix_socket_path"] = address.socket
            self._name = address.socket
        else:
            self._options["host"], self._options["port"] = address.hosts[0]
            self._name = _name(*address.hosts[0])
        self._client = redis.Redis(**self._options)

    def client(self) -> redis.Redis:
        return self._client

    def in_charge(self) -> str:
        return self._name

    def dedicated(self) -> redis.Redis:
        return redis.Redis(**self._options)

    def failed(self, error: Exception) -> None:
        if "READONLY" in str(error):
            # What stands behind this name has become a replica: the name may lead elsewhere by now.
            self._client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        self._client.close()


class _MasterOnly(Connection):
    """A connection made only to a master, for a Sentinel may name who was one (Redis' guide for Sentinel clients)."""

    def on_connect_check_health(self, check_health: bool = True) -> None:
        super().on_connect_check_health(check_health=check_health)
        self.send_command("ROLE", check_health=False)  # type: ignore[no-untyped-call]  # redis-py's types stop halfway
        answer = self.read_response()
        if not isinstance(answer, list) or answer[0] not in (b"master", "master"):
            raise redis.ConnectionError("the server that the Sentinels name is not a master")


class _MasterOnlyTls(_MasterOnly, SSLConnection):
    pass


class _Managed(SentinelManagedConnection, _MasterOnly):
    pass


class _ManagedTls(SentinelManagedConnection, _MasterOnlyTls):
    pass


class _PerProcess:
    """What a process makes for itself: a lock that another thread held during `fork` would never be let go."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._start()

    def _start(self) -> None:
        raise NotImplementedError

    def _check_process(self) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            self._start()


class _ThroughSentinel(_PerProcess):
    """The master that the Sentinels name, asked again every `ASK_AGAIN` seconds."""

    def __init__(self, address: Address, timeout: float, monotonic: Callable[[], float]) -> None:
        self._address = address
        self._options = _server_options(address, timeout) | {"db": address.db}
        self._options.pop("ssl", None)  # said by the classes of connections
        self._sentinel_options = _options(address, timeout) | {
            "username": address.sentinel_username or None,
            "password": address.sentinel_password.reveal() or None,
        }
        self._monotonic = monotonic
        super().__init__()

    def _start(self) -> None:
        self._sentinel = Sentinel(
            list(self._address.hosts), sentinel_kwargs=self._sentinel_options | {"retry": never_again()}
        )
        self._pool = SentinelConnectionPool(
            self._address.service,
            self._sentinel,
            connection_class=_ManagedTls if self._address.tls else _Managed,
            retry=never_again(),
            **self._options,
        )
        self._client = redis.Redis(connection_pool=self._pool)
        self._asking = threading.Lock()
        self._ask_at = self._believed_until = self._monotonic()

    def client(self) -> redis.Redis:
        self._confirm()
        return self._client

    def _confirm(self) -> None:
        self._check_process()
        now = self._monotonic()
        # One thread asks; the others go on meanwhile, unless there is no master to go on with.
        if now >= self._ask_at and self._asking.acquire(blocking=now >= self._believed_until):
            try:
                if self._monotonic() >= self._ask_at:
                    self._ask()
            finally:
                self._asking.release()
        if self._monotonic() >= self._believed_until:
            raise redis.ConnectionError("no Sentinel names a master")

    def _ask(self) -> None:
        try:
            self._pool.get_master_address()  # when it is another one, the idle connections to the former are closed
            self._believed_until = self._monotonic() + BELIEVED
        except redis.RedisError:
            pass  # the master may be well, and known since less than `BELIEVED`
        finally:
            self._ask_at = self._monotonic() + ASK_AGAIN

    def in_charge(self) -> str:
        self._confirm()
        return _name(*self._pool.master_address)

    def dedicated(self) -> redis.Redis:
        self._check_process()
        host, port = self._pool.get_master_address()
        pool = ConnectionPool(
            connection_class=_MasterOnlyTls if self._address.tls else _MasterOnly,
            retry=never_again(),
            **self._options | {"host": host, "port": port},
        )
        return redis.Redis.from_pool(pool)

    def failed(self, error: Exception) -> None:
        if "READONLY" in str(error):
            # Told inside a script, it is not the error by which redis-py sees that the master was demoted.
            self._pool.disconnect(inuse_connections=False)
            self._ask_at = self._monotonic()

    def close(self) -> None:
        self._client.close()
        self._pool.disconnect()
        self._sentinel.close()


class _InCluster(_PerProcess):
    """The node that owns our slot. All our keys have the same hash tag, hence one slot."""

    def __init__(self, address: Address, timeout: float, probe: str, monotonic: Callable[[], float]) -> None:
        self._address = address
        self._options = _server_options(address, timeout)
        self._probe = probe
        self._monotonic = monotonic
        super().__init__()

    def _start(self) -> None:
        self._client: RedisCluster | None = None
        self._ask_at = self._monotonic()

    def client(self) -> RedisCluster:
        self._check_process()
        client = self._client
        if client is None:  # made where it is first wanted, for making it connects
            client = RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in self._address.hosts],
                # It begins by asking one node for its commands: if that one is dead, another.
                retry=Retry(NoBackoff(), 3),
                require_full_coverage=False,  # other slots are nothing to us
                **self._options,
            )
            # From now on, only redirections (MOVED, ASK) are followed: those commands have not run.
            client.set_retry(never_again())
            self._client = client
        return client

    def in_charge(self) -> str:
        if self._monotonic() >= self._ask_at:
            self._ask()
        return self._node().name

    def _ask(self) -> None:
        self.client().get(self._probe)  # a node that is in charge no more says who is
        self._ask_at = self._monotonic() + ASK_AGAIN

    def _node(self) -> ClusterNode:
        node: ClusterNode = self.client().get_node_from_key(self._probe)
        return node

    def dedicated(self) -> redis.Redis:
        self._ask()
        node = self._node()
        return redis.Redis(**self._options | {"host": node.host, "port": node.port, "retry": never_again()})

    def failed(self, error: Exception) -> None:
        if isinstance(error, RedisClusterException):
            # None of the nodes it knows of is left: begin again with those of the address.
            self._client = None  # not closed: other threads may be using it

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _name(host: str, port: int) -> str:
    return f"{host}:{port}"
