"""One run under way: accounts are made or updated, and it is decided what each letter says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from imagin_gateway.events import EventName
from imagin_gateway.keys import Secret
from imagin_gateway.local import history, outbox, provisional, store
from imagin_gateway.local.accounts import Account, identifier_key
from imagin_gateway.local.kept_runs import COUNTS, ImportReport, Output
from imagin_gateway.local.letter_files import LetterFiles
from imagin_gateway.local.letters import Letter, LetterKind
from imagin_gateway.local.lifecycle import AccountState, TransitionRefused, state_at
from imagin_gateway.local.list_columns import COLUMNS
from imagin_gateway.local.list_reader import Row
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.search import folded, mail_key

_DETAILS: Final = tuple(column for column in COLUMNS if column != "identifier")

_RENAMED_TOLD: Final = 20

_UNTOLD: Final = dict.fromkeys(COLUMNS, "")


def _differs(column: str, told: str, known: str) -> bool:
    # In other capitals, an address leads to the same mailbox: its owner has nothing to be told.
    return mail_key(told) != mail_key(known) if column == "email" else told != known


def _is_renamed(known: Mapping[str, str], changed: Mapping[str, str]) -> bool:
    """Tell whether no word of the former names is left: nobody marries into another given name."""
    if not (known["given_name"] and {"family_name", "given_name"} <= changed.keys()):
        return False
    before, after = (folded(f"{each['family_name']} {each['given_name']}").split() for each in (known, changed))
    return set(before).isdisjoint(after)


class LetterRun:
    """One run.

    Args:
        id: 32 hexadecimal digits.
        provisionals: keeps provisional passwords.
        now: when it happens.
        ends_at: end of the passwords it issues.
        reissue: replace those that still work, too.
        output: where letters go.
        actor: who does it.

    Attributes:
        unlocked: keys of the identifiers of those whom a letter unlocked.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 -- the run's own
        provisionals: Provisionals,
        now: datetime,
        ends_at: datetime,
        reissue: bool,
        output: Output,
        actor: str = "",
    ) -> None:
        self.id = id
        self._provisionals = provisionals
        self._now = now
        self._ends_at = ends_at
        self._reissue = reissue
        self._each, self._wanted = output.each, output.wanted
        self._actor = actor
        self.unlocked: list[str] = []
        self._again: list[int] = []
        self._counts: dict[str, Any] = dict.fromkeys(COUNTS, 0)
        self._letters: list[Letter] = []
        self._renamed: list[int] = []

    def write(self, connection: sa.Connection, rows: list[Row], files: LetterFiles) -> None:
        """Write some rows, then their letters."""
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
        # Who is listed is expected: their account is kept.
        store.note_use(connection, [account.id for account in known.values()], self._now)
        history.note(connection, self._again, EventName.PROVISIONAL_ISSUED, self._now, self._actor)
        self._again.clear()
        for letter in self._letters:
            files.write(letter)
            if self._each is not None:
                self._each(letter)
        self._letters.clear()

    def _create(self, row: Row) -> dict[str, object]:
        details = {**_UNTOLD, **row.values}
        self._counts["created"] += 1
        if not self._wanted:
            self._wait(details)
            return {**details, "identifier_key": row.key, **store.issued_values(None, self._ends_at, self.id)}
        value = provisional.generate()
        kept = self._provisionals.keep(value)
        self._counts["issued"] += 1
        self._letter(details, LetterKind.PROVISIONAL, value, self._ends_at)
        return {**details, "identifier_key": row.key, **store.issued_values(kept, self._ends_at, self.id)}

    def _update(self, connection: sa.Connection, account: Account, row: Row) -> None:
        known = {column: getattr(account, column) for column in ("identifier", *_DETAILS)}
        changed = {
            column: row.values[column]
            for column in _DETAILS
            if row.values.get(column) and _differs(column, row.values[column], known[column])
        }
        if _is_renamed(known, changed):
            self._counts["renamed"] += 1
            if len(self._renamed) < _RENAMED_TOLD:
                self._renamed.append(row.line)
        if changed:
            store.update_details(connection, account, changed)
            self._counts["updated"] += 1
            if "email" in changed and account.password_hash is not None:
                self._tell_addresses(connection, account, changed["email"])
        else:
            self._counts["unchanged"] += 1
        self._write_to(connection, account, {**known, **changed})

    def _tell_addresses(self, connection: sa.Connection, account: Account, new: str) -> None:
        at = {"at": self._now.isoformat()}
        outbox.add(connection, MailKind.ADDRESS_LEFT, account, at, self._now)
        outbox.add(connection, MailKind.ADDRESS_TAKEN, account, at, self._now, recipient=new)

    def _write_to(
        self, connection: sa.Connection, account: Account, details: dict[str, str], *, held: bool = False
    ) -> None:
        """Decide what the letter of an existing account says; `held`, nobody else changes it meanwhile."""
        state = state_at(account.state, account.provisional_ends_at, self._now)
        if state is AccountState.DISABLED:
            self._counts["disabled"] += 1
        elif account.password_hash is not None:
            self._counts["personalised"] += 1
            self._letter(details, LetterKind.CHOSEN)
        elif state is AccountState.PROVISIONAL and not self._reissue:
            self._letter(details, LetterKind.SENT, None, account.provisional_ends_at)
        elif not self._wanted:
            self._wait(details)
        else:
            value = provisional.generate()
            kept = self._provisionals.keep(value)
            try:
                store.issue_provisional(connection, account, kept, self._ends_at, self._now, run=self.id)
            except TransitionRefused:
                # Its owner has just chosen a password, say: one person does not stop the list of all.
                still = None if held else store.find_id(connection, account.id, lock=True)
                if still is None:
                    raise
                self._write_to(connection, still, details, held=True)
                return
            if state is AccountState.LOCKED:
                self.unlocked.append(identifier_key(account.identifier))
            self._counts["issued"] += 1
            # One that waits since it was made has had none: nothing dies, and nothing is opened again.
            self._counts["reissued"] += account.provisional_mac is not None or account.version > 1
            self._again.append(account.id)
            self._letter(details, LetterKind.PROVISIONAL, value, self._ends_at)

    def _wait(self, details: Mapping[str, str]) -> None:
        self._counts["waiting"] += 1
        self._letter(details, LetterKind.WAITING)

    def _letter(
        self,
        details: Mapping[str, str],
        kind: LetterKind,
        value: Secret | None = None,
        ends_at: datetime | None = None,
    ) -> None:
        if not self._wanted:
            return
        letter = Letter(
            identifier=details["identifier"],
            family_name=details["family_name"],
            given_name=details["given_name"],
            office=details["office"],
            kind=kind,
            provisional=value,
            ends_at=ends_at,
        )
        self._letters.append(letter)

    def report(self) -> ImportReport:
        """Return what was done."""
        return ImportReport(**self._counts, renamed_lines=tuple(self._renamed))
