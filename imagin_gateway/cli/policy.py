"""`imagin-gateway policy`: which door, and why."""

from __future__ import annotations

import typer

app = typer.Typer(help="Les règles : quelle porte, et pourquoi.", no_args_is_help=True)
