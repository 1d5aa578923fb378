"""`imagin-gateway inventory`: what runs here, for who approves it or answers for it. Never a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

import imagin_gateway
from imagin_gateway.cli.common import DEFAULT_FILE, EXIT_USAGE, Json, SettingsFile, err, explained, out, print_json
from imagin_gateway.operating.inventory import Table
from imagin_gateway.operating.inventory import inventory as taken
from imagin_gateway.settings import Settings

SCHEMA: Final = 1


app = typer.Typer(add_completion=False)


@app.command("inventory")
def inventory(
    settings: SettingsFile = DEFAULT_FILE,
    json: Json = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Écrire une page, pour un dossier d’homologation.")
    ] = False,
    part: Annotated[
        str,
        typer.Option(
            "--part", help="Une seule partie : functions, keys, algorithms, cookies, parameters, libraries, risks."
        ),
    ] = "",
) -> None:
    """Dresser l’inventaire : fonctions, clés, algorithmes, cookies, paramètres, bibliothèques, risques résiduels.

    D’après la configuration en vigueur. Aucun secret n’est montré : une clé est dite par sa version, une paire par
    son empreinte.
    """
    now = datetime.now(UTC)
    with explained():
        tables = taken(Settings.load(settings), now)
    if part:
        tables = tuple(table for table in tables if table.id == part)
        if not tables:
            err.print(
                "Partie inconnue : functions, keys, algorithms, cookies, parameters, libraries, risks", markup=False
            )
            raise typer.Exit(EXIT_USAGE)
    if json:
        print_json(
            {
                "schema": SCHEMA,
                "version": imagin_gateway.__version__,
                "at": now.isoformat(timespec="seconds"),
                "settings": str(settings),
                "parts": {
                    table.id: {"title": table.title, "columns": table.columns, "rows": table.rows} for table in tables
                },
            }
        )
    elif markdown:
        out.print(f"# Inventaire de la passerelle, {now:%d/%m/%Y}\n", markup=False)
        for table in tables:
            _page(table)
    else:
        for table in tables:
            _columns(table)


def _columns(table: Table) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(table.columns, *table.rows, strict=True)]
    out.print(f"\n{table.title}", style="bold", markup=False)
    for row in table.rows:
        cells = (_plain(cell).ljust(min(width, 48)) for cell, width in zip(row, widths, strict=True))
        out.print(f"  {'  '.join(cells).rstrip()}", markup=False)


def _page(table: Table) -> None:
    out.print(f"## {table.title}\n", markup=False)
    for row in (table.columns, ("---",) * len(table.columns), *table.rows):
        out.print("| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in row) + " |", markup=False)
    out.print("", markup=False)


def _plain(value: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in value)
