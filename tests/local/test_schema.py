"""The tables: made by migrations, the same as the code reads, told clearly when they are another release's."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import SettingsError, Unavailable
from imagin_gateway.local import migrate
from imagin_gateway.local.database import Database, insert_many
from imagin_gateway.local.schema import Moment, accounts, metadata, runs
from tests.local.conftest import Office


def test_the_migrations_make_the_tables_the_code_reads(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if each[0] != "modify_type"]
        names = {check["name"] for check in sa.inspect(connection).get_check_constraints("accounts")}
    assert differences == []
    assert names == {"ck_accounts_state", "ck_accounts_one_secret"}


def test_the_release_knows_every_migration_it_ships() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._FOLDER))
    config.set_main_option("path_separator", "os")
    shipped = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(shipped)) == migrate.REVISIONS


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    migrate.upgrade(database)
    migrate.check(database)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each engine, without tables."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres").make()
        return url
    return f"sqlite:///{tmp_path}/new.db"


def test_an_empty_database_is_refused_until_it_is_upgraded(new_url: str) -> None:
    database = Database(new_url)
    with pytest.raises(SettingsError, match="pas encore de tables"):
        migrate.check(database)
    migrate.upgrade(database)
    migrate.check(database)
    database.close()


def test_a_schema_of_a_later_release_is_refused_and_left_alone(new_url: str) -> None:
    migrate.upgrade_accounts(new_url)
    database = Database(new_url)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="plus récente"):
        migrate.check(database)
    with pytest.raises(SettingsError, match="plus récente"):
        migrate.upgrade(database)
    database.close()


def test_servers_that_start_together_upgrade_once(new_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(migrate.upgrade_accounts, [new_url] * 6))
    database = Database(new_url)
    migrate.check(database)
    database.close()


def test_a_migration_that_fails_leaves_no_half_made_table(new_url: str) -> None:
    database = Database(new_url)
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE reset_tokens (x INTEGER)"))
    with pytest.raises(Unavailable):
        migrate.upgrade(database)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["reset_tokens"]
    database.close()


@pytest.mark.parametrize(("encoding", "kept"), [("SQL_ASCII", True), ("LATIN1", False)])
def test_a_postgresql_made_under_another_encoding_answers_in_text_or_is_an_outage(
    request: pytest.FixtureRequest, encoding: str, kept: bool
) -> None:
    # `createdb` makes these where the server was set up under LANG=C, or long ago.
    url = request.getfixturevalue("postgres").make(encoding)
    migrate.upgrade_accounts(url)
    database = Database(url)
    name, told = sa.literal("Młynarz", sa.Text()), ""
    with contextlib.suppress(Unavailable), database.read() as connection:
        told = connection.execute(sa.select(name)).scalar_one()
    database.close()
    assert told == ("Młynarz" if kept else "")


def test_alembic_is_imported_only_when_there_is_something_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    migrate.upgrade_accounts(url)
    code = (
        "import sys; from imagin_gateway.local.door import DirectDoor; from imagin_gateway.local import migrate;"
        f"migrate.upgrade_accounts({url!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_sqlite_file_is_readable_by_its_owner_alone_and_in_wal_mode(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new.db")
    migrate.upgrade(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("new.db*")} == {0o600}
    database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_that_root_makes_is_whose_the_folder_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    migrate.upgrade_accounts(f"sqlite:///{tmp_path}/new.db")
    made = (tmp_path / "new.db").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (65534, 65533, 0o600)


def test_a_file_that_is_no_database_is_told_in_french(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("ceci n'est pas une base\n" * 100)
    with pytest.raises(SettingsError, match="base SQLite"):
        Database(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(SettingsError, match="ne peut pas être ouvert"):
        Database(f"sqlite:///{tmp_path}/absent/comptes.db")


@pytest.mark.row("PWD-10")
def test_no_column_holds_a_hint_a_secret_question_or_the_age_of_a_password() -> None:
    names = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    forbidden = ("hint", "question", "answer", "indice", "reponse", "password_changed", "password_age", "password_at")
    assert not [name for name in names if any(word in name for word in forbidden)]
    columns = {column.name for column in metadata.tables["accounts"].columns}
    details = {"identifier", "identifier_key", "family_name", "given_name", "email", "email_verified", "situation"}
    secret = {"password_hash", "provisional_mac", "provisional_key", "provisional_ends_at", "provisional_run"}
    sought = {"name_key", "email_key", "office_key"}
    assert columns == {*details, *secret, *sought, "academie", "office", "id", "state", "version", "created_at"} | {
        "second_factor_required",
        # The day of the last use, whatever it was: not the age of a password.
        "last_active_at",
    }


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_comes_back_as_it_was_written(moment: datetime) -> None:
    kind, dialect = Moment(), sa.create_engine("sqlite://").dialect
    assert kind.process_result_value(kind.process_bind_param(moment, dialect), dialect) == moment


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Moment().process_bind_param(datetime(2026, 1, 1), sa.create_engine("sqlite://").dialect)  # noqa: DTZ001


def test_an_error_of_the_database_tells_no_value(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable) as caught, office.database.write() as connection:
        connection.execute(sa.update(accounts).values(identifier_key="canari", password_hash="canari"))
    told = "".join([str(caught.value), repr(caught.value.__cause__), caplog.text])
    assert "canari" not in told
    assert caught.value.__suppress_context__


def test_the_engines_own_log_tells_no_value(accounts_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="sqlalchemy.engine")
    database = Database(accounts_url)
    with database.write() as connection:
        connection.execute(sa.update(accounts).values(password_hash="canari"))
    run: dict[str, object] = {"id": "canari", "source": "canari", "actor": "", "at": datetime.now(UTC)}
    twice = [{**run, "report": "{}", "finished": False}] * 2
    with pytest.raises(Unavailable) as refused, database.write() as connection:
        insert_many(connection, runs, twice, {})
    database.close()
    assert "UPDATE accounts" in caplog.text
    assert "INSERT INTO runs" in caplog.text
    assert "canari" not in caplog.text + str(refused.value)


@pytest.mark.row("PWD-13")
def test_a_fresh_database_has_no_account_and_no_operation_takes_a_password_for_somebody_else(
    database: Database,
) -> None:
    import inspect

    from imagin_gateway.local.desk import HelpDesk
    from imagin_gateway.local.door import DirectDoor
    from imagin_gateway.local.lists import Lists
    from imagin_gateway.local.own_address import OwnAddress
    from imagin_gateway.local.own_password import OwnPassword

    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(accounts)).scalar() == 0
    takes = {
        name
        for room in (DirectDoor, OwnPassword, OwnAddress, Lists, HelpDesk)
        for name, method in inspect.getmembers(room, inspect.isfunction)
        if not name.startswith("_") and "Secret" in str(inspect.signature(method))
    }
    # Each of the person's own: typed by whom it opens, or proved by a link or codes.
    own = {"check", "choose_first", "change", "use_reset", "ask", "confirm"}
    assert takes == own


def test_opening_a_database_again_leaves_the_locks_of_the_one_that_is_open(tmp_path: Path) -> None:
    """Else another process takes itself for the last one, and throws away what the first still reads (WAL)."""
    url = f"sqlite:///{tmp_path}/new.db"
    migrate.upgrade_accounts(url)
    first = Database(url)
    with first.read() as connection:
        connection.execute(sa.text("SELECT count(*) FROM accounts"))
    inode = f":{(tmp_path / 'new.db').stat().st_ino} "

    def locks() -> list[str]:
        mine = f" {os.getpid()} "
        lines = Path("/proc/locks").read_text().splitlines()
        return sorted(line.split(":", 1)[1] for line in lines if inode in line and mine in line)

    held = locks()
    assert held
    again = Database(url)
    assert locks() == held
    for database in (first, again):
        database.close()


OLD_ROWS = """
INSERT INTO accounts (id, identifier, identifier_key, family_name, given_name, email, email_verified, situation,
  academie, office, state, version, password_hash, provisional_mac, provisional_key, provisional_ends_at, created_at)
VALUES
  (7, 'MDurand7', 'mdurand7', 'DURAND', 'Marie', 'm@exemple.test', {yes}, 'surveillant', 'Lyon', 'DEC 2', 'active', 3,
   '{hash}', NULL, NULL, NULL, 1700000000000000),
  (9, 'pmartin2', 'pmartin2', 'MARTIN', 'Paul', '', {no}, '', '', '', 'provisional', 1,
   NULL, '{mac}', '{key}', 1900000000000000, 1700000000000000);
INSERT INTO reset_tokens (id, account_id, sha256, ends_at) VALUES (1, 7, 'a', 1);
INSERT INTO reset_requests (id, identifier_key, address, correlation, asked_at) VALUES (1, 'mdurand7', '', '', 1);
INSERT INTO outbox (id, account_id, kind, recipient, message_id, payload, created_at, due_at, attempts)
VALUES (1, 7, 'password_changed', 'm@exemple.test', 'x', '{{}}', 1, 1, 0);
"""


def upgraded_to(url: str, revision: str) -> None:
    """Make the tables of an older release."""
    from alembic import command

    database = Database(url)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate._FOLDER))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    database.close()


@pytest.mark.parametrize("older", migrate.REVISIONS[:-1])
def test_a_database_of_each_older_release_is_brought_up_to_date_and_keeps_everything(new_url: str, older: str) -> None:
    from imagin_gateway.keys import Keyring, Secret
    from imagin_gateway.local import store
    from imagin_gateway.local.passwords import Hasher
    from imagin_gateway.local.provisional import Provisionals, generate
    from tests.local.helper import GOOD

    upgraded_to(new_url, older)
    letter, provisionals = generate(), Provisionals(Keyring([Secret("k" * 40)]))
    kept = provisionals.keep(letter)
    yes, no = ("true", "false") if new_url.startswith("postgresql") else ("1", "0")
    hashed = Hasher("unsafe-tests").hash(GOOD)
    database = Database(new_url)
    with database.write() as connection:
        for statement in OLD_ROWS.format(yes=yes, no=no, hash=hashed, mac=kept.mac, key=kept.key).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    with pytest.raises(SettingsError, match="plus ancien"):
        migrate.check(database)
    migrate.upgrade(database)
    migrate.check(database)
    with database.read() as connection:
        marie, paul = store.find(connection, "mdurand7"), store.find(connection, "pmartin2")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if each[0] != "modify_type"]
        left = {name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in TABLES}  # noqa: S608
    assert differences == []
    assert marie is not None
    assert paul is not None
    assert (marie.id, marie.identifier, marie.version, marie.mailbox) == (7, "MDurand7", 3, "m@exemple.test")
    assert Hasher("unsafe-tests").verify(marie.password_hash, GOOD)
    assert (paul.mailbox, paul.state.value) == ("", "provisional")
    assert provisionals.matches(paul, letter)
    assert set(left.values()) == {1}
    database.close()


TABLES = ("reset_tokens", "reset_requests", "outbox")


def test_rows_written_together_are_those_written_one_by_one(database: Database) -> None:
    at = datetime(2026, 6, 1, 7, 30, 0, 5, tzinfo=UTC)
    same: dict[str, object] = {
        **dict.fromkeys(("given_name", "email", "situation", "academie"), "100 % « d’été » :x"),
        "office": "",
        "email_verified": True,
        "version": 3,
        "state": "expired",
        "created_at": at,
    }
    differ: list[dict[str, object]] = [
        {"family_name": "D’ARSONVAL", "last_active_at": at, "second_factor_required": True},
        {"family_name": "%s ? :id", "last_active_at": None, "second_factor_required": False},
    ]
    with database.write() as connection:
        for how in ("many", "one"):
            rows = [{"identifier": f"{how}{n}", "identifier_key": f"{how}{n}", **row} for n, row in enumerate(differ)]
            if how == "many":
                insert_many(connection, accounts, rows, same)
            else:
                for row in rows:
                    connection.execute(sa.insert(accounts).values(**same, **row))
        told = connection.execute(sa.select(accounts).order_by(accounts.c.id)).mappings().all()
    own = ("id", "identifier", "identifier_key")
    first, second, *others = [{name: value for name, value in row.items() if name not in own} for row in told]
    assert [first, second] == others
    assert first["created_at"] == first["last_active_at"] == at
    assert second["family_name"] == "%s ? :id"


def test_rows_written_together_refuse_a_moment_without_its_zone(database: Database) -> None:
    naive = {"id": "r", "source": "", "actor": "", "report": "{}", "finished": False, "at": datetime(2026, 6, 1)}  # noqa: DTZ001 -- refused
    with pytest.raises(ValueError, match="naive"), database.write() as connection:
        insert_many(connection, runs, [naive], {})
