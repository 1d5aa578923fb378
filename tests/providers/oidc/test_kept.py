"""A document kept for a while: when it is fetched, and by whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from imagin_gateway.providers.oidc.kept import Kept

NOW = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)
LIFE = timedelta(hours=1)


def kept(fetch: Callable[[str], object], patience: float = 5) -> Kept[object]:
    return Kept(fetch, life=LIFE, patience=patience)


def counted() -> tuple[Kept[object], list[str]]:
    """Return a document that is a new object each time it is fetched, and the addresses asked."""
    asked: list[str] = []

    def fetch(address: str) -> object:
        asked.append(address)
        return object()

    return kept(fetch), asked


def test_a_document_is_fetched_once_in_its_life() -> None:
    document, asked = counted()
    first = document.get("a", NOW)
    assert document.get("a", NOW + LIFE - timedelta(seconds=1)) is first
    assert document.get("a", NOW + LIFE) is not first
    assert asked == ["a", "a"]


def test_a_document_of_another_address_is_another_document() -> None:
    document, asked = counted()
    first = document.get("a", NOW)
    assert document.get("b", NOW) is not first
    assert asked == ["a", "b"]


def test_whoever_tried_an_older_document_is_given_the_newer_one() -> None:
    document, asked = counted()
    old = document.get("a", NOW)
    new = document.renew("a", NOW, old)
    assert new is not None
    assert new is not old
    assert document.renew("a", NOW, old) is new  # another thread, which had failed with the old one
    assert document.renew("a", NOW, new) is None
    assert document.get("a", NOW) is new
    assert len(asked) == 2


def test_a_document_is_renewed_once_a_minute() -> None:
    document, asked = counted()
    tried = document.get("a", NOW)
    for second in range(0, 180, 10):
        tried = document.renew("a", NOW + timedelta(seconds=second), tried) or tried
    assert len(asked) == 1 + 3


@pytest.mark.parametrize("failure", [Unavailable(code=Code.PORTAL_UNAVAILABLE), AnswerRefused(Code.OIDC_KEYS)])
def test_a_renewal_that_fails_counts_too(failure: Exception) -> None:
    failing = False
    asked: list[str] = []

    def fetch(address: str) -> object:
        asked.append(address)
        if failing:
            raise failure
        return object()

    document = kept(fetch)
    tried = document.get("a", NOW)
    failing = True
    with pytest.raises(type(failure)):
        document.renew("a", NOW, tried)
    assert document.renew("a", NOW, tried) is None
    assert document.get("a", NOW) is tried
    assert len(asked) == 2


def test_after_a_failure_nothing_is_asked_for_a_moment() -> None:
    asked: list[str] = []

    def fetch(address: str) -> object:
        asked.append(address)
        raise Unavailable(code=Code.PORTAL_UNAVAILABLE)

    document = kept(fetch)
    for second in range(10):
        with pytest.raises(Unavailable):
            document.get("a", NOW + timedelta(seconds=second))
    assert len(asked) == 2


def test_nobody_waits_for_ever_for_the_one_who_fetches() -> None:
    fetching, go_on = threading.Event(), threading.Event()

    def fetch(address: str) -> object:
        fetching.set()
        go_on.wait()
        return address

    document = kept(fetch, patience=0.01)
    thread = threading.Thread(target=document.get, args=("a", NOW))
    thread.start()
    fetching.wait()
    with pytest.raises(Unavailable) as unavailable:
        document.get("a", NOW)
    assert unavailable.value.code is Code.PORTAL_UNAVAILABLE
    go_on.set()
    thread.join()
    assert document.get("a", NOW) == "a"


class Scenes:
    """What happens behind the scenes, when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def play(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def behind(fetch: Callable[[str], object]) -> tuple[Kept[object], Scenes]:
    scenes = Scenes()
    return Kept(fetch, life=LIFE, patience=5, background=scenes), scenes


def test_from_the_middle_of_its_life_a_document_is_renewed_and_nobody_waits() -> None:
    asked: list[str] = []

    def fetch(address: str) -> object:
        asked.append(address)
        return object()

    document, scenes = behind(fetch)
    first = document.get("a", NOW)
    assert document.get("a", NOW + LIFE / 2 - timedelta(seconds=1)) is first
    assert not scenes.waiting
    for _ in range(3):
        assert document.get("a", NOW + LIFE / 2) is first
    assert len(scenes.waiting) == 1
    scenes.play()
    assert document.get("a", NOW + LIFE / 2) is not first
    # ... so that somebody who comes each half hour never waits
    moment = NOW + LIFE / 2
    for _ in range(10):
        moment += LIFE / 2
        before = len(asked)
        document.get("a", moment)
        assert len(asked) == before
        scenes.play()
        assert len(asked) == before + 1


@pytest.mark.parametrize(
    "failure", [Unavailable("no"), AnswerRefused(Code.OIDC_KEYS), ValueError("a check broke")], ids=type
)
def test_a_renewal_that_fails_changes_nothing_until_the_document_ends(failure: Exception) -> None:
    fails = False

    def fetch(_: str) -> object:
        if fails:
            raise failure
        return object()

    document, scenes = behind(fetch)
    first = document.get("a", NOW)
    fails = True
    for minutes in range(30, 60):
        assert document.get("a", NOW + timedelta(minutes=minutes)) is first
        assert len(scenes.waiting) == 1
        scenes.play()
    with pytest.raises(type(failure)):
        document.get("a", NOW + LIFE)


def test_a_dead_portal_is_asked_behind_the_scenes_once_a_minute() -> None:
    document, scenes = behind(lambda _: object())
    document.get("a", NOW)
    asked = 0
    for seconds in range(600):
        document.get("a", NOW + LIFE / 2 + timedelta(seconds=seconds))
        asked += len(scenes.waiting)
        scenes.waiting.clear()  # each is lost
    assert asked == 10


def test_where_no_thread_can_be_had_the_document_held_is_given() -> None:
    def refuse(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    document: Kept[object] = Kept(lambda _: object(), life=LIFE, patience=5, background=refuse)
    first = document.get("a", NOW)
    assert document.get("a", NOW + LIFE / 2) is first


def test_behind_the_scenes_is_a_thread_of_its_own() -> None:
    names: list[str] = []
    fetched = threading.Event()

    def fetch(_: str) -> object:
        names.append(threading.current_thread().name)
        if len(names) == 2:
            fetched.set()
        return object()

    document: Kept[object] = Kept(fetch, life=LIFE, patience=5)
    document.get("a", NOW)
    document.get("a", NOW + LIFE / 2)
    assert fetched.wait(30)
    assert names[0] != names[1]
