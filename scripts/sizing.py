"""How large a machine must be: the table of docs/deployment.md, from figures that were measured. Writes it anew.

`python -m scripts.sizing`; `--check` only compares.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "deployment.md"
FRENCH: Final = ROOT / "docs" / "fr" / "deploiement.md"
PERFORMANCE: Final = ROOT / "docs" / "performance.md"

PEOPLE: Final = 100_000
SECONDS: Final = 2 * 3600
BUSY: Final = 0.6
HASH_SECONDS: Final = 0.033
HASH_MIB: Final = 19
REQUESTS: Final = 5
REQUEST_SECONDS: Final = 0.0006
CACHED: Final = 10_000
CONNECTIONS: Final = 15


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    head: tuple[str, str]
    rows: tuple[str, ...]
    million: str


ENGLISH: Final = Words(
    ("evenly", "four times that"),
    (
        "logins a second",
        "cores busy",
        "cores, busy to six tenths",
        "memory of hashes, one a core (19 MiB)",
        "100,000 live sessions in Redis",
        "a worker's memory of 10,000 sessions",
        "connections to PostgreSQL, two workers a core, 15 each",
    ),
    "MB",
)

IN_FRENCH: Final = Words(
    ("régulièrement", "quatre fois plus"),
    (
        "connexions par seconde",
        "cœurs occupés",
        "cœurs, occupés aux six dixièmes",
        "mémoire des empreintes, une par cœur (19 Mio)",
        "100 000 sessions ouvertes dans Redis",
        "mémoire d’un processus pour 10 000 sessions",
        "connexions à PostgreSQL, deux processus par cœur, 15 chacun",
    ),
    "Mo",
)


def measured(row: str) -> int:
    """Return the first figure of a row of the page of performance."""
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| (\d+) \|", PERFORMANCE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"docs/performance.md has no row {row!r}")
    return int(found[1])


def number(value: float, words: Words) -> str:
    """Return a figure as a language writes it."""
    told = f"{value:.1f}"
    return told if words is ENGLISH else told.replace(".", ",")


def table(words: Words) -> str:
    """Return the table, in Markdown."""
    session = measured("bytes a session")
    cached = measured("bytes of a process for each session it keeps")
    columns: list[list[str]] = []
    for times in (1, 4):
        rate = PEOPLE / SECONDS * times
        busy = rate * (HASH_SECONDS + REQUESTS * REQUEST_SECONDS)
        cores = math.ceil(busy / BUSY)
        columns.append(
            [
                number(rate, words),
                number(busy, words),
                str(cores),
                f"{cores * HASH_MIB} {'MiB' if words is ENGLISH else 'Mio'}",
                f"{PEOPLE * session / 1e6:.0f} {words.million}",
                f"{CACHED * cached / 1e6:.0f} {words.million}",
                str(2 * cores * CONNECTIONS),
            ]
        )
    lines = [f"| | {words.head[0]} | {words.head[1]} |", "| --- | --- | --- |"]
    lines += [f"| {name} | {one} | {four} |" for name, one, four in zip(words.rows, *columns, strict=True)]
    return "\n".join(lines)


def written(page: Path, words: Words) -> str:
    """Return a page with its table as it should be."""
    text = page.read_text(encoding="utf-8")
    return re.sub(
        r"(<!-- sizing -->\n).*?(\n<!-- end -->)",
        lambda found: found[1] + table(words) + found[2],
        text,
        flags=re.DOTALL,
    )


def main() -> int:
    """Write the tables, or compare them."""
    wrong = 0
    for page, words in ((PAGE, ENGLISH), (FRENCH, IN_FRENCH)):
        right = written(page, words)
        if "--check" in sys.argv:
            wrong += right != page.read_text(encoding="utf-8")
        else:
            page.write_text(right, encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
