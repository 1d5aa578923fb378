"""`imagin-gateway convocations`: lists of exam sessions, and their letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_USAGE,
    SettingsFile,
    actor,
    counted,
    err,
    out,
    resumable,
    shown,
    stores,
)
from imagin_gateway.errors import LettersRefused
from imagin_gateway.local.checked_list import Progress as Told
from imagin_gateway.local.checked_list import Step
from imagin_gateway.local.door import ImportReport
from imagin_gateway.local.lists import same_file

app = typer.Typer(help="Listes de convocations et lettres.", no_args_is_help=True)

LettersFile = Annotated[
    Path | None,
    typer.Option(
        "--letters", help="Fichier du publipostage à écrire (CSV, lisible par vous seul) ; il ne doit pas exister."
    ),
]
SheetsFile = Annotated[
    Path | None,
    typer.Option(
        "--sheets", help="Feuillets à imprimer, un par personne (HTML, lisible par vous seul) ; il ne doit pas exister."
    ),
]

_STEPS = {Step.CHECKING: "Vérification", Step.WRITING: "Écriture"}

_SHOWN = 200
"""Problems printed one by one; the rest is counted."""


@contextmanager
def _shown() -> Iterator[Told]:
    """Show how far an import is, on the error output."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda step, done, total: progress.update(
            task, description=_STEPS[step], completed=done, total=total or None
        )


def two_files(letters: Path | None, sheets: Path | None) -> None:
    """End the command when both are one file: only one of them would be made."""
    if letters is not None and sheets is not None and same_file(letters, sheets):
        err.print(
            "--letters et --sheets nomment le même fichier : en donner deux. Rien n'a été fait.",
            style="red",
        )
        raise typer.Exit(EXIT_USAGE)


@contextmanager
def naming(identifiers: Sequence[str]) -> Iterator[None]:
    """Name those to whom no letter is made: the error knows their places alone, the command what was typed."""
    try:
        yield
    except LettersRefused as refused:
        count = len(refused.problems)
        err.print(f"{count} erreur{'s' if count > 1 else ''}, rien n'a été émis :", style="red")
        for problem in refused.problems:
            err.print(f"  - {shown(identifiers[problem.line - 1])} : {problem.reason}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Liste de convocations (CSV ; point-virgule ou virgule).")],
    settings: SettingsFile = DEFAULT_FILE,
    letters: LettersFile = None,
    sheets: SheetsFile = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Importer les bonnes lignes et laisser les mauvaises.")
    ] = False,
    reissue: Annotated[
        bool,
        typer.Option(
            "--reissue", help="Émettre un nouveau mot de passe provisoire à qui n’a pas encore choisi le sien."
        ),
    ] = False,
) -> None:
    """Importer une liste de convocations. Une ligne en erreur arrête tout, sauf avec --skip-bad.

    Interrompu, l'import n'a rien fait, ou le même ordre relancé le termine.
    """
    two_files(letters, sheets)
    if not file.is_file():
        err.print(f"Aucun fichier de ce nom : {file}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED)
    if reissue and letters is None and sheets is None:
        err.print("Avec --reissue, dire où écrire les lettres : --letters ou --sheets.", style="red")
        raise typer.Exit(EXIT_USAGE)
    with stores(settings) as opened, resumable(), _shown() as progress:
        report = opened.direct.lists.import_list(
            file,
            skip_bad=skip_bad,
            reissue=reissue,
            letters_to=letters,
            sheets_to=sheets,
            progress=progress,
            actor=actor(),
        )
    for problem in report.problems[:_SHOWN]:
        err.print(f"  laissée : {problem}", markup=False)
    if report.problem_count > _SHOWN:
        err.print(f"  erreurs de plus, qui ne sont pas montrées : {report.problem_count - _SHOWN}")
    if not (report.created + report.updated + report.unchanged + report.problem_count):
        err.print("La liste n'a aucune ligne sous son en-tête : personne n'a été importé.", style="yellow")
    if report.ignored_columns:
        err.print(f"Colonnes non lues : {shown(', '.join(report.ignored_columns))}", markup=False)
    if report.resumed:
        out.print("Un import interrompu de cette même liste vient d'être achevé.")
    done = f"créés : {report.created} ; mis à jour : {report.updated} ; inchangés : {report.unchanged}."
    out.print(f"{file.name} — {done}")
    told(report, letters, sheets)
    if report.renamed:
        err.print(_renamed(report), style="yellow", markup=False)


def _renamed(report: ImportReport) -> str:
    lines = ", ".join(map(str, report.renamed_lines)) + (" …" if report.renamed > len(report.renamed_lines) else "")
    where = f" (ligne{'s' if report.renamed > 1 else ''} {lines})" if report.renamed_lines else ""
    return (
        f"Le nom et le prénom ont changé pour {counted(report.renamed, 'identifiant')}{where}. Si c'est une autre "
        "personne, la précédente y entre encore : accounts reissue --replace-password."
    )


@app.command("reissue")
def reissue(
    identifiers: Annotated[list[str], typer.Argument(help="Identifiants Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
    letters: LettersFile = None,
    sheets: SheetsFile = None,
) -> None:
    """Émettre de nouveaux mots de passe provisoires : les anciens ne marchent plus. Votre nom est noté."""
    two_files(letters, sheets)
    if letters is None and sheets is None:
        err.print("Dire où écrire les lettres : --letters ou --sheets.", style="red")
        raise typer.Exit(EXIT_USAGE)
    with stores(settings) as opened, naming(identifiers):
        report = opened.direct.lists.reissue(identifiers, letters_to=letters, sheets_to=sheets, actor=actor())
    told(report, letters, sheets)


def told(report: ImportReport, letters: Path | None, sheets: Path | None) -> None:
    """Say what a run did and what it wrote."""
    out.print(
        f"Mots de passe provisoires émis : {report.issued}, dont réémis : {report.reissued} ; "
        f"déjà personnalisés : {report.personalised} ; désactivés : {report.disabled}."
    )
    for name, path in (("Lettres", letters), ("Feuillets", sheets)):
        if path is not None:
            out.print(f"{name} : {path}", markup=False)
    if report.waiting:
        err.print(
            f"Comptes sans mot de passe provisoire : {report.waiting}. Relancer avec --letters ou --sheets.",
            style="yellow",
        )
