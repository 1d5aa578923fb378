"""Accounts that nobody uses are erased in time: what counts as a use, who goes, and at what cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Secret
from imagin_gateway.local import inactivity, store
from imagin_gateway.local.database import Database
from imagin_gateway.local.door import CredentialsRefused
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.schema import accounts, metadata
from tests.local.conftest import LIST, Office, settings_of
from tests.local.helper import ADDRESS, GOOD, import_list

HOUR = timedelta(hours=1, seconds=1)


def whole(office: Office) -> timedelta:
    return office.settings.accounts.inactive_after


def there(office: Office) -> set[str]:
    return {row.identifier for row in office.rows(accounts)}


def login(office: Office, identifier: str) -> None:
    """What every door does once a session is open."""
    office.log.emit(Event(name=EventName.LOGIN, person=(DIRECT_ISSUER, identifier)))


def purge(office: Office) -> None:
    office.clock.move(HOUR)
    office.door.deliver_due()


@pytest.mark.row("DPO-04")
def test_an_account_goes_at_its_day_and_what_was_never_used_goes_too(office: Office) -> None:
    office.personalise("mdurand7")
    office.lines.clear()
    office.clock.move(whole(office) - timedelta(days=2))
    purge(office)
    assert there(office) == {"mdurand7", "pmartin2", "sansmail"}
    login(office, "mdurand7")
    office.clock.move(timedelta(days=3))
    purge(office)
    assert there(office) == {"mdurand7"}
    (told,) = office.named("inactive_erased")
    assert told["detail"] == {"accounts": 2}
    assert "person" not in told
    office.clock.move(whole(office))
    purge(office)
    assert there(office) == set()
    for table in metadata.sorted_tables:
        if "account_id" in table.c or "identifier_key" in table.c:
            assert office.rows(table) == [], table.name


@pytest.mark.parametrize("act", [Act.LOCK, Act.DISABLE, Act.REQUIRE_CHANGE])
def test_what_closes_an_account_does_not_keep_it(office: Office, act: Act) -> None:
    office.personalise("mdurand7")
    office.clock.move(whole(office) - timedelta(days=2))
    office.act("mdurand7", act)
    office.clock.move(timedelta(days=3))
    purge(office)
    assert there(office) == set()


def test_a_failed_login_keeps_nothing_alive(office: Office) -> None:
    office.personalise("mdurand7")
    office.clock.move(whole(office) - timedelta(days=2))
    with pytest.raises(CredentialsRefused):
        office.door.check("mdurand7", Secret("pas le bon mot de passe"), address=ADDRESS)
    office.log.emit(Event(name=EventName.LOGIN_REFUSED, person=(DIRECT_ISSUER, "mdurand7")))
    office.log.emit(Event(name=EventName.LOGIN, person=("https://idp.example", "mdurand7")))
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.clock.move(timedelta(days=3))
    purge(office)
    assert there(office) == set()


def test_to_be_listed_again_to_choose_and_to_get_a_letter_are_uses(office: Office, tmp_path: Path) -> None:
    office.personalise("pmartin2")
    office.clock.move(whole(office) - timedelta(days=2))
    listing = tmp_path / "again.csv"
    listing.write_text("\n".join(LIST.splitlines()[:2]) + "\n", encoding="utf-8")
    assert import_list(office.door, listing).created == 0
    office.door.passwords.change(
        "pmartin2", GOOD, Secret("cinq autres mots tout neufs"), Secret("cinq autres mots tout neufs"), address=ADDRESS
    )
    office.door.desk.reissue("sansmail", actor="help")
    office.clock.move(timedelta(days=3))
    purge(office)
    assert there(office) == {"mdurand7", "pmartin2", "sansmail"}


def test_a_use_is_kept_by_the_day_and_written_once_a_day(office: Office) -> None:
    office.clock.move(timedelta(days=1))
    writes: list[str] = []

    def wrote(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "last_active_at" in statement and statement.startswith("UPDATE"):
            writes.append(statement)

    sa.event.listen(office.door._database.engine, "before_cursor_execute", wrote)
    for _ in range(3):
        login(office, "MDURAND7 ")
        office.clock.move(timedelta(seconds=1))
    (row,) = [each for each in office.rows(accounts) if each.identifier == "mdurand7"]
    assert row.last_active_at == office.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert len(writes) == 1
    assert row.version == 1, "a use changes nothing of what opens the account"


def test_nobody_is_kept_out_because_a_use_cannot_be_noted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*_args: object, **_more: object) -> Any:
        raise Unavailable("no answer", code=Code.STORE_UNAVAILABLE)

    monkeypatch.setattr(office.door._database, "read", dead)
    login(office, "mdurand7")


def test_accounts_go_some_at_a_time_the_longest_unused_first(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inactivity.Inactivity.erase, "__defaults__", (2,))
    for identifier in ("pmartin2", "sansmail"):
        office.clock.move(timedelta(days=1))
        login(office, identifier)
    office.clock.move(whole(office) + timedelta(days=1))
    due = office.door.inactivity.due(most=2)
    assert (due.count, [identifier for identifier, _ in due.first]) == (3, ["mdurand7", "pmartin2"])
    purge(office)
    assert there(office) == {"sansmail"}
    purge(office)
    assert there(office) == set()
    assert [each["detail"]["accounts"] for each in office.named("inactive_erased")] == [2, 1]


def test_an_account_that_a_former_release_added_meanwhile_counts_from_its_making(office: Office) -> None:
    with office.database.write() as connection:
        connection.execute(sa.update(accounts).values(last_active_at=None))
    office.clock.move(whole(office) - timedelta(days=2))
    login(office, "mdurand7")
    assert office.door.inactivity.due().count == 0
    assert office.door.inactivity.due(within=timedelta(days=3)).count == 2
    office.clock.move(timedelta(days=3))
    purge(office)
    assert there(office) == {"mdurand7"}


def test_one_that_is_used_while_it_is_chosen_stays(office: Office) -> None:
    """The choice and the erasure are one transaction: who is found unused is so when they go."""
    office.clock.move(whole(office) + timedelta(days=1))
    other = Database(office.settings.accounts.url)
    assert office.door.inactivity.due().count == 3
    with other.write() as connection:
        store.note_use(connection, [office.account("mdurand7").id], office.clock.now())
    other.close()
    assert office.door.erase_inactive() == 2
    assert there(office) == {"mdurand7"}


def test_what_a_purge_costs_does_not_grow_with_the_accounts(office: Office, database: Database) -> None:
    rows = [
        {
            "identifier": f"a{number}",
            "identifier_key": f"a{number}",
            **dict.fromkeys(("family_name", "given_name", "email", "situation", "academie", "office"), ""),
            **store.issued_values(None, office.clock.now(), "r"),
        }
        for number in range(3000)
    ]
    with database.write() as connection:
        store.insert_accounts(connection, rows, office.clock.now())
    with database.write() as connection:
        connection.execute(sa.text("ANALYZE"))
        explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        oldest = accounts.c.last_active_at
        unused = sa.select(accounts.c.id).where(office.door.inactivity._unused()).order_by(oldest, accounts.c.id)
        for query in (unused.limit(500), sa.select(accounts.c.id).where(oldest.is_(None)).limit(1)):
            text = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            plan = "\n".join(str(row) for row in connection.execute(sa.text(explain + text.replace(":", "\\:"))))
            assert "ix_accounts_last_active_at" in plan, plan


@pytest.mark.parametrize(("months", "good"), [(12, True), (36, True), (60, True), (11, False), (61, False), (0, False)])
def test_a_year_at_least_and_five_at_most(accounts_url: str, months: int, good: bool) -> None:
    values: dict[str, Any] = {"url": accounts_url, "inactive_months": months}
    if good:
        assert settings_of(accounts_url, accounts=values).accounts.inactive_after == timedelta(days=30.5 * months)
        return
    with pytest.raises(SettingsError, match="inactive_months"):
        settings_of(accounts_url, accounts=values)


def test_an_upgrade_gives_the_whole_time_to_the_accounts_that_were_there(tmp_path: Path) -> None:
    from imagin_gateway.local import migrate
    from tests.local.test_schema import OLD_ROWS, upgraded_to

    url = f"sqlite:///{tmp_path}/old.db"
    upgraded_to(url, "0006")
    database = Database(url)
    with database.write() as connection:
        rows = OLD_ROWS.format(yes="1", no="0", hash="h", mac="m", key="k").split(";\n")
        connection.exec_driver_sql(rows[0])
    before = datetime.now(UTC)
    migrate.upgrade(database)
    with database.read() as connection:
        found = list(connection.execute(sa.select(accounts.c.last_active_at)).scalars())
    database.close()
    assert len(found) == 2
    assert all(before - timedelta(seconds=1) <= each <= datetime.now(UTC) for each in found)


def test_purges_at_once_erase_each_account_once(office: Office, open_office: Callable[..., Office]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    other = open_office()
    office.clock.move(whole(office) + timedelta(days=1))
    with ThreadPoolExecutor(2) as pool:
        erased = list(pool.map(lambda each: each.door.erase_inactive(), [office, other]))
    assert sum(erased) == 3
