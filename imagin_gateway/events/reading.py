"""Reading files of events again: a line at a time, compressed or not, up to where one is cut.

What cannot be read is told with its place, and the reading goes on after it where it can:
a file that a full disk or a copy cut short still says everything that is in it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

LONGEST_LINE: Final = 64 * 1024
"""Bytes of one line; a longer one is no event of ours, and is not held in memory."""

_BROKEN: Final = (EOFError, OSError, zlib.error, lzma.LZMAError)


class Flaw(StrEnum):
    """What may be wrong with a place in a file."""

    CUT = "cut"
    """The last line has no end: the file was cut there."""
    UNREADABLE = "unreadable"
    """A line is no event."""
    BROKEN = "broken"
    """What follows cannot be decompressed, or the disk does not give it."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A place of a file that cannot be read; lines are counted from 1."""

    path: Path
    line: int
    flaw: Flaw


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line, read. What a later release added is in the line, not here."""

    v: int
    time: str
    event: str
    code: str = ""
    door: str = ""
    method: str = ""
    strength: str = ""
    person: str = ""
    address: str = ""
    correlation: str = ""
    actor: str = ""
    detail: dict[str, str | int | bool] = msgspec.field(default_factory=dict)

    @property
    def at(self) -> datetime:
        """When it happened."""
        return datetime.fromisoformat(self.time)


_decode: Final = msgspec.json.Decoder(Record).decode


def record_of(line: bytes) -> Record:
    """Return what a line tells.

    Raises:
        ValueError: it is no event, or of no moment that can be compared and shown in any time zone.
    """
    record = _decode(line)
    if not line.isascii():
        line.decode()  # what is not decoded into a record may be no text
    at = record.at
    if at.tzinfo is None or not 1 < at.year < 9999:
        raise ValueError("no moment")
    return record


Wanted = Callable[[bytes], bool]


def everything(_line: bytes) -> bool:
    """Want every line."""
    return True


def holding(marks: Sequence[str]) -> Wanted:
    """Return what passes the lines that hold one of these marks: most lines need not be decoded."""
    if not marks:
        return everything
    # What was typed in another encoding is in no line of ours.
    sought = [mark.encode(errors="surrogateescape") for mark in marks]
    return lambda line: any(mark in line for mark in sought)


def read(path: Path, wanted: Wanted = everything) -> Iterator[tuple[bytes, Record] | Damage]:
    """Yield each line of a file with what it tells, and each place that cannot be read.

    Args:
        path: of a file; `.gz`, `.bz2` and `.xz` are decompressed as they are read.
        wanted: told by the bytes of a line; one that is not wanted is passed over unread.

    Raises:
        OSError: the file cannot be opened.
    """
    with _open(path) as file:
        number = 0
        while True:
            number += 1
            try:
                line = file.readline(LONGEST_LINE)
            except _BROKEN:
                yield Damage(path, number, Flaw.BROKEN)
                return
            if not line:
                return
            whole = line.endswith(b"\n")
            if not whole and len(line) >= LONGEST_LINE:
                if not _skip(file):
                    yield Damage(path, number, Flaw.BROKEN)
                    return
                yield Damage(path, number, Flaw.UNREADABLE)
            elif line.isspace():
                continue  # what mends a line that was cut
            elif wanted(line) or not whole:
                found = _read(path, number, line, whole=whole)
                if isinstance(found, Damage) or wanted(line):
                    yield found


def _read(path: Path, number: int, line: bytes, *, whole: bool) -> tuple[bytes, Record] | Damage:
    try:
        record = record_of(line)
    except (msgspec.MsgspecError, ValueError):
        return Damage(path, number, Flaw.UNREADABLE if whole else Flaw.CUT)
    return line.rstrip(b"\n"), record


def _skip(file: IO[bytes]) -> bool:
    """Read up to the end of a line that is too long; False when the file breaks on the way."""
    try:
        while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass
    except _BROKEN:
        return False
    return True


def _open(path: Path) -> IO[bytes]:
    opened: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)
    return cast("IO[bytes]", opened(path, "rb"))
