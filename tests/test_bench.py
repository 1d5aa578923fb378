"""The frame of the benches: what programs read of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.__main__ import SUBJECTS
from bench.frame import Report, Target, Timing, fresh, run, timed


def test_a_target_is_one_line_of_five_words() -> None:
    assert Target("import", 35.12345, 60, "ms").line() == "target import 35.1ms 60ms met"
    assert Target("libraries", 1, 0).line() == "target libraries 1 0 missed"
    assert Target("exactly", 60.0, 60, "ms").met


@pytest.mark.parametrize(("name", "unit"), [("two words", ""), ("", ""), ("x", "m s")])
def test_a_target_that_programs_could_not_read_is_refused(name: str, unit: str) -> None:
    with pytest.raises(ValueError, match="hold no space"):
        Target(name, 1, 2, unit)


def test_a_subject_prints_tables_then_targets_and_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(report: Report) -> None:
        report.target("small", 0.5, 1, "ms")
        report.table("Sizes", ("what", "ms"), [("small", 0.51234), ("large", 12345.6)])

    monkeypatch.setattr(sys, "argv", ["bench", "--json", str(tmp_path / "out.json")])
    run("sizes", measure)
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Sizes",
        "",
        "  what      ms",
        "  small  0.512",
        "  large  12346",
        "",
        "target small 0.5ms 1ms met",
    ]
    kept = json.loads((tmp_path / "out.json").read_text())
    assert kept["subject"] == "sizes"
    assert kept["targets"] == [{"name": "small", "measured": 0.5, "limit": 1, "unit": "ms", "met": True}]
    assert kept["tables"][0]["rows"] == [["small", 0.51234], ["large", 12345.6]]
    assert {"date", "machine", "versions"} <= kept.keys()


def test_timings_are_of_the_call_alone() -> None:
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    timing = timed(call, repeats=3, seconds=0.001)
    assert 0 < timing.best <= timing.middle
    assert timing.repeats == 3
    assert calls > 3
    assert Timing.of([3, 1, 2]) == Timing(1, 2, 3)


def test_statements_are_timed_in_processes_of_their_own() -> None:
    own, whole = fresh(Path(sys.executable), {"nothing": "pass"}, repeats=2)["nothing"]
    assert own.best < whole.best
    assert whole.repeats == 2


def test_the_frame_is_no_subject() -> None:
    assert "import_time" in SUBJECTS
    assert "frame" not in SUBJECTS
