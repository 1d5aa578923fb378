"""The page of a refusal, and its address: what was refused cannot always be asked again, its page can.

A portal's answer is believed once, and a posted form is not sent twice for the sake of
another language. So the link to the other language leads to the page itself: all it
says stands in that address, signed, without anything of the person.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Response
from imagin_gateway.flows.doors import door_name
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import Door
from imagin_gateway.pages.views import Link

PATH: Final = "/refus"

_PURPOSE: Final = "refusal page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the page of a refusal says, in no language yet.

    Attributes:
        page: name of its texts.
        status: of the answer.
        door: door id in the path, or "".
        reference: correlation of the request that was refused.
        moment: when, in ISO 8601.
        again: path where to begin again, or to come back to, when the page offers that.
        seconds: how long to wait; None when nobody knows.
        missing: names of the attributes that lack.
        sentences: what the host's rules say, by language.
        help_url: page of the portal for somebody it sends without what is needed.
    """

    page: str
    status: int
    door: str
    reference: str
    moment: str
    again: str = ""
    seconds: int | None = None
    missing: tuple[str, ...] = ()
    sentences: Mapping[str, str] | None = None
    help_url: str = ""


def refusal_page(house: House, visit: Visit, told: Told) -> Response:
    """Return the page, with its address where what was refused cannot be asked again."""
    language = visit.language
    if visit.request.method == "POST" or not language.switch:
        signed = house.keys.signer(_PURPOSE).sign(_packed(told))
        switch = {
            code: f"{house.path(PATH)}?vu={signed}&lang={code}"
            for code in house.pages.languages
            if code != language.code
        }
        language = replace(language, switch=switch)
    primary, links = _ways_on(house, visit, told)
    response = house.pages.render(
        "refusal",
        language=language,
        status=told.status,
        id=told.page,
        params=_params(house, visit, told),
        reference=told.reference,
        moment=datetime.fromisoformat(told.moment),
        primary=primary,
        links=links,
    )
    return response if told.seconds is None else response.adding(headers=[("Retry-After", str(told.seconds))])


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says, without the page.

    Attributes:
        title, detail: what happened.
        steps: what to do, in order.
        links: where to go on, the best first.
    """

    title: str
    detail: str
    steps: list[str]
    links: list[Link]


def refusal_words(house: House, visit: Visit, told: Told) -> Words:
    """Return what the page would say, for a script."""
    t, key = house.pages.catalogue(visit.language.code), f"refusal.{told.page}"
    params = _params(house, visit, told)
    primary, links = _ways_on(house, visit, told)
    steps = [t.fullest(f"{key}.step{number}", **params) for number in (1, 2, 3) if f"{key}.step{number}" in t]
    contact = t("refusal.write_else", contact=house.settings.contact)
    title, detail = t.fullest(f"{key}.title", **params), t.fullest(f"{key}.text", **params)
    return Words(title, detail, [*steps, contact], [primary, *links])


def show(house: House, visit: Visit) -> Response:
    """Show once more the page of a refusal. Nothing is refused anew, and nothing is told to the operator."""
    packed = house.keys.signer(_PURPOSE).unsign(visit.request.query.get("vu", ""))
    if packed is None:
        raise RequestRefused("not a page of ours", code=Code.NOT_FOUND)
    return refusal_page(house, visit, _unpacked(packed))


def _packed(told: Told) -> str:
    kept = {name: value for name, value in asdict(told).items() if value not in (None, "", ())}
    return base64.urlsafe_b64encode(json.dumps(kept, separators=(",", ":")).encode()).decode("ascii").rstrip("=")


def _unpacked(packed: str) -> Told:
    """Return what we packed ourselves, in this release or the previous one."""
    try:
        kept = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        return Told(**{"door": "", **kept, "missing": tuple(kept.get("missing", ()))})
    except (ValueError, TypeError) as error:
        raise RequestRefused("a page of another release", code=Code.NOT_FOUND) from error


def _ways_on(house: House, visit: Visit, told: Told) -> tuple[Link, list[Link]]:
    """Return the button, and the other links."""
    page, door = told.page, house.policy.doors.get(told.door)
    chooser = Link(house.text(visit, "refusal.choose"), house.href(visit, "/"))
    primary = chooser
    links: list[Link] = []
    if page == "R15":
        return Link(house.text(visit, "logout.submit"), house.path("/fin")), links
    if page in ("R5", "R8", "R9") and told.door in house.portals:
        primary, links = Link(house.text(visit, "refusal.again"), house.path(f"/portail/{told.door}")), [chooser]
    elif page == "R6":
        primary = Link(house.text(visit, "refusal.new_link"), house.href(visit, "/mot-de-passe/oubli"))
        # Whoever has used the link has the password it was for.
        links = [Link(house.text(visit, "refusal.sign_in"), house.href(visit, "/direct"))]
    elif page == "R10":
        primary = Link(house.text(visit, "refusal.again"), told.again or house.path("/"))
    elif page == "R20":
        primary = Link(house.text(visit, "refusal.add_factor"), house.href(visit, "/securite", next=told.again))
    elif page == "R21":
        primary = Link(house.text(visit, "refusal.again"), house.href(visit, "/direct"))
    elif page in ("R31", "R32", "R33", "R34", "R35"):
        primary = Link(house.text(visit, "desk.back"), house.href(visit, "/assistance"))
    if told.help_url:
        links.append(Link(house.text(visit, "refusal.portal_help"), told.help_url))
    if page == "R8" and door is not None and (door.recovery_link or door.link):
        lost = door.recovery_link or door.link
        links.append(Link(lost.removeprefix("https://"), lost))
    if page in ("R2", "R5", "R14", "R18"):
        # The sentence on the page names that door; the link goes into it.
        links.append(Link(house.text(visit, "refusal.direct"), house.href(visit, f"/acces/{Door.DIRECT}")))
    return primary, links


def _params(house: House, visit: Visit, told: Told) -> dict[str, str]:
    """Return what the page can say beyond its plain sentences; what is not known is left out."""
    params: dict[str, str] = {}
    code = visit.language.code
    if told.door in house.portals:
        params["portal"] = door_name(house, visit, told.door)
    if told.seconds is not None:
        minutes = -(-told.seconds // 60)
        plural = house.text(visit, "wait.minutes", minutes=minutes)
        params["wait"] = plural if minutes > 1 else house.text(visit, "wait.seconds")
    if told.sentences:
        params["sentence"] = told.sentences.get(code, "")
    if told.missing:
        params["missing"] = ", ".join(house.pages.attribute_name(name, code) for name in told.missing)
    return params
