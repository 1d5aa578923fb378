"""From a reason code to the page that says what happened and what to do.

Codes are many, for the operator; pages are few, for the person. An unknown code
gets the page of a fault, never a way in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from imagin_gateway.errors import AdmissionRefused, AnswerRefused, Code, GatewayError, Refused, Unavailable
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.problem import problem
from imagin_gateway.identity import Door
from imagin_gateway.pages.views import FieldError, Link

# page, status
_PAGES: Final[Mapping[Code, tuple[str, int]]] = {
    Code.HOST_UNKNOWN: ("R13", 400),
    Code.METHOD_NOT_ALLOWED: ("R13", 405),
    Code.TOO_LARGE: ("R12", 413),
    Code.MALFORMED: ("R12", 400),
    Code.PARAMETER_REPEATED: ("R12", 400),
    Code.MEDIA_TYPE: ("R12", 415),
    Code.FORM_EXPIRED: ("R10", 403),
    Code.CROSS_SITE: ("R10", 403),
    Code.NOT_FOUND: ("R13", 404),
    Code.FLOW_UNKNOWN: ("R9", 400),
    Code.FLOW_OTHER_BROWSER: ("R9", 400),
    Code.REPLAYED: ("R9", 400),
    Code.OIDC_STATE: ("R9", 400),
    Code.OIDC_INITIATION: ("R13", 400),
    Code.SESSION_ENDED: ("R9", 400),
    Code.PORTAL_UNKNOWN: ("R13", 404),
    Code.PORTAL_DISABLED: ("R13", 404),
    Code.PORTAL_UNAVAILABLE: ("R5", 503),
    Code.ATTRIBUTE_MISSING: ("R4", 403),
    Code.THROTTLED: ("R7", 429),
    Code.NETWORK_THROTTLED: ("R7", 429),
    Code.LINK_DEAD: ("R6", 410),
    Code.NOT_LINKED: ("R18", 403),
    Code.LINK_TAKEN: ("R19", 409),
    Code.ACTIVITY_CLOSED: ("R3", 403),
    Code.TOO_MANY_SESSIONS: ("R16", 403),
    Code.TOO_WEAK: ("R17", 403),
    Code.ADMISSION_REFUSED: ("R14", 403),
    Code.STORE_UNAVAILABLE: ("R11", 503),
    Code.BUSY: ("R11", 503),
}
_PORTAL_SAYS_NO: Final = ("R8", 403)
_FAULT: Final = ("R12", 500)


def page_of(error: GatewayError) -> tuple[str, int]:
    """Return the page and the status of an error."""
    known = _PAGES.get(error.code)
    if known is not None:
        return known
    if isinstance(error, AnswerRefused):
        return _PORTAL_SAYS_NO
    if isinstance(error, Unavailable):
        return ("R11", 503)
    if isinstance(error, Refused):
        return ("R12", 403)
    return _FAULT


def refusal(house: House, visit: Visit, error: GatewayError) -> Response:
    """Write the event and return the page of an error that reached the top of a journey."""
    page, status = page_of(error)
    _tell(house, visit, error, status)
    if visit.request.by_script:
        return _with_wait(_as_problem(house, visit, error, page, status), error)
    chooser = Link(house.text(visit, "refusal.choose"), house.href(visit, "/"))
    primary = chooser
    links: list[Link] = []
    if page in ("R5", "R8", "R9") and visit.door in house.portals:
        primary, links = Link(house.text(visit, "refusal.again"), house.path(f"/portail/{visit.door}")), [chooser]
    elif page == "R6":
        primary = Link(house.text(visit, "refusal.new_link"), house.href(visit, "/mot-de-passe/oubli"))
    elif page == "R10":
        primary = Link(house.text(visit, "refusal.again"), visit_again(house, visit))
    if isinstance(error, AnswerRefused) and error.help_url:
        links.append(Link(house.text(visit, "refusal.portal_help"), error.help_url))
    if page == "R8" and (door := house.policy.doors.get(visit.door)) is not None and (door.recovery_link or door.link):
        lost = door.recovery_link or door.link
        links.append(Link(lost.removeprefix("https://"), lost))
    if page in ("R2", "R5", "R14", "R18"):
        # The sentence on the page names that door; the link goes into it.
        links.append(Link(house.text(visit, "refusal.direct"), house.href(visit, f"/acces/{Door.DIRECT}")))
    response = _page(
        house,
        visit,
        status=status,
        id=page,
        params=_params(house, visit, error),
        reference=visit.request.correlation,
        moment=house.clock.now(),
        primary=primary,
        links=links,
    )
    return _with_wait(response, error)


def _with_wait(response: Response, error: GatewayError) -> Response:
    retry_after = getattr(error, "retry_after", None)
    return response if retry_after is None else response.adding(headers=[("Retry-After", str(int(retry_after)))])


def _as_problem(house: House, visit: Visit, error: GatewayError, page: str, status: int) -> Response:
    """Return what a script is told: the page's title, the stable code, and the reference for the support."""
    title = house.text(visit, f"refusal.{page}.title")
    more = {"code": error.code.value, "reference": visit.request.correlation, "login": house.path("/")}
    return problem(status, title, more, house.pages.bare_headers())


def logout_refusal(house: House, visit: Visit, error: Refused) -> Response:
    """Write the event and return the page of a logout that a portal asked for and that is refused: nothing ended."""
    page, status = page_of(error)
    if page not in ("R12", "R8", "R9"):
        return refusal(house, visit, error)
    detail = {"reason": str(error)[:200]} if str(error) != error.code.value else {}
    visit.event(house, EventName.LOGOUT_REFUSED, error.code, detail=detail)
    return _page(
        house,
        visit,
        status=status,
        id="R15",
        params=_params(house, visit, error),
        reference=visit.request.correlation,
        moment=house.clock.now(),
        primary=Link(house.text(visit, "logout.submit"), house.path("/fin")),
        links=[],
    )


def _page(house: House, visit: Visit, **values: Any) -> Response:
    """Return a refusal. What was posted is not sent again for the sake of another language."""
    language = visit.language if visit.request.method != "POST" else replace(visit.language, switch={})
    return house.pages.render("refusal", language=language, **values)


def visit_again(house: House, visit: Visit) -> str:
    """Return where a form that stayed open too long can be opened afresh."""
    return house.path(visit.request.path) if visit.request.method == "POST" else house.path("/")


def _tell(house: House, visit: Visit, error: GatewayError, status: int) -> None:
    detail: dict[str, str | int | bool] = {"status": status}
    name = EventName.REQUEST_REFUSED
    if isinstance(error, AnswerRefused):
        name = EventName.LOGIN_REFUSED
        if error.missing:
            detail["missing"] = ",".join(error.missing)
        if error.statuses:
            detail["statuses"] = ",".join(error.statuses)[:200]
    elif isinstance(error, AdmissionRefused):
        name = EventName.LOGIN_REFUSED
        detail["rules"] = ",".join(error.rules)
    elif visit.request.path.startswith(("/portail/", "/arrivee")):
        name = EventName.PORTAL_FAILED if isinstance(error, Unavailable) else EventName.LOGIN_REFUSED
    elif error.code is Code.LINK_DEAD:
        name = EventName.RESET_LINK_REFUSED
    elif error.code is Code.ACTIVITY_CLOSED:
        name = EventName.ACCESS_DENIED
    if str(error) != error.code.value:
        detail["reason"] = str(error)[:200]
    visit.event(house, name, error.code, detail=detail)


def _params(house: House, visit: Visit, error: GatewayError) -> dict[str, str]:
    """Return what the page can say beyond its plain sentences; what is not known is left out."""
    params: dict[str, str] = {}
    if visit.door in house.portals:
        params["portal"] = door_name(house, visit, visit.door)
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        minutes = -(-int(retry_after) // 60)
        plural = house.text(visit, "wait.minutes", minutes=minutes)
        params["wait"] = plural if minutes > 1 else house.text(visit, "wait.seconds")
    if isinstance(error, AdmissionRefused):
        params["sentence"] = error.sentences.get(visit.language.code, "")
    if isinstance(error, AnswerRefused) and error.missing:
        params["missing"] = ", ".join(house.pages.attribute_name(name, visit.language.code) for name in error.missing)
    return params


def password_errors(house: House, refused: Refused | None) -> list[FieldError]:
    """Return what to say next to the fields when a chosen password is refused."""
    if refused is None:
        return []
    fields = {Code.PASSWORD_MISMATCH: "encore", Code.PASSWORD_CURRENT: "actuel"}
    params = {"missing": getattr(refused, "missing", 0), "maximum": getattr(refused, "maximum", 0)}
    return [FieldError(fields.get(refused.code, "nouveau"), refused.code.value, params)]
