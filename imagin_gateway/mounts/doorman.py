"""Whether a request may go on to the host application: one rule for both mounts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from imagin_gateway.errors import About, Code, GatewayError, Refused, Unavailable
from imagin_gateway.events import Event, EventName
from imagin_gateway.exchange import Request, Response
from imagin_gateway.flows.house import Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.language import language_of
from imagin_gateway.flows.problem import challenge, problem
from imagin_gateway.flows.refusals import refusal
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.identity import Identity, lacks
from imagin_gateway.local.throttle import network_of
from imagin_gateway.mounts.asked import Asked
from imagin_gateway.mounts.cookie import CookieFinder
from imagin_gateway.mounts.host_request import host_request, written_query
from imagin_gateway.mounts.mistakes import PROTECTED_ELSEWHERE, WRONG_PREFIX
from imagin_gateway.mounts.passage import Passage, Passages
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.sessions.reader import COOKIE_LENGTH
from imagin_gateway.sessions.session import SECOND_FACTOR, Session
from imagin_gateway.settings import under

_log = logging.getLogger("imagin_gateway")


class Doorman:
    """Stands before the host application.

    Args:
        gateway: whose sessions and protections count.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._cookie_name = gateway.settings.cookie_name("session")
        self._find_cookie = CookieFinder(self._cookie_name, COOKIE_LENGTH).find
        self._glance = gateway.house.sessions.glance
        self._root = ""
        self.passages = Passages(gateway.settings)
        """What is known of each path."""
        self.anonymous = self.visitor_of(None)
        """The visitor who is nobody."""
        self.unknown = replace(self.anonymous, judge=self._judge_unknown)
        """The visitor of whom the store does not tell who it is: nobody to an open page, and sent away by any other."""
        pages = gateway.house.pages
        bare, plain = pages.bare_headers(), "text/plain; charset=utf-8"
        self._unreadable = Response(400, pages.plain("unreadable"), plain, bare)
        self._rush = Response(503, pages.plain("busy"), plain, [*bare, ("Retry-After", "5")])

    def check_root(self, told: str) -> str:
        """Return the prefix below which the application is served, without a final slash.

        Args:
            told: by the server (`root_path`, `SCRIPT_NAME`), some of which believe a header of the request.

        Raises:
            RuntimeError: the gateway's own pages, or what the settings protect, are not there.
        """
        root = told.rstrip("/")
        if root != self._root:
            settings = self._gateway.settings
            if not under(settings.mount_path, root):
                raise RuntimeError(WRONG_PREFIX.format(root=root, mount=settings.mount_path))
            prefixes = dict.fromkeys(part.prefix for part in settings.protect)
            elsewhere = [each for each in prefixes if not under(each, root) and not under(root, each)]
            if elsewhere:
                raise RuntimeError(PROTECTED_ELSEWHERE.format(root=root, prefixes=", ".join(elsewhere)))
            self._root = root
        return root

    def glance(self, passage: Passage, cookies: str) -> Visitor | None:
        """Return the visitor who may go on at once, or None: then `admit` decides. Waits for nobody.

        Args:
            passage: where to.
            cookies: the Cookie header.
        """
        cookie = self._find_cookie(cookies)
        if cookie is None:
            return self.anonymous if passage.open and self._cookie_name not in cookies else None
        if not passage.simple:
            return None
        live = self._glance(cookie)
        # Only a session that went through `admit` once has a visitor: it is not restricted.
        if live is None or live.kept is None:
            return None
        session = live.session
        if passage.activities and not passage.activities <= session.activities:
            return None
        if not self._gateway.house.is_open(session.door):
            return None
        kept: Visitor = live.kept
        return kept

    @property
    def refusal_of_path(self) -> Response:
        """The answer to an unreadable path: made once, so that it costs nothing to give."""
        return self._unreadable

    @property
    def refusal_of_rush(self) -> Response:
        """The answer when too many requests wait for a thread of ours."""
        return self._rush

    def admit(self, passage: Passage, request: Request) -> Response | Visitor:
        """Return the visitor to let through, or the answer to give instead."""
        try:
            return self._admit(passage, request)
        except Exception:
            # Last handler: a fault lets nobody into what is protected, and signs nobody in elsewhere.
            _log.exception("fault while admitting a request")
            if passage.open:
                return self.unknown
            return self._refuse(request, GatewayError("see the log", code=Code.FAULT))

    def _admit(self, passage: Passage, request: Request) -> Response | Visitor:
        gateway = self._gateway
        try:
            live = gateway.live(request.cookies)
        except Unavailable as error:
            # Never signed in while nobody can say so: closed where it matters, anonymous elsewhere.
            return self.unknown if passage.open else self._refuse(request, error)
        if live is None:
            return self.anonymous if passage.open else self._to_login(request)
        if live.session.restricted:
            if request.by_script:
                return self._due(live.session.restricted, request)
            wanted = _target(request) if request.method in ("GET", "HEAD") else None
            return gateway.to_what_is_due(live.session.restricted, wanted)
        if live.kept is None:
            live.kept = self.visitor_of(live.session)
        visitor: Visitor = live.kept
        refused = None if passage.open else self.judge(visitor.person, passage.asked, request)
        return visitor if refused is None else refused

    def judge(self, who: Identity | None, asked: Asked, request: Request) -> Response | None:
        """Return what to answer to somebody who does not have what is asked; None when they do."""
        if who is None:
            return self._to_login(request)
        if not who.can(*asked.activities):
            closed = Refused("not open to this door", code=Code.ACTIVITY_CLOSED)
            closed.about = About(door=who.door, method=who.method, person=who.key)
            return self._refuse(request, closed)
        if lacks(who, self._gateway.house.clock.now(), asked.recent, asked.strength):
            return self._to_confirm(request)
        return None

    def judge_route(self, who: Identity | None, asked: Asked, place: Mapping[str, Any]) -> Response | None:
        """Do the same for a route of the host, which holds a scope or an environ."""
        request = host_request(place, self._gateway.settings.trusted_proxies)
        if place.get("type") == "websocket" and not self.same_origin(request):
            return self.refusal_of_origin(request)
        return self.judge(who, asked, request)

    def same_origin(self, request: Request) -> bool:
        """Tell whether a websocket is opened by a page of ours, or by what is no browser (RFC 6455 §10.2).

        A page of another site may open one with this browser's cookies: no rule of the browser forbids it.
        """
        ours = self._gateway.settings.base_url
        return request.headers.get("origin", ours) == ours

    def refusal_of_origin(self, request: Request) -> Response:
        """Refuse a websocket of another origin. The operator is told, not of each that a script tries anew."""
        house = self._gateway.house
        untold = house.sockets.due(network_of(request.address), house.clock.now())
        if untold is not None:
            reason = "a websocket was opened by a page of another origin"
            detail: dict[str, str | int | bool] = {"status": 403, "reason": reason}
            detail |= {"untold": untold} if untold else {}
            house.events.emit(
                Event(
                    name=EventName.REQUEST_REFUSED,
                    code=Code.CROSS_SITE,
                    address=request.address,
                    correlation=new_reference(),
                    detail=detail,
                )
            )
        return Response(403)

    def _judge_unknown(self, who: Identity | None, asked: Asked, place: Mapping[str, Any]) -> Response:
        """Answer a route that asks while nobody can tell who is there: a login would not help."""
        del who, asked
        error = Unavailable("nobody can tell who is signed in", code=Code.STORE_UNAVAILABLE)
        return self._refuse(host_request(place, self._gateway.settings.trusted_proxies), error)

    def visitor_of(self, session: Session | None) -> Visitor:
        """Return what the host is told of a session, or of nobody."""
        mount = self._gateway.settings.mount_path
        return Visitor(
            person=session.identity if session else None,
            session_ends_at=session.absolute_end if session else None,
            login_path=mount + "/",
            logout_path=mount + "/fin",
            session_path=mount + "/session",
            session_script=self._gateway.house.pages.session_script_path,
            confirm_path=mount + "/confirmer",
            now=self._gateway.house.clock.now,
            judge=self.judge_route,
        )

    def _refuse(self, request: Request, error: GatewayError) -> Response:
        # A page of the host: its address is the host's, and says nothing to us of a language.
        language = language_of(request, self._gateway.settings, stateless=False)
        visit = Visit(replace(request, correlation=new_reference()), None, "", False, language)
        return refusal(self._gateway.house, visit, error)

    def _due(self, restricted: str, request: Request) -> Response:
        """Tell a script what the person must do first, and where: what it asked for is not what it would read there."""
        gateway = self._gateway
        pages, language = gateway.house.pages, language_of(request, gateway.settings, stateless=False).code
        factor = restricted == SECOND_FACTOR
        code = Code.FACTOR_DUE if factor else Code.FIRST_PASSWORD_DUE
        title = pages.text("security.due_title" if factor else "password.title.first", language)
        where = gateway.settings.mount_path + ("/securite" if factor else "/mot-de-passe")
        return problem(403, title, {"code": code.value, "due": where}, pages.bare_headers())

    def _to_login(self, request: Request) -> Response:
        return self._sent_to("/", "login", 401, request)

    def _to_confirm(self, request: Request) -> Response:
        return self._sent_to("/confirmer", "confirm", 403, request)

    def _sent_to(self, below: str, name: str, status: int, request: Request) -> Response:
        gateway = self._gateway
        bare = gateway.house.pages.bare_headers()
        where = gateway.settings.mount_path + below
        if request.by_script:
            # A redirect to a page would tell a script nothing. 401 wants a challenge.
            asks = [challenge(gateway.settings.host)] if status == 401 else []
            language = language_of(request, gateway.settings, stateless=False).code
            title = gateway.house.pages.text(f"problem.{name}", language)
            return problem(status, title, {name: where}, [*bare, *asks])
        # What was posted is never replayed: after the login, the person lands on a page (row SAM-28).
        asked = landing(gateway.settings, _target(request) if request.method in ("GET", "HEAD") else None)
        return Response(303, headers=(("Location", f"{where}?{urlencode({'next': asked})}"), *bare))


def _target(request: Request) -> str:
    return request.written + written_query(request.query_string)
