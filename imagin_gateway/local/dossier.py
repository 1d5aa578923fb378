"""What somebody who helps sees of an account: its state, its dates, what happened to it; no secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from imagin_gateway.local.accounts import AccountView
from imagin_gateway.local.history import Happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Tries to sign in that failed lately.

    Attributes:
        count: within the last 24 hours, of anybody.
        last: when the last one was.
        waits: right now, the account answers no try, or only those of browsers it knows.
    """

    count: int = 0
    last: datetime | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One account, for who helps its owner.

    Attributes:
        id: row of the account.
        account: as it is now.
        created_at: when a list first told of it.
        provisional_ends_at: end of the provisional password, if it has one.
        has_password: a password was chosen.
        can_mail: there is an address that mail may be sent to.
        portal_only: by that address, its owner must enter by a portal: nothing opens the account, no link leaves.
        waiting_mails: mails to its owner that have not left yet.
        failures: tries that failed lately.
        history: last events, the newest first.
    """

    id: int
    account: AccountView
    created_at: datetime
    provisional_ends_at: datetime | None
    has_password: bool
    can_mail: bool
    portal_only: bool
    waiting_mails: int
    failures: Failures
    history: tuple[Happened, ...] = field(repr=False)
