"""What can be done about an account in its state: the names of the acts, in the order of the page."""

from __future__ import annotations

from typing import Final

from imagin_gateway.local.door import Dossier, FactorsView
from imagin_gateway.local.lifecycle import AccountState, Act, allows

TAKE_OVER: Final = frozenset({"reissue", "replace", "factors"})
"""Acts by which who does them could sign in as the owner: not on the account of somebody who helps more people."""


def offers(found: Dossier, factors: FactorsView, *, helps_more: bool = False) -> list[str]:
    """Return the acts that are possible now; the same table of the account's life decides when one is done.

    Args:
        found, factors: the account.
        helps_more: its owner helps people whom the helper does not.
    """
    state = found.account.state
    locked = state is AccountState.LOCKED
    possible = {
        "link": found.can_mail and not found.portal_only and allows(state, Act.RESET),
        "reissue": not found.has_password and allows(state, Act.ISSUE),
        "unlock": locked or (found.failures.count > 0 and state is not AccountState.DISABLED),
        "replace": found.has_password and allows(state, Act.REPLACE),
        "factors": factors.any,
        "change": allows(state, Act.REQUIRE_CHANGE),
        "disable": allows(state, Act.DISABLE),
        "enable": allows(state, Act.ENABLE),
    }
    return [act for act, is_possible in possible.items() if is_possible and not (helps_more and act in TAKE_OVER)]
