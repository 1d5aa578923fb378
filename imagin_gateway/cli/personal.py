"""Commands for the rights of a person: everything that is kept of them, handed over or removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_REFUSED,
    Actor,
    SettingsFile,
    Yes,
    acting,
    confirmed,
    err,
    out,
    print_json,
    stores,
)
from imagin_gateway.events.retention import files_of
from imagin_gateway.flows.export import export_person
from imagin_gateway.flows.helping import By, Helping
from imagin_gateway.settings import Settings

Identifier = Annotated[str, typer.Argument(help="Identifiant Imagin.")]


def export(
    identifier: Identifier,
    to: Annotated[
        Path | None, typer.Option("--to", help="Fichier à écrire (JSON, lisible par vous seul) ; sinon, ici.")
    ] = None,
    log: Annotated[
        list[Path] | None, typer.Option("--log", help="Autre fichier d'événements où chercher (déjà mis de côté).")
    ] = None,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Remettre tout ce qui est gardé d'une personne (RGPD, article 15) : compte, sessions, événements. Aucun secret."""
    by = By(actor=acting(actor))
    with stores(settings) as opened:
        helping = Helping(opened.direct, opened.sessions, opened.events, by)
        logs = [*_own_log(opened.settings), *(log or [])]
        told = export_person(
            opened.direct,
            opened.sessions,
            opened.events,
            opened.clock,
            identifier,
            logs=logs,
            helping=helping,
        )
        if told is None:
            err.print("Aucun compte ne porte cet identifiant.")
            raise typer.Exit(EXIT_REFUSED)
        if to is not None:
            _write(told, to)
    if to is None:
        print_json(told)
    else:
        out.print(f"Données de {told['person']['subject']} : {to}", markup=False)  # type: ignore[index]  # made so
    if not logs:
        err.print("Les événements vont ailleurs que dans un fichier : les y chercher par leur pseudonyme.")


def _write(told: dict[str, object], to: Path) -> None:
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False, indent=2)
    except BaseException as error:
        # Not whole, and in the way of the next one.
        to.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(to)) from error
        raise


def _own_log(settings: Settings) -> list[Path]:
    file = settings.events.file
    return [kept.path for kept in files_of(file)] if file is not None else []


def erase(identifier: Identifier, yes: Yes = False, actor: Actor = None, settings: SettingsFile = DEFAULT_FILE) -> None:
    """Effacer une personne (RGPD, article 17) : tout, sessions comprises. Les événements restent, sans nom."""
    by = By(actor=acting(actor))
    with stores(settings) as opened:
        account = opened.direct.find(identifier)
        if account is not None:
            confirmed(
                f"Tout ce qui est gardé de {account.identifier} sera effacé, sans retour. Retaper son identifiant :",
                account.identifier,
                yes=yes,
            )
        helped = Helping(opened.direct, opened.sessions, opened.events, by).erase(identifier)
    if helped is None:
        err.print("Aucun compte ne porte cet identifiant.")
        raise typer.Exit(EXIT_REFUSED)
    out.print(f"{helped.account.identifier} effacé ; sessions terminées : {helped.ended}.", markup=False)
