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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

import redis
from redis.exceptions import NoScriptError

from imagin_gateway.errors import Code, Problem, SettingsError, Unavailable
from imagin_gateway.state import scripts
from imagin_gateway.state.address import AddressRefused, Reach, parse
from imagin_gateway.state.connecting import connecting
from imagin_gateway.state.endangering import endangering
from imagin_gateway.state.redis_watch import RedisWatch
from imagin_gateway.state.scripts import Script
from imagin_gateway.state.store import Record, Space, Swap, check_followed
from imagin_gateway.state.watch import OnChange

PREFIX: Final = "{imagin-gateway}"
"""Before every key. The braces keep our keys on one node of a cluster, where scripts may touch them together."""

COLLECT_AFTER: Final = 60.0
"""Seconds between the end of a record and its collection by Redis: clocks of two machines differ."""

LONGEST: Final = 10 * 366 * 86400.0

BATCH: Final = 1000
"""Records removed by one run of a script, which holds the whole server meanwhile."""

T = TypeVar("T")


class RedisStateStore:
    """`StateStore` in Redis. Safe to share between threads, and survives `fork`.

    Args:
        url: ``redis://``, ``rediss://`` (TLS, always verified) or ``unix://``; with ``+sentinel`` or ``+cluster``
            after the first two, a server that may be replaced.
        timeout: seconds to wait for the server before `Unavailable`.
        prefix: before every key.

    Raises:
        SettingsError: the address cannot be used. No connection is made yet.
    """

    def __init__(self, url: str, *, timeout: float = 2.0, prefix: str = PREFIX) -> None:
        try:
            self._address = parse(url)
        except AddressRefused as refused:
            raise SettingsError([Problem("state.url", refused.wrong, refused.remedy)]) from None
        self._prefix = prefix
        self._number = f"{prefix}:number"
        self._way = connecting(self._address, timeout=timeout, probe=self._number)
        self._closed = False
        self._watches: list[RedisWatch] = []

    def put(
        self, space: Space, key: str, value: bytes, *, expires_at: float, now: float, indexes: Sequence[str] = ()
    ) -> None:
        """Write a record, replacing its value and its indexes."""
        tokens = [_token(index) for index in dict.fromkeys(indexes)]
        self._run(scripts.PUT, space, key, *_end(expires_at, now), now, value, *tokens)

    def put_if_absent(self, space: Space, key: str, value: bytes, *, expires_at: float, now: float) -> bool:
        """Write a record unless a live one is there; tell whether it was written."""
        return bool(self._run(scripts.PUT_IF_ABSENT, space, key, *_end(expires_at, now), now, value))

    def swap(self, space: Space, changes: Sequence[Swap], *, now: float) -> list[bool]:
        """Change values and ends of live records, keeping their indexes, where they still hold the old value."""
        if not changes:
            return []
        arguments: list[Any] = []
        for change in changes:
            arguments += [_quoted(change.key), *_end(change.expires_at, now), change.old, change.new]
        keys = [self._key(space, change.key) for change in changes]
        return [bool(each) for each in self._run_on(keys, scripts.SWAP, self._index_prefix(space), now, *arguments)]

    def keep_latest(self, space: Space, moments: Mapping[str, float], *, life: float, now: float) -> None:
        """Write moments, each unless a later one is there."""
        if not moments:
            return
        arguments: list[Any] = []
        for moment in moments.values():
            arguments += [*_end(moment + life, now), repr(moment)]
        self._run_on([self._key(space, key) for key in moments], scripts.KEEP_LATEST, *arguments)

    def get(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value, or None."""
        name = self._key(space, key)
        raw: bytes | None = self._ask(lambda client: client.get(name))
        return _live(raw, now)

    def get_many(self, space: Space, keys: Sequence[str], *, now: float) -> list[bytes | None]:
        """Return what `get` would for each key, in one round trip."""
        if not keys:
            return []
        names = [self._key(space, key) for key in keys]
        found: list[bytes | None] = self._ask(lambda client: client.mget(names))
        return [_live(raw, now) for raw in found]

    def take(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value and remove it: of many takers, one has it."""
        return _live(self._run(scripts.REMOVE, space, key), now)

    def delete(self, space: Space, key: str) -> bool:
        """Remove a record; tell whether there was one."""
        return self._run(scripts.REMOVE, space, key) is not None

    def increment(self, space: Space, key: str, *, expires_at: float, now: float) -> int:
        """Add one to a counter and return it; a new counter starts at one and ends at `expires_at`."""
        return int(self._run(scripts.INCREMENT, space, key, *_end(expires_at, now), now))

    def find(self, space: Space, index: str, *, now: float) -> list[Record]:
        """Return the live records under an index, oldest first."""
        rows = self._run_on([self._index(space, index)], scripts.FIND, self._key(space, ""), now)
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
        keys = [self._index(space, index)]
        total = 0
        while True:
            looked_at, removed = self._run_on(
                keys, scripts.DELETE_INDEXED, self._key(space, ""), self._index_prefix(space), BATCH
            )
            total += int(removed)
            if looked_at < BATCH:
                return total

    def watch(self, space: Space, on_change: OnChange, *, lag: float) -> RedisWatch:
        """Follow the changes of the sessions, as the server announces them."""
        check_followed(space)
        watch = RedisWatch(
            self.dedicated, self.in_charge, self._key(space, ""), f"{self._prefix}:beat:", on_change, lag
        )
        self._watches.append(watch)
        return watch

    def purge(self, *, now: float) -> int:
        """Return 0: Redis collects each record by itself, `COLLECT_AFTER` seconds past its end."""
        self.ping()
        return 0

    def ping(self) -> None:
        """Raise `Unavailable` if the store does not answer."""
        # Not PING: a replica, or a node that has lost our slot, answers it too.
        self._ask(lambda client: client.get(self._number))

    def close(self) -> None:
        """Close every connection. The store answers `Unavailable` from then on."""
        self._closed = True
        for watch in self._watches:
            watch.close()
        self._way.close()

    def in_charge(self) -> str:
        """Return a name for the server that is in charge of our keys, as known for one second at most.

        Another name than before means that the server was replaced: what was learnt from it may be outdated.

        Raises:
            Unavailable: nobody is in charge, or nobody can say who is.
        """
        return self._guarded(self._way.in_charge)

    def dedicated(self) -> redis.Redis:
        """Return a new client of the one server that is in charge of our keys now, for what follows one server.

        It has connections of its own (RESP 2), made when they are wanted, with the login, TLS and timeout of the
        store. It does not move: when `in_charge` changes or a connection breaks, ask for another. The caller closes it.

        Raises:
            Unavailable: nobody is in charge, or nobody can say who is.
        """
        return self._guarded(self._way.dedicated)

    def warnings(self) -> list[Problem]:
        """Return what in the server's own settings endangers the state. Empty where it tells none of them.

        Raises:
            Unavailable: the server does not answer.
        """
        through = self._address.reach is not Reach.DIRECT
        client = self.dedicated()
        with contextlib.closing(client):
            told = self._guarded(client.info)
        return endangering(told, fails_over=through)

    def _guarded(self, act: Callable[[], T]) -> T:
        """Return what `act` does, or raise `Unavailable`: nothing else comes out, whatever happened."""
        if self._closed:
            raise Unavailable("the state store is closed", code=Code.STORE_UNAVAILABLE)
        try:
            return act()
        except Exception as error:  # all: redis-py has errors that are none of `RedisError`, those of a cluster first
            with contextlib.suppress(Exception):
                self._way.failed(error)
            # Not chained: what a server answers to a command it refuses may repeat the command, values included.
            kind = type(error).__name__
            raise Unavailable(f"the state store does not answer ({kind})", code=Code.STORE_UNAVAILABLE) from None

    def _ask(self, command: Callable[[Any], Any]) -> Any:
        return self._guarded(lambda: command(self._way.client()))

    def _run_on(self, keys: list[str], script: Script, *arguments: Any) -> Any:
        """Run a script: one round trip, and a second one when the server has forgotten the script."""

        def run(client: Any) -> Any:
            try:
                return client.evalsha(script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return client.eval(script.text, len(keys), *keys, *arguments)

        return self._ask(run)

    def _run(self, script: Script, space: Space, key: str, *arguments: Any) -> Any:
        """Run a script on one record."""
        return self._run_on(
            [self._key(space, key), self._number], script, self._index_prefix(space), _quoted(key), *arguments
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
