"""Changes of the key files: each whole or not at all, for the service's own eyes, one command at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from imagin_gateway.keys import Secret
from imagin_gateway.settings import key_files
from imagin_gateway.settings.key_files import HeldKey, KeyState

KEY_BYTES: Final = 48

_LOCK: Final = ".lock"


class KeysRefused(Exception):
    """A change of keys is refused; the message is French, and says what to do."""


Change = Callable[[tuple[HeldKey, ...]], tuple[HeldKey, ...]]


def new_key(now: datetime, state: KeyState) -> HeldKey:
    """Make a key of 384 unpredictable bits."""
    starts = now if state is KeyState.CURRENT else None
    return HeldKey(Secret(secrets.token_urlsafe(KEY_BYTES)), state, now, starts)


def change(folder: Path, purpose: str, act: Change) -> tuple[HeldKey, ...]:
    """Read the keys of a purpose, change them, and write them; return what they are now.

    Args:
        folder: made with mode 0700 when it is not there.
        purpose: one of `key_files.PURPOSES`.
        act: returns the new keys; what it raises leaves everything as it was.

    Raises:
        KeyFileWrong: the file cannot be used.
        OSError: it cannot be written.
    """
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _hand_over(made, folder.parent)
        finally:
            os.close(made)
    with _alone(folder):
        before = key_files.read(folder, purpose) or ()
        after = act(before)
        if after != before:
            write(key_files.path_of(folder, purpose), key_files.written(purpose, after))
    return key_files.in_order(after)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one command at a time change keys; the system lets go of the lock of one that dies."""
    try:
        opened = os.open(folder / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        _hand_over(opened, folder)
    except FileExistsError:
        opened = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _hand_over(made: int, folder: Path) -> None:
    """Give what root has just made to whom its folder belongs: the service has to read it, and to change it later."""
    if os.geteuid() == 0:
        told = folder.stat()
        os.chown(made, told.st_uid, told.st_gid)


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in place whole: on disk before it has its name, and its name on disk before this returns."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)  # of a command that was killed
    beside = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    opened = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if path.exists():
                # The service may run as another user than who rotates: the file stays its own.
                with contextlib.suppress(PermissionError):
                    told = path.stat()
                    os.fchown(file.fileno(), told.st_uid, told.st_gid)
                    os.fchmod(file.fileno(), told.st_mode & 0o640)
            else:
                _hand_over(file.fileno(), path.parent)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make(folder: Path, purpose: str, now: datetime) -> tuple[HeldKey, ...]:
    """Make the first key of a purpose, or the next one: it verifies, and does not sign yet.

    Raises:
        KeysRefused: there is a next one already.
    """

    def act(before: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
        if not before:
            return (new_key(now, KeyState.CURRENT),)
        if any(each.state is KeyState.NEXT for each in before):
            raise KeysRefused(f"une clé attend déjà : imagin-gateway keys rotate {purpose}")
        return (*before, new_key(now, KeyState.NEXT))

    return change(folder, purpose, act)


def rotate(folder: Path, purpose: str, now: datetime, *, at_once: bool = False) -> tuple[bool, tuple[HeldKey, ...]]:
    """Take the next step of a rotation: publish a key, or let the published one sign.

    Args:
        folder, purpose, now: see `make`.
        at_once: both steps; for a service that is stopped, or is one process.

    Returns:
        Whether another key signs from now on, and the keys.

    Raises:
        KeysRefused: there is nothing to rotate.
    """
    turned = False

    def act(before: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
        nonlocal turned
        if not before:
            raise KeysRefused(f"aucune clé à remplacer : imagin-gateway keys make {purpose}")
        waiting = [each for each in before if each.state is KeyState.NEXT]
        if not waiting and not at_once:
            return (*before, new_key(now, KeyState.NEXT))
        turned = True
        coming = waiting[0] if waiting else new_key(now, KeyState.NEXT)
        kept = [
            replace(each, state=KeyState.FORMER, signed_until=now) if each.state is KeyState.CURRENT else each
            for each in before
            if each.version != coming.version
        ]
        return (*kept, replace(coming, state=KeyState.CURRENT, signs_from=now))

    keys = change(folder, purpose, act)
    return turned, keys


def retire(folder: Path, purpose: str, versions: frozenset[str]) -> tuple[HeldKey, ...]:
    """Drop former keys: what they alone verified is worth nothing any more.

    Raises:
        KeysRefused: one of them is not a former key.
    """

    def act(before: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
        former = {each.version for each in before if each.state is KeyState.FORMER}
        if not versions <= former:
            raise KeysRefused("cette clé n’est pas une ancienne clé de ce dossier : imagin-gateway keys list")
        return tuple(each for each in before if each.version not in versions)

    return change(folder, purpose, act)


def adopt(folder: Path, purpose: str, held: tuple[Secret, ...], now: datetime) -> tuple[HeldKey, ...]:
    """Take into the folder the keys that the settings themselves hold, the newest as the one that signs.

    Raises:
        KeysRefused: the folder has keys of this purpose.
    """

    def act(before: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
        if before:
            raise KeysRefused(f"le dossier a déjà des clés pour {purpose}")
        former = [HeldKey(each, KeyState.FORMER, now, now, now) for each in held[:-1]]
        return (*former, HeldKey(held[-1], KeyState.CURRENT, now, now))

    return change(folder, purpose, act)
