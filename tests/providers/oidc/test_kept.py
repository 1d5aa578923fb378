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
