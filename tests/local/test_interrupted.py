"""An import killed at any point: nothing is half done, and a second run finishes the work."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import ImportRefused
from imagin_gateway.keys import Secret
from imagin_gateway.local import store
from imagin_gateway.local.convocations import Importer
from imagin_gateway.local.door import Letter, LetterKind
from imagin_gateway.local.letter_files import LetterFiles, discard_left, part_of
from imagin_gateway.local.schema import accounts, runs
from tests.local.conftest import Office, keys_of, values_of
from tests.local.helper import ADDRESS, GOOD

pytestmark = pytest.mark.fault

PEOPLE = 1200

CHILD = """
import json, os, signal, sys
from pathlib import Path
from imagin_gateway.clock import SystemClock
from imagin_gateway.events import EventLog, FileSink
from imagin_gateway.keys import Keyring
from imagin_gateway.local import checked_list, convocations, kept_runs, letter_files, letter_run
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.settings import Settings
from imagin_gateway.state.sqlite import SqliteStateStore
from tests.clock import ManualClock

values, folder, point = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at(place, name, call, before=True):
    real, calls = getattr(place, name), []
    def patched(*words, **more):
        calls.append(1)
        if before and len(calls) == call:
            die()
        done = real(*words, **more)
        if not before and len(calls) == call:
            die()
        return done
    setattr(place, name, patched)

{
    "": lambda: None,
    "checking": lambda: die_at(checked_list.CheckedList, "_find_repeated", 1),
    "opened": lambda: die_at(letter_run.LetterRun, "write", 1),
    "writing": lambda: die_at(letter_run.LetterRun, "write", 3),
    "sealing": lambda: die_at(letter_files.LetterFiles, "seal", 1),
    "sealed": lambda: die_at(kept_runs, "keep", 1),
    "not yet kept": lambda: die_at(kept_runs, "keep", 1, before=False),
    "kept": lambda: die_at(convocations.Importer, "_finish", 1),
    "told": lambda: die_at(convocations.Importer, "_finish", 1, before=False),
    "linked": lambda: die_at(Path, "unlink", 1),
    "one of two published": lambda: die_at(letter_files, "_publish", 2),
    "published": lambda: die_at(convocations.Importer, "_finished", 1),
}[point]()
settings = Settings.load(**values)
clock = ManualClock()
events = EventLog(FileSink(folder / "events.jsonl"), clock, Keyring(settings.keys.signing))
door = DirectDoor.open(settings, SqliteStateStore(folder / "state.db"), clock, events)
report = door.lists.import_list(
    folder / "list.csv", letters_to=folder / "letters.csv", sheets_to=folder / "sheets.html", actor="cli:root"
)
print(json.dumps([report.created, report.issued, report.resumed]))
"""

BEFORE = ("checking", "opened", "writing", "sealing", "sealed", "not yet kept")
AFTER = ("kept", "told", "linked", "one of two published", "published")


@pytest.fixture
def values(accounts_url: str, open_office: Callable[..., Office]) -> dict[str, Any]:
    """Settings another process can be given."""
    return values_of(accounts_url, keys=keys_of(open_office()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = "".join(f"compte{number};NOM;Prénom\n" for number in range(PEOPLE))
    (tmp_path / "list.csv").write_text("Identifiant;Nom;Prénom\n" + lines, encoding="utf-8")
    return tmp_path


def command(values: dict[str, Any], folder: Path, point: str) -> list[str]:
    return [sys.executable, "-c", CHILD, json.dumps(values), str(folder), point]


def run(values: dict[str, Any], folder: Path, point: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(values, folder, point), capture_output=True, text=True, check=False)


def holds(office: Office, folder: Path) -> None:
    """Check that everybody has one account and one letter, and that the letters open the accounts."""
    with (folder / "letters.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [row["Identifiant"] for row in rows] == [f"compte{number}" for number in range(PEOPLE)]
    assert len(office.rows(accounts)) == PEOPLE
    for row in rows[:: PEOPLE // 7]:
        password = Secret(row["Mot de passe provisoire"])
        assert office.door.check(row["Identifiant"], password, address=ADDRESS).must_choose
    sheets = (folder / "sheets.html").read_text(encoding="utf-8")
    assert sheets.endswith("</html>\n")
    assert sheets.count('<section class="sheet">') == PEOPLE
    assert all(row["Mot de passe provisoire"] in sheets for row in rows)
    assert not list(folder.glob(".*.part"))
    assert {path.stat().st_mode & 0o777 for path in folder.glob("[ls][eh]*s.*")} == {0o600}
    assert [row.finished for row in office.rows(runs)] == [True]


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_an_import_killed_at_any_point_is_whole_or_nothing_and_a_second_run_finishes_it(
    open_office: Callable[..., Office], values: dict[str, Any], folder: Path, point: str
) -> None:
    office = open_office(keys=values["keys"])
    killed = run(values, folder, point)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(office.rows(accounts)) == (0 if point in BEFORE else PEOPLE)
    if point in BEFORE:
        assert not (folder / "letters.csv").exists()
    second = run(values, folder)
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout) == [PEOPLE, PEOPLE, point in AFTER]
    holds(office, folder)
    told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["event"] for event in told} == {"accounts_imported"}
    assert {event["actor"] for event in told} == {"cli:root"}
    # Told twice rather than never.
    assert len(told) == (2 if point in ("told", "linked", "one of two published", "published") else 1)


@pytest.mark.parametrize("accounts_url", ["sqlite"], indirect=True)
def test_an_import_killed_at_random_again_and_again_ends_whole(
    open_office: Callable[..., Office], values: dict[str, Any], folder: Path
) -> None:
    office = open_office(keys=values["keys"])
    chance = random.Random(7)  # noqa: S311 -- when to kill, nothing secret
    for _ in range(12):
        with subprocess.Popen(
            command(values, folder, ""), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                process.wait(chance.uniform(0.3, 1.2))
            except subprocess.TimeoutExpired:
                process.kill()
        assert len(office.rows(accounts)) in (0, PEOPLE)
        if (folder / "letters.csv").exists():
            assert len(office.rows(accounts)) == PEOPLE
    if not (folder / "letters.csv").exists():
        assert run(values, folder).returncode == 0
    else:
        Importer.finish_left(office.door.lists._importer, [folder])
    holds(office, folder)


def test_two_imports_of_one_list_at_once_issue_each_letter_once(
    open_office: Callable[..., Office], values: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    office = open_office(keys=values["keys"])
    other = tmp_path / "other"
    other.mkdir()
    (other / "list.csv").write_bytes((folder / "list.csv").read_bytes())
    started = [
        subprocess.Popen(command(values, place, ""), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for place in (folder, other)
    ]
    answers = [process.communicate() for process in started]
    # PostgreSQL lets both write until one is refused: nothing of it is kept then.
    codes = sorted(process.returncode for process in started)
    assert codes in ([0, 0], [0, 1]), answers
    assert len(office.rows(accounts)) == PEOPLE
    values_seen: list[tuple[str, str]] = []
    for place in (folder, other):
        if (place / "letters.csv").exists():
            with (place / "letters.csv").open(encoding="utf-8-sig", newline="") as file:
                found = csv.DictReader(file, delimiter=";")
                values_seen += [(row["Identifiant"], row["Mot de passe provisoire"]) for row in found]
    printed = [(identifier, password) for identifier, password in values_seen if password]
    assert len(printed) == PEOPLE
    for identifier, password in printed[:: PEOPLE // 5]:
        assert office.door.check(identifier, Secret(password), address=ADDRESS).must_choose


def test_letters_reissued_by_a_killed_run_are_told_by_the_next_one(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run has another list: it says who did what the first one did, and gives its letters their name."""
    first = tmp_path / "first.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Importer, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            office.door.lists.reissue(["mdurand7", "pmartin2"], letters_to=first, actor="cli:marie")
    assert not first.exists()
    assert not office.named("provisional_issued")
    listing = tmp_path / "next.csv"
    listing.write_text("Identifiant;Nom\nnouveau;X\n", encoding="utf-8")
    report = office.door.lists.import_list(listing, letters_to=tmp_path / "second.csv", actor="cli:paul")
    assert (report.created, report.resumed) == (1, False)
    issued = office.named("provisional_issued")
    assert [event["actor"] for event in issued] == ["cli:marie"] * 2
    assert first.exists()
    with first.open(encoding="utf-8-sig", newline="") as file:
        fresh = {row["Identifiant"]: row["Mot de passe provisoire"] for row in csv.DictReader(file, delimiter=";")}
    assert office.door.check("mdurand7", Secret(fresh["mdurand7"]), address=ADDRESS).must_choose


def test_a_file_that_is_being_written_is_left_alone_and_one_that_was_left_is_removed(tmp_path: Path) -> None:
    run_id, target = "0" * 32, tmp_path / "letters.csv"
    files = LetterFiles(run_id, {target: ("utf-8", _Nothing)})
    discard_left(tmp_path, lambda run: False)
    assert part_of(target, run_id).exists()
    files.leave()
    discard_left(tmp_path, lambda run: True)
    assert part_of(target, run_id).exists()
    (tmp_path / ".other.part").write_text("not ours")
    discard_left(tmp_path, lambda run: False)
    assert not part_of(target, run_id).exists()
    assert (tmp_path / ".other.part").exists()


class _Nothing:
    def __init__(self, file: object) -> None:
        pass

    def write(self, letter: object) -> None:
        pass

    def end(self) -> None:
        pass


def test_a_file_that_appears_during_the_import_is_not_overwritten_and_the_letters_are_kept(
    office: Office, tmp_path: Path
) -> None:
    target = tmp_path / "letters.csv"

    def somebody_else(letter: object) -> None:
        target.write_text("à moi")

    with pytest.raises(FileExistsError):
        office.door.lists.reissue(["mdurand7"], letters_to=target, each=somebody_else)
    assert target.read_text() == "à moi"
    (part,) = tmp_path.glob(".letters.csv.*.part")
    target.unlink()
    office.door.lists.reissue(["pmartin2"], letters_to=tmp_path / "other.csv")
    assert not part.exists()
    with target.open(encoding="utf-8-sig", newline="") as file:
        ((row),) = csv.DictReader(file, delimiter=";")
    assert office.door.check("mdurand7", Secret(row["Mot de passe provisoire"]), address=ADDRESS).must_choose


@pytest.mark.parametrize("answers_again", [False, True])
def test_a_database_lost_at_the_commit_leaves_the_question_to_the_next_run(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers_again: bool
) -> None:
    """Nobody can tell whether the run was kept: its letters are neither given out nor thrown away."""
    from imagin_gateway.errors import Unavailable

    target = tmp_path / "letters.csv"

    def dead(*_: object) -> bool:
        raise Unavailable("the accounts database does not answer")

    real = office.door._database.engine.dialect.do_commit

    def lost(connection: Any) -> None:
        real(connection)
        if list(tmp_path.glob(".*.part")):
            monkeypatch.undo()
            if not answers_again:
                monkeypatch.setattr(Importer, "_was_kept", dead)
            raise sa.exc.OperationalError("COMMIT", {}, Exception("connection lost"))

    monkeypatch.setattr(office.door._database.engine.dialect, "do_commit", lost)
    with pytest.raises(Unavailable):
        office.door.lists.reissue(["mdurand7"], letters_to=target)
    monkeypatch.undo()
    assert not target.exists()
    office.door.lists.reissue(["pmartin2"], letters_to=tmp_path / "other.csv")
    assert target.exists()


def test_letters_are_on_the_disk_before_their_passwords_are_kept(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the power does, no password that opens an account is in no letter."""
    from imagin_gateway.local import kept_runs

    order: list[str] = []
    sync, keep = os.fsync, kept_runs.keep

    def synced(descriptor: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".csv")[0])
        sync(descriptor)

    def kept(*words: Any) -> None:
        order.append("kept")
        keep(*words)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(kept_runs, "keep", kept)
    office.door.lists.reissue(["mdurand7"], letters_to=tmp_path / "letters.csv")
    # The file, then the folder that names it; the folder again once the file has its own name.
    assert order == [".letters", tmp_path.name, "kept", tmp_path.name]


# -- issuing again -----------------------------------------------------------


def test_letters_are_issued_again_for_those_who_have_not_chosen_and_for_nobody_else(
    office: Office, tmp_path: Path
) -> None:
    office.personalise("pmartin2")
    before = office.rows(accounts)
    target = tmp_path / "letters.csv"
    with pytest.raises(ImportRefused) as caught:
        office.door.lists.reissue(["mdurand7", "pmartin2", "inconnu", " MDURAND7", "sansmail"], letters_to=target)
    told = [(problem.line, problem.reason.split()[0]) for problem in caught.value.problems]
    assert told == [(2, "un"), (3, "aucun"), (4, "donné")]
    first, _, *more = str(caught.value).splitlines()
    assert first == "3 erreurs, rien n'a été émis :"
    assert more == [
        "  - 3e identifiant : aucun compte ne porte cet identifiant",
        "  - 4e identifiant : donné deux fois",
    ]
    with pytest.raises(ImportRefused, match="1er identifiant : aucun"):
        office.door.lists.reissue(["inconnu"], letters_to=target)
    assert office.rows(accounts) == before
    assert not target.exists()
    report = office.door.lists.reissue(["MDurand7 ", "sansmail"], letters_to=target, actor="cli:marie")
    assert (report.issued, report.reissued) == (2, 2)
    assert [event["actor"] for event in office.named("provisional_issued")] == ["cli:marie"] * 2
    assert not office.door.check("pmartin2", GOOD, address=ADDRESS).must_choose


def test_an_import_without_a_place_for_letters_issues_nothing_and_a_later_one_does(
    office: Office, tmp_path: Path
) -> None:
    from imagin_gateway.local.lifecycle import AccountState

    listing = tmp_path / "next.csv"
    listing.write_text("Identifiant;Nom\nnouveau;X\nmdurand7;DURAND\n", encoding="utf-8")
    report = office.door.lists.import_list(listing, reissue=True)
    assert (report.created, report.issued, report.waiting) == (1, 0, 1)
    account = office.account("nouveau")
    assert (account.state, account.provisional_mac) == (AccountState.EXPIRED, None)
    assert office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).must_choose
    report = office.door.lists.import_list(listing, letters_to=tmp_path / "letters.csv")
    assert (report.created, report.issued, report.waiting) == (0, 1, 0)
    # It had none before; it is told of all the same, as of any account that was there.
    assert report.reissued == 0
    assert len(office.named("provisional_issued")) == 1
    report = office.door.lists.reissue(["nouveau"], letters_to=tmp_path / "again.csv")
    assert (report.issued, report.reissued) == (1, 1)


def test_an_account_that_waited_and_was_opened_again_is_counted_as_such(office: Office, tmp_path: Path) -> None:
    listing = tmp_path / "next.csv"
    listing.write_text("Identifiant;Nom\nnouveau;X\nautre;Y\n", encoding="utf-8")
    assert office.door.lists.import_list(listing).waiting == 2
    office.door.disable("nouveau")
    office.door.enable("nouveau")
    report = office.door.lists.import_list(listing, letters_to=tmp_path / "letters.csv")
    assert (report.issued, report.reissued) == (2, 1)


def test_who_chooses_a_password_during_an_import_does_not_stop_it(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = {who: office.account(who) for who in ("mdurand7", "pmartin2")}
    office.personalise("pmartin2")
    # As it is found when they choose between the reading of their row and its writing.
    monkeypatch.setattr(store, "find_many", lambda connection, keys: read)
    listing = tmp_path / "again.csv"
    listing.write_text("Identifiant;Nom\nmdurand7;DURAND\npmartin2;MARTIN\n", encoding="utf-8")
    letters: list[Letter] = []
    report = office.door.lists.import_list(listing, reissue=True, each=letters.append)
    assert (report.issued, report.personalised) == (1, 1)
    assert [letter.kind for letter in letters] == [LetterKind.PROVISIONAL, LetterKind.CHOSEN]
    assert not office.door.check("pmartin2", GOOD, address=ADDRESS).must_choose


def test_lists_imported_from_two_threads_at_once_do_not_disturb_each_other(office: Office, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        listing = tmp_path / f"list{number}.csv"
        lines = "".join(f"p{number}-{each};X\n" for each in range(600))
        listing.write_text("Identifiant;Nom\n" + lines, encoding="utf-8")
        try:
            office.door.lists.import_list(listing, letters_to=tmp_path / f"letters{number}.csv")
        except BaseException as error:  # told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(office.rows(accounts)) == 3 + 1800
    assert len(list(tmp_path.glob("letters*.csv"))) == 3
    assert not list(tmp_path.glob(".*.part"))


# -- memory ------------------------------------------------------------------

FLAT = """
import resource, sys
from pathlib import Path
from imagin_gateway.clock import SystemClock
from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.state.sqlite import SqliteStateStore
from tests.local.conftest import settings_of

folder, count = Path(sys.argv[1]), int(sys.argv[2])
with (folder / "long.csv").open("w", encoding="utf-8") as file:
    file.write("Identifiant;Nom;Prénom;Courriel;Qualité;Service gestionnaire\\n")
    for number in range(count):
        file.write(f"long{number};NOM DE FAMILLE {number};Prénom;p{number}@exemple.test;surveillant;DEC 2 - BTS\\n")
settings, clock = settings_of(f"sqlite:///{folder}/long.db"), SystemClock()
events = EventLog(CallSink(lambda line: None), clock, Keyring(settings.keys.signing))
door = DirectDoor.open(settings, SqliteStateStore(folder / "long-state.db"), clock, events)
files = {"letters_to": folder / "long-letters.csv", "sheets_to": folder / "long.html"}
report = door.lists.import_list(folder / "long.csv", **files)
assert report.issued == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_the_memory_of_an_import_does_not_grow_with_its_list(tmp_path: Path) -> None:
    peaks = []
    for count in (8_000, 48_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        ran = subprocess.run(
            [sys.executable, "-c", FLAT, str(folder), str(count)], capture_output=True, text=True, check=True
        )
        peaks.append(int(ran.stdout))
    # Forty thousand rows and letters, held, would be sixty MiB and more.
    assert peaks[1] - peaks[0] < 12 * 1024
