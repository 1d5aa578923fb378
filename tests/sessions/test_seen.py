"""When people were last seen: written in batches, off the request's way, and never against a revocation."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from imagin_gateway.clock import timestamp
from imagin_gateway.errors import Unavailable
from imagin_gateway.keys import Keyring, digest
from imagin_gateway.sessions.reader import COARSE
from imagin_gateway.sessions.registry import SessionRegistry
from imagin_gateway.sessions.seen import LastSeen, Seen
from imagin_gateway.state.store import Space, StateStore
from tests.clock import ManualClock
from tests.sessions.conftest import ABSOLUTE, IDLE
from tests.sessions.people import PARIS, CountingStore, person

SOON = timedelta(milliseconds=5)
NEVER = timedelta(hours=1)
PATIENCE = 20  # seconds before a test that waits for a thread gives up
MOMENT = datetime(2026, 12, 14, 8, 0, tzinfo=UTC).timestamp()


def test_a_flush_writes_each_session_seen_once(
    registry: SessionRegistry, counted: CountingStore, clock: ManualClock
) -> None:
    cookies = [registry.open(person(str(number))) for number in range(3)]
    clock.move(60)
    for cookie in cookies * 10:
        registry.resolve(cookie)
    counted.calls.clear()
    registry.flush()
    assert counted.calls == ["keep_latest"]
    registry.flush()
    assert len(counted.calls) == 1


def test_a_record_is_written_anew_once_a_quarter_of_the_idle_limit(
    registry: SessionRegistry, counted: CountingStore, clock: ManualClock
) -> None:
    cookie = registry.open(person())
    for turn in range(4):
        clock.move(IDLE / 4 - timedelta(seconds=30))
        registry.resolve(cookie)
        counted.calls.clear()
        registry.flush()
        assert counted.calls == ["keep_latest"], turn
        clock.move(30)
        registry.resolve(cookie)
        counted.calls.clear()
        registry.flush()
        assert counted.calls == ["keep_latest", "get_many", "swap"], turn


def test_nothing_is_written_for_a_session_seen_when_it_was_opened(
    registry: SessionRegistry, counted: CountingStore
) -> None:
    registry.resolve(registry.open(person()))
    counted.calls.clear()
    registry.flush()
    assert counted.calls == []


@pytest.mark.row("SES-07")
def test_a_moment_that_another_process_recorded_beside_the_record_keeps_the_session(
    registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
) -> None:
    other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
    cookie = registry.open(person())
    clock.move(IDLE / COARSE - timedelta(seconds=1))
    registry.resolve(cookie)
    registry.flush()
    seen = clock.now()
    clock.move(60)
    looked = other.look(cookie, counts=False)
    assert looked is not None
    assert other.ends_at(looked) == seen + IDLE, "who only looks is told when it ends"
    clock.move(IDLE - timedelta(seconds=61))
    assert [session.last_seen for session in other.list_person(PARIS, "mdurand7")] == [seen]
    assert other.look(cookie, counts=False) is not None
    clock.move(1)
    assert other.look(cookie) is None
    other.close()


def test_a_moment_never_goes_back(
    registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
) -> None:
    other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
    cookie = registry.open(person())
    clock.move(60)
    registry.resolve(cookie)
    clock.move(5)
    other.resolve(cookie)
    other.flush()
    registry.flush()
    assert other.list_person(PARIS, "mdurand7")[0].last_seen == clock.now()
    other.close()


@pytest.mark.parametrize("end", ["end", "end_handle", "end_person", "end_portal_session", "end_door", "end_all"])
def test_a_session_revoked_elsewhere_while_its_moment_waits_stays_dead(
    registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock, end: str
) -> None:
    other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
    cookie = registry.open(person(), portal_session="_1")
    clock.move(60)
    session = registry.resolve(cookie)
    assert session is not None
    arguments: dict[str, tuple[str, ...]] = {
        "end": (cookie,),
        "end_handle": (session.handle,),
        "end_person": session.person,
        "end_portal_session": (PARIS, "_1"),
        "end_door": (session.door,),
        "end_all": (),
    }
    assert getattr(other, end)(*arguments[end])
    registry.flush()
    assert registry.resolve(cookie) is None
    assert other.resolve(cookie) is None
    assert store.find(Space.SESSION, "all", now=timestamp(clock.now())) == []
    other.close()


def test_a_session_revoked_between_the_two_calls_of_a_flush_stays_dead(
    registry: SessionRegistry, counted: CountingStore, store: StateStore, clock: ManualClock
) -> None:
    cookie = registry.open(person())
    clock.move(IDLE / 2)
    registry.resolve(cookie)
    counted.before["swap"] = lambda: store.delete_indexed(Space.SESSION, "all")
    registry.flush()
    assert counted.calls[-1] == "swap"
    assert registry.resolve(cookie) is None


def test_a_moment_that_waits_does_not_outlive_the_idle_limit(
    registry: SessionRegistry, store: StateStore, keyring: Keyring, clock: ManualClock
) -> None:
    other = SessionRegistry(store, keyring, clock, IDLE, ABSOLUTE)
    cookie = registry.open(person())
    clock.move(10)
    registry.resolve(cookie)
    clock.move(IDLE)
    registry.flush()
    assert registry.resolve(cookie) is None
    assert other.resolve(cookie) is None
    other.close()


def test_the_thread_flushes_by_itself(counted: CountingStore, keyring: Keyring, clock: ManualClock) -> None:
    written = threading.Event()
    counted.before["keep_latest"] = written.set
    registry = SessionRegistry(counted.as_store, keyring, clock, IDLE, ABSOLUTE, grain=SOON)
    cookie = registry.open(person())
    clock.move(60)
    registry.resolve(cookie)
    assert written.wait(PATIENCE)
    registry.close()


def test_no_flush_happens_on_the_way_of_a_request(counted: CountingStore, keyring: Keyring, clock: ManualClock) -> None:
    writers: set[str] = set()
    written = threading.Event()

    def note_the_thread() -> None:
        writers.add(threading.current_thread().name)
        written.set()

    counted.before["keep_latest"] = note_the_thread
    registry = SessionRegistry(counted.as_store, keyring, clock, IDLE, ABSOLUTE, grain=SOON)
    cookie = registry.open(person())
    while not written.is_set():
        clock.move(1)
        registry.resolve(cookie)
    registry.close()
    assert writers <= {"imagin-gateway-last-seen", threading.current_thread().name}
    assert "imagin-gateway-last-seen" in writers


def test_closing_flushes_what_waits_and_ends_the_thread(
    counted: CountingStore, store: StateStore, keyring: Keyring, clock: ManualClock
) -> None:
    others = set(threading.enumerate())
    registry = SessionRegistry(counted.as_store, keyring, clock, IDLE, ABSOLUTE, grain=NEVER)
    cookie = registry.open(person())
    clock.move(60)
    registry.resolve(cookie)
    registry.close()
    assert "imagin-gateway-last-seen" not in {thread.name for thread in set(threading.enumerate()) - others}
    key = digest(cookie.partition(".")[0])
    raw = store.get(Space.SEEN, key, now=timestamp(clock.now()))
    assert raw is not None
    assert float(raw) == timestamp(clock.now())
    registry.close()


def write_all(moments: Mapping[str, Seen]) -> Collection[str]:
    """Keep nothing, and say that all is written."""
    return moments


@dataclass
class Somebody:
    key: str = "k"
    seen: float = MOMENT
    noted: bool = False
    recorded: float = MOMENT


class Failing:
    """Writes that fail, then succeed."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.failed = threading.Event()
        self.written: list[dict[str, float]] = []
        self.done = threading.Event()

    def __call__(self, moments: Mapping[str, Seen]) -> Collection[str]:
        if self.errors:
            error = self.errors.pop(0)
            if not self.errors:
                self.failed.set()
            raise error
        self.written.append({key: each.seen for key, each in moments.items()})
        self.done.set()
        return moments


@pytest.mark.fault
def test_what_could_not_be_written_waits_for_the_next_flush() -> None:
    write = Failing(Unavailable())
    seen = LastSeen(write, NEVER)
    seen.note(Somebody())
    with pytest.raises(Unavailable):
        seen.flush()
    assert seen.get("k") == MOMENT
    seen.flush()
    assert not seen.get("k")
    assert write.written == [{"k": MOMENT}]
    seen.close()


@pytest.mark.fault
def test_the_thread_outlives_an_outage_and_tells_it_once(caplog: pytest.LogCaptureFixture) -> None:
    write = Failing(Unavailable(), Unavailable(), Unavailable())
    seen = LastSeen(write, SOON)
    seen.note(Somebody())
    assert write.done.wait(PATIENCE)
    seen.close()
    assert write.written == [{"k": MOMENT}]
    assert caplog.text.count("trying again") == 1


def test_the_thread_outlives_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    write = Failing(RuntimeError("a fault of ours"))
    seen = LastSeen(write, SOON)
    seen.note(Somebody())
    assert write.done.wait(PATIENCE)
    seen.close()
    assert "requests cannot be recorded" in caplog.text


def test_closing_while_the_store_is_down_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen = LastSeen(Failing(Unavailable()), NEVER)
    seen.note(Somebody())
    seen.close()
    assert "could not be recorded" in caplog.text


def test_a_moment_noted_during_a_flush_is_not_lost() -> None:
    later = MOMENT + 1
    somebody = Somebody()

    def write(moments: Mapping[str, Seen]) -> Collection[str]:
        if moments["k"].seen == MOMENT:
            assert not somebody.noted
            assert seen.get("k") == MOMENT
            somebody.seen = later
            seen.note(somebody)
        return moments

    seen = LastSeen(write, NEVER)
    seen.note(somebody)
    seen.flush()
    assert somebody.noted
    assert seen.get("k") == later
    seen.flush()
    assert not seen.get("k")
    seen.close()


def test_only_the_first_request_between_two_flushes_is_noted_and_the_latest_is_written() -> None:
    write = Failing()
    seen = LastSeen(write, NEVER)
    somebody = Somebody()
    seen.note(somebody)
    somebody.seen = MOMENT + 7
    seen.flush()
    assert write.written == [{"k": MOMENT + 7}]
    seen.close()


def test_a_session_read_again_keeps_the_moment_that_waits() -> None:
    seen = LastSeen(write_all, NEVER)
    seen.note(Somebody(seen=MOMENT + 9))
    again = Somebody()
    seen.note(again)
    assert again.seen == MOMENT + 9
    seen.close()


def test_what_was_not_written_waits_though_nothing_failed() -> None:
    seen = LastSeen(lambda moments: (), NEVER)
    somebody = Somebody()
    seen.note(somebody)
    seen.flush()
    assert somebody.noted
    assert seen.get("k") == MOMENT
    seen.forget("k")
    seen.close()


def test_a_request_goes_on_when_no_thread_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    write = Failing()
    seen = LastSeen(write, NEVER)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        seen.note(Somebody())
    seen.close()
    assert write.written == [{"k": MOMENT}]


def test_what_nobody_closed_is_collected_and_its_thread_ends() -> None:
    seen = LastSeen(write_all, SOON)
    seen.note(Somebody())
    thread = seen._thread
    assert thread is not None
    del seen
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def in_a_child(check: Callable[[], bool]) -> int:
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process: coverage does not follow
        os._exit(0 if check() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_starts_afresh_with_a_thread_of_its_own() -> None:
    write = Failing()
    seen = LastSeen(write, SOON)
    seen._lock.acquire()  # as if another thread of the parent held it at that moment

    def check() -> bool:
        if seen.get("parent"):
            return False
        seen.note(Somebody("child"))
        return write.done.wait(PATIENCE) and write.written == [{"child": MOMENT}]

    seen._waiting["parent"] = Somebody("parent")
    assert in_a_child(check) == 0
    seen._lock.release()
    assert seen.get("parent") == MOMENT
    seen.close()
