"""What a process remembers of sessions: read for nothing, never a moment longer than it is true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Unavailable
from imagin_gateway.keys import Keyring, Secret, digest
from imagin_gateway.sessions import reader
from imagin_gateway.sessions.reader import COOKIE_LENGTH, PURPOSE
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.sessions.seen import LastSeen
from imagin_gateway.sessions.session import Session
from imagin_gateway.state import open_store
from imagin_gateway.state.sqlite_watch import PART_OF_A_LAG
from imagin_gateway.state.store import Space, StateStore
from imagin_gateway.state.watch import DEFAULT_LAG
from tests.clock import ManualClock
from tests.sessions.conftest import ABSOLUTE, IDLE
from tests.sessions.knowing import DeafStore, HookedStore, in_a_child, known
from tests.sessions.people import PARIS, person
from tests.state.engines import on
from tests.state.servers import until

NEVER = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NAME = "<NameID>n1</NameID>"


def here(registry: SessionRegistry) -> Session:
    """Return a new session of that person."""
    session = registry.resolve(registry.open(person()))
    assert session is not None
    return session


ENDS: dict[str, Callable[[SessionRegistry, str], object]] = {
    "end": lambda registry, cookie: registry.end(cookie),
    "end_handle": lambda registry, cookie: registry.end_handle(registry.list_person(PARIS, "mdurand7")[0].handle),
    "end_person": lambda registry, cookie: registry.end_person(PARIS, "mdurand7"),
    "end_portal_session": lambda registry, cookie: registry.end_portal_session(PARIS, "_1"),
    "end_name_id": lambda registry, cookie: registry.end_name_id(PARIS, NAME),
    "end_name_id of sessions": lambda registry, cookie: registry.end_name_id(PARIS, NAME, ["_0", "_1"]),
    "end_door": lambda registry, cookie: registry.end_door("arena-paris"),
    "end_all": lambda registry, cookie: registry.end_all(),
    "end_others": lambda registry, cookie: registry.end_others(here(registry)),
    "open": lambda registry, cookie: registry.open(person("else"), replaces=cookie),
}
"""Every way in which a session ends before its time."""


def log_in(registry: SessionRegistry, subject: str = "mdurand7", **more: Any) -> str:
    return registry.open(person(subject), portal_session="_1", name_id=NAME, **more)


@contextmanager
def knowing(store: StateStore, keyring: Keyring, clock: ManualClock, **more: Any) -> Iterator[SessionRegistry]:
    registry = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE, **{"grain": NEVER, "cached": 100, **more})
    try:
        yield registry
    finally:
        registry.close()


@pytest.fixture
def hooked(store: StateStore) -> HookedStore:
    return HookedStore(store)


@pytest.fixture
def deaf(store: StateStore) -> DeafStore:
    return DeafStore(store)


@pytest.fixture
def registry(hooked: HookedStore, keyring: Keyring, clock: ManualClock) -> Iterator[SessionRegistry]:
    with knowing(hooked.as_store, keyring, clock) as opened:
        yield opened


@pytest.fixture
def alone(deaf: DeafStore, keyring: Keyring, clock: ManualClock) -> Iterator[SessionRegistry]:
    """A registry that is told nothing, and believes what it read for ever."""
    with knowing(deaf.as_store, keyring, clock) as opened:
        yield opened


def test_a_glance_asks_no_watch_before_its_word_is_over(
    alone: SessionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Word:
        believed_until = 10.0
        asked = 0

        def current(self) -> bool:
            self.asked += 1
            return False

        def close(self) -> None:
            """Nothing to stop."""

    cookie = log_in(alone)
    known(alone, cookie)
    word, now = Word(), 9.999
    monkeypatch.setattr(alone, "_watch", word)
    monkeypatch.setattr(reader, "monotonic", lambda: now)
    assert alone.glance(cookie) is not None
    assert word.asked == 0
    now = 10.0
    assert alone.glance(cookie) is None
    assert word.asked == 1


def test_what_is_known_asks_nobody(registry: SessionRegistry, hooked: HookedStore, clock: ManualClock) -> None:
    cookie = log_in(registry)
    known(registry, cookie)
    hooked.calls.clear()
    for _ in range(50):
        clock.move(SECOND)
        live = registry.look(cookie)
        assert live is not None
        assert live is registry.glance(cookie)
        assert registry.resolve(cookie) is live.session
    assert hooked.calls == []


def test_asked_anew_the_store_decides_whatever_is_known(alone: SessionRegistry, deaf: DeafStore) -> None:
    cookie = log_in(alone)
    known(alone, cookie)
    deaf.delete_indexed(Space.SESSION, "all")
    assert alone.look(cookie) is not None
    assert alone.look(cookie, anew=True) is None
    assert alone.extend(cookie) is None


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_here_is_over_here_at_once(alone: SessionRegistry, end: str) -> None:
    cookie = log_in(alone)
    known(alone, cookie)
    assert ENDS[end](alone, cookie)
    assert alone.glance(cookie) is None
    assert alone.look(cookie) is None


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_elsewhere_is_over_here_when_it_is_told(
    registry: SessionRegistry, url: str, keyring: Keyring, clock: ManualClock, end: str
) -> None:
    cookie = log_in(registry)
    known(registry, cookie)
    with closing(open_store(url)) as store, knowing(store, keyring, clock, cached=0) as other:
        assert ENDS[end](other, cookie)
    until(lambda: registry.glance(cookie) is None, "it was told")
    if url.startswith("sqlite:"):
        assert registry.look(cookie) is None
    until(lambda: registry.look(cookie) is None, "it is over")


@on("sqlite")
def test_on_one_machine_what_ends_elsewhere_is_over_within_a_small_part_of_the_lag(
    store: StateStore, url: str, registry: SessionRegistry, keyring: Keyring, clock: ManualClock
) -> None:
    with closing(open_store(url)) as another, knowing(another, keyring, clock) as other:
        for end in ENDS.values():
            cookie = log_in(registry)
            known(registry, cookie)
            assert end(other, cookie)
            time.sleep(DEFAULT_LAG * PART_OF_A_LAG)
            assert registry.glance(cookie) is None
            assert registry.look(cookie) is None


@pytest.mark.parametrize("end", ["end", "end_handle", "end_person", "end_portal_session", "end_name_id", "end_all"])
def test_an_end_whose_answer_was_lost_is_not_believed_away(alone: SessionRegistry, deaf: DeafStore, end: str) -> None:
    cookie = log_in(alone)
    known(alone, cookie)

    def lose() -> None:
        raise Unavailable

    deaf.after |= {"take": lose, "delete": lose, "delete_indexed": lose}
    with pytest.raises(Unavailable):
        ENDS[end](alone, cookie)
    assert alone.glance(cookie) is None
    assert alone.look(cookie) is None


@pytest.mark.parametrize("end", ["end_person", "end_portal_session", "end_name_id"])
def test_a_login_that_comes_while_all_are_ended_is_not_believed_away(
    alone: SessionRegistry, deaf: DeafStore, end: str
) -> None:
    first, later = log_in(alone), []
    known(alone, first)

    def come() -> None:
        del deaf.before["delete_indexed"]
        later.append(log_in(alone))
        known(alone, later[0])

    deaf.before["delete_indexed"] = come
    assert ENDS[end](alone, first) == 2
    assert [alone.look(cookie) for cookie in (first, *later)] == [None, None]


def test_the_oldest_that_gives_way_to_a_login_is_over_at_once(
    deaf: DeafStore, keyring: Keyring, clock: ManualClock
) -> None:
    with knowing(deaf.as_store, keyring, clock, parallel=2) as registry:
        cookies = []
        for _ in range(4):
            cookies.append(log_in(registry))
            known(registry, cookies[-1])
            clock.move(SECOND)
        assert [registry.look(cookie) is None for cookie in cookies] == [True, True, False, False]


def test_what_ends_while_it_is_read_is_not_remembered(
    registry: SessionRegistry, hooked: HookedStore, store: StateStore
) -> None:
    """The store has answered, and the answer is outdated before it arrives."""
    fence, cookie = log_in(registry, "fence"), log_in(registry)
    known(registry, fence)

    def end_it() -> None:
        assert store.delete(Space.SESSION, digest(cookie.partition(".")[0]))
        assert store.delete(Space.SESSION, digest(fence.partition(".")[0]))
        until(lambda: registry.glance(fence) is None, "both were told")

    hooked.after["get"] = end_it
    registry.look(cookie)
    assert registry.glance(cookie) is None
    assert registry.look(cookie) is None


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_here_while_another_thread_reads_it_is_not_remembered(
    alone: SessionRegistry, deaf: DeafStore, end: str
) -> None:
    cookie = log_in(alone)
    deaf.after["get"] = lambda: ENDS[end](alone, cookie)
    alone.look(cookie)
    assert alone.glance(cookie) is None
    assert alone.look(cookie) is None


def test_of_two_reads_at_once_the_one_that_began_first_is_not_remembered(
    alone: SessionRegistry, deaf: DeafStore
) -> None:
    cookie = log_in(alone)

    def read_again_and_end() -> None:
        known(alone, cookie)
        alone.end(cookie)
        assert alone.look(cookie) is None

    deaf.after["get"] = read_again_and_end
    alone.look(cookie)
    assert alone.look(cookie) is None


@pytest.mark.fault
def test_a_read_that_fails_remembers_nothing(alone: SessionRegistry, deaf: DeafStore) -> None:
    cookie = log_in(alone)

    def fail() -> None:
        raise Unavailable

    deaf.after["get"] = fail
    with pytest.raises(Unavailable):
        alone.look(cookie)
    assert alone.glance(cookie) is None
    known(alone, cookie)


def test_as_many_as_are_asked_for_are_remembered_and_no_more(
    deaf: DeafStore, keyring: Keyring, clock: ManualClock
) -> None:
    with knowing(deaf.as_store, keyring, clock, cached=3) as registry:
        cookies = [log_in(registry, str(number)) for number in range(10)]
        for _ in range(2):
            for number, cookie in enumerate(cookies):
                assert registry.look(cookie) is not None
                assert sum(registry.glance(each) is not None for each in cookies) <= 3
                del number
        assert sum(registry.glance(each) is not None for each in cookies) == 3
        for cookie in cookies:
            registry.end(cookie)
        assert [registry.glance(each) for each in cookies] == [None] * 10


def test_nothing_is_remembered_where_nothing_is_asked_for(
    deaf: DeafStore, keyring: Keyring, clock: ManualClock
) -> None:
    with knowing(deaf.as_store, keyring, clock, cached=0) as registry:
        cookie = log_in(registry)
        deaf.calls.clear()
        for _ in range(3):
            assert registry.look(cookie) is not None
            assert registry.glance(cookie) is None
        assert deaf.calls == ["get"] * 3


@pytest.mark.row("SES-02")
def test_what_we_did_not_sign_is_nobody_and_asks_nobody(alone: SessionRegistry, deaf: DeafStore) -> None:
    cookie = log_in(alone)
    known(alone, cookie)
    other_key = Keyring([Secret("another signing key, 32 bytes and more too")])
    session_id = cookie.partition(".")[0]
    forged = [
        cookie[:place] + chr(ord(cookie[place]) ^ (1 << bit)) + cookie[place + 1 :]
        for place in range(COOKIE_LENGTH)
        for bit in range(7)
    ]
    forged += [other_key.signer(PURPOSE).sign(session_id), session_id, session_id + ".", "", "." * COOKIE_LENGTH]
    forged += [cookie + " ", " " + cookie, cookie + "\n", cookie + "A", cookie[:-1], f'"{cookie}"', cookie.lower()]
    deaf.calls.clear()
    for each in forged:
        assert alone.glance(each) is None
        assert alone.look(each) is None
        assert alone.look(each, anew=True) is None
    assert deaf.calls == []
    assert alone.look(cookie) is not None


@pytest.mark.row("SES-02")
def test_a_cookie_of_another_purpose_is_nobody_and_asks_nobody(
    alone: SessionRegistry, deaf: DeafStore, keyring: Keyring
) -> None:
    cookie = log_in(alone)
    known(alone, cookie)
    deaf.calls.clear()
    for purpose in ("browser", "form", "reset", ""):
        try:
            signed = keyring.signer(purpose).sign(cookie.partition(".")[0])
        except ValueError:
            continue
        assert signed != cookie
        assert alone.look(signed) is None
    assert deaf.calls == []


@pytest.mark.row("SES-02")
def test_without_its_record_a_good_cookie_is_nobody(
    registry: SessionRegistry, store: StateStore, clock: ManualClock
) -> None:
    cookie = log_in(registry)
    known(registry, cookie)
    assert store.delete(Space.SESSION, digest(cookie.partition(".")[0]))
    until(lambda: registry.look(cookie) is None, "the record decides")


def test_two_cookies_of_one_session_end_together(deaf: DeafStore, clock: ManualClock) -> None:
    """While keys rotate, one id may be signed twice."""
    old, new = Secret("old signing key of the tests, long enough"), Secret("new signing key of the tests, long enough")
    with knowing(deaf.as_store, Keyring([old, new]), clock) as registry:
        first = log_in(registry)
        session_id = first.partition(".")[0]
        second = Keyring([old]).signer(PURPOSE).sign(session_id)
        assert first != second
        for _ in range(2):
            for cookie in (first, second):
                known(registry, cookie)
        known(registry, first)
        registry.end(second)
        assert [registry.look(cookie) for cookie in (first, second)] == [None, None]
        assert [registry.glance(cookie) for cookie in (first, second)] == [None, None]


class TestLimits:
    def test_the_idle_limit_is_kept_to_the_second(self, alone: SessionRegistry, clock: ManualClock) -> None:
        cookie = log_in(alone)
        known(alone, cookie)
        for _ in range(3):
            clock.move(IDLE - SECOND)
            assert alone.glance(cookie) is not None
        clock.move(IDLE)
        assert alone.glance(cookie) is None
        assert alone.look(cookie) is None

    def test_the_absolute_limit_is_kept_to_the_second(self, alone: SessionRegistry, clock: ManualClock) -> None:
        cookie = log_in(alone)
        known(alone, cookie)
        for _ in range(int(ABSOLUTE / timedelta(minutes=20)) - 1):
            clock.move(timedelta(minutes=20))
            assert alone.glance(cookie) is not None
        clock.move(timedelta(minutes=20) - SECOND)
        assert alone.glance(cookie) is not None
        clock.move(SECOND)
        assert alone.glance(cookie) is None
        assert alone.look(cookie) is None

    def test_the_portal_s_own_end_is_kept_to_the_second(self, alone: SessionRegistry, clock: ManualClock) -> None:
        cookie = log_in(alone, ends_at=clock.now() + timedelta(minutes=5))
        known(alone, cookie)
        clock.move(timedelta(minutes=5) - SECOND)
        assert alone.glance(cookie) is not None
        clock.move(SECOND)
        assert alone.glance(cookie) is None
        assert alone.look(cookie) is None

    def test_a_request_that_another_process_saw_prolongs_it(
        self, alone: SessionRegistry, url: str, keyring: Keyring, clock: ManualClock
    ) -> None:
        cookie = log_in(alone)
        known(alone, cookie)
        with closing(open_store(url)) as store, knowing(store, keyring, clock) as other:
            clock.move(timedelta(minutes=20))
            assert other.look(cookie) is not None
            other.flush()
        clock.move(timedelta(minutes=29))
        assert alone.glance(cookie) is None  # by what this process knows, it is over
        assert alone.look(cookie) is not None

    def test_a_request_seen_here_counts_though_it_is_known_no_more(
        self, deaf: DeafStore, keyring: Keyring, clock: ManualClock
    ) -> None:
        with knowing(deaf.as_store, keyring, clock, cached=1) as registry:
            cookie, other = log_in(registry), log_in(registry, "other")
            known(registry, cookie)
            clock.move(timedelta(minutes=10))
            assert registry.glance(cookie) is not None
            known(registry, other)
            assert registry.glance(cookie) is None
            clock.move(IDLE / 2)
            assert registry.look(cookie) is not None
            known(registry, other)
            clock.move(IDLE - SECOND)
            assert registry.look(cookie, counts=False) is not None
            clock.move(SECOND)
            assert registry.look(cookie) is None

    def test_the_latest_of_many_requests_is_written_whatever_was_forgotten(
        self, deaf: DeafStore, store: StateStore, keyring: Keyring, clock: ManualClock
    ) -> None:
        with knowing(deaf.as_store, keyring, clock, cached=2) as registry:
            cookies = [log_in(registry, str(number)) for number in range(5)]
            seen = {}
            for turn in range(40):
                clock.move(SECOND)
                cookie = cookies[turn * 3 % 5]
                assert registry.look(cookie) is not None
                seen[cookie] = clock.now()
                if turn % 7 == 0:
                    registry.flush()
            registry.flush()
            for cookie, at in seen.items():
                raw = store.get(Space.SEEN, digest(cookie.partition(".")[0]), now=timestamp(clock.now()))
                assert float(raw or b"0") == timestamp(at)

    def test_looking_without_counting_prolongs_nothing(self, alone: SessionRegistry, clock: ManualClock) -> None:
        cookie = log_in(alone)
        known(alone, cookie)
        clock.move(IDLE - SECOND)
        assert alone.look(cookie, counts=False) is not None
        clock.move(SECOND)
        assert alone.look(cookie, counts=False) is None
        assert alone.glance(cookie) is None
        assert alone.look(cookie) is None

    @pytest.mark.fault
    def test_a_clock_set_back_neither_ends_nor_prolongs(self, alone: SessionRegistry, clock: ManualClock) -> None:
        cookie = log_in(alone)
        known(alone, cookie)
        clock.move(timedelta(minutes=10))
        assert alone.glance(cookie) is not None
        clock.move(-timedelta(minutes=5))
        for _ in range(3):
            live = alone.glance(cookie)
            assert live is not None
            assert live.until == timestamp(clock.now() + timedelta(minutes=5) + IDLE)
        clock.move(timedelta(minutes=5) + IDLE - SECOND)
        assert alone.look(cookie, counts=False) is not None
        clock.move(SECOND)
        assert alone.look(cookie) is None

    def test_a_flush_under_way_hides_no_request(
        self, alone: SessionRegistry, deaf: DeafStore, clock: ManualClock
    ) -> None:
        """The record was read before the flush, what waits after it: the request stands in neither."""
        cookie = log_in(alone)
        clock.move(IDLE - SECOND)
        assert alone.look(cookie) is not None
        clock.move(2 * SECOND)
        deaf.after["get"] = alone.flush
        assert alone.look(cookie, anew=True) is not None


def test_a_moment_that_waits_is_seen_at_every_instant_of_a_flush() -> None:
    class Somebody:
        key, seen, noted, recorded = "k", 7.0, False, 0.0

    seen = LastSeen(lambda moments: [], NEVER)
    seen.note(Somebody())
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            seen.flush()

    flushing = threading.Thread(target=flush)
    flushing.start()
    missed = sum(not seen.get("k") for _ in range(100_000))
    stop.set()
    flushing.join()
    seen.forget("k")
    seen.close()
    assert missed == 0


class TestFork:
    def test_a_child_believes_nothing_of_what_its_parent_knew(
        self, registry: SessionRegistry, clock: ManualClock
    ) -> None:
        cookie, over = log_in(registry), log_in(registry, "other")
        known(registry, cookie)
        known(registry, over)

        def check() -> bool:
            if registry.glance(cookie) is not None:
                return False
            registry.end(over)
            known(registry, cookie)
            clock.move(60)
            registry.look(cookie)
            registry.close()
            return True

        assert in_a_child(check)
        until(lambda: registry.look(over) is None, "the parent was told")
        assert registry.list_person(PARIS, "mdurand7")[0].last_seen == clock.now() + timedelta(seconds=60)

    def test_what_a_process_knows_is_counted(self, registry: SessionRegistry) -> None:
        assert registry.known == 0
        cookies = [log_in(registry, who) for who in ("mdurand7", "other")]
        for cookie in cookies:
            known(registry, cookie)
        assert registry.known == 2
        registry.end(cookies[0])
        assert registry.known == 1

    def test_a_child_forked_while_a_thread_reads_is_not_stuck(self, alone: SessionRegistry, deaf: DeafStore) -> None:
        cookie = log_in(alone)
        forked: list[bool] = []

        def check() -> bool:
            known(alone, cookie)
            return alone.end(cookie) is not None and alone.look(cookie) is None

        deaf.after["get"] = lambda: forked.append(in_a_child(check))
        alone.look(cookie)
        assert forked == [True]


class TestParallel:
    @pytest.mark.parametrize("told", [True, False])
    def test_nobody_sees_a_session_after_its_end_returned(
        self, store: StateStore, keyring: Keyring, clock: ManualClock, told: bool
    ) -> None:
        source = store if told else DeafStore(store).as_store
        with knowing(source, keyring, clock, cached=20) as registry:
            ends = [ENDS[name] for name in ("end", "end_person", "end_portal_session", "end_name_id", "end_handle")]
            over: set[str] = set()
            current: list[str] = [log_in(registry)]
            stop = threading.Event()
            wrong: list[str] = []

            def hammer() -> None:
                while not stop.is_set():
                    cookie = current[0]
                    ended = cookie in over
                    if registry.look(cookie) is not None and ended:
                        wrong.append(cookie)

            threads = [threading.Thread(target=hammer) for _ in range(4)]
            for thread in threads:
                thread.start()
            for turn in range(100):
                cookie = current[0]
                assert ends[turn % len(ends)](registry, cookie)
                over.add(cookie)
                if registry.look(cookie) is not None:
                    wrong.append(cookie)
                current[0] = log_in(registry)
            stop.set()
            for thread in threads:
                thread.join()
            assert wrong == []

    def test_two_registries_that_write_at_once_lose_no_request(
        self, url: str, store: StateStore, keyring: Keyring
    ) -> None:
        clocks = [ManualClock(), ManualClock()]
        with (
            closing(open_store(url)) as another,
            knowing(store, keyring, clocks[0]) as one,
            knowing(another, keyring, clocks[1]) as two,
        ):
            cookies = [log_in(one, str(number)) for number in range(20)]
            barrier = threading.Barrier(2)

            def work(registry: SessionRegistry, clock: ManualClock, by: int) -> None:
                for _ in range(10):
                    clock.move(by)
                    for cookie in cookies:
                        assert registry.look(cookie) is not None
                    barrier.wait()
                    registry.flush()

            threads = [
                threading.Thread(target=work, args=(one, clocks[0], 7)),
                threading.Thread(target=work, args=(two, clocks[1], 11)),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for _ in range(3):
                one.flush()
                two.flush()
            latest = max(clock.now() for clock in clocks)
            seen = [two.list_person(PARIS, str(number))[0].last_seen for number in range(20)]
            assert seen == [latest] * 20
