"""Mail waiting to leave: written in the transaction of what it tells, claimed by one sender at a time.

No text is kept, only what it is made of; a reset link is not in the database at
all (`reset.link_token`). Delivery is at least once: a sender that dies between the
relay's answer and our note sends again, under the same Message-ID.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.keys import new_token
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import Database
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.schema import accounts, address_changes, outbox, reset_tokens

LEASE: Final = timedelta(minutes=15)
"""How long a claimed mail is left to its sender, more than a relay may take; after that, it is taken for dead."""

FIRST_RETRY: Final = timedelta(seconds=15)

LONGEST_RETRY: Final = timedelta(minutes=15)

GIVE_UP: Final = timedelta(days=2)
"""Age at which a mail that cannot be sent is dropped, with an event."""

MAX_EMAIL: Final = 254
"""RFC 5321 §4.5.3.1.3, less the angle brackets."""

_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

_EMAIL: Final = re.compile(rf"({_LOCAL})@{_LABEL}(?:\.{_LABEL})+")


def is_address(text: str) -> bool:
    """Tell whether a text is one plain mail address, and nothing that a relay could read as more (row RST-11)."""
    if len(text) > MAX_EMAIL:
        return False
    found = _EMAIL.fullmatch(text)
    return found is not None and len(found[1]) <= 64


def depth(database: Database) -> tuple[int, datetime | None]:
    """Return how many mails wait, and since when the oldest does. Raises `Unavailable`."""
    with database.read() as connection:
        row = connection.execute(sa.select(sa.func.count(), sa.func.min(outbox.c.created_at))).one()
    return row[0], row[1]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One mail claimed by this sender.

    Attributes:
        payload: what its text is made of.
        claim: proof that it is still ours.
    """

    id: int
    account_id: int
    identifier: str
    kind: MailKind
    recipient: str = field(repr=False)
    message_id: str
    payload: Mapping[str, str] = field(repr=False)
    created_at: datetime
    attempts: int
    claim: str = field(repr=False)


def add(
    connection: sa.Connection,
    kind: MailKind,
    account: Account,
    payload: Mapping[str, str],
    now: datetime,
    *,
    recipient: str | None = None,
) -> bool:
    """Write a mail to the address of an account, or about it to another `recipient`.

    Without a verified, plain address, write nothing, and tell.
    """
    recipient = account.mailbox if recipient is None else recipient
    if not is_address(recipient):
        return False
    connection.execute(sa.insert(outbox).values(**_row(kind, account, recipient, payload, now)))
    return True


def add_many(
    connection: sa.Connection, kind: MailKind, to: Iterable[Account], payload: Mapping[str, str], now: datetime
) -> int:
    """Write the same mail to the owners of these accounts who have an address, at once; return to how many."""
    rows = [_row(kind, each, each.mailbox, payload, now) for each in to if is_address(each.mailbox)]
    if rows:
        connection.execute(sa.insert(outbox), rows)
    return len(rows)


def _row(
    kind: MailKind, account: Account, recipient: str, payload: Mapping[str, str], now: datetime
) -> dict[str, object]:
    return {
        "account_id": account.id,
        "kind": kind.value,
        "recipient": recipient,
        "message_id": new_token(128),
        "payload": json.dumps(dict(payload)),
        "created_at": now,
        "due_at": now,
        "attempts": 0,
    }


class Outbox:
    """The mails that wait, as a sender sees them.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now: datetime) -> Waiting | None:
        """Take the mail that has been due the longest, for `LEASE`: no other sender has it meanwhile."""
        claim = new_token(128)
        with self._database.write() as connection:
            due = (
                sa.select(outbox.c.id)
                .where(outbox.c.due_at <= now)
                .order_by(outbox.c.due_at, outbox.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            found = connection.execute(due).scalar_one_or_none()
            if found is None:
                return None
            connection.execute(
                sa.update(outbox)
                .where(outbox.c.id == found)
                .values(claim=claim, due_at=now + LEASE, attempts=outbox.c.attempts + 1)
            )
            row = connection.execute(
                sa.select(outbox, accounts.c.identifier)
                .join(accounts, accounts.c.id == outbox.c.account_id)
                .where(outbox.c.id == found)
            ).one()
        return Waiting(
            row.id,
            row.account_id,
            row.identifier,
            MailKind(row.kind),
            row.recipient,
            row.message_id,
            json.loads(row.payload),
            row.created_at,
            row.attempts,
            claim,
        )

    def remove(self, waiting: Waiting) -> None:
        """Forget a mail: it left, or never will."""
        with self._database.write() as connection:
            connection.execute(sa.delete(outbox).where(_ours(waiting)))

    def postpone(self, waiting: Waiting, now: datetime) -> None:
        """Let a mail be tried again later: after 15 s, 30 s, 1 min... a quarter of an hour at most."""
        wait = min(FIRST_RETRY * 2 ** min(waiting.attempts - 1, 10), LONGEST_RETRY)
        with self._database.write() as connection:
            connection.execute(sa.update(outbox).where(_ours(waiting)).values(claim=None, due_at=now + wait))

    def purge(self, now: datetime) -> None:
        """Forget what mails carried and that ended long ago (row SES-18): a mail lives for `GIVE_UP` at most."""
        old = now - GIVE_UP - timedelta(days=1)
        with self._database.write() as connection:
            for table in (reset_tokens, address_changes):
                connection.execute(sa.delete(table).where(table.c.ends_at < old))


def _ours(waiting: Waiting) -> sa.ColumnElement[bool]:
    return (outbox.c.id == waiting.id) & (outbox.c.claim == waiting.claim)
