"""French spacing for what the code itself says; the table's own texts are already written that way."""

from __future__ import annotations

_SPACES = {f" {sign}": f"\u00a0{sign}" for sign in ":;?!»"} | {"« ": "«\u00a0"}


def spaced(text: str) -> str:
    """Return the text with non-breaking spaces before : ; ? ! » and after «."""
    for plain, unbroken in _SPACES.items():
        text = text.replace(plain, unbroken)
    return text
