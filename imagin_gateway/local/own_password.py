"""A person's password as its owner sets it: the first one, another one, one by a mailed link."""

from __future__ import annotations

from collections.abc import Callable

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.keys import Secret
from imagin_gateway.local import store
from imagin_gateway.local.accounts import Account, AccountView, identifier_key
from imagin_gateway.local.clients import KnownClients
from imagin_gateway.local.credentials import Credentials
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import Act, TransitionRefused, state_at
from imagin_gateway.local.login import CredentialsRefused, Login
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.password_policy import PasswordRefused
from imagin_gateway.local.reset import Resets
from imagin_gateway.local.telling import Telling


class OwnPassword:
    """Sets passwords. Safe to share between threads.

    Args:
        database: where accounts are.
        credentials: hold a new password to the policy, and write it.
        login: proves the current one.
        resets: mailed links.
        clients: browsers known as the owner's.
        clock: the time.
        tell: tells the operator.
        wake: has the mail leave.
    """

    def __init__(
        self,
        database: Database,
        credentials: Credentials,
        login: Login,
        resets: Resets,
        clients: KnownClients,
        clock: Clock,
        tell: Telling,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._credentials = credentials
        self._login = login
        self._resets = resets
        self._clients = clients
        self._clock = clock
        self._tell = tell
        self._wake = wake

    def choose_first(
        self,
        identifier: str,
        new: Secret,
        again: Secret,
        *,
        version: int | None = None,
        address: str = "",
        correlation: str = "",
    ) -> AccountView:
        """Set the password of somebody who signed in with one that must be replaced.

        Args:
            identifier: of the session opened for that alone.
            new: as typed.
            again: as typed the second time.
            version: `AccountView.version` at the login, if kept: a letter issued since then ends it.
            address: of the client, for the event.
            correlation: of the request, for the event.

        Raises:
            PasswordRefused: with the first thing wrong with the password.
            TransitionRefused: there is nothing to choose any more.
            Unavailable: too busy, or the store does not answer.
        """
        account = self._account(identifier)
        if account is None or (version is not None and account.version != version):
            raise TransitionRefused("the account changed since the login")
        first = account.password_hash is None
        notice = MailKind.FIRST_CONNECTION if first else MailKind.PASSWORD_CHANGED
        chosen = self._credentials.choose(account, new, again)
        written = self._credentials.write(account, chosen, Act.CHOOSE, notice, self._clock.now())
        return self._set(written, "first" if first else "required", address, correlation)

    def change(
        self,
        identifier: str,
        current: Secret,
        new: Secret,
        again: Secret,
        *,
        address: str = "",
        correlation: str = "",
        client: str = "",
    ) -> AccountView:
        """Set another password for somebody who is signed in and types the current one again.

        Raises:
            PasswordRefused: with the first thing wrong. A wrong current password counts as a failed login.
            TransitionRefused: the account is not in a state for that.
            NetworkThrottled: this network must wait.
            Unavailable: too busy, or a store does not answer.
        """
        account = proved(self._login, identifier, current, address=address, client=client, correlation=correlation)
        chosen = self._credentials.choose(account, new, again, current=current)
        now = self._clock.now()
        written = self._credentials.write(account, chosen, Act.CHANGE, MailKind.PASSWORD_CHANGED, now)
        return self._set(written, "change", address, correlation)

    def ask_reset(self, identifier: str, *, address: str, correlation: str = "") -> None:
        """Note that a link is asked for. The same for every identifier; the mail, if any, leaves afterwards.

        Raises:
            NetworkThrottled: too many requests from this network.
            Unavailable: a store does not answer.
        """
        if self._resets.ask(identifier, address=address, correlation=correlation):
            self._wake()
        else:
            tried = identifier_key(identifier)
            self._tell(EventName.RESET_ASKED, tried, code=Code.THROTTLED, address=address, correlation=correlation)

    def is_link_alive(self, token: str) -> bool:
        """Tell whether a link can still be used. Consumes nothing."""
        return self._resets.is_alive(token)

    def use_reset(
        self, token: str, new: Secret, again: Secret, *, address: str = "", correlation: str = ""
    ) -> AccountView:
        """Set a password by a mailed link, which dies. Nobody is signed in by it.

        Raises:
            LinkDead: the link opens nothing, whatever the reason.
            PasswordRefused: with the first thing wrong; the link still works.
            Unavailable: too busy, or a store does not answer; the link still works.
        """
        return self._set(self._resets.use(token, new, again), "reset", address, correlation)

    def _set(self, account: Account, how: str, address: str, correlation: str) -> AccountView:
        self._wake()
        # Who knew the former password is known no more.
        self._clients.forget(identifier_key(account.identifier))
        self._tell(
            EventName.PASSWORD_CHOSEN,
            account.identifier,
            address=address,
            correlation=correlation,
            detail={"how": how},
        )
        return account.view(state_at(account.state, account.provisional_ends_at, self._clock.now()))

    def order_link(self, identifier: str, *, actor: str, address: str = "", correlation: str = "") -> bool:
        """Have a link mailed to the owner of an account; False if no account has this identifier."""
        account = self._account(identifier)
        if account is None:
            return False
        self._resets.note(identifier_key(identifier))
        self._tell(EventName.LINK_ORDERED, account.identifier, actor=actor, address=address, correlation=correlation)
        self._wake()
        return True

    def _account(self, identifier: str) -> Account | None:
        with self._database.read() as connection:
            return store.find(connection, identifier_key(identifier))


def proved(login: Login, identifier: str, current: Secret, *, address: str, client: str, correlation: str) -> Account:
    """Return the account of somebody who is signed in and types the current password again.

    Raises:
        PasswordRefused: it is wrong; it counts as a failed login.
        NetworkThrottled: this network must wait.
        Unavailable: too busy, or a store does not answer.
    """
    try:
        return login.prove(identifier, current, address=address, client=client, correlation=correlation).account
    except CredentialsRefused:
        raise PasswordRefused(Code.PASSWORD_CURRENT) from None
