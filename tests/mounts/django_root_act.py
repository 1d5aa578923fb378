"""Django below a prefix of its own settings, in a process that Django may configure: `FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path

from imagin_gateway import Gateway, testing
from tests.client import Client, over_asgi

urlpatterns = [path("frais", lambda _: HttpResponse("the secret")), path("ouvert", lambda _: HttpResponse("open"))]


class Router:
    """As `ProtocolTypeRouter` of Channels."""

    def __init__(self, application_mapping: dict[str, Any]) -> None:
        self.application_mapping = application_mapping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.application_mapping[scope["type"]](scope, receive, send)


def patiently(app: Any) -> Any:
    """Return the application for a browser that stays: Django stops answering who left."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        messages = [await receive(), await receive()]

        async def stays() -> Any:
            return messages.pop(0) if messages else await asyncio.Event().wait()

        await app(scope, stays, send)

    return served


def main() -> None:
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], FORCE_SCRIPT_NAME="/api")
    django.setup()
    known = testing.settings(Path(sys.argv[1]), mount_path="/api/connexion", protect=[{"prefix": "/api/frais"}])
    with Gateway(known, sends_mail=False) as gateway:
        project = get_asgi_application()
        for app in (project, Router({"http": project})):
            client = Client(over_asgi(patiently(gateway.asgi(app))))
            for page in ("/api/frais", "/frais"):
                reply = client.get(page, host="127.0.0.1")
                assert (reply.status, reply.location) == (303, "/api/connexion/?next=%2Fapi%2Ffrais"), page
            assert client.get("/ouvert", host="127.0.0.1").text == "open"


if __name__ == "__main__":
    main()
