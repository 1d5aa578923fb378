"""The last events of each account, kept beside it for those who help its owner.

The operator's log stays the authority: it is elsewhere, only appended to, and holds
everything. What is kept here is a short memory that can be asked for: of one account,
few events, forgotten after the retention of the settings. It holds no address, no name
and no secret; who acted is told as in the log (decision 0065).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local import kept_runs
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.database import Database
from imagin_gateway.local.schema import account_events, accounts

MOST: Final = 100
"""Events kept of one account; an older one goes when another comes."""

KEPT: Final = frozenset(
    {
        EventName.LOGIN,
        EventName.PASSWORD_CHOSEN,
        EventName.PASSWORD_REFUSED,
        EventName.LINK_ORDERED,
        EventName.PROVISIONAL_ISSUED,
        EventName.CHANGE_REQUIRED,
        EventName.ADDRESS_CHANGED,
        EventName.ACCOUNT_SHOWN,
        EventName.ACCOUNT_LOCKED,
        EventName.ACCOUNT_UNLOCKED,
        EventName.ACCOUNT_DISABLED,
        EventName.ACCOUNT_ENABLED,
        EventName.ACCOUNT_EXPORTED,
        EventName.ACCOUNT_LINKED,
        EventName.ACCOUNT_UNLINKED,
        EventName.FACTOR_ADDED,
        EventName.FACTOR_REMOVED,
        EventName.FACTORS_CLEARED,
        EventName.FACTOR_REQUIRED,
        EventName.FACTOR_NOT_REQUIRED,
        EventName.RECOVERY_CODES_MADE,
        EventName.RECOVERY_CODE_USED,
        EventName.MAIL_SENT,
        EventName.MAIL_FAILED,
        EventName.SESSIONS_ENDED,
    }
)
"""Kinds of events that are kept. No failed login: what it costs must not tell whether the account exists."""

_IN_BULK: Final = frozenset({EventName.PROVISIONAL_ISSUED, EventName.CHANGE_REQUIRED})
"""Kept in the transaction that does it, for many accounts at once."""

_DETAILS: Final = ("how", "mail", "given_up", "ended", "mailed", "withheld")
"""Facts of an event that are kept with it."""

_log = logging.getLogger("imagin_gateway.local")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of an account.

    Attributes:
        event: name of its kind.
        actor: who acted, if it was not the owner.
        detail: a few facts.
    """

    at: datetime
    event: str
    code: str
    actor: str
    detail: Mapping[str, object] = field(default_factory=dict)


class History:
    """Keeps and tells the last events of accounts.

    Args:
        database: of the accounts.
        clock: the time.
        kept_for: how long an event is kept.
    """

    def __init__(self, database: Database, clock: Clock, kept_for: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._kept_for = kept_for

    def hear(self, event: Event) -> None:
        """Keep an event that was just written to the log, if it is of one account. Never raises.

        Nobody is kept out because this memory cannot be written: the log has the event.
        """
        if event.person is None or event.person[0] != DIRECT_ISSUER:
            return
        if event.name not in KEPT or event.name in _IN_BULK:
            return
        try:
            with self._database.write() as connection:
                key = identifier_key(event.person[1])
                found = connection.execute(sa.select(accounts.c.id).where(accounts.c.identifier_key == key)).scalar()
                if found is not None:
                    detail = {name: event.detail[name] for name in _DETAILS if name in event.detail}
                    code = event.code.value if event.code else ""
                    note(connection, [found], event.name, self._clock.now(), event.actor, code=code, detail=detail)
        except Unavailable:
            _log.warning("an event of an account was not kept beside it: the database does not answer")

    def of(self, connection: sa.Connection, account_id: int, limit: int = MOST) -> list[Happened]:
        """Return the last events of an account that are not older than the retention, the newest first."""
        table = account_events
        since = self._clock.now() - self._kept_for
        found = (
            sa.select(table)
            .where(table.c.account_id == account_id, table.c.at >= since)
            .order_by(table.c.id.desc())
            .limit(limit)
        )
        return [
            Happened(row.at, row.event, row.code, row.actor, json.loads(row.detail))
            for row in connection.execute(found)
        ]

    def purge(self) -> int:
        """Forget what is older than the retention, of every account and import; return how many events went."""
        before = self._clock.now() - self._kept_for
        with self._database.write() as connection:
            kept_runs.forget(connection, before)
            return connection.execute(sa.delete(account_events).where(account_events.c.at < before)).rowcount


def note(
    connection: sa.Connection,
    account_ids: Iterable[int],
    name: EventName,
    now: datetime,
    actor: str = "",
    *,
    code: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Keep the same event of some accounts, in the transaction of what it tells; of one, the oldest go."""
    ids = list(account_ids)
    if not ids:
        return
    common = {"at": now, "event": name.value, "code": code, "actor": actor, "detail": json.dumps(dict(detail or {}))}
    connection.execute(sa.insert(account_events), [{**common, "account_id": each} for each in ids])
    if len(ids) == 1:
        _trim(connection, ids[0])


def note_where(
    connection: sa.Connection, condition: sa.ColumnElement[bool], name: EventName, now: datetime, actor: str = ""
) -> None:
    """Keep the same event of every account that a condition holds for, in one statement."""
    told = {"at": now, "event": name.value, "code": "", "actor": actor, "detail": "{}"}
    values = [sa.literal(value, account_events.c[column].type) for column, value in told.items()]
    rows = sa.select(accounts.c.id, *values).where(condition)
    connection.execute(sa.insert(account_events).from_select(["account_id", *told], rows))


def _trim(connection: sa.Connection, account_id: int) -> None:
    # Not after an event of many accounts: it adds one to each, which goes with the next.
    table = account_events
    newest = sa.select(table.c.id).where(table.c.account_id == account_id).order_by(table.c.id.desc())
    beyond = newest.offset(MOST).limit(1).scalar_subquery()
    connection.execute(sa.delete(table).where(table.c.account_id == account_id, table.c.id <= beyond))
