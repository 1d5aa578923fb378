"""One is one: « 1 compte », never « 1 comptes », in whatever an operator reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import imagin_gateway
from imagin_gateway.cli.common import counted
from imagin_gateway.errors import ImportRefused, LineProblem
from imagin_gateway.operating.probes.reaching import certificate
from tests.cli.test_commands import LIST, Operator, operator  # noqa: F401  # a fixture

HOUSE = Path(imagin_gateway.__file__).parent

NOUNS = {
    *("autres", "champs", "clés", "codes", "comptes", "courriels", "erreurs", "essais", "événements", "fichiers"),
    *("heures", "identifiants", "jours", "lettres", "liens", "lignes", "minutes", "mots", "personnes", "portails"),
    *("portes", "questions", "règles", "secondes", "sessions", "situations", "vérifications"),
}


def plurals() -> Iterator[str]:
    """Yield each text that puts a plural after a count that may be one."""
    for file in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for count, after in zip(node.values, node.values[1:], strict=False):
                if not isinstance(count, ast.FormattedValue) or not isinstance(after, ast.Constant):
                    continue
                words = str(after.value).split()
                told = ast.unparse(count.value)
                # A limit of ours is never one; a depth that is told is more than one that is allowed.
                if told.rpartition(".")[2].isupper() or told == "depth":
                    continue
                if str(after.value).startswith(" ") and words and words[0].strip(".,;:)") in NOUNS:
                    yield f"{file.relative_to(HOUSE)}: {told} {words[0]}"


def test_no_count_stands_before_a_plural_that_it_may_not_be() -> None:
    assert list(plurals()) == []


def test_none_and_one_are_singular() -> None:
    assert [counted(count, "clé") for count in (0, 1, 2)] == ["0 clé", "1 clé", "2 clés"]
    assert counted(2, "mot de passe sera", "mots de passe seront") == "2 mots de passe seront"
    assert str(ImportRefused([LineProblem(2, "vide")], 2)).endswith("\n  - et 1 autre")
    assert str(ImportRefused([LineProblem(2, "vide")], 3)).endswith("\n  - et 2 autres")
    now = datetime(2026, 12, 14, tzinfo=UTC)
    (finding,) = certificate("smtp", "courrier", now + timedelta(days=1, hours=2), now, "mail.host")
    assert finding.text == "son certificat expire le 15/12/2026 (1 jour)"


def test_an_operator_of_one_account_reads_so(operator: Operator) -> None:  # noqa: F811  # the fixture
    (operator.folder / "list.csv").write_text(LIST, encoding="utf-8")
    (operator.folder / "bad.csv").write_text("Identifiant;Nom;Prénom\nmdurand7\n", encoding="utf-8")
    assert "ligne 2 : 1 champ au lieu de 3" in operator.run("convocations", "import", "bad.csv").stderr
    assert operator.run("convocations", "import", "list.csv").returncode == 0
    assert "0 compte devrait changer" in operator.run("accounts", "leak", "--dry-run").stdout
    assert "0 compte à effacer dans 1 jour." in operator.run("accounts", "inactive", "--within", "1").stdout
