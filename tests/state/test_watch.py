"""Whoever changes a session, in whatever way, those who follow are told: the key, or that anything may have changed."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from imagin_gateway.state import open_store, sqlite_file, sqlite_watch
from imagin_gateway.state.redis import PREFIX, RedisStateStore
from imagin_gateway.state.sqlite import PURGE_EVERY, SqliteStateStore
from imagin_gateway.state.sqlite_file import APPLICATION_ID
from imagin_gateway.state.sqlite_watch import PART_OF_A_LAG, SqliteWatch
from imagin_gateway.state.store import Space, StateStore, Swap
from imagin_gateway.state.watch import Watch
from tests.state.following import LAG, Told, followed, heard, heard_all
from tests.state.servers import PrivateRedis, until
from tests.state.workers import END, NOW

SESSION = Space.SESSION

BELIEF = 2.0 * PART_OF_A_LAG
"""Seconds for which an answer is believed, with a lag of two."""

FIRST_RELEASE = """
CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  space TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  expires_at REAL NOT NULL,
  UNIQUE (space, key)
) STRICT;
CREATE INDEX record_by_end ON record (expires_at);
CREATE TABLE record_index (
  space TEXT NOT NULL,
  name TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES record (seq) ON DELETE CASCADE,
  PRIMARY KEY (space, name, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_index_by_record ON record_index (seq);
"""
"""The file as the first release made it: nothing in it is told."""


def fill(store: StateStore, *keys: str) -> None:
    for key in keys:
        store.put(SESSION, key, b"v", expires_at=END, now=NOW, indexes=["i", f"of-{key}"])


def delete_all_under_an_index(store: StateStore) -> None:
    assert store.delete_indexed(SESSION, "of-k") == 1


CHANGES: dict[str, Callable[[StateStore], object]] = {
    "delete": lambda store: store.delete(SESSION, "k"),
    "take": lambda store: store.take(SESSION, "k", now=NOW),
    "put": lambda store: store.put(SESSION, "k", b"other", expires_at=END, now=NOW),
    "swap": lambda store: store.swap(SESSION, [Swap("k", b"v", b"w", END)], now=NOW),
    "delete_indexed": delete_all_under_an_index,
    "put_if_absent": lambda store: store.put_if_absent(SESSION, "k", b"w", expires_at=END, now=END + 1),
}
"""Every way in which the store changes a session that is there."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection such as an operator opens, with nothing of ours set."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_change_by_any_store_is_told(url: str, store: StateStore, change: str, elsewhere: bool) -> None:
    fill(store, "k", "other")
    with closing(open_store(url)) as another, followed(store) as (watch, told):
        CHANGES[change](another if elsewhere else store)
        heard(watch, told, "k")
        store.delete(SESSION, "other")
        heard(watch, told, "other")


def test_a_change_by_another_process_is_told(url: str, store: StateStore) -> None:
    fill(store, "k", "other")
    act = (
        "import sys; from imagin_gateway.state import open_store; from imagin_gateway.state.store import Space\n"
        "store = open_store(sys.argv[1]); store.delete(Space.SESSION, 'k'); store.close()"
    )
    with followed(store) as (watch, told):
        subprocess.run([sys.executable, "-c", act, url], check=True)
        heard(watch, told, "k")


def test_what_is_in_other_spaces_is_not_told(store: StateStore) -> None:
    fill(store, "fence")
    with followed(store) as (watch, told):
        for space in (Space.FLOW, Space.REPLAY, Space.COUNTER):
            store.put(space, "k", b"1", expires_at=END, now=NOW, indexes=["i"])
            store.put(space, "k", b"2", expires_at=END, now=NOW, indexes=["i"])
            store.increment(space, "k", expires_at=END, now=NOW)
            store.swap(space, [Swap("k", b"3", b"4", END)], now=NOW)
            assert store.delete(space, "k")
        store.delete(SESSION, "fence")
        heard(watch, told, "fence")


@pytest.mark.parametrize("space", [Space.FLOW, Space.REPLAY, Space.COUNTER])
def test_other_spaces_are_not_followed(store: StateStore, space: Space) -> None:
    with pytest.raises(ValueError, match="sessions"):
        store.watch(space, Told(), lag=LAG)


@settings(max_examples=25, deadline=None)
@given(key=st.text(min_size=1, max_size=20).filter(lambda key: "\x00" not in key and key.isprintable()))
def test_a_key_is_told_as_it_is(key: str) -> None:
    for url, server in addresses():
        with closing(open_store(url)) as store, followed(store) as (watch, told):
            fill(store, key)
            store.delete(SESSION, key)
            until(lambda: watch.current() and key in told.keys, "it was told")
            assert set(told.keys) == {key}
        if server is not None:
            server.empty()


_shared: list[tuple[str, PrivateRedis | None]] = []


def addresses() -> list[tuple[str, PrivateRedis | None]]:
    return _shared


@pytest.fixture(autouse=True)
def _shared_engines(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if request.node.name.startswith("test_a_key_is_told_as_it_is"):
        server: PrivateRedis = request.getfixturevalue("redis_server")
        server.empty()
        _shared[:] = [(f"sqlite:///{tmp_path}/keys.db", None), (server.url, server)]


def test_every_watch_on_a_store_is_told(store: StateStore) -> None:
    fill(store, "k", "other")
    with followed(store) as (one, told_one), followed(store) as (two, told_two):
        store.delete(SESSION, "k")
        heard(one, told_one, "k")
        heard(two, told_two, "k")
        one.close()
        store.delete(SESSION, "other")
        heard(two, told_two, "other")
        assert told_one.keys == []


def test_one_that_is_closed_is_not_believed_any_more(store: StateStore) -> None:
    with followed(store) as (watch, _):
        watch.close()
        assert not watch.current()
        watch.close()
        assert not watch.current()


def test_one_whose_store_is_closed_is_not_believed_any_more(url: str) -> None:
    store = open_store(url)
    with followed(store) as (watch, _):
        store.close()
        assert not watch.current()


def test_nothing_is_believed_on_the_word_of_a_store_that_was_never_reached(redis_server: PrivateRedis) -> None:
    with closing(RedisStateStore("unix:///nowhere/at/all?db=0")) as store:
        told = Told()
        watch = store.watch(SESSION, told, lag=0.1)
        for _ in range(100):
            assert not watch.current()
        assert told.everything == 0
        watch.close()


def in_a_child(check: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process: coverage does not follow
        done = 1
        try:
            done = 0 if check() else 1
        finally:
            os._exit(done)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_child_believes_nothing_until_it_has_proved_it_itself(store: StateStore) -> None:
    fill(store, "k", "other")
    with followed(store) as (watch, told):

        def check() -> bool:
            told.clear()
            until(watch.current, "the child follows")
            if told.everything != 1:  # what the parent knew is worth nothing here
                return False
            told.clear()
            store.delete(SESSION, "k")
            heard(watch, told, "k")
            watch.close()
            return True

        assert in_a_child(check)
        heard(watch, told, "k")  # in the parent, too
        store.delete(SESSION, "other")
        heard(watch, told, "other")


def test_what_was_closed_before_a_fork_stays_closed(store: StateStore) -> None:
    with followed(store) as (watch, _):
        watch.close()
        before = threading.active_count()
        assert in_a_child(lambda: not watch.current() and threading.active_count() <= before)


class TestRedisByHand:
    """What somebody does with a client of their own."""

    @pytest.fixture
    def client(self, redis_server: PrivateRedis) -> Iterator[redis.Redis]:
        redis_server.empty()
        with redis_server.client() as client:
            yield client

    @pytest.fixture
    def store(self, redis_server: PrivateRedis, client: redis.Redis) -> Iterator[RedisStateStore]:
        with closing(RedisStateStore(redis_server.url)) as opened:
            fill(opened, "k", "other")
            yield opened

    ACTS: dict[str, Callable[[redis.Redis, str], object]] = {  # noqa: RUF012  # never changed
        "DEL": lambda client, key: client.delete(key),
        "UNLINK": lambda client, key: client.unlink(key),
        "SET": lambda client, key: client.set(key, "x"),
        "APPEND": lambda client, key: client.append(key, "x"),
        "RENAME": lambda client, key: client.rename(key, "elsewhere"),
        "COPY": lambda client, key: client.set("mine", "x") and client.copy("mine", key, replace=True),
        "MOVE": lambda client, key: client.move(key, 1),
        "EXPIRE": lambda client, key: client.pexpire(key, 1),
        "EVAL": lambda client, key: client.eval("return redis.call('DEL', KEYS[1])", 1, key),
        "RESTORE": lambda client, key: client.restore(key, 0, client.dump(key) or b"", replace=True),
    }

    @pytest.mark.parametrize("act", ACTS)
    def test_a_key_changed_by_hand_is_told(self, client: redis.Redis, store: RedisStateStore, act: str) -> None:
        with followed(store) as (watch, told):
            self.ACTS[act](client, f"{PREFIX}:session:k")
            heard(watch, told, "k")

    @pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
    def test_emptied_by_hand_everything_may_have_changed(
        self, client: redis.Redis, store: RedisStateStore, command: str
    ) -> None:
        with followed(store) as (watch, told):
            client.execute_command(command)
            heard_all(watch, told)
            fill(store, "k")
            heard(watch, told, "k")

    def test_the_beat_of_another_process_proves_nothing(self, client: redis.Redis, store: RedisStateStore) -> None:
        with followed(store) as (watch, told), closing(RedisStateStore(store_url(client))) as another:
            with followed(another):
                assert len({str(key).split(":")[2] for key in client.keys(f"{PREFIX}:beat:*")}) == 2
            store.delete(SESSION, "k")
            heard(watch, told, "k")


def store_url(client: redis.Redis) -> str:
    return f"unix://{client.connection_pool.connection_kwargs['path']}?db=0"


class ManualSeconds:
    """Stands for `time.monotonic`."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestSqliteFile:
    """What is particular to the file."""

    @pytest.fixture
    def store(self, path: Path) -> Iterator[SqliteStateStore]:
        with closing(SqliteStateStore(path)) as opened:
            fill(opened, "k", "other")
            yield opened

    @pytest.fixture
    def elapsed(self, monkeypatch: pytest.MonkeyPatch) -> ManualSeconds:
        """The seconds of the watch, which stand still."""
        seconds = ManualSeconds()
        monkeypatch.setattr(sqlite_watch, "monotonic", seconds)
        return seconds

    def test_an_answer_is_believed_for_a_small_part_of_the_lag_and_no_longer(
        self, store: SqliteStateStore, elapsed: ManualSeconds
    ) -> None:
        with followed(store, lag=2.0) as (watch, told):
            elapsed.now += 1
            assert watch.current()
            store.delete(SESSION, "k")
            elapsed.now += 0.0399
            assert watch.current()
            assert told.keys == [], "the file was asked a moment ago"
            elapsed.now += 0.0002
            assert watch.current()
            assert told.keys == ["k"]

    def test_a_file_that_could_not_be_asked_is_asked_again_at_once(
        self, store: SqliteStateStore, elapsed: ManualSeconds
    ) -> None:
        with followed(store, lag=2.0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            assert watch.connection is not None
            watch.connection.close()
            elapsed.now += 1
            assert not watch.current()
            assert watch.current(), "a new connection; nothing read before is believed"
            assert told.everything

    def test_a_thread_that_comes_while_another_asks_waits_for_the_answer(self, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            answers: list[bool] = []
            with watch._lock:
                store.delete(SESSION, "k")
                late = threading.Thread(target=lambda: answers.append(watch.current()))
                late.start()
                late.join(0.2)
                assert late.is_alive(), "nothing is believed meanwhile"
            late.join()
            assert answers == [True]
            assert told.keys == ["k"]

    def test_while_one_thread_asks_the_others_go_on_for_as_long_again_and_no_longer(
        self, store: SqliteStateStore, elapsed: ManualSeconds
    ) -> None:
        with followed(store, lag=2.0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            elapsed.now += 1
            assert watch.current()
            store.delete(SESSION, "k")
            elapsed.now += 2 * BELIEF - 0.0001
            with ThreadPoolExecutor() as others, watch._lock:
                assert others.submit(watch.current).result(timeout=5), "the last answer is not that old"
                assert told.keys == []
                elapsed.now += 0.0002
                late = others.submit(watch.current)
                with pytest.raises(TimeoutError):
                    late.result(timeout=0.2)
            assert late.result(timeout=5)
            assert told.keys == ["k"]

    def test_after_an_answer_that_did_not_come_nobody_goes_on(
        self, store: SqliteStateStore, elapsed: ManualSeconds
    ) -> None:
        with followed(store, lag=2.0) as (watch, _):
            assert isinstance(watch, SqliteWatch)
            elapsed.now += 1
            assert watch.current()
            elapsed.now += BELIEF
            assert watch.connection is not None
            watch.connection.close()
            assert not watch.current()
            with ThreadPoolExecutor() as others, watch._lock:
                late = others.submit(watch.current)
                with pytest.raises(TimeoutError):
                    late.result(timeout=0.2)
            assert late.result(timeout=5)

    def test_without_a_lag_nobody_goes_on_within_one_tick(
        self, store: SqliteStateStore, elapsed: ManualSeconds
    ) -> None:
        del elapsed  # stands still
        with followed(store, lag=0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            store.delete(SESSION, "k")
            with ThreadPoolExecutor() as others, watch._lock:
                late = others.submit(watch.current)
                with pytest.raises(TimeoutError):
                    late.result(timeout=0.2)
            assert late.result(timeout=5)
            assert told.keys == ["k"]

    def test_an_answer_counts_from_when_it_was_asked(
        self, store: SqliteStateStore, elapsed: ManualSeconds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with followed(store, lag=2.0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            ask = watch._ask

            def slow() -> bool:
                known = ask()
                elapsed.now += BELIEF
                return known

            monkeypatch.setattr(watch, "_ask", slow)
            elapsed.now += 1
            assert watch.current()
            store.delete(SESSION, "k")
            assert watch.current()
            assert told.keys == ["k"]

    @pytest.mark.parametrize(("took", "asked"), [(BELIEF / 2, 1), (BELIEF, 2)])
    def test_whoever_waited_takes_the_answer_only_while_it_is_young(
        self, store: SqliteStateStore, elapsed: ManualSeconds, monkeypatch: pytest.MonkeyPatch, took: float, asked: int
    ) -> None:
        with followed(store, lag=2.0) as (watch, told):
            assert isinstance(watch, SqliteWatch)
            elapsed.now += 1
            asks: list[float] = []
            at_it, go, ask = threading.Event(), threading.Event(), watch._ask

            def slow() -> bool:
                asks.append(elapsed.now)
                known = ask()
                at_it.set()
                assert go.wait(5)
                return known

            monkeypatch.setattr(watch, "_ask", slow)
            with ThreadPoolExecutor() as others:
                first = others.submit(watch.current)
                assert at_it.wait(5)
                late = others.submit(watch.current)
                with pytest.raises(TimeoutError):
                    late.result(timeout=0.2)
                store.delete(SESSION, "k")
                elapsed.now += took
                go.set()
                assert first.result(timeout=5)
                assert late.result(timeout=5)
            assert len(asks) == asked
            assert told.keys == (["k"] if asked == 2 else [])

    def test_while_it_is_asked_the_last_answer_alone_counts(
        self, store: SqliteStateStore, elapsed: ManualSeconds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with followed(store, lag=2.0) as (watch, _):
            assert isinstance(watch, SqliteWatch)
            elapsed.now += 1
            assert watch.current()
            until, seen, ask = watch.believed_until, [], watch._ask
            elapsed.now += BELIEF

            def noted() -> bool:
                seen.append(watch.believed_until)
                return ask()

            monkeypatch.setattr(watch, "_ask", noted)
            assert watch.current()
            assert seen == [until]

    def test_a_question_that_raises_loses_no_change_and_leaves_the_watch_to_the_next(
        self, store: SqliteStateStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with followed(store, lag=0) as (watch, told):
            assert isinstance(watch, SqliteWatch)

            def full(_: object) -> None:
                raise MemoryError

            with monkeypatch.context() as patch:
                patch.setattr(watch, "_on_change", full)
                store.delete(SESSION, "k")
                with pytest.raises(MemoryError):
                    watch.current()
            with ThreadPoolExecutor() as others:
                assert others.submit(watch.current).result(timeout=5)
            assert told.keys == ["k"] or told.everything

    def test_a_signal_whose_handler_raises_leaves_the_watch_to_the_next(self, store: SqliteStateStore) -> None:
        class Late(Exception):
            pass

        armed = False

        def interrupt(*_: object) -> None:
            nonlocal armed
            if armed:
                armed = False
                raise Late

        gc.disable()  # what is raised in a callback of the collector is lost
        former = signal.signal(signal.SIGALRM, interrupt)
        interrupted = 0
        try:
            with followed(store, lag=0) as (watch, _):
                assert isinstance(watch, SqliteWatch)
                signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
                end = time.monotonic() + 30
                while interrupted < 2000 and time.monotonic() < end:
                    try:
                        armed = True
                        for _ in range(1000):
                            watch.current()
                        armed = False
                    except Late:
                        interrupted += 1
                    assert not watch._lock.locked()
                signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
            gc.enable()
        assert interrupted > 100

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM record WHERE key = 'k'",
            "UPDATE record SET value = x'00' WHERE key = 'k'",
            "UPDATE record SET expires_at = 0 WHERE key = 'k'",
            "UPDATE record SET space = 'flow' WHERE key = 'k'",
            "UPDATE record SET key = 'elsewhere' WHERE key = 'k'",
            "INSERT OR REPLACE INTO record (space, key, value, expires_at) VALUES ('session', 'k', x'00', 0)",
            "REPLACE INTO record SELECT seq, 'session', 'elsewhere', x'00', 0 FROM record WHERE key = 'k'",
            "REPLACE INTO record SELECT seq, 'flow', 'elsewhere', x'00', 0 FROM record WHERE key = 'k'",
            "INSERT INTO record VALUES (99, 'session', 'k', x'00', 0) ON CONFLICT DO UPDATE SET value = x'00'",
        ],
    )
    def test_a_row_changed_by_hand_is_told_at_once(self, path: Path, store: SqliteStateStore, statement: str) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute(statement)
            assert watch.current()
            assert "k" in told.keys
            assert "other" not in told.keys
            assert told.everything == 0

    def test_a_row_that_gives_way_to_another_is_told(self, path: Path, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("UPDATE OR REPLACE record SET key = 'k' WHERE key = 'other'")
            assert watch.current()
            assert set(told.keys) == {"k", "other"}

    def test_every_row_deleted_by_hand_is_told(self, path: Path, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("DELETE FROM record")
            assert watch.current()
            assert set(told.keys) == {"k", "other"}

    def test_what_is_rolled_back_is_not_told(self, path: Path, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("BEGIN")
            db.execute("DELETE FROM record WHERE key = 'k'")
            assert watch.current()
            db.execute("ROLLBACK")
            assert watch.current()
            store.delete(SESSION, "other")
            assert watch.current()
            assert (told.keys, told.everything) == (["other"], 0)

    @pytest.mark.parametrize("changes", [sqlite_watch.MOST_AT_ONCE, sqlite_watch.MOST_AT_ONCE + 1])
    def test_more_changes_than_are_worth_reading_are_everything(
        self, path: Path, store: SqliteStateStore, changes: int
    ) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("BEGIN")
            for number in range(changes):
                db.execute("UPDATE record SET value = ? WHERE key = 'k'", (b"%d" % number,))
            db.execute("COMMIT")
            assert watch.current()
            few = changes <= sqlite_watch.MOST_AT_ONCE
            assert (set(told.keys), told.everything) == (({"k"}, 0) if few else (set(), 1))
            told.clear()
            store.delete(SESSION, "other")
            assert watch.current()
            assert (told.keys, told.everything) == (["other"], 0)

    def test_changes_cut_off_the_journal_are_everything(self, path: Path, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            for rows in ("n > 0", "n = (SELECT max(n) FROM change)", "n = (SELECT min(n) FROM change)"):
                db.execute("BEGIN")
                for number in range(3):
                    db.execute("UPDATE record SET value = ? WHERE key = 'k'", (b"%d" % number,))
                db.execute(f"DELETE FROM change WHERE {rows}")  # noqa: S608  # of this test
                db.execute("COMMIT")
                assert watch.current()
                if rows != "n = (SELECT min(n) FROM change)":
                    assert told.everything == 1
                assert "other" not in told.keys
                told.clear()
                db.execute("DELETE FROM change")
                watch.current()
                told.clear()

    def test_a_journal_that_begins_anew_is_everything(self, path: Path, store: SqliteStateStore) -> None:
        store.put(SESSION, "k", b"w", expires_at=END, now=NOW)
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("BEGIN")
            db.execute("DELETE FROM change")
            db.execute("DELETE FROM sqlite_sequence")
            db.execute("COMMIT")
            assert watch.current()
            assert told.everything == 1

    def test_the_journal_stays_short(self, path: Path, store: SqliteStateStore) -> None:
        with by_hand(path) as db:
            db.execute("BEGIN")
            db.executemany(
                "INSERT INTO record (space, key, value, expires_at) VALUES ('session', ?, x'00', 0)",
                [(str(number),) for number in range(sqlite_file.JOURNAL_LENGTH + 500)],
            )
            db.execute("UPDATE record SET expires_at = 1")
            db.execute("DELETE FROM record")
            db.execute("COMMIT")
            (kept,) = db.execute("SELECT count(*) FROM change").fetchone()
            assert kept == sqlite_file.JOURNAL_LENGTH

    def test_purged_records_are_told(self, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told):
            assert store.purge(now=END + 1) == 2
            assert watch.current()
            assert set(told.keys) == {"k", "other"}
            fill(store, "k")
            for number in range(2 * PURGE_EVERY):
                store.put(Space.FLOW, str(number), b"", expires_at=END, now=END + 1)
            assert watch.current()
            assert "k" in told.keys

    def test_it_is_told_nothing_twice_and_nothing_it_knew_before(self, store: SqliteStateStore) -> None:
        store.delete(SESSION, "other")
        with followed(store, lag=0) as (watch, told):
            store.delete(SESSION, "k")
            for _ in range(5):
                assert watch.current()
            assert (told.keys, told.everything) == (["k"], 0)

    def test_a_busy_writer_is_not_waited_for(self, path: Path, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told), by_hand(path) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM record WHERE key = 'k'")
            for _ in range(100):
                assert watch.current()
            assert (told.keys, told.everything) == ([], 0)
            db.execute("COMMIT")
            assert watch.current()
            assert (told.keys, told.everything) == (["k"], 0)

    def test_a_writer_at_work_and_a_reader_that_asks_all_the_time_agree(self, path: Path) -> None:
        with closing(SqliteStateStore(path)) as store, closing(SqliteStateStore(path)) as other:
            names = [str(number) for number in range(300)]
            fill(store, *names)
            done = threading.Event()

            def end_them() -> None:
                for name in random.sample(names, len(names)):
                    other.delete(SESSION, name)
                    ended.add(name)
                done.set()

            ended: set[str] = set()
            with followed(store, lag=0) as (watch, told):
                writer = threading.Thread(target=end_them)
                writer.start()
                while not done.is_set():
                    before = set(ended)
                    # Ended before it was asked: told by now, or nothing is believed.
                    if watch.current() and not told.everything:
                        assert before <= set(told.keys)
                writer.join()
                assert watch.current()
                assert told.everything or set(told.keys) == set(names)

    def test_a_locked_file_is_not_believed_and_not_waited_for(self, path: Path) -> None:
        with closing(SqliteStateStore(path, busy_timeout=1000)) as store:
            told = Told()
            watch = store.watch(SESSION, told, lag=LAG)
            with by_hand(path) as db:
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("BEGIN EXCLUSIVE")
                for _ in range(20):
                    assert not watch.current()
                assert told.everything == 0
            assert watch.current()
            assert told.everything == 1

    def test_a_file_that_fails_meanwhile_is_not_believed(self, store: SqliteStateStore) -> None:
        with followed(store, lag=0) as (watch, told):
            lose_connection(watch)
            assert not watch.current()
            assert told.everything == 1
            assert watch.current()
            assert told.everything == 2

    def test_a_file_that_is_gone_or_damaged_is_not_opened(self, path: Path, store: SqliteStateStore) -> None:
        store.close()
        for damaged in (False, True):
            with closing(SqliteStateStore(path)) as other:
                watch = other.watch(SESSION, Told(), lag=LAG)
                if damaged:
                    path.write_bytes(b"x" * 8192)
                else:
                    path.unlink()
                for _ in range(3):
                    assert not watch.current()
                if not damaged:
                    assert not path.exists(), "asking made a file"


def lose_connection(watch: Watch) -> None:
    """Take the watch's connection away: its next question fails, as by an error of the disk."""
    assert isinstance(watch, sqlite_watch.SqliteWatch)
    assert watch.connection is not None
    watch.connection.close()


class TestFirstRelease:
    """A file that the first release made has no journal: the next one adds it, and both write the file meanwhile."""

    @pytest.fixture
    def first(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A connection of a process of the first release, which began before the upgrade."""
        with by_hand(path) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(FIRST_RELEASE)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute("PRAGMA user_version = 1")
            db.execute("PRAGMA foreign_keys = ON")
            for key in ("k", "other"):
                db.execute(
                    "INSERT INTO record (space, key, value, expires_at) VALUES ('session', ?, x'76', ?)", (key, END)
                )
                db.execute("INSERT INTO record_index (space, name, seq) VALUES ('session', 'i', last_insert_rowid())")
            yield db

    def test_its_sessions_are_still_there_and_followed(self, path: Path, first: sqlite3.Connection) -> None:
        with closing(SqliteStateStore(path)) as store, followed(store, lag=0) as (watch, told):
            assert store.get(SESSION, "k", now=NOW) == b"v"
            assert [record.key for record in store.find(SESSION, "i", now=NOW)] == ["k", "other"]
            store.delete(SESSION, "k")
            assert watch.current()
            assert told.keys == ["k"]

    def test_a_process_of_the_first_release_is_heard(self, path: Path, first: sqlite3.Connection) -> None:
        first.execute("SELECT count(*) FROM record").fetchone()
        with closing(SqliteStateStore(path)) as store, followed(store, lag=0) as (watch, told):
            first.execute("BEGIN IMMEDIATE")
            first.execute("DELETE FROM record WHERE space = 'session' AND key = 'k'")
            first.execute("COMMIT")
            assert watch.current()
            assert told.keys == ["k"]
            first.execute("UPDATE record SET value = x'77' WHERE space = 'session' AND key = 'other'")
            assert watch.current()
            assert (told.keys, told.everything) == (["k", "other"], 0)
            assert store.get(SESSION, "other", now=NOW) == b"w"

    def test_many_processes_may_upgrade_it_at_once(self, path: Path, first: sqlite3.Connection) -> None:
        act = "import sys; from imagin_gateway.state import open_store; open_store(sys.argv[1]).close()"
        racing = [subprocess.Popen([sys.executable, "-c", act, f"sqlite:///{path}"]) for _ in range(4)]
        assert [one.wait() for one in racing] == [0] * 4
        names = {name for (name,) in first.execute("SELECT name FROM sqlite_master WHERE name LIKE '%chang%'")}
        assert "change" in names
        with closing(SqliteStateStore(path)) as store:
            assert store.get(SESSION, "k", now=NOW) == b"v"
