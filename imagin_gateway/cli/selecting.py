"""Which events an operator wants, and the files they are sought in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from imagin_gateway.cli.common import err
from imagin_gateway.events.kinds import KINDS, EventName, Outcome
from imagin_gateway.events.reading import Damage, Flaw, Record, Wanted, everything, holding, read
from imagin_gateway.events.retention import Kept, files_of
from imagin_gateway.events.sinks import DAY

_WORTH_A_BAR = 5_000_000
"""Bytes from which reading shows how far it is."""

_FLAWS = {
    Flaw.CUT: "le fichier est coupé là ; tout ce qui précède est lu",
    Flaw.UNREADABLE: "ligne illisible, passée",
    Flaw.BROKEN: "la suite est illisible ; tout ce qui précède est lu",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted: all of what is said here.

    Attributes:
        since, until: moments in UTC.
        kinds, codes, doors: any of these; none said is all.
        people: pseudonyms, any of them.
        reference: of the request, as on the page.
        address: of the client.
        failures: only what was refused or failed.
    """

    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    doors: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    reference: str = ""
    address: str = ""
    failures: bool = False
    told: tuple[str, ...] = field(default=())
    """Names of the filters that were given, for the event of the reading."""

    def wants(self, record: Record) -> bool:
        """Tell whether an event is wanted."""
        return (
            (not self.kinds or record.event in self.kinds)
            and (not self.codes or record.code in self.codes)
            and (not self.doors or record.door in self.doors)
            and (not self.people or _concerns(record, self.people))
            and (not self.reference or record.correlation == self.reference)
            and (not self.address or record.address == self.address)
            and (not self.failures or _failed(record))
            and (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
        )

    @property
    def marks(self) -> Wanted:
        """A quick look at the bytes of a line, before it is decoded: most are not wanted."""
        for marks in (self.people, {self.reference} - {""}, {self.address} - {""}, self.codes, self.kinds):
            if marks:
                return holding(sorted(marks))
        return everything

    def may_hold(self, kept: Kept, daily: bool) -> bool:
        """Tell whether a file may hold something of the period."""
        if self.since is not None and kept.day < self.since.date():
            return False
        return not (daily and self.until is not None and kept.day > self.until.date())


def _concerns(record: Record, people: frozenset[str]) -> bool:
    """Tell whether an event is of somebody, by somebody at the help desk, or of their other account."""
    return (
        record.person in people or record.detail.get("linked") in people or record.actor.removeprefix("desk:") in people
    )


def _failed(record: Record) -> bool:
    try:
        return KINDS[EventName(record.event)].outcome is not Outcome.DONE
    except ValueError:
        return bool(record.code)


def files(place: Path | None, others: Sequence[Path], selection: Selection) -> list[Path]:
    """Return the files to read, the oldest first: those named, or those of the settings.

    Raises:
        OSError: the folder cannot be read.
    """
    if others:
        return list(others)
    if place is None:
        return []
    return [kept.path for kept in files_of(place) if selection.may_hold(kept, DAY in place.name)]


def select(
    paths: Sequence[Path], selection: Selection, damaged: Callable[[Damage], None] = lambda _damage: None
) -> Iterator[tuple[bytes, Record]]:
    """Yield the wanted events of files; what cannot be read is said on standard error, and to `damaged`.

    Raises:
        OSError: a file cannot be opened.
    """
    marks = selection.marks
    with _progress(paths) as advance:

        def wanted(line: bytes) -> bool:
            advance(len(line))
            return marks(line)

        for path in paths:
            try:
                for found in read(path, wanted):
                    if isinstance(found, Damage):
                        say(found)
                        damaged(found)
                    elif selection.wants(found[1]):
                        yield found
            except FileNotFoundError:
                if path not in paths[:1]:
                    continue  # rotated or purged meanwhile
                raise


def say(damage: Damage) -> None:
    """Tell the operator of a place that cannot be read."""
    err.print(f"{damage.path}, ligne {damage.line} : {_FLAWS[damage.flaw]}.", style="yellow", markup=False)


@contextmanager
def _progress(paths: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """Show how far the reading is, where somebody looks and it takes long."""
    total = sum(path.stat().st_size for path in paths if path.exists())
    if total < _WORTH_A_BAR or not err.is_terminal or sys.stdout.isatty():
        yield lambda _read: None
        return
    # Compressed files hold more than they weigh: the bar then ends early, and goes on.
    columns = TextColumn("lecture"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=total)
        done = 0

        def advance(read: int) -> None:
            nonlocal done
            done += read
            if done >= 1 << 20:
                bar.advance(task, done)
                done = 0

        yield advance


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)
