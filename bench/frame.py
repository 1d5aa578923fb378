"""What every bench shares: timing, tables, targets, JSON, and the peers' own environment.

A subject is a module with one function that measures and tells a `Report`::

    def measure(report: Report) -> None:
        ours = timed(lambda: decide(facts))
        report.table("Deciding", ("what", "µs"), [("decide", ours.best * 1e6)])
        report.target("decide", ours.best * 1e6, 5, "µs")


    if __name__ == "__main__":
        run("policy", measure)

Times of one machine mean little elsewhere; ratios hold better. A target that is
missed is printed, and is no failure: a busy machine is not a bug.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from typing import Final

from scripts.bootstrap import set_up

ROOT: Final = Path(__file__).resolve().parent.parent

Cell = str | int | float


@dataclass(frozen=True)
class Timing:
    """How long one call took, in seconds.

    Attributes:
        best: the shortest of the repeats: what the code costs when nothing disturbs it.
        middle: the median of the repeats.
        repeats: how many times it was measured.
    """

    best: float
    middle: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Return the timing of these measures."""
        return cls(min(seconds), median(seconds), len(seconds))


@dataclass(frozen=True)
class Target:
    """A figure we hold ourselves to: met when `measured` is at most `limit`."""

    name: str
    measured: float
    limit: float
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name or any(part.isspace() for part in self.name + self.unit):
            raise ValueError("a target's name and unit hold no space: its line is read by programs")

    @property
    def met(self) -> bool:
        return self.measured <= self.limit

    def line(self) -> str:
        """Return the line that programs read: `target NAME measured limit met|missed`."""
        verdict = "met" if self.met else "missed"
        return f"target {self.name} {_figure(self.measured)}{self.unit} {_figure(self.limit)}{self.unit} {verdict}"


@dataclass
class Report:
    """What one subject has measured, printed as it comes."""

    subject: str
    targets: list[Target] = field(default_factory=list)
    tables: list[dict[str, object]] = field(default_factory=list)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Print a table and keep it for the JSON file."""
        kept = [list(row) for row in rows]
        self.tables.append({"title": title, "columns": list(columns), "rows": kept})
        cells = [list(columns), *([_figure(cell) for cell in row] for row in kept)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
        print(f"\n{title}\n")
        for row in cells:
            first, *others = (
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  " + "  ".join([first, *others]).rstrip())
        sys.stdout.flush()

    def target(self, name: str, measured: float, limit: float, unit: str = "") -> None:
        """Hold a figure to a limit; the line is printed at the end.

        Raises:
            ValueError: the name or the unit holds a space.
        """
        self.targets.append(Target(name, measured, limit, unit))

    def as_json(self) -> dict[str, object]:
        """Return everything, with the machine, the date and the versions it was measured with."""
        return {
            "subject": self.subject,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {
                "processor": platform.machine(),
                "cores": os.cpu_count(),
                "system": platform.platform(),
                "python": platform.python_version(),
            },
            "versions": {each.name: each.version for each in sorted(distributions(), key=lambda each: each.name)},
            "tables": self.tables,
            "targets": [{**asdict(each), "met": each.met} for each in self.targets],
        }


def timed(call: Callable[[], object], *, repeats: int = 7, seconds: float = 0.2) -> Timing:
    """Return how long one call takes, measured in this process.

    Args:
        call: what to measure.
        repeats: how many measures.
        seconds: each measure calls as often as fits in about this time.
    """
    number = 1
    while (once := _loop(call, number)) < seconds / 4:
        number *= 2 if once > seconds / 64 else 10
    number = max(1, round(number * seconds / once))
    return Timing.of([_loop(call, number) / number for _ in range(repeats)])


def _loop(call: Callable[[], object], number: int) -> float:
    turns = range(number)
    collecting = gc.isenabled()
    gc.disable()
    try:
        begin = time.perf_counter()
        for _ in turns:
            call()
        return time.perf_counter() - begin
    finally:
        if collecting:
            gc.enable()


def fresh(
    python: Path, statements: Mapping[str, str], *, prelude: str = "", repeats: int = 9
) -> dict[str, tuple[Timing, Timing]]:
    """Time statements, each in a new process, in turn, so that a slow moment falls on all of them.

    Args:
        python: the interpreter.
        statements: code by name.
        prelude: code that runs before, and is not counted in the statement's own time.
        repeats: how many processes a statement.

    Returns:
        For each name, the time of the statement itself and of the whole process.
    """
    own: dict[str, list[float]] = {name: [] for name in statements}
    whole: dict[str, list[float]] = {name: [] for name in statements}
    for turn in range(repeats + 1):
        for name, statement in statements.items():
            code = f"{prelude}\nimport time\n_t = time.perf_counter()\n{statement}\nprint(time.perf_counter() - _t)"
            begin = time.perf_counter()
            done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
            if turn:  # the first turn fills the caches of files and of byte code
                whole[name].append(time.perf_counter() - begin)
                own[name].append(float(done.stdout.split()[-1]))
    return {name: (Timing.of(own[name]), Timing.of(whole[name])) for name in statements}


def peers() -> Path:
    """Return the Python of the environment where the peers live, made on first use (it says so)."""
    return set_up("bench")


def run(subject: str, measure: Callable[[Report], None]) -> None:
    """Measure one subject from the command line: tables, then one line a target; `--json FILE` keeps it all."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{subject}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep tables, targets, machine and versions here")
    options = parser.parse_args()
    report = Report(subject)
    measure(report)
    print()
    for target in report.targets:
        print(target.line())
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _figure(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return str(cell)
