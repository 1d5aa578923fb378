"""The deployment page says what the files do, in both languages; the units are read by systemd's own verifier."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imagin_gateway.events.retention import files_of
from scripts import sizing
from tests.deploy.stand import FILES
from tests.parts import program, require

ENGLISH = sizing.PAGE.read_text(encoding="utf-8")
FRENCH = sizing.FRENCH.read_text(encoding="utf-8")
UNITS = sorted((FILES / "systemd").iterdir())


def blocks(page: str) -> list[str]:
    return re.findall(r"```\w+\n.*?```", page, re.DOTALL)


def test_every_file_is_named_and_every_name_is_a_file() -> None:
    named = set(re.findall(r"examples/deploy/([\w./-]+)", ENGLISH))
    there = {str(file.relative_to(FILES)) for file in FILES.rglob("*") if file.is_file() and "__" not in str(file)}
    assert named == there


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(FRENCH) == blocks(ENGLISH)


def test_the_application_needs_nothing_but_the_package_and_what_is_copied_beside_it() -> None:
    beside = {"app.py", "host.py"}
    assert all(f"[{name}](../examples/deploy/{name})" in ENGLISH for name in beside)
    allowed = {"imagin_gateway", *(Path(name).stem for name in beside), *sys.stdlib_module_names}
    for name in beside:
        for node in ast.walk(ast.parse((FILES / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).partition(".")[0] in allowed, f"{name}: {node.module}"
            elif isinstance(node, ast.Import):
                assert {each.name.partition(".")[0] for each in node.names} <= allowed, name


def test_what_reads_keys_or_the_database_runs_as_the_user_of_the_service_which_it_owns() -> None:
    lines = [line for block in blocks(ENGLISH) for line in block.splitlines()]
    for line in lines:
        if re.search(r"imagin-gateway (accounts|check)|\bpg_restore\b", line):
            assert line.startswith("runuser -u imagin -- "), line
    assert "User=imagin\n" in (FILES / "systemd" / "imagin.service").read_text(encoding="utf-8")
    assert any(line.strip() == "chown imagin: /etc/imagin/keys/$use" for line in lines)


def test_a_copy_put_back_is_what_is_served_and_what_the_next_copies_are_of() -> None:
    (served,) = re.findall(r"postgresql\+psycopg://imagin@/(\w+)", (FILES / "gateway.toml").read_text(encoding="utf-8"))
    (copied,) = re.findall(r"IMAGIN_DATABASE:-(\w+)", (FILES / "backup.sh").read_text(encoding="utf-8"))
    (restored,) = re.findall(r"pg_restore .*--dbname=(\w+)", ENGLISH)
    assert served == copied == restored


def test_the_socket_of_redis_is_where_the_settings_say() -> None:
    (socket,) = re.findall(r'"unix://(/[^?"]+)', (FILES / "gateway.toml").read_text(encoding="utf-8"))
    assert f"unixsocket {socket}" in (FILES / "redis" / "imagin.conf").read_text(encoding="utf-8").splitlines()


def test_the_sizes_are_those_the_figures_give() -> None:
    assert sizing.written(sizing.PAGE, sizing.ENGLISH) == ENGLISH
    assert sizing.written(sizing.FRENCH, sizing.IN_FRENCH) == FRENCH


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, whose programs are some that are here."""
    written = []
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        target = tmp_path / unit.name
        target.write_text(re.sub(r"/opt/imagin/(venv/bin/)?[\w.-]+(?=[ \n])", "/bin/true", text), encoding="utf-8")
        written.append(target)
    return written


def test_systemd_understands_every_unit(units: list[Path]) -> None:
    require("systemd")
    command = [str(program("systemd-analyze")), "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_a_hole_in_a_worker_could_do_is_little_by_systemds_own_measure(units: list[Path]) -> None:
    require("systemd")
    services = [unit for unit in units if unit.suffix == ".service"]
    assert len(services) == 5
    for unit in services:
        command = [
            str(program("systemd-analyze")),
            "security",
            "--offline=true",
            "--threshold=20",
            "--no-pager",
            str(unit),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-300:]


def test_the_page_of_events_is_turned_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"v": 1}\n', encoding="utf-8")
    for name in ("events-20240101T000000Z.jsonl", "events.jsonl-20240101-000000"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
        os.utime(tmp_path / name, (0, 0))
    subprocess.run([FILES / "rotate.sh", tmp_path, "365"], check=True)
    (left,) = tmp_path.iterdir()
    # Where the shipped settings have them, yesterday's are read with today's.
    (path,) = re.findall(r'^path = "/var/log/imagin/(.+)"$', (FILES / "gateway.toml").read_text(encoding="utf-8"), re.M)
    assert [kept.path for kept in files_of(tmp_path / path)] == [left]
    assert left.read_text(encoding="utf-8") == '{"v": 1}\n'
    subprocess.run([FILES / "rotate.sh", tmp_path, "365"], check=True)
    assert list(tmp_path.iterdir()) == [left], "nothing new, nothing turned"
