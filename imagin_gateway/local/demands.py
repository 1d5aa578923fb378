"""Demanding another password of accounts whose password may be known to somebody else.

A state in which that is not possible is left as it is, and told: run again after an
interruption, an operation does what was left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from imagin_gateway.clock import Clock
from imagin_gateway.events import EventName
from imagin_gateway.local import history, store
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import Act, allows, state_at

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Demanded:
    """What became of the accounts asked for.

    Attributes:
        changed: identifiers of those whose next login must bring another password.
        left: identifiers of those that have no chosen password, are closed, or were asked already.
        nobody: identifiers that no account has, as typed.
    """

    changed: tuple[str, ...]
    left: tuple[str, ...]
    nobody: tuple[str, ...]

    @property
    def unknown(self) -> int:
        """How many identifiers no account has."""
        return len(self.nobody)


class Demands:
    """Demands another password.

    Args:
        database: where accounts are.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(
        self, identifiers: Iterable[str], *, actor: str = "", progress: Callable[[int], None] | None = None
    ) -> Demanded:
        """Demand another password of these, some hundreds in a transaction. Raises `Unavailable`.

        Args:
            identifiers: as typed.
            actor: who demands it.
            progress: told how many were looked at.
        """
        now = self._clock.now()
        changed: list[str] = []
        left: list[str] = []
        nobody: list[str] = []
        for typed in _batches(identifiers):
            done: list[str] = []
            ids: list[int] = []
            with self._database.write(long=True) as connection:
                known = store.find_many(connection, list(typed), lock=True)
                nobody += [identifier for key, identifier in typed.items() if key not in known]
                for account in known.values():
                    state = state_at(account.state, account.provisional_ends_at, now)
                    if allows(state, Act.REQUIRE_CHANGE):
                        store.apply(connection, account, Act.REQUIRE_CHANGE, now)
                        done.append(account.identifier)
                        ids.append(account.id)
                    else:
                        left.append(account.identifier)
                history.note(connection, ids, EventName.CHANGE_REQUIRED, now, actor)
            changed += done
            if progress is not None:
                progress(len(changed) + len(left) + len(nobody))
        return Demanded(tuple(changed), tuple(left), tuple(nobody))

    def would(self, identifiers: Iterable[str]) -> Demanded:
        """Return what `of` would do now, and change nothing. Raises `Unavailable`."""
        now = self._clock.now()
        changed: list[str] = []
        left: list[str] = []
        nobody: list[str] = []
        for typed in _batches(identifiers):
            with self._database.read() as connection:
                known = store.find_many(connection, list(typed))
            nobody += [identifier for key, identifier in typed.items() if key not in known]
            for account in known.values():
                state = state_at(account.state, account.provisional_ends_at, now)
                (changed if allows(state, Act.REQUIRE_CHANGE) else left).append(account.identifier)
        return Demanded(tuple(changed), tuple(left), tuple(nobody))


def _batches(identifiers: Iterable[str]) -> Iterator[dict[str, str]]:
    """Return what was typed by what is compared, some hundreds at a time."""
    each = iter(identifiers)
    while batch := list(islice(each, _BATCH)):
        typed: dict[str, str] = {}
        for identifier in batch:
            typed.setdefault(identifier_key(identifier), identifier)
        yield typed
