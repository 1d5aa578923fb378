"""FastAPI: `uvicorn examples.hosts.fastapi_app:app`."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from imagin_gateway import Activity, Gateway, Identity, Settings
from imagin_gateway.mounts.fastapi import REFUSALS, Person, SignedIn

api = FastAPI(default_response_class=PlainTextResponse)


@api.get("/")
async def home(person: Person) -> str:
    return f"Bonjour {person.display_name}" if person else "Bonjour"


@api.get("/espace", responses=REFUSALS)
@api.post("/espace", responses=REFUSALS)
async def space(person: Annotated[Identity, SignedIn()]) -> str:
    return f"Espace de {person.display_name}"


@api.get("/missions", responses=REFUSALS)
def missions(person: Annotated[Identity, SignedIn(Activity.MISSIONS)]) -> str:
    return f"Missions de {person.display_name}"


@api.get("/frais", responses=REFUSALS)
async def expenses(person: Annotated[Identity, SignedIn(Activity.EXPENSES)]) -> str:
    return f"Frais de {person.display_name}"


@api.get("/sensible", responses=REFUSALS)
async def sensitive(person: Annotated[Identity, SignedIn(recent=timedelta(minutes=5))]) -> str:
    return f"Sensible : {person.display_name}"


app = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).asgi(api)
