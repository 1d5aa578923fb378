"""The life of an account is one table; what it does not list is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Code, Refused, Unavailable
from imagin_gateway.local import store
from imagin_gateway.local.lifecycle import TRANSITIONS, AccountState, Act, allows, move, state_at
from imagin_gateway.local.provisional import Kept
from imagin_gateway.local.schema import accounts
from tests.local.conftest import Office

NOW = datetime(2026, 12, 14, tzinfo=UTC)

EVERY_COUPLE = list(product(AccountState, Act))


@pytest.mark.parametrize(("state", "act"), EVERY_COUPLE)
def test_a_couple_moves_as_listed_or_is_refused(state: AccountState, act: Act) -> None:
    if (state, act) in TRANSITIONS:
        assert allows(state, act)
        assert move(state, act) is TRANSITIONS[state, act]
        return
    assert not allows(state, act)
    with pytest.raises(Refused) as caught:
        move(state, act)
    assert caught.value.code is Code.ACCOUNT_STATE


def test_only_a_reset_a_choice_or_a_change_makes_an_account_active() -> None:
    ways = {act for (_, act), after in TRANSITIONS.items() if after is AccountState.ACTIVE}
    assert ways == {Act.RESET, Act.CHOOSE, Act.CHANGE}


def test_nothing_but_enabling_happens_to_a_disabled_account_and_that_opens_nothing() -> None:
    leaving = {act: after for (before, act), after in TRANSITIONS.items() if before is AccountState.DISABLED}
    assert leaving == {Act.ENABLE: AccountState.EXPIRED}


def test_a_locked_account_is_opened_by_a_reset_a_letter_or_the_help_desk_and_never_to_a_password_that_works() -> None:
    opening = {act: after for (before, act), after in TRANSITIONS.items() if before is AccountState.LOCKED}
    assert opening == {
        Act.DISABLE: AccountState.DISABLED,
        Act.RESET: AccountState.ACTIVE,
        Act.ISSUE: AccountState.PROVISIONAL,
        Act.REPLACE: AccountState.PROVISIONAL,
        Act.UNLOCK: AccountState.CHANGE_REQUIRED,
        Act.UNLOCK_LETTER: AccountState.PROVISIONAL,
    }


def test_a_provisional_password_expires_at_its_last_instant_and_without_an_end_at_once() -> None:
    end = NOW + timedelta(days=21)
    tick = timedelta(microseconds=1)
    assert state_at(AccountState.PROVISIONAL, end, end - tick) is AccountState.PROVISIONAL
    assert state_at(AccountState.PROVISIONAL, end, end) is AccountState.EXPIRED
    assert state_at(AccountState.PROVISIONAL, None, NOW) is AccountState.EXPIRED


@pytest.mark.parametrize("state", [state for state in AccountState if state is not AccountState.PROVISIONAL])
def test_no_other_state_changes_with_time(state: AccountState) -> None:
    assert state_at(state, NOW, NOW + timedelta(days=4000)) is state


def test_a_transition_refused_changes_nothing_in_the_database(office: Office) -> None:
    before = office.account("mdurand7")
    with pytest.raises(Refused):
        office.act("mdurand7", Act.ENABLE)
    assert office.account("mdurand7") == before


def test_no_provisional_password_is_issued_to_an_account_that_has_a_password(office: Office) -> None:
    office.personalise("mdurand7")
    office.act("mdurand7", Act.LOCK)
    kept = Kept("0" * 64, "0" * 8)
    with pytest.raises(Refused), office.database.write() as connection:
        store.issue_provisional(connection, office.account("mdurand7"), kept, NOW, NOW, run="")


def test_an_unknown_state_in_the_database_is_an_error_and_opens_nothing(office: Office) -> None:
    with pytest.raises(Unavailable), office.database.write() as connection:
        connection.execute(sa.update(accounts).values(state="superuser"))
