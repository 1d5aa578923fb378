"""What a key in Redis may look like, written apart from the code that makes them (row INP-06); and who touched which.

A digest of our own, after words of ours: nothing that came from outside, in whatever writing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis

from tests.state.servers import PrivateRedis

_DIGEST: Final = r"[0-9a-f]{64}"
_RECORDS: Final = r"session|flow|replay|counter|seen"
_OF_SESSIONS: Final = rf"all|(?:person|portal|name|door):{_DIGEST}|handle:[0-9a-f]{{16}}"

SHAPE: Final = re.compile(
    r"\{imagin-gateway\}:(?:"
    rf"(?P<record>{_RECORDS}):{_DIGEST}"
    rf"|index:session:(?P<session>{_OF_SESSIONS})"
    rf"|index:(?P<other>flow|replay|counter|seen):{_DIGEST}"
    r"|(?P<number>number)"
    r"|(?P<beat>beat):[0-9a-f]{16}:\d+"
    r")"
)


def odd(keys: Iterable[str]) -> list[str]:
    """Return the keys that are none of ours."""
    return sorted(key for key in keys if not SHAPE.fullmatch(key))


def kinds(keys: Iterable[str]) -> set[str]:
    """Return what the keys are of: `session`, `index session person`..."""
    found = set()
    for key in keys:
        parts = key.split(":")[1:]
        found.add(" ".join(part for part in parts if not re.fullmatch(r"[0-9a-f]{16,}|\d+", part)))
    return found


def held(client: redis.Redis) -> list[str]:
    """Return every key a server holds."""
    return [key.decode("utf-8", "backslashreplace") for key in client.scan_iter(count=1000)]


@contextmanager
def touched(server: PrivateRedis) -> Iterator[set[str]]:
    """Collect the keys of every command the server runs meanwhile, those inside scripts too, as it tells itself."""
    lines = bytearray()
    keys: set[str] = set()
    with socket.socket(socket.AF_UNIX) as ear:
        ear.connect(str(server.socket))
        ear.sendall(b"MONITOR\r\n")
        assert ear.recv(5) == b"+OK\r\n"
        yield keys
        with server.client() as client:
            client.echo("the end of it")
            while b'"the end of it"' not in lines:
                lines += ear.recv(1 << 20)
            for command in {tuple(_words(line)) for line in bytes(lines).split(b"\r\n")}:
                keys.update(_keys(client, command))


def _words(line: bytes) -> list[bytes]:
    """Return the words of a command as MONITOR shows it: quoted, escaped."""
    quoted = re.findall(rb'"((?:[^"\\]|\\.)*)"', line)
    return [each.decode("ascii").encode("latin-1").decode("unicode_escape").encode("latin-1") for each in quoted]


def _keys(client: redis.Redis, command: tuple[bytes, ...]) -> list[str]:
    if not command:
        return []
    try:
        found: Any = client.execute_command("COMMAND GETKEYS", *command)
    except redis.ResponseError as error:
        if "no key arguments" not in str(error):  # its words for PING and the like
            raise
        return []
    return [str(key) for key in found]
