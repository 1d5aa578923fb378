"""Everything that the journeys leave behind ends, by itself, at a written age: a whole house, in simulated time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from imagin_gateway.clock import timestamp
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Secret, new_token
from imagin_gateway.local.clients import LIFE as KNOWN_BROWSER
from imagin_gateway.local.letters import Letter
from imagin_gateway.local.schema import metadata
from imagin_gateway.local.throttle import MEMORY
from imagin_gateway.state.sqlite import PURGE_EVERY
from imagin_gateway.state.store import Space
from tests.flows.conftest import TheHouse, direct, sign_in
from tests.flows.test_desk import act_link, helper, open_account, open_desk
from tests.flows.test_direct_journeys import GOOD, personalised
from tests.flows.test_second_factor import add_application, add_passkey, log_out, trust

LONGEST: Final = {
    Space.SESSION: timedelta(hours=8),
    Space.SEEN: timedelta(hours=8),
    Space.FLOW: timedelta(minutes=30),
    Space.REPLAY: timedelta(minutes=30),
    Space.COUNTER: KNOWN_BROWSER,
}
"""As docs/data.md says; a counter of failures lives for `MEMORY` at most, the others shorter."""


@pytest.fixture
def lived_in(tmp_path: Path) -> Iterator[TheHouse]:
    """A house in which every journey took place, some left half-way, while no mail can leave."""
    house = open_desk("wsgi", tmp_path, second_factor={"mode": "optional", "trusted_days": 7})
    direct_door = house.gateway.house.direct
    letters: list[Letter] = []
    listing = tmp_path / "more.csv"
    listing.write_text("Identifiant;Nom;Prénom;Courriel\nfuyant;FUGUE;Ida;ida@exemple.test\n", encoding="utf-8")
    direct_door.lists.import_list(listing, each=letters.append)
    secret, _ = add_application(house, personalised(house))
    owner = log_out(house)
    trust(house, owner, secret)
    add_passkey(house, owner)
    house.clock.move(60)
    assert owner.get("/missions").status == 200
    direct(house.client(), "mdurand7", "ce n’est pas le bon mot de passe")
    direct(house.client(), "mdurand7", GOOD)  # stops before the second step
    direct_door.passwords.ask_reset("mdurand7", address="192.0.2.7")
    direct_door.passwords.ask_reset("personne", address="192.0.2.7")
    direct_door.address.ask("mdurand7", Secret(GOOD), "autre@exemple.test")
    sign_in(house, house.client(), "mleroy")
    house.client().get("/connexion/portail/arena-paris?next=/missions")
    guide = helper(house)
    guide.get(act_link(open_account(guide, "pmartin2"), "disable"))
    house.gateway.house.direct._sender._resets.answer_one()
    house.gateway.house.sessions.flush()
    yield house
    house.gateway.close()


def records(house: TheHouse) -> list[tuple[Space, float]]:
    """Every record on the disk, dead or not: its space, and the seconds until its end."""
    path = house.gateway.settings.state.url.removeprefix("sqlite:///")
    now = timestamp(house.clock.now())
    with closing(sqlite3.connect(path)) as db:
        return [(Space(space), end - now) for space, end in db.execute("SELECT space, expires_at FROM record")]


def tables(house: TheHouse) -> dict[str, int]:
    path = house.gateway.settings.accounts.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as db:
        count = "SELECT count(*) FROM "
        return {table.name: db.execute(count + table.name).fetchone()[0] for table in metadata.sorted_tables}


def some_traffic(house: TheHouse) -> None:
    """Do what purges by itself: writes to the store, and a look at the mail."""
    house.gateway.house.sessions.flush()
    for _ in range(PURGE_EVERY):
        house.gateway.house.keep(new_token(), {}, timedelta(seconds=1))
    house.mailed()


@pytest.mark.row("DPO-04")
def test_every_record_of_the_store_ends_within_the_life_of_its_class_and_leaves_the_disk(lived_in: TheHouse) -> None:
    before = records(lived_in)
    assert {space for space, _ in before} == set(Space), "every class is there, so that it can go"
    assert [(space, left) for space, left in before if left > LONGEST[space].total_seconds()] == []
    assert any(left > MEMORY.total_seconds() for _, left in before), "known browsers are the longest"
    for life in sorted({*LONGEST.values(), timedelta(days=7), MEMORY}):
        lived_in.clock.move(life)
        some_traffic(lived_in)
        gone = {space for space, longest in LONGEST.items() if longest <= life}
        assert [(space, left) for space, left in records(lived_in) if space in gone and left <= 0] == [], life
    lived_in.clock.move(2)
    some_traffic(lived_in)
    assert [left for _, left in records(lived_in) if left > 2] == []


@pytest.mark.row("DPO-04")
def test_every_table_of_the_accounts_is_empty_once_nobody_came_for_the_whole_time(lived_in: TheHouse) -> None:
    """Links, codes, mails, events, factors, imports, accounts: each by its own rule, the last by theirs."""
    held = tables(lived_in)
    # Nobody linked ProConnect here: those rows go with their account, as a passkey does.
    assert {name for name, count in held.items() if not count} == {"account_links"}
    settings = lived_in.gateway.settings
    lived_in.clock.move(timedelta(days=3, hours=2))
    for _ in range(held["outbox"] + 3):  # a relay that is down is asked once each time
        lived_in.gateway.house.direct.deliver_due()
    left = tables(lived_in)
    assert [left[name] for name in ("reset_requests", "reset_tokens", "address_changes", "outbox")] == [0, 0, 0, 0]
    assert left["accounts"] == held["accounts"]
    lived_in.clock.move(settings.events.retention + timedelta(days=1))
    lived_in.gateway.house.direct.deliver_due()
    assert [tables(lived_in)[name] for name in ("account_events", "runs")] == [0, 0]
    assert tables(lived_in)["accounts"] == held["accounts"]
    lived_in.clock.move(settings.accounts.inactive_after)
    lived_in.gateway.house.direct.deliver_due()
    assert set(tables(lived_in).values()) == {0}
    assert lived_in.gateway.house.sessions.list_person(DIRECT_ISSUER, "mdurand7") == []
