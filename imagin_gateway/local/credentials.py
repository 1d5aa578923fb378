"""Setting a password: the policy, the hash, then the write, always in this order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from imagin_gateway.errors import Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local import outbox, store
from imagin_gateway.local.accounts import Account
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import AccountState, Act, TransitionRefused
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.password_policy import PasswordPolicy
from imagin_gateway.local.passwords import Hasher
from imagin_gateway.local.provisional import Provisionals
from imagin_gateway.local.store import ChosenPassword


class Credentials:
    """The way by which every password is set.

    Args:
        database: where accounts are.
        policy: what a password must be.
        hasher: how it is kept.
        provisionals: what it must differ from.
    """

    def __init__(self, database: Database, policy: PasswordPolicy, hasher: Hasher, provisionals: Provisionals) -> None:
        self._database = database
        self._policy = policy
        self._hasher = hasher
        self._provisionals = provisionals

    def choose(self, account: Account, new: Secret, again: Secret, *, current: Secret | None = None) -> ChosenPassword:
        """Check a new password and hash it. Writes nothing: a hash takes long, and a transaction must not.

        Args:
            account: whose it will be.
            new: as typed.
            again: as typed the second time.
            current: the password it replaces, when the person has just typed it.

        Raises:
            PasswordRefused: the policy refuses it.
            Unavailable: too many passwords are being hashed.
        """
        about = (account.identifier, account.family_name, account.given_name, account.email)
        self._policy.check(new, again, about=about, is_former=self._former(account, current))
        return ChosenPassword(self._hasher.hash(new))

    def _former(self, account: Account, current: Secret | None) -> Callable[[Secret], bool]:
        def is_former(new: Secret) -> bool:
            if current is not None and new == current:
                return True
            if self._provisionals.matches(account, new):
                return True
            required = account.state is AccountState.CHANGE_REQUIRED
            return required and self._hasher.verify(account.password_hash, new)

        return is_former

    def write(self, account: Account, chosen: ChosenPassword, act: Act, notice: MailKind, now: datetime) -> Account:
        """Write a chosen password, and the notice about it, in one transaction; return the account as it is then.

        Raises:
            TransitionRefused: the act is not possible, or the account changed since `account` was read.
        """
        with self._database.write() as connection:
            written = store.write_password(connection, account, chosen, act, now)
            outbox.add(connection, notice, written, {"at": now.isoformat()}, now)
        return written

    def refresh(self, account: Account, password: Secret, now: datetime) -> None:
        """Hash afresh a password that was just verified, if its hash has older parameters (row HSH-03)."""
        if account.password_hash is None or not self._hasher.needs_rehash(account.password_hash):
            return
        try:
            chosen = ChosenPassword(self._hasher.hash(password))
            with self._database.write() as connection:
                store.write_password(connection, account, chosen, None, now)
        except (Unavailable, TransitionRefused):
            # The login stands on the old hash; the next one will do.
            return
