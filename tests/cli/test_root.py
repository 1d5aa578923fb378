"""The root of the command line: a command brings what it needs, and nobody else's libraries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagin_gateway.cli import root
from imagin_gateway.cli.french import french
from imagin_gateway.cli.metrics import SAYS
from imagin_gateway.flows.metrics import FIGURES
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


ENGLISH = re.compile(
    r"Usage:|COMMAND |ARGS|Commands|Error|Try|Missing|No such|Invalid|Got |Option '.*requires|does not|Input should"
    r"|is not|Did you|Show this|default:|env var|required"
)


def test_help_is_folded_by_the_terminal_and_not_where_the_source_is() -> None:
    told = CliRunner().invoke(root.app, ["check", "--help"], env={"COLUMNS": "500"})
    assert "1 s’il y a quelque chose à surveiller, 2 s’il y a" in told.stdout


def test_every_figure_is_named_in_french() -> None:
    told = CliRunner().invoke(root.app, ["metrics", "list"], env={"COLUMNS": "200"})
    assert set(SAYS) == set(FIGURES)
    assert all(says in told.stdout for says in SAYS.values())


@pytest.mark.parametrize("command", ["", *sorted({*root.GROUPS, *(name for name, _ in commands())})])
@pytest.mark.parametrize("said", ["--help", "--nothing-of-the-kind", "--settings"])
def test_help_and_an_order_said_wrongly_are_told_in_french(command: str, said: str) -> None:
    told = CliRunner().invoke(root.app, [*command.split(), said], env={"COLUMNS": "200"})
    assert told.exit_code == (0 if said == "--help" else 2)
    assert not ENGLISH.findall(told.output), told.output
    assert told.output.lstrip().startswith(f"Usage : {' '.join(['root', *command.split()])}")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("accounts show", "Il manque l'argument 'identifier'."),
        ("accounts shov", "Commande inconnue : 'shov'. Peut-être : 'show'."),
        ("accounts zzzz", "Commande inconnue : 'zzzz'."),
        ("accounts show a b c", "En trop : b c"),
        ("accounts find a --limi 3", "Option inconnue : --limi (peut-être : --limit)"),
        ("accounts find a -x", "Option inconnue : -x"),
        ("accounts find a --limit", "L'option '--limit' attend une valeur."),
        ("accounts find a --json=3", "L'option '--json' n'attend pas de valeur."),
        ("accounts find a --limit many", "Valeur refusée pour '--limit' : un nombre entier est attendu"),
        ("accounts find a --limit 0", "Valeur refusée pour '--limit' : le moins est 1"),
        ("accounts find a --limit 201", "Valeur refusée pour '--limit' : le plus est 200"),
        ("check --timeout soon", "Valeur refusée pour '--timeout' : un nombre est attendu"),
        ("saml inspect answer.xml", "Il manque l'option '--door'."),
        ("policy table --lang de", "Valeur refusée pour '--lang' : 'de' n'est aucun de : 'fr', 'en'"),
        ("events --language de", "Valeur refusée pour --language : fr ou en"),
        ("events --since yore", "Valeur refusée pour --since : moment illisible"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_in_french(order: str, said: str) -> None:
    told = CliRunner().invoke(root.app, order.split(), env={"COLUMNS": "200"})
    assert told.exit_code == 2
    assert f"│ {said}" in told.stderr
    assert "╭─ Erreur ─" in told.stderr
    assert not ENGLISH.findall(told.output), told.output


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("Got unexpected extra argument (b)", "En trop : b"),
        ("Invalid value for '--limit': 0 is not in the range 1<=x<=200.", "'--limit' : 0 n'est pas dans 1<=x<=200"),
        ("Invalid value for '--limit': 'x' is not a valid integer range.", "un nombre entier est attendu"),
        ("Missing command.", "Il manque une commande."),
        ("Something new.", "Something new."),
    ],
)
def test_words_of_an_older_library_are_known_and_of_a_newer_one_kept(english: str, said: str) -> None:
    assert french(english).endswith(said)


def _command(words: str, end: str, folder: Path) -> subprocess.CompletedProcess[str]:
    shell = f"set -o pipefail; {sys.executable} -m imagin_gateway.cli.main {words} {end}"
    return subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("words", ["version", "policy table", "policy graph", "--help"])
def test_whoever_reads_only_the_beginning_sees_no_complaint(words: str, tmp_path: Path) -> None:
    # The whole of it is written only at the end: by then nobody reads.
    gone = _command(words, "| true", tmp_path)
    assert gone.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
@pytest.mark.parametrize("words", ["version", "policy table", "policy graph", "metrics dashboard", "--help"])
def test_an_answer_that_cannot_be_written_is_told_in_french(words: str, tmp_path: Path) -> None:
    full = _command(words, "> /dev/full", tmp_path)
    assert full.returncode == 1
    assert "plus de place sur le disque" in full.stderr
    assert "Traceback" not in full.stderr
    assert "Exception" not in full.stderr
    assert len(full.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", ["version", "policy table", "metrics dashboard"])
def test_a_command_whose_output_is_closed_is_carried_out(words: str, tmp_path: Path) -> None:
    closed = _command(words, ">&-", tmp_path)
    assert (closed.returncode, closed.stderr) == (0, "")


INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "imagin_gateway.cli.root":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from imagin_gateway.cli.main import main
main()
"""


def test_a_command_interrupted_while_it_starts_says_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
