"""`imagin-gateway policy`: which door, and why."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from imagin_gateway.cli.common import EXIT_REFUSED, counted, err, explained, out
from imagin_gateway.policy import Facts, FactsRefused, Policy, load, render, siec

app = typer.Typer(help="Les règles : quelle porte, et pourquoi.", no_args_is_help=True)

Table = Annotated[Path | None, typer.Option("--table", help="Une autre table que celle du SIEC (TOML).")]


def _policy(table: Path | None) -> Policy:
    return siec() if table is None else load(table)


@app.command("explain")
def explain(
    facts: Annotated[
        list[str] | None, typer.Argument(help="Faits connus, par exemple : convocation=ours posting=paris email=yes")
    ] = None,
    table: Table = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Dire aussi pourquoi les autres règles ne conviennent pas.")
    ] = False,
) -> None:
    """Dire quelle porte, par quelle règle, et pourquoi."""
    with explained():
        policy = _policy(table)
        try:
            situation = Facts.parse(_pairs(facts or []))
        except FactsRefused as refused:
            err.print(f"Ces faits ne vont pas : {refused}", style="red", markup=False)
            raise typer.Exit(EXIT_REFUSED) from None
        out.print(render.explanation_text(policy, situation, others=verbose), markup=False, end="")
        if not verbose:
            out.print("\nPourquoi les autres règles ne conviennent pas : --verbose")


def _pairs(facts: list[str]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in map(_pair, facts):
        if told.setdefault(name, value) != value:
            err.print(f"{name} est dit deux fois, autrement : {told[name]}, {value}", style="red", markup=False)
            raise typer.Exit(2)
    return told


def _pair(fact: str) -> tuple[str, str]:
    name, separator, value = fact.partition("=")
    if not separator:
        err.print(f"Un fait s'écrit nom=valeur : {fact}", style="red", markup=False)
        raise typer.Exit(2)
    return name, value


class Form(StrEnum):
    """Forms of the matrix."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"


class Picture(StrEnum):
    """Forms of the tree of questions."""

    MERMAID = "mermaid"
    SVG = "svg"


class Language(StrEnum):
    """Languages of the table."""

    FR = "fr"
    EN = "en"


InLanguage = Annotated[Language, typer.Option("--lang", help="Langue.")]


@app.command("table")
def matrix(
    table: Table = None,
    form: Annotated[Form, typer.Option("--format", help="Forme.")] = Form.TEXT,
    lang: InLanguage = Language.FR,
) -> None:
    """Montrer toutes les règles, dans l'ordre, avec ce sur quoi chacune repose."""
    with explained():
        policy = _policy(table)
        write = {Form.TEXT: render.matrix_text, Form.MARKDOWN: render.matrix_markdown, Form.CSV: render.matrix_csv}
        sys.stdout.write(write[form](policy, lang.value))


@app.command("graph")
def graph(
    table: Table = None,
    form: Annotated[Picture, typer.Option("--format", help="Forme.")] = Picture.MERMAID,
    lang: InLanguage = Language.FR,
) -> None:
    """Dessiner l'arbre des questions."""
    with explained():
        policy = _policy(table)
        write = {Picture.MERMAID: render.tree_mermaid, Picture.SVG: render.tree_svg}
        sys.stdout.write(write[form](policy, lang.value))


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="Table de règles (TOML).")]) -> None:
    """Prouver une table : chaque situation a une réponse, chaque règle sert ; sinon, donner un contre-exemple."""
    with explained():
        policy = load(file)
        situations = sum(policy.situations().values())
        told = [f"{situations:,} situation{'s' if situations > 1 else ''}".replace(",", " ")]
        questions, _ = policy.longest_interview()
        told += [counted(len(policy.rules), "règle"), counted(questions, "question")]
        out.print(f"Table prouvée : {', '.join(told)} au plus.", markup=False)
