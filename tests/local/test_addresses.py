"""A new mail address: confirmed by a code from each end, told at each end."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import Secret
from imagin_gateway.local.addresses import LIFE, TRIES
from imagin_gateway.local.door import AddressRefused, CredentialsRefused, PasswordRefused
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.schema import accounts, address_changes, metadata
from tests.local.conftest import Office, keys_of
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer
from tests.local.test_mail import NOT_ADDRESSES

OLD, NEW = "marie.durand@exemple.test", "marie@autre.test"

NOTHING = Secret("")


@pytest.fixture
def person(office: Office, mail_server: MailServer) -> Office:
    """Somebody who has chosen a password, whose mailbox is empty."""
    office.personalise("mdurand7")
    office.door.deliver_due()
    mail_server.inbox.received.clear()
    return office


def codes(office: Office, mail_server: MailServer, new: str = NEW, identifier: str = "mdurand7") -> dict[str, Secret]:
    """Ask for a new address, and return the code each address received."""
    mail_server.inbox.received.clear()
    office.door.address.ask(identifier, GOOD, new, address=ADDRESS)
    office.door.deliver_due()
    found = {}
    for place, message in enumerate(mail_server.inbox.received):
        code = re.search(r"^(\d{6})\r?$", mail_server.inbox.body(place), re.MULTILINE)
        assert code is not None
        found[str(message["To"])] = Secret(code[1])
    mail_server.inbox.received.clear()
    return found


def refused(office: Office, new: Secret, former: Secret, identifier: str = "mdurand7") -> AddressRefused:
    before = office.account(identifier)
    with pytest.raises(AddressRefused) as caught:
        office.door.address.confirm(identifier, new, former)
    assert office.account(identifier) == before
    assert caught.value.code is Code.ADDRESS_CODE
    return caught.value


@pytest.mark.row("RST-12", "PWD-12")
def test_both_codes_record_the_address_and_both_ends_are_told(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)
    assert set(got) == {OLD, NEW}
    assert got[OLD] != got[NEW]
    pending = person.door.address.pending("mdurand7")
    assert pending is not None
    assert (pending.address, pending.former) == (NEW, OLD)
    assert NEW not in repr(pending)
    changed = person.door.address.confirm("mdurand7", got[NEW], got[OLD])
    assert changed.email == NEW
    assert person.door.address.pending("mdurand7") is None
    assert person.door.deliver_due() == 2
    told = {str(message["To"]): place for place, message in enumerate(mail_server.inbox.received)}
    assert set(told) == {OLD, NEW}
    assert set(mail_server.inbox.subjects) == {"Votre adresse électronique a changé – Your e-mail address has changed"}
    for place in told.values():
        body = mail_server.inbox.body(place)
        assert "imagin@siec.education.fr" in body
        assert not [word for word in (OLD, NEW, GOOD.reveal(), "mdurand7", "DURAND", "http") if word in body]
    assert "ne dispense pas de prévenir le service gestionnaire" in mail_server.inbox.body(told[NEW])


@pytest.mark.row("PWD-12")
def test_a_changed_password_is_told_to_the_verified_address_with_a_contact(
    person: Office, mail_server: MailServer
) -> None:
    person.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    person.door.deliver_due()
    (message,) = mail_server.inbox.received
    assert str(message["To"]) == OLD
    for kind in ("plain", "html"):
        body = mail_server.inbox.body(kind=kind)
        assert "imagin@siec.education.fr" in body
        assert not [word for word in (GOOD.reveal(), OTHER.reveal()) if word in body]


@pytest.mark.row("PWD-12")
def test_a_password_replaced_on_demand_is_told_as_a_change_and_not_as_a_first_connection(
    person: Office, mail_server: MailServer
) -> None:
    person.door.require_change(["mdurand7"], actor="cli:zoe")
    assert person.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    person.door.passwords.choose_first("mdurand7", OTHER, OTHER)
    while person.door.deliver_due():
        pass
    assert mail_server.inbox.subjects[-1].startswith("Votre mot de passe a été changé")
    assert not [each for each in mail_server.inbox.subjects if each.startswith("Première connexion")]


@pytest.mark.row("PWD-12")
def test_an_address_that_a_list_changes_is_told_at_both_ends_too(
    person: Office, mail_server: MailServer, tmp_path: object
) -> None:
    from pathlib import Path

    listing = Path(str(tmp_path)) / "moved.csv"
    listing.write_text(
        f"Identifiant;Nom;Courriel\nmdurand7;DURAND;{NEW}\npmartin2;MARTIN;p@autre.test\n", encoding="utf-8"
    )
    person.door.lists.import_list(listing)
    person.door.deliver_due()
    # Whoever has not come in yet has nothing to be warned about.
    assert sorted(str(message["To"]) for message in mail_server.inbox.received) == sorted([OLD, NEW])


@pytest.mark.row("RST-12")
def test_an_address_that_is_not_confirmed_receives_no_link(person: Office, mail_server: MailServer) -> None:
    codes(person, mail_server)
    person.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    person.door.deliver_due()
    assert [str(message["To"]) for message in mail_server.inbox.received] == [OLD]


def test_one_end_alone_is_not_enough(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)
    for new, former in ((got[NEW], NOTHING), (NOTHING, got[OLD]), (got[OLD], got[NEW]), (got[NEW], got[NEW])):
        refused(person, new, former)
    person.door.address.confirm("mdurand7", got[NEW], got[OLD])


def test_codes_are_typed_with_spaces_or_without(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)
    new, old = got[NEW].reveal(), got[OLD].reveal()
    person.door.address.confirm("mdurand7", Secret(f" {new[:3]} {new[3:]}"), Secret(f"{old[:3]}-{old[3:]}"))


def test_five_wrong_codes_kill_the_request_even_at_once(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)
    wrong = Secret(f"{(int(got[NEW].reveal()) + 1) % 10**6:06}")

    def attempt(_: int) -> None:
        with pytest.raises(AddressRefused):
            person.door.address.confirm("mdurand7", wrong, got[OLD])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(20)))
    (row,) = person.rows(address_changes)
    assert row.failures == TRIES
    assert person.door.address.pending("mdurand7") is None
    refused(person, got[NEW], got[OLD])


def test_codes_work_for_fifteen_minutes_from_when_they_leave(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)
    person.clock.move(LIFE)
    refused(person, got[NEW], got[OLD])
    mail_server.stop()
    person.door.address.ask("mdurand7", GOOD, NEW, address=ADDRESS)
    for _ in range(4):
        assert person.door.deliver_due() == 0
        person.clock.move(900)
    mail_server.start()
    person.clock.move(900)
    person.door.deliver_due()
    found = {
        str(m["To"]): re.search(r"\d{6}", mail_server.inbox.body(i)) for i, m in enumerate(mail_server.inbox.received)
    }
    person.clock.move(LIFE.total_seconds() - 1)
    fresh = {address: Secret(code[0]) for address, code in found.items() if code}
    assert person.door.address.confirm("mdurand7", fresh[NEW], fresh[OLD]).email == NEW


def test_codes_are_used_once(person: Office, mail_server: MailServer) -> None:
    got = codes(person, mail_server)

    def confirm(_: int) -> bool:
        try:
            person.door.address.confirm("mdurand7", got[NEW], got[OLD])
        except AddressRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(confirm, range(20))) == 1
    assert person.door.deliver_due() == 2


def test_a_new_request_kills_the_codes_of_the_former_and_its_mails(person: Office, mail_server: MailServer) -> None:
    first = codes(person, mail_server, "premier@autre.test")
    second = codes(person, mail_server)
    refused(person, first["premier@autre.test"], first[OLD])
    person.door.address.confirm("mdurand7", second[NEW], second[OLD])
    mail_server.stop()
    person.door.address.ask("mdurand7", GOOD, OLD, address=ADDRESS)
    person.door.deliver_due()
    person.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    mail_server.start()
    person.clock.move(1000)
    mail_server.inbox.received.clear()
    person.door.deliver_due()
    assert "Confirmer votre adresse électronique – Confirm your e-mail address" not in mail_server.inbox.subjects
    assert "Changer d’adresse électronique – Change your e-mail address" not in mail_server.inbox.subjects


@pytest.mark.parametrize("how", ["password", "reset", "disable", "list"])
def test_what_changes_the_account_meanwhile_kills_the_request(
    person: Office, mail_server: MailServer, reset_link: Callable[..., str], how: str, tmp_path: object
) -> None:
    from pathlib import Path

    got = codes(person, mail_server)
    if how == "password":
        person.door.passwords.change("mdurand7", GOOD, OTHER, OTHER)
    elif how == "reset":
        person.door.passwords.use_reset(reset_link("mdurand7"), OTHER, OTHER)
    elif how == "disable":
        person.act("mdurand7", Act.DISABLE)
    else:
        listing = Path(str(tmp_path)) / "moved.csv"
        listing.write_text("Identifiant;Nom;Courriel\nmdurand7;DURAND;x@y.fr\n", encoding="utf-8")
        person.door.lists.import_list(listing)
    refused(person, got[NEW], got[OLD])


@pytest.mark.row("RST-05")
def test_asking_for_a_link_does_not_disturb_a_change_of_address(
    person: Office, mail_server: MailServer, reset_link: Callable[..., str]
) -> None:
    got = codes(person, mail_server)
    token = reset_link("mdurand7")
    person.door.address.confirm("mdurand7", got[NEW], got[OLD])
    assert not person.door.passwords.is_link_alive(token)


def test_the_password_is_asked_and_a_wrong_one_counts(person: Office) -> None:
    for _ in range(3):
        with pytest.raises(PasswordRefused) as caught:
            person.door.address.ask("mdurand7", OTHER, NEW, address=ADDRESS)
        assert caught.value.code is Code.PASSWORD_CURRENT
    with pytest.raises(CredentialsRefused):
        person.door.check("mdurand7", GOOD, address=ADDRESS)
    assert not person.rows(address_changes)


@pytest.mark.row("RST-11")
@pytest.mark.parametrize("new", NOT_ADDRESSES)
def test_what_is_not_one_plain_address_is_refused(person: Office, new: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        person.door.address.ask("mdurand7", GOOD, new, address=ADDRESS)
    assert caught.value.code is Code.ADDRESS_MALFORMED


def test_the_recorded_address_is_not_a_new_one(person: Office) -> None:
    with pytest.raises(AddressRefused) as caught:
        person.door.address.ask("mdurand7", GOOD, f" {OLD.upper()} ", address=ADDRESS)
    assert caught.value.code is Code.ADDRESS_SAME


def test_three_requests_an_hour_and_no_more(person: Office, mail_server: MailServer) -> None:
    for number in range(3):
        person.door.address.ask("mdurand7", GOOD, f"n{number}@autre.test", address=ADDRESS)
    with pytest.raises(AddressRefused) as caught:
        person.door.address.ask("mdurand7", GOOD, NEW, address=ADDRESS)
    assert caught.value.code is Code.ADDRESS_TOO_MANY
    person.clock.move(3601)
    person.door.address.ask("mdurand7", GOOD, NEW, address=ADDRESS)


def test_an_account_without_an_address_needs_the_code_of_the_new_one(office: Office, mail_server: MailServer) -> None:
    office.personalise("sansmail")
    got = codes(office, mail_server, "zoe@autre.test", "sansmail")
    assert set(got) == {"zoe@autre.test"}
    refused(office, Secret("000000" if got["zoe@autre.test"].reveal() != "000000" else "1"), NOTHING, "sansmail")
    assert office.door.address.confirm("sansmail", got["zoe@autre.test"], NOTHING).email == "zoe@autre.test"


def test_nobody_but_a_person_with_a_chosen_password_may_ask(office: Office) -> None:
    with pytest.raises(Refused) as caught:
        office.door.address.ask("mdurand7", office.letters["mdurand7"], NEW, address=ADDRESS)
    assert caught.value.code is Code.ACCOUNT_STATE
    with pytest.raises(AddressRefused):
        office.door.address.confirm("inconnu", NOTHING, NOTHING)
    assert office.door.address.pending("inconnu") is None
    with pytest.raises(AddressRefused):
        office.door.address.confirm("mdurand7", NOTHING, NOTHING)


def test_a_copy_of_the_database_makes_no_code(
    person: Office, mail_server: MailServer, open_office: Callable[..., Office]
) -> None:
    got = codes(person, mail_server)
    dump = "".join(str(row) for table in metadata.sorted_tables for row in person.rows(table))
    assert got[NEW].reveal() not in re.findall(r"'(\d{6})'", dump)
    thief = open_office(keys={"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]})
    refused(thief, got[NEW], got[OLD])
    lines = "".join(person.lines)
    assert not [word for word in (got[NEW].reveal(), got[OLD].reveal(), NEW, OLD) if f'"{word}"' in lines]
    assert [event["event"] for event in person.events][-3:].count("address_asked") == 1


def test_links_and_codes_that_ended_long_ago_are_forgotten(person: Office, mail_server: MailServer) -> None:
    codes(person, mail_server)
    person.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    person.door.deliver_due()
    person.clock.move(4 * 24 * 3600)
    person.door.deliver_due()
    assert not person.rows(address_changes)
    assert not person.rows(metadata.tables["reset_tokens"])
    with person.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(accounts)).scalar() == 3


def test_an_address_of_those_who_must_enter_by_a_portal_is_not_recorded(
    person: Office, open_office: Callable[..., Office]
) -> None:
    accounts_of = {"url": person.settings.accounts.url, "portal_domains": ["ac-paris.fr"]}
    closed = open_office(keys=keys_of(person), accounts=accounts_of)
    with pytest.raises(AddressRefused) as caught:
        closed.door.address.ask("mdurand7", GOOD, "marie@mail.AC-Paris.fr", address=ADDRESS)
    assert caught.value.code is Code.ADDRESS_PORTAL
    assert closed.door.address.pending("mdurand7") is None
    assert not closed.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
