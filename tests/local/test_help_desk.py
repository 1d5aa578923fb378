"""What the help desk finds, sees and keeps, on both engines: bounded, indexed, forgotten in time."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import history, personal, search, store
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused
from imagin_gateway.local.schema import account_events, accounts, metadata
from tests.local.conftest import Office, settings_of
from tests.local.helper import ADDRESS, GOOD, MailServer

MANY = 3000


def found(office: Office, typed: str, **more: Any) -> list[str]:
    return [match.account.identifier for match in office.door.desk.search(typed, **more).found]


# -- searching ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("mdurand7", "mdurand7"),
        (" MDurand7 ", "mdurand7"),
        ("dur", "mdurand7"),
        ("Durand Marie", "mdurand7"),
        ("marie durand", "mdurand7"),
        ("ROUX zoe", "sansmail"),
        ("zoé roux", "sansmail"),
        ("Marie.Durand@Exemple.test", "mdurand7"),
        ("paul.martin@", "pmartin2"),
    ],
)
def test_an_account_is_found_by_what_a_person_says_at_a_desk(office: Office, typed: str, who: str) -> None:
    assert found(office, typed) == [who]


@pytest.mark.parametrize(
    ("family_name", "given_name", "typed"),
    [
        ("LE GOFF", "Noël", ["noel le goff", "Le Goff Noël", "legoff7"]),
        ("DE LA TOUR D’AUVERGNE", "Anne", ["Anne de la Tour d'Auvergne", "de la tour d'auvergne anne"]),
        ("ROUX", "Marie Ange", ["marie ange roux", "Ange Roux Marie"]),
        ("LEBŒUF", "Mœris", ["leboeuf", "LEBŒUF", "leboeuf moeris", "moeris leboeuf", "Leboe"]),
        ("LEBOEUF", "Laetitia", ["Lebœuf", "leboeuf", "lætitia lebœuf"]),
        ("N’DIAYE", "Awa", ["ndiaye", "N'Diaye", "n diaye", "awa ndiaye", "Awa N’Diaye"]),
        ("NDIAYE", "Awa", ["n'diaye", "ndiaye", "awa n'diaye"]),
        ("O’BRIEN", "Seán", ["obrien", "sean o'brien"]),
    ],
)
def test_a_name_is_found_however_it_is_heard(
    office: Office, database: Database, family_name: str, given_name: str, typed: list[str]
) -> None:
    account = {"family_name": family_name, "given_name": given_name}
    values = {
        **account,
        "identifier": "legoff7",
        "identifier_key": "legoff7",
        "name_key": search.keys_of(account)["name_key"],
    }
    with database.write() as connection:
        connection.execute(sa.update(accounts).where(accounts.c.identifier == "sansmail").values(**values))
    assert {said: found(office, said) for said in typed} == {said: ["legoff7"] for said in typed}


@pytest.mark.parametrize(
    "typed", ["du", "", "  ", "%", "_", "du%", "' OR 1=1 --", "\x00", "é" * 300, "inconnu", "urand"]
)
def test_what_says_too_little_or_means_nobody_finds_nobody(office: Office, typed: str) -> None:
    assert found(office, typed) == []


def test_an_exact_identifier_of_two_signs_is_still_found(office: Office, database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            sa.update(accounts).where(accounts.c.identifier == "sansmail").values(identifier="zr", identifier_key="zr")
        )
    assert found(office, "zr") == ["zr"]


def test_a_scope_is_whole_names_of_offices_and_nothing_gets_past_it(office: Office) -> None:
    assert found(office, "", offices=["dec 2 bts"]) == ["pmartin2", "sansmail"]
    assert found(office, "", offices=["DEC 2"]) == []
    for typed in ("durand", "mdurand7", "marie.durand@exemple.test"):
        assert found(office, typed, offices=["DEC 2 - BTS"]) == []
        assert found(office, typed, offices=["DEC 2 - BTS", "DEC 4 - concours"]) == ["mdurand7"]
    dossier = office.door.desk.dossier_of("mdurand7")
    assert dossier is not None
    assert office.door.desk.dossier(dossier.id, offices=["DEC 2 - BTS"]) is None


def test_a_search_is_bounded_and_tells_that_there_are_more(office: Office) -> None:
    some = office.door.desk.search("", offices=["DEC 2 - BTS"], limit=1)
    assert len(some.found) == 1
    assert some.more
    assert not office.door.desk.search("", offices=["DEC 2 - BTS"], limit=2).more


def test_what_a_list_or_a_person_changes_is_found_by_its_new_words(office: Office, tmp_path: Path) -> None:
    listing = tmp_path / "changed.csv"
    listing.write_text(
        "Identifiant;Nom;Prénom;Courriel;Service gestionnaire\nmdurand7;LENOIR;;m.lenoir@exemple.test;DEC 9\n",
        encoding="utf-8",
    )
    office.door.lists.import_list(listing)
    assert found(office, "durand") == []
    assert found(office, "lenoir marie") == ["mdurand7"]
    assert found(office, "m.lenoir@exemple.test") == ["mdurand7"]
    assert found(office, "", offices=["DEC 9"]) == ["mdurand7"]


def test_what_a_search_costs_does_not_grow_every_meaning_is_read_from_an_index(
    office: Office, database: Database
) -> None:
    rows = [
        {
            "identifier": f"agent{number}",
            "identifier_key": f"agent{number}",
            "family_name": f"NOM{number}",
            "given_name": "Prénom",
            "email": f"a{number}@exemple.test",
            "situation": "",
            "academie": "",
            "office": f"Service {number % 20}",
            **store.issued_values(None, office.clock.now(), "r"),
        }
        for number in range(MANY)
    ]
    with database.write() as connection:
        store.insert_accounts(connection, rows, office.clock.now())
    with database.write() as connection:
        connection.execute(sa.text("ANALYZE"))
        explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        for scoped in (False, True):
            for condition in search._meanings("nom12@exemple.test", scoped=scoped):
                within = accounts.c.office_key.in_(["service 1"]) if scoped else sa.true()
                query = (
                    sa.select(accounts.c.id)
                    .where(condition, within)
                    .order_by(accounts.c.name_key, accounts.c.id)
                    .limit(21)
                )
                text = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
                plan = "\n".join(str(row) for row in connection.execute(sa.text(explain + text.replace(":", "\\:"))))
                assert "ndex" in plan.lower(), plan
                assert "Seq Scan" not in plan, plan
                assert "SCAN accounts" not in plan, plan


def test_a_sign_that_stands_for_capitals_is_folded_like_them() -> None:
    assert search.folded("DEC № 2") == search.folded("dec no 2") == "dec no 2"
    assert search.folded("𝘈ᴬϔ") == "aaυ"


def test_folding_any_one_sign_again_changes_nothing() -> None:
    odd = [sign for sign in map(chr, range(0x110000)) if unicodedata.decomposition(sign) or sign.casefold() != sign]
    assert [sign for sign in odd if (once := search.folded(sign)) != search.folded(once)] == []


@given(st.text(max_size=80))
def test_folding_is_stable_and_leaves_only_what_is_compared(text: str) -> None:
    once = search.folded(text)
    assert search.folded(once) == once
    assert once == once.strip()
    assert "  " not in once
    assert all(sign.isalnum() or sign == " " for sign in once)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_name_folded_in_two_parts_is_the_name_folded(family: str, given_name: str) -> None:
    keys = search.keys_of({"family_name": family, "given_name": given_name})
    assert keys["name_key"] == search.folded(f"{family} {given_name}")


def test_an_upgrade_fills_what_is_searched_by_for_accounts_that_were_there(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    from imagin_gateway.local import migrate

    url = f"sqlite:///{tmp_path}/old.db"
    database = Database(url)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate._FOLDER))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        for number in range(1500):
            connection.execute(
                sa.text(
                    "INSERT INTO accounts (identifier, identifier_key, family_name, given_name, email, email_verified,"
                    " situation, academie, office, state, version, created_at) VALUES"
                    " (:key, :key, 'Lévy-Roux', :given, 'Zoe@Exemple.test', 1, '', '', 'DEC 2 – BTS', 'expired', 1, 0)"
                ),
                {"key": f"a{number}", "given": f"Zoé{number}"},
            )
    migrate.upgrade(database)
    with database.read() as connection:
        rows = connection.execute(sa.select(accounts)).all()
    assert len(rows) == 1500
    for row in rows:
        kept = {"name_key": row.name_key, "email_key": row.email_key, "office_key": row.office_key}
        assert kept == search.keys_of(row._asdict()), "the migration folds as this release does"
    database.close()


# -- the last events of an account -------------------------------------------


def events_of(office: Office, identifier: str) -> list[history.Happened]:
    dossier = office.door.desk.dossier_of(identifier)
    assert dossier is not None
    return list(dossier.history)


def test_what_happens_to_an_account_is_kept_beside_it_without_address_or_secret(office: Office) -> None:
    office.personalise("mdurand7")
    office.door.passwords.order_link("mdurand7", actor="cli:zoe")
    office.door.deliver_due()
    kept = events_of(office, "mdurand7")
    assert [each.event for each in kept][::-1][:2] == ["password_chosen", "link_ordered"]
    assert {each.event for each in kept} >= {"mail_sent"}
    assert {each.actor for each in kept} == {"", "cli:zoe"}
    told = str(office.rows(account_events))
    for secret in (ADDRESS, GOOD.reveal(), "DURAND", "marie.durand", "mdurand7"):
        assert secret not in told
    assert events_of(office, "pmartin2") == []


def test_events_of_others_and_of_nobody_are_not_kept(office: Office) -> None:
    events = office.log
    for person in (None, ("https://idp.example", "mdurand7"), (DIRECT_ISSUER, "inconnu")):
        events.emit(Event(name=EventName.LOGIN, person=person))
    events.emit(Event(name=EventName.LOGIN_REFUSED, code=Code.CREDENTIALS, person=(DIRECT_ISSUER, "mdurand7")))
    assert office.rows(account_events) == []


def test_a_failed_login_writes_nothing_beside_an_account_that_exists(office: Office) -> None:
    """What a failure costs must not tell who has an account: it is counted in the store, as for everybody."""
    from imagin_gateway.local.door import CredentialsRefused

    for who in ("mdurand7", "inconnu"):
        with pytest.raises(CredentialsRefused):
            office.door.check(who, GOOD, address=ADDRESS)
    assert office.rows(account_events) == []
    dossier = office.door.desk.dossier_of("mdurand7")
    assert dossier is not None
    assert (dossier.failures.count, dossier.failures.last) == (1, office.clock.now())


def test_an_account_keeps_so_many_events_and_the_oldest_go(office: Office) -> None:
    for number in range(history.MOST + 7):
        office.log.emit(
            Event(name=EventName.SESSIONS_ENDED, person=(DIRECT_ISSUER, "mdurand7"), detail={"ended": number})
        )
    kept = events_of(office, "mdurand7")
    assert len(kept) == history.MOST == len(office.rows(account_events))
    assert [kept[0].detail["ended"], kept[-1].detail["ended"]] == [history.MOST + 6, 7]


@pytest.mark.row("DPO-04")
def test_events_are_forgotten_after_the_retention_and_it_is_told(office: Office) -> None:
    assert office.settings.events.retention_months == 12
    office.log.emit(Event(name=EventName.LOGIN, person=(DIRECT_ISSUER, "mdurand7")))
    office.clock.move(office.settings.events.retention - timedelta(seconds=1))
    office.log.emit(Event(name=EventName.LOGIN, person=(DIRECT_ISSUER, "pmartin2")))
    office.door.deliver_due()
    assert len(office.rows(account_events)) == 2
    office.clock.move(timedelta(seconds=2))
    assert events_of(office, "mdurand7") == [], "not shown, even before the purge"
    office.clock.move(timedelta(hours=1))
    office.door.deliver_due()
    assert len(office.rows(account_events)) == 1
    (told,) = office.named("history_purged")
    assert told["detail"] == {"events": 1}


@pytest.mark.parametrize(
    ("months", "reason", "good"),
    [(6, "", True), (12, "", True), (5, "", False), (13, "", False), (13, "enquête", True)],
)
def test_the_retention_is_six_to_twelve_months_and_more_needs_a_written_reason(
    tmp_path: Path, months: int, reason: str, good: bool
) -> None:
    def load() -> object:
        return settings_of(f"sqlite:///{tmp_path}/a.db", events={"retention_months": months, "reason": reason})

    if good:
        load()
    else:
        with pytest.raises(SettingsError, match=r"events\."):
            load()


def test_nobody_is_kept_out_because_the_memory_cannot_be_written(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: object, **__: object) -> None:
        raise Unavailable("down")

    monkeypatch.setattr(office.door._history._database, "write", down)
    with caplog.at_level(logging.WARNING):
        office.log.emit(Event(name=EventName.LOGIN, person=(DIRECT_ISSUER, "mdurand7")))
    assert "was not kept" in caplog.text
    assert len(office.named("login")) == 1, "the log has it"


def test_a_bulk_change_is_kept_in_its_own_transaction_for_each_account(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    demanded = office.door.require_change(["mdurand7", "sansmail"], actor="cli:zoe")
    assert demanded.changed == ("mdurand7",)
    assert office.door.require_change(["mdurand7", "pmartin2"], actor="cli:zoe").changed == ("pmartin2",)
    for who in ("mdurand7", "pmartin2"):
        (kept,) = [each for each in events_of(office, who) if each.event == "change_required"]
        assert kept.actor == "cli:zoe"
    assert "change_required" not in [each.event for each in events_of(office, "sansmail")]


# -- acts --------------------------------------------------------------------


@pytest.mark.row("PRV-07")
def test_a_reissue_makes_a_new_value_kills_the_former_and_is_kept_with_its_author(office: Office) -> None:
    from imagin_gateway.local.door import CredentialsRefused

    letter = office.door.desk.reissue("pmartin2", actor="cli:zoe")
    assert letter is not None
    assert letter.provisional is not None
    assert letter.provisional != office.letters["pmartin2"]
    with pytest.raises(CredentialsRefused):
        office.door.check("pmartin2", office.letters["pmartin2"], address=ADDRESS)
    assert office.door.check("pmartin2", letter.provisional, address=ADDRESS).must_choose
    (kept,) = events_of(office, "pmartin2")
    assert (kept.event, kept.actor) == ("provisional_issued", "cli:zoe")
    assert letter.provisional.reveal() not in str(office.rows(accounts)) + "".join(office.lines)


@pytest.mark.parametrize("act", ["reissue", "unlock", "disable", "require_change", "may_send_link"])
def test_an_act_on_an_account_that_changed_meanwhile_changes_nothing(office: Office, act: str) -> None:
    office.personalise("mdurand7")
    before = office.account("mdurand7")
    more: dict[str, Any] = {"actor": "x"} if act in ("reissue", "require_change") else {}
    with pytest.raises(TransitionRefused) as refused:
        getattr(office.door.desk, act)("mdurand7", version=before.version - 1, **more)
    assert refused.value.code is Code.DESK_STALE
    assert office.account("mdurand7") == before
    assert getattr(office.door.desk, act)("inconnu", version=1, **more) in (None, False)


def test_a_locked_account_comes_back_with_less_than_it_had(office: Office) -> None:
    office.personalise("mdurand7")
    office.act("mdurand7", Act.REQUIRE_CHANGE)
    office.act("mdurand7", Act.LOCK)
    office.act("pmartin2", Act.LOCK)
    unlocked = [office.door.desk.unlock(who) for who in ("mdurand7", "pmartin2")]
    assert [each.state for each in unlocked if each] == [AccountState.CHANGE_REQUIRED, AccountState.PROVISIONAL]
    # A letter that ended while the account was locked opens nothing afterwards.
    office.act("pmartin2", Act.LOCK)
    office.clock.move(timedelta(days=60))
    late = office.door.desk.unlock("pmartin2")
    assert late is not None
    assert late.state is AccountState.EXPIRED


def test_each_act_tells_the_owner_by_mail_in_both_languages(office: Office, mail_server: MailServer) -> None:
    desk = office.door.desk
    office.personalise("mdurand7")
    office.door.deliver_due()
    sent = len(mail_server.inbox.subjects)
    office.act("mdurand7", Act.LOCK)
    acts: list[Callable[[], object]] = [
        lambda: desk.unlock("mdurand7"),
        lambda: desk.disable("mdurand7"),
        lambda: desk.enable("mdurand7"),
        lambda: desk.reissue("pmartin2", actor="x"),
    ]
    for act in acts:
        act()
    office.door.deliver_due()
    assert len(mail_server.inbox.subjects) == sent + len(acts)
    for index in range(sent, sent + len(acts)):
        body = mail_server.inbox.body(index)
        assert "--- English ---" in body
        assert "imagin@siec.education.fr" in body
        assert "DURAND" not in body


# -- a person's rights -------------------------------------------------------


@pytest.mark.row("DPO-05")
def test_an_erased_person_is_in_no_table_and_the_others_stay(office: Office) -> None:
    office.personalise("mdurand7")
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door.address.ask("mdurand7", GOOD, "neuve@exemple.test", address=ADDRESS)
    office.door.links.make("mdurand7", "https://proconnect.example", "sub-of-marie")
    account = office.account("mdurand7")
    others = [row for row in office.rows(accounts) if row.id != account.id]
    assert office.door.personal.erase("inconnu") is None
    assert office.door.personal.erase(" MDURAND7 ") == "mdurand7"
    with office.database.read() as connection:
        for table in metadata.sorted_tables:
            told = str(connection.execute(sa.select(table)).all()).casefold()
            for canary in ("mdurand7", "durand", "marie", "neuve@", "sub-of-marie"):
                assert canary not in told, table.name
            if "account_id" in table.c:
                left = sa.select(sa.func.count()).where(table.c.account_id == account.id)
                assert connection.execute(left).scalar() == 0, table.name
    assert office.rows(accounts) == others
    assert office.door.personal.export("mdurand7") is None


def test_what_is_handed_over_withholds_every_secret_and_nothing_else() -> None:
    """A column that is added must be said to be a secret, or be handed over: this list is read by a person."""
    suspicious = ("secret", "mac", "hash", "sha256", "seed", "claim", "payload", "public_key", "provisional_key")
    columns = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    secret = {name for name in columns if name.partition(".")[2] in (*suspicious, "password_hash", "provisional_mac")}
    secret.add("address_changes.key")
    assert secret == personal.WITHHELD & columns
    assert columns >= personal.WITHHELD


def test_a_flood_of_accents_is_no_search_and_is_never_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(how: str, text: str) -> str:
        raise AssertionError(f"{how} of {len(text)} signs")

    with monkeypatch.context() as meanwhile:
        # No longer: pytest itself measures what it prints by it, before a test is torn down.
        meanwhile.setattr(unicodedata, "normalize", never)
        told = search.long_enough("durand" + "\u0300\u0316" * 10_000)
    assert not told
