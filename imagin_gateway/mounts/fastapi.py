"""The gateway in a FastAPI application: a route asks for somebody by the type of a parameter.

::

    @app.get("/missions")
    async def missions(person: Annotated[Identity, SignedIn(Activity.MISSIONS)]) -> list[Mission]: ...


    served = gateway.asgi(app)
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Any, Final

from imagin_gateway.extras import needs
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.mounts.asked import Asked, asked
from imagin_gateway.mounts.asking import Denied, demand
from imagin_gateway.mounts.visitor import person as _person
from imagin_gateway.mounts.visitor import visitor as visitor

with needs("fastapi"):
    from fastapi import Depends, HTTPException, Security
    from fastapi.openapi.models import APIKey, APIKeyIn
    from fastapi.requests import HTTPConnection
    from fastapi.security.base import SecurityBase

_PROBLEM: Final[dict[str, Any]] = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}

REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "Nobody is signed in; `login` is where to send the person.", **_PROBLEM},
    403: {"description": "Not open to this person, or not without a new proof (`confirm`).", **_PROBLEM},
}
"""What a protected route may answer to a script, for its `responses=`."""


def SignedIn(  # noqa: N802  # stands where a type's metadata stands, as `Depends` does
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Any:
    """Ask a route's caller to be signed in: `person: Annotated[Identity, SignedIn(Activity.MISSIONS)]`.

    Args:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        TypeError, ValueError: what is asked makes no sense; told when the route is defined.
    """
    return Security(_SessionCookie(asked(activities, recent, strength)))


class _SessionCookie(SecurityBase):
    """The session, as OpenAPI tells it, and the check of it."""

    def __init__(self, what: Asked) -> None:
        self._what = what
        self.scheme_name = "imagin_gateway"
        self.model = APIKey.model_validate(
            {
                "in": APIKeyIn.cookie,
                "name": "__Host-ig-session",
                "description": "The session that imagin_gateway opened after a login in the browser.",
            }
        )

    # A coroutine: it waits for nothing, and a plain function would cost a thread.
    async def __call__(self, connection: HTTPConnection) -> Identity:
        try:
            return demand(connection, self._what)
        except Denied as denied:
            # Quiet for the application's handlers and logs; what is sent is the gateway's answer.
            raise HTTPException(denied.response.status, headers=dict(denied.response.headers)) from None


async def person(connection: HTTPConnection) -> Identity | None:
    """Return who is signed in, or None."""
    return _person(connection)


Person = Annotated[Identity | None, Depends(person)]
"""Who is signed in, or None, for a route that is open to everybody: `person: Person`."""
