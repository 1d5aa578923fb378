"""A Django middleware that adds to each request, under WSGI and under ASGI."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any


def telling(get_response: Callable[[Any], Any], tell: Callable[[Any], None]) -> Callable[[Any], Any]:
    """Return the middleware, of the kind that `get_response` is.

    Args:
        get_response: the rest of the project, as Django gives it.
        tell: adds to a request, before the rest sees it; waits for nothing.
    """
    if iscoroutinefunction(get_response):

        async def middleware(request: Any) -> Any:
            tell(request)
            return await get_response(request)

        return middleware

    def plain(request: Any) -> Any:
        tell(request)
        return get_response(request)

    return plain
