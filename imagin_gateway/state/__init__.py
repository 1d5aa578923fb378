"""Ephemeral state: what may be lost at the price of signing in again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.state.address import refusal

if TYPE_CHECKING:
    from imagin_gateway.state.store import StateStore


def open_store(url: str) -> StateStore:
    """Open the store that `url` names. The engine is imported here, when it is wanted.

    Args:
        url: ``sqlite:///path``, ``redis://host``, ``rediss://host`` (TLS), ``unix:///socket``,
            ``redis+sentinel://host,host/master`` or ``redis+cluster://host,host``.

    Raises:
        SettingsError: the address is none of these, or the file cannot be used.
    """
    if wrong := refusal(url):
        raise SettingsError([Problem("state.url", *wrong)])
    if url.startswith("sqlite:///"):
        from imagin_gateway.state.sqlite import SqliteStateStore

        return SqliteStateStore(url.removeprefix("sqlite:///"))
    from imagin_gateway.state.redis import RedisStateStore

    return RedisStateStore(url)
