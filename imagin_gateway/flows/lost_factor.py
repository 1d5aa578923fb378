"""A second factor that its owner lost, recovery codes too: the help desk, which knows the person, takes it away."""

from __future__ import annotations

from dataclasses import dataclass

from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local.door import AccountView, DirectDoor
from imagin_gateway.sessions.registry import SessionRegistry


@dataclass(frozen=True, slots=True)
class Cleared:
    """What taking the factors of an account away did.

    Attributes:
        account: as it is now.
        ended: sessions that were ended.
    """

    account: AccountView
    ended: int


def clear_factors(
    direct: DirectDoor,
    sessions: SessionRegistry,
    identifier: str,
    *,
    actor: str,
    address: str = "",
    correlation: str = "",
    version: int | None = None,
) -> Cleared | None:
    """Take every second factor and recovery code of an account away, then end its sessions.

    One event tells who did it, and a mail tells the person. The password stays: with it
    alone the person signs in, and adds a new factor, at once where one is required.

    Args:
        direct, sessions: of one gateway.
        identifier: as the convocation tells it, or as somebody typed it.
        actor: who does it.
        address, correlation: of the request, when it is done in a page.
        version: of the account that was looked at; the present one when None.

    Returns:
        None when no account has that identifier.

    Raises:
        TransitionRefused: the account changed since it was looked at.
        Unavailable: a store does not answer. The sessions' store is asked first: without it, nothing is changed.
    """
    sessions.store.ping()
    account = direct.factors.remove_all(
        identifier, actor=actor, address=address, correlation=correlation, version=version
    )
    if account is None:
        return None
    return Cleared(account, sessions.end_person(DIRECT_ISSUER, account.identifier))
