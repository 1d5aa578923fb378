"""The passkeys of accounts, as the database holds them.

The caller opens the transaction and holds the account.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code
from imagin_gateway.keys import Secret, digest
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.factors import MOST_PASSKEYS, FactorRefused, PasskeyView
from imagin_gateway.local.passkeys import Answer, Ceremonies, NewPasskey, handle_of
from imagin_gateway.local.schema import passkeys

MOST_NAME: Final = 40
"""Longest name of a passkey, in code points."""


class PasskeyRows:
    """Keeps, proves and removes passkeys. Safe to share between threads.

    Args:
        ceremonies: what browsers are asked, and how their answers are verified.
        clock: as everywhere.
    """

    def __init__(self, ceremonies: Ceremonies, clock: Clock) -> None:
        self._ceremonies = ceremonies
        self._clock = clock

    def views(self, connection: sa.Connection, account: Account) -> tuple[PasskeyView, ...]:
        """Return the passkeys of an account, the oldest first."""
        wanted = sa.select(passkeys).where(passkeys.c.account_id == account.id).order_by(passkeys.c.id)
        return tuple(
            PasskeyView(_handle(row.credential_id), row.name, row.added_at, row.used_at)
            for row in connection.execute(wanted).all()
        )

    def credential_ids(self, connection: sa.Connection, account: Account) -> list[str]:
        """Return the credential ids of an account's passkeys (WebAuthn §4), the oldest first."""
        wanted = sa.select(passkeys.c.credential_id).where(passkeys.c.account_id == account.id)
        return list(connection.execute(wanted.order_by(passkeys.c.id)).scalars())

    def owner(self, connection: sa.Connection, told: Answer) -> int | None:
        """Return the id of the account that has the passkey of an answer, which is not verified yet."""
        wanted = sa.select(passkeys.c.account_id).where(passkeys.c.credential_id == told.credential_id)
        return connection.execute(wanted).scalar_one_or_none()

    def add(self, connection: sa.Connection, account: Account, made: NewPasskey, name: str) -> None:
        """Add a passkey that was just made.

        Args:
            connection: of a transaction that writes.
            account: whose it is.
            made: as it was verified.
            name: as typed; what cannot be printed becomes a space, and `MOST_NAME` signs are kept.

        Raises:
            FactorRefused: the account has `MOST_PASSKEYS`, or the passkey is held already.
        """
        if len(self.credential_ids(connection, account)) >= MOST_PASSKEYS:
            raise FactorRefused(Code.FACTOR_LIMIT, "the account has all the passkeys it may have")
        held = sa.select(passkeys.c.id).where(passkeys.c.credential_id == made.credential_id)
        if connection.execute(held).first() is not None:
            raise FactorRefused(Code.FACTOR_ANSWER, "this passkey is held already, by this account or another")
        connection.execute(
            sa.insert(passkeys).values(
                account_id=account.id,
                credential_id=made.credential_id,
                public_key=made.public_key,
                sign_count=made.sign_count,
                name=_name(name),
                added_at=self._clock.now(),
            )
        )

    def use(self, connection: sa.Connection, account: Account, told: Answer, challenge: Secret) -> None:
        """Verify an answer by a passkey of this very account. Raises `FactorRefused`."""
        wanted = (passkeys.c.credential_id == told.credential_id) & (passkeys.c.account_id == account.id)
        row = connection.execute(sa.select(passkeys).where(wanted)).one_or_none()
        if row is None or told.user_handle not in ("", handle_of(account.id)):
            raise FactorRefused(Code.FACTOR_UNKNOWN, "the account has no such passkey")
        count = self._ceremonies.used(told, challenge, row.public_key, row.sign_count)
        same = (passkeys.c.id == row.id) & (passkeys.c.sign_count == row.sign_count)
        changed = sa.update(passkeys).where(same).values(sign_count=count, used_at=self._clock.now())
        if connection.execute(changed).rowcount != 1:
            raise FactorRefused(Code.FACTOR_COUNTER, "the passkey was used elsewhere at the same time")

    def remove(self, connection: sa.Connection, account: Account, handle: str) -> bool:
        """Remove the passkey with this handle (`PasskeyView.handle`); tell whether there was one."""
        ids = [each for each in self.credential_ids(connection, account) if _handle(each) == handle]
        gone = sa.delete(passkeys).where(passkeys.c.credential_id.in_(ids))
        return connection.execute(gone).rowcount == 1

    def remove_all(self, connection: sa.Connection, account: Account) -> None:
        """Remove every passkey of an account."""
        connection.execute(sa.delete(passkeys).where(passkeys.c.account_id == account.id))


def _handle(credential_id: str) -> str:
    return digest(f"passkey\x00{credential_id}")[:16]


def _name(typed: str) -> str:
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in typed[:200]).split())
    return text[:MOST_NAME]
