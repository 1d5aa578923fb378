"""`imagin-gateway sessions`: ending them from the server."""

from __future__ import annotations

from typing import Annotated

import typer

from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, err, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT

app = typer.Typer(help="Sessions ouvertes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `sessions end` a subcommand, though it is the only one."""


@app.command("end")
def end(
    settings: SettingsFile = DEFAULT_FILE,
    subject: Annotated[str, typer.Option(help="Identifiant de la personne derrière cette porte.")] = "",
    door: Annotated[str, typer.Option(help="Porte : toutes ses sessions, ou celles d'une personne.")] = "",
    everyone: Annotated[bool, typer.Option("--all", help="Toutes les sessions.")] = False,
) -> None:
    """Mettre fin à des sessions : la requête suivante est anonyme."""
    if everyone == bool(door or subject) or (subject and not door):
        err.print("Dire --door PORTE, ou --door PORTE --subject IDENTIFIANT, ou --all.")
        raise typer.Exit(2)
    with stores(settings) as opened:
        person: tuple[str, str] | None = None
        if everyone:
            ended = opened.sessions.end_all()
        elif subject:
            if door == Door.DIRECT and (account := opened.direct.find(subject)) is not None:
                subject = account.identifier
            person = (_issuer(opened.settings, door), subject)
            ended = opened.sessions.end_person(*person)
        else:
            _issuer(opened.settings, door)
            ended = opened.sessions.end_door(door)
        opened.events.emit(
            Event(name=EventName.SESSIONS_ENDED, door=door, person=person, actor=actor(), detail={"ended": ended})
        )
    plural = "s" if ended > 1 else ""
    out.print(f"{ended} session{plural} terminée{plural}." if ended else "Aucune session ouverte.")


def _issuer(settings: Settings, door: str) -> str:
    """Return the issuer behind a door: a person is (issuer, subject)."""
    if door in (Door.DIRECT, PROCONNECT):
        return DIRECT_ISSUER
    portal = settings.portals.get(door)
    if isinstance(portal, SamlPortal):
        return portal.portal_entity_id
    if isinstance(portal, OidcPortal | HeaderPortal):
        return portal.issuer
    known = ", ".join([Door.DIRECT, *sorted(settings.portals)])
    err.print(f"Aucune porte de ce nom n'ouvre de session ici ; portes : {known}", markup=False)
    raise typer.Exit(EXIT_REFUSED)
