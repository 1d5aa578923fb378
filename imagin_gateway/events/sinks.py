"""Where lines go: a file, a stream, a function of the host."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TextIO

from imagin_gateway.clock import Clock, SystemClock

DAY: Final = "{day}"
"""In the name of a file: the day of the event, in UTC, so that each day has a file of its own."""

_LOOKS: Final = 3
_BETWEEN_LOOKS: Final = 0.001
"""Another process may be in the middle of its line: a torn one stays so."""

_MODE: Final = 0o640
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Sink(Protocol):
    """Where lines go.

    A sink may have a `name`, told when it fails, and say by `waits = True` that a write
    may take its time: it is then written to by a thread of its own, never by a login.
    """

    def write(self, line: str) -> None:
        """Write one line, without its end. May raise: a sink that fails never stops a login."""
        ...


class StreamSink:
    """Lines to a text stream, flushed one by one. Who reads the other end may be slow: the sink waits.

    Args:
        stream: by default standard error as it is when the line is written.
        name: of the sink.
    """

    waits = True

    def __init__(self, stream: TextIO | None = None, name: str = "stderr") -> None:
        self._stream = stream
        self.name = name

    def write(self, line: str) -> None:
        stream = self._stream or (sys.stdout if self.name == "stdout" else sys.stderr)
        # One write a line: of several processes on one pipe, none cuts another's line in two.
        stream.write(line + "\n")
        stream.flush()


class FileSink:
    """Lines appended to a file, opened for each line so that rotation needs no signal.

    Several processes may append at once: each line is one write at the end of the file.
    With ``{day}`` in its name there is a file a day, and nothing has to be renamed, ever.

    Args:
        path: of the file.
        clock: what day it is, in UTC.
    """

    name = "file"

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._daily = DAY in path.name

    def now(self) -> Path:
        """Return the file that is appended to now."""
        if not self._daily:
            return self.path
        return self.path.with_name(self.path.name.replace(DAY, f"{self._clock.now():%Y-%m-%d}"))

    def write(self, line: str) -> None:
        """Append one line. Raises `OSError`: no place, no right, no folder, or not a plain file."""
        descriptor = os.open(self.now(), _FLAGS | self._followed(), _MODE)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("events go to a plain file; a pipe may block for ever")
            if about.st_size == 0 and about.st_nlink == 1:
                self._hand_over(descriptor)
            # A line that a full disk cut in two must not swallow the next one.
            raw = memoryview((("\n" if _is_torn(descriptor) else "") + line + "\n").encode())
            while raw:
                raw = raw[os.write(descriptor, raw) :]
        finally:
            os.close(descriptor)

    def _followed(self) -> int:
        """Keep root from following a link in somebody else's folder: whoever broke into the service may have put it.

        What it leads to would be written by root, or made by root and given away.
        """
        return os.O_NOFOLLOW if os.geteuid() == 0 and self.path.parent.stat().st_uid != 0 else 0

    def _hand_over(self, descriptor: int) -> None:
        """Give a file that root began to whom the folder belongs: the server has to append to it, too."""
        if os.geteuid() == 0:
            folder = self.path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)


def _is_torn(descriptor: int) -> bool:
    """Tell whether a file ends within a line, which nobody is writing just now."""
    for left in reversed(range(_LOOKS)):
        size = os.fstat(descriptor).st_size
        if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
            return False
        if left:
            time.sleep(_BETWEEN_LOOKS)
    return True


class CallSink:
    """Lines handed to a function of the host, which must not take its time."""

    name = "call"

    def __init__(self, call: Callable[[str], None]) -> None:
        self._call = call

    def write(self, line: str) -> None:
        self._call(line)
