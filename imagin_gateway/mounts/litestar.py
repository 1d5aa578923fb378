"""The gateway in a Litestar application: a guard, and who is there as a dependency.

::

    @get("/missions", guards=[signed_in(Activity.MISSIONS)], dependencies={"person": provide_person})
    async def missions(person: Somebody) -> str:
        return f"Missions de {person.display_name}"


    app = gateway.asgi(Litestar([missions]))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

from imagin_gateway.extras import needs
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.mounts.asked import asked
from imagin_gateway.mounts.asking import Denied, demand
from imagin_gateway.mounts.visitor import person as person
from imagin_gateway.mounts.visitor import visitor as visitor

with needs("litestar"):
    from litestar.connection import ASGIConnection
    from litestar.di import NamedDependency, Provide
    from litestar.exceptions import HTTPException
    from litestar.handlers import BaseRouteHandler

Connection = ASGIConnection[Any, Any, Any, Any]


def signed_in(
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """Return a guard, for a handler, a controller, a router or an application.

    Args:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        TypeError, ValueError: what is asked makes no sense; told when the handler is defined.
    """
    what = asked(activities, recent, strength)

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        try:
            demand(connection, what)
        except Denied as denied:
            # Quiet for the application's handlers and logs; what is sent is the gateway's answer.
            raise HTTPException(status_code=denied.response.status) from None

    return guard


async def _provided(request: Connection) -> Identity | None:
    return person(request)


provide_person = Provide(_provided)
"""Who is signed in, or None; never None behind a guard. As `person` of a handler, a router or an application."""

Somebody = NamedDependency[Identity]
"""Type of the parameter `person` of a handler behind a guard."""

Anybody = NamedDependency[Identity | None]
"""Type of the parameter `person` of a handler open to everybody."""
