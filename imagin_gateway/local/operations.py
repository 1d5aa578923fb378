"""What an operator does to accounts: close, open again, demand another password. Never choose nor read one.

A state in which an act is not possible is left as it is, and told: run again after an
interruption, an operation does what was left to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.local import store
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, Act, allows, move, state_at
from imagin_gateway.local.schema import accounts

_BATCH: Final = 500

OPERATIONS: Final = (Act.DISABLE, Act.ENABLE, Act.REQUIRE_CHANGE)


@dataclass(frozen=True, slots=True)
class Operated:
    """What became of the accounts asked for.

    Attributes:
        changed: identifiers of those to which the act happened.
        left: identifiers of those in whose state it is not possible, or has happened already.
        unknown: how many identifiers no account has.
    """

    changed: tuple[str, ...]
    left: tuple[str, ...]
    unknown: int


class Operations:
    """Acts of operators.

    Args:
        database: where accounts are.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def apply(self, identifiers: Iterable[str], act: Act) -> Operated:
        """Let an act happen to accounts, some hundreds in a transaction. Raises `Unavailable`.

        Raises:
            ValueError: the act is not an operator's.
        """
        if act not in OPERATIONS:
            raise ValueError("not an operator's act")
        now = self._clock.now()
        changed: list[str] = []
        left: list[str] = []
        unknown = 0
        for keys in _batches(identifier_key(identifier) for identifier in identifiers):
            with self._database.write() as connection:
                known = store.find_many(connection, keys)
                unknown += len(set(keys) - set(known))
                done: list[str] = []
                for account in known.values():
                    if allows(state_at(account.state, account.provisional_ends_at, now), act):
                        store.apply(connection, account, act, now)
                        done.append(account.identifier)
                    else:
                        left.append(account.identifier)
            changed += done
        return Operated(tuple(changed), tuple(left), unknown)

    def require_change_of_all(self) -> int:
        """Demand another password of everybody who has one, at once; return of how many. Raises `Unavailable`."""
        after = move(AccountState.ACTIVE, Act.REQUIRE_CHANGE)
        with self._database.write() as connection:
            changed = connection.execute(
                sa.update(accounts)
                .where(accounts.c.state == AccountState.ACTIVE.value)
                .values(state=after.value, version=accounts.c.version + 1)
            )
        return changed.rowcount


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _BATCH)):
        yield batch
