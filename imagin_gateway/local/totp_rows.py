"""The applications that make codes, as the database holds them: one an account, its secret sealed.

The caller opens the transaction and holds the account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from imagin_gateway.clock import Clock, timestamp
from imagin_gateway.errors import Code
from imagin_gateway.keys import Keyring, Secret, digest
from imagin_gateway.local import totp
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.factors import FactorRefused, TotpView
from imagin_gateway.local.schema import totp_factors
from imagin_gateway.state.store import Space, StateStore

SEALED_AS: Final = "totp secret"
"""Purpose under which a secret is sealed."""


class TotpRows:
    """Keeps, proves and removes applications. Safe to share between threads.

    Args:
        held: returns `settings.keys.factors`; raises `FactorRefused` when second factors are off.
        state: codes that were burnt.
        clock: as everywhere.

    A method that takes an account raises `FactorRefused` for a secret that was sealed for another, or with a key
    that is not held.
    """

    def __init__(self, held: Callable[[], Keyring], state: StateStore, clock: Clock) -> None:
        self._held = held
        self._state = state
        self._clock = clock

    def seal(self, account: Account, secret: Secret) -> str:
        """Return a secret as it is kept, good for this account alone."""
        return self._held().seal(SEALED_AS, secret, str(account.id))

    def unseal(self, account: Account, sealed: str) -> Secret:
        """Return what `seal` was given."""
        secret = self._held().unseal(SEALED_AS, sealed, str(account.id))
        if secret is None:
            raise FactorRefused(Code.FACTOR_GONE, "the secret was sealed with a key that is not held, or for another")
        return secret

    def view(self, connection: sa.Connection, account: Account) -> TotpView | None:
        """Return the application of an account, if it has one."""
        row = connection.execute(_of(account)).one_or_none()
        return None if row is None else TotpView(row.added_at, row.used_at)

    def put(self, connection: sa.Connection, account: Account, sealed: str, code: Secret) -> None:
        """Add an application that made a right code, in the place of the former one. Raises `FactorRefused`."""
        step = self._right_step(account, self.unseal(account, sealed), code)
        now = self._clock.now()
        self.remove(connection, account)
        connection.execute(
            sa.insert(totp_factors).values(
                account_id=account.id,
                secret=self.seal(account, self.unseal(account, sealed)),
                # The code that confirmed it is used: nobody signs in with it a moment later.
                step=step,
                added_at=now,
            )
        )

    def use(self, connection: sa.Connection, account: Account, code: Secret) -> None:
        """Use a code: of many uses of one code, one succeeds, for ever. Raises `FactorRefused`."""
        row = connection.execute(_of(account)).one_or_none()
        if row is None:
            raise FactorRefused(Code.FACTOR_GONE, "the account has no application")
        secret = self.unseal(account, row.secret)
        step = self._right_step(account, secret, code, row.step)
        # A key that was replaced seals nothing for long.
        sealed = row.secret if self._held().is_newest(row.secret) else self.seal(account, secret)
        same = (totp_factors.c.account_id == account.id) & (totp_factors.c.secret == row.secret)
        used = sa.update(totp_factors).where(same & (totp_factors.c.step < step))
        values = {"step": step, "used_at": self._clock.now(), "secret": sealed}
        if connection.execute(used.values(values)).rowcount != 1:
            raise FactorRefused(Code.FACTOR_USED, "the code was used already")

    def _right_step(self, account: Account, secret: Secret, code: Secret, last: int = -1) -> int:
        """Return the step of a code that may be taken now. Raises `FactorRefused`."""
        now = self._clock.now()
        step = totp.find(secret, code, now)
        if step is None:
            raise FactorRefused(Code.FACTOR_CODE, "the code is wrong")
        burnt = digest(f"burnt code\x00{account.id}\x00{step}\x00{digest(secret.reveal())}")
        at = timestamp(now)
        if step == last or self._state.get(Space.REPLAY, burnt, now=at) is not None:
            raise FactorRefused(Code.FACTOR_USED, "the code was used already")
        drift = step - totp.step_at(now)
        if abs(drift) > totp.WINDOW:
            if drift > 0:
                # Its hour will come: whoever is told that a guess was right for later must not use it then.
                ends = (step + totp.WINDOW + 1) * totp.STEP_SECONDS
                self._state.put(Space.REPLAY, burnt, b"1", expires_at=ends, now=at)
            minutes = max(1, round(abs(drift) * totp.STEP_SECONDS / 60))
            raise FactorRefused(Code.FACTOR_CLOCK, "the clock is off", minutes=minutes if drift > 0 else -minutes)
        if step < last:
            raise FactorRefused(Code.FACTOR_USED, "a later code was used already")
        return step

    def remove(self, connection: sa.Connection, account: Account) -> bool:
        """Remove the application of an account; tell whether there was one."""
        gone = sa.delete(totp_factors).where(totp_factors.c.account_id == account.id)
        return connection.execute(gone).rowcount == 1


def _of(account: Account) -> sa.Select[tuple[object, ...]]:
    return sa.select(*totp_factors.c).where(totp_factors.c.account_id == account.id)
