"""The help desk at a terminal: each command as it is run, on real files, with who did it in the events."""

from __future__ import annotations

import csv
import errno
import json
import re
import secrets
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from imagin_gateway.cli import bulk
from imagin_gateway.cli.accounts import _INSTEAD
from imagin_gateway.cli.root import app
from imagin_gateway.clock import SystemClock
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.opening import Stores, open_stores
from imagin_gateway.settings import Settings
from tests.cli.test_commands import Operator, open_session, operator
from tests.local.helper import GOOD
from tests.terminal import imagin_gateway

__all__ = ["operator"]

LIST = """\
Identifiant;Nom;Prénom;Courriel;Qualité;Service gestionnaire
mdurand7;DURAND;Marie;marie@exemple.test;formateur en CFA;DEC 4 - concours
pmartin2;Martin-Lévy;Paul;paul@exemple.test;surveillant;DEC 2 - BTS
sansmail;de La Tour;Zoé;;surveillant;DEC 2 - BTS
"""


def stores(operator: Operator) -> Stores:
    return open_stores(Settings.load(operator.folder / "gateway.toml"))


@pytest.fixture
def desk(operator: Operator) -> Operator:
    """An operator whose three people got their letters; the first one has chosen a password."""
    (operator.folder / "list.csv").write_text(LIST, encoding="utf-8")
    opened = stores(operator)
    letters: dict[str, Any] = {}
    opened.direct.lists.import_list(
        operator.folder / "list.csv", each=lambda letter: letters.update({letter.identifier: letter.provisional})
    )
    opened.direct.passwords.choose_first("mdurand7", GOOD, GOOD)
    opened.close()
    return operator


def answer(operator: Operator, typed: str, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command that asks something, and type the answer."""
    return imagin_gateway(*words, cwd=operator.folder, typed=typed, timeout=seconds)


def named(operator: Operator, event: str) -> list[dict[str, Any]]:
    return [each for each in operator.events if each["event"] == event]


def state_of(operator: Operator, identifier: str) -> str:
    opened = stores(operator)
    account = opened.direct.find(identifier)
    opened.close()
    return account.state.value if account else "absent"


def test_an_account_is_found_by_identifier_name_mail_or_office(desk: Operator) -> None:
    for text, who in (
        ("MDURAND7", "mdurand7"),
        ("durand", "mdurand7"),
        ("Marie Durand", "mdurand7"),
        ("martin levy", "pmartin2"),
        ("DE LA TOUR zoe", "sansmail"),
        ("paul@exemple.test", "pmartin2"),
        ("PAUL@EX", "pmartin2"),
    ):
        done = desk.run("accounts", "find", text, "--json")
        assert done.returncode == 0, (text, done.stderr)
        assert [each["identifier"] for each in json.loads(done.stdout)["accounts"]] == [who]
    office = desk.run("accounts", "find", "--office", "dec 2 bts")
    assert "pmartin2" in office.stdout
    assert "sansmail" in office.stdout
    assert "mdurand7" not in office.stdout
    both = json.loads(desk.run("accounts", "find", "martin", "--office", "DEC 2 - BTS", "--json").stdout)
    assert [each["identifier"] for each in both["accounts"]] == ["pmartin2"]
    limited = desk.run("accounts", "find", "--office", "DEC 2 - BTS", "--limit", "1", "--json")
    assert json.loads(limited.stdout)["more"] is True
    assert len(json.loads(limited.stdout)["accounts"]) == 1
    assert "préciser" in desk.run("accounts", "find", "--office", "DEC 2 - BTS", "--limit", "1").stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(["du"], 2), ([], 2), (["%%%"], 2), (["inconnu"], 1), (["x" * 300], 2), (["dur", "--limit", "0"], 2)],
)
def test_a_search_that_says_too_little_or_finds_nobody_ends_so(desk: Operator, words: list[str], code: int) -> None:
    done = desk.run("accounts", "find", *words)
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.row("LOG-06")
def test_a_search_and_a_look_are_events_with_their_actor_and_without_what_was_searched(desk: Operator) -> None:
    desk.run("accounts", "find", "durand", "--actor", "Zoé du guichet")
    desk.run("accounts", "show", "mdurand7", "--actor", "Zoé du guichet")
    (searched,) = named(desk, "accounts_searched")
    (shown,) = named(desk, "account_shown")
    for event in (searched, shown):
        assert re.fullmatch(r"cli:[^/]+/Zoé du guichet", event["actor"])
    assert "durand" not in json.dumps(searched).lower()
    assert shown["person"]


@pytest.mark.parametrize("name", ["   ", "x" * 65, "a\x1b[31m"])
def test_an_actor_is_a_short_printable_name(desk: Operator, name: str) -> None:
    before = len(desk.events)
    done = desk.run("accounts", "disable", "mdurand7", "--actor", name)
    assert done.returncode == 2
    assert len(desk.events) == before


def test_an_act_without_an_author_is_not_done(desk: Operator) -> None:
    before = len(desk.events)
    for words in (
        ("find", "durand"),
        ("show", "mdurand7"),
        ("unlock", "mdurand7"),
        ("disable", "mdurand7"),
        ("enable", "mdurand7"),
        ("reissue", "pmartin2"),
        ("send-link", "mdurand7"),
        ("remove-factors", "mdurand7"),
        ("require-factor", "mdurand7"),
        ("require-change", "mdurand7"),
        ("export", "mdurand7"),
        ("erase", "mdurand7", "--yes"),
        ("leak", "--yes"),
    ):
        done = desk.run("accounts", *words, "--actor", "")
        assert done.returncode == 2, words
        assert "Dire qui agit" in done.stderr
    assert len(desk.events) == before
    assert state_of(desk, "mdurand7") == "active"


def test_an_account_is_shown_with_its_dates_and_last_events_and_no_secret(desk: Operator) -> None:
    open_session(desk)
    done = desk.run("accounts", "show", " MDurand7 ")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^état +mot de passe personnalisé$", done.stdout, re.MULTILINE)
    assert re.search(r"^créé le +\d\d/\d\d/\d{4} \d\d:\d\d$", done.stdout, re.MULTILINE)
    assert re.search(r"^sessions +1$", done.stdout, re.MULTILINE)
    assert re.search(r"\d\d:\d\d  Premier mot de passe choisi\.$", done.stdout, re.MULTILINE)
    told = json.loads(desk.run("accounts", "show", "mdurand7", "--json").stdout)
    assert told["state"] == "active"
    assert told["has_password"] is True
    assert [each["event"] for each in told["events"]] == ["account_shown", "password_chosen"]
    assert told["events"][0]["actor"].startswith("cli:")
    with closing(sqlite3.connect(desk.folder / "accounts.db")) as db:
        (hashed,) = db.execute("SELECT password_hash FROM accounts WHERE identifier = 'mdurand7'").fetchone()
        (mac,) = db.execute("SELECT provisional_mac FROM accounts WHERE identifier = 'pmartin2'").fetchone()
    everything = done.stdout + json.dumps(told) + desk.run("accounts", "show", "pmartin2").stdout
    assert hashed not in everything
    assert mac not in everything
    unknown = desk.run("accounts", "show", "inconnu", "--json")
    assert (unknown.returncode, unknown.stdout) == (1, "")


@pytest.mark.row("PRV-07")
def test_a_provisional_password_is_printed_once_and_kills_the_former_one(desk: Operator) -> None:
    first = desk.run("accounts", "reissue", "pmartin2")
    assert first.returncode == 0, first.stderr
    values = re.findall(r"[2-9A-HJ-NP-Z]{5} [2-9A-HJ-NP-Z]{5} [2-9A-HJ-NP-Z]{5}", first.stdout)
    assert len(values) == 1
    second = desk.run("accounts", "reissue", "pmartin2", "--letters", "again.csv")
    assert second.returncode == 0, second.stderr
    file = desk.folder / "again.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (row,) = csv.DictReader(file.read_text("utf-8-sig").splitlines(), delimiter=";")
    assert row["Mot de passe provisoire"] not in ("", *values)
    events = named(desk, "provisional_issued")
    assert len(events) == 2
    assert all(each["actor"].startswith("cli:") and each["person"] for each in events)
    told = json.dumps(desk.events) + desk.run("accounts", "show", "pmartin2", "--json").stdout
    assert not any(value in told for value in (*values, row["Mot de passe provisoire"]))
    opened = stores(desk)
    from imagin_gateway.keys import Secret
    from imagin_gateway.local.door import CredentialsRefused

    with pytest.raises(CredentialsRefused):
        opened.direct.check("pmartin2", Secret(values[0]), address="192.0.2.7")
    assert opened.direct.check("pmartin2", Secret(row["Mot de passe provisoire"]), address="192.0.2.7").must_choose
    opened.close()


def test_a_chosen_password_is_replaced_only_when_asked_in_so_many_words(desk: Operator) -> None:
    open_session(desk)
    refused = desk.run("accounts", "reissue", "mdurand7")
    assert refused.returncode == 1
    told = "Impossible dans l'état de ce compte (mot de passe personnalisé). Rien n'a changé.\n"
    assert refused.stderr.startswith(f"{told}Mot de passe perdu : accounts send-link, ou")
    assert state_of(desk, "mdurand7") == "active"
    assert desk.run("accounts", "reissue", "mdurand7", "--replace-password", "--letters", "x.csv").returncode == 2
    done = desk.run("accounts", "reissue", "mdurand7", "--replace-password")
    assert done.returncode == 0, done.stderr
    assert state_of(desk, "mdurand7") == "provisional"
    opened = stores(desk)
    assert opened.sessions.list_person(DIRECT_ISSUER, "mdurand7") == []
    opened.close()
    (event,) = named(desk, "provisional_issued")
    assert event["detail"] == {"ended": 1, "replaced": True}
    # The second time, there is none to take away, and none is said to be.
    assert desk.run("accounts", "reissue", "mdurand7", "--replace-password").returncode == 0
    assert named(desk, "provisional_issued")[-1]["detail"] == {"ended": 0, "replaced": False}
    assert desk.run("accounts", "reissue", "inconnu").returncode == 1


def test_an_account_is_unlocked_and_one_that_is_not_locked_is_left(desk: Operator) -> None:
    nothing = desk.run("accounts", "unlock", "mdurand7")
    assert nothing.returncode == 1
    assert named(desk, "account_unlocked") == []
    with closing(sqlite3.connect(desk.folder / "accounts.db")) as db, db:
        db.execute("UPDATE accounts SET state = 'locked' WHERE identifier IN ('mdurand7', 'pmartin2')")
    done = desk.run("accounts", "unlock", "mdurand7")
    assert done.stdout == "Compte mdurand7 débloqué : mot de passe à changer.\n"
    letter = desk.run("accounts", "unlock", "pmartin2")
    assert "provisoire" in letter.stdout
    assert [state_of(desk, who) for who in ("mdurand7", "pmartin2")] == ["change_required", "provisional"]
    assert all(each["actor"].startswith("cli:") for each in named(desk, "account_unlocked"))
    assert desk.run("accounts", "unlock", "inconnu").returncode == 1


def test_an_account_that_is_not_in_the_state_is_told_with_its_state_and_what_can_be_done(desk: Operator) -> None:
    assert set(_INSTEAD) == set(AccountState)
    assert desk.run("accounts", "disable", "mdurand7").returncode == 0
    for act in ("disable", "reissue", "unlock"):
        done = desk.run("accounts", act, "MDurand7")
        assert done.returncode == 1, act
        assert "ce compte (désactivé). Rien n'a changé.\nLe rouvrir : accounts enable.\n" in done.stderr, act
    assert desk.run("accounts", "enable", "mdurand7").returncode == 0
    again = desk.run("accounts", "enable", "mdurand7")
    assert again.returncode == 1
    assert "(sans mot de passe valable)" in again.stderr
    assert "accounts reissue, ou accounts send-link" in again.stderr


def test_lost_factors_are_taken_away_and_who_did_it_is_told(desk: Operator) -> None:
    none = desk.run("accounts", "remove-factors", "mdurand7")
    assert none.returncode == 1
    assert named(desk, "factors_cleared") == []
    with closing(sqlite3.connect(desk.folder / "accounts.db")) as db, db:
        (row,) = db.execute("SELECT id FROM accounts WHERE identifier = 'mdurand7'").fetchone()
        db.execute("INSERT INTO totp_factors (account_id, secret, step, added_at) VALUES (?, 'sealed', 0, 0)", (row,))
        db.execute("INSERT INTO recovery_codes (account_id, mac) VALUES (?, 'mac-of-a-code')", (row,))
    open_session(desk)
    shown = desk.run("accounts", "show", "mdurand7")
    assert re.search(r"^second facteur +application de codes, 1 code de secours$", shown.stdout, re.MULTILINE)
    assert "sealed" not in shown.stdout + desk.run("accounts", "show", "mdurand7", "--json").stdout
    assert "sealed" not in desk.run("accounts", "export", "mdurand7").stdout
    done = desk.run("accounts", "remove-factors", "mdurand7", "--actor", "zoe")
    assert done.stdout == "Seconds facteurs de mdurand7 retirés ; sessions terminées : 1.\n"
    (event,) = named(desk, "factors_cleared")
    assert event["actor"].endswith("/zoe")
    assert desk.run("accounts", "remove-factors", "inconnu").returncode == 1


def test_a_second_factor_is_demanded_of_one_person_and_no_more(desk: Operator) -> None:
    def demanded() -> list[int]:
        with closing(sqlite3.connect(desk.folder / "accounts.db")) as db:
            rows = db.execute("SELECT second_factor_required FROM accounts ORDER BY identifier").fetchall()
        return [row for (row,) in rows]

    nobody = demanded()
    assert not any(nobody)
    off = desk.run("accounts", "require-factor", "mdurand7")
    assert (off.returncode, "coupés" in off.stderr) == (1, True)
    assert demanded() == nobody
    key = json.dumps([secrets.token_urlsafe(48)])
    on = {"IMAGIN_GATEWAY_SECOND_FACTOR__MODE": "optional", "IMAGIN_GATEWAY_KEYS__FACTORS": key}
    done = desk.run("accounts", "require-factor", "mdurand7", "--actor", "zoe", **on)
    assert done.stdout == "Compte mdurand7 : un second facteur est exigé.\n"
    assert sum(demanded()) == 1
    (event,) = named(desk, "factor_required")
    assert event["actor"].endswith("/zoe")
    assert desk.run("accounts", "require-factor", "inconnu", **on).returncode == 1
    undone = desk.run("accounts", "require-factor", "mdurand7", "--no-more")
    assert undone.stdout == "Compte mdurand7 : un second facteur n'est plus exigé.\n"
    assert demanded() == nobody


def test_a_link_is_sent_only_where_mail_can_go(desk: Operator) -> None:
    assert desk.run("accounts", "send-link", "mdurand7").returncode == 0
    refused = desk.run("accounts", "send-link", "sansmail")
    assert refused.returncode == 1
    assert "adresse électronique" in refused.stderr
    assert len(named(desk, "link_ordered")) == 1


def test_many_accounts_are_changed_after_the_count_is_retyped(desk: Operator) -> None:
    open_session(desk)
    command = ("accounts", "require-change", "--all")
    dry = desk.run(*command, "--dry-run")
    assert dry.returncode == 0
    assert "1 compte devrait" in dry.stdout
    assert state_of(desk, "mdurand7") == "active"
    wrong = answer(desk, "3\n", *command)
    assert wrong.returncode == 1
    silent = answer(desk, "", *command)
    assert silent.returncode == 2
    assert state_of(desk, "mdurand7") == "active"
    assert named(desk, "change_required") == []
    done = answer(desk, "1\n", *command)
    assert done.returncode == 0, done.stderr
    assert "1 compte à qui un autre mot de passe est demandé ; 1 session terminée." in done.stdout
    assert state_of(desk, "mdurand7") == "change_required"
    (event,) = named(desk, "change_required")
    assert event["actor"].startswith("cli:")
    shown = desk.run("accounts", "show", "mdurand7").stdout
    assert "Autre mot de passe exigé." in shown
    told = json.loads(desk.run("accounts", "require-change", "--office", "DEC 2 - BTS", "--yes", "--json").stdout)
    assert (sorted(told.pop("left_identifiers")), told.pop("unknown_identifiers")) == (["pmartin2", "sansmail"], [])
    assert told == {"changed": 0, "left": 2, "unknown": 0, "sessions_ended": 0, "dry_run": False}


# -- a person's rights -------------------------------------------------------


def canaries() -> tuple[str, ...]:
    return ("mdurand7", "DURAND", "Marie", "marie@exemple.test", "durand marie")


def rows_of(folder: Path, *names: str) -> str:
    """Return every value of every table of these databases."""
    told = []
    for name in names:
        with closing(sqlite3.connect(folder / name)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            told += [str(row) for table in tables for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608  # names of tables, not of people
    return "\n".join(told)


CUT = """
import resource
from pathlib import Path
from imagin_gateway.cli.personal import _write
resource.setrlimit(resource.RLIMIT_FSIZE, (70, resource.RLIM_INFINITY))
try:
    _write({"person": "x" * 1000}, Path("marie.json"))
except OSError as error:
    print(error.filename)
"""


def test_what_a_person_is_handed_is_whole_or_not_there(tmp_path: Path) -> None:
    # As on a full disk: the first signs are written, and no more.
    done = subprocess.run([sys.executable, "-c", CUT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("marie.json\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.row("DPO-05")
def test_a_person_is_handed_all_that_is_kept_of_them_and_no_secret(desk: Operator) -> None:
    open_session(desk)
    desk.run("accounts", "send-link", "mdurand7")
    desk.run("accounts", "show", "mdurand7")
    opened = stores(desk)
    opened.direct.links.make("mdurand7", "https://proconnect.example", "sub-of-marie")
    opened.direct.address.ask("mdurand7", GOOD, "marie.neuve@exemple.test", address="192.0.2.7")
    opened.direct.trusted.trust("mdurand7", 1, "Firefox, Windows", "192.0.2.7", timedelta(days=7), SystemClock().now())
    opened.close()
    done = desk.run("accounts", "export", "mdurand7", "--to", "marie.json")
    assert done.returncode == 0, done.stderr
    file = desk.folder / "marie.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text(encoding="utf-8"))
    accounts = told["accounts"]
    assert accounts["accounts"][0]["email"] == "marie@exemple.test"
    assert accounts["account_links"][0]["subject"] == "sub-of-marie"
    assert accounts["address_changes"][0]["address"] == "marie.neuve@exemple.test"
    assert {each["kind"] for each in accounts["outbox"]} >= {"first_connection", "address_code_new"}
    assert len(accounts["reset_requests"]) == 1
    assert {each["event"] for each in accounts["account_events"]} >= {"password_chosen", "account_shown"}
    assert told["sessions"][0]["device"] == "Firefox, [bold]Windows"
    (computer,) = told["trusted_computers"]
    assert (computer["device"], computer["address"]) == ("Firefox, Windows", "192.0.2.7")
    assert {each["event"] for each in told["events"]} >= {"password_chosen", "link_ordered", "account_linked"}
    # Every row that holds something of hers, and every column of it, is there: read from the tables themselves.
    with closing(sqlite3.connect(desk.folder / "accounts.db")) as db:
        (row,) = db.execute("SELECT id FROM accounts WHERE identifier = 'mdurand7'").fetchone()
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [each[1] for each in db.execute(f"PRAGMA table_info({table})")]
            if "account_id" in columns:
                wanted = f"SELECT count(*) FROM {table} WHERE account_id = ?"  # noqa: S608  # a name of a table
                (count,) = db.execute(wanted, (row,)).fetchone()
                assert len(accounts[table]) == count, table
                assert all(set(each) == set(columns) for each in accounts[table]), table
        secrets = db.execute("SELECT password_hash FROM accounts WHERE id = ?", (row,)).fetchone()
        secrets += db.execute("SELECT seed FROM address_changes").fetchone()
    assert not any(secret in file.read_text(encoding="utf-8") for secret in secrets)
    assert "pmartin2" not in file.read_text(encoding="utf-8")
    taken = desk.run("accounts", "export", "mdurand7", "--to", "marie.json")
    assert taken.returncode == 1
    assert desk.run("accounts", "export", "inconnu").returncode == 1
    assert named(desk, "account_exported")[0]["actor"].startswith("cli:")


@pytest.mark.row("DPO-05")
def test_a_person_is_erased_from_every_table_and_the_events_keep_a_pseudonym(desk: Operator) -> None:
    open_session(desk)
    open_session(desk, "pmartin2")
    desk.run("accounts", "send-link", "mdurand7")
    desk.run("accounts", "show", "mdurand7")
    opened = stores(desk)
    for who in ("mdurand7", "pmartin2"):
        opened.direct.trusted.trust(who, 1, "Firefox", "192.0.2.7", timedelta(days=7), SystemClock().now())
    opened.close()
    wrong = answer(desk, "mdurand8\n", "accounts", "erase", "mdurand7")
    assert wrong.returncode == 1
    assert answer(desk, "", "accounts", "erase", "mdurand7").returncode == 2
    assert state_of(desk, "mdurand7") == "active"
    before = rows_of(desk.folder, "accounts.db", "state.db")
    assert any(canary in before for canary in canaries()), "the search finds what is there"
    done = answer(desk, "mdurand7\n", "accounts", "erase", "MDurand7")
    assert done.returncode == 0, done.stderr
    assert "sessions terminées : 1" in done.stdout
    left = rows_of(desk.folder, "accounts.db", "state.db")
    assert [canary for canary in canaries() if canary.lower() in left.lower()] == []
    assert "pmartin2" in left, "nobody else is touched"
    log = (desk.folder / "events.jsonl").read_text()
    assert not any(canary in log for canary in canaries())
    (event,) = named(desk, "account_erased")
    opened = stores(desk)
    assert event["person"] == opened.events.pseudonym((DIRECT_ISSUER, "mdurand7"))
    assert len(opened.sessions.list_person(DIRECT_ISSUER, "pmartin2")) == 1
    kept = [len(opened.direct.trusted.kept(who, SystemClock().now())) for who in ("mdurand7", "pmartin2")]
    assert kept == [0, 1]
    opened.close()
    again = desk.run("accounts", "erase", "mdurand7", "--yes")
    assert again.returncode == 1


def test_accounts_that_nobody_uses_are_told_then_erased_all_of_them_and_the_others_stay(desk: Operator) -> None:
    none = json.loads(desk.run("accounts", "inactive", "--json").stdout)
    assert none == {"inactive_months": 36, "within_days": 0, "due": 0, "first": [], "erased": 0}
    with closing(sqlite3.connect(desk.folder / "accounts.db")) as db:
        long_ago = 1_000_000 * int(time.time() - 36.1 * 30.5 * 86400)
        soon = 1_000_000 * int(time.time() - (36 * 30.5 - 20) * 86400)
        db.execute("UPDATE accounts SET last_active_at = ? WHERE identifier_key = 'mdurand7'", (long_ago,))
        db.execute("UPDATE accounts SET last_active_at = ? WHERE identifier_key = 'sansmail'", (soon,))
        db.commit()
    due = json.loads(desk.run("accounts", "inactive", "--json").stdout)
    assert (due["due"], [each["identifier"] for each in due["first"]]) == (1, ["mdurand7"])
    ahead = desk.run("accounts", "inactive", "--within", "30")
    assert "2 comptes à effacer dans 30 jours" in ahead.stdout
    assert "sansmail" in ahead.stdout
    assert desk.run("accounts", "inactive", "--erase", "--within", "30", "--yes").returncode == 2
    assert answer(desk, "2\n", "accounts", "inactive", "--erase").returncode == 1
    assert answer(desk, "", "accounts", "inactive", "--erase").returncode == 2
    assert state_of(desk, "mdurand7") == "active", "nothing was done"
    done = answer(desk, "1\n", "accounts", "inactive", "--erase")
    assert (done.returncode, done.stdout.strip()) == (0, "1 compte effacé."), done.stderr
    assert state_of(desk, "mdurand7") == "absent"
    assert state_of(desk, "sansmail") == "provisional"
    (event,) = named(desk, "inactive_erased")
    assert event["detail"] == {"accounts": 1}
    assert event["actor"].startswith("cli:")


def test_an_erasure_that_was_interrupted_is_finished_by_the_next_one(desk: Operator) -> None:
    open_session(desk)
    opened = stores(desk)
    assert opened.direct.personal.erase("mdurand7") == "mdurand7"
    opened.close()
    assert desk.run("accounts", "erase", "mdurand7", "--yes").returncode == 1
    opened = stores(desk)
    assert opened.sessions.list_person(DIRECT_ISSUER, "mdurand7") == []
    opened.close()


# -- a leak ------------------------------------------------------------------

MANY = 10_000

BOUND = 180
"""Seconds; some ten of them on a quiet machine."""


@pytest.mark.row("DPO-08")
def test_a_leak_of_ten_thousand_accounts_is_answered_by_one_command_in_a_bounded_time(operator: Operator) -> None:
    rows = [f"agent{number};NOM{number};Prénom;a{number}@exemple.test" for number in range(MANY)]
    (operator.folder / "many.csv").write_text(
        "Identifiant;Nom;Prénom;Courriel\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    opened = stores(operator)
    opened.direct.lists.import_list(operator.folder / "many.csv")
    with closing(sqlite3.connect(operator.folder / "accounts.db")) as db, db:
        # As they are once everybody has chosen a password; but two, who have their letter.
        db.execute("UPDATE accounts SET state = 'active', password_hash = 'x' WHERE id > 2")
        ends = int((SystemClock().now() + timedelta(days=9)).timestamp() * 1e6)
        letter = "UPDATE accounts SET state = 'provisional', provisional_mac = 'x', provisional_key = 'x', "
        db.execute(letter + "provisional_ends_at = ? WHERE id <= 2", (ends,))
        token = "INSERT INTO reset_tokens (account_id, sha256, ends_at) SELECT id, identifier, ? FROM accounts"
        db.execute(token + " WHERE id > 9000", (ends,))
    opened.close()
    for subject in ("agent7", "agent7", "agent9000"):
        open_session(operator, subject)
    dry = operator.run("accounts", "leak", "--dry-run")
    assert f"{MANY - 2} comptes devraient" in dry.stdout
    assert answer(operator, "12\n", "accounts", "leak").returncode == 1
    words = ("--letters", "--notify", "--report", "concernes.csv", "--yes", "--json")
    began = time.monotonic()
    done = answer(operator, "", "accounts", "leak", *words, seconds=BOUND)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < BOUND
    assert json.loads(done.stdout) == {
        "changed": MANY - 2,
        "letters": 2,
        "links": 1000,
        "codes": 0,
        "sessions_ended": 3,
        "notified": MANY - 2,
        "reported": MANY,
    }
    with closing(sqlite3.connect(operator.folder / "accounts.db")) as db:
        assert db.execute("SELECT state, count(*) FROM accounts GROUP BY state ORDER BY state").fetchall() == [
            ("change_required", MANY - 2),
            ("expired", 2),
        ]
        assert db.execute("SELECT count(*) FROM reset_tokens").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM accounts WHERE provisional_mac IS NOT NULL").fetchone() == (0,)
        assert db.execute("SELECT DISTINCT kind FROM outbox").fetchall() == [("change_required",)]
    opened = stores(operator)
    assert [opened.sessions.list_person(DIRECT_ISSUER, who) for who in ("agent7", "agent9000")] == [[], []]
    opened.close()
    report = operator.folder / "concernes.csv"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert len(report.read_text("utf-8-sig").splitlines()) == MANY + 1
    (event,) = named(operator, "leak_answered")
    assert event["actor"].startswith("cli:")
    assert event["detail"]["accounts"] == MANY - 2
    assert "72 heures" not in done.stdout
    again = operator.run("accounts", "leak", "--report", "concernes.csv", "--yes")
    assert again.returncode == 1, "a report is never overwritten"
    assert "Rien n'a été fait : relancer sans --report." in again.stderr


def test_a_leak_that_is_interrupted_says_what_to_do_and_leaves_no_half_of_a_report(
    desk: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(desk.folder)
    report = desk.folder / "concernes.csv"
    with monkeypatch.context() as patched:
        patched.setattr(bulk, "neutral", interrupted)
        assert CliRunner().invoke(app, ["accounts", "leak", "--yes", "--report", str(report)]).exit_code == 130
    assert not report.exists()
    assert state_of(desk, "mdurand7") == "active"
    with monkeypatch.context() as patched:
        patched.setattr(bulk, "answer_leak", interrupted)
        told = CliRunner().invoke(app, ["accounts", "leak", "--yes", "--report", str(report)])
    assert told.exit_code == 130
    assert "Interrompu. Le même ordre, relancé, fait ce qui restait." in told.stderr
    assert report.exists()
    assert desk.run("accounts", "leak", "--yes").returncode == 0
    assert state_of(desk, "mdurand7") == "change_required"


def test_a_list_that_may_not_be_read_is_told_and_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", "liste.txt")

    (tmp_path / "liste.txt").touch()
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(typer.Exit) as ended:
        bulk._lines(tmp_path / "liste.txt")
    assert ended.value.exit_code == 1
    assert "liste.txt : accès refusé" in capsys.readouterr().err


def test_a_confirmation_that_nobody_can_give_does_nothing(desk: Operator) -> None:
    shell = f"{sys.executable} -m imagin_gateway.cli.main accounts erase mdurand7 <&-"
    done = subprocess.run(["bash", "-c", shell], cwd=desk.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "dire --yes" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert desk.run("accounts", "show", "mdurand7").returncode == 0
