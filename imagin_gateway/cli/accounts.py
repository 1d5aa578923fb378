"""`imagin-gateway accounts`: the accounts of the direct door."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli import convocations
from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, err, explained, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.flows.closing import disable_account, enable_account
from imagin_gateway.gateway import Stores
from imagin_gateway.identity import DIRECT_ISSUER, Door
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
        _require_change(settings, identifiers or _lines(file))
        return
    with stores(settings) as opened:
        opened.sessions.store.ping()
        changed = opened.direct.require_change_of_everybody(actor=actor())
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


def _require_change(settings: Path, identifiers: list[str]) -> None:
    with stores(settings) as opened:
        # Sessions must end with what they were opened by: with their store down, nothing is changed.
        opened.sessions.store.ping()
        demanded = opened.direct.require_change(identifiers, actor=actor())
        # Of those who were asked before, too: whoever was interrupted here begins again.
        ended = sum(
            opened.sessions.end_person(DIRECT_ISSUER, identifier) for identifier in demanded.changed + demanded.left
        )
        if ended:
            _ended(opened, ended)
    out.print(f"{len(demanded.changed)} comptes à qui un autre mot de passe est demandé ; {ended} sessions terminées.")
    if demanded.left:
        err.print(f"Sans effet sur {len(demanded.left)} comptes, vu leur état.", style="yellow")
    if demanded.unknown:
        err.print(f"Aucun compte pour {demanded.unknown} identifiants.", style="red")
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
