"""What a chosen password must be: long, and neither known nor made of what everybody knows.

Length and lists, no composition rule and no age: a long sentence in lower case is
always good (NIST SP 800-63B-4 §3.1.1.2). The first thing wrong is told, each with
a code of its own. The lists are in `data/`; a list of breached passwords is the operator's to add (`breached`).
"""

from __future__ import annotations

import functools
import math
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from imagin_gateway.errors import Code, Refused
from imagin_gateway.keys import Secret
from imagin_gateway.local.passwords import MAX_BYTES, byte_length, normalized

OWN_SIGNS: Final = 8
"""Signs that must remain once what everybody knows is taken out."""

LOWEST_MINIMUM: Final = 12
"""Shortest minimum an operator may set, in code points (row PWD-01)."""

CNIL_BITS: Final = 80

CNIL_BITS_RESTRICTED: Final = 50
"""Enough where tries are counted and slowed down (CNIL délibération 2022-100, second case)."""

LETTERS: Final = 26

DIGITS: Final = 10

SPECIALS: Final = 37

_DATA: Final = Path(__file__).parent / "data"

_SEPARATORS: Final = frozenset(string.whitespace + string.punctuation + "’«»…–—·\u00a0\u202f")

_LOOK_ALIKES: Final = str.maketrans("0134578@$!|€", "oieastbasile")

_WALKS: Final = tuple(
    walk
    for row in (
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "azertyuiop",
        "qsdfghjklm",
        "wxcvbn",
        "qwertyuiop",
        "asdfghjkl",
        "zxcvbnm",
    )
    for walk in (row, row[::-1])
)

_TAILS: Final = (
    *("1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890"),
    *("01", "007", "000", "111", "321", "123123", "654321", "987654321", "azerty", "qwerty", "azertyuiop"),
    *(str(year) for year in range(2000, 2036)),
)

_SHORTEST_WALK: Final = 4


class PasswordRefused(Refused):
    """A password cannot be set; `code` is one of `Code.PASSWORD_*`.

    Attributes:
        missing: signs that lack, for `PASSWORD_TOO_SHORT`.
        maximum: longest length, in bytes, for `PASSWORD_TOO_LONG`.
    """

    def __init__(self, code: Code, *, missing: int = 0, maximum: int = 0) -> None:
        super().__init__(code=code)
        self.missing = missing
        self.maximum = maximum


class PasswordPolicy:
    """The rules for a chosen password.

    Args:
        minimum_length: in code points, after NFC; a password stands alone here, so at least `LOWEST_MINIMUM`.
        breached: tells whether a password was seen in a breach.
        restricted: tries are counted and slowed down, so that the lower figure of CNIL is enough.

    Raises:
        ValueError: the length is too short, or letters of that length do not make CNIL's figure.
    """

    def __init__(
        self,
        minimum_length: int,
        *,
        breached: Callable[[Secret], bool] | None = None,
        restricted: bool = True,
    ) -> None:
        if minimum_length < LOWEST_MINIMUM:
            raise ValueError(f"a password that stands alone needs {LOWEST_MINIMUM} signs or more")
        self.minimum_length = minimum_length
        self.least_bits = CNIL_BITS_RESTRICTED if restricted else CNIL_BITS
        self._breached = breached
        if round(entropy_bits(minimum_length, LETTERS)) < self.least_bits:
            raise ValueError(f"letters of this length do not make {self.least_bits} bits")

    def check(
        self,
        new: Secret,
        again: Secret,
        *,
        about: Iterable[str] = (),
        is_former: Callable[[Secret], bool] | None = None,
    ) -> None:
        """Refuse a password that must not be set.

        Args:
            new: as typed.
            again: as typed the second time.
            about: identifier, names and mail of the person.
            is_former: tells whether a password is the one it replaces.

        Raises:
            PasswordRefused: with the first thing wrong.
        """
        if not new:
            raise PasswordRefused(Code.PASSWORD_MISSING)
        if byte_length(new) > MAX_BYTES:
            raise PasswordRefused(Code.PASSWORD_TOO_LONG, maximum=MAX_BYTES)
        text = normalized(new).reveal()
        if text != normalized(again).reveal():
            raise PasswordRefused(Code.PASSWORD_MISMATCH)
        if (missing := self._needed(text) - len(text)) > 0:
            raise PasswordRefused(Code.PASSWORD_TOO_SHORT, missing=missing)
        if is_former is not None and is_former(new):
            raise PasswordRefused(Code.PASSWORD_SAME)
        if _is_made_of(text, about):
            raise PasswordRefused(Code.PASSWORD_CONTEXT)
        if _is_common(text) or _is_monotonous(text):
            raise PasswordRefused(Code.PASSWORD_COMMON)
        if self._breached is not None and self._breached(new):
            raise PasswordRefused(Code.PASSWORD_BREACHED)

    def _needed(self, text: str) -> int:
        """Return how long a text of these kinds of signs must be: longer, if it is all digits and the minimum low."""
        needed = self.minimum_length
        while round(entropy_bits(needed, alphabet_of(text))) < self.least_bits:
            needed += 1
        return needed


def entropy_bits(length: int, alphabet: int) -> float:
    """Return what CNIL calls the theoretical entropy of a policy (délibération 2022-100): length × log2(alphabet)."""
    return length * math.log2(alphabet)


def alphabet_of(text: str) -> int:
    """Return the size of the alphabet a text draws on, by the kinds CNIL counts: letters, digits, 37 other signs."""
    kinds = (
        (LETTERS, any(sign.islower() for sign in text)),
        (LETTERS, any(sign.isupper() for sign in text)),
        (DIGITS, any(sign.isdigit() for sign in text)),
        (SPECIALS, any(not (sign.islower() or sign.isupper() or sign.isdigit()) for sign in text)),
    )
    return sum(size for size, used in kinds if used)


def _fold(text: str) -> str:
    """Return a text without case, accents and ligatures."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _squeeze(text: str) -> str:
    """Return a folded text without what stands between words."""
    return "".join(sign for sign in text if sign not in _SEPARATORS)


@functools.cache
def _lines(name: str) -> frozenset[str]:
    text = (_DATA / name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return frozenset(_squeeze(_fold(line)) for line in lines if line and not line.startswith("#"))


def _is_made_of(text: str, about: Iterable[str]) -> bool:
    """Tell whether little remains of the password without the words of the service and of the person.

    A digit in the place of a letter counts as the letter; of the digits added, each counts once at most.
    """
    folded = _fold(text)
    words = _lines("context_words.txt") | _words_about(about)
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    pattern = re.compile("|".join(re.escape(word) for word in longest_first))
    for reading in (folded, folded.translate(_LOOK_ALIKES)):
        squeezed = _squeeze(reading)
        left = pattern.sub("", squeezed)
        digits = {sign for sign in left if sign.isdigit()}
        if left != squeezed and sum(not sign.isdigit() for sign in left) + len(digits) < OWN_SIGNS:
            return True
    return False


def _words_about(about: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for value in about:
        folded = _fold(value.partition("@")[0])
        words.add(_squeeze(folded))
        words.update(re.split(r"[\W_\d]+", folded))
    return {word for word in words if len(word) >= 3}


def _is_common(text: str) -> bool:
    return _squeeze(_fold(text)) in common_passwords()


@functools.cache
def common_passwords() -> frozenset[str]:
    """Return the passwords everybody thinks of once a long one is asked for: those listed, and usual words made longer.

    People lengthen their usual word by writing it again, or by counting after it.
    """
    words = _lines("common_words.txt")
    longer = {
        longer
        for word in words
        for longer in (
            *(word * times for times in (2, 3, 4)),
            *(word * times + tail for times in (1, 2) for tail in _TAILS),
            *(tail + word for tail in _TAILS),
        )
        if len(longer) >= LOWEST_MINIMUM
    }
    return _lines("common_passwords.txt") | longer


def _is_monotonous(text: str) -> bool:
    """Tell whether a password is a short unit repeated, a walk over the keyboard, or counting."""
    folded = text.casefold()
    if min(_period(text), _period(folded)) < OWN_SIGNS or len(set(folded)) < 5:
        return True
    left = _without_walks(folded)
    return len(left) < OWN_SIGNS and left != folded


def _period(text: str) -> int:
    """Return the length of the shortest unit whose repetition, cut anywhere, gives the text."""
    for length in range(1, OWN_SIGNS):
        if all(text[place] == text[place % length] for place in range(len(text))):
            return length
    return len(text)


def _without_walks(text: str) -> str:
    kept: list[str] = []
    place = 0
    while place < len(text):
        steps = _walk_at(text, place)
        if steps >= _SHORTEST_WALK:
            place += steps
        else:
            kept.append(text[place])
            place += 1
    return "".join(kept)


def _walk_at(text: str, start: int) -> int:
    """Return how many signs from `start` follow one another in a row, or are the same one."""
    end = start + 1
    while end < len(text) and _is_walk(text[start : end + 1]):
        end += 1
    return end - start


def _is_walk(signs: str) -> bool:
    return len(set(signs)) == 1 or any(signs in walk for walk in _WALKS)
