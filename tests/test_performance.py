"""What the benches measured, as the documentation tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from scripts import performance

PAGE = (
    "# P\n\n<!-- targets -->\nold\n<!-- end of targets -->\n\nProse.\n\n<!-- tables -->\nold\n<!-- end of tables -->\n"
)


def told(measured: float, limit: float = 2.0) -> dict[str, Any]:
    return {
        "subject": "saml",
        "date": "2026-12-14T21:00:00+00:00",
        "machine": {"processor": "x86_64", "cores": 2, "system": "Linux", "python": "3.11.2"},
        "versions": {"lxml": "6.1.3"},
        "tables": [
            {"title": "Answers", "columns": ["", "µs"], "rows": [["ours | theirs", 1234.5], ["floor", 0.51234]]}
        ],
        "targets": [
            {"name": "to_floor", "measured": measured, "limit": limit, "unit": "x", "met": measured <= limit},
            {"name": "libraries", "measured": 0, "limit": 0, "unit": "", "met": True},
        ],
    }


def test_the_page_in_the_repository_is_what_was_kept() -> None:
    page = performance.PAGE.read_text(encoding="utf-8")
    assert performance.written(page, performance.read()) == page
    if kept := performance.read():
        assert (performance.PAGE.parent / performance.PLOT).read_text(encoding="utf-8") == performance.plot(kept)


def test_a_subject_measured_again_changes_its_own_lines_only(tmp_path: Path) -> None:
    page, results = tmp_path / "performance.md", tmp_path / "results.json"
    page.write_text(PAGE, encoding="utf-8")
    performance.keep({"saml": told(1.5), "oidc": told(0.7)}, results, page)
    first = page.read_text(encoding="utf-8")
    assert "| saml | to_floor | 1.5 x | 2 x | met |" in first
    assert "4 of 4 are met" in first
    assert "| ours \\| theirs | 1,234 |" in first
    assert "Prose." in first
    assert "old" not in first
    performance.keep({"saml": told(2.5)}, results, page)
    second = page.read_text(encoding="utf-8")
    assert "| saml | to_floor | 2.5 x | 2 x | **missed** |" in second
    assert "| oidc | to_floor | 0.7 x | 2 x | met |" in second
    assert "3 of 4 are met" in second
    assert "versions" not in json.loads(results.read_text(encoding="utf-8"))["saml"]
    assert page.read_text(encoding="utf-8") == performance.written(second, performance.read(results))


def test_the_plot_shows_what_is_over_its_limit(tmp_path: Path) -> None:
    drawn = etree.fromstring(performance.plot({"saml": told(9.0), "oidc": told(1.0)}).encode())
    svg = {"s": "http://www.w3.org/2000/svg"}
    bars: Any = drawn.xpath("//s:rect[@height='14']", namespaces=svg)
    assert [bar.get("fill") for bar in bars] == ["#b5482a", "#1b6ca8"]
    assert [bar.get("width") for bar in bars] == ["400", "133"], "a bar that is far too long is cut"
    labels: Any = drawn.xpath("//s:text/text()", namespaces=svg)
    assert "450%" in labels


def test_a_page_without_its_places_is_refused() -> None:
    with pytest.raises(ValueError, match="targets"):
        performance.written("# nothing", {})
