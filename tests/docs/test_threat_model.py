"""The threat model names tests that exist, and every attacker has what stops it and what remains."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))

ATTACKERS = (
    "An outsider",
    "A colleague with another académie's account",
    "Somebody who holds a stolen letter",
    "A host application with a bug",
    "A portal that lies, or is broken into",
    "Somebody with a copy of the database",
    "Somebody with a key",
)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=str)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_each_attacker_has_what_stops_it_and_what_remains(attacker: str) -> None:
    part = PAGE.partition(f"### {attacker}\n")[2].partition("\n### ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 4
    assert all("::test_" in row for row in rows), "each row names the test that shows it"
    assert "\nRemains: " in part


def test_tests_are_named() -> None:
    assert len(NAMED) > 30
