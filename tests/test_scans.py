"""What the whole package never does, read from its source: no code from text, no shell, no SQL from values, no secret
compared in variable time, no pattern whose time grows faster than what it reads."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "imagin_gateway"

NEVER_CALLED: Final = {"eval", "exec", "compile", "__import__", "system", "popen", "getoutput", "mktemp"}
NEVER_IMPORTED: Final = {
    "subprocess",
    "pickle",
    "marshal",
    "shelve",
    "pty",
    "commands",
    "telnetlib",
    "xmlrpc",
    "random",
}

OUR_OWN: Final = {
    "providers/saml/native.py": {"compile"},
    "state/redis.py": {"eval"},
    "local/database.py": {"compile"},
}
"""Calls of that name that are another thing: a script that the package carries, a statement made of its own tables."""


@cache
def sources() -> dict[str, ast.Module]:
    found = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text(encoding="utf-8")) for file in found}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                yield name, node, called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


# --- INP-06


@pytest.mark.row("INP-06")
def test_nothing_makes_code_or_commands_of_text() -> None:
    found = []
    for name, node, called in calls():
        compiles_a_pattern = called == "compile" and ast.unparse(node.func) == "re.compile"
        if called in NEVER_CALLED and not compiles_a_pattern and called not in OUR_OWN.get(name, set()):
            found.append(f"{name}:{node.lineno} {ast.unparse(node.func)}")
        found += [f"{name}:{node.lineno} shell=" for each in node.keywords if each.arg == "shell"]
    for name, tree in sources().items():
        for statement in ast.walk(tree):
            names = [each.name for each in statement.names] if isinstance(statement, ast.Import) else []
            names += [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
            found += [f"{name}: import {each}" for each in names if each.partition(".")[0] in NEVER_IMPORTED]
    assert found == []


@pytest.mark.row("INP-06")
def test_the_one_eval_runs_a_script_that_the_package_carries() -> None:
    text = (PACKAGE / "state" / "redis.py").read_text(encoding="utf-8")
    assert re.findall(r"\.eval\(([^,]+),", text) == ["script.text"]
    made = [node for node in ast.walk(sources()["state/scripts.py"]) if isinstance(node, ast.Call)]
    parts = [part for node in made if ast.unparse(node.func) == "Script" for part in ast.walk(node.args[0])]
    assert parts
    allowed = ast.Constant | ast.BinOp | ast.Add | ast.Load
    odd = [part for part in parts if not isinstance(part, allowed) and ast.unparse(part) != "_HELPERS"]
    assert odd == []


@pytest.mark.row("INP-06")
def test_no_statement_of_sql_is_made_of_values() -> None:
    """A statement is a constant, or SQLAlchemy's; what is put into a text is a constant of a module, in capitals."""
    found = []
    for name, node, called in calls():
        if called not in ("execute", "executemany", "executescript", "text", "exec_driver_sql") or not node.args:
            continue
        if called == "text" and ast.unparse(node.func) != "sa.text":
            continue
        statement = node.args[0]
        if isinstance(statement, ast.BinOp):
            found.append(f"{name}:{node.lineno}")
        if isinstance(statement, ast.JoinedStr):
            put = [each.value for each in statement.values if isinstance(each, ast.FormattedValue)]
            found += [f"{name}:{node.lineno}" for each in put if not re.fullmatch(r"[A-Z_]+", ast.unparse(each))]
    assert found == []


# --- INP-09: secrets

SECRET: Final = re.compile(r"secret|digest|\bmac\b|_mac\b|token\b|nonce|signature|otp\b|hmac|fingerprint|password\b")

PUBLIC: Final = {
    "local/breached.py: digest == wanted",  # a published list is searched
    # the database looks for a row that was read a moment ago
    "local/totp_rows.py: totp_factors.c.secret == row.secret",
    "operating/dependents.py: totp_factors.c.secret == sealed",
    # whether the ID token was shown at the logout: a word of ours
    "flows/portal_logout.py: token == SHOWN",
}
"""Comparisons of what everybody may know."""


@pytest.mark.row("INP-09")
def test_a_secret_is_never_compared_with_an_equals_sign() -> None:
    found = []
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
                continue
            sides = [node.left, *node.comparators]
            # A secret beside a constant, a length or a kind is no comparison of secrets.
            if any(isinstance(side, ast.Constant | ast.Call) for side in sides):
                continue
            if any(SECRET.search(ast.unparse(side)) for side in sides):
                found.append(f"{name}: {ast.unparse(node)}")
    assert set(found) == PUBLIC


@pytest.mark.row("INP-09")
def test_what_is_compared_in_constant_time_is_where_it_was() -> None:
    places = {name for name, _, called in calls() if called == "compare_digest"}
    assert {"keys.py", "flows/forms.py", "flows/round_trip.py", "local/provisional.py", "local/totp.py"} <= places
    assert {"providers/header.py", "providers/oidc/claims.py", "local/addresses.py", "flows/second_step.py"} <= places


# --- INP-09: patterns

HOW: Final = {"fullmatch", "match", "search", "sub", "findall", "finditer", "split"}
SCANS: Final = HOW - {"fullmatch", "match"}

MADE_OF_WORDS: Final = {"local/password_policy.py", "pages/prose.py", "events/retention.py"}
"""Escaped words of ours or of the settings, read from left to right: what repeats in them stands before a constant."""


def patterns() -> dict[str, tuple[re.Pattern[str] | re.Pattern[bytes], bool]]:
    """Return every pattern, and whether it is looked for anywhere in a text rather than matched to it."""
    found: dict[str, tuple[re.Pattern[str] | re.Pattern[bytes], bool]] = {}
    for name, tree in sources().items():
        text = (PACKAGE / name).read_text(encoding="utf-8")
        if not re.search(r"\bre\.(compile|" + "|".join(HOW) + r")\(", text):
            continue
        dotted = "imagin_gateway." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for variable, value in vars(importlib.import_module(dotted)).items():
            if isinstance(value, re.Pattern):
                scans = any(f"{variable}.{how}(" in text for how in SCANS)
                found[f"{name}:{variable}"] = (value, scans)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func)[:3] == "re."
            ):
                how, first = node.func.attr, node.args[0] if node.args else None
                if how in HOW and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    flags = re.DOTALL if "DOTALL" in ast.unparse(node) else re.NOFLAG
                    found[f"{name}:{node.lineno}"] = (re.compile(first.value, flags), how in SCANS)
                elif how in HOW or (how == "compile" and not isinstance(first, ast.Constant)):
                    module_level = any(node is getattr(each, "value", None) for each in tree.body)
                    assert module_level or name in MADE_OF_WORDS, f"{name}:{node.lineno} cannot be examined"
    return found


PIECES: Final = (
    "a",
    "0",
    "A",
    " ",
    "-",
    ".",
    "/",
    "a.",
    "a-",
    "/* ",
    "*/",
    "url ",
    "\\",
    "é",
    "{",
    "X-Imagin-a-",
    "='",
    "a@",
)
HEADS: Final = ("", "a", "0", "a@", "<?xml ", "<?xml encoding", "$argon2id$", "X-Imagin-", ".", "http://")
TAILS: Final = ("", "!", "\n", "\x00")
SMALL: Final = 1500


def spent(pattern: re.Pattern[str] | re.Pattern[bytes], text: str, *, scans: bool) -> float:
    """Return the CPU time of this thread, in seconds: what other processes do does not count."""
    told: str | bytes = text.encode() if isinstance(pattern.pattern, bytes) else text
    begin = time.thread_time()
    if scans:
        pattern.sub(told[:0], told)  # type: ignore[arg-type]  # both are of one kind
    else:
        pattern.fullmatch(told)  # type: ignore[arg-type]
        pattern.match(told)  # type: ignore[arg-type]
    return time.thread_time() - begin


def slowest(pattern: re.Pattern[str] | re.Pattern[bytes], *, scans: bool) -> tuple[float, str, str, str]:
    tried = [
        (spent(pattern, head + piece * (SMALL // len(piece)) + tail, scans=scans), head, piece, tail)
        for head in HEADS
        for piece in PIECES
        for tail in TAILS[:2]
    ]
    return max(tried)


@pytest.mark.row("INP-09")
@pytest.mark.parametrize("name", sorted(patterns()))
def test_a_pattern_takes_time_in_proportion_to_what_it_reads(name: str) -> None:
    pattern, scans = patterns()[name]
    _, head, piece, _ = slowest(pattern, scans=scans)
    for tail in TAILS[:2]:
        # Four times as much takes four times as long; sixteen, were it quadratic.
        found = proportion(pattern, head, piece, tail, (12 * SMALL, 48 * SMALL), scans=scans, at_most=9, slack=0.01)
        assert found.holds, (head, piece, tail, found)
    # Beyond what any input may be, where the allocator changes its ways no more: twice as much, twice as long.
    found = proportion(pattern, head, piece, "!", (1_000_000, 2_000_000), scans=scans, at_most=3, slack=0.02)
    assert found.holds, (head, piece, found)
    assert found.once < 1, "of CPU, for 1 MB"


class Proportion(NamedTuple):
    """The least seconds that an input took, and one several times longer."""

    once: float
    more: float
    holds: bool


def proportion(
    pattern: re.Pattern[str] | re.Pattern[bytes],
    head: str,
    piece: str,
    tail: str,
    sizes: tuple[int, int],
    *,
    scans: bool,
    at_most: float,
    slack: float,
) -> Proportion:
    """Measure two sizes until they are in proportion: what is quadratic never is, what was disturbed is soon."""
    texts = [head + piece * (size // len(piece)) + tail for size in sizes]
    once = more = float("inf")
    for _ in range(6):
        once = min(once, spent(pattern, texts[0], scans=scans))
        more = min(more, spent(pattern, texts[1], scans=scans))
        if more < at_most * once + slack and once < 1:
            return Proportion(once, more, True)
    return Proportion(once, more, more < at_most * once + slack)


def test_a_quadratic_pattern_would_be_seen() -> None:
    pattern = re.compile(r"/\*.*?\*/", re.DOTALL)
    _, head, piece, _ = slowest(pattern, scans=True)
    assert piece == "/* "
    assert not proportion(pattern, head, piece, "", (SMALL, 4 * SMALL), scans=True, at_most=9, slack=0).holds
