"""What time, and the work done, tell of an account: nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.keys import Secret
from imagin_gateway.local.door import CredentialsRefused, LoginFailure
from imagin_gateway.local.lifecycle import Act
from imagin_gateway.local.schema import accounts
from imagin_gateway.state.sqlite import SqliteStateStore
from tests.local.conftest import LIST, Office
from tests.local.helper import ADDRESS, GOOD, Inbox, MailServer, import_list

WRONG = Secret("ce n'est pas le bon mot")

TIMINGS = 300


@pytest.fixture
def cases(office: Office, tmp_path: object) -> dict[LoginFailure | str, tuple[str, Secret]]:
    """An account in each state that cannot come in, and what is typed: the right password, where there is one."""
    from pathlib import Path

    listing = Path(str(tmp_path)) / "more.csv"
    listing.write_text(LIST + "expire;X;;;;;\nbloque;X;;;;;\nferme;X;;;;;\nlettre;X;;;;;\n", encoding="utf-8")
    for letter in import_list(office.door, listing).letters:
        if letter.provisional is not None:
            office.letters[letter.identifier] = letter.provisional
    for identifier in ("mdurand7", "bloque", "ferme"):
        office.personalise(identifier)
    office.act("bloque", Act.LOCK)
    office.act("ferme", Act.DISABLE)
    with office.database.write() as connection:
        ended = sa.update(accounts).where(accounts.c.identifier_key == "expire")
        connection.execute(ended.values(provisional_ends_at=office.clock.now()))
    return {
        LoginFailure.UNKNOWN: ("inconnu", GOOD),
        LoginFailure.WRONG: ("mdurand7", WRONG),
        LoginFailure.LOCKED: ("bloque", GOOD),
        LoginFailure.DISABLED: ("ferme", GOOD),
        LoginFailure.EXPIRED: ("expire", office.letters["expire"]),
        # Somebody of a portal has no account here: their academic identifier is unknown.
        "portal": ("jdupont1", GOOD),
        "letter": ("lettre", WRONG),
    }


def fail(office: Office, identifier: str, password: Secret) -> None:
    with pytest.raises(CredentialsRefused):
        office.door.check(identifier, password, address=ADDRESS)


@pytest.mark.row("THR-07")
def test_every_failing_case_does_the_same_work(
    office: Office, cases: dict[LoginFailure | str, tuple[str, Secret]], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def watch(_c: object, _u: object, statement: str, *_: object) -> None:
        done.append(statement)

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(SqliteStateStore, name)

        def call(self: SqliteStateStore, *words: Any, **more: Any) -> Any:
            done.append(f"state.{name}")
            return real(self, *words, **more)

        return call

    for name in ("get", "put", "find", "increment", "delete", "delete_indexed"):
        monkeypatch.setattr(SqliteStateStore, name, counted(name))
    macs = type(office.door._login._provisionals._keys)
    real_mac = macs.mac

    def mac(self: Any, *words: Any, **more: Any) -> Any:
        done.append("mac")
        return real_mac(self, *words, **more)

    monkeypatch.setattr(macs, "mac", mac)
    engine = office.door._database.engine
    sa.event.listen(engine, "before_cursor_execute", watch)
    works = {}
    for case, (identifier, password) in cases.items():
        done.clear()
        office.hasher.reset()
        fail(office, identifier, password)
        works[case] = (tuple(done), office.hasher.verifications, office.hasher.hashes)
    sa.event.remove(engine, "before_cursor_execute", watch)
    assert len(set(works.values())) == 1, works
    ((steps, verifications, hashes),) = set(works.values())
    assert (verifications, hashes) == (1, 0)
    assert Counter(steps)["mac"] == 1


def advantage(first: list[float], second: list[float]) -> float:
    """Return Mann-Whitney's U over its maximum: how often a time of the first is above one of the second."""
    ranked = sorted([(each, 0) for each in first] + [(each, 1) for each in second])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    return (ranks - len(first) * (len(first) + 1) / 2) / (len(first) * len(second))


@pytest.mark.row("THR-07", "PRV-05")
@pytest.mark.parametrize("accounts_url", ["sqlite"], indirect=True)
def test_times_tell_no_case_from_another(
    office: Office, cases: dict[LoginFailure | str, tuple[str, Secret]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an Argon2 that costs next to nothing, so that it hides nothing: a real one only blurs what is left."""
    monkeypatch.setattr("imagin_gateway.local.throttle.DELAYS", (type(office.clock.now() - office.clock.now())(),))
    for name in ("ACCOUNT_FAILURES", "NETWORK_FAILURES", "ALARM_FAILURES"):
        monkeypatch.setattr(f"imagin_gateway.local.throttle.{name}", 10**9)
    times: dict[LoginFailure | str, list[float]] = {case: [] for case in cases}
    throttle = office.door._throttle
    for _ in range(TIMINGS):
        for case, (identifier, password) in cases.items():
            # What was counted for a case must not weigh on the next one.
            throttle.clear(identifier)
            begin = perf_counter()
            fail(office, identifier, password)
            times[case].append(perf_counter() - begin)
    for case, measured in times.items():
        assert 0.35 < advantage(measured, times[LoginFailure.UNKNOWN]) < 0.65, case


def test_the_measure_sees_a_difference_where_there_is_one() -> None:
    assert advantage([2.0, 3.0], [1.0, 0.5]) == 1
    assert advantage([1.0, 2.0], [1.5, 1.5]) == 0.5
    assert advantage([1.0, 1.1], [2.0, 3.0]) == 0


@pytest.mark.row("RST-08")
@pytest.mark.parametrize("accounts_url", ["sqlite"], indirect=True)
def test_asking_for_a_link_takes_the_same_time_for_everybody_with_a_slow_relay(
    office: Office, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail leaves after the answer, from a thread: what it takes is in no answer."""
    monkeypatch.setattr("imagin_gateway.local.throttle.LINKS_PER_ACCOUNT", 10**9)
    monkeypatch.setattr("imagin_gateway.local.throttle.LINKS_PER_NETWORK", 10**9)
    real = Inbox.handle_DATA

    async def slow(self: Inbox, *words: Any) -> str:
        await asyncio.sleep(0.02)
        return await real(self, *words)

    monkeypatch.setattr(Inbox, "handle_DATA", slow)
    times: dict[str, list[float]] = {identifier: [] for identifier in ("mdurand7", "sansmail", "inconnu")}
    office.door.start_sender()
    for _ in range(TIMINGS // 2):
        for identifier, taken in times.items():
            begin = perf_counter()
            office.door.passwords.ask_reset(identifier, address=ADDRESS)
            taken.append(perf_counter() - begin)
    office.door.stop_sender()
    assert mail_server.inbox.received
    for identifier in ("mdurand7", "sansmail"):
        assert 0.35 < advantage(times[identifier], times["inconnu"]) < 0.65, identifier
