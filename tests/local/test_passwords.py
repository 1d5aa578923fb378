"""Argon2id and its bounds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from argon2 import Type

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.passwords import MAX_BYTES, PROFILES, Hasher, Limiter, byte_length, cores
from imagin_gateway.settings import Passwords
from tests.local.conftest import settings_of
from tests.local.helper import GOOD

# OWASP Password Storage sheet: least memory (MiB) for each number of passes, one lane.
FLOOR = {1: 46, 2: 19, 3: 12, 4: 9, 5: 7}


@pytest.mark.row("HSH-01")
def test_the_default_is_the_second_choice_of_rfc_9106() -> None:
    stored = Hasher(Passwords().profile).hash(GOOD)
    found = argon2.extract_parameters(stored)
    assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (Type.ID, 3, 64 * 1024, 4)
    assert (found.salt_len, found.hash_len, found.version) == (16, 32, 19)


@pytest.mark.row("HSH-01")
def test_every_profile_but_the_one_for_tests_is_above_the_floor_and_that_one_is_refused_at_start() -> None:
    for name, cost in PROFILES.items():
        if name != "unsafe-tests":
            assert cost["memory_cost"] >= FLOOR[min(cost["time_cost"], 5)] * 1024
    real = {"development": False, "base_url": "https://imagin.example"}
    secure = {"host": "relay.example", "sender": "imagin@exemple.test"}
    for profile in ("unsafe-tests", "none", "bcrypt"):
        with pytest.raises(SettingsError, match="profile"):
            settings_of("sqlite:///x.db", **real, mail=secure, passwords={"profile": profile})


@pytest.mark.row("HSH-02")
def test_a_hundred_hashes_of_one_password_have_a_hundred_salts_of_128_bits() -> None:
    hasher = Hasher("unsafe-tests")
    hashes = [hasher.hash(GOOD) for _ in range(100)]
    assert len({stored.split("$")[4] for stored in hashes}) == 100
    assert {argon2.extract_parameters(stored).salt_len for stored in hashes} == {16}


def test_a_password_is_verified_whole() -> None:
    hasher = Hasher("unsafe-tests")
    long = "x" * 79
    stored = hasher.hash(Secret(long + "a" + "y" * 20))
    assert hasher.verify(stored, Secret(long + "a" + "y" * 20))
    assert not hasher.verify(stored, Secret(long + "b" + "y" * 20))


def test_nothing_longer_than_the_limit_is_verified() -> None:
    hasher = Hasher("unsafe-tests")
    stored = hasher.hash(Secret("é" * 512))
    assert hasher.verify(stored, Secret("é" * 512))
    longer = Secret("a" * (MAX_BYTES + 1))
    assert not hasher.verify(hasher.hash(longer), longer)


def test_length_in_bytes_is_that_of_utf8_after_nfc() -> None:
    assert byte_length(Secret("e\u0301")) == 2
    assert byte_length(Secret("\ud800")) > MAX_BYTES


def test_no_hash_verifies_the_empty_password_or_nothing() -> None:
    hasher = Hasher("unsafe-tests")
    assert not hasher.verify(None, Secret(""))
    assert not hasher.verify(None, GOOD)


def test_only_as_many_work_at_once_as_there_are_turns_and_the_rest_wait_or_are_sent_back() -> None:
    limiter = Limiter(2, 3, patience=10)
    working, most, lock = 0, 0, threading.Lock()
    arrived, go = threading.Semaphore(0), threading.Event()

    def work() -> Code | None:
        nonlocal working, most
        try:
            with limiter.turn():
                with lock:
                    working += 1
                    most = max(most, working)
                arrived.release()
                go.wait(10)
                with lock:
                    working -= 1
        except Unavailable as busy:
            arrived.release()
            return busy.code
        return None

    with ThreadPoolExecutor(20) as pool:
        results = [pool.submit(work) for _ in range(20)]
        # Two work, fifteen are sent back at once; three wait.
        for _ in range(17):
            assert arrived.acquire(timeout=10)
        go.set()
        answers = [result.result() for result in results]
    assert most == 2
    assert answers.count(None) == 5
    assert answers.count(Code.BUSY) == 15


def test_one_who_waits_too_long_is_sent_back_and_leaves_the_place() -> None:
    limiter = Limiter(1, 1, patience=0.01)
    with limiter.turn():
        for _ in range(5):
            with pytest.raises(Unavailable), limiter.turn():
                pass
    with limiter.turn():
        pass


def test_a_turn_is_given_back_after_an_error() -> None:
    limiter = Limiter(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.turn():
            1 / 0  # noqa: B018


def test_the_limiter_is_as_wide_as_the_cores() -> None:
    assert Hasher("unsafe-tests")._limiter._turn._value == cores()
