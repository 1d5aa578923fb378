"""Finding one cookie in a header without reading the others."""

from __future__ import annotations


class CookieFinder:
    """Finds a cookie whose value has a known length.

    A value of ours that it returns is what `exchange.parse_cookies` would find;
    where it returns None, the question is left to that.

    Args:
        name: of the cookie.
        length: of its value.
    """

    __slots__ = ("_length", "_mark", "_skip")

    def __init__(self, name: str, length: int) -> None:
        self._mark = name + "="
        self._skip = len(self._mark)
        self._length = length

    def find(self, header: str) -> str | None:
        """Return the value where the cookie stands once, plainly, and is as long as it should be."""
        mark = self._mark
        at = header.find(mark)
        if at < 0 or (at and header[at - 2 : at] != "; "):
            return None
        begin = at + self._skip
        end = begin + self._length
        if header[end : end + 1] not in ("", ";") or header.find(mark, begin) >= 0:
            return None
        value = header[begin:end]
        # A shorter value would reach into what follows.
        return value if len(value) == self._length and ";" not in value else None
