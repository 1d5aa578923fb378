"""The environment as settings take it: variables that cannot be read, and those that nothing reads."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as NotRead

from imagin_gateway.errors import Problem

# What Kubernetes tells every container of a Service that is called imagin-gateway.
_OF_A_SERVICE: Final = re.compile(r"(?:service_(?:host|port)|port)(?:_.*)?")


def read_environment(model: type[BaseSettings]) -> tuple[dict[str, Any], list[Problem]]:
    """Return what the environment says, and the variables that were left out since they cannot be read.

    Args:
        model: the whole configuration.
    """
    source = EnvSettingsSource(model)
    held, problems = dict(source.env_vars), []
    for name in [name for name in held if name.startswith(source.env_prefix.lower())]:
        # One by one: the library names the section at most, and stops at the first.
        source.env_vars = {name: held[name]}
        try:
            source()
        except (NotRead, RecursionError):
            del held[name]
            key = name.removeprefix(source.env_prefix.lower()).replace("__", ".")
            written = next((each for each in os.environ if each.lower() == name), name)
            what = f"la variable {written} n'est pas du JSON"
            remedy = """une liste ou une section s'écrit là en JSON : '["..."]', '{"clé": "..."}'"""
            problems.append(Problem(key, what, remedy, "settings.variable"))
    source.env_vars = held
    return source(), problems


def unknown_variables(model: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Yield each variable that looks like one of a setting and is none, and the key that was meant, or "".

    Args:
        model: the whole configuration.
    """
    prefix = str(model.model_config.get("env_prefix", ""))
    for name in sorted(os.environ):
        if not name.upper().startswith(prefix.upper()):
            continue
        first, separator, _ = name[len(prefix) :].lower().partition("__")
        if first in (*model.model_fields, "file") or _OF_A_SERVICE.fullmatch(first):
            continue
        near = difflib.get_close_matches(first, list(model.model_fields), n=1)
        if near or separator:
            yield name, near[0] if near else ""
