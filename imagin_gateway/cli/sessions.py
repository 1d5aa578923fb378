"""`imagin-gateway sessions`: seeing them and ending them from the server."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, actor, counted, err, out, stores
from imagin_gateway.events import Event, EventName
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.opening import Stores
from imagin_gateway.pages.spoken import PARIS
from imagin_gateway.providers.attributes import as_compared
from imagin_gateway.settings import HeaderPortal, OidcPortal, SamlPortal, Settings
from imagin_gateway.settings.proconnect import PROCONNECT

app = typer.Typer(help="Sessions ouvertes.", no_args_is_help=True)


Subject = Annotated[str, typer.Option(help="Identifiant de la personne derrière cette porte.")]


@app.command("list")
def list_(
    settings: SettingsFile = DEFAULT_FILE,
    subject: Subject = "",
    door: Annotated[str, typer.Option(help="Porte : toutes ses sessions, ou celles d'une personne.")] = "",
) -> None:
    """Montrer des sessions ouvertes : depuis quand, par où, avec quoi. Aucun numéro qui en ouvre une."""
    if not door:
        err.print("Dire --door PORTE, ou --door PORTE --subject IDENTIFIANT.")
        raise typer.Exit(2)
    with stores(settings) as opened:
        person = _person(opened, door, subject)
        found = opened.sessions.list_person(*person) if person else opened.sessions.list_door(door)
        opened.events.emit(
            Event(name=EventName.SESSIONS_LISTED, door=door, person=person, actor=actor(), detail={"found": len(found)})
        )
    if not found:
        out.print("Aucune session ouverte.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("session", "personne", "ouverte", "vue", "fin au plus tard", "appareil", "adresse"):
        table.add_column(title, overflow="fold")
    for each in found:
        moments = (each.created_at, each.last_seen, each.absolute_end)
        when = (moment.astimezone(PARIS).strftime("%d/%m %H:%M") for moment in moments)
        table.add_row(*(escape(text) for text in (each.handle, each.subject, *when, each.device, each.address)))
    out.print(table)


@app.command("end")
def end(
    settings: SettingsFile = DEFAULT_FILE,
    subject: Subject = "",
    door: Annotated[str, typer.Option(help="Porte : toutes ses sessions, ou celles d'une personne.")] = "",
    session: Annotated[str, typer.Option(help="Une session, comme « sessions list » la nomme.")] = "",
    everyone: Annotated[bool, typer.Option("--all", help="Toutes les sessions.")] = False,
) -> None:
    """Mettre fin à des sessions : la requête suivante est anonyme."""
    asked = [bool(door or subject), bool(session), everyone]
    if asked.count(True) != 1 or (subject and not door):
        err.print("Dire --door PORTE, ou --door PORTE --subject IDENTIFIANT, ou --session NOM, ou --all.")
        raise typer.Exit(2)
    with stores(settings) as opened:
        person: tuple[str, str] | None = None
        if everyone:
            ended = opened.sessions.end_all()
        elif session:
            one = opened.sessions.end_handle(session)
            ended = int(one is not None)
            if one is not None:
                person, door = one.person, one.door
        else:
            person = _person(opened, door, subject)
            ended = opened.sessions.end_person(*person) if person else opened.sessions.end_door(door)
        opened.events.emit(
            Event(name=EventName.SESSIONS_ENDED, door=door, person=person, actor=actor(), detail={"ended": ended})
        )
    told = counted(ended, "session terminée", "sessions terminées") if ended else "Aucune session ouverte"
    out.print(f"{told}.")


def _person(opened: Stores, door: str, subject: str) -> tuple[str, str] | None:
    """Return the person behind a door, or None when none is named. Ends the command when the door opens nothing."""
    issuer = issuer_of(opened.settings, door)
    if not subject:
        return None
    if door == Door.DIRECT and (account := opened.direct.find(subject)) is not None:
        subject = account.identifier
    return (issuer, subject_at(opened.settings, door, subject))


def subject_at(settings: Settings, door: str, typed: str) -> str:
    """Return an identifier as a door tells it: an academic one (`ct-remote-user`) is the same person in capitals."""
    return as_compared(getattr(settings.portals.get(door), "subject_attribute", ""), typed.strip())


def issuer_of(settings: Settings, door: str) -> str:
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
