"""Accounts that nobody used for so long that they are erased (RGPD art. 5.1.e; row DPO-04).

What counts as a use: a login, whatever way it took; being in a list, since the managing office expects that
person; and each act by which an account opens again. It is kept by the day, which is all that is needed. A
failed login is no use: whoever guesses keeps nothing alive.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import store
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.personal import PersonalData
from imagin_gateway.local.schema import accounts

BATCH: Final = 500
"""Accounts erased by one purge: mails wait meanwhile, and a clock set years ahead must not empty the house at once."""

_log = logging.getLogger("imagin_gateway.local")


@dataclass(frozen=True, slots=True)
class Due:
    """Accounts that are to be erased.

    Attributes:
        count: how many.
        first: identifier and last day of use of those that go first.
    """

    count: int
    first: tuple[tuple[str, datetime], ...]


class Inactivity:
    """Notes uses, and erases the accounts that had none for long.

    Args:
        database: of the accounts.
        personal: erases.
        clock: the time.
        after: how long an account may be without use.
    """

    def __init__(self, database: Database, personal: PersonalData, clock: Clock, after: timedelta) -> None:
        self._database = database
        self._personal = personal
        self._clock = clock
        self._after = after

    def hear(self, event: Event) -> None:
        """Note a login. Never raises: nobody is kept out because a day cannot be written; the next login writes it."""
        if event.name is not EventName.LOGIN or event.person is None or event.person[0] != DIRECT_ISSUER:
            return
        mine = accounts.c.identifier_key == identifier_key(event.person[1])
        now = self._clock.now()
        try:
            with self._database.read() as connection:
                old = connection.execute(sa.select(accounts.c.id).where(mine, store.not_noted(now))).scalar()
            if old is not None:
                with self._database.write() as connection:
                    store.note_use(connection, [old], now)
        except Unavailable:
            _log.warning("a use of an account was not noted: the database does not answer")

    def due(self, *, within: timedelta = timedelta(), most: int = 20) -> Due:
        """Tell which accounts are to be erased now, or will be within some time if nobody uses them.

        Raises:
            Unavailable: the database does not answer.
        """
        self._fill()
        condition = self._unused(within)
        oldest = accounts.c.last_active_at
        with self._database.read() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(accounts).where(condition)).scalar_one()
            found = (
                sa.select(accounts.c.identifier, oldest).where(condition).order_by(oldest, accounts.c.id).limit(most)
            )
            first = tuple((row.identifier, row.last_active_at) for row in connection.execute(found))
        return Due(count, first)

    def erase(self, most: int = BATCH) -> int:
        """Erase those that have been without use for the longest, `most` of them; return how many went.

        Raises:
            Unavailable: the database does not answer; nothing was erased.
        """
        self._fill()
        return self._personal.erase_some(self._unused(), accounts.c.last_active_at, most)

    def _unused(self, within: timedelta = timedelta()) -> sa.ColumnElement[bool]:
        return accounts.c.last_active_at < self._clock.now() + within - self._after

    def _fill(self) -> None:
        """Take the making of an account for its first use, where a former release, in a rolling upgrade, noted none."""
        unknown = accounts.c.last_active_at.is_(None)
        with self._database.read() as connection:
            if connection.execute(sa.select(accounts.c.id).where(unknown).limit(1)).first() is None:
                return
        with self._database.write(long=True) as connection:
            connection.execute(sa.update(accounts).where(unknown).values(last_active_at=accounts.c.created_at))
