"""`imagin-gateway mail`: the sender of mail, as a process of its own."""

from __future__ import annotations

import signal
from queue import SimpleQueue
from typing import Annotated

import typer

from imagin_gateway.cli.common import DEFAULT_FILE, SettingsFile, err, out, stores

app = typer.Typer(help="Courriels en attente.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `mail run` a subcommand, though it is the only one."""


@app.command("run")
def run(
    settings: SettingsFile = DEFAULT_FILE,
    once: Annotated[bool, typer.Option("--once", help="Envoyer ce qui attend, puis finir.")] = False,
) -> None:
    """Envoyer les courriels, jusqu'à ce qu'on l'arrête. Plusieurs peuvent tourner : chacun part une fois."""
    with stores(settings) as opened:
        if once:
            out.print(f"Courriels partis : {opened.direct.deliver_due()}.")
            return
        # No Event: set by a second signal within the handler of the first, it waits for itself.
        stopping: SimpleQueue[int] = SimpleQueue()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: stopping.put(number))
        opened.direct.start_sender()
        err.print("Envoi des courriels ; Ctrl-C pour arrêter.")
        stopping.get()
        # A mail under way is ended first: it is not sent twice.
        opened.direct.stop_sender()
    out.print("Arrêté.")
