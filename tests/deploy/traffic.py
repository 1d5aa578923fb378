"""People at work while something else happens: each asks for a page again and again, and every answer is counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import httpx2


class Traffic:
    """Threads that go on until the end of the block.

    Args:
        steps: what each of them does, again and again; returns what it saw, "" when all was well.
        rest: seconds between two of them.

    Attributes:
        troubles: what was seen otherwise, and how often.
        done: how many went well.
    """

    def __init__(self, *steps: Callable[[], str], rest: float = 0.02) -> None:
        self._rest = rest
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.troubles: Counter[str] = Counter()
        self.done = 0
        self._threads = [threading.Thread(target=self._work, args=(step,)) for step in steps]

    def _work(self, step: Callable[[], str]) -> None:
        while not self._over.is_set():
            try:
                trouble = step()
            except (httpx2.HTTPError, OSError) as error:
                trouble = type(error).__name__
            with self._lock:
                if trouble:
                    self.troubles[trouble] += 1
                else:
                    self.done += 1
            time.sleep(self._rest)

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
