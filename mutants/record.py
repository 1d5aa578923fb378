"""What is known of each module: kept beside the code, with the digest of the code it is true of."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mutants.changes import Mutant
from mutants.plan import PLAN, ROOT, room, source

RESULTS: Final = Path(__file__).parent / "results"

EXPLAINED: Final = Path(__file__).parent / "explained.toml"

REPORT: Final = ROOT / "docs" / "mutation.md"


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed."""

    line: int
    what: str

    @property
    def key(self) -> str:
        """What tells it from the others of its module."""
        return f"{self.line}: {self.what}"


@dataclass(frozen=True)
class Record:
    """What is known of one module."""

    module: str
    sha: str
    total: int
    hung: int
    survivors: tuple[Survivor, ...]
    day: str

    @classmethod
    def of(cls, module: str, sha: str, total: int, hung: int, survivors: Sequence[Mutant]) -> Record:
        """Return the record of what was judged today; `sha` is of the code as it was then."""
        told = tuple(Survivor(each.line, each.what) for each in survivors)
        return cls(module, sha, total, hung, told, datetime.now(UTC).date().isoformat())

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return self.total - len(self.survivors)

    def told(self) -> str:
        """Return the score in words."""
        return f"{self.killed} of {self.total} noticed ({share(self.killed, self.total)})"

    def write(self) -> None:
        """Keep it."""
        file = _file(self.module)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def share(part: int, whole: int) -> str:
    """Return a share in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "—"


def sha_of(module: str) -> str:
    """Return the digest of a module's code."""
    return hashlib.sha256(source(module).read_bytes()).hexdigest()[:16]


def _file(module: str) -> Path:
    return RESULTS / (module.replace("/", ".") + ".json")


def record_of(module: str) -> Record | None:
    """Return what is known of a module; None when nothing is."""
    file = _file(module)
    if not file.is_file():
        return None
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return Record(**{**told, "survivors": tuple(Survivor(**each) for each in told["survivors"])})


def explanations() -> dict[str, dict[str, str]]:
    """Return, by module, what was found of survivors: the change, and why it may live."""
    found: dict[str, dict[str, str]] = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    return found


def write_report() -> None:
    """Write docs/mutation.md of everything that is known."""
    REPORT.write_text(report(), encoding="utf-8")


def report() -> str:
    """Return the report: a table by room, then by module, then every survivor with what was found of it."""
    records = [record for module in PLAN if (record := record_of(module)) is not None]
    told = explanations()
    lines = [_HEAD, "| room | changes | noticed | survivors explained | score | without those explained |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in dict.fromkeys(room(record.module) for record in records):
        lines.append(_row(f"**{name}**", [each for each in records if room(each.module) == name], told))
    lines.append(_row("all of them", records, told))
    lines += ["", "## By module", "", "| module | changes | noticed | explained | score | without those explained |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for record in records:
        stale = "" if record.sha == sha_of(record.module) else " (the code has changed since)"
        lines.append(_row(f"`{record.module}`{stale}, {record.day}", [record], told))
    if waiting := [f"`{module}`" for module in PLAN if record_of(module) is None]:
        lines += ["", f"Not judged yet: {', '.join(waiting)}."]
    lines += ["", "## Survivors", ""]
    for record in records:
        if record.survivors:
            lines += [f"### {record.module}", ""]
            lines += [_survivor(survivor, told.get(record.module, {})) for survivor in record.survivors]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(name: str, records: Sequence[Record], told: dict[str, dict[str, str]]) -> str:
    total, killed = sum(each.total for each in records), sum(each.killed for each in records)
    explained = sum(
        _explanation(survivor, told.get(each.module, {})) != "" for each in records for survivor in each.survivors
    )
    rest = total - explained
    return f"| {name} | {total} | {killed} | {explained} | {share(killed, total)} | {share(killed, rest)} |"


def _explanation(survivor: Survivor, told: dict[str, str]) -> str:
    """Return what was found of a survivor: by its change, wherever it stands; or by a part of it that ends in `*`."""
    if survivor.what in told:
        return told[survivor.what]
    return next((why for what, why in told.items() if what.endswith("*") and survivor.what.startswith(what[:-1])), "")


def _survivor(survivor: Survivor, told: dict[str, str]) -> str:
    why = _explanation(survivor, told) or "**not explained**"
    return f"- line {survivor.line}: `{survivor.what.replace('`', chr(39))}` — {why}"


_HEAD: Final = """# Mutation: does a test notice?

Written by `make mutants`, which breaks the code of the modules that decide who is let in, one small change at a time,
and runs the tests of its room that reach the changed line, the quickest of them up to twenty seconds and the nearest
first, until one fails. A change that none of these notices has survived, even if a test elsewhere would notice it.
`make mutants ONLY=sessions` judges a room, and only what has changed since; `ARGS=--survivors` tries again what
survived. [Why so](decisions/0106-mutation.md).

What is changed: comparisons (their edge and their opposite), each part of a condition, constants, arithmetic, what is
returned, and every statement that raises or calls. What is not: messages, log lines, the steps told to the
operator, annotations, decorators.
"""
