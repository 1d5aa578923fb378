"""The documentation site: built strictly, complete, and nothing in it comes from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.documents import decisions_index

ROOT = Path(__file__).resolve().parents[2]


def build(config: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """Build a site strictly, as `make docs` does; `--quiet` would keep warnings from counting."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(to)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=quiet)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    sources = {str(file.relative_to(ROOT / "docs").with_suffix("")) for file in (ROOT / "docs").rglob("*.md")}
    there = {str(file.relative_to(site).with_suffix("")) for file in site.rglob("*.html")}
    assert sources | {"contributing", "changelog", "security", "decisions/index"} <= there


def test_nothing_is_fetched_by_whoever_reads(site: Path) -> None:
    fetched = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//|"""
        r"""<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|preload|dns-prefetch|icon)[^>]*\bhref=["']?(?:https?:)?//"""
    )
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        assert not fetched.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_pages_in_french_say_so(site: Path) -> None:
    pages = list((site / "fr").glob("*.html"))
    assert pages
    for page in pages:
        assert '<div lang="fr">' in page.read_text(encoding="utf-8"), page


def test_every_decision_is_listed(site: Path) -> None:
    page = decisions_index(ROOT / "docs")
    for decision in (ROOT / "docs" / "decisions").glob("*.md"):
        assert f"({decision.name})" in page
    assert "0002-rooms-and-floors.html" in (site / "decisions" / "index.html").read_text(encoding="utf-8")


WRONG = {
    "[x](nowhere.md)": "nowhere.md",
    "[x](hosts.md#nothing-of-that-name)": "nothing-of-that-name",
    "[x](../nowhere.py)": "nowhere.py",
    "[x](/hosts.md)": "/hosts.md",
}


def test_links_that_lead_nowhere_stop_the_build(tmp_path: Path) -> None:
    for folder in ("docs", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "README.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("examples", "imagin_gateway", "tests", "bench"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "docs" / "redis.md").write_text("# Redis\n\n" + "\n".join(WRONG) + "\n", encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"Aborted with {len(WRONG)} warnings" in told
    assert [said for said in WRONG.values() if said not in told] == []


def test_the_site_is_not_kept() -> None:
    assert "site/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
