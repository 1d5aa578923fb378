"""Files of letters that are either whole and good, or not there: whenever the process dies.

A file is written under a name of its own, with the name of its run in it, and takes
the name asked for only once the database has kept the run. Whoever dies in between
leaves what the next run needs: a file whose run was kept is given its name; one whose
run was not holds passwords that open nothing, and is removed. A lock, which dies with
its process, tells a file that was left from one that is being written.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Protocol, TextIO

from imagin_gateway.local.letters import Letter

_PART: Final = re.compile(r"\.(?P<name>.+)\.(?P<run>[0-9a-f]{32})\.part")


class LetterWriter(Protocol):
    """Writes letters in one form."""

    def write(self, letter: Letter) -> None:
        """Write one letter."""
        ...

    def end(self) -> None:
        """Write what comes after the last one."""
        ...


WriterMaker = Callable[[TextIO], LetterWriter]


def part_of(target: Path, run: str) -> Path:
    """Return the name a file has until its run is kept."""
    return target.with_name(f".{target.name}.{run}.part")


def target_of(path: str) -> str:
    """Return the name that was asked for, from that of a part; another name as it is."""
    folder, name = os.path.split(path)
    found = _PART.fullmatch(name)
    return os.path.join(folder, found["name"]) if found else path


class LetterFiles:
    """The files of one run, open for writing.

    Args:
        run: 32 hexadecimal digits.
        targets: for each file wanted, its encoding and what writes it.

    Raises:
        FileExistsError: a file has that name: the passwords in it cannot be had again, so it is never overwritten.
        OSError: a file cannot be made. Nothing is left of any.
    """

    def __init__(self, run: str, targets: Mapping[Path, tuple[str, WriterMaker]]) -> None:
        self._parts: dict[Path, Path] = {}
        self._open: list[tuple[TextIO, LetterWriter]] = []
        self._closing = ExitStack()
        try:
            for target, (encoding, make) in targets.items():
                if os.path.lexists(target):
                    raise FileExistsError(17, "ce fichier existe déjà", str(target))
                part = part_of(target, run)
                descriptor = _make_locked(part)
                self._parts[target] = part
                file = self._closing.enter_context(os.fdopen(descriptor, "w", encoding=encoding, newline=""))
                self._open.append((file, make(file)))
        except BaseException:
            self.discard()
            raise

    def write(self, letter: Letter) -> None:
        """Write one letter to every file."""
        for _, writer in self._open:
            writer.write(letter)

    def seal(self) -> None:
        """Bring every letter to the disk. Only then may the run be kept. Raises `OSError`."""
        for file, writer in self._open:
            writer.end()
            file.flush()
            os.fsync(file.fileno())
        _sync_folders(self._parts)

    def publish(self) -> None:
        """Give every file its name: the run was kept. Raises `FileExistsError`; the letters are then in the part."""
        for target, part in self._parts.items():
            _publish(part, target)
        _sync_folders(self._parts)
        self._closing.close()

    def discard(self) -> None:
        """Remove every file: the run was not kept."""
        for part in self._parts.values():
            with suppress(OSError):
                part.unlink()
        self._closing.close()

    def leave(self) -> None:
        """Leave every file as it is: nobody knows yet whether the run was kept. The next run will."""
        self._closing.close()


def publish_left(targets: list[Path], run: str) -> bool:
    """Give the files of a kept run their names; False if one of them is not here, or its process still lives."""
    done = True
    for target in targets:
        part = part_of(target, run)
        if not part.exists():
            done = done and target.exists()
            continue
        with _Free(part) as free:
            if free:
                _publish(part, target)
            done = done and free
    _sync_folders(dict.fromkeys(targets))
    return done


def discard_left(folder: Path, was_kept: Callable[[str], bool]) -> None:
    """Remove the files of a folder whose process died before its run was kept."""
    for part in sorted(folder.glob(".*.part")):
        found = _PART.fullmatch(part.name)
        if found is None:
            continue
        with _Free(part) as free:
            # Asked once the lock is ours: the process that held it has said its last word.
            if free and not was_kept(found["run"]):
                part.unlink(missing_ok=True)


def _make_locked(part: Path) -> int:
    """Make a file for its owner alone, locked; return its descriptor."""
    while True:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Between the two, another run may have taken it for one that was left, and removed it.
        if part.exists() and os.path.samestat(part.stat(), os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)


def _publish(part: Path, target: Path) -> None:
    if target.exists() and target.samefile(part):
        part.unlink()
        return
    # A link, unlike a renaming, never replaces a file that is there.
    os.link(part, target)
    part.unlink()


class _Free:
    """Tells whether the process that wrote a file is gone, and holds the file meanwhile."""

    def __init__(self, part: Path) -> None:
        self._part = part
        self._descriptor = -1

    def __enter__(self) -> bool:
        try:
            self._descriptor = os.open(self._part, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            return False
        return True

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _sync_folders(files: Mapping[Path, object]) -> None:
    for folder in {file.parent for file in files}:
        if not folder.is_dir():
            continue
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
