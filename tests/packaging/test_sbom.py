"""The bill of materials lists what is installed, CI makes it, and the page of libraries says what is risky (DOC-05)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

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


MAKE = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    -*) ;;
    *) echo "made $word"; [ "$word" = test ] && echo '7 passed in 1.0s'; [ "$word" != "$FAILS" ] || exit 1 ;;
  esac
done
"""


@pytest.mark.parametrize("fails", ["", "lint", "wheel-check", "types", "contract", "test-peers", "test"])
def test_ci_tries_the_wheel_beside_the_rest_and_fails_with_any_of_it(fails: str, tmp_path: Path) -> None:
    """`make wheel-check` ends with the bill of what it installed."""
    make = tmp_path / "make"
    make.write_text(MAKE, encoding="utf-8")
    make.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "FAILS": fails}
    done = subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is (fails == ""), done.stdout + done.stderr
    assert ("All of it passed" in done.stdout) is (fails == "")
    assert ("made wheel-check" in done.stdout) is (fails not in ("lint", "test-peers"))
    assert ("made test\n" in done.stdout) is (fails in ("", "test"))
    assert ("made rows" in done.stdout) is (fails == "")
    assert "each_extra" in clean.main.__code__.co_names
    assert {"sbom", "write"} <= {name for code in _codes(clean.each_extra.__code__) for name in code.co_names}


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def test_the_page_says_what_each_library_could_do_how_soon_it_is_patched_and_what_is_risky() -> None:
    assert [name for name in needs() if not re.search(rf"\b{name}\b", PAGE)] == []
    assert re.findall(r"^\| (critical|high|medium)[^|]*\| [^|]*\d+ (?:working )?days", PAGE, re.MULTILINE) == [
        *("critical", "high", "medium")
    ]
    assert "**risky**" in PAGE
    assert "`xmlsec1` is not used" in PAGE
