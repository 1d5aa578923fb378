"""What is particular to the SQLite engine: the file, its lock, its purge, `fork`."""

from __future__ import annotations

import ast
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import imagin_gateway.state
from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.local import database
from imagin_gateway.state.sqlite import PURGE_BATCH, PURGE_EVERY, SqliteStateStore
from imagin_gateway.state.sqlite_file import APPLICATION_ID, passing_trouble
from imagin_gateway.state.store import Space
from tests.state.test_contract import CALLS
from tests.state.workers import END, NOW, in_processes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStateStore]:
    opened = SqliteStateStore(path, busy_timeout=0.1)
    yield opened
    opened.close()


def rows(path: Path, table: str = "record") -> int:
    with closing(sqlite3.connect(path)) as db:
        number: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  # a name of ours
        return number


def test_nobody_else_reads_the_file(path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(SqliteStateStore(path)) as store:
            store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
            files = sorted(path.parent.iterdir())
            assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_a_missing_folder_is_a_problem_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        SqliteStateStore(tmp_path / "absent" / "state.db")
    assert caught.value.problems[0].key == "state.url"
    assert "absent" in caught.value.problems[0].message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        SqliteStateStore(tmp_path)


def test_another_application_s_database_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE record (mine)")
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="autre application"):
        SqliteStateStore(path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db"]


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"Chers collegues, " * 100)
    with pytest.raises(SettingsError):
        SqliteStateStore(path)
    assert path.read_bytes() == b"Chers collegues, " * 100


@pytest.mark.parametrize("opens", ["state", "accounts"])
def test_a_start_while_another_program_holds_the_file_ends_soon_and_does_not_call_it_unusable(
    path: Path, opens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(SettingsError) as caught:
            SqliteStateStore(path, busy_timeout=0.1) if opens == "state" else database.Database(f"sqlite:///{path}")
        assert time.monotonic() - began < 5
    (problem,) = caught.value.problems
    assert problem.message == "un autre programme tient ce fichier"
    assert "chemin" not in problem.remedy


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, "plus de place"),
        (sqlite3.SQLITE_CANTOPEN, "le système"),
        (sqlite3.SQLITE_IOERR_FSYNC, "le système"),
        (sqlite3.SQLITE_NOTADB, None),
        (sqlite3.SQLITE_CORRUPT, None),
    ],
)
def test_an_error_of_the_machine_is_not_one_of_the_file(code: int, said: str | None) -> None:
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    told = passing_trouble(error)
    assert told is None if said is None else told is not None and said in told[0]


def test_tables_of_another_version_are_refused(path: Path) -> None:
    SqliteStateStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(SettingsError, match="autre version"):
        SqliteStateStore(path)


def test_a_file_is_found_again_by_the_next_process(path: Path, store: SqliteStateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    store.close()
    with closing(SqliteStateStore(str(path))) as again:
        assert again.get(Space.FLOW, "k", now=NOW) == b"v"


def test_processes_that_start_together_make_one_file(path: Path) -> None:
    assert in_processes("open", f"sqlite:///{path}", processes=6, threads=4) == ["True"] * 24


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.fault
def test_a_damaged_file_is_unavailable(path: Path, store: SqliteStateStore, call: Callable[[object], object]) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(Unavailable) as caught:
        call(store)
    assert caught.value.code is Code.STORE_UNAVAILABLE


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.fault
def test_a_file_taken_away_is_an_outage_not_an_empty_store(
    path: Path, store: SqliteStateStore, call: Callable[[object], object]
) -> None:
    path.unlink()
    with pytest.raises(Unavailable):
        call(store)
    assert not path.exists()


@pytest.mark.fault
def test_who_had_the_removed_file_open_does_not_read_it_on(path: Path, store: SqliteStateStore) -> None:
    """Else two workers, one of them started since, would each believe in sessions of its own."""
    told: list[object] = []
    watch = store.watch(Space.SESSION, told.append, lag=0)
    store.put(Space.SESSION, "a", b"1", expires_at=END, now=NOW)
    assert watch.current()
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    assert not watch.current()
    assert told.pop() is None, "all that was read is forgotten"
    with pytest.raises(Unavailable):
        store.get(Space.SESSION, "a", now=NOW)
    with closing(SqliteStateStore(path)) as another:
        another.put(Space.SESSION, "b", b"2", expires_at=END, now=NOW)
        assert store.get(Space.SESSION, "a", now=NOW) is None
        assert store.get(Space.SESSION, "b", now=NOW) == b"2"
        assert watch.current()
        another.delete(Space.SESSION, "b")
        assert watch.current()
        assert told[-1] == ["b"]
        assert store.get(Space.SESSION, "b", now=NOW) is None


@pytest.mark.fault
def test_while_another_process_holds_the_lock_reads_go_on_and_writes_are_unavailable(
    path: Path, store: SqliteStateStore
) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get(Space.FLOW, "k", now=NOW) == b"v"
        with pytest.raises(Unavailable):
            store.take(Space.FLOW, "k", now=NOW)
        other.execute("ROLLBACK")
    assert store.take(Space.FLOW, "k", now=NOW) == b"v"


@pytest.mark.fault
def test_an_error_inside_a_write_undoes_it_whole(path: Path, store: SqliteStateStore) -> None:
    store.put(Space.FLOW, "k", b"old", expires_at=END, now=NOW, indexes=["i"])
    with pytest.raises(UnicodeEncodeError):
        store.put(Space.FLOW, "k", b"new", expires_at=END, now=NOW, indexes=["j", "\ud800"])
    assert store.get(Space.FLOW, "k", now=NOW) == b"old"
    assert store.find(Space.FLOW, "j", now=NOW) == []


def test_purge_removes_what_has_expired_and_its_indexes(path: Path, store: SqliteStateStore) -> None:
    dead = PURGE_EVERY // 2
    for number in range(dead):
        store.put(Space.REPLAY, str(number), b"v", expires_at=NOW + 10, now=NOW, indexes=["i"])
    store.put(Space.REPLAY, "live", b"v", expires_at=NOW + 11, now=NOW, indexes=["i"])
    assert store.purge(now=NOW + 9.999) == 0
    assert store.purge(now=NOW + 10) == dead
    assert store.purge(now=NOW + 10) == 0
    assert (rows(path), rows(path, "record_index")) == (1, 1)


def test_what_is_deleted_by_hand_leaves_nothing_that_names_another_record(path: Path, store: SqliteStateStore) -> None:
    """The program `sqlite3` has foreign keys off, and a number that is free again is given again."""
    index = "by-person:alice"
    store.put(Space.SESSION, "a", b"1", expires_at=9.0, now=0.0, indexes=[index])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM record")
        assert db.execute("SELECT count(*) FROM record_index").fetchone() == (0,)
    store.put(Space.REPLAY, "used", b"1", expires_at=9.0, now=0.0)
    assert store.find(Space.SESSION, index, now=1.0) == []
    assert store.delete_indexed(Space.SESSION, index) == 0
    store.put(Space.SESSION, "b", b"2", expires_at=9.0, now=0.0, indexes=[index])
    assert [record.key for record in store.find(Space.SESSION, index, now=1.0)] == ["b"]


def test_a_file_that_was_deleted_from_by_hand_under_another_release_is_mended(path: Path) -> None:
    index = "by-person:alice"
    with closing(SqliteStateStore(path)) as store:
        store.put(Space.SESSION, "a", b"1", expires_at=9.0, now=0.0, indexes=[index])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER session_unlisted")
        db.execute("DELETE FROM record")
        assert db.execute("SELECT count(*) FROM record_index").fetchone() == (1,)
    with closing(SqliteStateStore(path)) as store:
        store.put(Space.SESSION, "b", b"2", expires_at=9.0, now=0.0, indexes=[index])
        assert [record.key for record in store.find(Space.SESSION, index, now=1.0)] == ["b"]


def test_an_index_names_records_of_its_own_space_alone(path: Path, store: SqliteStateStore) -> None:
    """Whatever became of the numbers: ending somebody's sessions takes no used answer with it."""
    index = "by-person:alice"
    store.put(Space.REPLAY, "used", b"1", expires_at=9.0, now=0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO record_index SELECT 'session', ?, seq FROM record", (index,))
    assert store.find(Space.SESSION, index, now=1.0) == []
    assert store.delete_indexed(Space.SESSION, index) == 0
    assert store.get(Space.REPLAY, "used", now=1.0) == b"1"


def test_purge_goes_on_past_one_batch(path: Path, store: SqliteStateStore) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO record (space, key, value, expires_at) VALUES ('flow', ?, x'00', ?)",
            [(str(number), NOW) for number in range(2 * PURGE_BATCH + 1)],
        )
    assert store.purge(now=NOW) == 2 * PURGE_BATCH + 1
    assert rows(path) == 0


def test_nothing_grows_for_ever_though_nobody_purges(path: Path, store: SqliteStateStore) -> None:
    step, life = 10, 600
    most = 0
    for number in range(30 * PURGE_EVERY):
        now = NOW + number * step
        store.put(Space.FLOW, f"flow{number}", b"v", expires_at=now + life, now=now)
        if number % PURGE_EVERY == 0:
            most = max(most, rows(path))
    assert most <= life // step + 2 * PURGE_EVERY


def test_one_purge_on_the_way_of_a_write_is_bounded(path: Path, store: SqliteStateStore) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO record (space, key, value, expires_at) VALUES ('flow', ?, x'00', ?)",
            [(str(number), NOW) for number in range(3 * PURGE_BATCH)],
        )
    for _ in range(PURGE_EVERY):
        store.increment(Space.COUNTER, "k", expires_at=END, now=NOW)
    assert rows(path) == 2 * PURGE_BATCH + 1


def test_a_forked_child_has_connections_of_its_own(path: Path, store: SqliteStateStore) -> None:
    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    watch = store.watch(Space.SESSION, lambda keys: None, lag=1)
    assert watch.current()
    inherited = list(store._idle)
    assert inherited
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process: coverage does not follow
        own = not store._idle and watch.connection is None
        worked = store.take(Space.FLOW, "k", now=NOW) == b"v" and watch.current()
        store.close()
        os._exit(0 if own and worked else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(store._idle) == inherited
    assert store.get(Space.FLOW, "k", now=NOW) is None
    assert watch.current()


def test_the_file_is_in_wal_mode_with_strict_tables(path: Path, store: SqliteStateStore) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        tables = db.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
        assert {name: strict for name, strict in tables if not name.startswith("sqlite_")} == {
            "record": 1,
            "record_index": 1,
            "change": 1,
        }


def test_no_statement_is_put_together_from_values() -> None:
    folder = Path(imagin_gateway.state.__file__).parent
    statements = 0
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr not in ("execute", "executemany", "executescript"):
                continue
            statements += 1
            statement = node.args[0]
            # Literals, our own list of statements, and pragmas with a constant of the module.
            holes = [hole.value for hole in ast.walk(statement) if isinstance(hole, ast.FormattedValue)]
            assert (
                isinstance(statement, (ast.Constant, ast.IfExp, ast.JoinedStr)) or ast.unparse(statement) == "statement"
            )
            assert all(isinstance(hole, ast.Name) and hole.id.isupper() for hole in holes)
    assert statements > 20


TAKE_THE_FILE = """
import fcntl, sys
with open(sys.argv[1], "rb+") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)  # what a connection shares (SQLite, os_unix)
    except BlockingIOError:
        print("in use")
"""


def test_opening_the_file_again_keeps_the_locks_of_this_process(path: Path, store: SqliteStateStore) -> None:
    def taken() -> str:
        command = [sys.executable, "-c", TAKE_THE_FILE, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    store.put(Space.FLOW, "k", b"v", expires_at=END, now=NOW)
    assert taken() == "in use"
    again = SqliteStateStore(path)
    assert taken() == "in use"
    again.close()
