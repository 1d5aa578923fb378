"""`imagin-gateway accounts`: the accounts of the direct door."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli import convocations
from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, err, explained, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.gateway import Stores
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.local.door import Act
from imagin_gateway.local.migrate import upgrade_accounts
from imagin_gateway.settings import Settings

app = typer.Typer(help="Comptes de l'accès direct.", no_args_is_help=True)

STATES = {
    "provisional": "mot de passe provisoire, jamais personnalisé",
    "active": "mot de passe personnalisé",
    "change_required": "mot de passe à changer",
    "locked": "bloqué",
    "disabled": "désactivé",
    "expired": "expiré",
}


app.command("import", hidden=True, help="Autre nom de « convocations import ».")(convocations.import_)


Identifiers = Annotated[list[str], typer.Argument(help="Identifiants Imagin.")]


@app.command("disable")
def disable(identifiers: Identifiers, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Désactiver des comptes : ni connexion, ni réinitialisation ; leurs sessions se terminent."""
    _operate(settings, identifiers, Act.DISABLE, "désactivés")


@app.command("enable")
def enable(identifiers: Identifiers, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Réactiver des comptes. Rien ne les ouvre encore : un courriel de réinitialisation ou une lettre le fera."""
    _operate(settings, identifiers, Act.ENABLE, "réactivés")


@app.command("require-change")
def require_change(
    identifiers: Annotated[list[str] | None, typer.Argument(help="Identifiants Imagin.")] = None,
    file: Annotated[Path | None, typer.Option(help="Fichier : un identifiant par ligne.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Tous les comptes de l'accès direct.")] = False,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Exiger un autre mot de passe (fuite soupçonnée) : les sessions se terminent, la suivante ne fait que cela."""
    if (bool(identifiers) + (file is not None) + everybody) != 1:
        err.print("Dire des identifiants, ou --file FICHIER, ou --all.")
        raise typer.Exit(2)
    if not everybody:
        asked = identifiers or _lines(file)
        _operate(settings, asked, Act.REQUIRE_CHANGE, "à qui un autre mot de passe est demandé")
        return
    with stores(settings) as opened:
        changed = opened.direct.require_change_of_all(actor=actor())
        ended = opened.sessions.end_door(Door.DIRECT)
        _ended(opened, ended)
    out.print(f"{changed} comptes à qui un autre mot de passe est demandé ; {ended} sessions terminées.")


def _lines(file: Path | None) -> list[str]:
    if file is None or not file.is_file():
        err.print(f"Aucun fichier de ce nom : {file}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED)
    try:
        return [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        err.print("Le fichier n'est pas en UTF-8.", style="red")
        raise typer.Exit(EXIT_REFUSED) from None


def _operate(settings: Path, identifiers: list[str], act: Act, what: str) -> None:
    with stores(settings) as opened:
        operated = opened.direct.operate(identifiers, act, actor=actor())
        # Those the act had happened to already, too: whoever was interrupted here begins again.
        ended = sum(
            opened.sessions.end_person(DIRECT_ISSUER, identifier) for identifier in operated.changed + operated.left
        )
        if ended:
            _ended(opened, ended)
    out.print(f"{len(operated.changed)} comptes {what} ; {ended} sessions terminées.")
    if operated.left:
        err.print(f"Sans effet sur {len(operated.left)} comptes, vu leur état.", style="yellow")
    if operated.unknown:
        err.print(f"Aucun compte pour {operated.unknown} identifiants.", style="red")
        raise typer.Exit(EXIT_REFUSED)


def _ended(opened: Stores, ended: int) -> None:
    opened.events.emit(Event(name=EventName.SESSIONS_ENDED, door=Door.DIRECT, actor=actor(), detail={"ended": ended}))


@app.command("send-link")
def send_link(
    identifier: Annotated[str, typer.Argument(help="Identifiant Imagin.")],
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Envoyer à la personne, par courriel, le lien pour choisir un mot de passe."""
    with stores(settings) as opened:
        found = opened.direct.start_reset(identifier, actor=actor())
    if not found:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    out.print("Demande notée : le courriel part si le compte a une adresse et n'est pas désactivé.")


@app.command("upgrade")
def upgrade(settings: SettingsFile = DEFAULT_FILE) -> None:
    """Mettre la base des comptes à jour, après une nouvelle version (PostgreSQL ; SQLite l'est au démarrage)."""
    with explained():
        upgrade_accounts(Settings.load(settings).accounts.url)
    out.print("La base des comptes est à jour.")


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
