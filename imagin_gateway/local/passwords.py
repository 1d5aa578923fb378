"""Argon2id, with named parameters and a bound on how much of the machine it takes.

One hash takes up to 64 MiB and a tenth of a second of every core it may use. More
threads than cores gain nothing, so only as many work at once; a short queue waits;
the rest are told to come back (`Unavailable`, rows HSH-01 and HSH-05).
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.keys import Keyring, Secret

PROFILES: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        # RFC 9106 §4, second recommended option.
        "rfc9106": {"time_cost": 3, "memory_cost": 64 * 1024, "parallelism": 4},
        # OWASP Password Storage sheet: 19 MiB, two passes, one lane.
        "owasp": {"time_cost": 2, "memory_cost": 19 * 1024, "parallelism": 1},
        # Protects nothing. The settings refuse it outside development.
        "unsafe-tests": {"time_cost": 1, "memory_cost": 8, "parallelism": 1},
    }
)
"""Parameters by name; `memory_cost` in KiB."""

SALT_BYTES: Final = 16

TAG_BYTES: Final = 32

MAX_BYTES: Final = 1024
"""Longest password, in UTF-8. Longer is refused, never cut (row PWD-04)."""

MAX_TYPED: Final = 4 * MAX_BYTES
"""Longest text put in NFC, in code points; of anything longer, NFC makes more than `MAX_BYTES`.

Accents are put in order one by one, which takes the square of their number: those that one form can hold would
stop a process, every thread of it, for seconds.
"""

WAITING_PER_WORKER: Final = 16

WAIT_SECONDS: Final = 5.0

_PEPPER: Final = "password pepper"

_STORED: Final = re.compile(r"(?P<version>[0-9a-f]{8})?(?P<argon2>\$argon2id\$.*)", re.DOTALL)

_log = logging.getLogger("imagin_gateway.local")


def normalized(password: Secret) -> Secret:
    """Return the password as it is hashed: as typed, in NFC and nothing else (row PWD-05).

    One that is too long for any comes back as it is.
    """
    text = password.reveal()
    return Secret(unicodedata.normalize("NFC", text)) if len(text) <= MAX_TYPED else password


def byte_length(password: Secret) -> int:
    """Return the length of a password in UTF-8; what UTF-8 cannot write counts as too long."""
    try:
        return len(normalized(password).reveal().encode())
    except UnicodeEncodeError:
        return MAX_BYTES + 1


class Limiter:
    """Lets `width` callers work at once and `queue` more wait, first come first served; refuses the others.

    Args:
        width: callers at work.
        queue: callers that may wait.
        patience: seconds one of them waits at most.
    """

    def __init__(self, width: int, queue: int, patience: float = WAIT_SECONDS) -> None:
        self.width = width
        self._queue = queue
        self._patience = patience
        self._lock = threading.Lock()
        self._free = width
        self._waiting: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """Callers that wait now."""
        return len(self._waiting)

    @property
    def working(self) -> int:
        """Callers that hold a turn now."""
        return self.width - self._free

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn. Raises `Unavailable` (`BUSY`) when there is no place, or no turn in time."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._waiting) >= self._queue:
                raise _busy()
            called = threading.Event()
            self._waiting.append(called)
        try:
            called.wait(self._patience)
        except BaseException:
            if self._gave_up(called):
                raise
            self._leave()
            raise
        if not called.is_set() and self._gave_up(called):
            raise _busy()

    def _gave_up(self, called: threading.Event) -> bool:
        """Leave the queue; False if the turn came at the last moment."""
        with self._lock:
            if called.is_set():
                return False
            self._waiting.remove(called)
            return True

    def _leave(self) -> None:
        with self._lock:
            if self._waiting:
                # Handed over: nobody who comes now takes it from those who wait.
                self._waiting.popleft().set()
            else:
                self._free += 1


def _busy() -> Unavailable:
    return Unavailable("too many passwords are being checked", code=Code.BUSY, retry_after=int(WAIT_SECONDS))


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class Hasher:
    """Hashes and verifies passwords. Safe to share between threads.

    Args:
        profile: a name of `PROFILES`.
        limiter: by default as wide as the cores.
        pepper: `settings.keys.pepper`, kept outside the database: a copy of it then verifies nothing (row HSH-04).

    A hash made with a pepper begins with the version of its key. Peppers are added, replaced
    and dropped like any key; a hash is made afresh under the newest at the next login.
    """

    def __init__(self, profile: str, limiter: Limiter | None = None, pepper: Keyring | None = None) -> None:
        self._argon2 = PasswordHasher(
            **PROFILES[profile], hash_len=TAG_BYTES, salt_len=SALT_BYTES, type=Type.ID, encoding="utf-8"
        )
        self._pepper = pepper
        width = cores()
        self.limiter = limiter or Limiter(width, WAITING_PER_WORKER * width)
        # Same parameters as a real one, and nobody knows its password: the cost of a check says nothing.
        self._decoy = self._argon2.hash(secrets.token_urlsafe(32))

    def hash(self, password: Secret) -> str:
        """Return the encoded hash of a password. Raises `Unavailable` when the queue is full."""
        version = "" if self._pepper is None else self._pepper.newest
        with self.limiter.turn():
            try:
                return version + self._argon2.hash(self._peppered(password, version) or "")
            except Argon2Error as error:
                # Memory ran out: nothing was decided about anybody.
                raise Unavailable("a password could not be hashed", code=Code.BUSY) from error

    def _peppered(self, password: Secret, version: str) -> str | None:
        """Return what is hashed: the password, or its HMAC under a pepper; None when that one is not held."""
        text = normalized(password).reveal()
        if not version:
            return text
        return None if self._pepper is None else self._pepper.mac(_PEPPER, text, version)

    def verify(self, stored: str | None, password: Secret) -> bool:
        """Tell whether `password` has this hash. Costs one Argon2 verification, whatever `stored` is.

        Args:
            stored: an encoded Argon2id hash, or None: a decoy is then verified, and the answer is False.
            password: as typed. One that is longer than any real one is not that of any account.

        Raises:
            Unavailable: the queue is full.
        """
        if byte_length(password) > MAX_BYTES:
            stored, password = None, Secret("")
        found = _STORED.match(stored or "")
        hashed = None if found is None else self._peppered(password, found["version"] or "")
        with self.limiter.turn():
            if found is not None and hashed is not None:
                try:
                    return self._argon2.verify(found["argon2"], hashed)
                except VerifyMismatchError:
                    return False
                except (Argon2Error, InvalidHashError) as error:
                    _log.error("a stored password hash cannot be used: %s", type(error).__name__)
            elif found is not None:
                _log.error("a stored password hash was made with a pepper that is not held")
            self._spend(password)
            return False

    def _spend(self, password: Secret) -> None:
        try:
            self._argon2.verify(self._decoy, normalized(password).reveal())
        except (Argon2Error, InvalidHashError):
            return

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash that was just verified has other parameters, or another pepper, than today's."""
        found = _STORED.match(stored)
        newest = None if self._pepper is None else self._pepper.newest
        return found is None or found["version"] != newest or self._argon2.check_needs_rehash(found["argon2"])
