"""`imagin-gateway events`: what happened, to whom, and why; and who a pseudonym is."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    EXIT_USAGE,
    Actor,
    SettingsFile,
    acting,
    actor,
    err,
    explained,
    out,
    shown,
    stores,
)
from imagin_gateway.cli.following import follow as followed
from imagin_gateway.cli.moments import FORMS, moment
from imagin_gateway.cli.selecting import Selection, files, now, select
from imagin_gateway.cli.sessions import issuer_of, subject_at
from imagin_gateway.clock import SystemClock
from imagin_gateway.errors import Code, GatewayError
from imagin_gateway.events import Event, EventName
from imagin_gateway.events.reading import Record
from imagin_gateway.events.schema import PATH as SCHEMA
from imagin_gateway.events.telling import LANGUAGES, Words, words
from imagin_gateway.identity import Door
from imagin_gateway.opening import open_events, open_policy
from imagin_gateway.pages.spoken import PARIS
from imagin_gateway.settings import Settings
from imagin_gateway.settings.proconnect import PROCONNECT

app = typer.Typer(help="Événements : lire, filtrer, suivre, retrouver une personne.")

Many = list[str] | None


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    person: Annotated[str, typer.Option(help="Identifiant d'une personne : ce qui lui est arrivé.")] = "",
    door: Annotated[
        Many, typer.Option(help="Porte ; avec --person, celle de l'identifiant (direct par défaut).")
    ] = None,
    pseudonym: Annotated[Many, typer.Option(help="Pseudonyme, comme dans les événements.")] = None,
    reference: Annotated[str, typer.Option(help="Référence lue sur la page : R-7K4M-2QXP.")] = "",
    kind: Annotated[Many, typer.Option(help="Sorte d'événement : login_refused…")] = None,
    code: Annotated[Many, typer.Option(help="Code de la raison : direct.credentials…")] = None,
    address: Annotated[str, typer.Option(help="Adresse du client.")] = "",
    failures: Annotated[bool, typer.Option("--failures", help="Refus et pannes seulement.")] = False,
    since: Annotated[str, typer.Option(help=f"À partir de ce moment : {FORMS}.")] = "",
    until: Annotated[str, typer.Option(help="Jusqu'à ce moment, exclu.")] = "",
    file: Annotated[list[Path] | None, typer.Option(help="Fichier à lire au lieu de ceux des réglages.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continuer, à mesure qu'ils arrivent.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Les lignes JSON telles quelles.")] = False,
    language: Annotated[str, typer.Option(help="Langue des phrases : fr ou en.")] = "fr",
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Lire les événements en toutes lettres. Sans filtre : tout ce qui est gardé."""
    if context.invoked_subcommand is not None:
        return
    if language not in LANGUAGES:
        raise typer.BadParameter("fr ou en", param_hint="--language")
    _known(kind, EventName, "--kind")
    _known(code, Code, "--code")
    given = {
        "person": person,
        "door": door,
        "pseudonym": pseudonym,
        "reference": reference,
        "kind": kind,
        "code": code,
        "address": address,
        "failures": failures,
        "since": since,
        "until": until,
        "file": file,
    }
    start = moment(since, now(), "--since") if since else None
    end = moment(until, now(), "--until") if until else None
    if start is not None and start > now():
        # The morning after, 20:00 is still to come: nothing found would be read as nothing happened.
        err.print(
            f"« {shown(since)} » est encore à venir ; la veille : --since 'hier 20:00'.", style="yellow", markup=False
        )
    if start is not None and end is not None and start >= end:
        raise typer.BadParameter("la fin précède le début", param_hint="--until")
    selection = Selection(
        since=start,
        until=end,
        kinds=frozenset(kind or ()),
        codes=frozenset(code or ()),
        doors=frozenset(() if person else door or ()),
        people=frozenset(pseudonym or ()),
        reference=_reference(reference),
        address=_address(address),
        failures=failures,
        told=tuple(name for name, value in given.items() if value),
    )
    with explained(), contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        loaded = Settings.load(settings)
        log = open_events(loaded)
        who: tuple[str, str] | None = None
        if person:
            behind = (door or [Door.DIRECT])[0]
            who = (issuer_of(loaded, behind), subject_at(loaded, behind, person))
            selection = replace(selection, people=selection.people | log.pseudonyms(who))
        else:
            _doubt(loaded, door or ())
        paths = files(loaded.events.file, file or (), selection)
        if not paths and not follow:
            err.print(_nowhere(loaded), style="red", markup=False)
            raise typer.Exit(EXIT_REFUSED)
        printer = _Printer(words(language), as_json=as_json)
        try:
            if not follow or since:
                printer.print(select(paths, selection))
            if follow:
                place = file[0] if file else loaded.events.file
                if place is None:
                    err.print("Les événements ne vont pas dans un fichier : rien à suivre ici.", style="red")
                    raise typer.Exit(EXIT_REFUSED)
                printer.print(each for each in followed(place, SystemClock()) if selection.wants(each[1]))
        finally:
            # Who looks somebody up is told, too (row LOG-06); said once it is read, so that it is not in what is read.
            read: dict[str, str | int | bool] = {"filters": ",".join(selection.told), "found": printer.printed}
            log.emit(Event(name=EventName.EVENTS_READ, actor=actor(), person=who, detail=read))
            log.close()
        if not as_json:
            printer.sum_up(person)


def _known(values: Many, names: type[EventName] | type[Code], option: str) -> None:
    for value in values or ():
        if value not in set(names):
            raise typer.BadParameter(
                f"« {value} » n'existe pas ; voir : imagin-gateway events schema", param_hint=option
            )


def _reference(typed: str) -> str:
    if not typed.strip():
        return ""
    # A tenth of a second of imports that every other reading does without.
    from imagin_gateway.gateway import read_reference

    try:
        return read_reference(typed)
    except ValueError:
        raise typer.BadParameter(
            f"« {typed} » n'est pas une référence ; par exemple : R-7K4M-2QXP", param_hint="--reference"
        ) from None


def _address(typed: str) -> str:
    """Return an address as events write it."""
    if not typed.strip():
        return ""
    try:
        found = ipaddress.ip_address(typed.strip().strip("[]"))
        return str(getattr(found, "ipv4_mapped", None) or found)
    except ValueError:
        raise typer.BadParameter(
            f"« {typed} » n'est pas une adresse IP ; par exemple : 192.0.2.7", param_hint="--address"
        ) from None


def _doubt(settings: Settings, doors: Iterable[str]) -> None:
    """Say which doors are not of today; the files may hold those of an older release or table."""
    unknown = [door for door in doors if door not in {Door.DIRECT, PROCONNECT, *settings.portals}]
    if not unknown:
        return
    try:
        unknown = [door for door in unknown if door not in open_policy(settings).doors]
    except GatewayError:
        # Events are read to find out what is wrong: a table that is refused does not stop them.
        return
    if unknown:
        told = ", ".join(f"« {shown(door)} »" for door in unknown)
        err.print(f"Porte inconnue de la politique et des réglages : {told}.", style="yellow", markup=False)


def _nowhere(settings: Settings) -> str:
    if settings.events.file is None:
        return "Les événements ne vont pas dans un fichier : en donner un par --file."
    return f"Aucun fichier d'événements pour cette période : {settings.events.path}"


class _Printer:
    """Prints events one by one, and keeps counts of them only."""

    def __init__(self, told: Words, *, as_json: bool) -> None:
        self._words = told
        self._as_json = as_json
        self._day = ""
        self._counts: Counter[str] = Counter()
        self.printed = 0

    def print(self, found: Iterable[tuple[bytes, Record]]) -> None:
        for line, record in found:
            self.printed += 1
            if self._as_json:
                sys.stdout.write(line.decode() + "\n")
                sys.stdout.flush()
                continue
            for text in self._lines(record):
                out.print(text, markup=False)

    def _lines(self, record: Record) -> Iterator[str]:
        here = record.at.astimezone(PARIS)
        day = f"{here:%d/%m/%Y}"
        if day != self._day:
            self._day = day
            yield day
        # Some facts are what others said: a mail relay, a file that is not ours.
        sentence = shown(self._words.sentence(record))
        self._counts[sentence] += 1
        beside = [record.door, record.address, record.correlation, record.person, record.actor]
        yield f"  {here:%H:%M:%S}  {sentence}  [{' '.join(shown(each) for each in beside if each)}]"

    def sum_up(self, person: str) -> None:
        """Say in short what was read."""
        french = self._words.language == "fr"
        if not self.printed:
            out.print("Rien de tel n'est écrit." if french else "Nothing of the kind is written.")
            return
        if person:
            total = ("En bref : " if french else "In short: ") + " ; ".join(
                f"{sentence}{f' ({count} fois)' if french else f' ({count} times)'}" if count > 1 else sentence
                for sentence, count in self._counts.items()
            )
            out.print(total, markup=False)


@app.command("who")
def who(
    pseudonym: Annotated[str, typer.Argument(help="Pseudonyme, comme dans les événements.")],
    by: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Dire qui est derrière un pseudonyme, parmi les comptes et les personnes reliées. L'acte est noté."""
    author = acting(by)
    with stores(settings) as opened:
        sought = pseudonym.strip().lower()
        found = next(
            (each for each in opened.direct.personal.everybody() if sought in opened.events.pseudonyms(each)), None
        )
        # Told with the person it is about, found or not.
        opened.events.emit(
            Event(name=EventName.PSEUDONYM_OPENED, actor=author, person=found, detail={"found": int(found is not None)})
        )
    if found is None:
        err.print(
            "Personne ici : un compte effacé, quelqu'un d'un portail (essayer events --person … --door …), "
            "ou une clé qui n'est plus gardée.",
        )
        raise typer.Exit(EXIT_REFUSED)
    out.print(f"{found[1]}  ({found[0]})", markup=False)


@app.command("schema")
def schema() -> None:
    """Écrire le schéma JSON d'une ligne : toutes les sortes, tous les codes, tous les faits."""
    sys.stdout.write(SCHEMA.read_text(encoding="utf-8"))


@app.command("purge")
def purge(settings: SettingsFile = DEFAULT_FILE) -> None:
    """Retirer maintenant les fichiers plus vieux que la durée de conservation (fait aussi chaque jour tout seul)."""
    with explained():
        loaded = Settings.load(settings)
        if loaded.events.file is None:
            err.print("Les événements ne vont pas dans un fichier : rien à purger ici.")
            raise typer.Exit(EXIT_USAGE)
        log = open_events(loaded)
        removed = log.purge()
        log.close()
    out.print(f"Fichiers retirés : {removed}.")
