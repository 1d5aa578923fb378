"""Whether the parts of a house answer: each asked for a moment, in a thread of its own, and no longer."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from imagin_gateway.errors import SettingsError

PATIENCE: Final = 2.0
"""Seconds a part may take to answer."""

FRESH: Final = 1.0
"""Seconds an answer serves whoever asks again."""

OK: Final = "ok"

_log = logging.getLogger("imagin_gateway")


class Readiness:
    """Asks the parts of a house. Safe to share between threads."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}

    def parts(self, questions: Mapping[str, Callable[[], None]]) -> dict[str, str]:
        """Ask each part; return one word for each: `ok`, `down`, `slow`, `migration`.

        Args:
            questions: by name of the part; it returns, or raises.
        """
        if self._pid != os.getpid():
            self._begin()
        asked = {name: self._ask(name, question) for name, question in questions.items()}
        end = time.monotonic() + PATIENCE
        return {name: each.word(end) for name, each in asked.items()}

    def _ask(self, name: str, question: Callable[[], None]) -> _Asked:
        with self._lock:
            asked = self._asked.get(name)
            # One that hangs is not asked again: no thread is added while it does.
            if asked is None or asked.stale:
                asked = self._asked[name] = _Asked(name, question)
        return asked


class _Asked:
    """One question under way, or answered a moment ago."""

    def __init__(self, name: str, question: Callable[[], None]) -> None:
        self._name = name
        self._question = question
        self._done = threading.Event()
        self._word = ""
        self._answered = 0.0
        threading.Thread(target=self._run, name=f"imagin-gateway-health-{name}", daemon=True).start()

    @property
    def stale(self) -> bool:
        return self._done.is_set() and time.monotonic() - self._answered > FRESH

    def word(self, end: float) -> str:
        return self._word if self._done.wait(max(0.0, end - time.monotonic())) else "slow"

    def _run(self) -> None:
        try:
            self._question()
            self._word = OK
        except SettingsError:
            self._word = "migration"
        except Exception as error:
            self._word = "down"
            _log.warning("not ready: %s (%s)", self._name, type(error).__name__)
        finally:
            self._answered = time.monotonic()
            self._done.set()
