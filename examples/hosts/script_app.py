"""A host whose pages are a script, and which shows the whole way in itself: `uvicorn examples.hosts.script_app:app`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from imagin_gateway import Activity, Gateway, Settings
from imagin_gateway.mounts.starlette import person, signed_in

FRONT: Final = Path(__file__).parent / "front"

FILES: Final = ("front.js", "front.css")

POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}


async def front(request: Request) -> Response:
    """The one page; everything else is asked for by its script."""
    name = request.path_params.get("name", "index.html")
    if name not in (*FILES, "index.html"):
        return Response(status_code=404)
    return FileResponse(FRONT / name, headers=POLICY)


@signed_in(Activity.EXPENSES)
async def expenses(request: Request) -> JSONResponse:
    """What the host has for somebody who is signed in; anybody else gets 401 or 403 from the gateway."""
    who = person(request)
    return JSONResponse({"name": who.display_name if who else ""})


site = Starlette(
    routes=[Route("/", front), Route("/front/{name}", front), Route("/api/frais", expenses)],
)
app = Gateway(Settings.load(os.environ["IMAGIN_GATEWAY_FILE"])).asgi(site)
