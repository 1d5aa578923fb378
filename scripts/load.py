"""A deployment under load: `python -m scripts.load --minutes 10` (`make load MINUTES=10`).

nginx, several workers, PostgreSQL and Redis, as docs/deployment.md says; locust sends people through whole journeys.
Meanwhile sessions are ended by the operator's command, and the memory of each worker is looked at. With `--write` the
results go into docs/performance.md, with their plots.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil

from scripts import performance
from scripts.bootstrap import set_up
from tests.deploy.stand import Site, Visitor, deployed
from tests.local.helper import GOOD

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / ".cache" / "load"
PAGE: Final = ROOT / "docs" / "performance.md"
WARM: Final = 0.2
"""Part of the run after which memory should be flat, Argon2's blocks apart."""

BLOCK: Final = 19 * 1024 * 1024 / 1e6
"""Megabytes that one verification takes (profile `owasp`). The C library keeps them for the next one of that thread, so
that a worker grows by whole blocks, at any time, until each thread of its pool has what it may need at once."""

LONG: Final = 5
"""Minutes from which a run says something of memory."""


@dataclass
class Watch:
    """What is looked at while the load runs.

    Attributes:
        memory: by process, megabytes at each moment (seconds since the start).
        revoked: seconds from the end of the command that ends a session to the first page that no longer knows it.
    """

    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    revoked: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def memories(self, site: Site) -> None:
        """Look at the memory of each worker, every two seconds."""
        began = time.monotonic()
        while not self.over.wait(2):
            for pid in site.pids():
                try:
                    used = psutil.Process(pid).memory_full_info().uss / 1e6
                except psutil.Error:
                    continue
                self.memory.setdefault(pid, []).append((time.monotonic() - began, used))

    def revocations(self, site: Site, people: list[tuple[str, str]]) -> None:
        """Sign somebody in, end their sessions by the command, and see when it is felt; again every few seconds."""
        for identifier, letter in people:
            with Visitor(site) as visitor:
                visitor.sign_in(identifier, letter)
                visitor.submit({"nouveau": GOOD.reveal(), "encore": GOOD.reveal()})
                if not visitor.visit("/missions").text.startswith("Bonjour"):
                    self.revoked.append(float("inf"))
                    continue
                site.command("accounts", "require-change", identifier, "--yes")
                ended = time.monotonic()
                while "Bonjour" in visitor.visit("/missions").text:
                    pass
                self.revoked.append(time.monotonic() - ended)
            if self.over.wait(5):
                return


def run(minutes: float, users: int, workers: int, server: str) -> dict[str, Any]:
    """Deploy, load, watch; return everything that was seen."""
    python = set_up("load")
    RESULTS.mkdir(parents=True, exist_ok=True)
    for old in RESULTS.iterdir():
        old.unlink()
    revoked = max(4, round(minutes * 12))
    with deployed(server, people=users + revoked, workers=workers) as site:
        people = list(site.letters.items())
        letters = RESULTS / "letters.json"
        letters.touch(mode=0o600)
        letters.write_text(json.dumps(dict(people[:users])), encoding="utf-8")
        watch = Watch()
        threads = [
            threading.Thread(target=watch.memories, args=(site,)),
            threading.Thread(target=watch.revocations, args=(site, people[users:])),
        ]
        for thread in threads:
            thread.start()
        command = [str(python), "-m", "locust", "-f", str(ROOT / "scripts" / "load_journeys.py")]
        command += ["--headless", "--only-summary"]
        command += ["--host", site.url, "--users", str(users), "--spawn-rate", str(max(1, users // 10))]
        command += ["--run-time", f"{round(minutes * 60)}s", "--stop-timeout", "60", "--csv", str(RESULTS / "run")]
        environment = {
            **os.environ,
            "LOAD_LETTERS": str(letters),
            "LOAD_AUTHORITY": str(site.authority.root),
        }
        try:
            done = subprocess.run(command, env=environment, check=False)
        finally:
            watch.over.set()
            for thread in threads:
                thread.join()
            letters.unlink()
        faults = [each for each in site.events() if each["event"] == "fault"]
    with (RESULTS / "run_stats.csv").open(encoding="utf-8", newline="") as file:
        steps = list(csv.DictReader(file))
    with (RESULTS / "run_stats_history.csv").open(encoding="utf-8", newline="") as file:
        history = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    return {
        "at": datetime.now(UTC).strftime("%d %B %Y"),
        "minutes": minutes,
        "users": users,
        "workers": workers,
        "server": server,
        "cores": os.cpu_count(),
        "exit": done.returncode,
        "steps": steps,
        "history": history,
        "memory": {str(pid): seen for pid, seen in watch.memory.items()},
        "revoked": watch.revoked,
        "faults": len(faults),
    }


def growth(seen: list[tuple[float, float]]) -> float:
    """Return by how many megabytes the memory of a worker grew after its warming up, whole blocks of Argon2 apart."""
    warm = [used for _, used in seen[int(len(seen) * WARM) :] or seen]
    steps = (after - before for before, after in pairwise(warm))
    return sum(step for step in steps if abs(step) < BLOCK / 2)


def blocks(seen: list[tuple[float, float]]) -> int:
    """Return how many blocks of Argon2 a worker has come to hold, the whole run long."""
    steps = (after - before for (_, before), (_, after) in pairwise(seen))
    return sum(round(step / BLOCK) for step in steps if abs(step) >= BLOCK / 2)


def verdicts(told: dict[str, Any]) -> list[str]:
    """Return what is not as it should be."""
    wrong = []
    total = next(step for step in told["steps"] if step["Name"] == "Aggregated")
    if total["Failure Count"] != "0":
        wrong.append(f"{total['Failure Count']} errors")
    if told["faults"]:
        wrong.append(f"{told['faults']} faults in the events")
    late = [each for each in told["revoked"] if each > 1 + 1]
    if late or not told["revoked"]:
        wrong.append(f"revocations felt after {late}" if late else "no revocation was tried")
    if told["minutes"] >= LONG:
        wrong += [
            f"worker {pid} grew by {growth(seen):.0f} MB" for pid, seen in told["memory"].items() if growth(seen) > 10
        ]
    return wrong


def page(told: dict[str, Any]) -> str:
    """Return the part of docs/performance.md, in Markdown."""
    total = next(step for step in told["steps"] if step["Name"] == "Aggregated")
    lines = [
        (
            f"{told['at']}: {told['minutes']:g} min, {told['users']} people at once, {told['server']} with "
            f"{told['workers']} workers behind nginx, PostgreSQL, Redis, locust and all of them on one machine of "
            f"{told['cores']} cores. {total['Request Count']} requests, {float(total['Requests/s']):.1f} a second; "
            f"errors: {total['Failure Count']}; faults in the events: {told['faults']}."
        ),
        "",
        "| step | requests | errors | median ms | 95th | 99th |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {step['Name'] if step['Name'] != 'Aggregated' else '**all**'} | {step['Request Count']} "
        f"| {step['Failure Count']} | {step['50%']} | {step['95%']} | {step['99%']} |"
        for step in told["steps"]
    ]
    revoked = sorted(told["revoked"])
    lines += [
        "",
        (
            f"Sessions ended by the operator meanwhile: {len(revoked)}; the next page knew it after "
            f"{revoked[len(revoked) // 2] * 1000:.0f} ms (median), {revoked[-1] * 1000:.0f} ms at most; the limit is "
            "a second."
        ),
        "",
        "Memory of each worker, after the first fifth, blocks of Argon2 apart: "
        + ", ".join(f"{growth(seen):+.1f} MB of {seen[-1][1]:.0f}" for seen in told["memory"].values())
        + ". A block is the 19 MiB of one verification, which the C library keeps for the next one of that arena; each "
        f"worker has come to hold {', '.join(str(blocks(seen)) for seen in told['memory'].values())} (start included).",
        "",
        "![Memory of the workers over time](load-memory.svg)",
        "",
        "![Latency over time: median and 95th](load-latency.svg)",
    ]
    return "\n".join(lines)


def plot(title: str, unit: str, curves: dict[str, list[tuple[float, float]]]) -> str:
    """Return a plot in SVG: time in seconds across, one curve a name."""
    wide, high, left, top = 720, 240, 56, 32
    ends = max((x for curve in curves.values() for x, _ in curve), default=1) or 1
    most = max((y for curve in curves.values() for _, y in curve), default=1) * 1.1 or 1
    colours = ("#1b6ca8", "#b5482a", "#3c7d3c", "#7a4fa3", "#8a6d1d", "#4d5a66")
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + left + 16} {high + top + 32}" '
            f'font-family="sans-serif" font-size="12"><title>{title}</title>'
            f'<rect width="100%" height="100%" fill="#fff"/><text x="{left}" y="18">{title}</text>'
        )
    ]
    for part in range(5):
        y = top + high - high * part / 4
        parts.append(f'<path d="M{left} {y:.0f}h{wide}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{most * part / 4:.0f} {unit}</text>')
        x = left + wide * part / 4
        parts.append(f'<text x="{x:.0f}" y="{top + high + 18}" text-anchor="middle">{ends * part / 4:.0f} s</text>')
    for number, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{left + wide * x / ends:.1f},{top + high - high * y / most:.1f}" for x, y in curve)
        colour = colours[number % len(colours)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{left + wide}" y="{18 + 14 * number}" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def latencies(told: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of latency over time."""
    rows = [row for row in told["history"] if row["50%"] not in ("", "N/A")]
    began = int(rows[0]["Timestamp"]) if rows else 0
    return {
        name: [(int(row["Timestamp"]) - began, float(row[column])) for row in rows]
        for name, column in (("median", "50%"), ("95th", "95%"))
    }


def write(told: dict[str, Any], *, docs: bool) -> None:
    """Keep what was seen, and put it into the documentation if asked to."""
    (RESULTS / "result.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    folder = PAGE.parent if docs else RESULTS
    memory = {f"worker {number}": seen for number, seen in enumerate(told["memory"].values(), 1)}
    (folder / "load-memory.svg").write_text(plot("Memory of the workers", "MB", memory), encoding="utf-8")
    (folder / "load-latency.svg").write_text(plot("Latency of all steps", "ms", latencies(told)), encoding="utf-8")
    text = page(told)
    if docs:
        whole = PAGE.read_text(encoding="utf-8")
        whole = performance.put(whole, "load", text)
        PAGE.write_text(whole, encoding="utf-8")
    else:
        (RESULTS / "part.md").write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Run, tell, and end with 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m scripts.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--server", choices=("gunicorn", "uvicorn"), default="gunicorn")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    options = parser.parse_args()
    told = run(options.minutes, options.users, options.workers, options.server)
    write(told, docs=options.write)
    print(page(told))
    wrong = verdicts(told)
    memory = "memory flat" if told["minutes"] >= LONG else f"memory not judged in less than {LONG} minutes"
    print("\n" + "\n".join(f"NOT AS IT SHOULD BE: {each}" for each in wrong))
    if not wrong:
        print(f"Errors 0, revocations felt, {memory}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
