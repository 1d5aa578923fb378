"""A request to one of our own addresses: whose it is, in which language, by which journey answered or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from imagin_gateway.errors import Code, GatewayError, RequestRefused
from imagin_gateway.events import Event, EventName
from imagin_gateway.exchange import Request, Response
from imagin_gateway.flows.direct_login import choose_address, factor_address
from imagin_gateway.flows.going import gone
from imagin_gateway.flows.house import House, Visit, begin_visit
from imagin_gateway.flows.landing import landed
from imagin_gateway.flows.language import COOKIE, language_of, remembered, said, same_page
from imagin_gateway.flows.refusals import refusal
from imagin_gateway.flows.routes import ALWAYS_OPEN, OPEN_WHILE, Route, find
from imagin_gateway.pages.language import Language
from imagin_gateway.sessions.cache import Live
from imagin_gateway.sessions.session import SECOND_FACTOR

_log = logging.getLogger("imagin_gateway")


def answer(house: House, request: Request, before: Callable[[House, Request], None]) -> Response:
    """Answer a request to one of our own addresses. Never raises.

    Args:
        house: the rooms.
        request: what is asked.
        before: called once it is known that a person asks, and before anything is read of a store; what it raises
            refuses the request.
    """
    found = find(request.path)
    route = found[0] if found else None
    visit = Visit(request, None, "", False, language_at(house, request, route))
    try:
        if route is not None and (told := _for_machines(house, request, route)) is not None:
            return told
        before(house, request)
        asset = house.pages.asset(request.path) if request.method in ("GET", "HEAD") else None
        if asset is not None:
            return asset
        # Our own pages ask the store, always: what they do must not rest on what was true a moment ago.
        counts = route is None or not route.watches
        live = live_session(house, request.cookies, anew=True, counts=counts)
        visit = begin_visit(house, request, live, visit.language)
        response = _routed(house, visit, found)
        response.header_lines()
    except GatewayError as error:
        response = _refused(house, visit, error)
    except Exception as error:
        # Last handler: whatever was missed is a refusal, told by its type only.
        _log.exception("fault in %s %s", request.method, request.correlation)
        visit.event(house, EventName.FAULT, Code.FAULT, detail={"type": type(error).__name__})
        response = _refused(house, visit, GatewayError("see the log", code=Code.FAULT))
    # Only a page with a form gives the browser its name: an answer posted from a portal must not change it.
    if visit.new_browser and visit.forms:
        response = response.adding(cookies=[house.cookie("browser", visit.browser)])
    if route is not None and not route.stateless and not route.cross_site:
        response = _keep_language(house, request, response)
    if route is not None and route.tells and request.wants_json:
        response = gone(house, visit, response)
    if not any(name == "Cache-Control" for name, _ in response.headers):
        response = response.adding(headers=house.pages.bare_headers())
    return response


def _for_machines(house: House, request: Request, route: Route) -> Response | None:
    """Answer the machine that watches, whatever the Host and whatever the stores do."""
    handler = route.handler(request.method) if route.for_machines else None
    if handler is None:
        return None
    try:
        return handler(house, Visit(request, None, "", False, language_at(house, request, route)))
    except GatewayError as error:
        detail: dict[str, str | int | bool] = {"reason": str(error), "status": 404}
        code, address, correlation = error.code, request.address, request.correlation
        house.events.emit(
            Event(name=EventName.REQUEST_REFUSED, code=code, address=address, correlation=correlation, detail=detail)
        )
        return Response(404, headers=house.pages.bare_headers())


def _routed(house: House, visit: Visit, found: tuple[Route, str] | None) -> Response:
    request = visit.request
    if request.headers.get("host", "").lower() != house.settings.host:
        raise RequestRefused("the Host header is not that of base_url", code=Code.HOST_UNKNOWN)
    if found is None:
        raise RequestRefused("no such page", code=Code.NOT_FOUND)
    route, door = found
    known = door in house.policy.doors or door in house.portals
    visit = replace(visit, door=door if known else "", takes=route.takes)
    handler = route.handler(request.method)
    try:
        if handler is None:
            raise RequestRefused("this method does nothing here", code=Code.METHOD_NOT_ALLOWED)
        restricted = visit.session.restricted if visit.session else ""
        if restricted and route.pattern not in OPEN_WHILE.get(restricted, ALWAYS_OPEN):
            return to_what_is_due(house, restricted, _on_the_way(house, visit))
        return handler(house, visit)
    except GatewayError as error:
        response = refusal(house, visit, error)
        if handler is None:
            response = response.adding(headers=[("Allow", ", ".join(route.methods))])
        return response


def _on_the_way(house: House, visit: Visit) -> str | None:
    """Return the page that somebody is on the way to, who went back to a page of ours before what is due was done."""
    request = visit.request
    if request.method == "POST":
        asked = request.fields.get("next", "") if "next" in (visit.takes or ()) else ""
    else:
        asked = request.query.get("next", "")
    return landed(house, visit, asked) if asked else None


def _refused(house: House, visit: Visit, error: GatewayError) -> Response:
    try:
        return refusal(house, visit, error)
    except Exception:
        _log.exception("fault while refusing %s", visit.request.correlation)
        return Response(500, house.pages.plain("down"), "text/plain; charset=utf-8")


def live_session(house: House, cookies: Mapping[str, str], *, anew: bool = False, counts: bool = True) -> Live | None:
    """Return the live session of a request, or None.

    Args:
        house: the rooms.
        cookies: of the request, by name.
        anew: ask the store, whatever this process knows.
        counts: the request moves the idle limit.

    Raises:
        Unavailable: the store does not answer; nobody is signed in meanwhile.
    """
    cookie = cookies.get(house.settings.cookie_name("session"))
    live = house.sessions.look(cookie, anew=anew, counts=counts) if cookie else None
    if live is None:
        return None
    return live if house.is_open(live.session.door) else None


def to_what_is_due(house: House, restricted: str, back_to: str | None = None) -> Response:
    """Send a person whose session may do a single thing to the page where it is done."""
    page = factor_address if restricted == SECOND_FACTOR else choose_address
    address = page(house, back_to or house.settings.landing)
    return Response(303, headers=(("Location", address), *house.pages.bare_headers()))


def language_at(house: House, request: Request, route: Route | None) -> Language:
    """Return the language in which a request to one of our own addresses is answered."""
    switch: dict[str, str] = {}
    typed = request.method == "POST"
    if route is None or route.again:
        asked = tuple(question.id for question in house.policy.all_questions)
        switch = same_page(request, house.settings, asked, typed=typed)
    return language_of(request, house.settings, stateless=route is None or route.stateless, switch=switch)


def _keep_language(house: House, request: Request, response: Response) -> Response:
    """Keep the language that an address says, where a person reads or goes on."""
    code = said(request, house.settings)
    person = response.status == 303 or response.content_type.startswith("text/html")
    if not code or not person or request.cookies.get(house.settings.cookie_name(COOKIE)) == code:
        return response
    return response.adding(cookies=[remembered(house.settings, code)])
