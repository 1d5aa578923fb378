"""ASGI alone: `hypercorn examples.hosts.plain_asgi:app`."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts import person, require


async def host(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    status, path = 200, scope["path"]
    if path == "/":
        who = person(scope)
        text = f"Bonjour {who.display_name}" if who else "Bonjour"
    elif path == "/espace":
        text = f"Espace de {require(scope).display_name}"
    elif path == "/missions":
        text = f"Missions de {require(scope, Activity.MISSIONS).display_name}"
    elif path == "/frais":
        text = f"Frais de {require(scope, Activity.EXPENSES).display_name}"
    elif path == "/sensible":
        text = f"Sensible : {require(scope, recent=timedelta(minutes=5)).display_name}"
    else:
        status, text = 404, "Cette page n'existe pas"
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


app = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).asgi(host)
