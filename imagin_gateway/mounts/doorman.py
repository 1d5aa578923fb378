"""Whether a request may go on to the host application: one rule for both mounts."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from imagin_gateway.errors import Code, GatewayError, Refused, Unavailable
from imagin_gateway.exchange import Request, Response, parse_cookies
from imagin_gateway.flows.house import Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.refusals import refusal
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.visitor import Visitor
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
        self._anonymous = self._visitor(None)
        bare = gateway.house.pages.bare_headers()
        plain = "text/plain; charset=utf-8"
        self._unreadable = Response(400, b"Adresse illisible.", plain, bare)
        busy = "Trop de demandes. Réessayez dans quelques secondes."
        self._rush = Response(503, busy.encode(), plain, [*bare, ("Retry-After", "5")])

    def below_mount(self, path: str) -> str | None:
        """Return the part of a path below the gateway's mount path, or None if the path is the host's."""
        mount = self._gateway.settings.mount_path
        if path == mount:
            return "/"
        return path[len(mount) :] if path.startswith(mount + "/") else None

    def unreadable(self, path: str) -> bool:
        """Tell whether a path is one that no honest browser sends, and that routers read in different ways.

        Dot segments are resolved before sending (RFC 3986 §6.2.2.3). Some routers resolve them again, some strip
        leading slashes or add one, and a pattern that ends with `$` takes a final line break for nothing: what is
        one page to the host would be another to us. Refused, protected or not.
        """
        return (
            not path.startswith("/")
            or path.startswith("//")
            or "\\" in path
            or any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in path)
            or any(part in (".", "..") for part in path.split("/"))
        )

    @property
    def refusal_of_path(self) -> Response:
        """The answer to an unreadable path: made once, so that it costs nothing to give."""
        return self._unreadable

    @property
    def refusal_of_rush(self) -> Response:
        """The answer when too many requests wait for a thread of ours."""
        return self._rush

    def protects(self, path: str) -> bool:
        """Tell whether a path of the host asks for a session."""
        return bool(self._gateway.protections(path))

    def knows_nobody(self, path: str, cookie_header: str) -> bool:
        """Tell whether no store need be asked: neither cookie of ours nor protection."""
        return self._cookie_name not in cookie_header and not self.protects(path)

    @property
    def anonymous(self) -> Visitor:
        """The visitor who is nobody."""
        return self._anonymous

    def admit(
        self, method: str, path: str, query: bytes, headers: Mapping[str, str], address: str
    ) -> Response | Visitor:
        """Return the visitor to let through, or the answer to give instead."""
        try:
            return self._admit(method, path, query, headers, address)
        except Exception:
            # Last handler: a fault lets nobody into what is protected, and signs nobody in elsewhere.
            _log.exception("fault while admitting a request")
            if not self.protects(path):
                return self._anonymous
            visit = self._visit(method, path, headers, address)
            return refusal(self._gateway.house, visit, GatewayError("see the log", code=Code.FAULT))

    def _admit(
        self, method: str, path: str, query: bytes, headers: Mapping[str, str], address: str
    ) -> Response | Visitor:
        gateway = self._gateway
        protections = gateway.protections(path)
        try:
            session = gateway.session(parse_cookies(headers.get("cookie", "")))
        except Unavailable as error:
            # Never signed in while nobody can say so: closed where it matters, anonymous elsewhere.
            if not protections:
                return self._anonymous
            return refusal(gateway.house, self._visit(method, path, headers, address), error)
        if session is not None and session.restricted:
            return gateway.to_first_password(_target(path, query) if method in ("GET", "HEAD") else None)
        if not protections:
            return self._visitor(session)
        if session is None:
            return self._to_login(method, path, query, headers)
        asked = [part.activity for part in protections if part.activity is not None]
        if not session.identity.can(*asked):
            visit = self._visit(method, path, headers, address)
            return refusal(gateway.house, visit, Refused("not open to this door", code=Code.ACTIVITY_CLOSED))
        return self._visitor(session)

    def _visitor(self, session: Session | None) -> Visitor:
        mount = self._gateway.settings.mount_path
        return Visitor(
            person=session.identity if session else None,
            session_ends_at=session.absolute_end if session else None,
            login_path=mount + "/",
            logout_path=mount + "/fin",
        )

    def _visit(self, method: str, path: str, headers: Mapping[str, str], address: str) -> Visit:
        request = Request(method, path, headers=headers, address=address, correlation=new_reference())
        return Visit(request, None, "", False)

    def _to_login(self, method: str, path: str, query: bytes, headers: Mapping[str, str]) -> Response:
        gateway = self._gateway
        bare = gateway.house.pages.bare_headers()
        mount = gateway.settings.mount_path
        accept = headers.get("accept", "")
        if "application/json" in accept and "text/html" not in accept:
            problem = {"type": "about:blank", "title": "Connexion nécessaire", "status": 401, "login": mount + "/"}
            return Response(401, json.dumps(problem).encode(), "application/problem+json", headers=bare)
        # What was posted is never replayed: after the login, the person lands on a page (row SAM-28).
        asked = landing(gateway.settings, _target(path, query) if method in ("GET", "HEAD") else None)
        return Response(303, headers=(("Location", f"{mount}/?{urlencode({'next': asked})}"), *bare))


def _target(path: str, query: bytes) -> str:
    target = quote(path, safe=_PATH_SAFE)
    return target + "?" + query.decode("ascii", "replace") if query else target
