"""pytest plugin: refuses a mark that names no row, and keeps what a complete run said of each marked test.

A complete run is one of the whole suite (no path, no `-k`), to its end. It is kept in
`.rows/results.json`, by the process that leads when tests run in several.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from difflib import get_close_matches
from typing import Final

import pytest

from tests.rows.catalogue import catalogue
from tests.rows.results import Marked, Outcome, Results, digest

PROPERTY: Final = "row"


class Refused(Exception):
    """A mark is not as it should be; the text says which, and what to write."""


def rows_of(item: pytest.Item) -> list[str]:
    """Return the rows a test is marked with, sorted.

    Raises:
        Refused: a mark that is empty, or names a row the checklist does not have.
    """
    known = catalogue().rows
    found: set[str] = set()
    for mark in item.iter_markers("row"):
        if not mark.args or mark.kwargs:
            raise Refused(f'{item.nodeid}: write the rows in the mark: row("SAM-02")')
        for row in mark.args:
            if row not in known:
                near = get_close_matches(str(row), known, n=1, cutoff=0)
                raise Refused(f"{item.nodeid}: the checklist has no row {row!r}; did you mean {near[0]}?")
            found.add(row)
    return sorted(found)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a bad mark into an error of its file, as a mistake in its code would be."""
    report = yield
    refusals: list[str] = []
    for item in _tests(report.result if report.passed else []):
        try:
            item.user_properties += [(PROPERTY, row) for row in rows_of(item)]
        except Refused as refusal:
            refusals.append(str(refusal))
    if refusals:
        report.outcome = "failed"
        report.longrepr = "\n".join(refusals)
        report.result = []
    return report


def _tests(found: list[pytest.Item | pytest.Collector] | None) -> Iterator[pytest.Item]:
    return (each for each in found or () if isinstance(each, pytest.Item))


class Keeper:
    """Gathers the outcome of every test of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._results = Results(sources=digest(self._root))
        self._seen: dict[str, Outcome] = {}
        self._holes: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self._holes.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = [str(value) for name, value in report.user_properties if name == PROPERTY]
        before = self._seen.get(report.nodeid, "passed")
        now: Outcome = report.outcome
        worst: Outcome = (
            "failed" if "failed" in (before, now) else "skipped" if "skipped" in (before, now) else "passed"
        )
        self._seen[report.nodeid] = worst
        if rows:
            self._results.tests[report.nodeid] = Marked(sorted(rows), worst)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if session.shouldfail or session.shouldstop or exitstatus not in (0, 1):
            self._holes.append("what came after the run was cut short")
        if not self._holes:
            self._results.ran = len(self._seen)
            self._results.write(self._root)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._holes:
            terminalreporter.write_line(f"rows: this run is not kept; it lacks {', '.join(self._holes)}")


def _is_whole(config: pytest.Config) -> bool:
    """Tell whether the whole suite was asked for."""
    narrowing = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "collectonly", "lf", "stepwise")
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return everything and not any(config.getoption(each, default=None) for each in narrowing)


def pytest_configure(config: pytest.Config) -> None:
    if _is_whole(config) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Keeper(config), "rows-keeper")
