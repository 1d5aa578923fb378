"""`imagin-gateway metrics`: what the monitoring system is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import typer

from imagin_gateway.cli.common import out
from imagin_gateway.flows.metrics import FIGURES, PREFIX

DASHBOARD: Final = Path(__file__).with_name("grafana.json")

app = typer.Typer(help="Mesures pour Prometheus et Grafana.", no_args_is_help=True)


@app.command("dashboard")
def dashboard() -> None:
    """Écrire le tableau de bord pour Grafana (à importer tel quel)."""
    sys.stdout.write(DASHBOARD.read_text(encoding="utf-8"))


@app.command("list")
def list_() -> None:
    """Nommer chaque mesure, ses étiquettes et ce qu'elle dit."""
    for name, figure in FIGURES.items():
        labels = f"{{{', '.join(figure.labels)}}}" if figure.labels else ""
        out.print(f"{PREFIX}{name}{labels}  ({figure.kind})  {figure.says}", markup=False)
