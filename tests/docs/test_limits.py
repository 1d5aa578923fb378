"""docs/reference/limits.md is made from the values the code uses; the code uses them (row DOC-01)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import imagin_gateway
from imagin_gateway.local import throttle
from imagin_gateway.settings import Passwords
from scripts.reference import limits
from scripts.reference.markdown import spoken
from scripts.reference.pages import DOCS

PAGE = (DOCS / limits.PAGE).read_text(encoding="utf-8")
PACKAGE = Path(imagin_gateway.__file__).parent


@pytest.mark.row("DOC-01")
def test_the_table_tells_the_values_of_today() -> None:
    rows = {found[1]: found[2] for found in re.finditer(r"^\| (.+?) \| (.+?) \| .*\|$", PAGE, re.MULTILINE)}
    for table in limits.TABLES.values():
        for what, value, _ in table:
            assert rows[what] == spoken(value)


# Written here once more, by hand: a change of a default must be meant, and said in the changelog.
EXPECTED = {
    "failures of an account within the window": "25",
    "of those, kept for browsers the account knows": "5",
    "the window of an account": "1 day",
    'failures in a row after which an account is locked, `attempts = "delay"`': "100",
    'the same, `attempts = "lock"`': "10",
    "failures of a network within its window": "50",
    "the window of a network": "10 minutes",
    "failures of everybody within that window that raise the alarm": "1,000",
    "failures of a network during the alarm": "5",
    "tries of one second step": "5",
    "links mailed to one account within the hour": "3",
    "links asked for by one network within the hour": "30",
    "a session without a request": "30 minutes",
    "a session, whatever happens": "10 hours",
    "characters of a chosen password, at least": "15",
}


@pytest.mark.row("DOC-01")
def test_the_values_are_those_that_were_decided() -> None:
    told = {what: spoken(value) for table in limits.TABLES.values() for what, value, _ in table}
    assert {what: told[what] for what in EXPECTED} == EXPECTED


@pytest.mark.row("DOC-01")
def test_no_value_of_the_throttle_is_left_out() -> None:
    tree = ast.parse((PACKAGE / "local" / "throttle.py").read_text(encoding="utf-8"))
    values = {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.isupper()
    } - {"MOST_IN_A_ROW"}  # as a setting: `passwords.lock_after`
    source = (Path(limits.__file__)).read_text(encoding="utf-8")
    assert {name for name in values if f"throttle.{name}" not in source} == set()
    assert Passwords().in_a_row == throttle.MOST_IN_A_ROW
