"""Recovery codes: for a day without the telephone. Random like the passwords of letters, and kept like them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.provisional import canonical, generate
from imagin_gateway.local.schema import recovery_codes

HOW_MANY: Final = 10

_PURPOSE: Final = "recovery code"


class RecoveryCodes:
    """Makes, keeps and uses them. Every method works in the transaction it is given.

    Args:
        keys: `settings.keys.factors`; a copy of the database without them verifies nothing.
    """

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def make(self, connection: sa.Connection, account_id: int) -> tuple[Secret, ...]:
        """Return new codes, 74 bits each; the former ones die."""
        clear(connection, account_id)
        codes = tuple(generate() for _ in range(HOW_MANY))
        rows = [{"account_id": account_id, "mac": self._mac(account_id, code, self._keys.newest)} for code in codes]
        connection.execute(sa.insert(recovery_codes), rows)
        return codes

    def use(self, connection: sa.Connection, account_id: int, typed: Secret) -> bool:
        """Use a code up; tell whether there was one. Of many uses at once, one finds the row."""
        if len(typed.reveal()) > 200:
            return False
        macs = [self._mac(account_id, typed, version) for version in self._keys.versions]
        wanted = (recovery_codes.c.account_id == account_id) & recovery_codes.c.mac.in_(macs)
        return connection.execute(sa.delete(recovery_codes).where(wanted)).rowcount == 1

    def _mac(self, account_id: int, code: Secret, version: str) -> str:
        # The account is part of it: a row moved to another account opens nothing there.
        mac = self._keys.mac(_PURPOSE, f"{account_id}\x00{canonical(code.reveal())}", version)
        if mac is None:
            raise AssertionError("a version of the ring itself")
        return mac


def left(connection: sa.Connection, account_id: int) -> int:
    """Return how many codes an account has left."""
    counted = sa.select(sa.func.count()).where(recovery_codes.c.account_id == account_id)
    return int(connection.execute(counted).scalar_one())


def clear(connection: sa.Connection, account_id: int) -> None:
    """Kill every code of an account."""
    connection.execute(sa.delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
