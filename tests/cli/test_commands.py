"""The command line as the operator uses it: what it prints, how it ends, what it leaves in the events."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from imagin_gateway.cli.common import explained
from imagin_gateway.cli.root import app
from imagin_gateway.identity import DIRECT_ISSUER, Identity
from imagin_gateway.opening import open_stores
from imagin_gateway.settings import Settings
from scripts.reference.commands import commands
from tests.local.helper import MailServer
from tests.state.servers import PrivateRedis
from tests.terminal import imagin_gateway

SETTINGS = """
development = true
base_url = "http://127.0.0.1:8400"
privacy_url = "/donnees"
legal_url = "/mentions"
accessibility_url = "/accessibilite"
[keys]
signing = ["{signing}"]
provisional = ["{provisional}"]
[state]
url = "sqlite:///state.db"
[accounts]
url = "sqlite:///accounts.db"
[passwords]
profile = "unsafe-tests"
[mail]
host = "127.0.0.1"
security = "none"
sender = "imagin@exemple.test"
[events]
path = "events.jsonl"
[portals.arena-paris]
protocol = "oidc"
issuer = "http://127.0.0.1:1/"
client_id = "missions"
client_secret = "{secret}"
"""

LIST = "Identifiant;Nom;Prénom;Courriel\nmdurand7;DURAND;Marie;marie@exemple.test\npmartin2;MARTIN;Paul;\n"


@dataclass
class Operator:
    """Somebody at a terminal, in the folder of the settings."""

    folder: Path

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return imagin_gateway(*words, cwd=self.folder, env={"COLUMNS": "200", **environment})

    def spawn(self, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run in a new Python, which reads all of its environment."""
        command = [sys.executable, "-W", "error", "-m", "imagin_gateway.cli.main", *words]
        told = {**os.environ, "COLUMNS": "200", **environment}
        return subprocess.run(command, cwd=self.folder, env=told, capture_output=True, check=False, timeout=60)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that goes on until it is stopped."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "imagin_gateway.cli.main", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = {name: secrets.token_urlsafe(48) for name in ("signing", "provisional", "secret")}
    (tmp_path / "gateway.toml").write_text(SETTINGS.format(**made), encoding="utf-8")
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    return Operator(tmp_path)


def test_check_says_what_each_door_is(operator: Operator) -> None:
    done = operator.run("check")
    assert done.returncode == 2, done.stderr
    assert "arena-paris : oidc, http://127.0.0.1:1/" in done.stdout
    assert "arena-creteil : lien vers https://externet.ac-creteil.fr" in done.stdout
    assert "mode développement" in done.stdout
    assert "[oidc.refused]" in done.stdout


def test_check_tells_what_in_a_redis_endangers_the_state(operator: Operator) -> None:
    with closing(PrivateRedis("maxmemory 100mb", "maxmemory-policy allkeys-lru")) as server:
        server.start()
        done = operator.run("check", IMAGIN_GATEWAY_STATE__URL=server.url)
        assert "[redis.eviction]" in done.stdout
        assert "noeviction" in done.stdout
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
        assert "redis.eviction" not in operator.run("check", IMAGIN_GATEWAY_STATE__URL=server.url).stdout


def test_check_lists_every_problem_at_once_and_shows_no_secret(operator: Operator) -> None:
    file = operator.folder / "gateway.toml"
    text = file.read_text().replace("base_url = ", "base_ulr = ").replace('"/mentions"', '"javascript:x"')
    file.write_text(text + 'leeway_seconds = 900\n[portals.arena-lyon]\nprotocol = "link"\n')
    done = operator.run("check")
    assert done.returncode == 2
    for key in ("base_url", "base_ulr", "legal_url", "portals.arena-paris.leeway_seconds"):
        assert key in done.stdout
    assert "Traceback" not in done.stderr
    for line in text.splitlines():
        if "secret" in line or "signing" in line:
            assert line.split('"')[1] not in done.stderr + done.stdout


def test_a_portal_that_no_door_of_the_table_has_is_refused_by_name(operator: Operator) -> None:
    file = operator.folder / "gateway.toml"
    file.write_text(file.read_text() + '[portals.arena-lyon]\nprotocol = "link"\n')
    done = operator.run("check")
    assert done.returncode == 2
    assert "portals.arena-lyon" in done.stdout


def test_a_settings_file_that_is_not_there_is_told(operator: Operator) -> None:
    done = operator.run("check", "--settings", "nowhere.toml")
    assert done.returncode == 2
    assert f"il n'y a pas de fichier {operator.folder / 'nowhere.toml'}" in done.stdout


@pytest.mark.row("LOG-06")
def test_import_then_show_then_the_letters(operator: Operator) -> None:
    done = operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert done.returncode == 0, done.stderr
    assert "créés : 2" in done.stdout
    letters = operator.folder / "letters.csv"
    assert stat.S_IMODE(letters.stat().st_mode) == 0o600
    shown = operator.run("accounts", "show", "MDurand7 ")
    assert shown.returncode == 0
    assert "Marie DURAND" in shown.stdout
    assert "mot de passe provisoire" in shown.stdout
    rows = list(csv.DictReader(letters.read_text("utf-8-sig").splitlines(), delimiter=";"))
    password = rows[0]["Mot de passe provisoire"]
    assert len(password.replace("-", "").replace(" ", "")) == 15
    told = shown.stdout + json.dumps(operator.events) + done.stdout
    assert password not in told
    by_name = {event["event"]: event for event in operator.events}
    assert str(by_name["accounts_imported"]["actor"]).startswith("cli:")
    assert str(by_name["account_shown"]["actor"]).startswith("cli:")
    assert by_name["account_shown"]["person"]
    taken = operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert taken.returncode == 1
    assert "letters.csv" in taken.stderr
    assert "Traceback" not in taken.stderr
    again = operator.run("convocations", "import", "list.csv", "--letters", "again.csv")
    assert "créés : 0" in again.stdout
    assert "inchangés : 2" in again.stdout
    assert operator.run("accounts", "show", "nobody").returncode == 1


def test_one_bad_line_imports_nothing_unless_asked(operator: Operator) -> None:
    (operator.folder / "bad.csv").write_text(LIST + ";SANS;Identifiant;\nx1;UN;A;pas une adresse\n", encoding="utf-8")
    done = operator.run("convocations", "import", "bad.csv", "--letters", "letters.csv")
    assert done.returncode == 1
    assert "ligne 4" in done.stderr
    assert "ligne 5" in done.stderr
    assert not (operator.folder / "letters.csv").exists()
    assert operator.run("accounts", "show", "mdurand7").returncode == 1
    done = operator.run("convocations", "import", "bad.csv", "--letters", "letters.csv", "--skip-bad")
    assert done.returncode == 0
    assert "créés : 2" in done.stdout
    assert "ligne 4" in done.stderr


def test_two_people_whose_identifiers_are_swapped_are_told_and_how_to_keep_them_apart(operator: Operator) -> None:
    header, *people = "Identifiant;Nom;Prénom\na1;ROUX;Zoé\na2;MARTIN;Paul\n".splitlines(keepends=True)
    (operator.folder / "first.csv").write_text(header + "".join(people), encoding="utf-8")
    swapped = "".join(people).replace("a1", "a3").replace("a2", "a1").replace("a3", "a2")
    (operator.folder / "second.csv").write_text(header + swapped, encoding="utf-8")
    assert operator.run("convocations", "import", "first.csv", "--letters", "1.csv").stderr == ""
    done = operator.run("convocations", "import", "second.csv", "--letters", "2.csv")
    assert "changé pour 2 identifiants (lignes 2, 3). Si c'est une autre personne" in done.stderr
    assert operator.run("accounts", "reissue", "a1", "--replace-password").returncode == 0


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"rien;du;tout\n1;2;3\n"])
def test_a_file_that_is_no_list_is_refused_in_words(operator: Operator, content: bytes) -> None:
    (operator.folder / "odd.csv").write_bytes(content)
    done = operator.run("convocations", "import", "odd.csv")
    assert done.returncode == 1
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_list_of_a_header_alone_is_told_as_such(operator: Operator) -> None:
    for text in (LIST.splitlines()[0], LIST.splitlines()[0] + "\r\n\r\n"):
        (operator.folder / "empty.csv").write_text(text, encoding="utf-8")
        done = operator.run("convocations", "import", "empty.csv")
        assert done.returncode == 0
        assert done.stderr == "La liste n'a aucune ligne sous son en-tête : personne n'a été importé.\n"


def test_nothing_of_a_progress_bar_goes_where_nobody_looks(operator: Operator) -> None:
    (operator.folder / "list.csv").write_text(LIST, encoding="utf-8")
    done = operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert (done.returncode, done.stderr) == (0, "")
    again = operator.run("convocations", "import", "list.csv", "--letters", "again.csv")
    assert (again.returncode, again.stderr) == (0, "")
    changed = operator.run("accounts", "require-change", "--all", "--yes")
    assert changed.stderr.startswith("Sans effet sur 2 comptes")
    assert "\n\n" not in changed.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_what_a_terminal_cannot_write_ends_no_command(operator: Operator, encoding: str) -> None:
    (operator.folder / "list.csv").write_text(LIST.replace("DURAND", "Œuvrard"), encoding="utf-8")
    done = operator.spawn("convocations", "import", "list.csv", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    shown = operator.spawn("policy", "explain", "employer=en", PYTHONIOENCODING=encoding)
    assert (shown.returncode, shown.stderr) == (0, b"")
    found = operator.spawn("accounts", "find", "mdurand7", "--json", PYTHONIOENCODING=encoding)
    assert json.loads(found.stdout)["accounts"][0]["family_name"] == "Œuvrard", "JSON loses nothing"


def test_a_list_whose_name_is_not_utf_8_is_imported_and_told(operator: Operator) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    (operator.folder / name).write_text(LIST, encoding="utf-8")
    done = operator.spawn("convocations", "import", name, PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith("caf?.csv — créés : 2")


def test_a_store_that_does_not_answer_is_told_in_french_with_what_developers_are_told(operator: Operator) -> None:
    file = operator.folder / "gateway.toml"
    file.write_text(file.read_text("utf-8").replace("sqlite:///state.db", "redis://127.0.0.1:1/0"), encoding="utf-8")
    done = operator.run("sessions", "list", "--door", "direct")
    assert done.returncode == 4
    assert done.stderr.startswith("Indisponible pour l'instant : une base ne répond pas (house.store_unavailable : the")


def test_a_list_that_is_not_there_is_told(operator: Operator) -> None:
    done = operator.run("convocations", "import", "nowhere.csv")
    assert done.returncode in (1, 2)
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_sessions_end_wants_to_know_whose(operator: Operator) -> None:
    assert operator.run("sessions", "end").returncode == 2
    assert operator.run("sessions", "end", "--subject", "jdupont").returncode == 2
    assert operator.run("sessions", "end", "--all", "--door", "direct").returncode == 2
    unknown = operator.run("sessions", "end", "--door", "arena-lyon")
    assert unknown.returncode == 1
    assert "arena-paris" in unknown.stderr
    none = operator.run("sessions", "end", "--door", "direct", "--subject", "mdurand7")
    assert none.returncode == 0
    assert "Aucune session ouverte" in none.stdout
    (event,) = [each for each in operator.events if each["event"] == "sessions_ended"]
    assert str(event["actor"]).startswith("cli:")
    assert event["person"] != "mdurand7"


def test_explain_says_the_door_the_rule_and_why_not_the_others(operator: Operator) -> None:
    facts = ("convocation=ours", "employer=en", "posting=versailles", "role=teacher", "school=public", "email=yes")
    done = operator.run("policy", "explain", *facts)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Portail de Versailles (https://id.ac-versailles.fr)")
    assert "Règle 29, document" in done.stdout
    assert re.search(r"^→ 29 +employeur\s: Éducation nationale\s; poste\s: ", done.stdout, re.MULTILINE)
    assert len(done.stdout.splitlines()) < 12, "seen at once"
    assert "inspection générale" not in done.stdout
    assert done.stdout.endswith("\n\nPourquoi les autres règles ne conviennent pas : --verbose\n")
    more = operator.run("policy", "explain", *facts, "-v")
    assert more.stdout.startswith(done.stdout.partition("→")[0])
    assert "inspection générale" in more.stdout, "why line 2 does not fit"
    assert "--verbose" not in more.stdout
    nothing = operator.run("policy", "explain")
    assert nothing.returncode == 0
    assert "Règle 37" in nothing.stdout
    for wrong in ("posting=mars", "humeur=bonne", "posting"):
        refused = operator.run("policy", "explain", wrong)
        assert refused.returncode in (1, 2)
        assert "Traceback" not in refused.stderr
    twice = operator.run("policy", "explain", "posting=paris", "posting=lyon")
    assert (twice.returncode, twice.stdout) == (2, "")
    assert "posting est dit deux fois" in twice.stderr
    clash = operator.run("policy", "explain", "convocation=none", "printed=yes")
    assert clash.returncode == 1
    assert "sans convocation" in clash.stderr


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["table"], "Inspection générale"),
        (["table", "--lang", "en"], "General inspector"),
        (["table", "--format", "markdown"], "| 2 | 2 |"),
        (["table", "--format", "csv"], "2,2,Inspection générale"),
        (["graph"], "flowchart"),
        (["graph", "--format", "svg"], "<svg"),
    ],
)
def test_the_table_and_the_tree_are_printed_as_asked(operator: Operator, words: list[str], holds: str) -> None:
    done = operator.run("policy", *words)
    assert done.returncode == 0, done.stderr
    assert holds in done.stdout


def test_a_table_is_proved_or_refused_with_a_counter_example(operator: Operator) -> None:
    import imagin_gateway.policy

    ours = (Path(imagin_gateway.policy.__file__).parent / "siec.toml").read_text(encoding="utf-8")
    (operator.folder / "table.toml").write_text(ours, encoding="utf-8")
    done = operator.run("policy", "check", "table.toml")
    assert done.returncode == 0, done.stderr
    assert "Table prouvée" in done.stdout
    assert "4 questions au plus" in done.stdout
    last = ours.rindex("[[rules]]", 0, ours.index("[[crossings]]"))
    end = ours.index("[[", last + 2)
    (operator.folder / "table.toml").write_text(ours[:last] + ours[end:], encoding="utf-8")
    done = operator.run("policy", "check", "table.toml")
    assert done.returncode == 1
    assert "aucune" in done.stderr
    assert "Traceback" not in done.stderr
    done = operator.run("policy", "check", "nowhere.toml")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_opened_is_told_and_nothing_is_done(operator: Operator) -> None:
    (operator.folder / "state.db").write_bytes(b"this is no database, though it has the name of one" * 50)
    done = operator.run("sessions", "end", "--all")
    assert done.returncode in (3, 4)
    assert "Traceback" not in done.stderr


def test_letters_come_as_sheets_and_under_the_former_name_of_the_command(operator: Operator) -> None:
    done = operator.run("accounts", "import", "list.csv", "--sheets", "sheets.html")
    assert done.returncode == 0, done.stderr
    sheets = operator.folder / "sheets.html"
    assert stat.S_IMODE(sheets.stat().st_mode) == 0o600
    assert sheets.read_text(encoding="utf-8").count('<section class="sheet">') == 2
    assert "127.0.0.1:8400/connexion/direct" in sheets.read_text(encoding="utf-8")


def test_an_import_without_letters_issues_nothing_and_says_what_to_do(operator: Operator) -> None:
    done = operator.run("convocations", "import", "list.csv")
    assert done.returncode == 0
    assert "provisoire : 2" in done.stderr
    done = operator.run("convocations", "import", "list.csv", "--reissue")
    assert done.returncode == 2
    done = operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert "émis : 2, dont réémis : 0" in done.stdout


@pytest.mark.row("PRV-07")
def test_letters_are_issued_again_by_a_command_that_names_who_did_it(operator: Operator) -> None:
    operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert operator.run("convocations", "reissue", "mdurand7").returncode == 2
    refused = operator.run("convocations", "reissue", "mdurand7", "inconnu", "--letters", "again.csv")
    assert refused.returncode == 1
    assert refused.stderr == "1 erreur, rien n'a été émis :\n  - inconnu : aucun compte ne porte cet identifiant\n"
    refused = operator.run(
        "convocations", "reissue", "zz1", "mdurand7", "MDURAND7", "x\x1b[31m", "--letters", "again.csv"
    )
    assert refused.stderr.splitlines() == [
        "3 erreurs, rien n'a été émis :",
        "  - zz1 : aucun compte ne porte cet identifiant",
        "  - MDURAND7 : donné deux fois",
        "  - x?[31m : aucun compte ne porte cet identifiant",
    ]
    refused = operator.run("accounts", "reissue", "zz1", "--letters", "again.csv")
    assert (refused.returncode, "zz1 : aucun compte" in refused.stderr) == (1, True)
    assert not (operator.folder / "again.csv").exists()
    done = operator.run("convocations", "reissue", "mdurand7", "--letters", "again.csv")
    assert done.returncode == 0, done.stderr
    (event,) = [each for each in operator.events if each["event"] == "provisional_issued"]
    assert str(event["actor"]).startswith("cli:")
    assert event["person"]
    read = [
        {row["Identifiant"]: row["Mot de passe provisoire"] for row in csv.DictReader(text.splitlines(), delimiter=";")}
        for text in ((operator.folder / name).read_text("utf-8-sig") for name in ("letters.csv", "again.csv"))
    ]
    assert list(read[1]) == ["mdurand7"]
    assert read[0]["mdurand7"] != read[1]["mdurand7"]
    assert read[1]["mdurand7"] not in done.stdout + done.stderr + json.dumps(operator.events)


@pytest.mark.parametrize("again", ["out.csv", "./out.csv", "sub/../out.csv", "absolute"])
@pytest.mark.parametrize(
    "words",
    [
        ("convocations", "import", "list.csv"),
        ("convocations", "reissue", "mdurand7"),
        ("accounts", "reissue", "mdurand7"),
    ],
)
def test_letters_and_sheets_in_one_file_are_refused_before_anything_is_opened(
    operator: Operator, words: tuple[str, ...], again: str
) -> None:
    (operator.folder / "sub").mkdir()
    sheets = str(operator.folder / "out.csv") if again == "absolute" else again
    done = operator.run(*words, "--letters", "out.csv", "--sheets", sheets)
    assert done.returncode == 2
    assert done.stderr.strip() == "--letters et --sheets nomment le même fichier : en donner deux. Rien n'a été fait."
    left = {path.name for path in operator.folder.iterdir()}
    assert left == {"gateway.toml", "list.csv", "sub"}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nowhere/out.csv", "nowhere/out.csv : aucun fichier ou dossier de ce nom"),
        ("list.csv/out.csv", "list.csv/out.csv : ce qui précède le nom n'est pas un dossier"),
        ("list.csv", "list.csv : ce fichier existe déjà"),
    ],
)
def test_a_file_that_cannot_be_made_is_told_by_the_name_that_was_typed(
    operator: Operator, target: str, told: str
) -> None:
    done = operator.run("convocations", "import", "list.csv", "--letters", target)
    assert (done.returncode, done.stderr.strip()) == (1, told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Fichier : plus de place sur le disque"),
        (OSError(errno.ENOSPC, "No space left on device", 3), "Fichier : plus de place sur le disque"),
        (PermissionError(errno.EACCES, "Permission denied", b"out"), "out : accès refusé"),
        (OSError(errno.EROFS, "Read-only file system", Path("out")), "out : ce disque est en lecture seule"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "out"), "out : c'est un dossier"),
        (
            FileExistsError(errno.EEXIST, "File exists", f"a/.out.csv.{'0' * 32}.part", None, "a/out.csv"),
            "a/out.csv : ce fichier existe déjà",
        ),
        (
            OSError(errno.ENOENT, "No such file", f".x.part.{'0' * 32}.part"),
            "x.part : aucun fichier ou dossier de ce nom",
        ),
        (OSError(errno.EIO, "Input/output error", ".own.part"), ".own.part : le disque a rendu une erreur"),
        (OSError(errno.ENXIO, "No such device or address", "x"), "x : No such device or address"),
        (OSError("trop gros"), "Fichier : trop gros"),
    ],
)
def test_what_the_system_refuses_is_told_in_french(
    capsys: pytest.CaptureFixture[str], error: OSError, told: str
) -> None:
    with pytest.raises(typer.Exit) as caught, explained():
        raise error
    assert (caught.value.exit_code, capsys.readouterr().err.strip()) == (1, told)


@pytest.mark.row("PWD-13")
def test_no_command_takes_or_shows_a_password() -> None:
    names = [name for name, _ in commands()]
    assert len(names) > 30
    for name in names:
        told = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0, told.output
        assert "--password" not in told.output.lower()
        assert "--mot-de-passe" not in told.output.lower()


def test_another_password_is_demanded_of_some_or_of_everybody(operator: Operator) -> None:
    operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    (operator.folder / "who.txt").write_text("mdurand7\n\npmartin2\n", encoding="utf-8")
    open_session(operator)
    done = operator.run("accounts", "require-change", "--file", "who.txt", "--yes")
    assert "0 compte à qui" in done.stdout
    assert "1 session terminée" in done.stdout
    why = "(pas de mot de passe choisi, compte fermé ou bloqué, ou déjà demandé)"
    assert f"Sans effet sur 2 comptes {why} : mdurand7, pmartin2\n" in done.stderr
    assert "Mot de passe provisoire qui a fui : accounts reissue" in done.stderr
    unknown = operator.run("accounts", "require-change", "Inconnu", "inconnu ", "x\x1b[31m", "--dry-run")
    assert (unknown.returncode, "Aucun compte pour 2 identifiants : Inconnu, x?[31m\n" in unknown.stderr) == (1, True)
    many = [f"zz{number}" for number in range(21)]
    told = operator.run("accounts", "require-change", *many, "MDURAND7", "--json")
    assert f": {', '.join(many[:20])} …\n" in told.stderr
    assert json.loads(told.stdout) == {
        "changed": 0,
        "left": 1,
        "unknown": 21,
        "left_identifiers": ["mdurand7"],
        "unknown_identifiers": many,
        "sessions_ended": 0,
        "dry_run": False,
    }
    assert "0 compte " in operator.run("accounts", "require-change", "--all", "--yes").stdout
    assert operator.run("accounts", "require-change").returncode == 2
    assert operator.run("accounts", "require-change", "--all", "mdurand7").returncode == 2
    assert operator.run("accounts", "require-change", "--file", "nowhere.txt").returncode == 1
    assert [each for each in operator.events if each["event"] == "change_required"] == []
    assert operator.run("accounts", "upgrade").returncode == 0


@pytest.fixture
def relay(operator: Operator) -> Iterator[MailServer]:
    """A real relay, which the operator's settings name."""
    server = MailServer()
    file = operator.folder / "gateway.toml"
    file.write_text(file.read_text().replace('security = "none"', f'security = "none"\nport = {server.port}'))
    yield server
    server.stop()


def test_mail_that_waits_is_sent_by_a_command_once_or_until_it_is_stopped(
    operator: Operator, relay: MailServer
) -> None:
    operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert operator.run("accounts", "send-link", "inconnu").returncode == 1
    assert operator.run("accounts", "send-link", "mdurand7").returncode == 0
    done = operator.run("mail", "run", "--once")
    assert done.returncode == 0, done.stderr
    assert "partis : 1" in done.stdout
    assert "partis : 0" in operator.run("mail", "run", "--once").stdout
    with operator.start("mail", "run") as running:
        operator.run("accounts", "send-link", "mdurand7")
        for _ in range(200):
            if len(relay.inbox.received) == 2:
                break
            time.sleep(0.1)
        running.send_signal(signal.SIGTERM)
        told, wrong = running.communicate(timeout=30)
    assert (running.returncode, "Arrêté" in told) == (0, True), wrong
    assert relay.inbox.subjects == ["Choisir un nouveau mot de passe – Choose a new password"] * 2
    assert relay.inbox.recipients == [["marie@exemple.test"]] * 2


def test_the_sender_of_mails_stops_however_often_it_is_told_to(operator: Operator, relay: MailServer) -> None:
    for _ in range(5):
        with operator.start("mail", "run") as running:
            assert running.stderr is not None
            while "Ctrl-C" not in running.stderr.readline():
                assert running.poll() is None
            try:
                for _ in range(2000):
                    # Until it is gone: a second one within the handler of the first is what must be borne.
                    running.send_signal(signal.SIGTERM)
                    running.send_signal(signal.SIGINT)
                told, wrong = running.communicate(timeout=30)
            finally:
                running.kill()
        assert "Arrêté" in told, wrong


def open_session(
    operator: Operator, subject: str = "mdurand7", *, issuer: str = DIRECT_ISSUER, door: str = "direct"
) -> None:
    """Open a session behind the operator's back, as a process of the gateway would."""
    opened = open_stores(Settings.load(operator.folder / "gateway.toml"))
    who = Identity(
        issuer=issuer,
        subject=subject,
        door=door,
        activities=frozenset(),
        authenticated_at=datetime.now(UTC),
        method="password",
    )
    opened.sessions.open(who, device="Firefox, [bold]Windows", address="192.0.2.7")
    opened.close()


@pytest.mark.parametrize(("attribute", "same"), [("ct-remote-user", True), ("sub", False)])
def test_an_academic_identifier_is_the_same_person_in_capitals(operator: Operator, attribute: str, same: bool) -> None:
    file = operator.folder / "gateway.toml"
    file.write_text(file.read_text("utf-8") + f'subject_attribute = "{attribute}"\n', encoding="utf-8")
    open_session(operator, "jdupont", issuer="http://127.0.0.1:1/", door="arena-paris")
    one = ("--door", "arena-paris", "--subject", " JDupont")
    assert ("jdupont" in operator.run("sessions", "list", *one).stdout) is same
    assert operator.run("sessions", "end", *one).stdout.startswith("1 session terminée" if same else "Aucune session")
    told = operator.run("events", "--door", "arena-paris", "--person", "JDUPONT").stdout
    assert ("Sessions terminées" in told) is same


@pytest.mark.row("LOG-06", "SES-11")
def test_sessions_are_listed_then_ended_one_by_one_by_person_by_door_or_all(operator: Operator) -> None:
    assert operator.run("convocations", "import", "list.csv").returncode == 0
    for subject in ("mdurand7", "mdurand7", "mdurand7", "pmartin2", "pmartin2", "autre"):
        open_session(operator, subject)
    listed = operator.run("sessions", "list", "--door", "direct", "--subject", "MDurand7")
    assert listed.returncode == 0, listed.stderr
    rows = [line for line in listed.stdout.splitlines() if "mdurand7" in line]
    assert len(rows) == 3
    assert "Firefox, [bold]Windows" in rows[0]
    assert "192.0.2.7" in rows[0]
    handle = rows[0].split()[0]
    assert operator.run("sessions", "end", "--session", handle).stdout == "1 session terminée.\n"
    assert operator.run("sessions", "end", "--session", handle).stdout == "Aucune session ouverte.\n"
    done = operator.run("sessions", "end", "--door", "direct", "--subject", "mdurand7")
    assert done.stdout == "2 sessions terminées.\n"
    assert operator.run("sessions", "list", "--door", "direct", "--subject", "mdurand7").stdout.startswith("Aucune")
    assert len(operator.run("sessions", "list", "--door", "direct").stdout.splitlines()) == 4
    assert operator.run("sessions", "end", "--door", "direct").stdout == "3 sessions terminées.\n"
    open_session(operator)
    assert operator.run("sessions", "end", "--all").stdout == "1 session terminée.\n"
    told = [each for each in operator.events if str(each["event"]).startswith("sessions_")]
    assert [each["event"] for each in told].count("sessions_listed") == 3
    assert len(told) == 8
    assert all(str(each["actor"]).startswith("cli:") for each in told)
    assert operator.run("sessions", "list").returncode == 2
    assert operator.run("sessions", "list", "--door", "arena-lyon").returncode == 1
    assert operator.run("sessions", "end", "--all", "--session", handle).returncode == 2


@pytest.mark.row("LOG-06", "SES-10")
def test_an_account_is_closed_with_its_sessions_and_opened_again(operator: Operator) -> None:
    assert operator.run("convocations", "import", "list.csv").returncode == 0
    open_session(operator)
    done = operator.run("accounts", "disable", "MDurand7")
    assert done.stdout == "Compte mdurand7 fermé ; sessions terminées : 1.\n"
    assert "désactivé" in operator.run("accounts", "show", "mdurand7").stdout
    twice = operator.run("accounts", "disable", "mdurand7")
    assert twice.returncode == 1
    assert "Traceback" not in twice.stderr
    assert operator.run("accounts", "enable", "mdurand7").stdout == "Compte mdurand7 rouvert.\n"
    assert operator.run("accounts", "enable", "inconnu").returncode == 1
    assert operator.run("accounts", "disable", "inconnu").returncode == 1
    names = [each["event"] for each in operator.events if "account_" in str(each["event"])]
    assert names[:1] + names[-1:] == ["account_disabled", "account_enabled"]
