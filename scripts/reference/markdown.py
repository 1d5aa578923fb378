"""Tables, and what the code says of itself: the words beside a name, a number as people read it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from itertools import pairwise
from types import ModuleType


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar or a line break within a cell does not end it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) if text else ""


def words_beside(parent: type | ModuleType) -> dict[str, str]:
    """Return the string literal that follows each assignment in a class or a module, by name."""
    return dict(_words_beside(parent))


@cache
def _words_beside(parent: type | ModuleType) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(parent)))
    body = tree.body[0].body if isinstance(parent, type) and isinstance(tree.body[0], ast.ClassDef) else tree.body
    found: dict[str, str] = {}
    for line, after in pairwise(body):
        target: ast.expr | None = line.target if isinstance(line, ast.AnnAssign) else None
        if isinstance(line, ast.Assign) and len(line.targets) == 1:
            target = line.targets[0]
        if not isinstance(target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            found[target.id] = " ".join(after.value.value.split())
    return found


def first_sentence(text: str | None) -> str:
    """Return the first line of a docstring, without its full stop."""
    return (text or "").strip().partition("\n")[0].removesuffix(".")


def spoken(value: object) -> str:
    """Return a value as people read it: a duration in its largest whole unit, a list in order, a number with commas."""
    if isinstance(value, timedelta):
        return _duration(value.total_seconds())
    if isinstance(value, tuple | list):
        return ", ".join(spoken(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:g} s"
