"""How much to measure: the whole takes some minutes, a try a minute or two (`BENCH_SESSIONS=quick`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Effort:
    """Numbers of everything.

    Attributes:
        rounds: turns, each of which measures every candidate once.
        seconds: of one measure.
        cold: reads, each of a session that the process has never met.
        few, many: live sessions of the two stores that are compared.
        held: sessions that one process keeps at once.
        starts: of every server whose throughput is measured.
        wrk_seconds: for which each is driven.
    """

    rounds: int = 15
    seconds: float = 0.05
    cold: int = 1000
    few: int = 1000
    many: int = 1_000_000
    held: int = 8000
    starts: int = 15
    wrk_seconds: int = 2


QUICK: Final = Effort(rounds=3, seconds=0.01, cold=60, few=200, many=2000, held=500, starts=1, wrk_seconds=1)


def asked() -> Effort:
    """Return what the environment asks for.

    Raises:
        SystemExit: `BENCH_SESSIONS` is something else than `quick`.
    """
    word = os.environ.get("BENCH_SESSIONS", "")
    if word not in ("", "quick"):
        raise SystemExit(f"BENCH_SESSIONS is {word!r}: unset it, or set it to quick")
    return QUICK if word else Effort()
