"""WSGI alone: `gunicorn "examples.hosts.plain_wsgi:create()"`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts import person, require


def host(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    status, path = "200 OK", environ["PATH_INFO"]
    if path == "/":
        who = person(environ)
        text = f"Bonjour {who.display_name}" if who else "Bonjour"
    elif path == "/espace":
        text = f"Espace de {require(environ).display_name}"
    elif path == "/missions":
        text = f"Missions de {require(environ, Activity.MISSIONS).display_name}"
    elif path == "/frais":
        text = f"Frais de {require(environ, Activity.EXPENSES).display_name}"
    elif path == "/sensible":
        text = f"Sensible : {require(environ, recent=timedelta(minutes=5)).display_name}"
    else:
        status, text = "404 Not Found", "Cette page n'existe pas"
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode()]


def create() -> Callable[..., Iterable[bytes]]:
    return Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).wsgi(host)
