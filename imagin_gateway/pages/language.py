"""In which language a page speaks, and where the same page stands in the others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MAX_HEADER: Final = 1000
"""Signs of Accept-Language read; honest browsers send fewer than two hundred."""

MAX_RANGES: Final = 32

_RANGE: Final = re.compile(r"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")

_WEIGHT: Final = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
"""RFC 9110 §12.4.2."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Language:
    """The language of one page.

    Attributes:
        code: e.g. ``"en"``.
        carried: the same, when the page's links must say it, since no cookie does; else "".
        switch: where this page stands in each other language that is offered; empty where there is nothing to offer.
    """

    code: str
    carried: str = ""
    switch: Mapping[str, str] = field(default_factory=_nothing)


def accepted(header: str, offered: Sequence[str]) -> str:
    """Return the language a browser asks for, or the first one offered. Never raises.

    Each language offered has the greatest weight among the ranges it falls in (`en-GB`
    speaks for `en`); `*` speaks for those that no range names. Zero refuses. Of equal
    weights, the one named first wins. What cannot be read counts for nothing.

    Args:
        header: Accept-Language (RFC 9110 §12.5.4), as it came.
        offered: codes; the first is the default.
    """
    weights: dict[str, tuple[float, int]] = {}
    if len(header) <= MAX_HEADER:
        for place, part in enumerate(header.split(",")[:MAX_RANGES]):
            name, _, weight = (piece.strip(" \t") for piece in part.partition(";"))
            told = _WEIGHT.fullmatch(weight) if weight else None
            if not _RANGE.fullmatch(name) or (weight and told is None):
                continue
            primary = name.partition("-")[0].lower()
            found = (float(told[1]) if told else 1.0, -place)
            weights[primary] = max(found, weights.get(primary, found))
    ranked = [(weights.get(code, weights.get("*", (0.0, 0))), -number, code) for number, code in enumerate(offered)]
    (greatest, _), _, best = max(ranked)
    return best if greatest > 0 else offered[0]
