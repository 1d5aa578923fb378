"""Forgetting files of events that are older than the retention (row LOG-07).

A file of one day is as old as the day in its name. Of a file without a day, what a
rotation put aside beside it is as old as its last change; the file itself stays.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from imagin_gateway.events.sinks import DAY

COMPRESSED: Final = r"(?:\.(?:gz|bz2|xz))?"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of events that is there, and the last day it may tell of."""

    path: Path
    day: date
    live: bool
    """It is appended to, or may be."""
    changed: float
    """Its last change, in seconds since the epoch."""


def files_of(path: Path) -> list[Kept]:
    """Return every file of events that belongs to a path of the settings, the oldest first."""
    return sorted(_found(path), key=lambda kept: (kept.day, not kept.live, kept.changed, kept.path.name))


def _found(path: Path) -> Iterator[Kept]:
    if DAY in path.name:
        before, _, after = path.name.partition(DAY)
        name = re.compile(rf"{re.escape(before)}(\d{{4}}-\d\d-\d\d){re.escape(after)}({COMPRESSED})")
    else:
        # logrotate's own names: events.jsonl.1, events.jsonl-20261213.gz, events.jsonl.2026-12-13
        name = re.compile(rf"{re.escape(path.name)}(?:[.-][0-9][0-9.-]*)?({COMPRESSED})")
    if not path.parent.is_dir():
        return
    for file in path.parent.iterdir():
        found = name.fullmatch(file.name)
        if found is None:
            continue
        try:
            about = file.lstat()
        except FileNotFoundError:
            continue  # another process purged or renamed it meanwhile
        if not stat.S_ISREG(about.st_mode):
            continue
        if DAY not in path.name:
            day = datetime.fromtimestamp(about.st_mtime, UTC).date()
            yield Kept(file, day, file.name == path.name, about.st_mtime)
            continue
        try:
            yield Kept(file, date.fromisoformat(found[1]), not found[2], about.st_mtime)
        except ValueError:
            continue  # no such day: not a file of ours


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did.

    Attributes:
        removed: files this process removed; another one may have been faster.
        kept: files too old that it could not remove.
        before: the first day that is kept.
        error: type of the last error.
    """

    removed: int
    kept: int
    before: date
    error: str = ""


def purge(path: Path, retention: timedelta, today: date) -> Purged:
    """Remove the files of events older than the retention. Several processes may do so at once."""
    before = today - retention
    removed = kept = 0
    error = ""
    for file in files_of(path):
        if file.day >= before or (file.live and DAY not in path.name):
            continue
        try:
            file.path.unlink()
            removed += 1
        except FileNotFoundError:
            continue
        except OSError as raised:
            kept += 1
            error = type(raised).__name__
    return Purged(removed, kept, before, error)
