"""`make demo`: everything on loopback, one screen that says what to open and what to type; Ctrl-C stops it all."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path
from queue import SimpleQueue

from examples.demo.portals.people import PEOPLE
from examples.demo.stage import Ports, Stage

FOLDER = Path(".demo")
PORTS = Ports(host=8400, mailbox=8405, smtp=8406, creteil=8401, paris=8402, versailles=8403)

DOORS = {
    "arena-creteil": "Agent de l'académie de Créteil (SAML 2.0)",
    "arena-paris": "Agent de l'académie de Paris (OpenID Connect)",
    "arena-versailles": "Agent de l'académie de Versailles (SAML 2.0)",
}


def screen(stage: Stage) -> str:
    """Return the one screen."""
    lines = ["", "  Imagin SIEC, démonstration (tout est simulé, sur cette machine seulement)", ""]
    lines += [f"  Ouvrir           {stage.url('/missions')}", f"  Courriels        {stage.mailbox_url}", ""]
    for door, label in DOORS.items():
        lines.append(f"  {label}")
        lines.append(f"      portail       {stage.portal_url(door)}   (lien « Imagin » après la connexion)")
        lines += [f"      {each.login:<13} {each.password:<24} {each.name}" for each in PEOPLE[door]]
        lines.append("")
    lines.append("  Tous les autres : accès direct, identifiant et mot de passe provisoire de la convocation")
    for situation in ("formateur en CFA", "surveillant", "inspecteur général", "professionnel"):
        letter = stage.letter(situation)
        lines.append(f"      {letter.identifier:<13} {letter.password:<24} {letter.name}, {situation}")
    env = f"IMAGIN_GATEWAY_FILE={stage.settings_file}"
    lines += ["", "  L'exploitant     (dans un autre terminal)"]
    lines.append(f"      {env} .venv/bin/imagin-gateway sessions end --door arena-paris")
    lines.append(f"      tail -f {stage.folder / 'events.jsonl'}")
    lines += ["", "  Ctrl-C arrête tout.", ""]
    return "\n".join(lines)


def main() -> int:
    """Run the demonstration until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", choices=("asgi", "wsgi"), default="asgi")
    parser.add_argument("--free-ports", action="store_true", help="any free ports, when 8400 to 8406 are taken")
    options = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    # No Event: set by a second signal within the handler of the first, it waits for itself.
    stop: SimpleQueue[int] = SimpleQueue()
    stopped = False
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, _: stop.put(number))
    print("Préparation de la démonstration...", flush=True)
    try:
        with Stage(FOLDER, host=options.host, ports=None if options.free_ports else PORTS) as stage:
            print(screen(stage), flush=True)
            stopped = bool(stop.get())
            print("Arrêt.", flush=True)
    except (RuntimeError, OSError) as error:
        if stopped or not stop.empty():
            print("Arrêt.", flush=True)
            return 0
        print(f"La démonstration n'a pas démarré : {error}", file=sys.stderr)
        print("Un port est peut-être pris : make demo ARGS=--free-ports", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
