"""What an act costs does not grow with the number of accounts: counted in steps of SQLite's machine, not in time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from imagin_gateway.keys import Secret
from imagin_gateway.local.schema import account_events, account_links, accounts, address_changes, outbox, reset_tokens
from tests import accounts_file
from tests.local.conftest import Office, token_in
from tests.local.helper import ADDRESS, GOOD, MailServer

MORE: Final = 3_000

OTHERS: Final = [
    Secret("cinq chevaux verts chantent"),
    Secret("six moutons roses rament"),
    Secret("sept poules grises nagent"),
]


@pytest.fixture
def accounts_url(tmp_path: Any) -> str:
    """SQLite alone says how many steps it takes."""
    return f"sqlite:///{accounts_file.put(tmp_path / 'accounts.db')}"


class Steps:
    """Counts what every connection of a process takes."""

    def __init__(self) -> None:
        self.taken = 0

    def _tick(self) -> int:
        self.taken += 1
        return 0

    def connected(self, connection: Any, record: Any) -> None:
        connection.set_progress_handler(self._tick, 1)

    def of(self, act: Callable[[], object]) -> int:
        before = self.taken
        act()
        return self.taken - before


@pytest.fixture
def steps() -> Iterator[Steps]:
    counting = Steps()
    sa.event.listen(sa.pool.Pool, "connect", counting.connected)
    yield counting
    sa.event.remove(sa.pool.Pool, "connect", counting.connected)


def acts_of(office: Office, mail_server: MailServer) -> dict[str, Callable[[], object]]:
    """Return what people, operators and the door itself do, each such as it can be done again."""
    door, passwords = office.door, itertools.cycle(OTHERS)
    now = [GOOD]

    def login() -> object:
        return door.check("mdurand7", now[0], address=ADDRESS)

    def wrong() -> object:
        with pytest.raises(Exception, match="do not match"):
            door.check("nobody", GOOD, address=ADDRESS)
        return None

    def change() -> object:
        new = next(passwords)
        done = door.passwords.change("mdurand7", now[0], new, new, address=ADDRESS)
        now[0] = new
        return done

    def reset() -> object:
        office.clock.move(timedelta(hours=2))
        door.passwords.ask_reset("mdurand7", address=ADDRESS)
        door.deliver_due()
        new = next(passwords)
        done = door.passwords.use_reset(token_in(mail_server.inbox.body()), new, new)
        now[0] = new
        return done

    def disabled() -> object:
        door.disable("pmartin2")
        return door.enable("pmartin2")

    return {
        "login": login,
        "somebody unknown": wrong,
        "a change of password": change,
        "a reset, mail included": reset,
        "another address, asked": lambda: door.address.ask("mdurand7", now[0], "autre@exemple.test", address=ADDRESS),
        "disabled, enabled": disabled,
        "mails sent": door.deliver_due,
        "a search by name": lambda: door.desk.search("durand"),
        "a search by address": lambda: door.desk.search("marie.durand@exemple.test"),
        "a dossier": lambda: door.desk.dossier_of("mdurand7"),
        "an export": lambda: door.personal.export("mdurand7"),
        "what is unused": lambda: (door.inactivity.due(), door.erase_inactive()),
    }


def more_accounts(office: Office) -> None:
    """Add other people, each with all that people have."""
    with office.database.write() as connection:
        whole = connection.execute(sa.select(accounts).where(accounts.c.identifier_key == "mdurand7")).one()._asdict()
        at = whole.pop("created_at")
        del whole["id"]
        several = [
            {
                **whole,
                "created_at": at,
                "identifier": f"x{number}",
                "identifier_key": f"x{number}",
                "name_key": f"autre{number} nom",
                "email_key": f"x{number}@exemple.test",
            }
            for number in range(MORE)
        ]
        connection.execute(sa.insert(accounts), several)
        ids = connection.execute(sa.select(accounts.c.id).where(accounts.c.name_key.like("autre%"))).scalars().all()
        end = office.clock.now().replace(year=2099)
        tables: list[tuple[sa.Table, Callable[[int], dict[str, Any]]]] = [
            (account_events, lambda n: {"at": at, "event": "login", "code": "", "actor": "", "detail": "{}"}),
            (account_links, lambda n: {"issuer": "i", "subject": f"s{n}", "linked_at": at}),
            (reset_tokens, lambda n: {"sha256": f"{n}", "ends_at": end}),
            (
                address_changes,
                lambda n: {"address": "a", "former": "b", "seed": "s", "key": "k", "failures": 0, "ends_at": end},
            ),
            (
                outbox,
                lambda n: {
                    "kind": "reset",
                    "recipient": "x@exemple.test",
                    "message_id": f"m{n}",
                    "payload": "{}",
                    "created_at": at,
                    "due_at": end,
                    "attempts": 1,
                },
            ),
        ]
        for table, row in tables:
            # What waits is read once an hour, when what ended is forgotten: there is little of it at any time.
            holders = ids[:20] if table in (reset_tokens, address_changes) else ids
            connection.execute(sa.insert(table), [{"account_id": each, **row(each)} for each in holders])


def test_no_act_costs_more_among_thousands_of_accounts(steps: Steps, office: Office, mail_server: MailServer) -> None:
    office.personalise("mdurand7")
    acts = acts_of(office, mail_server)
    for act in acts.values():  # what the first of its kind alone does
        act()
    few = {name: steps.of(act) for name, act in acts.items()}
    more_accounts(office)
    many = {name: steps.of(act) for name, act in acts.items()}
    grown = {name: (few[name], many[name]) for name in acts if many[name] > 1.3 * few[name] + 60}
    assert grown == {}
    assert all(few.values()), few
