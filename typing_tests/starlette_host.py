"""A Starlette host."""

from __future__ import annotations

from typing import assert_type

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts.asgi import GatewayASGI
from imagin_gateway.mounts.starlette import person, signed_in


@signed_in(Activity.EXPENSES)
async def expenses(request: Request) -> PlainTextResponse:
    assert_type(person(request), Identity | None)
    return PlainTextResponse("Frais")


async def kept(request: Request) -> None:
    assert_type(await expenses(request), PlainTextResponse)
    await expenses("request")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


app = Gateway(Settings.load("gateway.toml")).asgi(Starlette(routes=[Route("/frais", expenses)]))
assert_type(app, GatewayASGI)
signed_in(strength=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
