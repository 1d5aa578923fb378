"""A Litestar host."""

from __future__ import annotations

from typing import assert_type

from litestar import Litestar, get

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts.litestar import Anybody, Somebody, provide_person, signed_in


@get("/frais", guards=[signed_in(Activity.EXPENSES)])
async def expenses(person: Somebody) -> str:
    assert_type(person, Identity)
    return person.display_name


@get("/")
async def home(person: Anybody) -> str:
    assert_type(person, Identity | None)
    return person.display_name  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


site = Litestar([expenses, home], dependencies={"person": provide_person})
app = Gateway(Settings.load("gateway.toml")).asgi(site)
signed_in(recent=300)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
