"""Events as they come: the file is followed through its rotations."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from imagin_gateway.clock import Clock
from imagin_gateway.events.reading import Record, record_of
from imagin_gateway.events.sinks import FileSink

EVERY_SECONDS = 0.5


def follow(place: Path, clock: Clock) -> Iterator[tuple[bytes, Record]]:
    """Yield each event that is written from now on, until the reader has enough.

    Args:
        place: as the settings say it, perhaps with a day in its name.
        clock: which day it is.
    """
    sink = FileSink(place, clock)
    file = _open(sink.now(), from_end=True)
    rest = b""
    try:
        while True:
            while file is not None and (chunk := file.readline()):
                rest += chunk
                if not rest.endswith(b"\n"):
                    break  # it is being written
                line, rest = rest.rstrip(b"\n"), b""
                with contextlib.suppress(msgspec.MsgspecError, ValueError):
                    yield line, record_of(line)
            newer = None if file is not None and _same(file, sink.now()) else _open(sink.now(), from_end=False)
            if newer is None:
                time.sleep(EVERY_SECONDS)
                continue
            if file is not None:
                file.close()
            file, rest = newer, b""
    finally:
        if file is not None:
            file.close()


def _open(path: Path, *, from_end: bool) -> IO[bytes] | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    if from_end:
        file.seek(0, os.SEEK_END)
    return file


def _same(file: IO[bytes], path: Path) -> bool:
    """Tell whether a path still names the file that is open, and all of it is still there."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return True  # nothing has come in its place yet
    here = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) and here.st_size >= file.tell()
