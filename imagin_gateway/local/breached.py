"""Passwords seen in breaches, in a file the operator supplies: asked on disk, never loaded, never sent anywhere.

The file holds SHA-1 digests in hexadecimal, one a line, sorted, with or without a
count after a colon: the form in which such lists are published. SHA-1 protects
nothing here: it is only how they are written.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from imagin_gateway.errors import Code, Problem, SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.passwords import normalized

_LINE: Final = re.compile(rb"([0-9A-Fa-f]{40})(?::\d{1,15})?\r?")

_LONGEST: Final = 64
"""Bytes of the longest line: digest, colon, count, end."""

_SAMPLES: Final = 256


class BreachedList:
    """One list, open for as long as the process lives. Safe to share between threads and over a fork.

    Args:
        path: the file.

    Raises:
        SettingsError: it cannot be read, or a look at it in many places finds it is no such list, or not sorted.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise _problem("ce fichier ne peut pas être lu", "vérifier le chemin et les droits") from None
        try:
            self._size = os.fstat(self._descriptor).st_size
            self._check()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _check(self) -> None:
        remedy = "une empreinte SHA-1 par ligne (« EMPREINTE:nombre »), triées"
        try:
            places = {self._size * sample // _SAMPLES for sample in range(_SAMPLES)} | {max(0, self._size - _LONGEST)}
            found = [self._line(place) for place in sorted(places)]
        except ValueError:
            raise _problem("ce fichier contient autre chose que des empreintes", remedy) from None
        except OSError:
            raise _problem("ce fichier ne peut pas être lu", "vérifier le chemin et les droits") from None
        digests = [digest for _, digest in found if digest]
        if not digests:
            raise _problem("ce fichier est vide", remedy)
        if digests != sorted(digests):
            raise _problem("les empreintes ne sont pas triées", remedy)

    def holds(self, password: Secret) -> bool:
        """Tell whether a password, as typed or in lower case, was seen in a breach.

        Raises:
            Unavailable: the file cannot be read any more: nothing is set meanwhile.
        """
        text = normalized(password).reveal()
        try:
            return any(self._has(each) for each in {text, text.lower()})
        except (OSError, ValueError):
            raise Unavailable("the list of breached passwords cannot be read", code=Code.STORE_UNAVAILABLE) from None

    def _has(self, text: str) -> bool:
        wanted = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper().encode()
        low, high = 0, self._size
        # Between `low`, where a line begins, and `high`: halved until one line is left.
        while low < high:
            middle = (low + high) // 2
            start, digest = self._line(middle)
            if start >= high or not digest:
                high = middle
            elif digest == wanted:
                return True
            elif digest < wanted:
                low = start + 1
            else:
                high = middle
        return False

    def _line(self, place: int) -> tuple[int, bytes]:
        """Return where the first line that begins at `place` or after it begins, and its digest; b"" at the end.

        Raises:
            ValueError: it is none of a list of digests.
        """
        before = max(0, place - 1)
        raw = os.pread(self._descriptor, 2 * _LONGEST + 1, before)
        # A line begins at the start of the file, or after the end of another.
        skipped = 0 if place == 0 else raw.find(b"\n") + 1
        if place and not skipped:
            if len(raw) > _LONGEST:
                raise ValueError("a line is too long")
            return self._size, b""
        line = raw[skipped:].partition(b"\n")[0]
        if not line:
            if before + skipped < self._size:
                raise ValueError("an empty line")
            return self._size, b""
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError("not a digest")
        return before + skipped, found[1].upper()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _problem(message: str, remedy: str) -> SettingsError:
    return SettingsError([Problem("passwords.breached_list", message, remedy)])
