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

    __slots__ = ("_alone", "_begin", "_length", "_mark")

    def __init__(self, name: str, length: int) -> None:
        self._mark = name + "="
        self._begin = len(self._mark)
        self._length = length
        self._alone = self._begin + length

    def find(self, header: str) -> str | None:
        """Return the value where the cookie stands once, plainly, and is as long as it should be.

        Alone in a header of that length, whatever follows its name: what holds another cookie is no value of ours.
        """
        if len(header) == self._alone and header.startswith(self._mark):
            return header[self._begin :]
        before, mark, rest = header.partition(self._mark)
        if not mark or (before and not before.endswith("; ")) or mark in rest:
            return None
        value = rest.partition(";")[0]
        return value if len(value) == self._length else None
