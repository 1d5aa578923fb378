"""`imagin-gateway check`: everything that can be wrong before opening day, told before the first user finds it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from imagin_gateway.cli.common import DEFAULT_FILE, Json, SettingsFile, counted, err, out, print_json
from imagin_gateway.operating import check as checking
from imagin_gateway.operating.findings import Finding, Report, Severity
from imagin_gateway.operating.ground import Places
from imagin_gateway.operating.probes.rules import DOOR

_WORDS: Final = {
    Severity.FATAL: ("À CORRIGER", "red"),
    Severity.UNKNOWN: ("NON VÉRIFIÉ", "magenta"),
    Severity.WARNING: ("À SURVEILLER", "yellow"),
    Severity.OK: ("bon", "green"),
}


app = typer.Typer(add_completion=False)


@app.command("check")
def check(
    settings: SettingsFile = DEFAULT_FILE,
    json: Json = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ne rien demander au réseau : ni portails, ni courrier, ni site.")
    ] = False,
    mail_to: Annotated[str, typer.Option("--mail-to", help="Envoyer un vrai courriel d’essai à cette adresse.")] = "",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60, help="Secondes laissées à chaque connexion.")
    ] = 5.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Montrer aussi ce qui est bon.")] = False,
) -> None:
    """Vérifier tout ce qui peut manquer avant l’ouverture, et dire quoi faire.

    Réglages, clés, horloges, bases, Redis, courrier, portails, adresse, mandataires, droits des fichiers.
    Rien n’est changé ; aucun secret n’est montré. Finit par 0 si tout est bon, 1 s’il y a quelque chose à
    surveiller, 2 s’il y a quelque chose à corriger, 3 si une vérification n’a pas pu se faire.
    """
    if verbose:
        logging.getLogger("imagin_gateway.operating").setLevel(logging.DEBUG)
        logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
    else:
        # The rooms say in the log what is told here in words.
        logging.getLogger("imagin_gateway").addHandler(logging.NullHandler())
        logging.getLogger("imagin_gateway").propagate = False
    with err.status("vérification…") as status:

        def progress(waiting: Sequence[str]) -> None:
            status.update(f"vérification… reste : {', '.join(waiting[:4])}{'…' if len(waiting) > 4 else ''}")

        report = checking.check(
            settings, datetime.now(UTC), offline=offline, mail_to=mail_to, timeout=timeout, progress=progress
        )
    places = checking.places(settings)
    if json:
        keys = {each.key for each in report.findings if each.key}
        print_json(report.as_json({key: places.of(key) for key in keys}))
    else:
        _show(report, places, verbose=verbose)
    raise typer.Exit(report.exit_code)


def _show(report: Report, places: Places, *, verbose: bool) -> None:
    out.print(_summary(report), markup=False, style=_WORDS[report.worst][1])
    for finding in report.findings:
        if finding.severity is not Severity.OK or verbose:
            _one(finding, places)
    if not verbose:
        for finding in report.findings:
            if finding.id == DOOR:
                out.print(f"{_plain(finding.subject)} : {_plain(finding.text)}", markup=False)
    if not verbose and report.count(Severity.OK):
        good = counted(report.count(Severity.OK), "vérification bonne", "vérifications bonnes")
        out.print(f"{good} ; les voir : --verbose", style="green")


def _summary(report: Report) -> str:
    """The line that a monitoring shows."""
    state = {2: "CRITIQUE", 3: "INCONNU", 1: "ATTENTION", 0: "BON"}[report.exit_code]
    counts = [
        counted(report.count(severity), one, many)
        for severity, one, many in (
            (Severity.FATAL, "à corriger", "à corriger"),
            (Severity.UNKNOWN, "non vérifié", "non vérifiés"),
            (Severity.WARNING, "à surveiller", "à surveiller"),
            (Severity.OK, "bon", "bons"),
        )
        if report.count(severity)
    ]
    return f"{state} : {', '.join(counts)} ({report.settings})"


def _one(finding: Finding, places: Places) -> None:
    word, style = _WORDS[finding.severity]
    key = f"{finding.key} : " if finding.key else ""
    out.print(f"{word} [{finding.id}] {_plain(finding.subject)}", style=style, markup=False)
    out.print(f"    {key}{_plain(finding.text)}", markup=False)
    if finding.remedy:
        out.print(f"    → {_plain(finding.remedy)}", markup=False)
    if finding.key and (where := places.of(finding.key)) and finding.severity is not Severity.OK:
        out.print(f"    ({where})", markup=False)


def _plain(value: str) -> str:
    """Return what may come from outside on one line, without anything that a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in value)[:600]
