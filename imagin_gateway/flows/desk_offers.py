"""What can be done about an account in its state: the names of the acts, in the order of the page."""

from __future__ import annotations

from imagin_gateway.local.door import Dossier, FactorsView
from imagin_gateway.local.lifecycle import AccountState, Act, allows


def offers(found: Dossier, factors: FactorsView) -> list[str]:
    """Return the acts that are possible now; the same table of the account's life decides when one is done."""
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
    return [act for act, is_possible in possible.items() if is_possible]
