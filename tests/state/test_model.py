"""Any sequence of operations does on each engine what it does on a plain dictionary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from imagin_gateway.state import open_store
from imagin_gateway.state.store import Record, Space, Swap
from tests.state.engines import on

SPACES = st.sampled_from([Space.SESSION, Space.FLOW])
KEYS = st.sampled_from(["a", "b", "a:b", "", "é\x00\n"])
INDEXES = st.sampled_from(["i", "j", "i:j", ""])
LIVES = st.integers(min_value=0, max_value=30)
VALUES = st.binary(max_size=20)


@dataclass
class Kept:
    value: bytes
    ends: float
    indexes: frozenset[str]
    number: int


def machine(fresh_url: Callable[[], str]) -> type[RuleBasedStateMachine]:
    class StoreMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.store = open_store(fresh_url())
            self.now = 1_900_000_000.0
            self.kept: dict[tuple[Space, str], Kept] = {}
            self.numbers = count()

        def teardown(self) -> None:
            self.store.close()

        def live(self, space: Space, key: str) -> Kept | None:
            kept = self.kept.get((space, key))
            return kept if kept is not None and kept.ends > self.now else None

        @rule(seconds=st.integers(min_value=1, max_value=20))
        def time_passes(self, seconds: int) -> None:
            self.now += seconds

        @rule(space=SPACES, key=KEYS, value=VALUES, life=LIVES, indexes=st.lists(INDEXES, max_size=3))
        def put(self, space: Space, key: str, value: bytes, life: int, indexes: list[str]) -> None:
            ends = self.now + life
            self.store.put(space, key, value, expires_at=ends, now=self.now, indexes=indexes)
            self.kept[space, key] = Kept(value, ends, frozenset(indexes), next(self.numbers))

        @rule(space=SPACES, key=KEYS, value=VALUES, life=LIVES)
        def put_if_absent(self, space: Space, key: str, value: bytes, life: int) -> None:
            ends = self.now + life
            written = self.store.put_if_absent(space, key, value, expires_at=ends, now=self.now)
            assert written == (self.live(space, key) is None)
            if written:
                self.kept[space, key] = Kept(value, ends, frozenset(), next(self.numbers))

        @rule(space=SPACES, key=KEYS, old=st.none() | VALUES, value=VALUES, life=LIVES)
        def swap(self, space: Space, key: str, old: bytes | None, value: bytes, life: int) -> None:
            live = self.live(space, key)
            expected = live.value if old is None and live is not None else old or b""
            ends = self.now + life
            done = self.store.swap(space, [Swap(key, expected, value, ends)], now=self.now)
            assert done == [live is not None and live.value == expected]
            if live is not None and done == [True]:
                live.value, live.ends = value, ends

        @rule(space=SPACES, keys=st.lists(KEYS, max_size=4))
        def get_many(self, space: Space, keys: list[str]) -> None:
            live = [self.live(space, key) for key in keys]
            assert self.store.get_many(space, keys, now=self.now) == [each.value if each else None for each in live]

        @rule(space=SPACES, key=KEYS)
        def get(self, space: Space, key: str) -> None:
            live = self.live(space, key)
            assert self.store.get(space, key, now=self.now) == (live.value if live else None)

        @rule(space=SPACES, key=KEYS)
        def take(self, space: Space, key: str) -> None:
            live = self.live(space, key)
            assert self.store.take(space, key, now=self.now) == (live.value if live else None)
            self.kept.pop((space, key), None)

        @rule(space=SPACES, key=KEYS)
        def delete(self, space: Space, key: str) -> None:
            deleted = self.store.delete(space, key)
            # What has expired may be there still, or have been purged.
            assert deleted or self.live(space, key) is None
            assert not deleted or (space, key) in self.kept
            self.kept.pop((space, key), None)

        @rule(key=KEYS, life=LIVES)
        def increment(self, key: str, life: int) -> None:
            live = self.live(Space.COUNTER, key)
            got = self.store.increment(Space.COUNTER, key, expires_at=self.now + life, now=self.now)
            if live is None:
                live = self.kept[Space.COUNTER, key] = Kept(b"0", self.now + life, frozenset(), next(self.numbers))
            live.value = b"%d" % (int(live.value) + 1)
            assert got == int(live.value)

        @rule(space=SPACES, index=INDEXES)
        def find(self, space: Space, index: str) -> None:
            expected = [
                (kept.number, Record(key, kept.value, kept.ends))
                for (its_space, key), kept in self.kept.items()
                if its_space is space and index in kept.indexes and kept.ends > self.now
            ]
            found = self.store.find(space, index, now=self.now)
            assert found == [record for _, record in sorted(expected, key=lambda pair: pair[0])]

        @rule(space=SPACES, index=INDEXES)
        def delete_indexed(self, space: Space, index: str) -> None:
            gone = [pair for pair, kept in self.kept.items() if pair[0] is space and index in kept.indexes]
            live = sum(self.kept[pair].ends > self.now for pair in gone)
            assert live <= self.store.delete_indexed(space, index) <= len(gone)
            for pair in gone:
                del self.kept[pair]

        @rule()
        def purge(self) -> None:
            dead = sum(kept.ends <= self.now for kept in self.kept.values())
            assert self.store.purge(now=self.now) <= dead

    return StoreMachine


@on("sqlite", "redis", "cluster")
def test_every_sequence_of_operations_does_what_a_dictionary_does(fresh_url: Callable[[], str]) -> None:
    run_state_machine_as_test(
        machine(fresh_url), settings=settings(deadline=None, max_examples=60, stateful_step_count=40)
    )
