"""The report as one page: no script, no address outside, a table beside each plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Final

from jinja2 import Environment, StrictUndefined

from imagin_gateway.cli.summary import SMALL, Steps, Summary, told, total
from imagin_gateway.events.reading import Record
from imagin_gateway.events.telling import Words

_DOORS: Final = {
    "arena-creteil": "Portail de Créteil",
    "arena-paris": "Portail de Paris",
    "arena-versailles": "Portail de Versailles",
    "direct": "Accès direct",
    "proconnect": "ProConnect",
    "?": "Sans porte",
}
_STEP_WIDTH: Final = 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a plot; the plot is 100 high."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot and its table."""

    title: str
    width: int
    top: str
    total: str
    bars: Sequence[Bar]
    rows: Sequence[tuple[str, str]]
    bad: bool = False


def plot(title: str, counts: Steps, steps: Sequence[datetime], hourly: bool, *, bad: bool = False) -> Plot:
    """Draw the counts of each step. A small count is drawn as tall as the largest small one."""
    shown = [max(count, SMALL - 1) if (count := counts[step]) else 0 for step in steps]
    highest = max([*shown, 1])
    bars = [
        Bar(
            index * _STEP_WIDTH + 1,
            round(100 - 100 * count / highest, 2),
            _STEP_WIDTH - 2,
            round(100 * count / highest, 2),
        )
        for index, count in enumerate(shown)
        if count
    ]
    rows = [(moment(step, hourly), told(counts[step])) for step in steps if counts[step]]
    top = told(max(counts.values(), default=0))
    return Plot(title, _STEP_WIDTH * max(len(steps), 1), top, told(total(counts)), bars, rows, bad)


def moment(at: datetime, hourly: bool) -> str:
    """Return a step of time as it is read."""
    return f"{at:%d/%m, %H} h" if hourly else f"{at:%d/%m/%Y}"


def page(summary: Summary, words: Words, warnings: Sequence[str] = ()) -> str:
    """Return the whole page."""
    steps, hourly = summary.steps, summary.hourly
    doors = sorted({*summary.logins, *summary.refusals})
    done = sum(total(each) for each in summary.logins.values())
    refused = sum(total(each) for each in summary.refusals.values())
    mails = sorted(summary.mails.items())
    left = sum(total(each) for (_, sent), each in mails if sent)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resources.files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    return template.render(
        period=f"Du {summary.since:%d/%m/%Y à %H:%M} au {summary.until:%d/%m/%Y à %H:%M}, heure de Paris",
        small=SMALL,
        unit="par heure" if hourly else "par jour",
        step="heure" if hourly else "jour",
        first=moment(steps[0], hourly) if steps else "",
        last=moment(steps[-1], hourly) if steps else "",
        warnings=warnings,
        key=[
            ("Connexions réussies", told(done)),
            ("Refus et pannes", told(refused)),
            ("Part refusée", f"{100 * refused / (done + refused):.0f}\u00a0%" if done + refused >= SMALL else "–"),
            ("Courriels partis", told(left)),
            ("Courriels non remis", told(sum(total(each) for _, each in mails) - left)),
        ],
        logins=[plot(door_name(each), summary.logins[each], steps, hourly) for each in doors if each in summary.logins],
        refusals=[
            plot(door_name(each), summary.refusals[each], steps, hourly) for each in doors if each in summary.refusals
        ],
        reasons=[
            (_why(words, code, reason), door_name(door), told(count))
            for (door, code, reason), count in summary.reasons.most_common()
        ],
        mails=[
            plot(
                f"{'Partis' if sent else 'Non remis'} : {words.fact('mail', kind) or 'autre'}".replace(" :", "\u00a0:"),
                *(counts, steps, hourly),
                bad=not sent,
            )
            for (kind, sent), counts in mails
        ],
        faults=[(words.kind(name), told(count)) for name, count in summary.faults.most_common()],
    )


def _why(words: Words, code: str, reason: str) -> str:
    detail: dict[str, str | int | bool] = {"reason": reason} if reason else {}
    return words.why(Record(v=1, time="", event="", code=code, detail=detail)) or "sans raison écrite"


def door_name(door: str) -> str:
    """Return what a door is called in the report."""
    return _DOORS.get(door, door)
