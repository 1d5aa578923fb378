"""What every engine of the ephemeral state promises; the same tests on SQLite and on Redis, however it is reached."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.state.store import Record, Space, StateStore, Swap
from tests.state.engines import EVERY_ENGINE, on
from tests.state.workers import END, KEY, NOW, act, in_processes

pytestmark = on(*EVERY_ENGINE)

HOSTILE = [
    "",
    " ",
    "a b",
    "a:b",
    "a%3Ab",
    "%",
    "'; DROP TABLE record; --",
    '" OR 1=1',
    "*",
    "{x}",
    "\r\nFLUSHALL\r\n",
    "nul\x00inside",
    "nul",
    "é",
    "e\u0301",
    "\U0001f6aa",
    "../../etc/passwd",
    "x" * 10_000,
]


def test_a_record_comes_back_as_it_was_written(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    assert store.get(Space.FLOW, "k", now=NOW) == b"v"


def test_a_key_of_one_space_is_nothing_in_another(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW, indexes=["i"])
    for other in set(Space) - {Space.FLOW}:
        assert store.get(other, "k", now=NOW) is None
        assert store.take(other, "k", now=NOW) is None
        assert store.delete(other, "k") is False
        assert store.find(other, "i", now=NOW) == []
        assert store.delete_indexed(other, "i") == 0
    assert store.get(Space.FLOW, "k", now=NOW) == b"v"


def test_put_replaces_the_value_the_end_and_the_indexes(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"old", expires_at=END, now=NOW, indexes=["before", "both"])
    store.put(Space.FLOW, "k", b"new", expires_at=END + 5, now=NOW, indexes=["both", "after"])
    assert store.find(Space.FLOW, "before", now=NOW) == []
    assert store.find(Space.FLOW, "both", now=NOW) == [Record("k", b"new", END + 5)]
    assert store.find(Space.FLOW, "after", now=NOW) == [Record("k", b"new", END + 5)]


@pytest.mark.parametrize("index", [[], ["i"]])
def test_a_record_ends_at_the_exact_moment(store: StateStore, index: list[str]) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW, indexes=index)
    for before in (END - 1, END - 0.001):
        assert store.get(Space.FLOW, "k", now=before) == b"v"
        assert len(store.find(Space.FLOW, "i", now=before)) == len(index)
    for after in (END, END + 1):
        assert store.get(Space.FLOW, "k", now=after) is None
        assert store.find(Space.FLOW, "i", now=after) == []
        assert store.swap(Space.FLOW, [Swap("k", b"v", b"again", END + 10)], now=after) == [False]
    assert store.take(Space.FLOW, "k", now=END) is None


def test_an_expired_record_does_not_stand_in_the_way_of_put_if_absent(store: StateStore) -> None:
    store.put(Space.REPLAY, "k", b"old", expires_at=END, now=NOW, indexes=["i"])
    assert store.put_if_absent(Space.REPLAY, "k", b"new", expires_at=END + 9, now=END - 1) is False
    assert store.put_if_absent(Space.REPLAY, "k", b"new", expires_at=END + 9, now=END) is True
    assert store.get(Space.REPLAY, "k", now=END) == b"new"
    assert store.find(Space.REPLAY, "i", now=END) == []


def test_a_record_written_already_over_does_not_exist(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=NOW, now=NOW, indexes=["i"])
    assert store.get(Space.FLOW, "k", now=NOW) is None
    assert store.find(Space.FLOW, "i", now=NOW) == []


def test_a_swap_keeps_the_indexes_through_the_former_end(store: StateStore) -> None:
    store.put(Space.SESSION, "k", b"v", expires_at=NOW + 10, now=NOW, indexes=["i", "j"])
    assert store.swap(Space.SESSION, [Swap("k", b"v", b"w", NOW + 20)], now=NOW + 9) == [True]
    store.put(Space.SESSION, "other", b"", expires_at=NOW + 20, now=NOW + 15, indexes=["i"])
    assert store.get(Space.SESSION, "k", now=NOW + 15) == b"w"
    assert [record.key for record in store.find(Space.SESSION, "i", now=NOW + 15)] == ["k", "other"]
    assert store.find(Space.SESSION, "j", now=NOW + 15) == [Record("k", b"w", NOW + 20)]


def test_a_swap_brings_nothing_back(store: StateStore) -> None:
    gone = [Swap("k", b"v", b"w", END)]
    assert store.swap(Space.SESSION, gone, now=NOW) == [False]
    store.put(Space.SESSION, "k", b"v", expires_at=END, now=NOW, indexes=["i"])
    store.delete(Space.SESSION, "k")
    assert store.swap(Space.SESSION, gone, now=NOW) == [False]
    assert store.get(Space.SESSION, "k", now=NOW) is None
    assert store.find(Space.SESSION, "i", now=NOW) == []


def test_swaps_of_one_call_hold_each_on_its_own(store: StateStore) -> None:
    for key in ("same", "changed", "also"):
        store.put(Space.SESSION, key, b"old\x00\n", expires_at=END, now=NOW, indexes=["i"])
    store.swap(Space.SESSION, [Swap("changed", b"old\x00\n", b"by another", END)], now=NOW)
    changes = [Swap(key, b"old\x00\n", b"new", END + 5) for key in ("same", "gone", "changed", "also")]
    assert store.swap(Space.SESSION, changes, now=NOW) == [True, False, False, True]
    values = store.get_many(Space.SESSION, ["also", "gone", "changed", "same"], now=NOW)
    assert values == [b"new", None, b"by another", b"new"]
    assert [record.expires_at for record in store.find(Space.SESSION, "i", now=NOW)] == [END + 5, END, END + 5]
    assert store.swap(Space.SESSION, [], now=NOW) == []
    assert store.get_many(Space.SESSION, [], now=NOW) == []


def test_get_many_leaves_out_what_has_ended(store: StateStore) -> None:
    store.put(Space.SESSION, "long", b"1", expires_at=END, now=NOW)
    store.put(Space.SESSION, "short", b"2", expires_at=NOW + 1, now=NOW)
    assert store.get_many(Space.SESSION, ["short", "long", "short"], now=NOW + 1) == [None, b"1", None]


def test_the_latest_moment_stays_and_ends_so_long_after_itself(store: StateStore) -> None:
    store.keep_latest(Space.SEEN, {"a": NOW + 5.25, "b": NOW}, life=10, now=NOW)
    store.keep_latest(Space.SEEN, {"a": NOW + 4, "b": NOW + 1.5, "c": NOW}, life=10, now=NOW)
    moments = store.get_many(Space.SEEN, ["a", "b", "c"], now=NOW)
    assert [float(raw or b"0") for raw in moments] == [NOW + 5.25, NOW + 1.5, NOW]
    assert store.get(Space.SEEN, "a", now=NOW + 15.2) is not None
    assert store.get(Space.SEEN, "a", now=NOW + 15.25) is None
    store.keep_latest(Space.SEEN, {}, life=10, now=NOW)


def test_take_gives_once(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW, indexes=["i"])
    assert store.take(Space.FLOW, "k", now=NOW) == b"v"
    assert store.take(Space.FLOW, "k", now=NOW) is None
    assert store.find(Space.FLOW, "i", now=NOW) == []


def test_delete_tells_whether_there_was_one(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW, indexes=["i"])
    assert store.delete(Space.FLOW, "k") is True
    assert store.delete(Space.FLOW, "k") is False
    assert store.find(Space.FLOW, "i", now=NOW) == []


def test_an_index_names_no_later_record_of_the_same_key(store: StateStore) -> None:
    store.put(Space.FLOW, "k", b"first", expires_at=END, now=NOW, indexes=["i"])
    store.delete(Space.FLOW, "k")
    store.put(Space.FLOW, "k", b"second", expires_at=END, now=NOW)
    assert store.find(Space.FLOW, "i", now=NOW) == []
    assert store.delete_indexed(Space.FLOW, "i") == 0
    assert store.get(Space.FLOW, "k", now=NOW) == b"second"


def test_find_tells_the_oldest_first(store: StateStore) -> None:
    for key in ("c", "a", "b"):
        store.put(Space.SESSION, key, key.encode(), expires_at=END, now=NOW, indexes=["i"])
    store.swap(Space.SESSION, [Swap("c", b"c", b"seen", END + 1)], now=NOW)
    found = store.find(Space.SESSION, "i", now=NOW)
    assert found == [Record("c", b"seen", END + 1), Record("a", b"a", END), Record("b", b"b", END)]


def test_an_index_named_twice_holds_a_record_once(store: StateStore) -> None:
    store.put(Space.SESSION, "k", b"v", expires_at=END, now=NOW, indexes=["i", "i"])
    assert len(store.find(Space.SESSION, "i", now=NOW)) == 1
    assert store.delete_indexed(Space.SESSION, "i") == 1


def test_delete_indexed_removes_those_and_no_other(store: StateStore) -> None:
    store.put(Space.SESSION, "one", b"1", expires_at=END, now=NOW, indexes=["i", "all"])
    store.put(Space.SESSION, "two", b"2", expires_at=END, now=NOW, indexes=["i", "all"])
    store.put(Space.SESSION, "three", b"3", expires_at=END, now=NOW, indexes=["j", "all"])
    assert store.delete_indexed(Space.SESSION, "i") == 2
    assert store.get(Space.SESSION, "one", now=NOW) is None
    assert [record.key for record in store.find(Space.SESSION, "all", now=NOW)] == ["three"]
    assert store.delete_indexed(Space.SESSION, "i") == 0


def test_delete_indexed_removes_thousands(store: StateStore) -> None:
    for number in range(2100):
        store.put(Space.SESSION, str(number), b"v", expires_at=END, now=NOW, indexes=["all"])
    assert store.delete_indexed(Space.SESSION, "all") == 2100
    assert store.find(Space.SESSION, "all", now=NOW) == []
    assert store.get(Space.SESSION, "2099", now=NOW) is None


def test_a_counter_counts_and_its_end_does_not_move(store: StateStore) -> None:
    assert [store.increment(Space.COUNTER, "k", expires_at=END + n, now=NOW) for n in range(12)] == [*range(1, 13)]
    assert store.increment(Space.COUNTER, "k", expires_at=END + 50, now=END - 1) == 13
    assert store.increment(Space.COUNTER, "k", expires_at=END + 50, now=END) == 1
    assert store.get(Space.COUNTER, "k", now=END) == b"1"


def test_purge_leaves_what_is_live(store: StateStore) -> None:
    store.put(Space.FLOW, "dead", b"v", expires_at=NOW + 10, now=NOW, indexes=["i"])
    store.put(Space.FLOW, "live", b"v", expires_at=NOW + 11, now=NOW, indexes=["i"])
    store.purge(now=NOW + 10)
    assert store.get(Space.FLOW, "dead", now=NOW + 10) is None
    assert [record.key for record in store.find(Space.FLOW, "i", now=NOW + 10)] == ["live"]


@pytest.mark.row("INP-06")
def test_hostile_keys_are_only_keys(store: StateStore) -> None:
    for number, text in enumerate(HOSTILE):
        store.put(Space.SESSION, text, str(number).encode(), expires_at=END, now=NOW, indexes=[text, "every"])
        assert store.increment(Space.COUNTER, text, expires_at=END, now=NOW) == 1
    for number, text in enumerate(HOSTILE):
        assert store.get(Space.SESSION, text, now=NOW) == str(number).encode()
        assert store.find(Space.SESSION, text, now=NOW) == [Record(text, str(number).encode(), END)]
    assert [record.key for record in store.find(Space.SESSION, "every", now=NOW)] == HOSTILE
    for number, text in enumerate(HOSTILE):
        assert store.delete_indexed(Space.SESSION, text) == 1
        assert [record.key for record in store.find(Space.SESSION, "every", now=NOW)] == HOSTILE[number + 1 :]


@pytest.mark.row("INP-06")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(), min_size=2, max_size=4, unique=True), value=st.binary())
def test_any_text_is_a_key_of_its_own_and_any_bytes_a_value(store: StateStore, texts: list[str], value: bytes) -> None:
    for number, text in enumerate(texts):
        store.put(Space.SESSION, text, value + bytes([number]), expires_at=END, now=NOW, indexes=[text])
    for number, text in enumerate(texts):
        assert store.get(Space.SESSION, text, now=NOW) == value + bytes([number])
        assert store.find(Space.SESSION, text, now=NOW) == [Record(text, value + bytes([number]), END)]
        assert store.swap(Space.SESSION, [Swap(text, value + bytes([number]), value, END)], now=NOW) == [True]
        assert store.take(Space.SESSION, text, now=NOW) == value


def test_text_that_is_no_text_is_refused_and_leaves_no_lock(store: StateStore) -> None:
    with pytest.raises(UnicodeEncodeError):
        store.put(Space.SESSION, "\ud800", b"", expires_at=END, now=NOW)
    store.put(Space.SESSION, "k", b"v", expires_at=END, now=NOW)
    assert store.get(Space.SESSION, "k", now=NOW) == b"v"


def test_of_many_threads_that_take_one_has_it(url: str, store: StateStore) -> None:
    store.put(Space.FLOW, KEY, b"v", expires_at=END, now=NOW)
    assert sorted(act("take", url, 20)) == ["False"] * 19 + ["True"]


def test_of_many_processes_that_take_one_has_it(url: str, store: StateStore) -> None:
    store.put(Space.FLOW, KEY, b"v", expires_at=END, now=NOW)
    assert sorted(in_processes("take", url, processes=4, threads=5)) == ["False"] * 19 + ["True"]


def test_many_processes_that_put_if_absent_write_once(url: str, store: StateStore) -> None:
    results = in_processes("put_if_absent", url, processes=4, threads=5)
    assert sorted(results) == ["False"] * 19 + ["True"]
    assert store.get(Space.REPLAY, KEY, now=NOW) is not None


def test_no_increment_is_lost_between_threads(url: str, store: StateStore) -> None:
    assert sorted(map(int, act("increment", url, 50))) == [*range(1, 51)]


def test_no_increment_is_lost_between_processes(url: str, store: StateStore) -> None:
    assert sorted(map(int, in_processes("increment", url, processes=5, threads=10))) == [*range(1, 51)]


def test_of_a_swap_and_a_delete_at_once_the_delete_lasts(store: StateStore) -> None:
    for attempt in range(30):
        key = f"k{attempt}"
        store.put(Space.SESSION, key, b"v", expires_at=END, now=NOW, indexes=["i"])
        barrier = Barrier(5)

        def swap(key: str = key, barrier: Barrier = barrier) -> None:
            barrier.wait()
            store.swap(Space.SESSION, [Swap(key, b"v", b"w", END)], now=NOW)

        with ThreadPoolExecutor(5) as pool:
            for _ in range(4):
                pool.submit(swap)
            barrier.wait()
            store.delete(Space.SESSION, key)
        assert store.get(Space.SESSION, key, now=NOW) is None
    assert store.find(Space.SESSION, "i", now=NOW) == []


CALLS: dict[str, Callable[[StateStore], object]] = {
    "put": lambda store: store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW, indexes=["i"]),
    "put_if_absent": lambda store: store.put_if_absent(Space.FLOW, "k", b"v", expires_at=END, now=NOW),
    "swap": lambda store: store.swap(Space.FLOW, [Swap("k", b"v", b"v", END)], now=NOW),
    "keep_latest": lambda store: store.keep_latest(Space.SEEN, {"k": NOW, "l": NOW}, life=10, now=NOW),
    "get_many": lambda store: store.get_many(Space.FLOW, ["k", "l"], now=NOW),
    "get": lambda store: store.get(Space.FLOW, "k", now=NOW),
    "take": lambda store: store.take(Space.FLOW, "k", now=NOW),
    "delete": lambda store: store.delete(Space.FLOW, "k"),
    "increment": lambda store: store.increment(Space.COUNTER, "k", expires_at=END, now=NOW),
    "find": lambda store: store.find(Space.FLOW, "i", now=NOW),
    "delete_indexed": lambda store: store.delete_indexed(Space.FLOW, "i"),
    "purge": lambda store: store.purge(now=NOW),
    "ping": lambda store: store.ping(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_closed_store_is_unavailable(store: StateStore, call: Callable[[StateStore], object]) -> None:
    call(store)
    store.close()
    with pytest.raises(Unavailable) as caught:
        call(store)
    assert caught.value.code is Code.STORE_UNAVAILABLE


def test_the_spaces_and_the_keys_never_mix(store: StateStore) -> None:
    pairs = [(space, key) for space in Space for key in ("session:k", "k", "index", "")]
    for number, (space, key) in enumerate(pairs):
        store.put(space, key, str(number).encode(), expires_at=END, now=NOW)
    values = [store.get(space, key, now=NOW) for space, key in pairs]
    assert all(one != other for one, other in combinations(values, 2))
