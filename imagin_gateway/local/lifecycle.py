"""The life of an account: its states, what may happen to it, and one table that joins them.

What the table does not list is refused: an unknown state, an unknown act or an
unlisted couple changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from imagin_gateway.errors import Code, Refused


class AccountState(StrEnum):
    """Where an account stands."""

    PROVISIONAL = "provisional"
    """No password chosen yet; the letter carries a provisional one."""
    ACTIVE = "active"
    """The person has chosen a password."""
    CHANGE_REQUIRED = "change_required"
    """A password was chosen, and another one must be before anything else (suspected leak)."""
    LOCKED = "locked"
    """Too many failures in a row: nothing opens it but a reset link, a new letter, or the help desk."""
    DISABLED = "disabled"
    """Closed by the managing office: neither login nor reset."""
    EXPIRED = "expired"
    """The provisional password is too old: a reset link or a new letter is needed."""


class Act(StrEnum):
    """What may happen to an account."""

    ISSUE = "issue"
    """A new provisional password is printed; a former one dies."""
    EXPIRE = "expire"
    CHOOSE = "choose"
    """The person, signed in with what must be replaced, chooses a password."""
    CHANGE = "change"
    """The person, signed in, changes a password."""
    RESET = "reset"
    """The person chooses a password by a mailed link."""
    REQUIRE_CHANGE = "require_change"
    LOCK = "lock"
    UNLOCK = "unlock"
    """Somebody at the desk opens an account that has a password: it works once more, to choose another."""
    UNLOCK_LETTER = "unlock_letter"
    """The same, where no password was chosen yet: the letter works until its end."""
    REPLACE = "replace"
    """Somebody at the desk replaces a chosen password by a provisional one, for who has lost it and reads no mail."""
    DISABLE = "disable"
    ENABLE = "enable"


_S = AccountState

TRANSITIONS: Final[Mapping[tuple[AccountState, Act], AccountState]] = MappingProxyType(
    {
        (_S.PROVISIONAL, Act.ISSUE): _S.PROVISIONAL,
        (_S.PROVISIONAL, Act.EXPIRE): _S.EXPIRED,
        (_S.PROVISIONAL, Act.CHOOSE): _S.ACTIVE,
        (_S.PROVISIONAL, Act.RESET): _S.ACTIVE,
        (_S.PROVISIONAL, Act.LOCK): _S.LOCKED,
        (_S.PROVISIONAL, Act.DISABLE): _S.DISABLED,
        (_S.ACTIVE, Act.CHANGE): _S.ACTIVE,
        (_S.ACTIVE, Act.RESET): _S.ACTIVE,
        (_S.ACTIVE, Act.REQUIRE_CHANGE): _S.CHANGE_REQUIRED,
        (_S.ACTIVE, Act.LOCK): _S.LOCKED,
        (_S.ACTIVE, Act.REPLACE): _S.PROVISIONAL,
        (_S.ACTIVE, Act.DISABLE): _S.DISABLED,
        (_S.CHANGE_REQUIRED, Act.CHOOSE): _S.ACTIVE,
        (_S.CHANGE_REQUIRED, Act.RESET): _S.ACTIVE,
        (_S.CHANGE_REQUIRED, Act.LOCK): _S.LOCKED,
        (_S.CHANGE_REQUIRED, Act.REPLACE): _S.PROVISIONAL,
        (_S.CHANGE_REQUIRED, Act.DISABLE): _S.DISABLED,
        (_S.LOCKED, Act.ISSUE): _S.PROVISIONAL,
        (_S.LOCKED, Act.RESET): _S.ACTIVE,
        (_S.LOCKED, Act.REPLACE): _S.PROVISIONAL,
        # Not to what it was: the state before is not kept, and may have been a demanded change (decision 0066).
        (_S.LOCKED, Act.UNLOCK): _S.CHANGE_REQUIRED,
        (_S.LOCKED, Act.UNLOCK_LETTER): _S.PROVISIONAL,
        (_S.LOCKED, Act.DISABLE): _S.DISABLED,
        (_S.EXPIRED, Act.ISSUE): _S.PROVISIONAL,
        (_S.EXPIRED, Act.RESET): _S.ACTIVE,
        (_S.EXPIRED, Act.LOCK): _S.LOCKED,
        (_S.EXPIRED, Act.DISABLE): _S.DISABLED,
        # An account that was closed comes back without anything that opens it: a link or a letter does.
        (_S.DISABLED, Act.ENABLE): _S.EXPIRED,
    }
)


class TransitionRefused(Refused):
    """The act is not listed for the state of the account. Nothing was changed."""

    code = Code.ACCOUNT_STATE


def move(state: AccountState, act: Act) -> AccountState:
    """Return the state after an act.

    Raises:
        TransitionRefused: the table does not list it.
    """
    try:
        return TRANSITIONS[state, act]
    except KeyError:
        raise TransitionRefused("this cannot happen to an account in its state") from None


def allows(state: AccountState, act: Act) -> bool:
    """Tell whether the table lists the act for the state."""
    return (state, act) in TRANSITIONS


def state_at(state: AccountState, provisional_ends_at: datetime | None, now: datetime) -> AccountState:
    """Return the state as it is now: a provisional password that nobody used expires by itself.

    The last instant is excluded. A provisional state without an end counts as expired.
    """
    if state is AccountState.PROVISIONAL and (provisional_ends_at is None or now >= provisional_ends_at):
        return move(state, Act.EXPIRE)
    return state
