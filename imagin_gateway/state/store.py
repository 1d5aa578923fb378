"""The one interface of ephemeral state: sessions, journeys under way, replay ids, counters.

Keys are digests made by the rooms, never text from outside (INP-06). A value is
opaque bytes. Every operation is atomic across threads and processes. When the
store cannot answer, every operation raises `Unavailable`: never a default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from imagin_gateway.state.watch import OnChange, Watch


class Space(StrEnum):
    """Kinds of records; a key of one space is nothing in another."""

    SESSION = "session"
    FLOW = "flow"
    REPLAY = "replay"
    COUNTER = "counter"
    SEEN = "seen"


def check_followed(space: Space) -> None:
    """Raise `ValueError` unless an engine follows that space."""
    if space is not Space.SESSION:
        raise ValueError("only sessions are followed")


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept under a key. `expires_at` is in seconds since the epoch."""

    key: str
    value: bytes
    expires_at: float


@dataclass(frozen=True, slots=True)
class Swap:
    """A change of a record that holds only if nobody changed it meanwhile.

    Attributes:
        old: the value it was worked out from.
        new: the value to write.
        expires_at: the new end.
    """

    key: str
    old: bytes
    new: bytes
    expires_at: float


class StateStore(Protocol):
    """Times are seconds since the epoch, from the caller's clock: an expired record does not exist."""

    def put(
        self, space: Space, key: str, value: bytes, *, expires_at: float, now: float, indexes: Sequence[str] = ()
    ) -> None:
        """Write a record, replacing its value and its indexes."""
        ...

    def put_if_absent(self, space: Space, key: str, value: bytes, *, expires_at: float, now: float) -> bool:
        """Write a record unless a live one is there; tell whether it was written."""
        ...

    def swap(self, space: Space, changes: Sequence[Swap], *, now: float) -> list[bool]:
        """Change values and ends of live records, keeping their indexes.

        Each on its own: False, and nothing written, where the record is gone or holds another value than `old`.
        """
        ...

    def get(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value, or None."""
        ...

    def keep_latest(self, space: Space, moments: Mapping[str, float], *, life: float, now: float) -> None:
        """Write moments, each under its key and ending `life` seconds after itself, unless a later one is there.

        In one round trip. Not for a space that is followed. Over a power cut the former moments may come back.
        """
        ...

    def get_many(self, space: Space, keys: Sequence[str], *, now: float) -> list[bytes | None]:
        """Return what `get` would for each key, in one round trip."""
        ...

    def take(self, space: Space, key: str, *, now: float) -> bytes | None:
        """Return a live value and remove it: of many takers, one has it."""
        ...

    def delete(self, space: Space, key: str) -> bool:
        """Remove a record; tell whether there was one."""
        ...

    def increment(self, space: Space, key: str, *, expires_at: float, now: float) -> int:
        """Add one to a counter and return it; a new counter starts at one and ends at `expires_at`."""
        ...

    def find(self, space: Space, index: str, *, now: float) -> list[Record]:
        """Return the live records under an index, oldest first."""
        ...

    def delete_indexed(self, space: Space, index: str) -> int:
        """Remove every record under an index; return how many there were."""
        ...

    def watch(self, space: Space, on_change: OnChange, *, lag: float) -> Watch:
        """Follow the changes of a space, whoever makes them.

        Args:
            space: `Space.SESSION`; the others change too fast for anybody to follow.
            on_change: called with the keys of records that were changed or removed, or with None for all of them;
                from any thread, and never while the caller of `current` must wait.
            lag: seconds for which a change may stay unknown.

        Raises:
            ValueError: another space.
        """
        ...

    def purge(self, *, now: float) -> int:
        """Remove what has expired; return how many records went."""
        ...

    def ping(self) -> None:
        """Raise `Unavailable` if the store does not answer."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
