"""`make rows`: each row with its tests, from the last complete run.

A row is shown when at least one test marked with it ran and all of them passed.
`--fresh` only tells whether the kept run is of the code as it is now.
"""
# ruff: noqa: T201  # a command prints

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from tests.rows.catalogue import Catalogue, Row, catalogue
from tests.rows.results import Outcome, Results, by_row, digest, read

ROOT = Path(__file__).resolve().parents[2]


def stale(root: Path, kept: Results | None) -> str:
    """Return why the suite must run before rows can be told, or nothing."""
    if kept is None:
        return "no complete run of the suite is kept"
    if kept.sources != digest(root):
        return f"something changed since the complete run of {kept.when}"
    return ""


def contradictions(checklist: Catalogue, kept: Results) -> list[str]:
    """Return the rows that are said not to apply, and yet have tests."""
    return [row for row in by_row(kept.tests) if row in checklist.not_applicable]


def lines(checklist: Catalogue, kept: Results) -> list[str]:
    """Return a line a row under its section, then the count, which is the last line."""
    told = by_row(kept.tests)
    count = Counter[str]()
    out: list[str] = []
    section = ""
    for row in checklist.rows.values():
        if row.section != section:
            section = row.section
            out += ["", f"{section}  {checklist.sections[section]}"]
        verdict, why = _verdict(row, checklist.not_applicable.get(row.id), told.get(row.id, {}))
        count[verdict] += 1
        out.append(f"  {row.id}  {verdict:<14}  {why}".rstrip())
    shown, left_out, missing = count["shown"], count["not applicable"], count["missing"]
    return [*out, "", f"rows: {shown} shown, {left_out} not applicable, {missing} missing"]


def _verdict(row: Row, reason: str | None, tests: dict[Outcome, list[str]]) -> tuple[str, str]:
    if reason is not None:
        return "not applicable", reason
    if not tests:
        return "missing", shorten(row.holds, 90, placeholder=" ...")
    if list(tests) == ["passed"]:
        return "shown", _names(tests["passed"])
    return "missing", "; ".join(
        f"{outcome}: {_names(tests[outcome])}" for outcome in ("failed", "skipped") if outcome in tests
    )


def _names(nodes: Sequence[str]) -> str:
    """Return the tests, one name for all the parameters of one function."""
    functions = Counter(node.partition("[")[0].removeprefix("tests/") for node in nodes)
    return ", ".join(name if times == 1 else f"{name} ({times})" for name, times in functions.items())


def main() -> int:
    """Print the rows; 1 when no complete run of the code as it is now is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.rows", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="only tell whether the kept run is up to date")
    options = parser.parse_args()
    kept = read(ROOT)
    if why := stale(ROOT, kept):
        print(f"rows: {why}; the whole suite must run to its end (make test)", file=sys.stderr)
        return 1
    if options.fresh or kept is None:
        return 0
    if doubted := contradictions(catalogue(), kept):
        print(f"said not to apply, and yet tested: {', '.join(doubted)}", file=sys.stderr)
        return 1
    print(f"From the complete run of {kept.when}: {kept.ran} tests, {len(kept.tests)} of them marked with rows.")
    print("\n".join(lines(catalogue(), kept)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
