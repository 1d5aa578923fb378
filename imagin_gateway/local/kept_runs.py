"""Runs that issue letters: what they did, where their letters go, and how the database keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from imagin_gateway.errors import LineProblem
from imagin_gateway.local.letter_files import WriterMaker
from imagin_gateway.local.letters import Letter
from imagin_gateway.local.schema import runs

COUNTS: Final = (
    "created",
    "updated",
    "unchanged",
    "personalised",
    "disabled",
    "issued",
    "reissued",
    "waiting",
    "renamed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        created: accounts made.
        updated: accounts whose details changed.
        unchanged: accounts whose details were the same.
        personalised: those of them that have a chosen password.
        disabled: those of them that are closed: they get no letter.
        issued: provisional passwords printed.
        reissued: those of them that killed a former one, or opened an account again.
        waiting: accounts without anything that opens them, because no letter was asked for.
        renamed: accounts whose names are all others than before: the identifier may be another person's now.
        renamed_lines: where the first of them are in the list.
        problems: lines left out, when asked to skip them; `problem_count` is how many problems there were.
        ignored_columns: columns of the list that nothing was read from.
        resumed: the run was done already; what its interruption left was finished now.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    personalised: int = 0
    disabled: int = 0
    issued: int = 0
    reissued: int = 0
    waiting: int = 0
    renamed: int = 0
    renamed_lines: tuple[int, ...] = ()
    problems: tuple[LineProblem, ...] = ()
    problem_count: int = 0
    ignored_columns: tuple[str, ...] = ()
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where letters go. Without any, no provisional password is issued: nobody could read it.

    Attributes:
        files: for each file wanted, its encoding and what writes it.
        each: called with each letter, before anything is kept.
    """

    files: Mapping[Path, tuple[str, WriterMaker]] = field(default_factory=dict)
    each: Callable[[Letter], None] | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written or told."""
        return bool(self.files) or self.each is not None


@dataclass(frozen=True, slots=True)
class KeptRun:
    """One run that the database has kept."""

    id: str
    source: str
    actor: str
    report: ImportReport
    files: tuple[Path, ...]


def keep(connection: sa.Connection, run: KeptRun, now: datetime) -> None:
    """Keep a run, in the transaction that does its work: whatever dies afterwards, it can be ended (`unfinished`)."""
    counts = {name: getattr(run.report, name) for name in COUNTS}
    report = json.dumps({**counts, "files": [str(path) for path in run.files]})
    connection.execute(
        sa.insert(runs).values(id=run.id, source=run.source, actor=run.actor, at=now, report=report, finished=False)
    )


def unfinished(connection: sa.Connection) -> list[KeptRun]:
    """Return the runs that were kept and whose process died before its end, oldest first."""
    found = sa.select(runs).where(sa.not_(runs.c.finished)).order_by(runs.c.at)
    return [_kept_run(row) for row in connection.execute(found)]


def was_kept(connection: sa.Connection, run: str) -> bool:
    """Tell whether a run was kept."""
    return connection.execute(sa.select(runs.c.id).where(runs.c.id == run)).scalar_one_or_none() is not None


def finish(connection: sa.Connection, run: str) -> None:
    """Note that nothing is left to do for a run."""
    connection.execute(sa.update(runs).where(runs.c.id == run).values(finished=True))


def forget(connection: sa.Connection, before: datetime) -> None:
    """Forget the finished runs that began before a moment: who imported is told no longer than any other act."""
    connection.execute(sa.delete(runs).where(runs.c.finished, runs.c.at < before))


def _kept_run(row: sa.Row[Any]) -> KeptRun:
    told = json.loads(row.report)
    report = ImportReport(**{name: told.get(name, 0) for name in COUNTS})
    return KeptRun(row.id, row.source, row.actor, report, tuple(Path(path) for path in told["files"]))
