"""Browsers an account is known to: those that proved its password, or used its link.

A browser holds an unpredictable id in a cookie of its own (`flows.client`); the store
holds, for a while, digests of that id and of the account. It opens nothing. It tells
which tries are the owner's when somebody else attacks the account (OWASP, "device
cookies"), and when to tell the owner that a new browser came in (row THR-09).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.keys import digest, new_token
from imagin_gateway.state.store import Space, StateStore

LIFE: Final = timedelta(days=180)
"""How long a browser stays known after its last sign-in."""


class KnownClients:
    """Remembers browsers.

    Args:
        state: the shared store. Emptied, it knows nobody: owners are told once more than needed.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def knows(self, account: str, client: str, now: datetime) -> bool:
        """Tell whether a browser is known to an account, existing or not."""
        return client != "" and self._state.get(Space.COUNTER, _key(account, client), now=timestamp(now)) is not None

    def remember(self, account: str, client: str, now: datetime) -> str:
        """Note that a browser proved it is the owner's; return the id it must hold: that it holds, or a new one.

        Args:
            account: key of the identifier.
            client: id of our making that the browser holds, or "".
            now: from when it counts.
        """
        client = client or new_token(256)
        at = timestamp(now)
        self._state.put(
            Space.COUNTER,
            _key(account, client),
            b"1",
            expires_at=at + LIFE.total_seconds(),
            now=at,
            indexes=[_index(account)],
        )
        return client

    def forget(self, account: str) -> None:
        """Forget every browser of an account: its password is another one."""
        self._state.delete_indexed(Space.COUNTER, _index(account))


def _key(account: str, client: str) -> str:
    return digest(f"known client\x00{account}\x00{client}")


def _index(account: str) -> str:
    return digest(f"known clients of\x00{account}")
