"""What `make bench` measured, as docs/performance.md tells it: every target, a plot of them, every table.

The results of each subject are kept in bench/results.json, with the day and the machine; the page is made of them, so
that a subject measured again alone changes its own lines only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape  # nosec B406  # writes XML, reads none

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "bench" / "results.json"
PAGE: Final = ROOT / "docs" / "performance.md"
PLOT: Final = "bench-targets.svg"

NOTHING: Final = "No whole run is kept: `make bench` writes it here."

Results = Mapping[str, Mapping[str, Any]]


def keep(measured: Results, results: Path = RESULTS, page: Path = PAGE) -> None:
    """Put what subjects measured beside what is kept of the others, and make the page of all of it.

    Args:
        measured: by subject, as `bench.frame.Report.as_json` tells it.
        results: the file that keeps them.
        page: the page; the plot stands beside it.
    """
    kept = read(results)
    for subject, told in measured.items():
        # The versions of a whole environment are a lock's to tell.
        kept[subject] = {name: value for name, value in told.items() if name not in ("subject", "versions")}
    kept = dict(sorted(kept.items()))
    results.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(written(page.read_text(encoding="utf-8"), kept), encoding="utf-8")
    (page.parent / PLOT).write_text(plot(kept), encoding="utf-8")


def read(results: Path = RESULTS) -> dict[str, Mapping[str, Any]]:
    """Return what is kept, by subject."""
    if not results.is_file():
        return {}
    kept: dict[str, Mapping[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return kept


def written(page: str, kept: Results) -> str:
    """Return the page with its two parts made anew."""
    return put(put(page, "targets", targets(kept)), "tables", tables(kept))


def put(page: str, mark: str, text: str) -> str:
    """Return a page with another text between `<!-- MARK -->` and `<!-- end of MARK -->`.

    Raises:
        ValueError: it has not one such place.
    """
    page, count = re.subn(
        rf"(<!-- {mark} -->\n).*?(\n<!-- end of {mark} -->)", lambda at: at[1] + text + at[2], page, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"the page has not one place for its {mark}")
    return page


def targets(kept: Results) -> str:
    """Return every target, with the plot of them."""
    if not kept:
        return NOTHING
    lines = [
        f"![Each target's measure, in parts of its limit]({PLOT})",
        "",
        "| subject | target | measured | at most | |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    lines += [
        f"| {subject} | {target['name']} | {figure(target['measured'])} {target['unit']} "
        f"| {figure(target['limit'])} {target['unit']} | {'met' if target['met'] else '**missed**'} |"
        for subject, target in _each(kept)
    ]
    met = sum(target["met"] for _, target in _each(kept))
    return "\n".join(
        [*lines, "", f"{met} of {len(list(_each(kept)))} are met. `x` is a ratio to what stands beside it."]
    )


def tables(kept: Results) -> str:
    """Return every table, by subject, with its day and its machine."""
    if not kept:
        return NOTHING
    parts: list[str] = []
    for subject, told in kept.items():
        machine = told["machine"]
        parts += [
            f"### Measured: {subject}",
            "",
            (
                f"{told['date'][:10]}, {machine['cores']} cores ({machine['processor']}), {machine['system']}, "
                f"Python {machine['python']}."
            ),
            "",
        ]
        for table in told["tables"]:
            columns = [str(column) for column in table["columns"]]
            parts += [
                f"**{table['title']}**",
                "",
                _row([column or " " for column in columns]),
                _row(["---", *("---:" for _ in columns[1:])]),
                *(_row([figure(cell) for cell in row]) for row in table["rows"]),
                "",
            ]
    return "\n".join(parts).rstrip()


def plot(kept: Results) -> str:
    """Return one bar a target, in SVG: full at its limit, of another colour beyond."""
    told = [(subject, each) for subject, each in _each(kept) if each["limit"]]
    left, wide, high = 330, 400, 20
    whole = 1.5
    height = 44 + high * len(told)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 60} {height}" '
            'font-family="sans-serif" font-size="12"><title>Targets</title>'
            '<rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="{left + wide / whole:.0f}" y="18" text-anchor="middle">limit</text>'
        )
    ]
    for number, (subject, target) in enumerate(told):
        share = target["measured"] / target["limit"]
        y = 28 + high * number
        colour = "#1b6ca8" if target["met"] else "#b5482a"
        length = wide * min(share, whole) / whole
        parts.append(
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(subject)}: {escape(target["name"])}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{length:.0f}" height="{high - 6}" fill="{colour}"/>'
            f'<text x="{left + length + 6:.0f}" y="{y + 13}">{share:.0%}</text>'
        )
    parts.append(f'<path d="M{left + wide / whole:.0f} 24V{height - 10}" stroke="#222" stroke-dasharray="4 3"/>')
    return "\n".join([*parts, "</svg>\n"])


def _each(kept: Results) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for subject, told in kept.items():
        for target in told["targets"]:
            yield subject, target


def figure(cell: object) -> str:
    """Return a figure with three digits that say something, or a word as it is."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
