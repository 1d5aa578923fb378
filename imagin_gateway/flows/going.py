"""Where a step leads, told to a script: what a browser would follow by itself is said instead (303)."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from imagin_gateway.exchange import Response
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.routes import find
from imagin_gateway.pages.steps.shape import Go


def gone(house: House, visit: Visit, response: Response) -> Response:
    """Return a redirect as a step that says where to go on; any other answer as it is.

    Its cookies stay: the script's browser keeps them as any browser does.
    """
    if response.status != 303:
        return response
    (to,) = [value for name, value in response.headers if name == "Location"]
    step = Go(to=to, by="request" if _tells(house, to) else "navigation")
    kept = [(name, value) for name, value in response.headers if name != "Location"]
    if not any(name == "Cache-Control" for name, _ in kept):
        kept += house.pages.bare_headers()
    headers = (*kept, *house.pages.spoken_in(visit.language.code))
    return replace(
        response, status=200, body=msgspec.json.encode(step), content_type="application/json", headers=headers
    )


def _tells(house: House, to: str) -> bool:
    """Tell whether an address is a step of ours that a script may ask for."""
    path = to.partition("?")[0]
    below = path.removeprefix(house.settings.mount_path)
    found = find(below or "/") if to.startswith("/") and below != path else None
    return found is not None and found[0].tells and "GET" in found[0].handlers
