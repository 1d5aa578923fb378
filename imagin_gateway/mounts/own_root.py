"""The prefix that an application takes off each path by itself, whatever its server says."""

from __future__ import annotations

import sys
from typing import Any, Final

_LAYERS: Final = 32
_WRAPPED: Final = ("app", "application")
"""Where ASGI middleware keeps what it is around: Starlette's and most others; Django's static files."""


def own_root(app: Any, kind: str) -> str:
    """Return the prefix, "" for none.

    `FastAPI(root_path="/api")`, and Django with `FORCE_SCRIPT_NAME = "/api"` under ASGI, answer `/api/frais` and
    `/frais` with one page, of which a server that was told nothing says nothing.

    Args:
        app: an ASGI application. Middleware around it is looked through.
        kind: "http" or "websocket", which Channels sends to different applications.
    """
    for _ in range(_LAYERS):
        # Who uses a framework has imported it.
        fastapi, django = sys.modules.get("fastapi"), sys.modules.get("django.core.handlers.asgi")
        if fastapi is not None and isinstance(app, fastapi.FastAPI):
            return str(app.root_path)
        if django is not None and isinstance(app, django.ASGIHandler):
            return str(sys.modules["django.conf"].settings.FORCE_SCRIPT_NAME or "")
        mapping = getattr(app, "application_mapping", None)
        if isinstance(mapping, dict):
            app = mapping.get(kind)
        else:
            app = next((inner for name in _WRAPPED if (inner := getattr(app, name, None)) is not None), None)
        if app is None:
            return ""
    return ""
