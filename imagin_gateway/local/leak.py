"""When passwords, or the accounts, may have leaked: everything that opens an account dies at once (row DPO-08)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.events import EventName
from imagin_gateway.local import history, store
from imagin_gateway.local import outbox as mails
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, Act, move
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.schema import accounts, address_changes, outbox, reset_requests, reset_tokens

_BATCH: Final = 500

_CARRY: Final = (MailKind.RESET, MailKind.ADDRESS_CODE_NEW, MailKind.ADDRESS_CODE_FORMER)
"""Mails that carry what opens something."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done about a leak.

    Attributes:
        changed: accounts whose chosen password must be replaced at the next login.
        letters: provisional passwords that open nothing any more.
        links: reset links that died, asked for or sent.
        codes: changes of address that died.
        mails: mails that waited with one of them, and will not leave.
    """

    changed: int
    letters: int
    links: int
    codes: int
    mails: int


@dataclass(frozen=True, slots=True)
class Concerned:
    """Somebody whose account was there: whom to tell (RGPD art. 34)."""

    identifier: str
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    email: str = field(repr=False)
    office: str = field(repr=False)
    state: str


class Leaks:
    """Answers a leak.

    Args:
        database: of the accounts.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def answer(self, *, letters: bool, actor: str) -> Answer:
        """Demand another password of everybody who has one, and kill every link and code, in one transaction.

        Args:
            letters: kill the provisional passwords of the letters, too; those people need another letter, or a link.
            actor: who does it.

        Raises:
            Unavailable: the database does not answer; nothing was changed.
        """
        now = self._clock.now()
        chosen = accounts.c.state == AccountState.ACTIVE.value
        after = move(AccountState.ACTIVE, Act.REQUIRE_CHANGE)
        with self._database.write(long=True) as connection:
            history.note_where(connection, chosen, EventName.CHANGE_REQUIRED, now, actor)
            changed = connection.execute(
                sa.update(accounts).where(chosen).values(state=after.value, version=accounts.c.version + 1)
            ).rowcount
            killed = self._kill_letters(connection) if letters else 0
            links = connection.execute(sa.delete(reset_tokens)).rowcount
            links += connection.execute(sa.delete(reset_requests)).rowcount
            codes = connection.execute(sa.delete(address_changes)).rowcount
            kinds = [kind.value for kind in _CARRY]
            waiting = connection.execute(sa.delete(outbox).where(outbox.c.kind.in_(kinds))).rowcount
        return Answer(changed, killed, links, codes, waiting)

    def _kill_letters(self, connection: sa.Connection) -> int:
        after = move(AccountState.PROVISIONAL, Act.EXPIRE)
        none = dict.fromkeys(("provisional_mac", "provisional_key", "provisional_ends_at", "provisional_run"))
        alive = accounts.c.state == AccountState.PROVISIONAL.value
        killed = connection.execute(
            sa.update(accounts).where(alive).values(state=after.value, version=accounts.c.version + 1, **none)
        ).rowcount
        # A locked account, unlocked later, must not find its letter alive.
        locked = (accounts.c.state == AccountState.LOCKED.value) & accounts.c.provisional_mac.is_not(None)
        return (
            killed
            + connection.execute(
                sa.update(accounts).where(locked).values(version=accounts.c.version + 1, **none)
            ).rowcount
        )

    def notify(self) -> int:
        """Write to everybody of whom another password is demanded, and who has an address; return to how many.

        Some hundreds in a transaction. Interrupted, it is not to be done again for those already written to.
        """
        now = self._clock.now()
        asked = accounts.c.state == AccountState.CHANGE_REQUIRED.value
        last = written = 0
        while True:
            with self._database.write(long=True) as connection:
                rows = connection.execute(
                    sa.select(accounts.c.id).where(accounts.c.id > last, asked).order_by(accounts.c.id).limit(_BATCH)
                ).all()
                known = store.find_ids(connection, [row.id for row in rows])
                at = {"at": now.isoformat()}
                written += mails.add_many(connection, MailKind.CHANGE_REQUIRED, known.values(), at, now)
            if not rows:
                return written
            last = rows[-1].id

    def concerned(self) -> Iterator[Concerned]:
        """Yield everybody who has an account."""
        last = 0
        columns = [accounts.c[name] for name in ("identifier", "family_name", "given_name", "email", "office", "state")]
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    sa.select(accounts.c.id, *columns).where(accounts.c.id > last).order_by(accounts.c.id).limit(_BATCH)
                ).all()
            if not rows:
                return
            for row in rows:
                yield Concerned(*row[1:])
            last = rows[-1].id
