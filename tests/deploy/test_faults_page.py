"""The page of faults names tests that exist, each of which breaks something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from imagin_gateway.errors import Code
from imagin_gateway.events import EventName

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def is_fault(tree: ast.Module, name: str) -> bool:
    """Tell whether a test of a module is marked, by itself or with its whole module."""
    if any("mark.fault" in ast.unparse(each) for each in tree.body if isinstance(each, ast.Assign)):
        return any(isinstance(each, ast.FunctionDef) and each.name == name for each in ast.walk(tree))
    return any(
        isinstance(each, ast.FunctionDef)
        and each.name == name
        and any(ast.unparse(mark).startswith("pytest.mark.fault") for mark in each.decorator_list)
        for each in ast.walk(tree)
    )


def test_every_test_it_names_exists_and_breaks_something() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 30
    for file, name in named:
        assert is_fault(ast.parse((ROOT / file).read_text(encoding="utf-8")), name), f"{file}::{name}"


def test_every_module_of_faults_has_its_line() -> None:
    marked = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^pytestmark = .*mark\.fault", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    left_out = {file for file in marked if file not in PAGE}
    assert left_out <= {"tests/state/test_redis_watch_faults.py"}, left_out


def test_every_code_and_event_it_names_is_one() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
    known = {code.value for code in Code} | {name.value for name in EventName} | {"events.failing"}
    told = {word for row in rows for word in re.findall(r"`([a-z_.]+)`", row[3])}
    assert told
    assert told <= known, told - known
