"""What is asked of the accounts database. Every function works in the transaction it is given.

One function writes a password hash, `write_password`, and it takes only what the
policy has passed (row PWD-11). Everything that changes what opens an account raises
its `version` and must find the one it was decided on: of two changes, one happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import insert_many
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused, move, state_at
from imagin_gateway.local.provisional import Kept
from imagin_gateway.local.schema import account_links, accounts, address_changes, reset_tokens
from imagin_gateway.local.search import keys_of

Linked = tuple[str, str]
"""Issuer and subject of a person at another service."""

_COLUMNS: Final = [
    column
    for column in accounts.c
    if column.name not in ("identifier_key", "created_at", "provisional_run", "name_key", "email_key", "office_key")
    and column.name != "last_active_at"
]

_BY_KEY: Final = sa.select(*_COLUMNS).where(accounts.c.identifier_key == sa.bindparam("key"))
"""Put together once: that takes as long as the look-up."""

_OF_USE: Final = frozenset(Act) - {Act.EXPIRE, Act.REQUIRE_CHANGE, Act.LOCK, Act.DISABLE}
"""Acts by which an account opens, or opens again: it is in use."""

_NO_LETTER: Final[Mapping[str, object]] = dict.fromkeys(
    ("provisional_mac", "provisional_key", "provisional_ends_at", "provisional_run")
)
"""Columns of an account without a provisional password."""


@dataclass(frozen=True, slots=True)
class ChosenPassword:
    """A password that passed the policy, hashed. Made by `credentials.Credentials` alone."""

    encoded: str = field(repr=False)


def find(connection: sa.Connection, key: str) -> Account | None:
    """Return the account with this `identifier_key`, or None."""
    row = connection.execute(_BY_KEY, {"key": key}).one_or_none()
    return None if row is None else _account(row)


def find_many(connection: sa.Connection, keys: Sequence[str], *, lock: bool = False) -> dict[str, Account]:
    """Return the accounts among these keys, by key; kept from changing until the transaction ends if `lock`."""
    found = sa.select(accounts.c.identifier_key, *_COLUMNS).where(accounts.c.identifier_key.in_(keys))
    # In one order, so that no two transactions wait for each other.
    rows = connection.execute(found.order_by(accounts.c.id).with_for_update(key_share=True) if lock else found)
    return {row.identifier_key: _account(row) for row in rows}


def find_ids(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Account]:
    """Return the accounts among these rows, by row."""
    rows = connection.execute(sa.select(*_COLUMNS).where(accounts.c.id.in_(ids)))
    return {row.id: _account(row) for row in rows}


def find_locked(connection: sa.Connection, key: str) -> Account | None:
    """Return an account and keep others from changing it until the transaction ends."""
    found = sa.select(*_COLUMNS).where(accounts.c.identifier_key == key)
    row = connection.execute(found.with_for_update(key_share=True)).one_or_none()
    return None if row is None else _account(row)


def find_id(connection: sa.Connection, account_id: int, *, lock: bool) -> Account | None:
    """Return an account by its row, kept from changing until the transaction ends if `lock`."""
    found = sa.select(*_COLUMNS).where(accounts.c.id == account_id)
    # SQLite has one writer at a time, and ignores the clause.
    row = connection.execute(found.with_for_update(key_share=True) if lock else found).one_or_none()
    return None if row is None else _account(row)


def _account(row: sa.Row[Any]) -> Account:
    values = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Account(**{**values, "state": AccountState(values["state"])})


def write_password(
    connection: sa.Connection, account: Account, chosen: ChosenPassword, act: Act | None, now: datetime
) -> Account:
    """Write a password hash, and return the account as it is then: the only place that does.

    Args:
        connection: of a transaction that writes.
        account: as it was when the decision was taken.
        chosen: the new hash.
        act: what happens to the account; None when the same password is only hashed afresh.
        now: for what expires.

    With an act, the provisional password and every reset link die.

    Raises:
        TransitionRefused: the act is not possible, or the account changed meanwhile.
    """
    values: dict[str, object] = {"password_hash": chosen.encoded}
    if act is not None:
        values |= _moved(account, act, now)
        values |= _NO_LETTER
    # The account first, then its links: always in this order, so that no two transactions wait for each other.
    written = _update(connection, account, values)
    if act is not None:
        _kill_all(connection, account.id)
    return written


def apply(connection: sa.Connection, account: Account, act: Act, now: datetime) -> list[Linked]:
    """Let an act that sets no password happen to an account; return the links to services that it removed.

    Raises:
        TransitionRefused: the act is not possible, or the account changed meanwhile.
    """
    values = _moved(account, act, now)
    if act is Act.ENABLE:
        # A password that opens nothing any more would keep its owner from the letter that does.
        values |= {"password_hash": None, **_NO_LETTER}
    _update(connection, account, values)
    if act is Act.DISABLE:
        _kill_all(connection, account.id)
    return _unlink(connection, account.id) if act is Act.ENABLE else []


def _moved(account: Account, act: Act, now: datetime) -> dict[str, object]:
    state = state_at(account.state, account.provisional_ends_at, now)
    used = {"last_active_at": _day(now)} if act in _OF_USE else {}
    return {"state": move(state, act).value, "version": account.version + 1, **used}


def not_noted(now: datetime) -> sa.ColumnElement[bool]:
    """Hold for accounts of which no use is noted for the day of `now`."""
    return accounts.c.last_active_at.is_(None) | (accounts.c.last_active_at < _day(now))


def note_use(connection: sa.Connection, account_ids: Sequence[int], now: datetime) -> None:
    """Note that accounts are in use on the day of `now`. What opens them does not change."""
    some = accounts.c.id.in_(account_ids) & not_noted(now)
    connection.execute(sa.update(accounts).where(some).values(last_active_at=_day(now)))


def _day(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _update(connection: sa.Connection, account: Account, values: Mapping[str, object]) -> Account:
    same = (accounts.c.id == account.id) & (accounts.c.version == account.version)
    changed = sa.update(accounts).where(same).values(**values).returning(*_COLUMNS)
    row = connection.execute(changed).one_or_none()
    if row is None:
        raise TransitionRefused("the account changed meanwhile")
    return _account(row)


def kill_links(connection: sa.Connection, account_id: int) -> None:
    """Kill the reset links of an account (row RST-05). A mail that waits with one of them never leaves."""
    connection.execute(sa.delete(reset_tokens).where(reset_tokens.c.account_id == account_id))


def _kill_all(connection: sa.Connection, account_id: int) -> None:
    """Kill whatever was mailed that could change the account: links, and codes of an address."""
    kill_links(connection, account_id)
    connection.execute(sa.delete(address_changes).where(address_changes.c.account_id == account_id))


def touch(connection: sa.Connection, account: Account, **values: object) -> Account:
    """Note that what opens an account changed, besides its password and its state; return it as it is then.

    Raises:
        TransitionRefused: the account changed since `account` was read.
    """
    return _update(connection, account, {**values, "version": account.version + 1})


def insert_accounts(connection: sa.Connection, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Add accounts, each with its identifier, its details, and the provisional password just issued to it if any."""
    common = {"version": 1, "email_verified": True, "created_at": now, "last_active_at": _day(now)}
    insert_many(connection, accounts, [{**row, **keys_of(row)} for row in rows], common)


def issued_values(kept: Kept | None, ends_at: datetime, run: str) -> dict[str, object]:
    """Return the columns of an account that is made: with a provisional password, or waiting for one."""
    if kept is None:
        return {"state": AccountState.EXPIRED.value, **_NO_LETTER}
    state = move(AccountState.EXPIRED, Act.ISSUE)
    return {"state": state.value, **_provisional_values(kept, ends_at, run)}


def update_details(connection: sa.Connection, account: Account, values: Mapping[str, object]) -> None:
    """Change what the list tells about an account. A new address kills the links sent to the former one."""
    verified = {"email_verified": True} if "email" in values else {}
    known = {name: getattr(account, name) for name in ("family_name", "given_name", "email", "office")}
    connection.execute(
        sa.update(accounts)
        .where(accounts.c.id == account.id)
        .values(**values, **verified, **keys_of({**known, **values}))
    )
    if verified:
        _kill_all(connection, account.id)


def _unlink(connection: sa.Connection, account_id: int) -> list[Linked]:
    """Remove what links an account to other services: whoever chose its password may have linked themselves."""
    gone = sa.delete(account_links).where(account_links.c.account_id == account_id)
    removed = connection.execute(gone.returning(account_links.c.issuer, account_links.c.subject))
    return [(row.issuer, row.subject) for row in removed]


def issue_provisional(
    connection: sa.Connection, account: Account, kept: Kept, ends_at: datetime, now: datetime, *, run: str
) -> None:
    """Give an account without password a new provisional one; a former one dies.

    Raises:
        TransitionRefused: the account is disabled, has a password, or changed meanwhile.
    """
    if account.password_hash is not None:
        raise TransitionRefused("the account has a password")
    values = _moved(account, Act.ISSUE, now)
    _update(connection, account, {**values, **_provisional_values(kept, ends_at, run)})


def replace_password(
    connection: sa.Connection, account: Account, kept: Kept, ends_at: datetime, now: datetime, *, run: str
) -> list[Linked]:
    """Take a chosen password away, and give a provisional one instead; links and codes die.

    Returns:
        The links to services, which are removed too.

    Raises:
        TransitionRefused: no password was chosen, the account is disabled, or it changed meanwhile.
    """
    if account.password_hash is None:
        raise TransitionRefused("the account has no password")
    values = _moved(account, Act.REPLACE, now)
    _update(connection, account, {**values, "password_hash": None, **_provisional_values(kept, ends_at, run)})
    _kill_all(connection, account.id)
    return _unlink(connection, account.id)


def _provisional_values(kept: Kept, ends_at: datetime, run: str) -> dict[str, object]:
    return {
        "provisional_mac": kept.mac,
        "provisional_key": kept.key,
        "provisional_ends_at": ends_at,
        "provisional_run": run,
    }
