"""Second factors: a code once, a clock that is off, recovery codes, and a database that alone proves nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code
from imagin_gateway.keys import Secret
from imagin_gateway.local.accounts import AccountView
from imagin_gateway.local.factors import Enrolled, FactorKind, FactorRefused, StepProved
from imagin_gateway.local.lifecycle import TransitionRefused
from imagin_gateway.local.recovery import HOW_MANY
from imagin_gateway.local.schema import accounts, recovery_codes, totp_factors
from tests.local.conftest import Office, keys_of
from tests.local.helper import ADDRESS, MailServer

TELL = {"address": ADDRESS, "correlation": "R-2222-3333"}


class Phone:
    """An application with its own clock."""

    def __init__(self, office: Office, secret: Secret, off: timedelta = timedelta()) -> None:
        self.office = office
        self.made = pyotp.TOTP(secret.reveal())
        self.off = off

    def code(self) -> Secret:
        return Secret(self.made.at(self.office.clock.now() + self.off))


def found(office: Office, identifier: str = "mdurand7") -> AccountView:
    view = office.door.find(identifier)
    assert view is not None
    return view


def enrol(office: Office, identifier: str = "mdurand7") -> tuple[Phone, Enrolled]:
    """Let somebody who has a password add an application."""
    office.personalise(identifier)
    sealed, secret, _ = office.door.factors.new_secret(identifier)
    phone = Phone(office, secret)
    version = found(office, identifier).version
    added = office.door.factors.add_totp(identifier, sealed, phone.code(), version=version, address=ADDRESS, tell=TELL)
    office.clock.move(60)
    return phone, added


def prove(office: Office, code: Secret, identifier: str = "mdurand7", *, by: str = "prove_code", **more: Any) -> Any:
    values = {"version": found(office, identifier).version, "address": ADDRESS, "tell": TELL, **more}
    return getattr(office.door.factors, by)(identifier, code, **values)


def refused(call: Callable[[], object]) -> FactorRefused:
    with pytest.raises(FactorRefused) as error:
        call()
    return error.value


def test_a_code_proves_the_second_step_once(office: Office) -> None:
    phone, _ = enrol(office)
    code = phone.code()
    proved = prove(office, code)
    assert isinstance(proved, StepProved)
    assert (proved.kind, proved.amr, proved.recovery_left) == (FactorKind.TOTP, ("otp",), HOW_MANY)
    assert refused(lambda: prove(office, code)).code is Code.FACTOR_USED
    office.clock.move(30)
    assert refused(lambda: prove(office, code)).code is Code.FACTOR_USED, "one step later it is still a right code"
    assert prove(office, phone.code())


def test_the_code_that_confirmed_the_application_signs_nobody_in(office: Office) -> None:
    office.personalise("mdurand7")
    sealed, secret, _ = office.door.factors.new_secret("mdurand7")
    code = Phone(office, secret).code()
    office.door.factors.add_totp("mdurand7", sealed, code, version=2, address=ADDRESS, tell=TELL)
    assert refused(lambda: prove(office, code)).code is Code.FACTOR_USED


@pytest.mark.parametrize("seconds", [-59, -30, 0, 30, 59])
def test_a_step_on_either_side_is_taken_and_no_more(office: Office, seconds: int) -> None:
    phone, _ = enrol(office)
    office.clock.move(300)
    phone.off = timedelta(seconds=seconds)
    steps = (office.clock.now() + phone.off).timestamp() // 30 - office.clock.now().timestamp() // 30
    if abs(steps) <= 1:
        assert prove(office, phone.code())
    else:
        assert refused(lambda: prove(office, phone.code())).code is Code.FACTOR_CLOCK


@pytest.mark.parametrize("minutes", [-9, -3, 3, 9])
def test_a_clock_that_is_off_by_minutes_is_told_by_how_much(office: Office, minutes: int) -> None:
    phone, _ = enrol(office)
    office.clock.move(1200)
    phone.off = timedelta(minutes=minutes)
    error = refused(lambda: prove(office, phone.code()))
    assert (error.code, error.minutes) == (Code.FACTOR_CLOCK, minutes)
    assert refused(lambda: prove(office, Secret("abcdef"))).code is Code.FACTOR_CODE


def test_a_guess_that_was_right_for_later_is_burnt(office: Office) -> None:
    phone, _ = enrol(office)
    phone.off = timedelta(minutes=3)
    guessed = phone.code()
    assert refused(lambda: prove(office, guessed)).code is Code.FACTOR_CLOCK
    office.clock.move(timedelta(minutes=3))
    assert refused(lambda: prove(office, guessed)).code is Code.FACTOR_USED


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "١٢٣٤٥٦", "12 34 5a", "9" * 5000, "-123456", "0x1234"])
def test_what_is_no_code_is_refused(office: Office, typed: str) -> None:
    enrol(office)
    assert refused(lambda: prove(office, Secret(typed))).code is Code.FACTOR_CODE


def test_a_code_may_be_typed_in_groups(office: Office) -> None:
    phone, _ = enrol(office)
    code = phone.code().reveal()
    assert prove(office, Secret(f" {code[:3]}\u00a0{code[3:]} "))


def test_tries_are_throttled_apart_from_the_passwords(office: Office) -> None:
    phone, _ = enrol(office)
    codes = [refused(lambda: prove(office, Secret("000000"))).code for _ in range(5)]
    assert codes == [Code.FACTOR_CODE] * 3 + [Code.FACTOR_TOO_MANY] * 2
    assert refused(lambda: prove(office, phone.code())).code is Code.FACTOR_TOO_MANY, "the right code waits, too"
    assert not office.door.check("mdurand7", Secret("quatre vaches bleues dansent"), address="192.0.2.99").must_choose
    office.clock.move(timedelta(minutes=10))
    assert prove(office, phone.code())


def test_in_lock_mode_too_many_wrong_codes_lock_the_account(open_office: Callable[..., Office], office: Office) -> None:
    enrol(office)
    locking = open_office(
        keys=keys_of(office), passwords={"profile": "unsafe-tests", "attempts": "lock", "lock_after": 4}
    )
    for _ in range(4):
        refused(lambda: prove(locking, Secret("000000")))
    assert found(locking).state.value == "locked"


@pytest.mark.parametrize("attempts", ["delay", "lock"])
def test_who_failed_at_the_second_step_is_seen_and_unlocked_by_the_help_desk(
    open_office: Callable[..., Office], office: Office, attempts: str
) -> None:
    phone, _ = enrol(office)
    passwords = {"profile": "unsafe-tests", "attempts": attempts, "lock_after": 3}
    locking = open_office(keys=keys_of(office), passwords=passwords)
    for _ in range(3):
        refused(lambda: prove(locking, Secret("000000")))
    dossier = locking.door.desk.dossier_of("mdurand7")
    assert dossier is not None
    assert (dossier.failures.count, dossier.failures.last, dossier.failures.waits) == (3, office.clock.now(), True)
    assert locking.door.desk.unlock("mdurand7")
    # One wrong code more is one, not the fourth.
    assert refused(lambda: prove(locking, Secret("000000"))).code is Code.FACTOR_CODE
    assert prove(locking, phone.code())


def test_who_waits_at_the_second_step_alone_is_unlocked_too(office: Office) -> None:
    phone, _ = enrol(office)
    for _ in range(4):
        refused(lambda: prove(office, Secret("000000")))
    assert refused(lambda: prove(office, phone.code())).code is Code.FACTOR_TOO_MANY
    assert office.door.desk.unlock("mdurand7")
    assert prove(office, phone.code())
    with pytest.raises(TransitionRefused):
        office.door.desk.unlock("mdurand7")


def test_recovery_codes_work_once_each_and_are_counted(office: Office, mail_server: MailServer) -> None:
    _, added = enrol(office)
    assert len(added.codes) == len({code.reveal() for code in added.codes}) == HOW_MANY
    first, second = added.codes[:2]
    proved = prove(office, first, by="prove_recovery")
    assert (proved.kind, proved.recovery_left) == (FactorKind.RECOVERY, HOW_MANY - 1)
    assert refused(lambda: prove(office, first, by="prove_recovery")).code is Code.FACTOR_RECOVERY
    typed = Secret(second.reveal().lower().replace(" ", "-"))
    assert prove(office, typed, by="prove_recovery").recovery_left == HOW_MANY - 2
    used = office.named("recovery_code_used")
    assert [each["detail"]["left"] for each in used] == [9, 8]
    office.door.deliver_due()
    subjects = [str(message["Subject"]) for message in mail_server.inbox.received]
    assert subjects.count("Un code de secours a servi – A recovery code was used") == 2


def test_a_code_that_is_too_long_to_be_one_opens_nothing_and_uses_none_up(office: Office) -> None:
    _, added = enrol(office)
    printed = added.codes[0].reveal()
    for typed in ("x" * 201, "x" * 10_000, printed + " " * 200):
        use = partial(prove, office, Secret(typed), by="prove_recovery")
        assert refused(use).code is Code.FACTOR_RECOVERY
        office.clock.move(100)
    padded = Secret(printed + " " * (200 - len(printed)))
    assert prove(office, padded, by="prove_recovery").recovery_left == HOW_MANY - 1


def test_new_recovery_codes_kill_the_former_ones(office: Office) -> None:
    _, added = enrol(office)
    again = office.door.factors.new_codes("mdurand7", tell=TELL)
    assert refused(lambda: prove(office, added.codes[0], by="prove_recovery")).code is Code.FACTOR_RECOVERY
    assert prove(office, again[0], by="prove_recovery")
    office.personalise("pmartin2")
    assert refused(lambda: office.door.factors.new_codes("pmartin2", tell=TELL)).code is Code.FACTOR_GONE


def test_a_code_of_one_account_opens_no_other_even_when_its_row_is_moved(office: Office) -> None:
    _, added = enrol(office)
    enrol(office, "pmartin2")
    assert refused(lambda: prove(office, added.codes[0], "pmartin2", by="prove_recovery")).code is Code.FACTOR_RECOVERY
    mine, theirs = office.account("mdurand7").id, office.account("pmartin2").id
    with office.database.write() as connection:
        connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.account_id == theirs))
        connection.execute(sa.update(recovery_codes).values(account_id=theirs))
        connection.execute(sa.delete(totp_factors).where(totp_factors.c.account_id == theirs))
        connection.execute(sa.update(totp_factors).where(totp_factors.c.account_id == mine).values(account_id=theirs))
    assert refused(lambda: prove(office, added.codes[1], "pmartin2", by="prove_recovery")).code is Code.FACTOR_RECOVERY
    assert refused(lambda: prove(office, Secret("123456"), "pmartin2")).code is Code.FACTOR_GONE


def test_a_copy_of_the_database_without_the_key_proves_nothing(
    office: Office, open_office: Callable[..., Office]
) -> None:
    phone, added = enrol(office)
    for row in (*office.rows(totp_factors), *office.rows(recovery_codes)):
        assert phone.made.secret not in str(row)
        assert not any(code.reveal().replace(" ", "") in str(row).upper() for code in added.codes)
    thief = open_office(keys={**keys_of(office), "factors": [secrets.token_urlsafe(48)]})
    assert refused(lambda: prove(thief, phone.code())).code is Code.FACTOR_GONE
    assert refused(lambda: prove(thief, added.codes[0], by="prove_recovery")).code is Code.FACTOR_RECOVERY


def test_keys_rotate_with_an_overlap(office: Office, open_office: Callable[..., Office]) -> None:
    phone, added = enrol(office)
    old = keys_of(office)
    new = secrets.token_urlsafe(48)
    both = open_office(keys={**old, "factors": [*old["factors"], new]})
    assert prove(both, phone.code())
    assert prove(both, added.codes[0], by="prove_recovery")
    office.clock.move(60)
    alone = open_office(keys={**old, "factors": [new]})
    assert prove(alone, phone.code()), "its last use sealed it under the new key"
    assert refused(lambda: prove(alone, added.codes[1], by="prove_recovery")).code is Code.FACTOR_RECOVERY


def test_a_factor_removed_meanwhile_is_taken_no_more(office: Office) -> None:
    phone, _ = enrol(office)
    before = found(office).version
    office.door.factors.remove("mdurand7", "totp", tell=TELL)
    assert refused(lambda: prove(office, phone.code(), version=before)).code is Code.FACTOR_GONE
    assert refused(lambda: prove(office, phone.code())).code is Code.FACTOR_GONE
    assert not office.rows(recovery_codes)


def test_an_account_that_must_have_a_factor_keeps_its_last_one(office: Office) -> None:
    enrol(office)
    assert office.door.factors.require("mdurand7", True, actor="bureau")
    assert office.door.factors.of("mdurand7").required
    gone = refused(lambda: office.door.factors.remove("mdurand7", "totp", tell=TELL))
    assert gone.code is Code.FACTOR_NEEDED
    assert office.door.factors.of("mdurand7").totp is not None
    assert office.door.factors.require("inconnu", True, actor="bureau") is None


def test_the_help_desk_takes_everything_away_with_a_trace(office: Office, mail_server: MailServer) -> None:
    _, added = enrol(office)
    before = found(office).version
    cleared = office.door.factors.remove_all(" MDURAND7 ", actor="assistance:zroux")
    assert cleared is not None
    assert cleared.version > before
    assert not office.door.factors.of("mdurand7").any
    assert refused(lambda: prove(office, added.codes[0], by="prove_recovery")).code is Code.FACTOR_RECOVERY
    (event,) = office.named("factors_cleared")
    assert event["actor"] == "assistance:zroux"
    assert event["detail"] == {"factors": 1, "codes": HOW_MANY}
    office.door.deliver_due()
    assert "Vos seconds facteurs ont été retirés – Your second factors were removed" in [
        str(each["Subject"]) for each in mail_server.inbox.received
    ]
    assert office.door.factors.remove_all("inconnu", actor="x") is None


def test_nobody_adds_a_factor_with_a_provisional_password_alone(office: Office) -> None:
    sealed, secret, _ = office.door.factors.new_secret("mdurand7")
    code = Phone(office, secret).code()
    call = lambda: office.door.factors.add_totp(  # noqa: E731  # called later
        "mdurand7", sealed, code, version=found(office).version, address=ADDRESS, tell=TELL
    )
    assert refused(call).code is Code.FACTOR_GONE
    assert not office.rows(totp_factors)


def test_the_former_release_may_still_add_accounts(office: Office) -> None:
    with office.database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO accounts (identifier, identifier_key, family_name, given_name, email, email_verified,"
                " situation, academie, office, state, version, created_at)"
                " VALUES ('x', 'x', '', '', '', false, '', '', '', 'expired', 1, 0)"
            )
        )
        wanted = sa.select(accounts.c.second_factor_required).where(accounts.c.identifier_key == "x")
        assert connection.execute(wanted).scalar_one() is False


def test_no_secret_stands_in_an_event(office: Office) -> None:
    phone, added = enrol(office)
    prove(office, phone.code())
    told = "\n".join(office.lines)
    assert phone.made.secret not in told
    assert not any(code.reveal() in told for code in added.codes)
