"""`imagin-gateway report`: logins, refusals and mails of a period, as one page that anybody may read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_REFUSED, SettingsFile, err, explained, out
from imagin_gateway.cli.moments import FORMS, moment
from imagin_gateway.cli.report_page import page
from imagin_gateway.cli.selecting import Selection, files, now, select
from imagin_gateway.cli.summary import summed_up
from imagin_gateway.events.reading import Damage
from imagin_gateway.events.telling import words
from imagin_gateway.settings import Settings

app = typer.Typer(add_completion=False)


@app.command("report")
def report(
    to: Annotated[Path, typer.Option("--to", help="Page à écrire (HTML).")] = Path("rapport.html"),
    since: Annotated[str, typer.Option(help=f"Début : {FORMS}. Par défaut, il y a sept jours.")] = "",
    until: Annotated[str, typer.Option(help="Fin, exclue. Par défaut, maintenant.")] = "",
    file: Annotated[list[Path] | None, typer.Option(help="Fichier à lire au lieu de ceux des réglages.")] = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Écrire le rapport d'une période : connexions, refus, courriels. Aucune donnée personnelle."""
    end = moment(until, now(), "--until") if until else now()
    start = moment(since, now(), "--since") if since else end - timedelta(days=7)
    if start >= end:
        raise typer.BadParameter("la fin précède le début", param_hint="--until")
    selection = Selection(since=start, until=end)
    with explained():
        place = None if file else Settings.load(settings).events.file
        paths = files(place, file or (), selection)
        if not paths:
            err.print("Aucun fichier d'événements pour cette période ; en donner un par --file.", style="red")
            raise typer.Exit(EXIT_REFUSED)
        damages: list[Damage] = []
        summary = summed_up(select(paths, selection, damages.append), start, end)
        text = page(summary, words(), list(_warnings(damages)))
        _write(text, to)
    out.print(f"Événements lus : {summary.read}. Rapport : {to}", markup=False)


def _write(text: str, to: Path) -> None:
    """Write a page beside, then put it in its place: one that is there is whole. An error names what was typed."""
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(to)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(to)) from error


def _warnings(damages: list[Damage]) -> Iterator[str]:
    if damages:
        places = ", ".join(f"{each.path.name}, ligne {each.line}" for each in damages[:5])
        more = "…" if len(damages) > 5 else ""
        yield f"des événements sont illisibles ({places}{more}). Les nombres sont incomplets."
