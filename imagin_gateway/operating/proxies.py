"""What the serving processes noticed of a proxy that is not declared, for the operator who checks."""

from __future__ import annotations

from imagin_gateway.clock import Clock, timestamp
from imagin_gateway.errors import Problem
from imagin_gateway.flows.proxies import kept_under
from imagin_gateway.keys import Keyring
from imagin_gateway.settings import Settings
from imagin_gateway.state.store import Space, StateStore


def noticed(settings: Settings, store: StateStore, keys: Keyring, clock: Clock) -> list[Problem]:
    """Return what the serving processes noticed, for the operator who checks. Raises `Unavailable`."""
    kept = store.get(Space.SEEN, kept_under(keys), now=timestamp(clock.now()))
    if kept is None:
        return []
    header = kept.decode()
    if not settings.trusted_proxies:
        what = f"des requêtes portent {header}, et aucun mandataire n'est déclaré : il n'est pas cru"
        return [Problem("trusted_proxies", what, "trusted_proxies = 1, s'il est à vous")]
    if header == "x-forwarded-for":
        return []  # noticed before the setting was changed
    what = f"des requêtes portent {header} sans X-Forwarded-For, seul à être lu"
    return [Problem("trusted_proxies", what, "faire ajouter X-Forwarded-For par le mandataire")]
