"""From a reason code to the page that says what happened and what to do.

Codes are many, for the operator; pages are few, for the person. An unknown code
gets the page of a fault, never a way in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from imagin_gateway.errors import (
    About,
    AdmissionRefused,
    AnswerRefused,
    Code,
    GatewayError,
    Refused,
    RequestRefused,
    Unavailable,
)
from imagin_gateway.events import EventName
from imagin_gateway.exchange import Response
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.flows.landing import landing
from imagin_gateway.flows.problem import problem
from imagin_gateway.flows.refusal_page import Told, refusal_page, refusal_words
from imagin_gateway.identity import Door
from imagin_gateway.pages.views import FieldError

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
    Code.FIELD_TYPE: ("R12", 400),
    Code.FIELD_UNKNOWN: ("R12", 400),
    Code.FIELD_MISSING: ("R12", 422),
    Code.SESSION_NEEDED: ("R12", 401),
    Code.FLOW_UNKNOWN: ("R9", 400),
    Code.FLOW_OTHER_BROWSER: ("R9", 400),
    Code.REPLAYED: ("R9", 400),
    Code.OIDC_STATE: ("R9", 400),
    Code.OIDC_INITIATION: ("R13", 400),
    Code.REDIRECT: ("R13", 400),
    Code.SESSION_ENDED: ("R9", 400),
    # Somebody changed the account, maybe this person, by a first click: what is recorded is not for the page to say.
    Code.ACCOUNT_STATE: ("R9", 400),
    Code.PORTAL_UNKNOWN: ("R13", 404),
    Code.PORTAL_DISABLED: ("R13", 404),
    Code.PORTAL_UNAVAILABLE: ("R5", 503),
    Code.ATTRIBUTE_MISSING: ("R4", 403),
    Code.THROTTLED: ("R7", 429),
    Code.NETWORK_THROTTLED: ("R7", 429),
    Code.LINK_DEAD: ("R6", 410),
    Code.DESK_NOT_ALLOWED: ("R30", 403),
    Code.DESK_SELF: ("R31", 403),
    Code.DESK_STALE: ("R32", 409),
    Code.DESK_UNKNOWN: ("R33", 404),
    Code.DESK_REPEATED: ("R34", 409),
    Code.DESK_TOO_MANY: ("R35", 429),
    Code.NOT_LINKED: ("R18", 403),
    Code.LINK_TAKEN: ("R19", 409),
    Code.ACTIVITY_CLOSED: ("R3", 403),
    Code.TOO_MANY_SESSIONS: ("R16", 403),
    Code.TOO_WEAK: ("R17", 403),
    Code.FACTOR_OFF: ("R13", 404),
    Code.FACTOR_GONE: ("R9", 400),
    Code.FACTOR_DUE: ("R20", 403),
    Code.FACTOR_TOO_MANY: ("R21", 403),
    Code.ADMISSION_REFUSED: ("R14", 403),
    Code.STORE_UNAVAILABLE: ("R11", 503),
    Code.BUSY: ("R11", 503),
}
_SCRIPT_WRONG: Final = frozenset(
    {
        *(Code.TOO_LARGE, Code.MALFORMED, Code.PARAMETER_REPEATED, Code.MEDIA_TYPE),
        *(Code.FIELD_TYPE, Code.FIELD_UNKNOWN, Code.METHOD_NOT_ALLOWED),
    }
)
"""What only the script of a host can have done wrong."""

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
    return refusal_page(house, visit, _told(house, visit, error, page, status))


def _with_wait(response: Response, error: GatewayError) -> Response:
    retry_after = getattr(error, "retry_after", None)
    return response if retry_after is None else response.adding(headers=[("Retry-After", str(int(retry_after)))])


def _as_problem(house: House, visit: Visit, error: GatewayError, page: str, status: int) -> Response:
    """Return what a script is told: what the page says, the stable code, and the reference for the support."""
    words = refusal_words(house, visit, _told(house, visit, error, page, status))
    more: dict[str, object] = {
        "detail": words.detail,
        "code": error.code.value,
        "reference": visit.request.correlation,
        "login": house.path("/"),
        "steps": words.steps,
        "links": [{"label": each.label, "href": each.href} for each in words.links],
    }
    if error.code in _SCRIPT_WRONG and str(error) != error.code.value:
        # For whoever writes the script; such messages hold nothing that came from outside.
        more["reason"] = str(error)
    headers = [*house.pages.bare_headers(), *house.pages.spoken_in(visit.language.code)]
    return problem(status, words.title, more, headers)


def logout_refusal(house: House, visit: Visit, error: Refused) -> Response:
    """Write the event and return the page of a logout that a portal asked for and that is refused: nothing ended."""
    page, status = page_of(error)
    if page not in ("R12", "R8", "R9"):
        return refusal(house, visit, error)
    visit.event(house, EventName.LOGOUT_REFUSED, error.code, detail=detail_of(error))
    return refusal_page(house, visit, _told(house, visit, error, "R15", status))


def _told(house: House, visit: Visit, error: GatewayError, page: str, status: int) -> Told:
    retry_after = getattr(error, "retry_after", None)
    return Told(
        page=page,
        status=status,
        door=visit.door,
        reference=visit.request.correlation,
        moment=house.clock.now().isoformat(),
        again=_again(house, visit, page),
        seconds=None if retry_after is None else int(retry_after),
        missing=error.missing if isinstance(error, AnswerRefused) else (),
        sentences=error.sentences if isinstance(error, AdmissionRefused) else None,
        help_url=error.help_url if isinstance(error, AnswerRefused) else "",
    )


def _again(house: House, visit: Visit, page: str) -> str:
    if page == "R20":
        return landing(house.settings, visit.request.query.get("next"))
    return visit_again(house, visit) if page == "R10" else ""


_OPENED_AT: Final = {"/proconnect/retirer": "/proconnect", "/assistance/acte": "/assistance"}
"""Where the page of a form stands that cannot be opened at the address it is sent to."""


def visit_again(house: House, visit: Visit) -> str:
    """Return where a form that stayed open too long can be opened afresh, to lead where it would have led."""
    request = visit.request
    if request.method != "POST":
        return house.path("/")
    try:
        asked = request.fields.get("next", "") if "next" in (visit.takes or ()) else ""
    except RequestRefused:
        asked = ""
    wanted = asked and landing(house.settings, asked) == asked
    return house.path(_OPENED_AT.get(request.path, request.path)) + ("?" + urlencode({"next": asked}) if wanted else "")


def _tell(house: House, visit: Visit, error: GatewayError, status: int) -> None:
    """Write the event of an error; none when the act that it ends has told it already."""
    if error.told:
        return
    detail = {"status": status, **detail_of(error)}
    name = _event_of(visit, error)
    visit.event(house, name, error.code, detail=detail, **_concerned(house, visit, error, name))


def detail_of(error: GatewayError) -> dict[str, str | int | bool]:
    """Return what the event of an error tells besides its code."""
    detail: dict[str, str | int | bool] = {}
    if isinstance(error, AnswerRefused):
        if error.missing:
            detail["missing"] = ",".join(error.missing)
        if error.statuses:
            detail["statuses"] = ",".join(error.statuses)[:200]
    elif isinstance(error, AdmissionRefused):
        detail["rules"] = ",".join(error.rules)
    if str(error) != error.code.value:
        detail["reason"] = str(error)[:200]
    return detail


def _event_of(visit: Visit, error: GatewayError) -> EventName:
    path = visit.request.path
    if error.about is not None and error.about.event:
        return EventName(error.about.event)
    if isinstance(error, Refused) and path.startswith("/portail/") and "/fin" in path:
        return EventName.LOGOUT_REFUSED
    if isinstance(error, (AnswerRefused, AdmissionRefused)):
        return EventName.LOGIN_REFUSED
    if path.startswith(("/portail/", "/arrivee")):
        return EventName.PORTAL_FAILED if isinstance(error, Unavailable) else EventName.LOGIN_REFUSED
    if isinstance(error, Refused) and path.startswith("/assistance"):
        return EventName.DESK_REFUSED
    if error.code is Code.LINK_DEAD:
        return EventName.RESET_LINK_REFUSED
    return EventName.ACCESS_DENIED if error.code is Code.ACTIVITY_CLOSED else EventName.REQUEST_REFUSED


def _concerned(house: House, visit: Visit, error: GatewayError, name: EventName) -> dict[str, object]:
    """Return whom an event is about, and how and where they tried: as far as it is known."""
    session = visit.session
    if visit.request.path.startswith("/assistance") and session is not None:
        actor = f"desk:{house.events.pseudonym(session.person)}"
        return {"actor": actor, "person": getattr(error, "person", None)}
    about = error.about or About()
    portal = house.portals.get(visit.door)
    told: dict[str, object] = {
        "door": about.door or visit.door,
        "method": about.method or (portal.method if portal is not None else ""),
        "strength": about.strength,
        "person": about.person,
    }
    if name is EventName.RESET_LINK_REFUSED:
        told["door"] = Door.DIRECT
    elif name is EventName.REQUEST_REFUSED and session is not None and error.about is None:
        # Whoever is signed in asked; what a portal's answer says of somebody is another matter.
        told |= {"door": visit.door or session.door, "person": session.person}
    return told


def password_errors(house: House, refused: Refused | None) -> list[FieldError]:
    """Return what to say next to the fields when a chosen password is refused."""
    if refused is None:
        return []
    fields = {Code.PASSWORD_MISMATCH: "encore", Code.PASSWORD_CURRENT: "actuel"}
    params = {"missing": getattr(refused, "missing", 0), "maximum": getattr(refused, "maximum", 0)}
    return [FieldError(fields.get(refused.code, "nouveau"), refused.code.value, params)]
