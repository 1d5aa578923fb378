"""The two ways to look for findings, and how the inputs that are kept stay few.

Guided: atheris (libFuzzer) keeps whatever reaches code that nothing reached before. It ends its
process, so each target has one of its own. Blind: changes of the kept inputs, some thousands a
minute, by a seed that is told; where atheris is not installed, and as a check of the kept inputs in
the tests.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

from fuzz.frame import Target, any_change, changed, judge, kept

ROOT: Final = Path(__file__).resolve().parent.parent

FOUND: Final = ROOT / ".cache" / "fuzz"
"""Where inputs go before they are kept: by target, those that reach something new, and those that are findings."""

PACKAGE: Final = str(ROOT / "imagin_gateway")

Arc = tuple[str, int, int]


def target(name: str) -> Target:
    """Return a target by its name."""
    found: Target = importlib.import_module(f"fuzz.{name}").TARGET
    return found


def replay(target: Target) -> tuple[int, int]:
    """Judge every kept input; return how many there are, and how many were accepted."""
    inputs = kept(target)
    return len(inputs), sum(judge(target, data) for data in inputs)


def blind(
    target: Target, seed: int, *, executions: int = sys.maxsize, seconds: float = float("inf")
) -> tuple[int, int]:
    """Judge changed inputs until one of the limits; return how many were judged, and how many accepted.

    Raises:
        Exception: the first finding; the input is kept in `FOUND`.
    """
    random = Random(seed)
    inputs = kept(target)
    until = time.monotonic() + seconds
    judged = accepted = 0
    while judged < executions and time.monotonic() < until:
        data = changed(target, inputs, random)
        judged += 1
        try:
            accepted += judge(target, data)
        except Exception as error:
            error.add_note(f"{target.name}, seed {seed}, input {judged}: {write_finding(target, data)}")
            raise
    return judged, accepted


def write_finding(target: Target, data: bytes) -> Path:
    """Keep an input that shows a finding, apart from the others."""
    folder = FOUND / f"{target.name}-findings"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{len(list(folder.iterdir())):03}"
    file.write_bytes(data)
    return file


def guided(name: str, seconds: float) -> None:
    """Let atheris look for findings; does not return. What reaches something new is left in `FOUND`."""
    import atheris

    with atheris.instrument_imports(include=["imagin_gateway"], enable_loader_override=False):
        found = target(name)
        # Some of it is imported where it is used.
        replay(found)
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(found.seeds()):
        (folder / f"seed-{number}").write_bytes(data)
    artefacts = FOUND / f"{name}-findings"
    artefacts.mkdir(exist_ok=True)

    def one(data: bytes) -> None:
        judge(found, data)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        if found.mutate is None or random.random() < 0.2:
            made: bytes = atheris.Mutate(data, longest)
            return made
        return (found.mutate(data, random) or any_change(data, random))[:longest]

    options = [
        f"-max_total_time={int(seconds)}",
        f"-max_len={found.longest}",
        f"-artifact_prefix={artefacts}/",
        *("-timeout=20", "-rss_limit_mb=1500", "-print_final_stats=1", "-report_slow_units=3"),
    ]
    more = [str(found.folder)] if found.folder.is_dir() else []
    atheris.Setup([sys.argv[0], *options, str(folder), *more], one, custom_mutator=mutate)
    atheris.Fuzz()


# --- few inputs, each for a reason


def arcs(target: Target, data: bytes) -> frozenset[Arc]:
    """Return every step from line to line that an input makes in the package."""
    seen: set[Arc] = set()
    lasts: dict[int, int] = {}

    def line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "line":
            seen.add((frame.f_code.co_filename, lasts.get(id(frame), 0), frame.f_lineno))
            lasts[id(frame)] = frame.f_lineno
        elif event == "return":
            lasts.pop(id(frame), None)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return line if frame.f_code.co_filename.startswith(PACKAGE) else None

    sys.settrace(call)
    try:
        target.attack(data)
    except target.refusals:
        pass
    finally:
        sys.settrace(None)
    return frozenset(seen)


def chosen(target: Target, inputs: Sequence[bytes]) -> list[bytes]:
    """Return the fewest and smallest of these inputs that reach what all of them reach, beyond the seeds."""
    reached: set[Arc] = set()
    for seed in target.seeds():
        reached |= arcs(target, seed)
    found = []
    for data in sorted(set(inputs), key=len):
        new = arcs(target, data) - reached
        if new:
            reached |= new
            found.append(data)
    return found


def modules_reached(target: Target, inputs: Sequence[bytes]) -> dict[str, int]:
    """Return how many steps each module of the package made, for all of these inputs together."""
    reached: set[Arc] = set()
    for data in inputs:
        reached |= arcs(target, data)
    counts: dict[str, int] = {}
    for file, _, _ in reached:
        name = file.removeprefix(PACKAGE + "/")
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
