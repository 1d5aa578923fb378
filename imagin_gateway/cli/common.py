"""What every command shares: the settings file, the two outputs, and how an error ends it."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from imagin_gateway.errors import GatewayError, SettingsError, Unavailable
from imagin_gateway.gateway import Stores, open_stores
from imagin_gateway.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

EXIT_REFUSED = 1
EXIT_SETTINGS = 3
EXIT_UNAVAILABLE = 4

SettingsFile = Annotated[
    Path,
    typer.Option(
        "--settings",
        "-s",
        envvar="IMAGIN_GATEWAY_FILE",
        help="Fichier de réglages (TOML).",
        show_default=True,
    ),
]
DEFAULT_FILE = Path("gateway.toml")


def actor() -> str:
    """Return who runs the command, for the events."""
    # Of the system, not of the environment, which says what one wants.
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:uid {os.getuid()}"


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End a command with a clear sentence and its own exit code, never with a traceback of ours."""
    try:
        yield
    except SettingsError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_SETTINGS) from None
    except Unavailable as error:
        err.print(f"Indisponible pour l'instant ({error.code}) : {error}", style="red", markup=False)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    except OSError as error:
        err.print(f"{error.filename or 'Fichier'} : {error.strerror or error}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None
    except GatewayError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None


@contextlib.contextmanager
def stores(file: Path) -> Iterator[Stores]:
    """Open accounts and sessions for one command."""
    with explained():
        opened = open_stores(Settings.load(file))
        try:
            yield opened
        finally:
            opened.close()
