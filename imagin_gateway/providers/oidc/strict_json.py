"""JSON objects from outside: no repeated name, no number that is none (RFC 8259 §4, §6)."""

from __future__ import annotations

import json
import math
from typing import Any


def read_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that `text` is.

    Raises:
        ValueError: not UTF-8, not JSON, not an object, a repeated name, NaN, a number beyond any
            however it is written, or half of a pair of surrogates.
            The message holds nothing of the text.
    """
    found: object = None
    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_number
        )
        if b"\\ud" in text.lower():
            # RFC 8259 §8.2: half of a pair is no sign, and cannot be written again.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    # Raised here, not above: the first error carries the document itself.
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is repeated")
    return found


def _number(written: str) -> float:
    """1e999 is Infinity by another name."""
    number = float(written)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")
    return number


def _no_constant(_name: str) -> float:
    raise ValueError("not a number of JSON")
