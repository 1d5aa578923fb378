"""What the last complete run of the suite said of each test that is marked with rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Outcome = Literal["passed", "failed", "skipped"]

WATCHED: Final = ("imagin_gateway", "tests", "examples", "pyproject.toml")
"""A change in one of these makes kept results stale."""


@dataclass
class Marked:
    """One test: the rows it is marked with, and how it ended."""

    rows: list[str]
    outcome: Outcome


@dataclass
class Results:
    """One complete run.

    Attributes:
        when: UTC, ISO 8601.
        sources: digest of everything watched, when the run began.
        tests: by node id; only those marked with rows.
        ran: how many tests ran in all.
    """

    sources: str
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    tests: dict[str, Marked] = field(default_factory=dict)
    ran: int = 0

    def write(self, root: Path) -> None:
        """Keep this run, whole or not at all."""
        file = place(root)
        file.parent.mkdir(exist_ok=True)
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        new.replace(file)


def place(root: Path) -> Path:
    """Return where results are kept."""
    return root / ".rows" / "results.json"


def read(root: Path) -> Results | None:
    """Return the last complete run, or None when there is none that can be read."""
    try:
        kept = json.loads(place(root).read_text(encoding="utf-8"))
        tests = {node: Marked(**each) for node, each in kept.pop("tests").items()}
        return Results(**kept, tests=tests)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def digest(root: Path) -> str:
    """Return a digest of everything watched: names and contents."""
    total = hashlib.sha256()
    for watched in WATCHED:
        start = root / watched
        for file in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(root)}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def by_row(tests: Mapping[str, Marked]) -> dict[str, dict[Outcome, list[str]]]:
    """Return, for each row that a test is marked with, its tests by outcome."""
    found: dict[str, dict[Outcome, list[str]]] = {}
    for node, marked in sorted(tests.items()):
        for row in marked.rows:
            found.setdefault(row, {}).setdefault(marked.outcome, []).append(node)
    return found
