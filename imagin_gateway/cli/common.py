"""What every command shares: the settings file, the two outputs, and how an error ends it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from imagin_gateway.errors import Code, GatewayError, ImportRefused, PolicyError, SettingsError, Unavailable

if TYPE_CHECKING:
    from imagin_gateway.opening import Stores

# Without `emoji`, an address such as 2001:db8:a:b::7 or a fingerprint would be shown with pictures in it.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

EXIT_REFUSED = 1
EXIT_USAGE = 2
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


Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        help="Qui agit, si ce n'est pas la personne du compte système (noté avec lui dans les événements).",
        show_default=False,
    ),
]

_LONGEST_ACTOR = 64


def acting(told: str | None) -> str:
    """Return who acts on an account, for the events: the login name, and who they say they are.

    Ends the command when nobody can be named: an act without an author is not done.
    """
    try:
        login = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        login = ""
    if told is None and login:
        return f"cli:{login}"
    name = (told or "").strip()
    if not name or len(name) > _LONGEST_ACTOR or not name.isprintable():
        err.print("Dire qui agit : --actor NOM (64 signes au plus). Rien n'a été fait.", style="red")
        raise typer.Exit(EXIT_USAGE)
    return f"cli:{login or f'uid {os.getuid()}'}/{name}"


def confirmed(question: str, expected: str, *, yes: bool) -> None:
    """Go on only if the person retypes what is expected, or said --yes; else end the command, nothing done."""
    if yes:
        return
    err.print(question, markup=False)
    try:
        typed = input()
    except (EOFError, OSError, RuntimeError):  # the last one is Python's, where standard input is closed
        err.print("Pas de réponse : dire --yes. Rien n'a été fait.", style="red")
        raise typer.Exit(EXIT_USAGE) from None
    if typed.strip() != expected:
        err.print("Ce n'est pas ce qui était demandé. Rien n'a été fait.", style="red")
        raise typer.Exit(EXIT_REFUSED)


Yes = Annotated[bool, typer.Option("--yes", help="Ne pas demander de confirmation.")]
Json = Annotated[bool, typer.Option("--json", help="Écrire du JSON, pour un programme.")]


def print_json(told: object) -> None:
    """Print a value for a program: one JSON document, whatever the width of the terminal and what it can write."""
    text = json.dumps(told, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(told, indent=2)
    sys.stdout.write(text + "\n")


def shown(text: str) -> str:
    """Return a value from outside as it may be shown on a terminal: nothing in it moves the cursor or colours."""
    return "".join(sign if sign.isprintable() or sign in _SPACES else "?" for sign in text)


_SPACES = "\u00a0\u202f"
"""Of French typography: not printable to Python, and harmless."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, in French: none and one are singular."""
    return f"{count} {(many or one + 's') if count > 1 else one}"


_REASONS = {
    Code.ACCOUNT_STATE: "Impossible dans l'état de ce compte. Rien n'a changé.",
    Code.DESK_STALE: "Le compte a changé entre-temps. Rien n'a été fait : le regarder de nouveau.",
}


_SYSTEM = {
    errno.ENOENT: "aucun fichier ou dossier de ce nom",
    errno.EACCES: "accès refusé",
    errno.EEXIST: "ce fichier existe déjà",
    errno.ENOSPC: "plus de place sur le disque",
    errno.EISDIR: "c'est un dossier",
    errno.EROFS: "ce disque est en lecture seule",
    errno.EDQUOT: "la part de disque de cet utilisateur est pleine",
    errno.EIO: "le disque a rendu une erreur",
    errno.EPERM: "le système le refuse",
    errno.ENOTDIR: "ce qui précède le nom n'est pas un dossier",
}


def system_words(error: OSError) -> str:
    """Say what the system refused, in French where we know how."""
    return _SYSTEM.get(error.errno or 0) or error.strerror or str(error)


def _system(error: OSError) -> str:
    """Say what the system refused, of the file as it was typed."""
    # Imported here: most commands write no letter.
    from imagin_gateway.local.letter_files import target_of

    # Of two names, the second is the one to be given.
    name = error.filename2 or error.filename
    told = target_of(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else "Fichier"
    return f"{told} : {system_words(error)}"


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Say of an order that somebody interrupts that it may be given again: what was left is then finished."""
    try:
        yield
    except KeyboardInterrupt:
        err.print("Interrompu. Le même ordre, relancé, fait ce qui restait.", style="yellow")
        raise


def _in_words(error: GatewayError) -> str:
    """Say an error in French; beside it, what it tells developers, who write in English."""
    # Imported here: most commands end well.
    from imagin_gateway.events.telling import words

    return f"{words().code(error.code)} ({error.code} : {error})"


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End a command with a clear sentence and its own exit code, never with a traceback of ours."""
    try:
        yield
    except SettingsError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_SETTINGS) from None
    except Unavailable as error:
        err.print(f"Indisponible pour l'instant : {_in_words(error)}", style="red", markup=False)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    except BrokenPipeError:  # whoever read what we say has had enough: no fault of a file
        raise
    except OSError as error:
        err.print(_system(error), style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None
    except GatewayError as error:
        in_french = str(error) if isinstance(error, PolicyError | ImportRefused) else f"Refusé : {_in_words(error)}"
        err.print(_REASONS.get(error.code, in_french), style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from None


@contextlib.contextmanager
def stores(file: Path) -> Iterator[Stores]:
    """Open accounts and sessions for one command."""
    # Half a second of imports that commands about rules, keys or events do without.
    from imagin_gateway.opening import open_stores
    from imagin_gateway.settings import Settings

    with explained():
        opened = open_stores(Settings.load(file))
        try:
            yield opened
        finally:
            opened.close()
