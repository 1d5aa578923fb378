"""« Mes missions » under ASGI: a Starlette application behind the gateway."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from examples.demo import missions
from imagin_gateway import Gateway, Settings
from imagin_gateway.mounts import visitor
from imagin_gateway.mounts.asgi import GatewayASGI


async def home(request: Request) -> HTMLResponse:
    return HTMLResponse(missions.home(visitor(request)))


async def mine(request: Request) -> HTMLResponse:
    return HTMLResponse(missions.missions(visitor(request), request.path_params.get("mission", "")))


async def expenses(request: Request) -> HTMLResponse:
    return HTMLResponse(missions.simple("Mes frais", visitor(request)))


async def details(request: Request) -> HTMLResponse:
    return HTMLResponse(missions.simple("Mes coordonnées", visitor(request)))


def create() -> GatewayASGI:
    """Return the application, for `uvicorn --factory`."""
    gateway = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"]))
    app = Starlette(
        routes=[
            Route("/", home),
            Route("/missions", mine),
            Route("/missions/{mission}", mine),
            Route("/frais", expenses),
            Route("/coordonnees", details),
        ]
    )
    return gateway.asgi(app)
