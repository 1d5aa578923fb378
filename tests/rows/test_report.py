"""What `make rows` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rows.__main__ import contradictions, lines, stale
from tests.rows.catalogue import Catalogue, Row, catalogue
from tests.rows.results import Marked, Results, digest

ROWS = {id_: Row(id_, "ABC", f"{id_} must hold.", "A test.", ()) for id_ in ("ABC-01", "ABC-02", "ABC-03")}


def told(tests: Mapping[str, Marked], not_applicable: Mapping[str, str] | None = None) -> list[str]:
    checklist = Catalogue({"ABC": "First letters"}, ROWS, not_applicable or {})
    return lines(checklist, Results(sources="", tests=dict(tests)))


def test_a_row_is_shown_by_a_test_that_passed() -> None:
    out = told(
        {"tests/a.py::test_x[1]": Marked(["ABC-01"], "passed"), "tests/a.py::test_x[2]": Marked(["ABC-01"], "passed")}
    )
    assert out[:3] == ["", "ABC  First letters", "  ABC-01  shown           a.py::test_x (2)"]
    assert out[3] == "  ABC-02  missing         ABC-02 must hold."
    assert out[-1] == "rows: 1 shown, 0 not applicable, 2 missing"


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_one_test_that_did_not_pass_and_the_row_is_not_shown(outcome: str) -> None:
    bad = Marked(["ABC-01"], "failed" if outcome == "failed" else "skipped")
    out = told({"tests/a.py::test_x": Marked(["ABC-01", "ABC-02"], "passed"), "tests/a.py::test_y": bad})
    assert out[2] == f"  ABC-01  missing         {outcome}: a.py::test_y"
    assert out[-1] == "rows: 1 shown, 0 not applicable, 2 missing"


def test_a_row_that_does_not_apply_is_told_with_its_reason() -> None:
    out = told({}, {"ABC-03": "No such thing here."})
    assert out[4] == "  ABC-03  not applicable  No such thing here."
    assert out[-1] == "rows: 0 shown, 1 not applicable, 2 missing"


def test_a_row_that_does_not_apply_has_no_test() -> None:
    checklist = Catalogue({"ABC": ""}, ROWS, {"ABC-03": "No such thing here."})
    kept = Results(sources="", tests={"a.py::test_x": Marked(["ABC-03"], "failed")})
    assert contradictions(checklist, kept) == ["ABC-03"]


def test_without_a_complete_run_of_these_sources_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    assert "no complete run" in stale(tmp_path, None)
    kept = Results(sources=digest(tmp_path))
    assert stale(tmp_path, kept) == ""
    (tmp_path / "pyproject.toml").write_text("changed")
    assert "changed since" in stale(tmp_path, kept)


def test_the_checklist_has_its_rows() -> None:
    checklist = catalogue()
    assert len(checklist.rows) == 221
    assert len(checklist.sections) == 17
    assert all(re.fullmatch(rf"{row.section}-\d\d", row.id) for row in checklist.rows.values())
    assert all(row.holds and row.shown_by and row.sources for row in checklist.rows.values())


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ('[[row]]\nid = "ABC-01"\nsection = "XYZ"', ""),
        ('[[row]]\nid = "ABC-01"\nsection = "ABC"\n[[row]]\nid = "ABC-01"\nsection = "ABC"', ""),
        ('[[row]]\nid = "ABC-01"\nsection = "ABC"', '"ABC-02" = "A reason."'),
        ('[[row]]\nid = "ABC-01"\nsection = "ABC"', '"ABC-01" = " "'),
    ],
    ids=["no such section", "twice", "unknown row", "no reason"],
)
def test_a_checklist_that_contradicts_itself_is_refused(tmp_path: Path, row: str, reasons: str) -> None:
    rest = 'holds = "h"\nshown_by = "s"\nsources = ["s"]'
    checklist = row.replace("\n[[row]]", f"\n{rest}\n[[row]]")
    (tmp_path / "checklist.toml").write_text(f'[[section]]\nid = "ABC"\ntitle = "T"\n{checklist}\n{rest}\n')
    (tmp_path / "not_applicable.toml").write_text(f"[rows]\n{reasons}\n")
    with pytest.raises(ValueError, match=r"stands twice|is no row"):
        catalogue(tmp_path)
