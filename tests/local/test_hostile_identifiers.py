"""Identifiers that would be something else to a careless store: each opens, finds and counts for itself alone.

On both engines of the accounts, and beside each other: what one of them means to SQL,
to a pattern of `LIKE`, to a line of a list or of a mail must not reach another.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagin_gateway.errors import ImportRefused
from imagin_gateway.keys import Secret
from imagin_gateway.local import store
from imagin_gateway.local.accounts import MAX_IDENTIFIER, AccountView, identifier_key
from imagin_gateway.local.login import CredentialsRefused
from imagin_gateway.local.schema import accounts
from imagin_gateway.local.search import folded
from tests.local.conftest import Office
from tests.local.helper import ADDRESS, MailServer, import_list

ALIKE = (
    # to SQL
    "x' OR '1'='1",
    "x'; DROP TABLE accounts; --",
    'x" OR ""="',
    "x`; SELECT 1; `",
    "x') UNION SELECT password_hash FROM accounts --",
    "x/*",
    "x--",
    "x;",
    # to a pattern, and what the pattern would take for it
    "x%",
    "x_",
    "xy",
    "x\\%",
    "x\\",
    "x*",
    "x?",
    "x[a-z]",
    # to the names of parameters and to formats
    ":x",
    "%(x)s",
    "$1",
    "{x}",
    "{0}",
    "${x}",
    # to a key of Redis
    "x:y",
    "{x}:y",
    "x]",
    # to a header, a markup, a sheet
    "<x>",
    "&lt;x&gt;",
    "=x()",
    "@x",
    "x, y",
    # to a reader
    "х",
    "ｘ",
    "x̂",
    "ŷ",
    "مرحبا",
    "שלום",
    "🚪🔑",
    "é" * MAX_IDENTIFIER,
    # folding writes one sign as three
    "ΐ" * MAX_IDENTIFIER,
    "ﬃ" * MAX_IDENTIFIER,
)
"""All in one database, so that each is the others' neighbour."""

REFUSED = (
    "x\x00y",
    "x\ry",
    "x\ny",
    "x\r\ny",
    "x\ty",
    "x\x1by",
    "x\u202ey",  # reads from right to left from here
    "x\u2028y",
    "x\u200by",
    "x\ufeffy",
    "x\U000e0041y",
    "x" * (MAX_IDENTIFIER + 1),
    "\x00",
)
"""What a person cannot see or type is nobody's identifier."""

NAME = "O’Hara'; DROP TABLE accounts; -- %_\\"


@pytest.fixture
def full(office: Office, tmp_path: Path) -> Office:
    """The three people of the office, and everybody above."""
    listing = tmp_path / "hostile.csv"
    with listing.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(["Identifiant", "Nom", "Courriel"])
        lines.writerows([each, NAME, f"p{number}@exemple.test"] for number, each in enumerate(ALIKE))
    report = import_list(office.door, listing)
    assert report.created == len(ALIKE)
    office.letters |= {each.identifier: each.provisional for each in report.letters if each.provisional}
    return office


@pytest.mark.row("INP-06")
def test_each_is_found_counted_and_written_to_as_itself(full: Office, mail_server: MailServer) -> None:
    desk = full.door.desk
    assert sorted(desk.identifiers()) == sorted([*ALIKE, "mdurand7", "pmartin2", "sansmail"])
    for identifier in ALIKE:
        found = full.door.find(identifier)
        assert found is not None
        assert (found.identifier, found.family_name) == (identifier, NAME)
        # The help desk finds it, and nobody else by it, however little of a word it is.
        hits = [match.account.identifier for match in desk.search(identifier).found]
        assert hits == [identifier], "an identifier is no beginning of a name, and no pattern"
        with pytest.raises(CredentialsRefused):
            full.door.check(identifier, Secret("un mauvais mot de passe"), address=ADDRESS)
    for identifier in ALIKE:
        dossier = desk.dossier_of(identifier)
        assert dossier is not None
        assert dossier.failures.count == 1, "a failure of its own, and none of a neighbour"
        assert dossier.account.identifier == identifier
        assert full.door.check(identifier, full.letters[identifier], address=ADDRESS).account.identifier == identifier
    assert desk.dossier_of("mdurand7").failures.count == 0  # type: ignore[union-attr]  # it is there
    some = range(0, len(ALIKE), 4)
    for number in some:
        full.door.passwords.ask_reset(ALIKE[number], address=f"2001:db8:{number}::1")
    while full.door.deliver_due():
        pass
    assert {to for (to,) in mail_server.inbox.recipients} == {f"p{number}@exemple.test" for number in some}
    _unharmed(full)


@pytest.mark.row("INP-06")
def test_an_act_on_one_changes_no_other(full: Office) -> None:
    before = _states(full)
    for identifier in ("x%", "x_", "x' OR '1'='1", "x'; DROP TABLE accounts; --", "x[a-z]", "x*"):
        assert full.door.disable(identifier) is not None
        before[identifier] = "disabled"
        assert _states(full) == before
    _unharmed(full)


@pytest.mark.row("INP-06")
def test_what_no_identifier_can_be_is_nobody(office: Office, tmp_path: Path) -> None:
    before = _states(office)
    for number, identifier in enumerate(REFUSED):
        address = f"2001:db8:{number}::1"
        assert office.door.find(identifier) is None
        with pytest.raises(CredentialsRefused):
            office.door.check(identifier, Secret("peu importe"), address=address)
        office.door.passwords.ask_reset(identifier, address=address)
        listing = tmp_path / "refused.csv"
        with listing.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([["Identifiant", "Nom"], [identifier, "X"]])
        with pytest.raises(ImportRefused):
            import_list(office.door, listing)
        assert _states(office) == before


SEARCHED = st.text(alphabet="abcx'\"\\%_;-*@.\x00\r\n\ud800\u202e\u0130é: ", max_size=40) | st.sampled_from(
    [f"abc{each}@exemple.test" for each in ("\x00", "\ud800", "'", "%", "_", "\\", "\n", "\u202e")]
)


@pytest.mark.row("INP-06")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(typed=SEARCHED)
def test_whatever_is_searched_is_only_searched(full: Office, typed: str) -> None:
    """Never an error of the engine, and never a wildcard."""
    for match in full.door.desk.search(typed).found:
        account = match.account
        mine = (identifier_key(account.identifier), account.email)
        assert identifier_key(typed) == mine[0] or typed.strip().casefold() in mine[1] or _of_the_name(typed, account)
    full.door.desk.search("", offices=[typed])


def _of_the_name(typed: str, account: AccountView) -> bool:
    name = folded(f"{account.family_name} {account.given_name}")
    words = folded(typed).split()
    return bool(words) and name.startswith((" ".join(words), " ".join([words[-1], *words[:-1]])))


def _states(office: Office) -> dict[str, str]:
    return {row.identifier: row.state for row in office.rows(accounts)}


def _unharmed(office: Office) -> None:
    """Every table is there, and holds each account under its key."""
    assert len(office.rows(accounts)) == len(ALIKE) + 3
    with office.database.read() as connection:
        assert set(sa.inspect(connection).get_table_names()) >= set(accounts.metadata.tables)
        for identifier in ALIKE:
            assert store.find(connection, identifier_key(identifier)) is not None
