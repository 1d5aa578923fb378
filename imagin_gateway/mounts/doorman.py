"""Whether a request may go on to the host application: one rule for both mounts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from imagin_gateway.errors import Code, GatewayError, Refused, Unavailable
from imagin_gateway.exchange import Request, Response, parse_cookies
from imagin_gateway.flows.house import Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.language import language_of
from imagin_gateway.flows.refusals import refusal
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.identity import lacks
from imagin_gateway.mounts.cookie import CookieFinder
from imagin_gateway.mounts.passage import Passage, Passages
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.sessions.reader import COOKIE_LENGTH
from imagin_gateway.sessions.session import Session

_log = logging.getLogger("imagin_gateway")

_PATH_SAFE = "/:@!$&'()*+,;=-._~"


class Doorman:
    """Stands before the host application.

    Args:
        gateway: whose sessions and protections count.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._cookie_name = gateway.settings.cookie_name("session")
        self._find_cookie = CookieFinder(self._cookie_name, COOKIE_LENGTH).find
        self._is_open = gateway.is_open
        self._glance = gateway.house.sessions.glance
        self.passage = Passages(gateway.settings).of
        """What is known of a path."""
        self.anonymous = self._visitor(None)
        """The visitor who is nobody."""
        pages = gateway.house.pages
        bare, plain = pages.bare_headers(), "text/plain; charset=utf-8"
        self._unreadable = Response(400, pages.plain("unreadable"), plain, bare)
        self._rush = Response(503, pages.plain("busy"), plain, [*bare, ("Retry-After", "5")])

    def glance(self, passage: Passage, cookies: str) -> Visitor | None:
        """Return the visitor who may go on at once, or None: then `admit` decides. Waits for nobody.

        Args:
            passage: where to.
            cookies: the Cookie header.
        """
        if self._cookie_name not in cookies:
            return self.anonymous if passage.open else None
        if not passage.simple:
            return None
        cookie = self._find_cookie(cookies)
        if cookie is None:
            return None
        live = self._glance(cookie)
        # Only a session that went through `admit` once has a visitor: it is not restricted.
        if live is None or live.kept is None:
            return None
        session = live.session
        if not passage.activities <= session.activities or not self._is_open(session.door):
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

    def admit(
        self, method: str, passage: Passage, query: bytes, headers: Mapping[str, str], address: str
    ) -> Response | Visitor:
        """Return the visitor to let through, or the answer to give instead."""
        try:
            return self._admit(method, passage, query, headers, address)
        except Exception:
            # Last handler: a fault lets nobody into what is protected, and signs nobody in elsewhere.
            _log.exception("fault while admitting a request")
            if passage.open:
                return self.anonymous
            visit = self._visit(method, passage.path, headers, address)
            return refusal(self._gateway.house, visit, GatewayError("see the log", code=Code.FAULT))

    def _admit(
        self, method: str, passage: Passage, query: bytes, headers: Mapping[str, str], address: str
    ) -> Response | Visitor:
        gateway, path = self._gateway, passage.path
        try:
            live = gateway.live(parse_cookies(headers.get("cookie", "")))
        except Unavailable as error:
            # Never signed in while nobody can say so: closed where it matters, anonymous elsewhere.
            if passage.open:
                return self.anonymous
            return refusal(gateway.house, self._visit(method, path, headers, address), error)
        if live is None:
            return self.anonymous if passage.open else self._to_login(method, path, query, headers)
        session = live.session
        if session.restricted:
            return gateway.to_first_password(_target(path, query) if method in ("GET", "HEAD") else None)
        if live.kept is None:
            live.kept = self._visitor(session)
        visitor: Visitor = live.kept
        if passage.open:
            return visitor
        if not session.identity.can(*passage.activities):
            visit = self._visit(method, path, headers, address)
            return refusal(gateway.house, visit, Refused("not open to this door", code=Code.ACTIVITY_CLOSED))
        if not passage.simple and lacks(session.identity, gateway.house.clock.now(), passage.recent, passage.strength):
            return self._to_confirm(method, path, query, headers)
        return visitor

    def _visitor(self, session: Session | None) -> Visitor:
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
        )

    def _visit(self, method: str, path: str, headers: Mapping[str, str], address: str) -> Visit:
        request = Request(method, path, headers=headers, address=address, correlation=new_reference())
        # A page of the host: its address is the host's, and says nothing to us of a language.
        return Visit(request, None, "", False, language_of(request, self._gateway.settings, stateless=False))

    def _to_login(self, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> Response:
        return self._sent_to("/", "login", "Connexion nécessaire", 401, method, path, query, headers)

    def _to_confirm(self, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> Response:
        return self._sent_to(
            "/confirmer", "confirm", "Nouvelle connexion nécessaire", 403, method, path, query, headers
        )

    def _sent_to(
        self,
        below: str,
        name: str,
        title: str,
        status: int,
        method: str,
        path: str,
        query: bytes,
        headers: Mapping[str, str],
    ) -> Response:
        gateway = self._gateway
        bare = gateway.house.pages.bare_headers()
        where = gateway.settings.mount_path + below
        accept = headers.get("accept", "")
        if "application/json" in accept and "text/html" not in accept:
            problem = {"type": "about:blank", "title": title, "status": status, name: where}
            return Response(status, json.dumps(problem).encode(), "application/problem+json", headers=bare)
        # What was posted is never replayed: after the login, the person lands on a page (row SAM-28).
        asked = landing(gateway.settings, _target(path, query) if method in ("GET", "HEAD") else None)
        return Response(303, headers=(("Location", f"{where}?{urlencode({'next': asked})}"), *bare))


def _target(path: str, query: bytes) -> str:
    target = quote(path, safe=_PATH_SAFE)
    return target + "?" + query.decode("ascii", "replace") if query else target
