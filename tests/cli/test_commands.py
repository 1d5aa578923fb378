"""The command line as the operator uses it: what it prints, how it ends, what it leaves in the events."""

from __future__ import annotations

import csv
import json
import os
import secrets
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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
        env = {name: value for name, value in os.environ.items() if not name.startswith("IMAGIN_GATEWAY_")}
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "imagin_gateway.cli.main", *words],
            cwd=self.folder,
            env={**env, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
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
    assert done.returncode == 0, done.stderr
    assert "Réglages corrects" in done.stdout
    assert "arena-paris : oidc, http://127.0.0.1:1/" in done.stdout
    assert "arena-creteil : lien vers https://externet.ac-creteil.fr" in done.stdout
    assert "mode développement" in done.stderr


def test_check_lists_every_problem_at_once_and_shows_no_secret(operator: Operator) -> None:
    file = operator.folder / "gateway.toml"
    text = file.read_text().replace("base_url = ", "base_ulr = ").replace('"/mentions"', '"javascript:x"')
    file.write_text(text + 'leeway_seconds = 900\n[portals.arena-lyon]\nprotocol = "link"\n')
    done = operator.run("check")
    assert done.returncode == 3
    for key in ("base_url", "base_ulr", "legal_url", "portals.arena-paris.leeway_seconds"):
        assert key in done.stderr
    assert "Traceback" not in done.stderr
    for line in text.splitlines():
        if "secret" in line or "signing" in line:
            assert line.split('"')[1] not in done.stderr + done.stdout


def test_a_portal_that_no_door_of_the_table_has_is_refused_by_name(operator: Operator) -> None:
    file = operator.folder / "gateway.toml"
    file.write_text(file.read_text() + '[portals.arena-lyon]\nprotocol = "link"\n')
    done = operator.run("check")
    assert done.returncode == 3
    assert "portals.arena-lyon" in done.stderr


def test_a_settings_file_that_is_not_there_is_told(operator: Operator) -> None:
    done = operator.run("check", "--settings", "nowhere.toml")
    assert done.returncode == 3
    assert "n'existe pas" in done.stderr


@pytest.mark.row("LOG-06")
def test_import_then_show_then_the_letters(operator: Operator) -> None:
    done = operator.run("convocations", "import", "list.csv", "--letters", "letters.csv")
    assert done.returncode == 0, done.stderr
    assert "2 créés" in done.stdout
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
    assert "0 créés" in again.stdout
    assert "2 inchangés" in again.stdout
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
    assert "2 créés" in done.stdout
    assert "ligne 4" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"rien;du;tout\n1;2;3\n"])
def test_a_file_that_is_no_list_is_refused_in_words(operator: Operator, content: bytes) -> None:
    (operator.folder / "odd.csv").write_bytes(content)
    done = operator.run("convocations", "import", "odd.csv")
    assert done.returncode == 1
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


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
    assert "inspection générale" in done.stdout, "why line 2 does not fit"
    nothing = operator.run("policy", "explain")
    assert nothing.returncode == 0
    assert "Règle 37" in nothing.stdout
    for wrong in ("posting=mars", "humeur=bonne", "posting"):
        refused = operator.run("policy", "explain", wrong)
        assert refused.returncode in (1, 2)
        assert "Traceback" not in refused.stderr
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
