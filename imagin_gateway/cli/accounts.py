"""`imagin-gateway accounts`: the accounts of the direct door."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, err, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.flows.closing import disable_account, enable_account
from imagin_gateway.identity import DIRECT_ISSUER, Door

app = typer.Typer(help="Comptes de l'accès direct.", no_args_is_help=True)

STATES = {
    "provisional": "mot de passe provisoire, jamais personnalisé",
    "active": "mot de passe personnalisé",
    "change_required": "mot de passe à changer",
    "locked": "bloqué",
    "disabled": "désactivé",
    "expired": "expiré",
}


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Liste de convocations (CSV ; point-virgule ou virgule).")],
    settings: SettingsFile = DEFAULT_FILE,
    letters: Annotated[
        Path | None,
        typer.Option(help="Fichier des lettres à écrire (CSV, lisible par vous seul) ; il ne doit pas exister."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Importer les bonnes lignes et laisser les mauvaises.")
    ] = False,
) -> None:
    """Importer une liste de convocations. Une ligne en erreur arrête tout, sauf avec --skip-bad."""
    if not file.is_file():
        err.print(f"Aucun fichier de ce nom : {file}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED)
    with stores(settings) as opened:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("Import", total=None)
            report = opened.direct.import_list(
                file,
                skip_bad=skip_bad,
                letters_to=letters,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
                actor=actor(),
            )
    for problem in report.problems:
        err.print(f"  laissée : {problem}", markup=False)
    out.print(f"{file.name} : {report.created} créés, {report.updated} mis à jour, {report.unchanged} inchangés.")
    out.print(f"Mots de passe provisoires émis : {report.issued} ; déjà personnalisés : {report.personalised}.")
    if letters is not None:
        out.print(f"Lettres : {letters}", markup=False)
    elif report.issued:
        err.print("Sans --letters, les mots de passe provisoires ne sont écrits nulle part.", style="yellow")


@app.command("show")
def show(
    identifier: Annotated[str, typer.Argument(help="Identifiant Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Montrer l'état d'un compte. Aucun secret n'est affiché."""
    with stores(settings) as opened:
        account = opened.direct.find(identifier)
        person = (DIRECT_ISSUER, account.identifier if account else identifier)
        opened.events.emit(
            Event(
                name=EventName.ACCOUNT_SHOWN,
                door=Door.DIRECT,
                person=person,
                actor=actor(),
                detail={"found": account is not None},
            )
        )
        live = opened.sessions.list_person(*person)
        pseudonym = opened.events.pseudonym(person)
    if account is None:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    for label, value in (
        ("identifiant", account.identifier),
        ("nom", f"{account.given_name} {account.family_name}".strip()),
        ("courriel", account.email or "aucun"),
        ("qualité", account.situation),
        ("académie", account.academie),
        ("service", account.office),
        ("état", STATES.get(account.state, account.state)),
        ("sessions", str(len(live))),
        ("dans les événements", pseudonym),
    ):
        out.print(f"{label:<20} {value}", markup=False)


@app.command("disable")
def disable(
    identifier: Annotated[str, typer.Argument(help="Identifiant Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Fermer un compte : plus de connexion, et ses sessions se terminent."""
    with stores(settings) as opened:
        closed = disable_account(opened.direct, opened.sessions, opened.events, identifier, actor=actor())
    if closed is None:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    out.print(f"Compte {closed.account.identifier} fermé ; sessions terminées : {closed.ended}.", markup=False)


@app.command("enable")
def enable(
    identifier: Annotated[str, typer.Argument(help="Identifiant Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Rouvrir un compte fermé. Il faut ensuite une nouvelle lettre ou un lien par courriel pour y entrer."""
    with stores(settings) as opened:
        account = enable_account(opened.direct, opened.events, identifier, actor=actor())
    if account is None:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    out.print(f"Compte {account.identifier} rouvert.", markup=False)
