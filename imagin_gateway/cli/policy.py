"""`imagin-gateway policy`: which door, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli.common import err, explained, out
from imagin_gateway.policy import Facts, FactsRefused, Policy, load, siec

app = typer.Typer(help="Les règles : quelle porte, et pourquoi.", no_args_is_help=True)

Table = Annotated[Path | None, typer.Option("--table", help="Une autre table que celle du SIEC (TOML).")]


@app.callback()
def _group() -> None:
    """Keep `policy explain` a subcommand, though it is the only one."""


def _policy(table: Path | None) -> Policy:
    return siec() if table is None else load(table)


@app.command("explain")
def explain(
    facts: Annotated[
        list[str] | None, typer.Argument(help="Faits connus, par exemple : convocation=ours posting=paris email=yes")
    ] = None,
    table: Table = None,
) -> None:
    """Dire quelle porte, par quelle règle, et pourquoi les autres ne conviennent pas."""
    with explained():
        policy = _policy(table)
        try:
            situation = Facts.parse(dict(_pair(fact) for fact in facts or []))
        except FactsRefused as refused:
            err.print(f"Ces faits ne vont pas : {refused}", style="red", markup=False)
            raise typer.Exit(1) from None
        out.print(f"Situation   {situation.describe() or 'rien de connu'}", markup=False)
        for tried in policy.explain(situation):
            out.print(f"  {tried}", markup=False)
        decision = policy.decide(situation)
        where = policy.door(decision.door).name.fr if decision.door else decision.outcome
        out.print(f"Porte       {decision.outcome} ({where})", markup=False)
        out.print(f"Règle       {decision.rule}, {decision.mark}, {', '.join(decision.clauses)}", markup=False)
        out.print(f"Pourquoi    {decision.sentence.fr}", markup=False)
        for number, second in enumerate(decision.second, 2):
            out.print(f"Choix {number}     {second}", markup=False)
        if decision.question:
            out.print(f"À demander  {decision.question}", markup=False)
        out.print(f"Contact     {decision.contact.text.fr}", markup=False)


def _pair(fact: str) -> tuple[str, str]:
    name, separator, value = fact.partition("=")
    if not separator:
        err.print(f"Un fait s'écrit nom=valeur : {fact}", style="red", markup=False)
        raise typer.Exit(2)
    return name, value
