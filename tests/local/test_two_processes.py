"""Two processes on the same accounts: one link used once, tries counted together, each mail sent once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.keys import Secret
from imagin_gateway.local.mail_kinds import MailKind
from imagin_gateway.local.outbox import add
from imagin_gateway.local.schema import outbox, totp_factors
from tests.local.conftest import Office, keys_of, values_of
from tests.local.helper import ADDRESS, MailServer
from tests.local.test_second_factors import enrol, found

CHILD = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from imagin_gateway.errors import GatewayError
from imagin_gateway.events import CallSink, EventLog
from imagin_gateway.keys import Keyring, Secret
from imagin_gateway.local.door import DirectDoor
from imagin_gateway.settings import Settings
from imagin_gateway.state.sqlite import SqliteStateStore
from tests.clock import ManualClock

values, state, what, name = json.loads(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
settings, clock = Settings.load(**values), ManualClock()
events = EventLog(CallSink(lambda _: None), clock, Keyring(settings.keys.signing))
door = DirectDoor.open(settings, SqliteStateStore(Path(state)), clock, events)
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()

def use(number):
    new = Secret(f"vingt-et-une girafes {name} {number}")
    try:
        door.passwords.use_reset(what["token"], new, new)
    except GatewayError as error:
        return error.code.value
    return new.reveal()

def attempt(number):
    try:
        door.check(what["identifier"], Secret("pas le bon"), address=f"192.0.2.{number}")
    except GatewayError as error:
        return str(getattr(error, "reason", error.code.value))

def second_step(number):
    from imagin_gateway.local.door import FactorRefused
    prove = door.factors.prove_recovery if what["recovery"] else door.factors.prove_code
    tell = {"address": "192.0.2.1"}
    try:
        prove(what["identifier"], Secret(what["code"]), version=what["version"], address="192.0.2.1", tell=tell)
    except FactorRefused as error:
        return error.code.value
    return "opened"

def deliver(_):
    return door.deliver_due()

action = {"use": use, "attempt": attempt, "second_step": second_step, "deliver": deliver}[what["do"]]
with ThreadPoolExecutor(10) as pool:
    print(json.dumps(list(pool.map(action, range(what["times"])))))
door.close()
"""


@pytest.fixture
def together(office: Office, accounts_url: str, tmp_path: Path) -> Callable[..., list[Any]]:
    """Let two processes do the same at once, and return what each call answered."""

    def run(**what: Any) -> list[Any]:
        mail = {"host": "127.0.0.1", "port": office.settings.mail.port, "security": "none", "sender": "i@exemple.test"}
        values = json.dumps(values_of(accounts_url, keys=keys_of(office), mail=mail))
        running = [
            subprocess.Popen(
                [sys.executable, "-c", CHILD, values, str(tmp_path / "state.db"), json.dumps(what), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in ("one", "two")
        ]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers: list[Any] = []
        for process in running:
            told, _ = process.communicate()
            assert process.returncode == 0
            answers += json.loads(told)
        return answers

    return run


@pytest.mark.row("RST-04")
def test_of_twenty_uses_of_one_link_by_two_processes_one_wins(
    office: Office, reset_link: Callable[..., str], together: Callable[..., list[Any]]
) -> None:
    answers = together(do="use", token=reset_link("mdurand7"), times=10)
    assert Counter(answers)["reset.link_dead"] == 19
    (winner,) = [answer for answer in answers if answer != "reset.link_dead"]
    assert not office.door.check("mdurand7", Secret(winner), address=ADDRESS).must_choose
    assert office.account("mdurand7").version == 2


@pytest.mark.row("THR-04")
def test_tries_of_two_processes_are_counted_together(office: Office, together: Callable[..., list[Any]]) -> None:
    office.personalise("mdurand7")
    answers = Counter(together(do="attempt", identifier="mdurand7", times=25))
    # Three are free; of those that begin together some take themselves for a fourth, and are not evaluated either.
    assert answers["wrong"] <= 3
    assert answers["wrong"] + answers["delayed"] == 50


@pytest.mark.parametrize("recovery", [False, True])
def test_of_many_uses_of_one_code_by_two_processes_one_wins(
    office: Office, together: Callable[..., list[Any]], recovery: bool
) -> None:
    phone, added = enrol(office)
    # The children's clock stands where a test's begins.
    office.clock.move(-60)
    with office.database.write() as connection:
        connection.execute(sa.update(totp_factors).values(step=0))
    code = added.codes[0] if recovery else phone.code()
    version = found(office).version
    answers: Counter[str] = Counter()
    for _ in range(3):
        # At once, two of a process: a fourth try would wait, and prove nothing.
        told = together(
            do="second_step", identifier="mdurand7", code=code.reveal(), version=version, recovery=recovery, times=1
        )
        answers += Counter(told)
        office.door._throttle.clear("mdurand7\x00second factor")
    assert answers["opened"] == 1
    assert answers["factor.recovery_wrong" if recovery else "factor.code_used"] == 5


def test_each_mail_leaves_once_whichever_process_sends_it(
    office: Office, mail_server: MailServer, together: Callable[..., list[Any]]
) -> None:
    office.personalise("mdurand7")
    account = office.account("mdurand7")
    with office.database.write() as connection:
        for _ in range(29):
            add(connection, MailKind.NEW_CLIENT, account, {"at": "2026-12-14T08:00:00+00:00"}, office.clock.now())
    assert sum(together(do="deliver", times=3)) == 30
    assert len({str(message["Message-ID"]) for message in mail_server.inbox.received}) == 30
    assert len(mail_server.inbox.received) == 30
    assert not office.rows(outbox)
