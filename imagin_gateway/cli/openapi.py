"""`imagin-gateway openapi`: the description of the flows in JSON, with the address of this gateway."""

from __future__ import annotations

import json
import sys

import typer

from imagin_gateway.cli.common import DEFAULT_FILE, SettingsFile, explained
from imagin_gateway.openapi import openapi
from imagin_gateway.settings import Settings

app = typer.Typer(add_completion=False)


@app.command("openapi")
def describe(settings: SettingsFile = DEFAULT_FILE) -> None:
    """Écrire la description OpenAPI 3.1 des étapes en JSON, à l'adresse des réglages."""
    with explained():
        told = openapi(Settings.load(settings))
    # As it is, for a file or another program: no colour, no folding of lines.
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n")
