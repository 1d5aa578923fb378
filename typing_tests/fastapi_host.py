"""A FastAPI host."""

from __future__ import annotations

from typing import Annotated, assert_type

from fastapi import FastAPI

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts.asgi import GatewayASGI
from imagin_gateway.mounts.fastapi import REFUSALS, Person, SignedIn

api = FastAPI()
app = Gateway(Settings.load("gateway.toml")).asgi(api)
assert_type(app, GatewayASGI)


@api.get("/frais", responses=REFUSALS)
async def expenses(person: Annotated[Identity, SignedIn(Activity.EXPENSES)]) -> str:
    assert_type(person, Identity)
    return person.display_name


@api.get("/")
async def home(person: Person) -> str:
    assert_type(person, Identity | None)
    return person.display_name  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


SignedIn(recent=300)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
