"""Litestar: `uvicorn examples.hosts.litestar_app:app`."""

from __future__ import annotations

import os
from datetime import timedelta

from litestar import Litestar, MediaType, get, route

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts.litestar import Anybody, Somebody, provide_person, signed_in


@get("/", media_type=MediaType.TEXT)
async def home(person: Anybody) -> str:
    return f"Bonjour {person.display_name}" if person else "Bonjour"


@route("/espace", http_method=["GET", "POST"], media_type=MediaType.TEXT, status_code=200, guards=[signed_in()])
async def space(person: Somebody) -> str:
    return f"Espace de {person.display_name}"


@get("/missions", media_type=MediaType.TEXT, guards=[signed_in(Activity.MISSIONS)])
async def missions(person: Somebody) -> str:
    return f"Missions de {person.display_name}"


@get("/frais", media_type=MediaType.TEXT, guards=[signed_in(Activity.EXPENSES)], sync_to_thread=False)
def expenses(person: Somebody) -> str:
    return f"Frais de {person.display_name}"


@get("/sensible", media_type=MediaType.TEXT, guards=[signed_in(recent=timedelta(minutes=5))])
async def sensitive(person: Somebody) -> str:
    return f"Sensible : {person.display_name}"


app = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).asgi(
    Litestar([home, space, missions, expenses, sensitive], dependencies={"person": provide_person})
)
