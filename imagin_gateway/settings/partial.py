"""What still holds of settings of which a part is wrong: one bad key must not hide what another section would tell."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.settings.environment import read_environment
from imagin_gateway.settings.together import problems_together
from imagin_gateway.settings.whole import Settings
from imagin_gateway.settings.written import WHOLE_FILE, anchor, read_toml


@dataclass(frozen=True, slots=True)
class Held:
    """What was read.

    Attributes:
        settings: with stand-ins for what is wrong; None when nothing holds.
        problems: everything wrong.
        broken: sections, and portals as ``portals.arena-paris``, that are stand-ins: nothing must be asked of them.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    broken: frozenset[str]


class _FromValues(Settings):
    """Settings from values alone: the environment is in them already."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_what_holds(path: Path) -> Held:
    """Read settings as `Settings.load` does, and go on where it stops. Never raises because of what they say."""
    try:
        return Held(Settings.load(path), (), frozenset())
    except SettingsError as error:
        problems = error.problems
    if any(problem.key == WHOLE_FILE for problem in problems):
        return Held(None, problems, frozenset())
    values = raw_values(path)
    try:
        return Held(_FromValues(**values), problems, frozenset())
    except ValidationError:
        pass
    broken = frozenset(_section(problem.key) for problem in problems)
    for name in broken:
        if name.startswith("portals."):
            values["portals"].pop(name.removeprefix("portals."), None)
        else:
            values.pop(name, None)
    stand_ins = _stand_ins()
    values = {**{name: value for name, value in stand_ins.items() if name not in values}, **values}
    if "development" in broken or "base_url" in broken:
        values["development"] = False
    try:
        settings = _FromValues(**values)
    except ValidationError:
        return Held(None, problems, broken)
    # What two sections say together is told too, where both hold.
    together = [each for each in problems_together(settings) if _section(each.key) not in broken]
    return Held(settings, (*problems, *together), broken)


def raw_values(path: Path) -> dict[str, Any]:
    """Return what the file, its paths anchored, and what can be read of the environment say; nothing is validated.

    Raises:
        SettingsError: the file cannot be read.
    """
    # As in `Settings.load`: only what the file says is taken from its folder.
    told = anchor(read_toml(path), path.resolve().parent)
    return _merged(told, read_environment(Settings)[0])


def _section(key: str) -> str:
    parts = key.split(".")
    return ".".join(parts[:2]) if parts[0] == "portals" and len(parts) > 1 else parts[0]


def _stand_ins() -> dict[str, Any]:
    return {
        "base_url": "https://a-corriger.invalid",
        "privacy_url": "/",
        "legal_url": "/",
        "accessibility_url": "/",
        "keys": {name: [secrets.token_urlsafe(48)] for name in ("signing", "provisional", "factors")},
        "state": {"url": "sqlite:////nonexistent/state.db"},
        "accounts": {"url": "sqlite:////nonexistent/accounts.db"},
        "mail": {"host": "a-corriger.invalid", "sender": "a@corriger.invalid"},
    }


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the environment over the file, section by section, as the settings themselves do."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
