"""The root of the command line: a command brings what it needs, and nobody else's libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagin_gateway.cli import root
from scripts.reference.commands import commands

RAN = """
import sys
from imagin_gateway.cli.main import main
sys.argv = ["imagin-gateway", *sys.argv[1:]]
try:
    main()
except SystemExit as ending:
    assert not ending.code, ending.code
heavy = {"sqlalchemy", "jinja2", "lxml", "saml2", "authlib", "redis", "alembic", "pydantic_settings"}
loaded = heavy & set(sys.modules)
print("loaded", *sorted(loaded))
"""


@pytest.mark.parametrize("words", ["version", "policy explain convocation=ours", "policy table"])
def test_a_command_without_stores_waits_for_none_of_their_libraries(words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RAN, *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"


def test_every_module_that_has_commands_is_in_the_root() -> None:
    here = Path(root.__file__).parent
    with_commands = {file.stem for file in here.glob("*.py") if "\napp = typer.Typer(" in file.read_text("utf-8")}
    assert with_commands - {"root"} == set(root.GROUPS)
    assert {name.split()[0] for name, _ in commands()} == {*root.GROUPS, "version"}


def test_help_names_them_all_and_a_slip_is_told_with_the_nearest() -> None:
    told = CliRunner().invoke(root.app, ["--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert all(f"│ {name} " in told.output for name in (*root.GROUPS, "version"))
    slip = CliRunner().invoke(root.app, ["acounts"], env={"COLUMNS": "200"})
    assert slip.exit_code == 2
    assert "'accounts'" in slip.output
