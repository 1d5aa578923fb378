"""Whether a request may go on to the host application: one rule for both mounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from imagin_gateway.errors import Code, Refused, RequestRefused, Unavailable
from imagin_gateway.exchange import Request, Response, parse_cookies
from imagin_gateway.flows.house import Visit
from imagin_gateway.flows.refusals import refusal
from imagin_gateway.gateway import Gateway, new_reference
from imagin_gateway.mounts.visitor import Visitor
from imagin_gateway.sessions.session import Session

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

    def below_mount(self, path: str) -> str | None:
        """Return the part of a path below the gateway's mount path, or None if the path is the host's."""
        mount = self._gateway.settings.mount_path
        if path == mount:
            return "/"
        return path[len(mount) :] if path.startswith(mount + "/") else None

    def unreadable(self, path: str) -> Response | None:
        """Return the answer to a path that no honest link holds, or None.

        A router whose pattern ends with `$` takes a final line break for nothing, so `/missions` and
        `/missions` with one would be one page to it and two paths to us. Such a path is refused, protected or not.
        """
        if path.isprintable() and "\\" not in path:
            return None
        gateway = self._gateway
        visit = self._visit("GET", "/", {}, "")
        return refusal(gateway.house, visit, RequestRefused("the path holds a control character", code=Code.MALFORMED))

    def knows_nobody(self, path: str, cookie_header: str) -> bool:
        """Tell whether no store need be asked: neither cookie of ours nor protection."""
        return self._cookie_name not in cookie_header and self._gateway.protected(path) is None

    @property
    def anonymous(self) -> Visitor:
        """The visitor who is nobody."""
        return self._anonymous

    def admit(
        self, method: str, path: str, query: bytes, headers: Mapping[str, str], address: str
    ) -> Response | Visitor:
        """Return the visitor to let through, or the answer to give instead."""
        gateway = self._gateway
        protection = gateway.protected(path)
        try:
            session = gateway.session(parse_cookies(headers.get("cookie", "")))
        except Unavailable as error:
            # Never signed in while nobody can say so: closed where it matters, anonymous elsewhere.
            if protection is None:
                return self._anonymous
            return refusal(gateway.house, self._visit(method, path, headers, address), error)
        if session is not None and session.restricted:
            return gateway.to_first_password(_target(path, query) if method in ("GET", "HEAD") else None)
        if protection is None:
            return self._visitor(session)
        if session is None:
            return self._to_login(method, path, query, headers)
        if protection.activity is not None and not session.identity.can(protection.activity):
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
        asked = _target(path, query) if method in ("GET", "HEAD") else gateway.settings.landing
        return Response(303, headers=(("Location", f"{mount}/?{urlencode({'next': asked})}"), *bare))


def _target(path: str, query: bytes) -> str:
    target = quote(path, safe=_PATH_SAFE)
    return target + "?" + query.decode("ascii", "replace") if query else target
