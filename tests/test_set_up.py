"""The set-up: made once, seen to be right the second time, and plain about what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scripts import bootstrap
from scripts.bootstrap import CannotSetUp, set_up

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose benches need nothing, itself included, on a Python without ensurepip, as Debian's."""
    monkeypatch.setitem(bootstrap.KINDS, "bench", replace(bootstrap.KINDS["bench"], project=False))
    monkeypatch.setattr(bootstrap, "find_spec", lambda name: None)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "bench.lock").write_text("# nothing yet\n")
    return tmp_path


Said = Callable[[], str]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """What was printed since the last time it was asked."""
    return lambda: capfd.readouterr().out


def test_is_made_once_and_again_only_for_a_reason(project: Path, said: Said) -> None:
    python = set_up("bench", project)
    assert python == project / ".cache" / "bench-venv" / "bin" / "python"
    assert "Making .cache/bench-venv" in said()

    assert set_up("bench", project) == python
    assert said() == ""

    (project / "requirements" / "bench.lock").write_text("# still nothing\n")
    set_up("bench", project)
    out = said()
    assert "Installing" in out
    assert "Making" not in out

    python.unlink()
    set_up("bench", project)
    assert "Making" in said()

    moved = project.rename(project.with_name("moved"))
    python = set_up("bench", moved)
    assert "Making" in said()
    assert moved in python.parents


def test_an_installation_that_failed_is_tried_again(project: Path, said: Said) -> None:
    set_up("bench", project)
    lock = project / "requirements" / "bench.lock"
    lock.write_text(f"{project}/absent-1.0-py3-none-any.whl --hash=sha256:{'0' * 64}\n")
    with pytest.raises(CannotSetUp, match="pip could not install that"):
        set_up("bench", project)
    lock.write_text("# nothing yet\n")
    said()
    set_up("bench", project)
    assert "Installing" in said()


def test_without_ensurepip_the_pip_outside_installs(project: Path) -> None:
    python = set_up("bench", project)
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 1


def test_without_pip_and_ensurepip_it_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "version", lambda name: "20.3.4")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotSetUp, match=r"apt-get install python3-pip\n +apt-get install python3\.\d+-venv"):
        set_up("bench", project)
    assert not (project / ".cache").exists()


def test_the_environment_in_use_is_not_pulled_away(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".cache" / "bench-venv"))
    with pytest.raises(CannotSetUp, match="deactivate"):
        set_up("bench", project)


@pytest.mark.parametrize("chosen", ["no-such-python", "false"])
def test_without_a_python_that_will_do_it_says_so(chosen: str) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "python", "-c", "print(1)"],
        env={**os.environ, "PYTHON": chosen},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"No Python 3.11 or newer here (tried: {chosen})" in done.stderr


def test_the_first_python_that_will_do_runs() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "python", "-c", "import sys; print(*sys.argv[1:])", "two words", "$x"],
        env={**os.environ, "PYTHON": f"no-such-python {sys.executable}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "two words $x\n"
