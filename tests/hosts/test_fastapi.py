"""What FastAPI tells of a route that asks for somebody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI

from imagin_gateway import Activity, Identity
from imagin_gateway.mounts.fastapi import REFUSALS, Person, SignedIn


def documented() -> dict[str, Any]:
    api = FastAPI()

    @api.get("/open")
    async def free(person: Person) -> str:
        return ""

    @api.get("/missions", responses=REFUSALS)
    async def missions(person: Annotated[Identity, SignedIn(Activity.MISSIONS)]) -> str:
        return ""

    return api.openapi()


def test_openapi_shows_what_is_protected_and_by_what() -> None:
    told = documented()
    assert told["components"]["securitySchemes"]["imagin_gateway"]["in"] == "cookie"
    assert told["components"]["securitySchemes"]["imagin_gateway"]["name"] == "__Host-ig-session"
    assert told["paths"]["/missions"]["get"]["security"] == [{"imagin_gateway": []}]
    assert "security" not in told["paths"]["/open"]["get"]
    assert {"401", "403"} <= told["paths"]["/missions"]["get"]["responses"].keys()


def test_no_parameter_of_the_route_is_invented() -> None:
    for page in documented()["paths"].values():
        assert "parameters" not in page["get"]
