"""Ephemeral state in Redis (6.0 or later), shared by several machines.

A record is one string: a line with its end, its number and its indexes, then the
value. The end written there decides, by the caller's clock; Redis' own expiry
comes a little later and only collects. An index is a sorted set of members
`number:key`, scored by their end. A member counts only if the record still
carries its number, so what a stale member names is never another record.

Whatever moves several keys is one Lua script: it happens whole or not at all.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from imagin_gateway.errors import Code, Problem, SettingsError, Unavailable
from imagin_gateway.state import scripts
from imagin_gateway.state.address import refusal
from imagin_gateway.state.redis_watch import RedisWatch
from imagin_gateway.state.store import Record, Space, Swap, check_followed
from imagin_gateway.state.watch import OnChange

PREFIX: Final = "{imagin-gateway}"
"""Before every key. The braces keep our keys on one node of a cluster, where scripts may touch them together."""

COLLECT_AFTER: Final = 60.0
"""Seconds between the end of a record and its collection by Redis: clocks of two machines differ."""

LONGEST: Final = 10 * 366 * 86400.0

BATCH: Final = 1000
"""Records removed by one run of a script, which holds the whole server meanwhile."""


class RedisStateStore:
    """`StateStore` in Redis. Safe to share between threads, and survives `fork`.

    Args:
        url: ``redis://``, ``rediss://`` (TLS, always verified) or ``unix://``.
        timeout: seconds to wait for the server before `Unavailable`.
        prefix: before every key.

    Raises:
        SettingsError: the address cannot be used. No connection is made yet.
    """

    def __init__(self, url: str, *, timeout: float = 2.0, prefix: str = PREFIX) -> None:
        if wrong := refusal(url):
            raise SettingsError([Problem("state.url", *wrong)])
        tls: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        self._url = url
        self._options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # Never by itself a second time: a command whose answer was lost may have run. (A connection that broke
            # while it was idle is noticed and made anew before it is used.)
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": False,
            **(tls if url.startswith("rediss://") else {}),
        }
        self._client: redis.Redis = redis.Redis.from_url(url, **self._options)
        self._prefix = prefix
        self._closed = False
        self._watches: list[RedisWatch] = []
        self._put = self._client.register_script(scripts.PUT)
        self._put_if_absent = self._client.register_script(scripts.PUT_IF_ABSENT)
        self._swap = self._client.register_script(scripts.SWAP)
        self._remove = self._client.register_script(scripts.REMOVE)
        self._increment = self._client.register_script(scripts.INCREMENT)
        self._find = self._client.register_script(scripts.FIND)
        self._delete_indexed = self._client.register_script(scripts.DELETE_INDEXED)

    def put(
        self, space: Space, key: str, value: bytes, *, expires_at: float, now: float, indexes: Sequence[str] = ()
    ) -> None:
        """Write a record, replacing its value and its indexes."""
        tokens = [_token(index) for index in dict.fromkeys(indexes)]
        self._run(self._put, space, key, *_end(expires_at, now), now, value, *tokens)

    def put_if_absent(self, space: Space, key: str, value: bytes, *, expires_at: float, now: float) -> bool:
        """Write a record unless a live one is there; tell whether it was written."""
        return bool(self._run(self._put_if_absent, space, key, *_end(expires_at, now), now, value))

    def swap(self, space: Space, changes: Sequence[Swap], *, now: float) -> list[bool]:
        """Change values and ends of live records, keeping their indexes, where they still hold the old value."""
        if not changes:
            return []
        arguments: list[Any] = []
        for change in changes:
            arguments += [_quoted(change.key), *_end(change.expires_at, now), change.old, change.new]
        with self._answering():
            done = self._swap(
                keys=[self._key(space, change.key) for change in changes],
                args=[self._index_prefix(space), now, *arguments],
            )
        return [bool(each) for each in done]

    def get(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value, or None."""
        with self._answering():
            raw: Any = self._client.get(self._key(space, key))
        return _live(raw, now)

    def get_many(self, space: Space, keys: Sequence[str], *, now: float) -> list[bytes | None]:
        """Return what `get` would for each key, in one round trip."""
        if not keys:
            return []
        with self._answering():
            found: Any = self._client.mget([self._key(space, key) for key in keys])
        return [_live(raw, now) for raw in found]

    def take(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value and remove it: of many takers, one has it."""
        return _live(self._run(self._remove, space, key), now)

    def delete(self, space: Space, key: str) -> bool:
        """Remove a record; tell whether there was one."""
        return self._run(self._remove, space, key) is not None

    def increment(self, space: Space, key: str, *, expires_at: float, now: float) -> int:
        """Add one to a counter and return it; a new counter starts at one and ends at `expires_at`."""
        return int(self._run(self._increment, space, key, *_end(expires_at, now), now))

    def find(self, space: Space, index: str, *, now: float) -> list[Record]:
        """Return the live records under an index, oldest first."""
        with self._answering():
            rows = self._find(keys=[self._index(space, index)], args=[self._key(space, ""), now])
        found: list[tuple[int, Record]] = []
        for member, raw in rows:
            number, _, key = member.decode("ascii").partition(":")
            expires_at, value = _split(raw)
            found.append((int(number), Record(unquote(key), value, expires_at)))
        return [record for _, record in sorted(found, key=lambda pair: pair[0])]

    def delete_indexed(self, space: Space, index: str) -> int:
        """Remove every record under an index; return how many there were.

        Done a batch at a time: when the server fails on the way, a part is removed.
        """
        total = 0
        while True:
            with self._answering():
                looked_at, removed = self._delete_indexed(
                    keys=[self._index(space, index)],
                    args=[self._key(space, ""), self._index_prefix(space), BATCH],
                )
            total += int(removed)
            if looked_at < BATCH:
                return total

    def watch(self, space: Space, on_change: OnChange, *, lag: float) -> RedisWatch:
        """Follow the changes of the sessions, as the server announces them."""
        check_followed(space)
        watch = RedisWatch(self.dedicated, self._key(space, ""), f"{self._prefix}:beat:", on_change, lag)
        self._watches.append(watch)
        return watch

    def purge(self, *, now: float) -> int:
        """Return 0: Redis collects each record by itself, `COLLECT_AFTER` seconds past its end."""
        self.ping()
        return 0

    def ping(self) -> None:
        """Raise `Unavailable` if the store does not answer."""
        with self._answering():
            self._client.ping()

    def close(self) -> None:
        """Close every connection. The store answers `Unavailable` from then on."""
        self._closed = True
        for watch in self._watches:
            watch.close()
        self._client.close()

    def dedicated(self) -> redis.Redis:
        """Return a new client of the server that holds our keys now, RESP2, with connections of its own."""
        return redis.Redis.from_url(self._url, protocol=2, **self._options)

    @contextlib.contextmanager
    def _answering(self) -> Generator[None, None, None]:
        if self._closed:
            raise Unavailable("the state store is closed", code=Code.STORE_UNAVAILABLE)
        try:
            yield
        except (redis.RedisError, OSError) as error:
            # Not chained: what a server answers to a command it refuses may repeat the command, values included.
            kind = type(error).__name__
            raise Unavailable(f"the state store does not answer ({kind})", code=Code.STORE_UNAVAILABLE) from None

    def _run(self, script: Script, space: Space, key: str, *arguments: Any) -> Any:
        """Run a script on one record."""
        with self._answering():
            return script(
                keys=[self._key(space, key), f"{self._prefix}:number"],
                args=[self._index_prefix(space), _quoted(key), *arguments],
            )

    def _key(self, space: Space, key: str) -> str:
        return f"{self._prefix}:{space.value}:{_quoted(key)}"

    def _index_prefix(self, space: Space) -> str:
        return f"{self._prefix}:index:{space.value}:"

    def _index(self, space: Space, index: str) -> str:
        return self._index_prefix(space) + _token(index)


def _quoted(text: str) -> str:
    """Return `text` in letters, digits and `_.-~:%` alone, so that nothing can be read as two keys."""
    return quote(text, safe=":")


def _token(index: str) -> str:
    return _quoted(index) or "%"  # never empty; `%` alone is no quotation


def _end(expires_at: float, now: float) -> tuple[str, int]:
    """Return the end as the record tells it, and the milliseconds after which Redis may collect."""
    return repr(float(expires_at)), max(1, math.ceil(min(expires_at - now + COLLECT_AFTER, LONGEST) * 1000))


def _split(raw: bytes) -> tuple[float, bytes]:
    """Return the end and the value of a record; what is none of ours ended long ago."""
    head, _, value = raw.partition(b"\n")
    try:
        expires_at = float(head.split(b" ", 1)[0])
    except ValueError:
        return 0.0, b""
    return (expires_at, value) if math.isfinite(expires_at) else (0.0, b"")


def _live(raw: bytes | None, now: float) -> bytes | None:
    if raw is None:
        return None
    expires_at, value = _split(raw)
    return value if expires_at > now else None
