"""`imagin-gateway accounts inactive`: who will be erased because nobody used their account, and doing it now."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from imagin_gateway.cli.common import (
    DEFAULT_FILE,
    EXIT_USAGE,
    Actor,
    Json,
    SettingsFile,
    Yes,
    acting,
    confirmed,
    counted,
    err,
    out,
    print_json,
    resumable,
    stores,
)
from imagin_gateway.local.inactivity import Due
from imagin_gateway.opening import Stores


def inactive(
    within: Annotated[int, typer.Option(min=0, max=366, help="Ceux qui le seront dans ce nombre de jours.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Comptes montrés, au plus.")] = 20,
    erase: Annotated[bool, typer.Option("--erase", help="Les effacer maintenant, tous, sans retour.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    actor: Actor = None,
    settings: SettingsFile = DEFAULT_FILE,
) -> None:
    """Dire quels comptes sont inactifs (accounts.inactive_months). Ils s'effacent seuls, quelques-uns par heure."""
    if erase and within:
        err.print("--erase n'efface que ce qui est échu : l'utiliser sans --within.")
        raise typer.Exit(EXIT_USAGE)
    by = acting(actor) if erase else ""
    with stores(settings) as opened:
        due = opened.direct.inactivity.due(within=timedelta(days=within), most=limit)
        erased = _erase(opened, due, by, yes=yes) if erase else 0
        months = opened.settings.accounts.inactive_months
    if as_json:
        shown = [{"identifier": who, "last_use": day.date().isoformat()} for who, day in due.first]
        print_json(
            {"inactive_months": months, "within_days": within, "due": due.count, "first": shown, "erased": erased}
        )
    elif erase:
        out.print(f"{counted(erased, 'compte effacé', 'comptes effacés')}.")
    else:
        _show(due, within)


def _erase(opened: Stores, due: Due, by: str, *, yes: bool) -> int:
    if not due.count:
        return 0
    told = counted(due.count, "compte sera effacé", "comptes seront effacés")
    question = f"{told}, sans retour. Retaper ce nombre pour continuer :"
    confirmed(question, str(due.count), yes=yes)
    done = 0
    with resumable():
        while done < due.count and (erased := opened.direct.erase_inactive(actor=by)):
            done += erased
    return done


def _show(due: Due, within: int) -> None:
    when = f"dans {counted(within, 'jour')}" if within else "maintenant"
    out.print(f"{counted(due.count, 'compte')} à effacer {when}.")
    if due.first:
        table = Table("Identifiant", "Dernier usage")
        for identifier, day in due.first:
            table.add_row(identifier, f"{day:%d/%m/%Y}")
        out.print(table)
