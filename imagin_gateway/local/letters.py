"""What goes on the letters: the one time a provisional password is seen in clear."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, TextIO

from imagin_gateway.keys import Secret
from imagin_gateway.local.dates import PARIS


class LetterKind(StrEnum):
    """What a letter says under the identifier."""

    PROVISIONAL = "provisional"
    """A provisional password, printed."""
    CHOSEN = "chosen"
    """Nothing: the person already has a password (« c'est que vous l'avez déjà personnalisé »)."""
    SENT = "sent"
    """Nothing: the provisional password of an earlier letter still works, and nobody can read it again."""
    WAITING = "waiting"
    """Nothing yet: no letter was asked for, so no password was issued to be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter.

    Attributes:
        provisional: as printed; None unless `kind` is `PROVISIONAL`.
        ends_at: end of the provisional password, new or already sent.
        replaced: a chosen password was taken away for it.
    """

    identifier: str
    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    office: str = field(repr=False)
    kind: LetterKind
    provisional: Secret | None = None
    ends_at: datetime | None = None
    replaced: bool = False

    @property
    def last_day(self) -> date | None:
        """Last day, in Paris, during the whole of which the provisional password works: the date to print."""
        return None if self.ends_at is None else _last_day(self.ends_at)


@lru_cache(maxsize=64)
def _last_day(ends_at: datetime) -> date:
    # The letters of one list end together.
    return (ends_at.astimezone(PARIS) - timedelta(days=1)).date()


@lru_cache(maxsize=64)
def _as_printed(day: date) -> str:
    return day.strftime("%d/%m/%Y")


_HEADER: Final = (
    "Identifiant",
    "Nom",
    "Prénom",
    "Service gestionnaire",
    "Mot de passe provisoire",
    "Valable jusqu’au",
    "Mention",
)

_MENTIONS: Final = {
    LetterKind.PROVISIONAL: "Mot de passe provisoire",
    LetterKind.CHOSEN: "Vous avez déjà choisi votre mot de passe.",
    LetterKind.SENT: "Utilisez le mot de passe provisoire de votre lettre précédente.",
    LetterKind.WAITING: "Aucun mot de passe n’a encore été émis.",
}

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a value for a formula."""


def neutral(value: str) -> str:
    """Return a value that no spreadsheet runs: an apostrophe goes before what looks like a formula."""
    if value[:1].isalnum():
        return value
    return "'" + value if value.lstrip(" ").startswith(_FORMULA) else value


class LettersCsv:
    """Writes the file of the mail merge: semicolons, UTF-8 with byte order mark.

    Args:
        file: open for text; it receives the header at once.
    """

    encoding: Final = "utf-8"

    def __init__(self, file: TextIO) -> None:
        # Python's own « utf-8-sig » is slow: it asks at each letter whether it is the first.
        file.write("\ufeff")
        self._writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        self._writer.writerow(_HEADER)

    def write(self, letter: Letter) -> None:
        """Write one letter."""
        self._writer.writerow(_row(letter))

    def end(self) -> None:
        """Write what comes after the last letter: nothing."""


def _row(letter: Letter) -> list[str]:
    told = (letter.identifier, letter.family_name, letter.given_name, letter.office)
    return [
        *(neutral(value) for value in told),
        letter.provisional.reveal() if letter.provisional is not None else "",
        "" if letter.ends_at is None else _as_printed(_last_day(letter.ends_at)),
        _MENTIONS[letter.kind],
    ]
