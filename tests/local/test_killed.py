"""A worker killed (kill -9) at any step of a login or of a reset: all of the step was written, or nothing was.

An import, whose letters are files, is killed at each of its steps in `test_interrupted`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.keys import Secret
from imagin_gateway.local.door import CredentialsRefused
from tests.local.conftest import Office, token_in
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer
from tests.local.test_whole_writes import everything

pytestmark = pytest.mark.fault


def killed(office: Office, act: Callable[[], object], at: int) -> bool:
    """Do an act in a process of its own, which dies before its statement number `at`; tell whether it did.

    Commits count as statements. A child that gets through it all ends by itself.
    """
    engine = office.door._database.engine
    child = os.fork()
    if not child:
        reached = 0

        def count(*_: Any) -> None:
            nonlocal reached
            reached += 1
            if reached == at:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sa.event.listen(engine, "before_cursor_execute", count)
            sa.event.listen(engine, "commit", count)
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def opens(office: Office, password: Secret) -> bool:
    """Tell whether a password opens the account; it may be tried as often as needed."""
    office.clock.move(25 * 3600)
    try:
        office.door.check("mdurand7", password, address=ADDRESS)
    except CredentialsRefused:
        return False
    return True


def killed_everywhere(office: Office, act: Callable[[], object], check: Callable[[], None]) -> int:
    """Kill an act at each of its statements in turn; return at how many."""
    for at in range(1, 80):
        died = killed(office, act, at)
        check()
        if not died:
            return at - 1
    raise AssertionError("it never ended")


def test_a_login_killed_anywhere_changes_nothing_and_the_next_one_is_let_in(office: Office) -> None:
    office.personalise("mdurand7")
    accounts = {name: rows for name, rows in everything(office.database).items() if name == "accounts"}

    def untouched() -> None:
        office.clock.move(25 * 3600)
        assert accounts["accounts"] == everything(office.database)["accounts"]

    steps = killed_everywhere(office, lambda: office.door.check("mdurand7", GOOD, address=ADDRESS), untouched)
    assert steps >= 4
    assert opens(office, GOOD)
    assert not opens(office, OTHER)


def test_a_first_password_killed_anywhere_leaves_the_letter_or_the_password_and_never_both(office: Office) -> None:
    letter = office.letters["mdurand7"]
    version = office.door.check("mdurand7", letter, address=ADDRESS).account.version
    mails = len(everything(office.database)["outbox"])

    def one_of_two() -> None:
        chosen = opens(office, GOOD)
        assert chosen != opens(office, letter)
        # The notice leaves with the password, or neither is there.
        assert (len(everything(office.database)["outbox"]) > mails) == chosen

    def choose() -> None:
        office.door.passwords.choose_first("mdurand7", GOOD, GOOD, version=version)

    assert killed_everywhere(office, choose, one_of_two) >= 4
    assert opens(office, GOOD)


def test_a_reset_killed_anywhere_leaves_the_link_or_the_new_password_and_never_both(
    office: Office, mail_server: MailServer
) -> None:
    office.personalise("mdurand7")
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)

    def request_or_link() -> None:
        found = everything(office.database)
        waiting = [row for row in found["outbox"] if "reset" in row]
        assert len(found["reset_requests"]) + len(found["reset_tokens"]) == 1
        assert len(waiting) == len(found["reset_tokens"])

    killed_everywhere(office, office.door._resets.answer_one, request_or_link)
    office.door.deliver_due()
    token = token_in(mail_server.inbox.body())

    def link_or_password() -> None:
        # The account, as its hash says it: opening it would move the clock past the life of the link.
        (row,) = [row for row in everything(office.database)["accounts"] if "mdurand7" in row]
        used = office.hasher.verify(next(each for each in row if str(each).startswith("$argon2")), OTHER)
        assert office.door.passwords.is_link_alive(token) != used

    assert (
        killed_everywhere(office, lambda: office.door.passwords.use_reset(token, OTHER, OTHER), link_or_password) >= 6
    )
    assert opens(office, OTHER)
    assert not opens(office, GOOD)
