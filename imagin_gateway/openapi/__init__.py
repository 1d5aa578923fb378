"""The description of the JSON form of the flows (OpenAPI 3.1), for one gateway: its prefix, its address."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from imagin_gateway.settings import Settings


def openapi(settings: Settings | None = None) -> dict[str, Any]:
    """Return the document shipped in the package.

    Args:
        settings: of a gateway, whose address then stands in `servers`; by default the usual mount path.
    """
    told: dict[str, Any] = json.loads(
        files("imagin_gateway.openapi").joinpath("openapi.json").read_text(encoding="utf-8")
    )
    if settings is not None:
        told["servers"] = [{"url": settings.url("")}]
    return told
