"""What every test has: rows, events held to their schema, one Hypothesis profile, and at the end what is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests import parts

pytest_plugins = ["tests.rows.plugin", "tests.docs.outbound", "tests.events.captured"]

LONGEST: Final = (
    "pages/test_states_in_browser.py",
    "sessions/test_processes.py",
    "local/test_two_processes.py",
    "sessions/test_model.py",
    "state/test_redis_watch_faults.py",
    "deploy/test_deployment.py",
    "deploy/test_faults.py",
    "steps/test_running_demo.py",
    "cli/test_help_desk.py",
    "pages/test_browser.py",
    "local/test_interrupted.py",
    "docs/test_tutorial.py",
    "cli/test_commands.py",
)
"""Files that take longest, first. Each goes to one worker whole: begun last, it would keep the others waiting."""

# Where administrators' programs are (nginx, useradd): Debian's `su` leaves them out.
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"

# No test holds a time in seconds: machines are shared. Under CI=true Hypothesis has a profile of its own.
settings.register_profile("house", deadline=None)
if not parts.strict():
    settings.load_profile("house")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    here = Path(__file__).parent
    rank = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its argument: nobody reads it, and a key made by chance would differ between workers."""
    return argname if isinstance(val, str) and len(val) > 60 else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly, at the end, what could not run and how to get it."""
    told = (
        str(report.longrepr) for kind in ("skipped", "failed", "error") for report in terminalreporter.getreports(kind)
    )
    if lines := parts.lacking(told):
        terminalreporter.section("parts that are missing here")
        for line in lines:
            terminalreporter.write_line(line)
