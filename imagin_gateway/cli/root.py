"""Command groups, put together; each is imported when it is asked for.

A command that reads one file is not kept waiting by what databases, portals and pages need.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

import typer
import typer.main

import imagin_gateway
from imagin_gateway.cli.common import out
from imagin_gateway.cli.french import FrenchCommand, FrenchGroup

GROUPS: Final = (
    *("accounts", "check", "convocations", "events", "inventory", "keys", "mail", "metrics"),
    *("oidc", "openapi", "policy", "report", "saml", "sessions"),
)
"""Commands and groups, each the module of its name with a value `app`."""


class _Commands(MutableMapping[str, Any]):
    """Commands by name: those there are, and those there will be once somebody asks for them."""

    def __init__(self, known: MutableMapping[str, Any]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> Any:
        if name not in self._known and name in GROUPS:
            self._known[name] = _read(name)
        return self._known[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*GROUPS, *self._known}))

    def __len__(self) -> int:
        return len({*GROUPS, *self._known})


def _read(name: str) -> Any:
    made: typer.Typer = importlib.import_module(f"imagin_gateway.cli.{name}").app
    made.info.cls = FrenchGroup
    for each in made.registered_commands:
        each.cls = FrenchCommand
    # A module with one command of its own name is that command; any other is a group, even of one.
    command: Any = typer.main.get_command(made) if _is_alone(made, name) else typer.main.get_group(made)
    command.name = name
    return command


def _is_alone(made: typer.Typer, name: str) -> bool:
    return [command.name for command in made.registered_commands] == [name]


class _Root(FrenchGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.commands)


app = typer.Typer(
    cls=_Root,
    help="La porte d'entrée des applications d'examen : réglages, comptes, sessions, règles, portails.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Make a group of the root, although it knows one command only when it begins."""


@app.command("version", cls=FrenchCommand)
def version() -> None:
    """Dire la version."""
    out.print(imagin_gateway.__version__)
