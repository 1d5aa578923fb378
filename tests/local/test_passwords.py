"""Argon2id and its bounds."""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from argon2 import Type

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.door import CredentialsRefused
from imagin_gateway.local.passwords import (
    MAX_BYTES,
    MAX_TYPED,
    PROFILES,
    WAITING_PER_WORKER,
    Hasher,
    Limiter,
    byte_length,
    cores,
    normalized,
)
from imagin_gateway.settings import Passwords
from tests.local.conftest import Office, settings_of
from tests.local.helper import ADDRESS, GOOD

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


def test_who_waits_has_a_turn_before_who_comes_later() -> None:
    limiter = Limiter(1, 10, patience=10)
    order: list[int] = []

    def work(number: int) -> None:
        with limiter.turn():
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with limiter.turn():
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(limiter._waiting) < number:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert limiter._free == 1


def test_a_waiter_that_is_interrupted_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = Limiter(1, 1)

    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with limiter.turn():
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt), limiter.turn():
                pass
        assert not limiter._waiting
    assert limiter._free == 1


def test_a_turn_is_given_back_after_an_error() -> None:
    limiter = Limiter(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limiter.turn():
            1 / 0  # noqa: B018


def test_the_limiter_is_as_wide_as_the_cores() -> None:
    assert Hasher("unsafe-tests").limiter.width == cores()


# -- pepper ------------------------------------------------------------------


def ring(*keys: str) -> Keyring:
    return Keyring([Secret(key * 40) for key in keys])


@pytest.mark.row("HSH-04")
def test_a_hash_with_a_pepper_verifies_with_that_key_alone(caplog: pytest.LogCaptureFixture) -> None:
    stored = Hasher("unsafe-tests", pepper=ring("a")).hash(GOOD)
    assert Hasher("unsafe-tests", pepper=ring("a")).verify(stored, GOOD)
    assert not Hasher("unsafe-tests", pepper=ring("a")).verify(stored, Secret("autre chose"))
    version, _, encoded = stored.partition("$")
    thieves = [Hasher("unsafe-tests"), Hasher("unsafe-tests", pepper=ring("b"))]
    forms = [stored, f"${encoded}", f"{ring('b').newest}${encoded}", f"00000000${encoded}"]
    for thief in thieves:
        assert not any(thief.verify(form, GOOD) for form in forms)
    assert version == ring("a").newest
    assert "pepper that is not held" in caplog.text
    assert GOOD.reveal() not in caplog.text


@pytest.mark.row("HSH-04")
def test_two_versions_of_the_pepper_and_hashes_without_one_live_together(
    office: Office, open_office: Callable[..., Office]
) -> None:
    keys = {name: [key.reveal() for key in getattr(office.settings.keys, name)] for name in ("signing", "provisional")}
    old, new = (secrets.token_urlsafe(48) for _ in range(2))

    def opened(*pepper: str) -> Office:
        return open_office(keys={**keys, "pepper": list(pepper)})

    office.personalise("mdurand7")
    plain = office.account("mdurand7").password_hash
    assert plain is not None
    assert plain.startswith("$argon2id$")
    first = opened(old)
    assert not first.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    peppered = first.account("mdurand7").password_hash
    assert peppered is not None
    assert not peppered.startswith("$")
    assert not first.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    assert first.account("mdurand7").password_hash == peppered
    both = opened(old, new)
    assert not both.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    rotated = both.account("mdurand7").password_hash
    assert rotated is not None
    assert rotated[:8] not in ("", peppered[:8])
    last = opened(new)
    assert not last.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    for without in (opened(old), office):
        without.hasher.reset()
        with pytest.raises(CredentialsRefused):
            without.door.check("mdurand7", GOOD, address=ADDRESS)
        assert without.hasher.verifications == 1


def test_a_pepper_is_a_key_of_its_own_and_a_strong_one() -> None:
    one, two, three = (secrets.token_urlsafe(48) for _ in range(3))
    for pepper in ([one], [two], ["short"], [three, three], ["x" * 60]):
        with pytest.raises(SettingsError, match=r"keys\.pepper"):
            settings_of("sqlite:///x.db", keys={"signing": [one], "provisional": [two], "pepper": pepper})
    kept = settings_of("sqlite:///x.db", keys={"signing": [one], "provisional": [two], "pepper": [three]})
    assert three not in repr(kept)


# -- many at once ------------------------------------------------------------

RUSH = """
import resource, sys, threading
from concurrent.futures import ThreadPoolExecutor
from imagin_gateway.errors import Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.passwords import Hasher, cores

hasher = Hasher("rfc9106")
stored = hasher.hash(Secret("quatre vaches bleues dansent"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, answers = threading.Barrier(201), []

def one(_):
    start.wait()
    try:
        return hasher.verify(stored, Secret("pas le bon mot de passe"))
    except Unavailable as busy:
        assert busy.retry_after > 0
        return busy.code.value

with ThreadPoolExecutor(200) as pool:
    running = pool.map(one, range(200))
    start.wait()
    answers = list(running)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(cores(), before, after, answers.count(False), answers.count("house.busy"))
"""


@pytest.mark.row("HSH-05")
def test_two_hundred_logins_at_once_take_the_memory_of_the_pool_and_no_more() -> None:
    ran = subprocess.run([sys.executable, "-c", RUSH], capture_output=True, text=True, check=True)
    width, before, after, verified, busy = map(int, ran.stdout.split())
    assert verified + busy == 200
    # The queue has a bound: whoever does not fit is told to come back, at once.
    assert busy >= 200 - width * (1 + WAITING_PER_WORKER)
    assert verified >= width
    # One hash of 64 MiB was made before: the peak grows by the others', and by the stacks of 200 threads.
    assert after - before < (width * 64 + 64) * 1024


def test_the_limiter_counts_who_works_and_who_waits() -> None:
    limiter = Limiter(2, 1)
    with limiter.turn(), limiter.turn():
        assert (limiter.working, limiter.waiting) == (2, 0)
        waits = threading.Thread(target=limiter._enter)
        waits.start()
        for _ in range(1000):
            if limiter.waiting:
                break
            waits.join(0.01)
        assert (limiter.working, limiter.waiting) == (2, 1)
        with pytest.raises(Unavailable), limiter.turn():
            pass
    waits.join()
    assert (limiter.working, limiter.waiting) == (1, 0)


@pytest.mark.parametrize("called", [False, True])
def test_a_wait_that_is_interrupted_gives_its_place_or_its_turn_back(
    called: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if called:  # the turn comes in the very moment
                limiter._leave()
            raise KeyboardInterrupt

    limiter = Limiter(1, 1)
    limiter._enter()
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            limiter._enter()
    assert (limiter.working, limiter.waiting) == (0 if called else 1, 0)
    if not called:
        limiter._leave()
    with limiter.turn():
        assert limiter.working == 1


def test_a_turn_that_comes_as_somebody_gives_up_is_theirs() -> None:
    limiter, turn = Limiter(1, 1), threading.Event()
    limiter._waiting.append(turn)
    assert limiter._gave_up(turn) is True
    turn.set()
    assert limiter._gave_up(turn) is False


def test_a_hasher_makes_its_own_limiter_as_wide_as_the_cores_or_takes_one() -> None:
    own = Hasher("unsafe-tests").limiter
    assert (own.width, own._queue) == (cores(), WAITING_PER_WORKER * cores())
    given = Limiter(1, 0)
    assert Hasher("unsafe-tests", given).limiter is given


def test_where_memory_runs_out_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        def hash(self, password: str) -> str:
            raise argon2.exceptions.HashingError("memory")

    hasher = Hasher("unsafe-tests")
    monkeypatch.setattr(hasher, "_argon2", Empty())
    with pytest.raises(Unavailable) as caught:
        hasher.hash(GOOD)
    assert caught.value.code is Code.BUSY
    assert hasher.limiter.working == 0


@pytest.mark.row("PWD-04")
def test_the_longest_password_is_hashed_whole_and_a_longer_one_opens_nothing() -> None:
    hasher = Hasher("unsafe-tests")
    longest = Secret("é" * (MAX_BYTES // 2))
    stored = hasher.hash(longest)
    assert MAX_BYTES == 1024
    assert hasher.verify(stored, longest) is True
    for other in (Secret("é" * (MAX_BYTES // 2 - 1) + "e"), Secret(longest.reveal() + "x"), Secret("")):
        assert hasher.verify(stored, other) is False
    assert hasher.verify(hasher.hash(Secret("")), Secret("x" * 2000)) is False
    for unreadable in (None, "", "$argon2id$", "$argon2i$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"):
        assert hasher.verify(unreadable, longest) is False
    assert hasher.needs_rehash(stored) is False
    assert hasher.needs_rehash("") is True


@pytest.mark.parametrize("syllable", ["\u1112\u1161\u11ab", "e\u0301", "u\u0308\u0301", "s\u0323\u0307"])
def test_a_password_typed_in_pieces_is_taken_up_to_the_limit(syllable: str) -> None:
    """What NFC shortens most is far from too long to be put in NFC."""
    whole = len(unicodedata.normalize("NFC", syllable).encode())
    most = syllable * (MAX_BYTES // whole)
    assert MAX_BYTES - whole < byte_length(Secret(most)) <= MAX_BYTES
    hasher = Hasher("unsafe-tests")
    assert hasher.verify(hasher.hash(Secret(most)), Secret(unicodedata.normalize("NFC", most)))
    assert byte_length(Secret(most + "a" * whole)) > MAX_BYTES


def test_what_is_too_long_to_be_put_in_nfc_is_too_long() -> None:
    assert byte_length(Secret("e\u0301" * MAX_TYPED)) > MAX_BYTES
    assert normalized(Secret("e\u0301" * MAX_TYPED)) == Secret("e\u0301" * MAX_TYPED)
