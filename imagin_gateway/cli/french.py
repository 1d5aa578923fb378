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

_SAID: Final = tuple(
    (re.compile(english, re.DOTALL), french)
    for english, french in (
        (r"Missing argument (.+?)\.", r"Il manque l'argument \1."),
        (r"Missing option (.+?)\.", r"Il manque l'option \1."),
        (r"Missing command\.", r"Il manque une commande."),
        (r"No such option: (\S+)", r"Option inconnue : \1"),
        (r"No such option: (\S+) \(Possible options: (.+)\)", r"Option inconnue : \1 (peut-être : \2)"),
        (r"No such option: (\S+) Did you mean (.+)\?", r"Option inconnue : \1 (peut-être : \2)"),
        (r"No such command (.+)\. Did you mean (.+)\?", r"Commande inconnue : \1. Peut-être : \2."),
        (r"No such command (.+)\.", r"Commande inconnue : \1."),
        (r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", r"En trop : \1"),
        (r"Option (.+) requires an argument\.", r"L'option \1 attend une valeur."),
        (r"Option (.+) does not take a value\.", r"L'option \1 n'attend pas de valeur."),
    )
)
_REFUSED: Final = re.compile(r"Invalid value(?: for (.+?))?: (.+)", re.DOTALL)
_VALUES: Final = tuple(
    (re.compile(english, re.DOTALL), french)
    for english, french in (
        (
            r"Input should be a valid integer.*|.+ is not a valid int(?:eger)?(?: range)?\.",
            "un nombre entier est attendu",
        ),
        (r"Input should be a (?:valid|finite) number.*|.+ is not a valid float(?: range)?\.", "un nombre est attendu"),
        (r"Input should be greater than or equal to (.+)", r"le moins est \1"),
        (r"Input should be less than or equal to (.+)", r"le plus est \1"),
        (r"(\S+) is not in the range (.+)\.", r"\1 n'est pas dans \2"),
        (r"(?:Value error, )?(.+) is not one of (.+)\.", r"\1 n'est aucun de : \2"),
    )
)


def french(said: str) -> str:
    """Return what the library said of an order, in French; what is ours, or not known, as it is."""
    if refused := _REFUSED.fullmatch(said):
        where = f" pour {refused[1]}" if refused[1] else ""
        return f"Valeur refusée{where} : {_of(_VALUES, refused[2])}"
    return _of(_SAID, said)


def _of(sentences: tuple[tuple[re.Pattern[str], str], ...], said: str) -> str:
    found = next(((match, words) for each, words in sentences if (match := each.fullmatch(said))), None)
    return found[0].expand(found[1]) if found else said


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
