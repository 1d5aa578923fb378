"""Starlette: `hypercorn examples.hosts.starlette_app:app`."""

from __future__ import annotations

import os
from datetime import timedelta

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts.starlette import person, signed_in


async def home(request: Request) -> PlainTextResponse:
    who = person(request)
    return PlainTextResponse(f"Bonjour {who.display_name}" if who else "Bonjour")


@signed_in()
async def space(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Espace de {_name(request)}")


@signed_in(Activity.MISSIONS)
def missions(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Missions de {_name(request)}")


class Expenses(HTTPEndpoint):
    @signed_in(Activity.EXPENSES)
    async def get(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"Frais de {_name(request)}")


@signed_in(recent=timedelta(minutes=5))
async def sensitive(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"Sensible : {_name(request)}")


def _name(request: Request) -> str:
    who = person(request)
    return who.display_name if who else ""


app = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).asgi(
    Starlette(
        routes=[
            Route("/", home),
            Route("/espace", space, methods=["GET", "POST"]),
            Route("/missions", missions),
            Route("/frais", Expenses),
            Route("/sensible", sensitive),
        ]
    )
)
