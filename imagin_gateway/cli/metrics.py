"""`imagin-gateway metrics`: what the monitoring system is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import typer

from imagin_gateway.cli.common import out
from imagin_gateway.flows.metrics import FIGURES, PREFIX

DASHBOARD: Final = Path(__file__).with_name("grafana.json")

SAYS: Final = {
    "logins": "Connexions, par porte, issue et raison.",
    "events": "Événements, par sorte et issue.",
    "mails": "Courriels, par sorte et issue.",
    "request_seconds": "Temps de réponse de nos propres pages.",
    "password_checks_waiting": "Mots de passe qui attendent d'être vérifiés.",
    "password_checks_working": "Mots de passe en cours de vérification.",
    "sessions_known": "Sessions que les processus connaissent sans interroger la base.",
    "session_reads": "Sessions lues, dans le processus ou dans la base.",
    "events_written": "Lignes écrites, par sortie des événements.",
    "events_lost": "Lignes perdues, par sortie des événements.",
    "event_sink_failures": "Écritures en échec, par sortie des événements.",
    "event_sink_failing": "Processus pour lesquels une sortie des événements est en panne.",
    "outbox_mails": "Courriels qui attendent de partir.",
    "outbox_oldest_seconds": "Âge du plus ancien courriel en attente.",
    "metadata_age_seconds": "Temps depuis la dernière demande des métadonnées d'un portail.",
    "up": "1 tant qu'une base répond.",
}
"""What each figure says, to whoever operates; what is served says it in English, as monitoring does."""

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
        out.print(f"{PREFIX}{name}{labels}  ({figure.kind})  {SAYS[name]}", markup=False)
