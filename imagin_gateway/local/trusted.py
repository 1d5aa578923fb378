"""Computers that may go without the second step for some days, because their owner ticked the box.

A browser holds an unpredictable id, signed, in a cookie of its own; the store holds what
it stands for. It says nothing about the password, which is asked for every time. It is
good for one account at one `version`: another password, or another factor, ends it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from imagin_gateway.clock import timestamp
from imagin_gateway.keys import digest, new_token
from imagin_gateway.state.store import Record, Space, StateStore

MOST: Final = 10
"""Computers one account may trust at once: the oldest goes."""


@dataclass(frozen=True, slots=True)
class TrustedComputer:
    """One of them, for its owner to recognise it."""

    handle: str
    device: str
    address: str
    since: datetime
    ends_at: datetime


class TrustedComputers:
    """Remembers them.

    Args:
        state: the shared store. Emptied, it trusts nobody.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def trust(self, account: str, version: int, device: str, address: str, life: timedelta, now: datetime) -> str:
        """Note a computer, and return the id it must hold.

        Args:
            account: key of the identifier.
            version: of the account, whose two factors were just proved.
            device, address: for the list.
            life: how long.
            now: from when.
        """
        token, at = new_token(256), timestamp(now)
        told = {"account": account, "version": version, "device": device, "address": address, "since": at}
        ends_at = at + life.total_seconds()
        value = json.dumps(told).encode()
        self._state.put(Space.COUNTER, _key(token), value, expires_at=ends_at, now=at, indexes=[_index(account)])
        for record in self._state.find(Space.COUNTER, _index(account), now=at)[:-MOST]:
            self._state.delete(Space.COUNTER, record.key)
        return token

    def holds(self, account: str, version: int, token: str, now: datetime) -> bool:
        """Tell whether a computer is trusted for this account as it is now."""
        raw = self._state.get(Space.COUNTER, _key(token), now=timestamp(now)) if token else None
        if raw is None:
            return False
        told = json.loads(raw)
        return bool(told["account"] == account and told["version"] == version)

    def of(self, account: str, version: int, now: datetime) -> list[TrustedComputer]:
        """Return those of an account, the newest first."""
        return [computer for computer, trusted_at in self._kept(account, now) if trusted_at == version]

    def kept(self, account: str, now: datetime) -> list[TrustedComputer]:
        """Return what is kept of an account, trusted no more included."""
        return [computer for computer, _ in self._kept(account, now)]

    def _kept(self, account: str, now: datetime) -> list[tuple[TrustedComputer, int]]:
        found = []
        for record in self._state.find(Space.COUNTER, _index(account), now=timestamp(now)):
            told = json.loads(record.value)
            since = datetime.fromtimestamp(told["since"], UTC)
            ends_at = datetime.fromtimestamp(record.expires_at, UTC)
            computer = TrustedComputer(_handle(record), told["device"], told["address"], since, ends_at)
            found.append((computer, int(told["version"])))
        return found[::-1]

    def forget(self, account: str, handle: str, now: datetime) -> bool:
        """Trust a computer no more; tell whether there was one of that account."""
        for record in self._state.find(Space.COUNTER, _index(account), now=timestamp(now)):
            if _handle(record) == handle:
                return self._state.delete(Space.COUNTER, record.key)
        return False

    def forget_all(self, account: str) -> None:
        """Forget every computer of an account that is erased."""
        self._state.delete_indexed(Space.COUNTER, _index(account))


def _key(token: str) -> str:
    return digest(f"trusted computer\x00{token}")


def _index(account: str) -> str:
    return digest(f"trusted computers of\x00{account}")


def _handle(record: Record) -> str:
    return digest(f"handle of\x00{record.key}")[:16]
