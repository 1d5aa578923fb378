"""The same sources give the same package, wherever and whenever they are built."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from scripts.build import ROOT, build, epoch

SOURCES = ("imagin_gateway", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore")


def sources(folder: Path, mode: int, age: int) -> Path:
    """Copy the sources to a folder, with other dates and permissions."""
    folder.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    then = time.time() - age
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(mode)
            os.utime(file, (then, then))
    return folder


def sums(files: tuple[Path, Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def test_two_builds_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, other = sources(tmp_path / "one", 0o644, 0), sources(tmp_path / "somewhere else", 0o600, 10**7)
    first, second = build(tmp_path / "dist-1", one), build(tmp_path / "dist-2", other)
    assert [file.name for file in first] == [file.name for file in second]
    assert sums(first) == sums(second)

    # Another date is another archive: the one given is the one used.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000002")
    assert sums(build(tmp_path / "dist-3", one))[1] != sums(first)[1]

    # The wheel above comes from the sdist; the sources themselves give the same one.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with tarfile.open(first[0]) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert sums(build(tmp_path / "dist-4", unpacked))[1] == sums(first)[1]


def test_the_date_is_the_last_commit_s_or_the_one_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
    assert int(epoch(tmp_path)) == 1577836800  # no history
    dated = {**os.environ, "GIT_COMMITTER_DATE": "1600000000 +0000"}
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], env=dated, check=True)
    assert epoch(tmp_path) == "1600000000"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert epoch(tmp_path) == "5"
