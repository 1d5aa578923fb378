"""The bill of materials lists what is installed, CI makes it, and the page of libraries says what is risky (DOC-05)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import imagin_gateway
from scripts import clean, sbom

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "libraries.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.row("DOC-05")


def needs() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(each).name for each in project["dependencies"]]


def test_a_bill_tells_of_what_is_installed_and_one_that_does_not_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment of three, for time's sake; `make wheel-check` does it with the package and every extra."""
    home = tmp_path / "small"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    installed = {"imagin-gateway": imagin_gateway.__version__, "lxml": "6.1.0", "joserfc": "1.8.0"}
    for name, told in installed.items():
        folder = site / f"{name.replace('-', '_')}-{told}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {told}\n", encoding="utf-8")
    python = home / "bin" / "python"
    sbom.write(python, tmp_path)
    bill = json.loads((tmp_path / sbom.FILE).read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == imagin_gateway.__version__
    held = {each["name"]: each["version"] for each in bill["components"]}
    assert {"lxml": "6.1.0", "joserfc": "1.8.0"}.items() <= held.items()
    monkeypatch.setattr(sbom, "_installed", lambda python: {"lxml": "6.1.0", "never-heard-of": "1.0"})
    with pytest.raises(sbom.Incomplete, match="never-heard-of"):
        sbom.write(python, tmp_path)


def test_ci_makes_it() -> None:
    """`make wheel-check` is a step of CI, and ends with the bill of what it installed."""
    steps = re.findall(r"^step (.+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert "wheel-check" in steps
    assert "each_extra" in clean.main.__code__.co_names
    assert {"sbom", "write"} <= set(clean.each_extra.__code__.co_names)


def test_the_page_says_what_each_library_could_do_how_soon_it_is_patched_and_what_is_risky() -> None:
    assert [name for name in needs() if not re.search(rf"\b{name}\b", PAGE)] == []
    assert re.findall(r"^\| (critical|high|medium)[^|]*\| [^|]*\d+ (?:working )?days", PAGE, re.MULTILINE) == [
        *("critical", "high", "medium")
    ]
    assert "**risky**" in PAGE
    assert "`xmlsec1` is not used" in PAGE
