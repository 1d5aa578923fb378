"""Many threads on one store while its server suffers, and what they saw held against each other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature

from imagin_gateway.errors import Unavailable
from imagin_gateway.state.store import Space, StateStore
from tests.state import test_contract
from tests.state.servers import PrivateRedis, until
from tests.state.workers import END, NOW


class History:
    """What threads saw of a store. Each does what it does again and again until told to stop.

    Args:
        store: theirs.
        lossy: whether what was acknowledged may be lost, as by a failover.

    Attributes:
        answered, unavailable: how often the store answered, or said that it could not.
        wrong: answers that no order of events explains, in words.
    """

    def __init__(self, store: StateStore, *, lossy: bool) -> None:
        self._store = store
        self._lossy = lossy
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, number))
            for number in range(2)
            for act in (self._replay, self._revoke, self._count)
        ]
        self._lock = threading.Lock()
        self._admitted: Counter[str] = Counter()
        self._counts: list[int] = []
        self._asked_to_count = 0
        self.answered = self.unavailable = 0
        self.wrong: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._lossy:
            return
        self.wrong += [f"{key} was admitted {times} times" for key, times in self._admitted.items() if times > 1]
        self.wrong += [f"{count} was counted twice" for count, times in Counter(self._counts).items() if times > 1]
        # What was sent ran once at most, also where its answer was lost.
        counted = int(self._store.get(Space.COUNTER, "every", now=NOW) or 0)
        if not max(self._counts, default=0) <= counted <= self._asked_to_count:
            self.wrong.append(f"asked to count {self._asked_to_count} times, it counted {counted}")

    def _repeat(self, act: Callable[[int, int], None], number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            try:
                act(number, turn)
            except Unavailable:
                with self._lock:
                    self.unavailable += 1
            except Exception as error:  # nothing else may come out
                self.wrong.append(repr(error))
            else:
                with self._lock:
                    self.answered += 1

    def _replay(self, _: int, turn: int) -> None:
        """Two threads bring the same message ids: one of them at most gets in, once."""
        key = f"message-{turn}"
        for _again in range(2):
            if self._store.put_if_absent(Space.REPLAY, key, b"", expires_at=END, now=NOW):
                with self._lock:
                    self._admitted[key] += 1

    def _revoke(self, number: int, turn: int) -> None:
        """What was ended is not there afterwards, and what is there is what was written."""
        key, value, person = f"session-{number}-{turn}", f"{number}/{turn}".encode(), f"person-{number}"
        self._store.put(Space.SESSION, key, value, expires_at=END, now=NOW, indexes=[person])
        if (found := self._store.get(Space.SESSION, key, now=NOW)) not in (value, None):
            self.wrong.append(f"{key} holds {found!r}")
        self._store.delete_indexed(Space.SESSION, person)
        if self._store.get(Space.SESSION, key, now=NOW) is not None and not self._lossy:
            self.wrong.append(f"{key} outlived its end")

    def _count(self, _: int, turn: int) -> None:
        with self._lock:
            self._asked_to_count += 1
        count = self._store.increment(Space.COUNTER, "every", expires_at=END, now=NOW)
        with self._lock:
            self._counts.append(count)

    def reset(self) -> None:
        """Forget the figures, to see what comes from now on."""
        with self._lock:
            self.answered = self.unavailable = 0


def survives_pauses(store: StateStore, server: PrivateRedis) -> None:
    """Pause and resume a server under load: nothing runs twice, and the store goes on."""
    with observed(store) as history:
        for _ in range(3):
            until(lambda: history.answered > 20, "the store is at work")
            server.pause()
            history.reset()
            until(lambda: history.unavailable > 10, "the store is unavailable")
            server.go_on()
            history.reset()
        until(lambda: history.answered > 20, "the store is at work again")


@contextmanager
def observed(store: StateStore, *, lossy: bool = False) -> Iterator[History]:
    """Let threads work on a store; at the end, nothing wrong was seen."""
    history = History(store, lossy=lossy)
    history.start()
    try:
        yield history
    finally:
        history.stop()
    assert history.wrong == [], history.wrong[:5]


def keeps_its_promises(store: StateStore, empty: Callable[[], None]) -> int:
    """Run what the contract asks of one store on this very object; return how many tests that was."""
    done = 0
    for name, test in vars(test_contract).items():
        asked = name.startswith("test_") and not getattr(test, "hypothesis", None) and list(signature(test).parameters)
        if asked == ["store"]:
            empty()
            test(store)
            done += 1
    return done
