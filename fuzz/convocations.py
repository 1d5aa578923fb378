"""The list of an exam session, a CSV file that somebody's spreadsheet wrote: each line is a row or a reason."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from fuzz.frame import Target, any_change, demand
from imagin_gateway.errors import ImportRefused
from imagin_gateway.local.checked_list import CheckedList
from imagin_gateway.local.list_columns import COLUMNS, REQUIRED
from imagin_gateway.local.list_reader import Row

_FILE: Final = Path(tempfile.mkdtemp(prefix="fuzz-list-")) / "list.csv"


def attack(data: bytes) -> bool:
    """Read a list whole, as an import does before it writes anything."""
    _FILE.write_bytes(data)
    try:
        with CheckedList(_FILE) as checked:
            rows = [row for batch in checked.batches(100) for row in batch]
            demand(len(rows) == checked.total, "lines are counted that are not there")
            lines = [row.line for row in rows]
            demand(lines == sorted(set(lines)), "lines out of order, or twice")
            keys = [row.key for row in rows]
            demand(len(set(keys)) == len(keys), "one identifier, two accounts")
            for row in rows:
                _hold(row, data)
            for problem in checked.problems:
                _check_quoted(problem.reason, rows)
    except ImportRefused as refused:
        demand(bool(refused.problems), "refused without a reason")
        raise
    finally:
        _FILE.unlink()
    return bool(rows)


def _hold(row: Row, data: bytes) -> None:
    demand(bool(row.key) and row.key.isprintable() and row.key == row.key.strip(), "an identifier that is none")
    demand(all(row.values.get(column) for column in REQUIRED), "a person without a name")
    text = _text(data)
    for column, value in row.values.items():
        demand(len(value) <= COLUMNS[column][1], "a value that is too long")
        demand(not any(unicodedata.category(sign).startswith("C") for sign in value), "a sign that nobody sees")
        demand(_plain(value.replace('"', "")) in text, "a value that the file does not hold")
    email = row.values.get("email", "")
    demand(not email or (email.count("@") == 1 and not set(email) & set(' ,;:<>"\r\n')), "an address that is several")
    plain = row.values["identifier"].replace(" ", "")
    kinds = "".join("9" if "0" <= sign <= "9" else "A" if sign.isascii() and sign.isalpha() else "?" for sign in plain)
    demand(kinds != "99A9999999AAA", "a NUMEN is taken for an identifier")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
    return _plain(text.replace('"', ""))


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text.replace("\u00a0", " ").replace("\u202f", " ")).split())


def _check_quoted(reason: str, rows: list[Row]) -> None:
    """A problem is shown on screens and kept in files: it never holds a value of somebody's."""
    words = {value for row in rows for value in row.values.values() if len(value) > 12}
    demand(not any(word in reason for word in words), "a problem quotes a value")


def seeds() -> Iterator[bytes]:
    """Return lists as spreadsheets write them."""
    header = "Identifiant;Nom;Prénom;Courriel;Qualité;Académie d’origine;Service gestionnaire\r\n"
    lines = (
        "mdurand7;DURAND;Marie;marie@exemple.test;formateur en CFA;Paris;DEC 2\r\n"
        'pmartin2;"MARTIN; dit PM";Paul;paul@exemple.test;"sur\nveillant";;\r\n'
        "sansmail;ROUX;Zoé;;;;\r\n"
    )
    yield (header + lines).encode("utf-8-sig")
    yield (header + lines).replace("’", "'").encode("cp1252")
    yield b"Nom,Identifiant\nDURAND,mdurand7\nMARTIN,MDURAND7\n,x\n"
    yield b"Identifiant;Nom;Mot de passe\na1;b;c\n"
    yield b"Identifiant;Nom\n12A3456789BCD;DURAND\n"


def mutate(data: bytes, random: Random) -> bytes:
    """Change a cell, a line, or the bytes."""
    lines = data.split(b"\n")
    place = random.randrange(len(lines))
    cells = lines[place].split(b";")
    match random.randrange(5):
        case 0:
            lines.insert(random.randrange(len(lines) + 1), lines[place])
        case 1:
            cells.insert(random.randrange(len(cells) + 1), random.choice(cells))
            lines[place] = b";".join(cells)
        case 2 | 3:
            cells[random.randrange(len(cells))] = any_change(random.choice(cells), random)
            lines[place] = b";".join(cells)
        case _:
            return any_change(data, random)
    return b"\n".join(lines)


TARGET: Final = Target(name="convocations", attack=attack, seeds=seeds, mutate=mutate, refusals=(ImportRefused,))
