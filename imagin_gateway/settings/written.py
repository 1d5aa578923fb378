"""Settings as a file says them: read, and their paths taken from its folder. Nothing is judged here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from imagin_gateway.errors import Problem, SettingsError
from imagin_gateway.settings.appearance import Appearance
from imagin_gateway.settings.secrets import SECRET_FILE
from imagin_gateway.toml_faults import toml_fault

WHOLE_FILE: Final = "(fichier)"
"""Key of a problem that no key of the file has."""


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        SettingsError: with the one problem of the file: not there, not to be read, not UTF-8, not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problem = Problem(
            WHOLE_FILE, f"il n'y a pas de fichier {file.absolute()}", "donner le chemin d'un fichier TOML"
        )
    except UnicodeDecodeError:
        problem = Problem(WHOLE_FILE, "le fichier n'est pas en UTF-8", "l'enregistrer en UTF-8")
    except IsADirectoryError:
        problem = Problem(WHOLE_FILE, f"{file.absolute()} est un dossier", "donner le chemin d'un fichier TOML")
    except OSError:
        problem = Problem(WHOLE_FILE, "le fichier ne peut pas être lu", "vérifier les droits")
    except tomllib.TOMLDecodeError as error:
        problem = Problem(WHOLE_FILE, f"TOML illisible ({toml_fault(error)})", "corriger la ligne indiquée")
    except (ValueError, RecursionError):
        # Well-formed, and nothing that Python holds: a number of thousands of digits, a nest of thousands of brackets.
        problem = Problem(WHOLE_FILE, "TOML illisible (une valeur démesurée)", "l'enlever")
    raise SettingsError([problem], str(file)) from None


_PATH_KEYS: Final = (
    *("metadata", "metadata_certificate", "metadata_copy", "private_key", "certificate", "ca_file"),
    *("other_private_keys", "other_certificates"),
)


def anchor(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Take relative paths from the folder of the file, not from wherever the server was started.

    Args:
        values: as `read_toml` returned them, or as a caller gave them; they are left as they are.
        folder: of the file; absolute.

    Returns:
        The same values; addresses of SQLite files too have their whole path.
    """
    anchored = {name: _secrets_from(folder, value) for name, value in values.items()}
    for section in ("state", "accounts"):
        part = anchored.get(section)
        if isinstance(part, dict) and isinstance(url := part.get("url"), str) and url.startswith("sqlite:///"):
            anchored[section] = {**part, "url": "sqlite:///" + str(folder / url.removeprefix("sqlite:///"))}
    for name in ("policy", "admission"):
        if isinstance(path := anchored.get(name), str):
            anchored[name] = folder / path
    named = [("mail", "ca_file"), ("keys", "folder"), ("passwords", "breached_list")]
    for section, name in named + [("appearance", name) for name in Appearance.model_fields]:
        part = anchored.get(section)
        if isinstance(part, dict) and isinstance(path := part.get(name), str):
            anchored[section] = {**part, name: folder / path}
    events = anchored.get("events")
    if isinstance(events, dict) and isinstance(path := events.get("path"), str) and path not in ("", "-"):
        anchored["events"] = {**events, "path": str(folder / path)}
    service = anchored.get("proconnect")
    if isinstance(service, dict):
        anchored["proconnect"] = {
            key: _from(folder, value) if key in _PATH_KEYS else value for key, value in service.items()
        }
    portals = anchored.get("portals")
    if isinstance(portals, dict):
        anchored["portals"] = {
            door: {k: _from(folder, v) if k in _PATH_KEYS else v for k, v in portal.items()}
            if isinstance(portal, dict)
            else portal
            for door, portal in portals.items()
        }
    return anchored


def _secrets_from(folder: Path, value: Any) -> Any:
    """Take the files of secrets from the folder, wherever they are named."""
    if isinstance(value, dict):
        return {name: _secrets_from(folder, each) for name, each in value.items()}
    if isinstance(value, list):
        return [_secrets_from(folder, each) for each in value]
    if isinstance(value, str) and value.startswith(SECRET_FILE):
        return f"{SECRET_FILE}{folder / value.removeprefix(SECRET_FILE)}"
    return value


def _from(folder: Path, value: Any) -> Any:
    if isinstance(value, list):
        return [_from(folder, each) for each in value]
    return folder / value if isinstance(value, str) else value
