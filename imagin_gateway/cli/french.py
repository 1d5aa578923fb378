"""What the library of the command line says by itself, in French: its help, and an order that was said wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import typer
import typer.core

# Of its usage errors the library exports this one alone, and others are its sisters.
_UsageError: Final = cast("type[typer.BadParameter]", typer.BadParameter.__base__)

_SAID: Final = (
    ("Missing argument {}.", "Il manque l'argument {}."),
    ("Missing option {}.", "Il manque l'option {}."),
    ("Missing command.", "Il manque une commande."),
    ("No such option: {} (Possible options: {})", "Option inconnue : {} (peut-être : {})"),
    ("No such option: {} Did you mean {}?", "Option inconnue : {} (peut-être : {})"),
    ("No such option: {}", "Option inconnue : {}"),
    ("No such command {}. Did you mean {}?", "Commande inconnue : {}. Peut-être : {}."),
    ("No such command {}.", "Commande inconnue : {}."),
    ("Got unexpected extra argument(s) ({})", "En trop : {}"),
    ("Got unexpected extra arguments ({})", "En trop : {}"),
    ("Got unexpected extra argument ({})", "En trop : {}"),
    ("Option {} requires an argument.", "L'option {} attend une valeur."),
    ("Option {} does not take a value.", "L'option {} n'attend pas de valeur."),
)
_REFUSED: Final = (
    ("Invalid value for {}: {}", "Valeur refusée pour {} : {}"),
    ("Invalid value: {}", "Valeur refusée : {}"),
)
_VALUES: Final = (
    ("Input should be a valid integer{}", "un nombre entier est attendu"),
    ("{} is not a valid integer range.", "un nombre entier est attendu"),
    ("{} is not a valid integer.", "un nombre entier est attendu"),
    ("Input should be a valid number{}", "un nombre est attendu"),
    ("{} is not a valid float range.", "un nombre est attendu"),
    ("{} is not a valid float.", "un nombre est attendu"),
    ("Input should be greater than or equal to {}", "le moins est {}"),
    ("Input should be less than or equal to {}", "le plus est {}"),
    ("{} is not in the range {}.", "{} n'est pas dans {}"),
    ("Value error, {} is not one of {}.", "{} n'est aucun de : {}"),
    ("{} is not one of {}.", "{} n'est aucun de : {}"),
)
"""What the library says, and that in French; the first that fits."""


def french(said: str) -> str:
    """Return what the library said of an order, in French; what is ours, or not known, as it is."""
    for english, words in _REFUSED:
        if (held := _holes(english, said)) is not None:
            return words.format(*held[:-1], _of(_VALUES, held[-1]))
    return _of(_SAID, said)


def _of(sentences: tuple[tuple[str, str], ...], said: str) -> str:
    for english, words in sentences:
        if (held := _holes(english, said)) is not None:
            return words.format(*held)
    return said


def _holes(sentence: str, said: str) -> list[str] | None:
    """Return what stands in the holes of a sentence; None when another one is said."""
    first, *others = sentence.split("{}")
    if not said.startswith(first) or (not others and said != first):
        return None
    held, rest = [], said[len(first) :]
    for piece in others[:-1]:
        inside, found, rest = rest.partition(piece)
        if not found:
            return None
        held.append(inside)
    if others:
        if not rest.endswith(others[-1]):
            return None
        held.append(rest.removesuffix(others[-1]))
    return held


@contextmanager
def _explained(context: Any) -> Iterator[None]:
    """Say in French what is wrong with an order, with the command it was for."""
    try:
        yield
    except _UsageError as error:
        told = error.format_message()
        if (said := french(told)) == told:
            raise
        _panels()
        (error.ctx or context).fail(said)


def _panels() -> None:
    """Give the panels French titles. Only for help and errors: what draws them takes a while to import."""
    from typer import rich_utils

    rich_utils.COMMANDS_PANEL_TITLE = "Commandes"
    rich_utils.ERRORS_PANEL_TITLE = "Erreur"
    rich_utils.DEFAULT_STRING = "[par défaut : {}]"
    rich_utils.ENVVAR_STRING = "[variable : {}]"
    rich_utils.REQUIRED_LONG_STRING = "[obligatoire]"
    rich_utils.RICH_HELP = "Aide : [blue]{command_path} {help_option}[/]"


class _Speaking:
    """What commands and groups of them say otherwise than the library."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write how the command is called."""
        words: list[str] = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, " ".join(words), prefix="Usage : ")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _panels()
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option that shows the help."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = "Montrer cette aide, et finir."
        return option

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of an order."""
        with _explained(ctx):
            rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        return rest

    def invoke(self, ctx: Any) -> Any:
        """Carry out an order."""
        with _explained(ctx):
            return super().invoke(ctx)  # type: ignore[misc]


class FrenchCommand(_Speaking, typer.core.TyperCommand):
    """A command that speaks French."""

    def __init__(self, *words: Any, **attributes: Any) -> None:
        super().__init__(*words, **attributes)
        # The lines of a docstring are those of an editor, not of a terminal: the library keeps them below the first.
        self.help = re.sub(r"(?<!\n)\n(?!\n)", " ", self.help) if self.help else None


class FrenchGroup(_Speaking, typer.core.TyperGroup):
    """A group of commands that speaks French."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.subcommand_metavar = "COMMANDE [ARGUMENTS]..."
