"""Writes that belong together are one transaction: cut anywhere between them, and nothing was written (row INP-08).

An import, whose letters are files, is killed at each of its steps in `test_interrupted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from imagin_gateway.errors import Unavailable
from imagin_gateway.local.database import Database
from imagin_gateway.local.schema import metadata
from tests.local.conftest import Office, token_in
from tests.local.helper import ADDRESS, GOOD, OTHER, MailServer
from tests.local.test_addresses import NEW, OLD, codes
from tests.local.test_second_factors import TELL, Phone, enrol, found, prove

WRITES = ("INSERT", "UPDATE", "DELETE")

Act = Callable[[], object]
Everything = dict[str, list[tuple[Any, ...]]]


def everything(database: Database) -> Everything:
    """Return every row of every table."""
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
        }


class Cut:
    """Breaks the engine of a door before one of its writes, or before a commit.

    Attributes:
        left: writes that go well before that; None to break the first commit.
        happened: whether it did.
        reached: how many writes there were.
    """

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.happened = False
        self.reached = 0

    def write(self) -> None:
        self.reached += 1
        if self.left is not None and self.reached == self.left + 1:
            self.fall()

    def commit(self) -> None:
        # A transaction that wrote nothing has nothing to lose.
        if self.left is None and self.reached and not self.happened:
            self.fall()

    def fall(self) -> None:
        self.happened = True
        raise sa.exc.OperationalError("", None, OSError("the disk went away"))


@contextmanager
def cutting(engine: sa.Engine, cut: Cut) -> Iterator[None]:
    def before_statement(_connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(WRITES):
            cut.write()

    def before_commit(_connection: sa.Connection) -> None:
        cut.commit()

    sa.event.listen(engine, "before_cursor_execute", before_statement)
    sa.event.listen(engine, "commit", before_commit)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", before_statement)
        sa.event.remove(engine, "commit", before_commit)


def whole_or_nothing(office: Office, act: Act, least: int) -> None:
    """Cut an act before its commit, before its first write, its second, and so on, until it goes through.

    Args:
        office: whose accounts.
        act: does it; cut, it leaves things so that it can be done again.
        least: writes that belong together; were there fewer, the cut would not have been tried between them.
    """
    before = everything(office.database)
    engine = office.door._database.engine
    for left in (None, *range(60)):
        cut = Cut(left)
        with cutting(engine, cut):
            try:
                act()
            except Unavailable:
                assert cut.happened
            else:
                break
        assert everything(office.database) == before, f"cut after {left} writes: some of them stayed"
    else:
        raise AssertionError("it never went through")
    assert left is not None, "it was believed done although its commit failed"
    after = everything(office.database)
    # What was cut came after it, if anything: the line of the history is written when the act is done.
    assert left >= least
    del before["account_events"], after["account_events"]
    assert after != before


def first_password(office: Office, _: MailServer, __: Path) -> Act:
    version = office.door.check("mdurand7", office.letters["mdurand7"], address=ADDRESS).account.version
    return lambda: office.door.passwords.choose_first("mdurand7", GOOD, GOOD, version=version)


def changed_password(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    return lambda: office.door.passwords.change("mdurand7", GOOD, OTHER, OTHER, address=ADDRESS)


def link_asked(office: Office, _: MailServer, __: Path) -> Act:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    return office.door._resets.answer_one


def link_used(office: Office, mail: MailServer, __: Path) -> Act:
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door.deliver_due()
    token = token_in(mail.inbox.body())
    return lambda: office.door.passwords.use_reset(token, GOOD, GOOD)


def address_asked(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")

    def ask() -> None:
        office.clock.move(7200)  # as often as it must be tried here
        office.door.address.ask("mdurand7", GOOD, NEW, address=ADDRESS)

    return ask


def address_confirmed(office: Office, mail: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    office.door.deliver_due()
    mail.inbox.received.clear()
    office.door.address.ask("mdurand7", GOOD, NEW, address=ADDRESS)
    office.door.deliver_due()
    got = codes(office, mail)
    return lambda: office.door.address.confirm("mdurand7", got[NEW], got[OLD])


def closed(office: Office, _: MailServer, __: Path) -> Act:
    return lambda: office.door.disable("mdurand7")


def opened(office: Office, _: MailServer, __: Path) -> Act:
    office.door.disable("mdurand7")
    return lambda: office.door.enable("mdurand7")


def letter_issued(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    return lambda: office.door.desk.reissue("mdurand7", actor="cli:marie", replace=True)


def change_demanded(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    return lambda: office.door.desk.require_change("mdurand7", actor="cli:marie")


def leak_answered(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    office.door._resets.answer_one()
    office.door.passwords.ask_reset("pmartin2", address=ADDRESS)
    return lambda: office.door.leaks.answer(letters=True, actor="cli:marie")


def person_erased(office: Office, _: MailServer, __: Path) -> Act:
    enrol(office)
    office.door.passwords.ask_reset("mdurand7", address=ADDRESS)
    return lambda: office.door.personal.erase("mdurand7")


def application_added(office: Office, _: MailServer, __: Path) -> Act:
    office.personalise("mdurand7")
    sealed, secret, _last = office.door.factors.new_secret("mdurand7")
    version = found(office).version
    return lambda: office.door.factors.add_totp(
        "mdurand7", sealed, Phone(office, secret).code(), version=version, address=ADDRESS, tell=TELL
    )


def code_used(office: Office, _: MailServer, __: Path) -> Act:
    phone, _added = enrol(office)
    return lambda: prove(office, phone.code())


def recovery_code_used(office: Office, _: MailServer, __: Path) -> Act:
    _phone, added = enrol(office)
    return lambda: prove(office, added.codes[0], by="prove_recovery")


def application_removed(office: Office, _: MailServer, __: Path) -> Act:
    enrol(office)
    return lambda: office.door.factors.remove("mdurand7", "totp", tell=TELL)


def factors_cleared(office: Office, _: MailServer, __: Path) -> Act:
    enrol(office)
    return lambda: office.door.factors.remove_all("mdurand7", actor="cli:marie")


@pytest.mark.row("INP-08")
@pytest.mark.fault
@pytest.mark.parametrize(
    ("prepare", "least"),
    [
        (first_password, 2),
        (changed_password, 2),
        (link_asked, 3),
        (link_used, 3),
        (address_asked, 3),
        (address_confirmed, 3),
        (closed, 2),
        (opened, 2),
        (letter_issued, 3),
        (change_demanded, 3),
        (leak_answered, 5),
        (person_erased, 5),
        (application_added, 3),
        (code_used, 1),
        (recovery_code_used, 1),
        (application_removed, 3),
        (factors_cleared, 4),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_act_cut_anywhere_between_its_writes_has_written_nothing_and_can_be_done_again(
    office: Office, mail_server: MailServer, tmp_path: Path, prepare: Callable[..., Act], least: int
) -> None:
    whole_or_nothing(office, prepare(office, mail_server, tmp_path), least)
