"""Changing one's mail address: confirmed at both ends, then told at both ends.

A link to that address sets the password, so a session and a password are not enough
to move it: a code goes to the new address, another to the one that is recorded, and
both are typed (rows RST-12 and PWD-12). Who reads the recorded one no more asks the
managing office, whose list changes it.

The database holds what the codes are made from; the key that makes them is not in it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import Keyring, Secret, new_token
from imagin_gateway.local import outbox, store
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, TransitionRefused, state_at
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.outbox import is_address
from imagin_gateway.local.schema import address_changes

LIFE: Final = timedelta(minutes=15)
"""How long a code works, from the moment its mail leaves."""

TRIES: Final = 5
"""Wrong codes after which a request is dead: one chance in 200 000 to guess one of the two."""

DIGITS: Final = 6

_PURPOSE: Final = "address code"

_ENDS: Final = {MailKind.ADDRESS_CODE_NEW: "new", MailKind.ADDRESS_CODE_FORMER: "former"}


class AddressRefused(Refused):
    """An address cannot be recorded; `code` is one of `Code.ADDRESS_*`. Nothing changed but the count of tries."""

    code = Code.ADDRESS_CODE


@dataclass(frozen=True, slots=True)
class PendingAddress:
    """An address that waits to be confirmed.

    Attributes:
        address: the new one.
        former: the one recorded, or "": then one code is enough.
    """

    address: str = field(repr=False)
    former: str = field(repr=False)


class Addresses:
    """Requests and their confirmation.

    Args:
        database: where accounts are.
        keys: make the codes.
        clock: the time.
        of_a_portal: tells of a mail address whether its owner must enter by a portal: the direct door would close.
    """

    def __init__(
        self,
        database: Database,
        keys: Keyring,
        clock: Clock,
        of_a_portal: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._of_a_portal = of_a_portal

    def ask(self, account: Account, address: str) -> PendingAddress:
        """Write the mails with the codes. A new request kills the former one.

        Args:
            account: whose password was just proved.
            address: the new one, as typed.

        Raises:
            AddressRefused: it is not one plain address, is the one recorded, or is of a portal's people.
            TransitionRefused: the account is not in a state for that, or changed meanwhile.
        """
        address = address.strip(" \u00a0")
        if not is_address(address):
            raise AddressRefused("not one plain address", code=Code.ADDRESS_MALFORMED)
        if address.casefold() == account.mailbox.casefold():
            raise AddressRefused("the address is recorded already", code=Code.ADDRESS_SAME)
        if self._of_a_portal(address):
            # Recorded, it would refuse its owner as a wrong password does, and no link would reach them.
            raise AddressRefused("whoever has this address must enter by a portal", code=Code.ADDRESS_PORTAL)
        now = self._clock.now()
        seed, key = new_token(256), self._keys.newest
        with self._database.write() as connection:
            still = store.find_id(connection, account.id, lock=True)
            if still is None or still.version != account.version or not _may_change(still, now):
                raise TransitionRefused("the address of this account cannot be changed now")
            former = still.mailbox if is_address(still.mailbox) else ""
            connection.execute(sa.delete(address_changes).where(address_changes.c.account_id == account.id))
            connection.execute(
                sa.insert(address_changes).values(
                    account_id=account.id,
                    address=address,
                    former=former,
                    seed=seed,
                    key=key,
                    failures=0,
                    ends_at=now + LIFE,
                )
            )
            payload = {"seed": seed, "key": key}
            outbox.add(connection, MailKind.ADDRESS_CODE_NEW, still, payload, now, recipient=address)
            if former:
                outbox.add(connection, MailKind.ADDRESS_CODE_FORMER, still, payload, now)
        return PendingAddress(address, former)

    def pending(self, account: Account) -> PendingAddress | None:
        """Return the request that waits, if there is one that can still be confirmed."""
        with self._database.read() as connection:
            row = connection.execute(_request(account.id)).one_or_none()
        return PendingAddress(row.address, row.former) if row is not None and self._alive(row) else None

    def _alive(self, row: sa.Row[tuple[object, ...]]) -> bool:
        alive: bool = row.ends_at > self._clock.now() and row.failures < TRIES
        return alive

    def code(self, kind: MailKind, payload: Mapping[str, str]) -> tuple[Secret, datetime] | None:
        """Return the code of a mail that leaves now, and its end; None if its request was replaced or used.

        The time of the codes begins here: a relay that was down takes nothing from it.
        """
        code = self._code(payload["seed"], payload["key"], _ENDS[kind])
        if code is None:
            return None
        ends_at = self._clock.now() + LIFE
        with self._database.write() as connection:
            alive = connection.execute(
                sa.update(address_changes).where(address_changes.c.seed == payload["seed"]).values(ends_at=ends_at)
            )
        return (Secret(code), ends_at) if alive.rowcount == 1 else None

    def _code(self, seed: str, key: str, end: str) -> str | None:
        mac = self._keys.mac(_PURPOSE, f"{end}\x00{seed}", key)
        return None if mac is None else f"{int(mac, 16) % 10**DIGITS:0{DIGITS}}"

    def confirm(self, account: Account, new: Secret, former: Secret) -> Account:
        """Record the address, kill the links sent to the former one, and write to both.

        Args:
            account: whose session it is.
            new: code received at the new address, as typed.
            former: code received at the recorded one; nothing, if there is none.

        Raises:
            AddressRefused: a code is wrong or too old, or nothing waits; one answer for all.
        """
        changed = None
        with self._database.write() as connection:
            now = self._clock.now()
            still = store.find_id(connection, account.id, lock=True)
            row = connection.execute(_request(account.id)).one_or_none()
            if still is None or row is None or not self._alive(row) or not _may_change(still, now):
                raise AddressRefused("no address waits for these codes")
            if still.mailbox != row.former:
                raise AddressRefused("the recorded address changed meanwhile")
            if self._both_right(row, new, former):
                changed = self._record(connection, still, row.address, now)
            else:
                counted = sa.update(address_changes).values(failures=address_changes.c.failures + 1)
                connection.execute(counted.where(address_changes.c.account_id == account.id))
        if changed is None:
            # Told once the count is kept.
            raise AddressRefused("a code is wrong")
        return changed

    def _both_right(self, row: sa.Row[tuple[object, ...]], new: Secret, former: Secret) -> bool:
        right = True
        for end, typed, asked in (("new", new, True), ("former", former, bool(row.former))):
            code = self._code(row.seed, row.key, end)
            # Both are compared, whatever the first says: no answer tells which one is wrong.
            same = hmac.compare_digest(_digits(typed).encode(), (code or "-").encode())
            right = right and (same or not asked)
        return right

    def _record(self, connection: sa.Connection, account: Account, address: str, now: datetime) -> Account:
        connection.execute(sa.delete(address_changes).where(address_changes.c.account_id == account.id))
        at = {"at": now.isoformat()}
        outbox.add(connection, MailKind.ADDRESS_LEFT, account, at, now)
        store.update_details(connection, account, {"email": address})
        changed = store.find_id(connection, account.id, lock=False)
        if changed is None:
            raise AssertionError("the row is held")
        outbox.add(connection, MailKind.ADDRESS_TAKEN, changed, at, now)
        return changed


def _may_change(account: Account, now: datetime) -> bool:
    return state_at(account.state, account.provisional_ends_at, now) is AccountState.ACTIVE


def _request(account_id: int) -> sa.Select[tuple[object, ...]]:
    return sa.select(*address_changes.c).where(address_changes.c.account_id == account_id)


def _digits(typed: Secret) -> str:
    return "".join(sign for sign in typed.reveal() if sign in "0123456789")
