"""What a Redis server says of its own settings, and which of them endanger the state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from imagin_gateway.errors import Problem

KEY: Final = "state.url"

OLDEST: Final = (6, 0)


def endangering(info: Mapping[str, Any], *, fails_over: bool) -> list[Problem]:
    """Return what endangers the state, in French, most serious first.

    Args:
        info: the server's answer to INFO. What it does not tell (some hosts hide it) is no problem.
        fails_over: whether a replica takes over when the server fails.
    """
    problems = []
    version = re.match(r"(\d+)\.(\d+)", str(info.get("redis_version", "")))
    if version and (int(version[1]), int(version[2])) < OLDEST:
        problems.append(Problem(KEY, "ce serveur Redis est trop ancien", "Redis 6.0 ou plus récent", "redis.version"))
    if info.get("role") == "slave":
        problems.append(
            Problem(
                KEY, "ce serveur Redis est une réplique : il refuse d’écrire", "l’adresse du maître", "redis.replica"
            )
        )
    if info.get("maxmemory") and info.get("maxmemory_policy", "noeviction") != "noeviction":
        problems.append(
            Problem(
                KEY,
                "quand sa mémoire est pleine, ce serveur Redis oublie des sessions, des anti-rejeux et des compteurs",
                "un Redis à part, avec « maxmemory-policy noeviction »",
                "redis.eviction",
            )
        )
    # `min_slaves_good_slaves` is told only where writes want replicas.
    if fails_over and info.get("connected_slaves") and "min_slaves_good_slaves" not in info:
        problems.append(
            Problem(
                KEY,
                "un maître Redis isolé de ses répliques continuerait d’accepter des écritures, qui seraient perdues",
                "« min-replicas-to-write 1 » et « min-replicas-max-lag 10 » sur chaque serveur Redis",
                "redis.replicas",
            )
        )
    return problems
