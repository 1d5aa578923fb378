"""All that is kept of one person: handed over whole, or removed whole (RGPD art. 15 and 17, row DPO-05)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from imagin_gateway.errors import Unavailable
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import store
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.database import Database
from imagin_gateway.local.schema import account_links, accounts, metadata
from imagin_gateway.local.throttle import Throttle
from imagin_gateway.local.trusted import TrustedComputers

WITHHELD: Final = frozenset(
    {
        "accounts.password_hash",
        "accounts.provisional_mac",
        "accounts.provisional_key",
        "address_changes.seed",
        "address_changes.key",
        "reset_tokens.sha256",
        "outbox.payload",
        "passkeys.public_key",
        "recovery_codes.mac",
        "totp_factors.secret",
        "outbox.claim",
    }
)
"""What verifies a secret, or makes one: not handed over, only that it is there. A copy would help whoever finds it."""

Told = dict[str, object]

_log = logging.getLogger("imagin_gateway.local")


class PersonalData:
    """What the accounts database holds of a person.

    Args:
        database: of the accounts.
        throttle: failures of an account.
        clients: browsers it knows.
        trusted: computers its owner trusts.
    """

    def __init__(
        self, database: Database, throttle: Throttle, clients: KnownClients, trusted: TrustedComputers
    ) -> None:
        self._database = database
        self._throttle = throttle
        self._clients = clients
        self._trusted = trusted

    def export(self, identifier: str) -> dict[str, list[Told]] | None:
        """Return every row about a person, by table; None when no account has that identifier.

        Found from the tables themselves: one that is added later, and refers to accounts, is in it.
        """
        key = identifier_key(identifier)
        with self._database.read() as connection:
            account = store.find(connection, key)
            if account is None:
                return None
            return {
                table.name: [_told(table, row) for row in connection.execute(sa.select(table).where(condition))]
                for table, condition in _about([account.id], [key])
            }

    def everybody(self) -> Iterator[tuple[str, str]]:
        """Yield everybody of whom something is kept, as (issuer, subject), a few at a time."""
        linked = sa.select(account_links.c.issuer, account_links.c.subject)
        with self._database.read() as connection:
            for row in connection.execute(sa.select(accounts.c.identifier)).yield_per(1000):
                yield DIRECT_ISSUER, row[0]
            for row in connection.execute(linked).yield_per(1000):
                yield row[0], row[1]

    def erase(self, identifier: str) -> str | None:
        """Remove every row about a person, in one transaction; return the identifier, or None if there was none.

        What remains in the events is a pseudonym that nothing here leads back to the person from.
        """
        key = identifier_key(identifier)
        with self._database.write() as connection:
            account = store.find_locked(connection, key)
            _remove(connection, [] if account is None else [account.id], [key])
        self._forget(key)
        return None if account is None else account.identifier

    def erase_some(self, which: sa.ColumnElement[bool], order: sa.ColumnElement[datetime], most: int) -> int:
        """Remove every row about some people, in one transaction; return how many people went.

        Args:
            which: a condition on the accounts.
            order: those for which it is least go first.
            most: how many at most.
        """
        found = sa.select(accounts.c.id, accounts.c.identifier_key).where(which).order_by(order, accounts.c.id)
        with self._database.write(long=True) as connection:
            # Another server may be at it too: each takes its own.
            rows = connection.execute(found.limit(most).with_for_update(skip_locked=True)).all()
            _remove(connection, [row.id for row in rows], [row.identifier_key for row in rows])
        try:
            for row in rows:
                self._forget(row.identifier_key)
        except Unavailable:
            _log.warning("counters of erased accounts stay until their end: the store does not answer")
        return len(rows)

    def _forget(self, key: str) -> None:
        self._throttle.forgive(key)
        self._clients.forget(key)
        self._trusted.forget_all(key)


def _remove(connection: sa.Connection, account_ids: Sequence[int], keys: Sequence[str]) -> None:
    # The accounts last, then all that refers to them goes with them: declared, and made sure of.
    for table, condition in reversed(_about(account_ids, keys)):
        connection.execute(sa.delete(table).where(condition))


def _about(account_ids: Sequence[int], keys: Sequence[str]) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Return each table that holds something of these people, and which rows; the accounts first."""
    found: list[tuple[sa.Table, sa.ColumnElement[bool]]] = [(accounts, accounts.c.id.in_(account_ids))]
    for table in metadata.sorted_tables:
        if "account_id" in table.c:
            found.append((table, table.c.account_id.in_(account_ids)))
        elif "identifier_key" in table.c and table is not accounts:
            found.append((table, table.c.identifier_key.in_(keys)))
    return found


def _told(table: sa.Table, row: sa.Row[tuple[object, ...]]) -> Told:
    told: Told = {}
    for column in table.c:
        value = getattr(row, column.name)
        if f"{table.name}.{column.name}" in WITHHELD:
            told[column.name] = None if value is None else "(secret, not shown)"
        else:
            told[column.name] = value.isoformat() if hasattr(value, "isoformat") else value
    return told
