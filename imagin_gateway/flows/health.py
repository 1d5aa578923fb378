"""Health, for the machine that watches: whether the process lives, and whether it may be sent people.

Living touches nothing but the process. Being ready asks each part, a moment each and no
longer, and tells it by its name and one word: never an address, a version or an error.
A sink of events that fails is told and keeps nobody out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from imagin_gateway.exchange import Response
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.readiness import OK

LIVENESS: Final = "/sante"
READINESS: Final = "/sante/pret"


def alive(house: House, visit: Visit) -> Response:
    """Say that the process answers. Asks no store, so that an outage does not have it killed."""
    return _told(house, 200, {"alive": True})


def ready(house: House, visit: Visit) -> Response:
    """Say whether people may be sent here, and which part is missing."""
    parts = house.readiness.parts({"sessions": house.state.ping, "accounts": house.direct.check_schema})
    good = all(parts[name] == OK for name in ("sessions", "accounts"))
    parts["events"] = "failing" if house.events.failing else OK
    return _told(house, 200 if good else 503, {"ready": good, "parts": parts})


def _told(house: House, status: int, told: Mapping[str, object]) -> Response:
    return Response(status, json.dumps(told).encode(), "application/json", house.pages.bare_headers())
