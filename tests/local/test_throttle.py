"""How often a password may be tried: by account, by network, by everybody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.local.door import CredentialsRefused, Letter, LoginFailure, NetworkThrottled
from imagin_gateway.local.dossier import Failures
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.local.throttle import (
    ACCOUNT_FAILURES,
    ACCOUNT_WINDOW,
    ALARM_FAILURES,
    DELAYS,
    KNOWN_FAILURES,
    LINKS_PER_ACCOUNT,
    LINKS_PER_NETWORK,
    LINKS_WINDOW,
    MEMORY,
    MOST_IN_A_ROW,
    NETWORK_FAILURES,
    NETWORK_FAILURES_IN_ALARM,
    NETWORK_WINDOW,
    Throttle,
    _key,
    delay_after,
    network_of,
    of_second_step,
)
from imagin_gateway.state.sqlite import SqliteStateStore
from imagin_gateway.state.store import Record, Space
from tests.clock import ManualClock
from tests.local.conftest import Office, keys_of, settings_of
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer

WRONG = Secret("ce n'est pas le bon mot")


@pytest.fixture
def throttle(state: SqliteStateStore) -> Throttle:
    return Throttle(state)


def fail(throttle: Throttle, clock: ManualClock, account: str = "a", *, known: bool = False) -> bool:
    """Try once; tell whether the attempt was evaluated."""
    attempt = throttle.begin(account, clock.now(), known=known)
    if attempt is not None:
        throttle.failed(account, clock.now())
    return attempt is not None


@pytest.mark.row("THR-01")
def test_the_delay_grows_and_is_over_a_minute_after_five_failures() -> None:
    assert list(DELAYS) == sorted(DELAYS)
    assert delay_after(5) > timedelta(minutes=1)
    assert delay_after(10_000) == DELAYS[-1] == timedelta(minutes=90)


@pytest.mark.row("THR-01")
def test_the_figures_are_those_that_the_documents_tell() -> None:
    """Written again, by hand: a figure that changes is a decision."""
    assert [delay.total_seconds() for delay in DELAYS] == [0, 0, 0, 5, 30, 90, 180, 300, 600, 1200, 2400, 5400]
    assert (25, 5, timedelta(days=1)) == (ACCOUNT_FAILURES, KNOWN_FAILURES, ACCOUNT_WINDOW)
    assert (100, timedelta(days=30)) == (MOST_IN_A_ROW, MEMORY)
    assert (50, timedelta(minutes=10)) == (NETWORK_FAILURES, NETWORK_WINDOW)
    assert (ALARM_FAILURES, NETWORK_FAILURES_IN_ALARM) == (1000, 5)
    assert (3, 30, timedelta(hours=1)) == (LINKS_PER_ACCOUNT, LINKS_PER_NETWORK, LINKS_WINDOW)


@pytest.mark.row("THR-01")
def test_of_two_tries_at_once_the_one_that_is_not_evaluated_does_not_count(
    throttle: Throttle, state: SqliteStateStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert fail(throttle, clock)
    find, looks = state.find, iter([True])

    def late(*words: Any, **named: Any) -> list[Record]:
        """As if the others had begun just after the first look."""
        return [] if next(looks, False) else find(*words, **named)

    monkeypatch.setattr(state, "find", late)
    assert throttle.begin("a", clock.now()) is None
    assert next(looks, None) is None
    assert throttle.failures("a", clock.now()).count == 3


@pytest.mark.row("THR-02")
def test_where_accounts_are_locked_known_browsers_and_others_are_counted_together(
    state: SqliteStateStore, clock: ManualClock
) -> None:
    throttle = Throttle(state, lock=True, in_a_row=10)
    assert all(throttle.begin("a", clock.now(), known=number % 2 == 0) for number in range(10))
    assert throttle.begin("a", clock.now(), known=True) is None
    assert throttle.begin("a", clock.now()) is None
    assert throttle.begin("b", clock.now()) is not None


def test_what_counts_against_an_account_is_told_and_forgotten_by_a_link(state: SqliteStateStore) -> None:
    clock, throttle = ManualClock(), Throttle(state, in_a_row=5)
    assert throttle.failures("a", clock.now()) == Failures(count=0, last=None, waits=False)
    first = clock.now()
    assert fail(throttle, clock)
    assert throttle.failures("a", clock.now()) == Failures(count=1, last=first, waits=False)
    clock.move(60)
    for _ in range(2):
        assert fail(throttle, clock)
        assert fail(throttle, clock, known=True)
    assert throttle.failures("a", clock.now()) == Failures(count=5, last=clock.now(), waits=True)
    assert throttle.failures("b", clock.now()).count == 0
    # The next one in a row would lock it, unless a link is used.
    throttle.clear("a")
    assert throttle.failures("a", clock.now()) == Failures(count=0, last=None, waits=False)
    assert not throttle.failed("a", clock.now())


def test_tries_of_the_second_step_count_apart_and_whoever_helps_forgets_both(
    throttle: Throttle, clock: ManualClock
) -> None:
    second = of_second_step("a")
    assert fail(throttle, clock)
    assert fail(throttle, clock, second)
    assert fail(throttle, clock, of_second_step("b"))

    def counts() -> list[int]:
        return [throttle.failures(name, clock.now()).count for name in ("a", second, of_second_step("b"))]

    assert counts() == [1, 1, 1]
    throttle.clear("a")
    assert counts() == [0, 1, 1]
    throttle.forgive("a")
    assert counts() == [0, 0, 1]


def test_an_account_waits_for_as_long_as_a_stranger_would(throttle: Throttle, clock: ManualClock) -> None:
    for failures in range(1, KNOWN_FAILURES + 3):
        assert fail(throttle, clock)
        clock.move(delay_after(failures) - timedelta(seconds=1) if delay_after(failures) else timedelta())
        assert throttle.failures("a", clock.now()).waits is bool(delay_after(failures))
        clock.move(1)
        assert not throttle.failures("a", clock.now()).waits


def test_a_browser_that_is_known_alone_makes_nobody_wait(throttle: Throttle, clock: ManualClock) -> None:
    for _ in range(3):
        assert fail(throttle, clock, known=True)
    assert throttle.failures("a", clock.now()) == Failures(count=3, last=clock.now(), waits=False)


@pytest.mark.row("THR-01")
def test_each_delay_ends_to_the_second(throttle: Throttle, clock: ManualClock) -> None:
    for failures in range(1, ACCOUNT_FAILURES - KNOWN_FAILURES - 1):
        assert fail(throttle, clock)
        wait = delay_after(failures)
        if wait:
            clock.move(wait - timedelta(milliseconds=1))
            assert not fail(throttle, clock), failures
            clock.move(timedelta(milliseconds=1))


@pytest.mark.row("THR-01")
def test_the_26th_failure_within_any_24_hours_is_not_evaluated(throttle: Throttle, clock: ManualClock) -> None:
    evaluated = []
    for _ in range(3 * 24 * 60):
        for known in (False, True):
            if fail(throttle, clock, known=known):
                evaluated.append(clock.now())
        clock.move(60)
    day = timedelta(hours=24)
    most = max(sum(start <= at < start + day for at in evaluated) for start in evaluated)
    assert most == ACCOUNT_FAILURES == 25


@pytest.mark.row("THR-03")
def test_within_a_delay_the_right_password_is_not_evaluated_and_fails_the_same(office: Office) -> None:
    office.personalise("mdurand7")
    for _ in range(5):
        with pytest.raises(CredentialsRefused):
            office.door.check("mdurand7", WRONG, address=ADDRESS)
        office.clock.move(40)
    kept = office.account("mdurand7").password_hash
    seen: list[str | None] = []
    verify = office.hasher.verify

    def watched(stored: str | None, password: Secret) -> bool:
        seen.append(stored)
        return verify(stored, password)

    office.hasher.verify = watched  # type: ignore[method-assign]  # looks at what is compared
    with pytest.raises(CredentialsRefused) as delayed:
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    assert delayed.value.reason is LoginFailure.DELAYED
    with pytest.raises(CredentialsRefused) as wrong:
        office.door.check("inconnu", WRONG, address=ADDRESS)
    assert (str(delayed.value), delayed.value.code) == (str(wrong.value), wrong.value.code)
    assert seen == [None, None]
    office.clock.move(90)
    assert office.door.check("mdurand7", GOOD, address=ADDRESS).account.identifier == "mdurand7"
    assert seen[-1] == kept


def test_a_letter_is_not_evaluated_within_a_delay_either(office: Office) -> None:
    for _ in range(4):
        with pytest.raises(CredentialsRefused):
            office.door.check("mdurand7", WRONG, address=ADDRESS)
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert caught.value.reason is LoginFailure.DELAYED


def test_tries_within_a_delay_do_not_lengthen_it(throttle: Throttle, clock: ManualClock) -> None:
    for failures in range(1, 6):
        assert fail(throttle, clock)
        clock.move(delay_after(failures))
    assert fail(throttle, clock)
    for _ in range(100):
        clock.move(1)
        assert not fail(throttle, clock)
    clock.move(80)
    assert fail(throttle, clock)


@pytest.mark.row("THR-04")
def test_fifty_tries_at_once_are_fifty_for_the_network_and_three_for_the_account(
    state: SqliteStateStore, tmp_path: Path, clock: ManualClock
) -> None:
    """Two workers, each with its own connection to the store, as two processes have."""
    other = SqliteStateStore(tmp_path / "state.db")
    workers = [Throttle(state), Throttle(other)]
    now = clock.now()
    workers[0].begin("b", now)

    def attempt(number: int) -> bool:
        worker = workers[number % 2]
        evaluated = worker.begin("a", now) is not None
        worker.failed_from(ADDRESS, now)
        return evaluated

    with ThreadPoolExecutor(16) as pool:
        evaluated = list(pool.map(attempt, range(NETWORK_FAILURES - 1)))
    assert sum(evaluated) <= 3
    workers[0].admit(ADDRESS, now)
    workers[1].failed_from(ADDRESS, now)
    with pytest.raises(NetworkThrottled):
        workers[0].admit(ADDRESS, now)
    workers[0].clear("a")
    counted = [len(state.find(Space.COUNTER, _key("failures", each), now=now.timestamp())) for each in "ab"]
    assert counted == [0, 1]
    other.close()


@pytest.mark.row("THR-04")
def test_another_process_and_a_restart_find_the_same_counts(state: SqliteStateStore, tmp_path: Path) -> None:
    clock = ManualClock()
    code = f"""
from datetime import datetime
from imagin_gateway.local.throttle import Throttle
from imagin_gateway.state.sqlite import SqliteStateStore
throttle = Throttle(SqliteStateStore({str(tmp_path / "state.db")!r}))
now = datetime.fromisoformat({clock.now().isoformat()!r})
print([throttle.begin("a", now) is not None for _ in range(4)])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[True, True, True, False]"
    assert Throttle(state).begin("a", clock.now()) is None


@pytest.mark.row("THR-04")
def test_success_clears_that_account_alone(office: Office) -> None:
    office.personalise("mdurand7")
    office.personalise("pmartin2")
    for identifier in ("mdurand7", "pmartin2"):
        for _ in range(2):
            with pytest.raises(CredentialsRefused):
                office.door.check(identifier, WRONG, address=ADDRESS)
    office.door.check("mdurand7", GOOD, address=ADDRESS)
    for expected in (LoginFailure.WRONG, LoginFailure.WRONG, LoginFailure.WRONG, LoginFailure.DELAYED):
        with pytest.raises(CredentialsRefused) as caught:
            office.door.check("mdurand7", WRONG, address=ADDRESS)
        assert caught.value.reason is expected
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("pmartin2", WRONG, address=ADDRESS)
    assert caught.value.reason is LoginFailure.WRONG
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("pmartin2", GOOD, address=ADDRESS)
    assert caught.value.reason is LoginFailure.DELAYED


@pytest.mark.row("THR-05")
def test_one_try_on_each_of_500_accounts_from_one_64_is_stopped_and_another_64_is_not(office: Office) -> None:
    stopped = []
    for number in range(500):
        try:
            office.door.check(f"compte{number}", WRONG, address=f"2001:db8:1:2::{number:x}")
        except NetworkThrottled as waits:
            stopped.append(waits.retry_after)
        except CredentialsRefused:
            continue
    assert stopped == [600] * (500 - NETWORK_FAILURES)
    assert office.door.check("mdurand7", office.letters["mdurand7"], address="2001:db8:1:3::1").must_choose
    with pytest.raises(NetworkThrottled):
        office.door.check("mdurand7", office.letters["mdurand7"], address="2001:db8:1:2:ffff::1")
    office.clock.move(601)
    assert office.door.check("mdurand7", office.letters["mdurand7"], address="2001:db8:1:2::1").must_choose


def test_a_network_told_to_wait_costs_no_argon2(office: Office, state: SqliteStateStore) -> None:
    throttle = Throttle(state)
    for _ in range(NETWORK_FAILURES):
        throttle.failed_from(ADDRESS, office.clock.now())
    office.hasher.reset()
    with pytest.raises(NetworkThrottled):
        office.door.check("mdurand7", WRONG, address=ADDRESS)
    assert office.hasher.verifications == 0


@pytest.mark.row("THR-05")
def test_when_failures_rise_everywhere_each_network_gets_less_and_nobody_is_shut_out(
    throttle: Throttle, clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ALARM_FAILURES > 10 * NETWORK_FAILURES
    monkeypatch.setattr("imagin_gateway.local.throttle.ALARM_FAILURES", 100)
    now = clock.now()
    for number in range(100):
        throttle.failed_from(f"198.51.{number % 250}.{number // 250}", now)
    assert "rise everywhere" in caplog.text
    newcomer = "203.0.113.9"
    for _ in range(NETWORK_FAILURES_IN_ALARM):
        throttle.admit(newcomer, now)
        throttle.failed_from(newcomer, now)
    with pytest.raises(NetworkThrottled):
        throttle.admit(newcomer, now)
    throttle.admit("203.0.113.10", now)
    clock.move(601)
    for _ in range(NETWORK_FAILURES - 1):
        throttle.failed_from(newcomer, clock.now())
    throttle.admit(newcomer, clock.now())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("192.0.2.7, 10.0.0.1", "unknown"),
        ("x" * 1000, "unknown"),
    ],
)
def test_addresses_are_counted_by_network(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.row("THR-06")
def test_an_owner_attacked_for_a_day_can_still_reset_and_come_in(
    office: Office, reset_link: Callable[..., str]
) -> None:
    office.personalise("mdurand7")
    for number in range(24 * 12):
        with suppress(CredentialsRefused):
            office.door.check("mdurand7", WRONG, address=f"2001:db8:{number:x}::1")
        office.clock.move(300)
    token = reset_link("mdurand7")
    office.door.passwords.use_reset(token, GOOD, GOOD)
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


@pytest.mark.row("THR-06")
def test_however_long_the_attack_a_stranger_waits_ten_hours_at_most(throttle: Throttle, clock: ManualClock) -> None:
    last, longest = clock.now(), timedelta()
    for _ in range(4 * 24 * 60):
        if fail(throttle, clock):
            longest = max(longest, clock.now() - last)
            last = clock.now()
        clock.move(60)
    assert timedelta(hours=8) < longest <= timedelta(hours=10)


def attack(office: Office, seconds: int, every: int, first: int = 0) -> None:
    """Try a wrong password again and again, from everywhere, the owner's own network included."""
    for number in range(first, first + seconds // every):
        with suppress(CredentialsRefused, NetworkThrottled):
            office.door.check("mdurand7", WRONG, address=ADDRESS if number % 3 == 0 else f"2001:db8:{number:x}::1")
        office.clock.move(every)


@pytest.mark.row("THR-06")
def test_an_attack_that_never_stops_keeps_out_neither_a_known_browser_nor_one_that_used_a_link(
    office: Office, reset_link: Callable[..., str]
) -> None:
    office.personalise("mdurand7")
    known = office.door.remember("mdurand7")
    attack(office, 20 * 60, 20)
    with pytest.raises((CredentialsRefused, NetworkThrottled)):
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    # The known browser comes in, from the very network the attack comes from, and mistakes are allowed.
    for _ in range(2):
        with pytest.raises(CredentialsRefused) as caught:
            office.door.check("mdurand7", WRONG, address=ADDRESS, client=known)
        assert caught.value.reason is LoginFailure.WRONG
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS, client=known).must_choose
    # It gave the attacker nothing back.
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("mdurand7", WRONG, address="203.0.113.7")
    assert caught.value.reason is LoginFailure.DELAYED
    # A browser nobody knows uses a link; the attack goes on before the person has typed anything.
    office.door.passwords.use_reset(reset_link("mdurand7"), OTHER, OTHER)
    fresh = office.door.remember("mdurand7")
    attack(office, 5 * 60, 1, first=1000)
    with pytest.raises((CredentialsRefused, NetworkThrottled)):
        office.door.check("mdurand7", OTHER, address="203.0.113.8")
    assert not office.door.check("mdurand7", OTHER, address=ADDRESS, client=fresh).must_choose


def test_a_known_browser_is_known_to_that_account_alone_until_the_password_changes(office: Office) -> None:
    for identifier in ("mdurand7", "pmartin2"):
        office.personalise(identifier)
    marie = office.door.remember("mdurand7")
    assert office.door.remember("MDurand7 ", marie) == marie
    knows = office.door._clients.knows
    now = office.clock.now()
    assert knows("mdurand7", marie, now)
    assert not knows("pmartin2", marie, now)
    # Two people may share a browser.
    both = office.door.remember("pmartin2", marie)
    assert both == marie
    assert not knows("mdurand7", "", now)
    assert not knows("mdurand7", marie, now + timedelta(days=181))
    office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER, client=marie)
    assert not knows("mdurand7", marie, now)
    assert knows("pmartin2", both, now)


@pytest.mark.row("THR-02")
@pytest.mark.parametrize(
    ("attempts", "after", "accepted"),
    [("lock", 10, True), ("lock", 11, False), ("delay", 100, True), ("delay", 101, False), ("lock", 2, False)],
)
def test_more_failures_in_a_row_cannot_be_set(attempts: str, after: int, accepted: bool) -> None:
    passwords = {"profile": "unsafe-tests", "attempts": attempts, "lock_after": after}
    if accepted:
        assert settings_of("sqlite:///x.db", passwords=passwords).passwords.in_a_row == after
        return
    with pytest.raises(SettingsError, match="lock_after"):
        settings_of("sqlite:///x.db", passwords=passwords)


@pytest.mark.row("THR-02")
def test_where_accounts_are_locked_instead_the_tenth_failure_in_a_row_does_it(
    office: Office, open_office: Callable[..., Office], reset_link: Callable[..., str]
) -> None:
    office.personalise("mdurand7")
    keys = {name: [key.reveal() for key in getattr(office.settings.keys, name)] for name in ("signing", "provisional")}
    locking = open_office(passwords={"profile": "unsafe-tests", "attempts": "lock"}, keys=keys)
    known = locking.door.remember("mdurand7")

    def wrong(times: int) -> None:
        for number in range(times):
            with pytest.raises(CredentialsRefused) as caught:
                locking.door.check("mdurand7", WRONG, address=ADDRESS, client=known if number % 2 else "")
            assert caught.value.reason is LoginFailure.WRONG

    wrong(9)
    assert locking.account("mdurand7").state is AccountState.ACTIVE
    locking.door.check("mdurand7", GOOD, address=ADDRESS)
    wrong(10)
    assert locking.account("mdurand7").state is AccountState.LOCKED
    locking.clock.move(timedelta(days=40))
    with pytest.raises(CredentialsRefused) as caught:
        locking.door.check("mdurand7", GOOD, address=ADDRESS, client=known)
    assert caught.value.reason is LoginFailure.LOCKED
    locking.door.passwords.use_reset(reset_link("mdurand7"), GOOD, GOOD)
    assert not locking.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


@pytest.mark.row("THR-02")
@pytest.mark.parametrize("way", ["list", "reissue"])
@pytest.mark.parametrize("attempts", ["delay", "lock"])
def test_a_letter_of_a_list_opens_a_locked_account_and_forgets_what_locked_it(
    office: Office, open_office: Callable[..., Office], tmp_path: Path, attempts: str, way: str
) -> None:
    passwords = {"profile": "unsafe-tests", "attempts": attempts, "lock_after": 3}
    locking = open_office(passwords=passwords, keys=keys_of(office))
    for _ in range(3):
        with pytest.raises(CredentialsRefused):
            locking.door.check("pmartin2", WRONG, address=ADDRESS)
    assert locking.account("pmartin2").state is AccountState.LOCKED
    letters: list[Letter] = []
    if way == "list":
        listing = tmp_path / "next.csv"
        listing.write_text("Identifiant;Nom\npmartin2;MARTIN\n", encoding="utf-8")
        locking.door.lists.import_list(listing, each=letters.append)
    else:
        locking.door.lists.reissue(["pmartin2"], each=letters.append)
    (letter,) = letters
    assert letter.provisional is not None
    with pytest.raises(CredentialsRefused) as caught:
        locking.door.check("pmartin2", WRONG, address=ADDRESS)
    assert caught.value.reason is LoginFailure.WRONG
    assert locking.door.check("pmartin2", letter.provisional, address=ADDRESS).must_choose


@pytest.mark.row("THR-02")
def test_an_import_interrupted_before_it_forgot_what_locked_an_account_forgets_it_the_next_time(
    office: Office, open_office: Callable[..., Office], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = {"profile": "unsafe-tests", "attempts": "lock", "lock_after": 3}
    locking = open_office(passwords=passwords, keys=keys_of(office))
    for _ in range(3):
        with pytest.raises(CredentialsRefused):
            locking.door.check("pmartin2", WRONG, address=ADDRESS)
    listing = tmp_path / "next.csv"
    listing.write_text("Identifiant;Nom\npmartin2;MARTIN\n", encoding="utf-8")
    with monkeypatch.context() as broken:
        broken.setattr(Throttle, "clear", Mock(side_effect=Unavailable("the state does not answer")))
        with pytest.raises(Unavailable):
            locking.door.lists.import_list(listing, letters_to=tmp_path / "letters.csv")
    assert locking.door.lists.import_list(listing, letters_to=tmp_path / "letters.csv").resumed
    assert locking.account("pmartin2").state is AccountState.PROVISIONAL
    with pytest.raises(CredentialsRefused) as caught:
        locking.door.check("pmartin2", WRONG, address=ADDRESS)
    assert caught.value.reason is LoginFailure.WRONG


@pytest.mark.row("THR-02")
def test_tries_on_an_account_that_was_closed_do_not_keep_a_letter_of_a_list_from_opening_it(
    office: Office, open_office: Callable[..., Office]
) -> None:
    passwords = {"profile": "unsafe-tests", "attempts": "lock", "lock_after": 3}
    locking = open_office(passwords=passwords, keys=keys_of(office))
    locking.door.desk.disable("pmartin2")
    for _ in range(3):
        with pytest.raises(CredentialsRefused):
            locking.door.check("pmartin2", WRONG, address=ADDRESS)
    locking.door.desk.enable("pmartin2")
    letters: list[Letter] = []
    locking.door.lists.reissue(["pmartin2"], each=letters.append)
    assert letters[0].provisional is not None
    assert locking.door.check("pmartin2", letters[0].provisional, address=ADDRESS).must_choose


@pytest.mark.row("THR-02")
def test_where_accounts_are_locked_tries_at_once_are_not_more_than_the_limit(
    state: SqliteStateStore, clock: ManualClock
) -> None:
    throttle = Throttle(state, lock=True, in_a_row=10)
    with ThreadPoolExecutor(16) as pool:
        begun = list(pool.map(lambda _: throttle.begin("a", clock.now()), range(60)))
    assert sum(attempt is not None for attempt in begun) <= 10


@pytest.mark.row("THR-09")
def test_a_success_after_failures_is_told_once_and_so_is_one_from_a_new_browser(
    office: Office, mail_server: MailServer
) -> None:
    office.personalise("mdurand7")
    known = office.door.remember("mdurand7")
    office.door.deliver_due()
    mail_server.inbox.received.clear()

    def sign_in(client: str) -> list[str]:
        office.door.check("mdurand7", GOOD, address=ADDRESS, client=client)
        office.door.deliver_due()
        subjects = mail_server.inbox.subjects
        mail_server.inbox.received.clear()
        return subjects

    assert sign_in(known) == []
    for number in range(4):
        with pytest.raises(CredentialsRefused):
            office.door.check("mdurand7", WRONG, address=f"2001:db8:{number:x}::1")
        office.clock.move(10)
    office.door.check("mdurand7", GOOD, address=ADDRESS, client=known)
    office.door.deliver_due()
    assert mail_server.inbox.subjects == ["Connexion après plusieurs essais – Sign-in after several tries"]
    assert "après 4 essais manqués" in mail_server.inbox.body()
    assert "4 failed tries" in mail_server.inbox.body()
    assert "imagin@siec.education.fr" in mail_server.inbox.body()
    mail_server.inbox.received.clear()
    office.clock.move(timedelta(days=1))
    assert sign_in(known) == []
    assert sign_in("") == ["Connexion depuis un nouvel appareil – Sign-in from a new device"]
    assert sign_in("made-up") == ["Connexion depuis un nouvel appareil – Sign-in from a new device"]
    assert sign_in(office.door.remember("mdurand7")) == []


def test_a_failure_and_a_letter_tell_nothing_by_mail(office: Office, mail_server: MailServer) -> None:
    for _ in range(3):
        with pytest.raises(CredentialsRefused):
            office.door.check("mdurand7", WRONG, address=ADDRESS)
    office.clock.move(10)
    office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS)
    assert office.door.deliver_due() == 0


def test_a_hundred_failures_in_a_row_lock_the_account_until_a_link_is_used(
    office: Office, reset_link: Callable[..., str]
) -> None:
    office.personalise("mdurand7")
    evaluated = 0
    while evaluated < MOST_IN_A_ROW:
        assert office.account("mdurand7").state is AccountState.ACTIVE
        with pytest.raises(CredentialsRefused) as caught:
            office.door.check("mdurand7", WRONG, address=f"2001:db8:{evaluated:x}::1")
        evaluated += caught.value.reason is LoginFailure.WRONG
        office.clock.move(5400)
    assert office.account("mdurand7").state is AccountState.LOCKED
    office.clock.move(timedelta(days=2))
    with pytest.raises(CredentialsRefused) as caught:
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    assert caught.value.reason is LoginFailure.LOCKED
    office.door.passwords.use_reset(reset_link("mdurand7"), GOOD, GOOD)
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose


def test_a_dead_store_refuses_and_evaluates_nothing(office: Office) -> None:
    office.personalise("mdurand7")
    office.hasher.reset()
    office.state.close()
    with pytest.raises(Unavailable) as caught:
        office.door.check("mdurand7", GOOD, address=ADDRESS)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    with pytest.raises(Unavailable):
        office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    assert office.hasher.verifications == 0


@pytest.mark.row("RST-09")
def test_thirty_requests_bring_three_mails_and_change_nothing_in_the_account(
    office: Office, mail_server: object
) -> None:
    office.personalise("mdurand7")
    office.door.deliver_due()
    before = office.account("mdurand7")
    for number in range(30):
        office.door.passwords.ask_reset("mdurand7", address=f"192.0.2.{number}")
        office.door.deliver_due()
    sent = [event for event in office.named("mail_sent") if event["detail"]["mail"] == "reset"]
    assert len(sent) == 3
    assert office.account("mdurand7") == before
    assert not office.door.check("mdurand7", GOOD, address=ADDRESS).must_choose
    dropped = [event for event in office.named("reset_asked") if event.get("code") == "direct.throttled"]
    assert len(dropped) == 27
    # Who was asked for, by the pseudonym of the mails that left: a flood against one person shows as one.
    assert {event["person"] for event in dropped} == {event["person"] for event in sent}


@pytest.mark.row("RST-09")
def test_a_network_that_asks_for_many_links_must_wait(office: Office) -> None:
    for number in range(LINKS_PER_NETWORK):
        office.door.passwords.ask_reset(f"compte{number}", address="2001:db8:1:2::1")
        office.clock.move(1)
    with pytest.raises(NetworkThrottled):
        office.door.passwords.ask_reset("mdurand7", address="2001:db8:1:2::2")
    office.door.passwords.ask_reset("mdurand7", address="2001:db8:1:3::2")
    # It is told what is left of the hour, which began with the first of them, and not an hour more each time.
    office.clock.move(58 * 60 - LINKS_PER_NETWORK)
    with pytest.raises(NetworkThrottled) as told:
        office.door.passwords.ask_reset("mdurand7", address="2001:db8:1:2::2")
    assert told.value.retry_after == 120
    office.clock.move(121)
    office.door.passwords.ask_reset("mdurand7", address="2001:db8:1:2::2")
