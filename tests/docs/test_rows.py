"""docs/reference/rows.md: every row of the checklist, with the tests that are marked with it."""

from __future__ import annotations

import re

import pytest

from scripts.reference import rows
from scripts.reference.pages import DOCS
from tests.rows.catalogue import catalogue
from tests.rows.plugin import PROPERTY

PAGE = (DOCS / rows.PAGE).read_text(encoding="utf-8")


def test_every_row_stands_once_with_its_tests_or_its_reason() -> None:
    told = dict(re.findall(r"^\| ([A-Z0-9]{3}-\d\d) \| .+ \| ([^|]*) \|$", PAGE, re.MULTILINE))
    assert set(told) == set(catalogue().rows)
    for row, shown in told.items():
        assert "::test_" in shown or "Does not apply" in shown or shown == "**no test yet**", row
    assert len(catalogue().not_applicable) <= 15


def test_what_the_page_reads_is_what_pytest_collects(request: pytest.FixtureRequest) -> None:
    read = rows.by_row()
    for item in request.session.items:
        name = re.sub(r"\[.*", "", item.nodeid)
        for kind, row in item.user_properties:
            if kind == PROPERTY:
                assert name in read[str(row)] or name.rpartition("::")[0] in read[str(row)], item.nodeid


def test_a_mark_over_a_test_or_a_class_is_read() -> None:
    source = "@pytest.mark.row('SAM-01', 'SAM-02')\ndef test_a(): pass\n@pytest.mark.row('RTE-01')\nclass TestB: pass"
    assert list(rows.marks("pytestmark = pytest.mark.row('A')\ndef test_a(): pass", "f")) == [(["A"], "f::test_a")]
    assert list(rows.marks(source, "f")) == [(["SAM-01", "SAM-02"], "f::test_a"), (["RTE-01"], "f::TestB")]


@pytest.mark.parametrize(
    "source", ["mark = pytest.mark.row('SAM-01')", "x = [pytest.param(1, marks=pytest.mark.row('A'))]"]
)
def test_a_mark_that_cannot_be_read_is_an_error(source: str) -> None:
    with pytest.raises(rows.Unreadable):
        list(rows.marks(source, "f"))
