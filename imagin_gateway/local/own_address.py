"""A person's mail address as its owner changes it; `addresses` holds what waits to be confirmed."""

from __future__ import annotations

from collections.abc import Callable

from imagin_gateway.clock import Clock
from imagin_gateway.errors import Code
from imagin_gateway.events import EventName
from imagin_gateway.keys import Secret
from imagin_gateway.local import store
from imagin_gateway.local.accounts import Account, AccountView, identifier_key
from imagin_gateway.local.addresses import Addresses, AddressRefused, PendingAddress
from imagin_gateway.local.database import Database
from imagin_gateway.local.lifecycle import state_at
from imagin_gateway.local.login import Login
from imagin_gateway.local.own_password import proved
from imagin_gateway.local.telling import Telling
from imagin_gateway.local.throttle import Throttle


class OwnAddress:
    """Changes mail addresses. Safe to share between threads.

    Args:
        database: where accounts are.
        addresses: what waits to be confirmed.
        login: proves the password.
        throttle: bounds what is asked for.
        clock: the time.
        tell: tells the operator.
        wake: has the mail leave.
    """

    def __init__(
        self,
        database: Database,
        addresses: Addresses,
        login: Login,
        throttle: Throttle,
        clock: Clock,
        tell: Telling,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._addresses = addresses
        self._login = login
        self._throttle = throttle
        self._clock = clock
        self._tell = tell
        self._wake = wake

    def ask(
        self,
        identifier: str,
        current: Secret,
        new_address: str,
        *,
        address: str = "",
        correlation: str = "",
        client: str = "",
    ) -> PendingAddress:
        """Write to a new mail address, and to the one recorded, the codes that `confirm` asks for.

        Args:
            identifier: of the person who is signed in.
            current: password, typed again.
            new_address: as typed.
            address: of the client.
            correlation: of the request, for the event.
            client: id of the browser.

        Raises:
            PasswordRefused: the password is wrong; it counts as a failed login.
            AddressRefused: with what is wrong with the address, or too many requests.
            TransitionRefused: the account is not in a state for that.
            NetworkThrottled: this network must wait.
            Unavailable: too busy, or a store does not answer.
        """
        account = proved(self._login, identifier, current, address=address, client=client, correlation=correlation)
        key = identifier_key(account.identifier)
        if not self._throttle.may_ask(key, address, self._clock.now(), what="codes"):
            raise AddressRefused("too many codes were asked for", code=Code.ADDRESS_TOO_MANY)
        pending = self._addresses.ask(account, new_address)
        self._wake()
        self._tell(EventName.ADDRESS_ASKED, account.identifier, address=address, correlation=correlation)
        return pending

    def pending(self, identifier: str) -> PendingAddress | None:
        """Return the address that waits to be confirmed, if any. Raises `Unavailable`."""
        account = self._account(identifier)
        return None if account is None else self._addresses.pending(account)

    def confirm(
        self, identifier: str, new: Secret, former: Secret, *, address: str = "", correlation: str = ""
    ) -> AccountView:
        """Record the address that waits; both ends are told by mail.

        Args:
            identifier: of the person who is signed in.
            new: code received at the new address, as typed.
            former: code received at the recorded one, as typed.
            address: of the client, for the event.
            correlation: of the request, for the event.

        Raises:
            AddressRefused: a code is wrong or too old; too many wrong ones kill the request.
            Unavailable: the store does not answer.
        """
        account = self._account(identifier)
        if account is None:
            raise AddressRefused("no address waits for these codes")
        changed = self._addresses.confirm(account, new, former)
        self._wake()
        self._tell(EventName.ADDRESS_CHANGED, changed.identifier, address=address, correlation=correlation)
        return changed.view(state_at(changed.state, changed.provisional_ends_at, self._clock.now()))

    def _account(self, identifier: str) -> Account | None:
        with self._database.read() as connection:
            return store.find(connection, identifier_key(identifier))
