"""Importing the list of an exam session: accounts are made or updated, letters come out.

Every line is checked before the first is written. All is written in one
transaction, or nothing. Run again, the same list changes nothing. A person who has
chosen a password gets none; one whose provisional password still works gets no
other, unless asked; one whose provisional password opens nothing any more gets a
new one. An empty cell says nothing: what is known stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import ImportRefused, LineProblem
from imagin_gateway.keys import Secret
from imagin_gateway.local import provisional, store
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import Database
from imagin_gateway.local.letters import Letter, LetterKind, write_letters_csv
from imagin_gateway.local.lifecycle import AccountState, state_at
from imagin_gateway.local.list_reader import COLUMNS, ConvocationList, Row
from imagin_gateway.local.provisional import Provisionals

Progress = Callable[[int, int], None]
"""Called with the lines done and the lines in all, while the list is written."""

_BATCH: Final = 500

_DETAILS: Final = tuple(column for column in COLUMNS if column != "identifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        created: accounts made.
        updated: accounts whose details changed.
        unchanged: accounts whose details were the same.
        personalised: those of them that have a chosen password.
        disabled: those of them that are closed: they get no letter.
        issued: provisional passwords printed.
        reissued: identifiers whose former provisional password died.
        problems: lines left out, when asked to skip them.
        letters: one for each account that is not closed, in the order of the list.
        ignored_columns: columns of the list that nothing was read from.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    personalised: int = 0
    disabled: int = 0
    issued: int = 0
    reissued: tuple[str, ...] = ()
    problems: tuple[LineProblem, ...] = ()
    letters: tuple[Letter, ...] = field(default=(), repr=False)
    ignored_columns: tuple[str, ...] = ()


class Importer:
    """Imports lists.

    Args:
        database: where accounts are.
        provisionals: keeps provisional passwords.
        clock: the time.
        life: how long a provisional password works.
    """

    def __init__(self, database: Database, provisionals: Provisionals, clock: Clock, life: timedelta) -> None:
        self._database = database
        self._provisionals = provisionals
        self._clock = clock
        self._life = life

    def run(
        self,
        path: Path,
        *,
        skip_bad: bool = False,
        reissue: bool = False,
        letters_to: Path | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import one list.

        Args:
            path: the list.
            skip_bad: import the good lines even if there are bad ones.
            reissue: print a new provisional password for those who still have one: the former one dies.
            letters_to: file of the mail merge. Written before the transaction ends, so that no password is lost:
                if it cannot be written, nothing is imported.
            progress: told how far it is.

        Raises:
            ImportRefused: with every bad line; nothing was written.
            FileExistsError: `letters_to` exists; nothing was written.
            Unavailable: the database does not answer; nothing was written.
        """
        convocations = ConvocationList(path)
        problems: list[LineProblem] = []
        total = 0
        for entry in convocations:
            if isinstance(entry, Row):
                total += 1
            else:
                problems += entry
        if problems and not skip_bad:
            raise ImportRefused(problems)
        now = self._clock.now()
        run = _Run(self._provisionals, now, now + self._life, reissue)
        written = False
        try:
            with self._database.write() as connection:
                done = 0
                for rows in _batches(_good(convocations, skip_bad)):
                    run.write(connection, rows)
                    done += len(rows)
                    if progress is not None:
                        progress(done, total)
                if letters_to is not None:
                    write_letters_csv(letters_to, run.letters)
                    written = True
        except BaseException:
            # Letters whose passwords open nothing must not be printed.
            if written and letters_to is not None:
                letters_to.unlink()
            raise
        return run.report(tuple(problems), convocations.ignored)


def _good(convocations: ConvocationList, skip_bad: bool) -> Iterator[Row]:
    for entry in convocations:
        if isinstance(entry, Row):
            yield entry
        elif not skip_bad:
            # The file changed since it was checked.
            raise ImportRefused(entry)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


class _Run:
    """One import under way."""

    def __init__(self, provisionals: Provisionals, now: datetime, ends_at: datetime, reissue: bool) -> None:
        self._provisionals = provisionals
        self._now = now
        self._ends_at = ends_at
        self._reissue = reissue
        self._created = self._updated = self._unchanged = self._personalised = self._disabled = 0
        self._reissued: list[str] = []
        self.letters: list[Letter] = []

    def write(self, connection: sa.Connection, rows: list[Row]) -> None:
        known = store.find_many(connection, [row.key for row in rows])
        new: list[dict[str, object]] = []
        for row in rows:
            account = known.get(row.key)
            if account is None:
                new.append(self._create(row))
            else:
                self._update(connection, account, row)
        if new:
            store.insert_accounts(connection, new, self._now)

    def _create(self, row: Row) -> dict[str, object]:
        value = provisional.generate()
        kept = self._provisionals.keep(value)
        details = {column: row.values.get(column, "") for column in COLUMNS}
        self._created += 1
        self._letter(details, LetterKind.PROVISIONAL, value, self._ends_at)
        return {**details, "identifier_key": row.key, **store.provisional_values(kept, self._ends_at)}

    def _update(self, connection: sa.Connection, account: Account, row: Row) -> None:
        known = {column: getattr(account, column) for column in ("identifier", *_DETAILS)}
        changed = {
            column: row.values[column]
            for column in _DETAILS
            if row.values.get(column) and row.values[column] != known[column]
        }
        if changed:
            store.update_details(connection, account.id, changed)
            self._updated += 1
        else:
            self._unchanged += 1
        self._write_to(connection, account, {**known, **changed})

    def _write_to(self, connection: sa.Connection, account: Account, details: dict[str, str]) -> None:
        """Decide what the letter of an existing account says."""
        state = state_at(account.state, account.provisional_ends_at, self._now)
        if state is AccountState.DISABLED:
            self._disabled += 1
        elif account.password_hash is not None:
            self._personalised += 1
            self._letter(details, LetterKind.CHOSEN)
        elif state in (AccountState.EXPIRED, AccountState.LOCKED) or self._reissue:
            value = provisional.generate()
            store.issue_provisional(connection, account, self._provisionals.keep(value), self._ends_at, self._now)
            self._reissued.append(account.identifier)
            self._letter(details, LetterKind.PROVISIONAL, value, self._ends_at)
        else:
            self._letter(details, LetterKind.SENT, None, account.provisional_ends_at)

    def _letter(
        self, details: dict[str, str], kind: LetterKind, value: Secret | None = None, ends_at: datetime | None = None
    ) -> None:
        letter = Letter(
            identifier=details["identifier"],
            family_name=details["family_name"],
            given_name=details["given_name"],
            office=details["office"],
            kind=kind,
            provisional=value,
            ends_at=ends_at,
        )
        self.letters.append(letter)

    def report(self, problems: tuple[LineProblem, ...], ignored: tuple[str, ...]) -> ImportReport:
        return ImportReport(
            created=self._created,
            updated=self._updated,
            unchanged=self._unchanged,
            personalised=self._personalised,
            disabled=self._disabled,
            issued=self._created + len(self._reissued),
            reissued=tuple(self._reissued),
            problems=problems,
            letters=tuple(self.letters),
            ignored_columns=ignored,
        )
