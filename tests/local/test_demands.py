"""What an operator may do to accounts, and what nobody may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imagin_gateway.local import store
from imagin_gateway.local.door import CredentialsRefused, Demanded, Letter, LoginFailure
from tests.local.conftest import Office
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer


def test_a_closed_account_comes_back_with_nothing_that_opens_it_but_a_link(
    office: Office, reset_link: Callable[..., str]
) -> None:
    office.personalise("mdurand7")
    assert office.door.disable("MDurand7 ")
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    assert caught.value.reason is LoginFailure.DISABLED
    assert office.door.enable("mdurand7")
    for password in (GOOD, office.letters["mdurand7"]):
        with pytest.raises(CredentialsRefused) as caught:
            office.door.check("mdurand7", password, address=ADDRESS)
        assert caught.value.reason is LoginFailure.EXPIRED
        office.clock.move(10)
    office.door.passwords.use_reset(reset_link("mdurand7"), OTHER, OTHER)
    assert not office.door.check("mdurand7", OTHER, address=ADDRESS).must_choose


def test_whoever_chose_a_password_and_has_no_address_gets_a_letter_once_the_account_is_open_again(
    office: Office, tmp_path: Path
) -> None:
    office.personalise("sansmail")
    for again in range(2):
        office.door.disable("sansmail")
        office.door.enable("sansmail")
        listing = tmp_path / "next.csv"
        listing.write_text("Identifiant;Nom\nsansmail;ROUX\n", encoding="utf-8")
        letters: list[Letter] = []
        if again:
            office.door.lists.import_list(listing, each=letters.append)
        else:
            letters = [letter for letter in [office.door.desk.reissue("sansmail", actor="cli:root")] if letter]
        (letter,) = letters
        assert letter.provisional is not None
        assert office.door.check("sansmail", letter.provisional, address=ADDRESS).must_choose
        office.door.passwords.choose_first("sansmail", OTHER, OTHER)


def test_who_changes_meanwhile_is_waited_for_and_stops_nothing(office: Office) -> None:
    for who in ("mdurand7", "pmartin2"):
        office.personalise(who)
    done: list[Demanded] = []
    asking = threading.Thread(
        target=lambda: done.append(office.door.require_change(["mdurand7", "pmartin2"], actor="cli:root"))
    )
    with office.database.write() as connection:
        store.touch(connection, office.account("pmartin2"))
        asking.start()
        asking.join(0.5)
    asking.join(10)
    assert [set(each.changed) for each in done] == [{"mdurand7", "pmartin2"}]


@pytest.mark.row("PWD-09")
def test_another_password_is_demanded_of_many_at_once(office: Office) -> None:
    office.personalise("mdurand7")
    office.personalise("pmartin2", OTHER)
    known = office.door.remember("mdurand7")
    asked = ["MDurand7 ", "pmartin2", "sansmail", "inconnu"]
    done = office.door.require_change(asked, actor="cli:root")
    assert (set(done.changed), done.left, done.unknown) == ({"mdurand7", "pmartin2"}, ("sansmail",), 1)
    again = office.door.require_change(asked, actor="cli:root")
    assert (again.changed, set(again.left)) == ((), {"mdurand7", "pmartin2", "sansmail"})
    told = office.named("change_required")
    assert [event["actor"] for event in told] == ["cli:root"] * 2
    assert len({event["person"] for event in told}) == 2
    assert not office.door._clients.knows("mdurand7", known, office.clock.now())
    assert office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    assert office.door.check("pmartin2", OTHER, address=ADDRESS).must_choose


@pytest.mark.row("PWD-13")
def test_an_operator_may_have_a_link_mailed_and_neither_choose_nor_read_a_password(
    office: Office, mail_server: MailServer
) -> None:
    office.personalise("mdurand7")
    office.door.deliver_due()
    before = office.account("mdurand7")
    assert office.door.passwords.order_link("mdurand7", actor="cli:root")
    assert not office.door.passwords.order_link("inconnu", actor="cli:root")
    assert office.door.deliver_due() == 1
    assert mail_server.inbox.subjects[-1] == "Choisir un nouveau mot de passe – Choose a new password"
    assert office.account("mdurand7") == before
    (event,) = office.named("link_ordered")
    assert event["actor"] == "cli:root"
