"""Where settings are written: on which line of the file, in which variable; and whether a secret stands among them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imagin_gateway.errors import SettingsError
from imagin_gateway.settings.partial import raw_values
from imagin_gateway.settings.secrets import SECRET_FILE
from imagin_gateway.settings.whole import ENVIRONMENT_PREFIX
from imagin_gateway.settings.written import read_toml


def written_secrets(path: Path) -> bool:
    """Tell whether a settings file itself holds a secret, and does not merely say where one is."""
    try:
        return _holds_secret("", read_toml(path))
    except SettingsError:
        return True


_SECRET_NAMES: Final = frozenset(
    {"signing", "provisional", "pepper", "factors", "events", "client_secret", "password", "secrets", "token"}
)

_PASSWORD_IN_URL: Final = re.compile(r"://[^/@]*:.+@|password=")


def _holds_secret(name: str, value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_secret(str(key), each) for key, each in value.items())
    if isinstance(value, list):
        return any(_holds_secret(name, each) for each in value)
    if not isinstance(value, str):
        return False
    if name == "url":
        return bool(_PASSWORD_IN_URL.search(value))
    return name in _SECRET_NAMES and bool(value) and not value.startswith(("env:", "file:"))


def secret_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file that the settings, or the environment, name for a secret, with its key."""
    try:
        told = raw_values(path)
    except SettingsError:
        return
    yield from _named("", told)


def _named(key: str, value: object) -> Iterator[tuple[str, Path]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _named(f"{key}.{name}" if key else str(name), each)
    elif isinstance(value, list):
        for each in value:
            yield from _named(key, each)
    elif isinstance(value, str) and value.startswith(SECRET_FILE):
        yield key, Path(value.removeprefix(SECRET_FILE))


_HEAD: Final = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\".-]+)\s*=")


def lines_of(text: str) -> dict[str, int]:
    """Return the line, from 1, on which each section and key of a settings file first stands.

    Good enough to point at: what a string over several lines holds may look like a key.
    """
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.fullmatch(line):
            section = head[1].replace('"', "").replace(" ", "")
            found.setdefault(section, number)
        elif key := _KEY.match(line):
            name = key[1].replace('"', "")
            found.setdefault(f"{section}.{name}" if section else name, number)
    return found


def variables_of() -> dict[str, str]:
    """Return the variable of the environment that says each key, for those that do."""
    told = (name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX))
    return {name[len(ENVIRONMENT_PREFIX) :].lower().replace("__", "."): name for name in told}
