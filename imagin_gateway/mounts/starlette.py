"""The gateway in a Starlette application: an endpoint asks for somebody.

::

    @signed_in(Activity.MISSIONS)
    async def missions(request: Request) -> Response:
        return PlainTextResponse(f"Missions de {person(request).display_name}")


    app = gateway.asgi(Starlette(routes=[Route("/missions", missions)]))
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from imagin_gateway.exchange import Response
from imagin_gateway.extras import needs
from imagin_gateway.identity import Activity
from imagin_gateway.mounts.asked import asked
from imagin_gateway.mounts.asking import demand, examine
from imagin_gateway.mounts.mistakes import AROUND_A_CLASS
from imagin_gateway.mounts.visitor import person as person
from imagin_gateway.mounts.visitor import visitor as visitor

with needs("starlette"):
    from starlette.requests import HTTPConnection
    from starlette.responses import Response as StarletteResponse

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def signed_in(
    *activities: Activity | str, recent: timedelta | None = None, strength: Collection[str] = ()
) -> Callable[[Endpoint], Endpoint]:
    """Protect an endpoint: a function, a method of an `HTTPEndpoint`, or `on_connect` of a `WebSocketEndpoint`.

    Args:
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        TypeError, ValueError: what is asked makes no sense; told when the endpoint is defined.
    """
    what = asked(activities, recent, strength)

    def refused(args: tuple[Any, ...]) -> StarletteResponse | None:
        connection = next(each for each in args if isinstance(each, HTTPConnection))
        if connection.scope["type"] == "websocket":
            # What such an endpoint returns goes nowhere: by an exception, the mount closes the socket.
            demand(connection, what)
            return None
        found = examine(connection, what)
        return written(found) if isinstance(found, Response) else None

    def decorate(endpoint: Endpoint) -> Endpoint:
        if isinstance(endpoint, type):
            raise TypeError(AROUND_A_CLASS.format(name=endpoint.__name__, instead="write it above each method"))
        if iscoroutinefunction(endpoint):

            @wraps(endpoint)
            async def guarded(*args: Any, **named: Any) -> Any:
                answer = refused(args)
                return await endpoint(*args, **named) if answer is None else answer

        else:

            @wraps(endpoint)
            def guarded(*args: Any, **named: Any) -> Any:
                answer = refused(args)
                return endpoint(*args, **named) if answer is None else answer

        return guarded  # type: ignore[return-value]  # same parameters

    return decorate


def written(response: Response) -> StarletteResponse:
    """Return an answer of the gateway as Starlette's."""
    answer = StarletteResponse(response.body, response.status)
    answer.raw_headers[:] = [
        (name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.header_lines()
    ]
    answer.headers["content-length"] = str(len(response.body))
    return answer
