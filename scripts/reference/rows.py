"""Every row of the checklist, and the tests that are marked with it, read from the tests' sources."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from scripts.reference.markdown import table
from tests.rows.catalogue import catalogue

PAGE: Final = "reference/rows.md"

ROOT: Final = Path(__file__).resolve().parents[2]

HEAD: Final = """# The rows of the checklist

What this house promises, row by row: {count} security properties from ASVS 5.0, OpenID Connect, SAML profiles, NIST, CNIL,
ANSSI and RGAA, each with the tests that show it. The marks are read from the tests' sources, so this table says which test
*would* show a row; `make rows` says, of the last complete run, which *did*: a row counts only if all its tests passed.

{shown} rows have tests, {left_out} do not apply to a library, {missing} have none yet.
"""


class Unreadable(Exception):
    """A mark that this page cannot read: it stands elsewhere than over a test or a class, or is made at run time."""


def text() -> str:
    """Return the page."""
    checklist, tests = catalogue(), by_row()
    left_out = checklist.not_applicable
    missing = [row for row in checklist.rows if row not in tests and row not in left_out]
    shown = len(checklist.rows) - len(left_out) - len(missing)
    parts = [HEAD.format(count=len(checklist.rows), shown=shown, left_out=len(left_out), missing=len(missing))]
    for section, title in checklist.sections.items():
        rows = [row for row in checklist.rows.values() if row.section == section]
        parts += [
            f"## {section}: {title}\n",
            table(
                ["row", "must hold", "sources", "shown by"],
                [(row.id, row.holds, "; ".join(row.sources), _shown(row.id, left_out, tests)) for row in rows],
            ),
            "",
        ]
    return "\n".join(parts)


def _shown(row: str, left_out: Mapping[str, str], tests: dict[str, list[str]]) -> str:
    if row in left_out:
        return f"*Does not apply.* {left_out[row]}"
    if row not in tests:
        return "**no test yet**"
    return "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(tests[row]))


def by_row() -> dict[str, list[str]]:
    """Return the tests by the rows they are marked with."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for rows, test in marks(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT))):
            for row in rows:
                if test not in found[row]:
                    found[row].append(test)
    return dict(found)


def marks(source: str, name: str) -> Iterator[tuple[list[str], str]]:
    """Yield the rows of each mark and the test, or the class of tests, it stands over.

    Raises:
        Unreadable: a mark stands elsewhere.
    """
    if "mark.row" not in source:
        return
    tree = ast.parse(source)
    read = 0
    for node, place in _named(tree, name):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _is_row(decorator.func):
                read += 1
                yield [str(ast.literal_eval(each)) for each in decorator.args], place
    tests = [node.name for node in tree.body if isinstance(node, _FUNCTION) and node.name.startswith("test_")]
    for line in tree.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "pytestmark":
            for mark in ast.walk(line.value):
                if isinstance(mark, ast.Call) and _is_row(mark.func):
                    read += 1
                    for test in tests:  # a mark of the module is over each of its tests
                        yield [str(ast.literal_eval(each)) for each in mark.args], f"{name}::{test}"
    if read != sum(_is_row(node) for node in ast.walk(tree)):
        raise Unreadable(f"{name}: a mark.row(...) that is not over a test or a class")


def _named(inside: ast.AST, before: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, str]]:
    """Yield everything that has a name, with the names of what it stands in."""
    for node in ast.iter_child_nodes(inside):
        here = before
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            here = f"{before}::{node.name}"
            yield node, here
        yield from _named(node, here)


_FUNCTION: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def _is_row(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "row"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "mark"
    )
