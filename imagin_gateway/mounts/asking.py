"""A route of the host asks for somebody, for an activity, for a recent or a strong login.

What is answered to whom lacks it is the gateway's, the same for every framework. Where
a framework lets a route refuse only by an exception, the answer is also left where the
mount finds it: a host that swallows the exception, or dresses it up, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from imagin_gateway.exchange import Response
from imagin_gateway.identity import Activity, Identity
from imagin_gateway.mounts.asked import Asked, asked
from imagin_gateway.mounts.incoming import INSTEAD, KEY
from imagin_gateway.mounts.visitor import Visitor, place_of


class Denied(Exception):
    """This page asks for more than the person has; the gateway answers in its place.

    Attributes:
        response: what it answers.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(f"the gateway answers {response.status} in the place of this page")
        self.response = response


def examine(request: Any, what: Asked) -> Identity | Response:
    """Return who is signed in if they have what is asked, else what to answer instead of the page.

    That is, for a page: a redirect to the login or to a new proof, which comes back to the page asked for (GET only),
    or the page that says why not; for a script, 401 or 403 as `application/problem+json` (RFC 9457).

    Args:
        request: as for `visitor`.
        what: from `asked()`.

    Raises:
        RuntimeError: the gateway is not mounted around this application.
    """
    place = place_of(request)
    here: Visitor = place[KEY]
    if here.judge is None:
        # A visitor that no gateway made: nothing vouches for it.
        return Response(403)
    refused = here.judge(here.person, what, place)
    if refused is None and here.person is not None:
        return here.person
    return refused or Response(403)


def demand(request: Any, what: Asked) -> Identity:
    """Return who is signed in if they have what is asked, else see to it that the gateway answers.

    Raises:
        Denied: the host may do with it what it likes.
        RuntimeError: the gateway is not mounted around this application.
    """
    found = examine(request, what)
    if isinstance(found, Identity):
        return found
    place_of(request)[INSTEAD].append(found)
    raise Denied(found)


def require(
    request: Any,
    *activities: Activity | str,
    recent: timedelta | None = None,
    strength: Collection[str] = (),
) -> Identity:
    """Return who is signed in, with all that is asked of them; else the gateway answers in the place of the page.

    For plain WSGI and ASGI. Frameworks have their own way, in the module of their name beside this one.

    Args:
        request: as for `visitor`.
        activities: each must be open to the person.
        recent: longest time since the person last proved who they are.
        strength: values of `acr` or `amr`, one of which must have been reached.

    Raises:
        Denied: let it through.
        RuntimeError: the gateway is not mounted around this application.
        TypeError, ValueError: what is asked makes no sense, see `asked`.
    """
    return demand(request, asked(activities, recent, strength))
