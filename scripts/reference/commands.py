"""Every command of `imagin-gateway`, with its options, as `--help` tells them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import typer.main

from imagin_gateway.cli.root import app
from scripts.reference.markdown import first_sentence, table

PAGE: Final = "reference/commands.md"

HEAD: Final = """# Commands

`imagin-gateway` comes with `pip install "imagin-gateway[cli]"`. It speaks French, to whoever operates; what it prints with
`--json` is for scripts. `--settings FILE` names the settings everywhere they are needed (`gateway.toml`). Exit codes: 0 done;
1 refused, or something is wrong; 2 said wrongly, or nobody to answer a question; 3 settings; 4 a store does not answer.
"""


def text() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, command in sorted(commands()):
        parts += [f"## `{name}`\n", first_sentence(command.help) + ".\n"]
        rows = [row for row in map(partial(_row, command), command.params) if row[0] != "`--help`"]
        if rows:
            parts += [table(["", ""], rows), ""]
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command of the real command line, by its words."""

    def below(group: Any, words: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                if command.invoke_without_command:
                    yield words + name, command
                yield from below(command, f"{words}{name} ")
            elif not command.hidden:
                yield words + name, command

    yield from below(typer.main.get_command(app), "")


def _row(command: Any, parameter: Any) -> tuple[str, str]:
    context = command.context_class(command)
    written, said = parameter.get_help_record(context) or (" ".join(parameter.get_usage_pieces(context)), "")
    if parameter.param_type_name == "argument":
        written = " ".join(parameter.get_usage_pieces(context))
    return f"`{written}`", said
