"""Reading the list of an exam session: a CSV file, as spreadsheets write it in France.

Semicolon or comma; UTF-8, with or without byte order mark, or Windows-1252; the
columns in any order. The file is streamed. A line is either a row, every value of
which was checked, or problems told in French; a problem never quotes a value. What
two lines say together is found in `checked_list`.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from imagin_gateway.errors import ImportRefused, LineProblem
from imagin_gateway.local.accounts import identifier_key
from imagin_gateway.local.list_columns import BY_NAME, COLUMNS, REQUIRED, plain
from imagin_gateway.local.list_damage import damage, is_of_dos, lost_accents
from imagin_gateway.local.outbox import is_address

_LOOKED_AT: Final = frozenset({*REQUIRED, "given_name", "email"})
"""Columns whose values are held to more than their length and their signs."""

_NUMEN: Final = re.compile(r"\d{2}[A-Za-z]\d{7}[A-Za-z]{3}")
"""Two digits, a letter, seven digits, three letters: confidential, never an Imagin identifier."""

_SECRET: Final = frozenset(
    {"mot de passe", "motdepasse", "mdp", "password", "hash", "empreinte", "mot de passe provisoire"}
)
"""Columns no list may bring: a password comes from a letter or from its owner, whatever it was hashed with."""

_SEPARATOR: Final = re.compile(r"sep=([;,])\s*", re.IGNORECASE)
"""The line that some spreadsheets write before the header, for themselves."""

_SAVE: Final = "\u00a0: l’enregistrer en «\u00a0CSV UTF-8\u00a0»"
"""What to do with a file that a spreadsheet saved otherwise."""

_EXPORT: Final = "\u00a0: l’exporter de nouveau, en «\u00a0CSV UTF-8\u00a0»"
"""What to do with a file that was read wrongly, then saved."""

_HEADINGS: Final = frozenset(identifier_key(name) for name, _ in COLUMNS.values())

_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files of spreadsheets begin: .xlsx and .ods, .xls."""

_CHUNK: Final = 1 << 20

_TELL_EVERY: Final = 1000

_OF_ERRORS: Final = ("#", "E")
"""How what a spreadsheet shows in the place of a value begins."""

_TOGETHER: Final = 16
"""Rows that Excel writes at once: the last columns that are empty in all of them are left out of each."""


class Row(msgspec.Struct, frozen=True):
    """One person of the list.

    Attributes:
        line: where in the file; the header is mostly line 1.
        key: identifier, as compared.
        values: by column name, for the columns the list has.
    """

    line: int
    key: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Row(line={self.line})"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be taken.

    Attributes:
        line: where.
        key: identifier, as compared, or "": another line with it is not taken either.
        problems: everything wrong with it.
    """

    line: int
    key: str
    problems: tuple[LineProblem, ...]

    def __repr__(self) -> str:
        return f"BadLine(line={self.line})"


class _Text:
    """The lines of a file; `ended` tells whether the last one that was read has an end."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.ended = line.endswith(("\n", "\r"))
            yield line


class ConvocationList:
    """One list, ready to be read as often as needed.

    Args:
        path: the file.

    Raises:
        ImportRefused: it cannot be read as a list at all: encoding, header.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._encoding, self.digest = _encoding(path)
            self._delimiter, self._columns, self.ignored = self._header()
            self._longest = tuple(0 if column is None else COLUMNS[column][1] for column in self._columns)
        except OSError:
            raise _unreadable(0, "le fichier ne peut pas être lu") from None

    def _header(self) -> tuple[str, tuple[str | None, ...], tuple[str, ...]]:
        with self._path.open(encoding=self._encoding, newline="") as file:
            first = file.readline(_CHUNK)
            told = _SEPARATOR.fullmatch(first)
            first = file.readline(_CHUNK) if told else first
            self._before = 1 if told else 0
            header = 1 + self._before
            if not first.strip():
                raise _unreadable(header, "le fichier est vide" if not first else "la ligne d’en-tête est vide")
            delimiter = told[1] if told else ";" if first.count(";") >= first.count(",") else ","
            if delimiter not in first and "\t" in first:
                raise _unreadable(
                    header, "les champs sont séparés par des tabulations\u00a0: l’enregistrer en «\u00a0CSV\u00a0»"
                )
            # A cell of it may have several lines.
            lines = chain([first], iter(lambda: file.readline(_CHUNK), ""))
            try:
                names = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
            except csv.Error:
                raise _unreadable(header, "la ligne d’en-tête ne peut pas être lue") from None
        if self._encoding == "cp1252" and any(map(is_of_dos, names)):
            told_as = "«\u00a0CSV (MS-DOS)\u00a0» ou «\u00a0CSV (Macintosh)\u00a0»"
            raise _unreadable(header, f"le fichier est en {told_as}{_SAVE}")
        if any(map(lost_accents, names)):
            raise _unreadable(header, "le fichier a perdu ses lettres accentuées" + _EXPORT)
        columns = tuple(BY_NAME.get(plain(name)) for name in names)
        known = [column for column in columns if column is not None]
        problems = [
            LineProblem(header, f"la colonne «\u00a0{COLUMNS[column][0]}\u00a0» manque")
            for column in REQUIRED
            if column not in known
        ]
        problems += [
            LineProblem(header, f"la colonne «\u00a0{COLUMNS[column][0]}\u00a0» figure deux fois")
            for column in dict.fromkeys(known)
            if known.count(column) > 1
        ]
        problems += [
            LineProblem(header, "une colonne de mots de passe ne s’importe pas")
            for name in names
            if plain(name) in _SECRET
        ]
        if problems:
            raise ImportRefused(problems)
        unknown = tuple(" ".join(name.split()) for name, column in zip(names, columns, strict=True) if column is None)
        return delimiter, columns, unknown

    def read(self, read: Callable[[int], None] | None = None) -> Iterator[Row | BadLine]:
        """Read the list, one entry for each line that is not blank. Each is checked by itself alone.

        Args:
            read: told now and then how many bytes were read.
        """
        with self._path.open("rb") as raw, TextIOWrapper(raw, self._encoding, newline="") as file:
            text = _Text(file)
            reader = csv.reader(text, delimiter=self._delimiter, strict=True)
            for _ in range(1 + self._before):
                next(reader)
            lines = self._lines(reader, text, None if read is None else lambda: read(raw.tell()))
            # The header is the first of its rows.
            rows = list(islice(lines, _TOGETHER - 1))
            yield from self._entries(rows, {len(self._columns)})
            while rows := list(islice(lines, _TOGETHER)):
                yield from self._entries(rows, set())

    def _lines(
        self, reader: Any, text: _Text, read: Callable[[], None] | None
    ) -> Iterator[tuple[int, list[str] | BadLine]]:
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield line, _bad(line, "guillemets mal fermés, ou champ trop long")
                continue
            except UnicodeDecodeError:
                yield line, _bad(line, "le fichier a changé pendant la lecture")
                return
            if read is not None and not line % _TELL_EVERY:
                read()
            if not text.ended and len(fields) < len(self._columns) and any(map(str.strip, fields)):
                # Excel ends every row: what the end of the file cuts is no short row, if alone in its sixteen.
                yield line, self._miscounted(line, fields)
                continue
            yield line, fields

    def _entries(self, rows: list[tuple[int, list[str] | BadLine]], lengths: set[int]) -> Iterator[Row | BadLine]:
        """Yield the entries of rows that were written together; of each that is not blank."""
        lengths = lengths.union(-1 if isinstance(fields, BadLine) else len(fields) for _, fields in rows)
        # All alike, they are not rows that were cut.
        missing = len(self._columns) - lengths.pop() if len(lengths) == 1 else 0
        for line, fields in rows:
            if isinstance(fields, BadLine):
                yield fields
            elif any(map(str.strip, fields)):
                yield self._entry(line, [*fields, *[""] * missing] if missing > 0 else fields)

    def _miscounted(self, line: int, fields: list[str]) -> BadLine:
        found = f"{len(fields)} champ{'s' if len(fields) > 1 else ''}"
        return _bad(line, f"{found} au lieu de {len(self._columns)}")

    def _entry(self, line: int, fields: list[str]) -> Row | BadLine:
        if len(fields) != len(self._columns):
            return self._miscounted(line, fields)
        values: dict[str, str] = {}
        reasons: list[str] = []
        for column, longest, field in zip(self._columns, self._longest, fields, strict=True):
            if column is not None:
                values[column] = value = field.strip(" ") if field.isascii() else _clean(field)
                # Most values are short and plain: only the others are looked at more closely.
                plain_enough = value.isascii() and value.isprintable() and value[:1] not in _OF_ERRORS
                if plain_enough and len(value) <= longest and column not in _LOOKED_AT:
                    continue
                if (reason := _wrong(column, value)) is not None:
                    reasons.append(reason)
        key = identifier_key(values["identifier"])
        if key in _HEADINGS and all(plain(value) in BY_NAME for value in values.values() if value):
            return _bad(line, "la ligne d’en-tête figure une seconde fois\u00a0: la retirer")
        if not reasons and not key:
            reasons.append("«\u00a0Identifiant\u00a0» ne peut pas être un identifiant")
        if reasons:
            return BadLine(line, key, tuple(LineProblem(line, reason) for reason in reasons))
        return Row(line, key, values)


def _bad(line: int, reason: str) -> BadLine:
    return BadLine(line, "", (LineProblem(line, reason),))


def _wrong(column: str, value: str) -> str | None:
    """Tell what is wrong with one value."""
    name, longest = COLUMNS[column]
    if not value:
        return f"«\u00a0{name}\u00a0» est vide" if column in REQUIRED else None
    if not value.isprintable():
        return f"«\u00a0{name}\u00a0» contient un caractère de contrôle ou invisible"
    if len(value) > longest:
        return f"«\u00a0{name}\u00a0» dépasse {longest} caractères"
    if (spoiled := damage(column, value)) is not None:
        return f"«\u00a0{name}\u00a0» {spoiled}"
    if column == "identifier" and _NUMEN.fullmatch(value.replace(" ", "")):
        return "«\u00a0Identifiant\u00a0» ressemble à un NUMEN, qui est confidentiel et ne sert pas d’identifiant"
    if column == "email" and not is_address(value):
        return f"«\u00a0{name}\u00a0» n’est pas une adresse électronique"
    return None


def _clean(field: str) -> str:
    """Return a value without surrounding spaces, in NFC; the spaces of typography become plain ones."""
    return unicodedata.normalize("NFC", field.replace("\u00a0", " ").replace("\u202f", " ")).strip(" ")


def _encoding(path: Path) -> tuple[str, str]:
    """Return the encoding of the whole file (UTF-8 if every byte of it fits, else Windows-1252) and its SHA-256."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0\0" in (start[:4:2], start[1:4:2]):
        raise _unreadable(1, "le fichier est en UTF-16" + _SAVE)
    if start.startswith(_WORKBOOKS):
        raise _unreadable(1, "le fichier est un classeur, pas une liste" + _SAVE)
    if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
        raise _unreadable(1, "le fichier est une page (HTML ou XML), pas une liste" + _SAVE)
    for encoding in ("utf-8-sig", "cp1252"):
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        seen = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    seen.update(chunk)
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding, seen.hexdigest()
    raise _unreadable(1, "le fichier n’est ni en UTF-8 ni en Windows-1252" + _SAVE)


def _unreadable(line: int, reason: str) -> ImportRefused:
    return ImportRefused([LineProblem(line, reason)])
