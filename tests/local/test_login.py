"""The couple identifier and password: who comes in, and what failures tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, Refused, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local import store
from imagin_gateway.local.door import CredentialsRefused, LoginFailure
from imagin_gateway.local.lifecycle import AccountState, Act
from imagin_gateway.local.passwords import Limiter
from imagin_gateway.local.schema import accounts
from tests.local.conftest import Office, keys_of
from tests.local.helper import ADDRESS, GOOD, OTHER

WRONG = Secret("ce n'est pas le bon mot")


def refused(office: Office, identifier: str, password: Secret) -> CredentialsRefused:
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check(identifier, password, address=ADDRESS)
    return caught.value


def test_the_letter_opens_the_page_where_a_password_is_chosen_and_nothing_else(office: Office) -> None:
    checked = office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert checked.must_choose
    assert checked.account.state is AccountState.PROVISIONAL
    assert checked.account.given_name == "Marie"


def test_the_provisional_password_is_typed_with_or_without_spaces_hyphens_and_capitals(office: Office) -> None:
    printed = office.letters["mdurand7"].reveal()
    for typed in (printed.replace(" ", ""), printed.replace(" ", "-"), printed.lower(), f" {printed} "):
        assert office.door.check("mdurand7", Secret(typed), address=ADDRESS).must_choose


def test_the_identifier_is_typed_with_any_capitals_and_spaces_around(office: Office) -> None:
    office.personalise("mdurand7")
    for typed in ("MDurand7", "  mdurand7\t", "\u00a0mdurand7"):
        checked = office.door.check(typed, GOOD, address=ADDRESS)
        assert checked.account.identifier == "mdurand7"
        assert not checked.must_choose


@pytest.mark.row("PWD-05")
def test_a_chosen_password_is_checked_as_typed_in_nfc(office: Office) -> None:
    chosen = Secret(" été à la plage Ω")
    office.personalise("mdurand7", chosen)
    decomposed = Secret(unicodedata.normalize("NFD", chosen.reveal()))
    assert decomposed.reveal() != chosen.reveal()
    assert not office.door.check("mdurand7", decomposed, address=ADDRESS).must_choose
    for other in (chosen.reveal().strip(), chosen.reveal().upper(), chosen.reveal() + " "):
        refused(office, "mdurand7", Secret(other))
        office.clock.move(7200)


@pytest.mark.row("PRV-03")
def test_the_provisional_password_is_dead_once_changed_or_reset(office: Office, reset_link: Callable[..., str]) -> None:
    office.personalise("mdurand7")
    assert refused(office, "mdurand7", office.letters["mdurand7"]).reason is LoginFailure.WRONG
    office.door.passwords.use_reset(reset_link("pmartin2"), GOOD, GOOD)
    assert refused(office, "pmartin2", office.letters["pmartin2"]).reason is LoginFailure.WRONG
    assert not office.door.check("pmartin2", GOOD, address=ADDRESS).must_choose
    same = office.letters["sansmail"]
    with pytest.raises(Refused) as caught:
        office.door.passwords.choose_first("sansmail", same, same)
    assert caught.value.code is Code.PASSWORD_SAME


@pytest.mark.row("PRV-04")
def test_the_provisional_password_works_until_its_last_second_and_then_fails_like_any(office: Office) -> None:
    life = 21 * 24 * 3600
    office.clock.move(life - 1)
    assert office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).must_choose
    office.clock.move(1)
    error = refused(office, "mdurand7", office.letters["mdurand7"])
    assert (error.code, error.reason) == (Code.CREDENTIALS, LoginFailure.EXPIRED)
    found = office.door.find("mdurand7")
    assert found is not None
    assert found.state is AccountState.EXPIRED


def failing_cases(office: Office) -> dict[LoginFailure, tuple[str, Secret]]:
    """Prepare an account in each state that cannot come in, and return what is typed."""
    office.personalise("mdurand7")
    office.personalise("pmartin2")
    office.act("pmartin2", Act.DISABLE)
    return {
        LoginFailure.UNKNOWN: ("inconnu", GOOD),
        LoginFailure.WRONG: ("mdurand7", WRONG),
        LoginFailure.DISABLED: ("pmartin2", GOOD),
    }


def test_every_failing_case_costs_one_argon2_verification_and_raises_the_same_error(office: Office) -> None:
    seen: dict[str, CredentialsRefused] = {}

    def costs_one(name: str, identifier: str, password: Secret) -> None:
        office.hasher.reset()
        error = refused(office, identifier, password)
        assert (office.hasher.verifications, office.hasher.hashes) == (1, 0), name
        assert error.reason == name
        seen[name] = error

    costs_one("wrong", "sansmail", WRONG)
    assert seen["wrong"].reason is LoginFailure.WRONG
    for reason, (identifier, password) in failing_cases(office).items():
        costs_one(reason, identifier, password)
    office.act("sansmail", Act.LOCK)
    costs_one("locked", "sansmail", office.letters["sansmail"])
    for _ in range(3):
        refused(office, "mdurand7", WRONG)
    costs_one("delayed", "mdurand7", GOOD)
    costs_one("unknown", "", GOOD)
    costs_one("unknown", "a\x00b" * 100, Secret("x" * 2000))
    assert {str(error) for error in seen.values()} == {"identifier and password do not match"}
    assert {(error.code, type(error), error.args) for error in seen.values()} == {
        (Code.CREDENTIALS, CredentialsRefused, ("identifier and password do not match",))
    }


def test_an_expired_letter_costs_one_verification_too(office: Office) -> None:
    office.clock.move(22 * 24 * 3600)
    office.hasher.reset()
    assert refused(office, "mdurand7", office.letters["mdurand7"]).reason is LoginFailure.EXPIRED
    assert office.hasher.verifications == 1


def test_success_costs_one_verification_by_letter_and_by_password(office: Office) -> None:
    office.hasher.reset()
    office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert (office.hasher.verifications, office.hasher.hashes) == (1, 0)
    office.personalise("mdurand7")
    office.hasher.reset()
    office.door.check("mdurand7", GOOD, address=ADDRESS)
    assert (office.hasher.verifications, office.hasher.hashes) == (1, 0)


def test_a_password_of_one_account_opens_no_other(office: Office) -> None:
    office.personalise("mdurand7")
    office.personalise("pmartin2", OTHER)
    refused(office, "mdurand7", OTHER)
    refused(office, "pmartin2", GOOD)
    refused(office, "sansmail", office.letters["mdurand7"])


def test_what_cannot_be_written_in_utf8_is_only_a_wrong_password(office: Office) -> None:
    office.personalise("mdurand7")
    assert refused(office, "mdurand7", Secret("\ud800" * 20)).reason is LoginFailure.WRONG
    assert refused(office, "sansmail", Secret("\ud800" * 20)).reason is LoginFailure.WRONG
    assert refused(office, "\ud800", GOOD).reason is LoginFailure.UNKNOWN


@pytest.mark.row("HSH-03")
def test_a_hash_with_older_parameters_is_replaced_at_the_next_login(
    office: Office, open_office: Callable[..., Office]
) -> None:
    office.personalise("mdurand7")
    before = office.account("mdurand7").password_hash
    assert before is not None
    assert "$m=8,t=1,p=1$" in before
    stronger = open_office(profile="owasp", keys=_keys(office))
    stronger.door.check("mdurand7", GOOD, address=ADDRESS)
    after = stronger.account("mdurand7")
    assert after.password_hash is not None
    assert "$m=19456,t=2,p=1$" in after.password_hash
    assert after.version == office.account("mdurand7").version
    stronger.hasher.reset()
    stronger.door.check("mdurand7", GOOD, address=ADDRESS)
    assert (stronger.hasher.verifications, stronger.hasher.hashes) == (1, 0)


def _keys(office: Office) -> dict[str, list[str]]:
    keys = office.settings.keys
    return {"signing": [k.reveal() for k in keys.signing], "provisional": [k.reveal() for k in keys.provisional]}


def test_an_account_that_changed_while_its_password_was_verified_does_not_open(office: Office) -> None:
    office.personalise("mdurand7")
    real = office.hasher.verify

    def disabled_meanwhile(stored: str | None, password: Secret) -> bool:
        verified = real(stored, password)
        office.act("mdurand7", Act.DISABLE)
        return verified

    office.hasher.verify = disabled_meanwhile  # type: ignore[method-assign]  # something happens meanwhile
    refused(office, "mdurand7", GOOD)


@pytest.mark.fault
def test_a_busy_machine_says_so_and_counts_no_failure(office: Office) -> None:
    office.personalise("mdurand7")
    full = Limiter(1, 0)
    office.hasher.limiter = full
    with full.turn():
        for _ in range(30):
            with pytest.raises(Unavailable) as caught:
                office.door.check("mdurand7", WRONG, address=ADDRESS)
            assert caught.value.code is Code.BUSY
            assert caught.value.retry_after > 0
    office.door.check("mdurand7", GOOD, address=ADDRESS)


@pytest.mark.row("HSH-06")
def test_a_stored_hash_that_is_not_argon2id_opens_nothing_and_costs_the_same(office: Office) -> None:
    office.personalise("mdurand7")
    import hashlib

    import argon2
    import sqlalchemy as sa

    from imagin_gateway.local.schema import accounts

    word = GOOD.reveal()
    others = [
        argon2.PasswordHasher(1, 8, 1, type=argon2.Type.I).hash(word),
        argon2.PasswordHasher(1, 8, 1, type=argon2.Type.D).hash(word),
        hashlib.sha256(word.encode()).hexdigest(),
        hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(),
        word,
        "",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$",
    ]
    for stored in others:
        with office.database.write() as connection:
            connection.execute(sa.update(accounts).values(password_hash=stored, provisional_mac=None))
        office.hasher.reset()
        assert refused(office, "mdurand7", GOOD).reason is LoginFailure.WRONG
        assert 1 <= office.hasher.verifications <= 2
        office.clock.move(86400)


def test_reasons_keep_their_names() -> None:
    """Operators search their events by them."""
    names = ["unknown", "delayed", "locked", "disabled", "expired", "wrong", "portal-only"]
    assert [reason.value for reason in LoginFailure] == names


def test_a_success_is_told_after_three_failures_or_from_a_new_browser_and_never_by_letter(office: Office) -> None:
    assert not office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).noticed
    office.personalise("mdurand7")
    known = office.door.remember("mdurand7")
    assert office.door.check("mdurand7", GOOD, address=ADDRESS).noticed
    for failures, told in ((0, False), (2, False), (3, True)):
        for _ in range(failures):
            with pytest.raises(CredentialsRefused):
                office.door.check("mdurand7", WRONG, address=ADDRESS, client=known)
        office.clock.move(60)
        assert office.door.check("mdurand7", GOOD, address=ADDRESS, client=known).noticed is told


def test_an_account_erased_while_its_password_was_verified_does_not_open(office: Office) -> None:
    office.personalise("mdurand7")
    verify = office.hasher.verify

    def slowly(stored: str | None, password: Secret) -> bool:
        done = verify(stored, password)
        with office.database.write() as connection:
            connection.execute(sa.delete(accounts).where(accounts.c.identifier == "mdurand7"))
        return done

    office.hasher.verify = slowly  # type: ignore[method-assign]  # what happens meanwhile
    assert refused(office, "mdurand7", GOOD).reason is LoginFailure.WRONG


@pytest.mark.row("RTE-04")
def test_the_right_password_of_somebody_of_a_portal_opens_nothing(
    office: Office, open_office: Callable[..., Office]
) -> None:
    office.personalise("mdurand7")
    section = {"url": office.settings.accounts.url, "portal_domains": ["exemple.test"]}
    closed = open_office(keys=keys_of(office), accounts=section)
    assert refused(closed, "mdurand7", GOOD).reason is LoginFailure.PORTAL_ONLY
    assert refused(closed, "mdurand7", WRONG).reason is LoginFailure.WRONG


def test_failures_lock_an_account_once_and_tell_whose_it_is(office: Office, open_office: Callable[..., Office]) -> None:
    office.personalise("mdurand7")
    passwords = {"profile": "unsafe-tests", "attempts": "lock", "lock_after": 3}
    locking = open_office(keys=keys_of(office), passwords=passwords)
    for identifier in ("nobody", "mdurand7"):
        for _ in range(5):
            refused(locking, identifier, WRONG)
        assert len(locking.named("account_locked")) == (identifier == "mdurand7")
    assert locking.account("mdurand7").state is AccountState.LOCKED


def test_the_failure_that_locks_an_account_is_a_failure_whatever_happens_to_the_account_meanwhile(
    office: Office, open_office: Callable[..., Office]
) -> None:
    office.personalise("mdurand7")
    passwords = {"profile": "unsafe-tests", "attempts": "lock", "lock_after": 3}
    locking = open_office(keys=keys_of(office), passwords=passwords)
    for _ in range(2):
        refused(locking, "mdurand7", WRONG)
    with ThreadPoolExecutor(1) as pool:
        with office.database.write() as connection:
            store.touch(connection, office.account("mdurand7"))
            third = pool.submit(refused, locking, "mdurand7", WRONG)
            wait([third], timeout=0.5)
        assert third.result().reason is LoginFailure.WRONG
    assert locking.account("mdurand7").state is AccountState.LOCKED
