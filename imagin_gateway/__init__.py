"""The one front door of exam-staff applications.

Names are loaded when first used: importing the package loads no protocol
library, and `imagin_gateway.policy` needs nothing but the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagin_gateway.errors import GatewayError as GatewayError
    from imagin_gateway.errors import SettingsError as SettingsError
    from imagin_gateway.flows.hooks import Hooks as Hooks
    from imagin_gateway.gateway import Gateway as Gateway
    from imagin_gateway.identity import Activity as Activity
    from imagin_gateway.identity import Door as Door
    from imagin_gateway.identity import Identity as Identity
    from imagin_gateway.settings import Settings as Settings

_HOMES = {
    "Activity": "imagin_gateway.identity",
    "Door": "imagin_gateway.identity",
    "Gateway": "imagin_gateway.gateway",
    "GatewayError": "imagin_gateway.errors",
    "Hooks": "imagin_gateway.flows.hooks",
    "Identity": "imagin_gateway.identity",
    "Settings": "imagin_gateway.settings",
    "SettingsError": "imagin_gateway.errors",
}

__all__ = ["Activity", "Door", "Gateway", "GatewayError", "Hooks", "Identity", "Settings", "SettingsError"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
