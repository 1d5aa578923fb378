"""Commands that change many accounts at once: a demanded change, and the answer to a leak."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_USAGE,
    Actor,
    Json,
    SettingsFile,
    Yes,
    acting,
    confirmed,
    counted,
    err,
    explained,
    out,
    print_json,
    resumable,
    shown,
    stores,
)
from imagin_gateway.events import Event, EventName
from imagin_gateway.flows.leak import answer_leak
from imagin_gateway.identity import DIRECT_ISSUER, Door
from imagin_gateway.local.door import Demanded
from imagin_gateway.local.letters import neutral
from imagin_gateway.opening import Stores

DryRun = Annotated[bool, typer.Option("--dry-run", help="Dire ce qui serait fait, et ne rien faire.")]

_NAMED = 20
"""Identifiers said one by one; `--json` has them all."""

_WHY = "(pas de mot de passe choisi, compte fermé ou bloqué, ou déjà demandé)"

_PROVISIONAL = "Mot de passe provisoire qui a fui : accounts reissue ; de plusieurs personnes : convocations reissue."


@contextmanager
def _shown(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long work is, on the error output."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def require_change(
    identifiers: Annotated[list[str] | None, typer.Argument(help="Identifiants Imagin.")] = None,
    file: Annotated[Path | None, typer.Option(help="Fichier : un identifiant par ligne.")] = None,
    office: Annotated[str, typer.Option(help="Tous ceux d'un service gestionnaire (son nom entier).")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Tous les comptes de l'accès direct.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Exiger un autre mot de passe (fuite soupçonnée) : les sessions se terminent, la suivante ne fait que cela."""
    if (bool(identifiers) + (file is not None) + bool(office) + everybody) != 1:
        err.print("Dire des identifiants, ou --file FICHIER, ou --office SERVICE, ou --all.")
        raise typer.Exit(EXIT_USAGE)
    by = acting(actor)
    given = identifiers or (_lines(file) if file is not None else None)
    with stores(settings) as opened:
        # Sessions must end with what they were opened by: with their store down, nothing is changed.
        opened.sessions.store.ping()
        asked = list(given) if given is not None else list(opened.direct.desk.identifiers(office=office))
        planned = opened.direct.would_require_change(asked)
        if dry_run:
            _told(planned, 0, as_json=as_json, dry=True)
            return
        if not identifiers:
            count = len(planned.changed)
            verb = "devront" if count > 1 else "devra"
            question = f"{counted(count, 'compte')} {verb} changer de mot de passe. Retaper ce nombre pour continuer :"
            confirmed(question, str(count), yes=yes)
        with resumable():
            with _shown(len(asked), "Comptes") as progress:
                demanded = opened.direct.require_change(asked, actor=by, progress=progress)
            # Of those who were asked before, too: whoever was interrupted here begins again.
            people = demanded.changed + demanded.left
            ended = 0
            with _shown(len(people), "Sessions") as progress:
                for number, identifier in enumerate(people, 1):
                    ended += opened.sessions.end_person(DIRECT_ISSUER, identifier)
                    progress(number)
        if ended:
            _ended(opened, ended, by)
    _told(demanded, ended, as_json=as_json)


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        err.print(f"Aucun fichier de ce nom : {file}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED)
    try:
        with explained():
            return [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        err.print("Le fichier n'est pas en UTF-8.", style="red")
        raise typer.Exit(EXIT_REFUSED) from None


def _told(demanded: Demanded, ended: int, *, as_json: bool, dry: bool = False) -> None:
    if as_json:
        counts = {"changed": len(demanded.changed), "left": len(demanded.left), "unknown": demanded.unknown}
        named = {"left_identifiers": demanded.left, "unknown_identifiers": demanded.nobody}
        print_json({**counts, **named, "sessions_ended": ended, "dry_run": dry})
    elif dry:
        verb = "devraient" if len(demanded.changed) > 1 else "devrait"
        out.print(f"{counted(len(demanded.changed), 'compte')} {verb} changer de mot de passe. Rien n'a été fait.")
    else:
        people, sessions = counted(len(demanded.changed), "compte"), counted(ended, "session")
        out.print(f"{people} à qui un autre mot de passe est demandé ; {sessions} terminée{'s' if ended > 1 else ''}.")
    if demanded.left:
        err.print(
            f"Sans effet sur {counted(len(demanded.left), 'compte')} {_WHY} : {_named(demanded.left)}",
            style="yellow",
            markup=False,
        )
        err.print(_PROVISIONAL, style="yellow")
    if demanded.unknown:
        told = f"Aucun compte pour {counted(demanded.unknown, 'identifiant')} : {_named(demanded.nobody)}"
        err.print(told, style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED)


def _named(identifiers: Sequence[str]) -> str:
    more = " …" if len(identifiers) > _NAMED else ""
    return ", ".join(shown(each.strip()) for each in identifiers[:_NAMED]) + more


def _ended(opened: Stores, ended: int, by: str) -> None:
    opened.events.emit(Event(name=EventName.SESSIONS_ENDED, door=Door.DIRECT, actor=by, detail={"ended": ended}))


def leak(
    letters: Annotated[
        bool, typer.Option("--letters", help="Tuer aussi les mots de passe provisoires des lettres envoyées.")
    ] = False,
    notify: Annotated[bool, typer.Option("--notify", help="Écrire à chaque personne concernée.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Fichier à écrire : les personnes concernées, à qui l'annoncer (CSV, lisible par vous seul)."
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Répondre à une fuite : toutes les sessions finissent, tout mot de passe est à changer, liens et codes meurent.

    Interrompue, la commande relancée termine ce qui restait.
    """
    by = acting(actor)
    with stores(settings) as opened:
        opened.sessions.store.ping()
        planned = len(opened.direct.would_require_change(opened.direct.desk.identifiers()).changed)
        if dry_run:
            told = counted(planned, "compte devrait", "comptes devraient")
            out.print(f"{told} changer de mot de passe. Rien n'a été fait.")
            return
        told = counted(planned, "mot de passe sera", "mots de passe seront")
        question = f"Toutes les sessions finiront, {told} à changer. Retaper ce nombre :"
        confirmed(question, str(planned), yes=yes)
        people = 0 if report is None else _report(opened, report)
        with resumable():
            done = answer_leak(opened.direct, opened.sessions, opened.events, letters=letters, actor=by)
            written = opened.direct.leaks.notify() if notify else 0
    counts = done.accounts
    if as_json:
        print_json(
            {
                "changed": counts.changed,
                "letters": counts.letters,
                "links": counts.links,
                "codes": counts.codes,
                "sessions_ended": done.sessions,
                "notified": written,
                "reported": people,
            }
        )
        return
    out.print(f"Mots de passe à changer : {counts.changed} ; lettres sans effet : {counts.letters}.")
    out.print(f"Liens morts : {counts.links} ; changements d'adresse morts : {counts.codes}.")
    out.print(f"Sessions terminées, toutes portes : {done.sessions} ; courriels à envoyer : {written}.")
    if report is not None:
        out.print(f"Personnes concernées : {people}, dans {report}", markup=False)
    err.print("Reste à faire : prévenir la CNIL sous 72 heures (RGPD, article 33) ; changer les clés si elles ont fui.")


def _report(opened: Stores, report: Path) -> int:
    """Write who is concerned; return how many. Before anything is changed: a full disk must not stop half-way."""
    try:
        descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        told = "ce fichier existe déjà ; un ordre interrompu l'a peut-être écrit, entier"
        err.print(f"{report} : {told}. Rien n'a été fait : relancer sans --report.", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None
    try:
        return _concerned(opened, descriptor)
    except BaseException:
        # Not whole, and in the way of the next one.
        report.unlink(missing_ok=True)
        raise


def _concerned(opened: Stores, descriptor: int) -> int:
    """Write them into an open file, which is then closed."""
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(("Identifiant", "Nom", "Prénom", "Courriel", "Service gestionnaire", "État"))
        count = 0
        for each in opened.direct.leaks.concerned():
            told = (each.identifier, each.family_name, each.given_name, each.email, each.office, each.state)
            writer.writerow([neutral(value) for value in told])
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count
