"""What a spreadsheet, or a reading in the wrong encoding, did to a list before it came here.

Such a list is made of characters like any other. Taken as it is, every letter would
be printed with another name.
"""

from __future__ import annotations

import re
from typing import Final

from imagin_gateway.local.list_columns import BY_NAME, COLUMNS, plain

_WITHOUT_ACCENTS: Final = {
    plain("".join(sign if sign.isascii() else " " for sign in name)) for name, _ in COLUMNS.values()
} - BY_NAME.keys()
"""Our names with another sign in the place of each accented letter: « Pr?nom »."""

_READ_TWICE: Final = re.compile(r"[ÂÃ][€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘“”•–—˜™š›œžŸ¡-¿]|Å[’“¸]|â€|\ufffd")
"""« Ã© » for « é », « Å“ » for « œ », « â€™ » for « ’ »: UTF-8 read as Windows-1252; and what could not be read."""

_NO_LETTERS: Final = re.compile(r"\w\?|\?\w|[¼½¾]")
"""In names alone: what an encoding without accents leaves, and « Œ », « œ », « Ÿ » of ISO-8859-15."""

_NAMES: Final = frozenset({"family_name", "given_name"})

_FORMULA_FAILED: Final = re.compile(
    r"#(?:N/A|REF!|NOM\?|NAME\?|VALEUR!|VALUE!|DIV/0!|NOMBRE!|NUM!|NUL!|NULL!|##+)|Err\s?:\s?\d{3}"
)
"""What Excel and LibreOffice show, and save, in the place of a value."""

_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,3}")
"""« 1,23457E+11 »: a number that is too long for its cell."""


def is_of_dos(name: str) -> bool:
    """Tell whether a column has no name of ours, and has one in an encoding that most bytes do not tell apart.

    « Pr‚nom » is « Prénom »: read so, every name of the list would be another one.
    """
    if name.isascii() or plain(name) in BY_NAME:
        return False
    written = name.encode("cp1252")
    return any(plain(written.decode(encoding)) in BY_NAME for encoding in ("cp850", "mac_roman"))


def lost_accents(name: str) -> bool:
    """Tell whether a column would have a name of ours, had its file not been read in the wrong encoding before."""
    if plain(name) in BY_NAME:
        return False
    if plain(name) in _WITHOUT_ACCENTS:
        return True
    try:
        return plain(name.encode("cp1252").decode("utf-8")) in BY_NAME
    except UnicodeError:
        return False


def damage(column: str, value: str) -> str | None:
    """Tell what shows that a value is not what somebody wrote, or None. `column` is a key of `COLUMNS`."""
    if _FORMULA_FAILED.fullmatch(value):
        return "est une erreur de formule du tableur"
    if _READ_TWICE.search(value) or (column in _NAMES and _NO_LETTERS.search(value)):
        return "a perdu ses lettres accentuées\u00a0: exporter la liste de nouveau, en «\u00a0CSV UTF-8\u00a0»"
    if column == "identifier" and _SHORTENED.fullmatch(value):
        return "est un nombre que le tableur a abrégé\u00a0: mettre la colonne au format «\u00a0Texte\u00a0»"
    return None
