"""Settings of a test, and the refusal to do anything with others."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from imagin_gateway.gateway import Gateway
from imagin_gateway.settings import Settings

BASE_URL: Final = "http://127.0.0.1"
"""Where the application is asked; test clients that say another host get a refusal from the gateway's own pages."""


def settings(folder: Path, **changes: Any) -> Settings:
    """Return settings of development, with everything they need in a folder.

    Args:
        folder: of the databases; pytest's `tmp_path`.
        changes: other settings, as in a file: `protect=[{"prefix": "/missions"}]`.

    Raises:
        SettingsError: the changes are wrong.
    """
    values: dict[str, Any] = {
        "development": True,
        "base_url": BASE_URL,
        "privacy_url": "/donnees-personnelles",
        "legal_url": "/mentions-legales",
        "accessibility_url": "/accessibilite",
        "second_factor": {"mode": "off", "reason": "tests"},
        "keys": {"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "accounts": {"url": f"sqlite:///{folder}/accounts.db"},
        "mail": {"host": "127.0.0.1", "security": "none", "sender": "imagin@exemple.test"},
        "passwords": {"profile": "unsafe-tests"},
        "events": {"path": f"{folder}/events.jsonl"},
    }
    return Settings.load(**{**values, **changes})


def only_in_development(gateway: Gateway) -> None:
    """Refuse a gateway that could stand before real accounts.

    Raises:
        RuntimeError: its settings are not those of development.
    """
    if not gateway.settings.development:
        raise RuntimeError("imagin_gateway.testing works with development = true only: see testing.settings()")
