"""Every address of the gateway, in one table: what is not listed here does not exist (row DOC-02)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from imagin_gateway.exchange import Response
from imagin_gateway.flows import (
    add_factor,
    arrival,
    change_address,
    choose,
    choose_password,
    confirm,
    desk_acts,
    desk_pages,
    direct_login,
    health,
    last_door,
    logout,
    metrics,
    my_session,
    my_sessions,
    passkey_login,
    portal_initiated,
    portal_login,
    portal_logout,
    proconnect,
    refusal_page,
    reset,
    second_step,
    security,
)
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.sessions.session import FIRST_PASSWORD, SECOND_FACTOR

Handler = Callable[[House, Visit], Response]

PORTAL: Final = "/portail/{door}"


@dataclass(frozen=True, slots=True)
class Route:
    """One address below the mount path, and what each method does there.

    Attributes:
        pattern: literal, but for the segments ``{door}`` and ``{step}``, which stand for any.
        handlers: by method; HEAD follows GET.
        cross_site: a POST here comes from another site by nature, so no form token can be asked for.
        acts: its GET begins or ends something, so a HEAD is not taken for it.
        watches: its GET only looks at the session: it is no activity of the person, and moves no limit.
        stateless: sets no cookie, and all it shows stands in its address, its language included.
        shows: its GET acts, but not when what it answers is a page.
        takes: fields that a script may POST here as JSON; None where only forms are taken, or nothing is.
        by_browser: only a browser comes here, sent by a portal or led by a person: it has no form in JSON.
        for_machines: its GET is answered whatever the Host, before any session is looked for.
    """

    pattern: str
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    cross_site: bool = False
    acts: bool = False
    watches: bool = False
    stateless: bool = False
    shows: bool = False
    takes: frozenset[str] | None = None
    by_browser: bool = False
    for_machines: bool = False

    @property
    def tells(self) -> bool:
        """Whether it answers a script in JSON: see docs/json.md."""
        return not self.by_browser and not self.cross_site

    @property
    def again(self) -> bool:
        """Whether its GET may be asked once more, and shows the same page."""
        return "GET" in self.handlers and (self.shows or not self.acts)

    def handler(self, method: str) -> Handler | None:
        """Return what a method does here, or None."""
        if method == "HEAD":
            return None if self.acts else self.handlers.get("GET")
        return self.handlers.get(method)

    @property
    def methods(self) -> list[str]:
        """Every method that does something here."""
        return sorted({*self.handlers, *(["HEAD"] if "GET" in self.handlers and not self.acts else [])})


def _fields(names: str = "") -> frozenset[str]:
    return frozenset(names.split())


ROUTES: Final = (
    Route("/", {"GET": choose.chooser}, stateless=True),
    Route("/oublier", {"GET": last_door.forget}, acts=True),
    Route("/question", {"GET": choose.question}, stateless=True),
    Route("/acces/{door}", {"GET": choose.door}, stateless=True),
    Route(PORTAL, {"GET": portal_login.leave}, acts=True, shows=True),
    Route(PORTAL + "/acs", {"POST": portal_login.answer}, cross_site=True),
    Route(PORTAL + "/retour", {"GET": portal_login.answer, "POST": portal_login.answer}, cross_site=True, acts=True),
    Route(
        PORTAL + "/initier", {"GET": portal_initiated.begin, "POST": portal_initiated.begin}, cross_site=True, acts=True
    ),
    Route(PORTAL + "/entree", {"GET": portal_login.enter}, acts=True, by_browser=True),
    Route(PORTAL + "/entree/{step}", {"GET": portal_login.enter}, acts=True, by_browser=True),
    Route(PORTAL + "/metadata", {"GET": portal_login.metadata}, by_browser=True),
    Route(
        PORTAL + "/fin",
        {"GET": portal_logout.in_browser, "POST": portal_logout.in_browser},
        cross_site=True,
        acts=True,
    ),
    Route(PORTAL + "/fin/canal", {"POST": portal_logout.by_channel}, cross_site=True),
    Route(PORTAL + "/fin/cadre", {"GET": portal_logout.in_frame}, acts=True, by_browser=True),
    Route("/arrivee", {"GET": arrival.arrive, "POST": arrival.replace}, acts=True, shows=True, takes=_fields()),
    Route("/proconnect", {"GET": proconnect.show, "POST": proconnect.begin}, takes=_fields()),
    Route("/proconnect/confirmer", {"GET": proconnect.ask, "POST": proconnect.confirm}, takes=_fields()),
    Route("/proconnect/retirer", {"POST": proconnect.remove}, takes=_fields()),
    Route(
        "/direct", {"GET": direct_login.show, "POST": direct_login.submit}, takes=_fields("identifiant motdepasse next")
    ),
    Route(
        "/etape",
        {"GET": second_step.show, "POST": direct_login.submit_step},
        takes=_fields("moyen code secours confiance"),
    ),
    Route("/cle", {"GET": passkey_login.show, "POST": passkey_login.submit}, takes=_fields("code next")),
    Route("/securite", {"GET": security.show, "POST": security.submit}, takes=_fields("retirer oublier")),
    Route(
        "/securite/application",
        {"GET": add_factor.show_totp, "POST": add_factor.submit_totp},
        takes=_fields("code next"),
    ),
    Route(
        "/securite/cle",
        {"GET": add_factor.show_passkey, "POST": add_factor.submit_passkey},
        takes=_fields("code nom next"),
    ),
    Route("/securite/codes", {"GET": security.show_codes, "POST": security.make_codes}, takes=_fields()),
    Route(
        "/mot-de-passe",
        {"GET": choose_password.show, "POST": choose_password.submit},
        takes=_fields("actuel nouveau encore next"),
    ),
    Route(
        "/mot-de-passe/oubli", {"GET": reset.show_request, "POST": reset.submit_request}, takes=_fields("identifiant")
    ),
    Route("/mot-de-passe/oubli/envoye", {"GET": reset.show_recorded}),
    Route("/mot-de-passe/lien", {"GET": reset.open_link}, acts=True),
    Route("/mot-de-passe/nouveau", {"GET": reset.show_new, "POST": reset.submit_new}, takes=_fields("nouveau encore")),
    Route("/mot-de-passe/fait", {"GET": reset.show_done}),
    Route("/adresse", {"GET": change_address.show, "POST": change_address.submit}, takes=_fields("courriel actuel")),
    Route(
        "/adresse/codes",
        {"GET": change_address.show_codes, "POST": change_address.submit_codes},
        takes=_fields("code code-actuel"),
    ),
    Route("/adresse/faite", {"GET": change_address.show_done}),
    Route("/session", {"GET": my_session.show, "POST": my_session.extend}, watches=True, takes=_fields()),
    Route("/session/toutes", {"GET": my_sessions.show, "POST": my_sessions.submit}, takes=_fields("fin")),
    Route("/confirmer", {"GET": confirm.show, "POST": confirm.submit}, takes=_fields("motdepasse next")),
    Route(refusal_page.PATH, {"GET": refusal_page.show}, by_browser=True),
    Route("/assistance", {"GET": desk_pages.show, "POST": desk_pages.find}, by_browser=True),
    Route("/assistance/compte", {"GET": desk_pages.account}, by_browser=True),
    Route("/assistance/acte", {"GET": desk_acts.ask, "POST": desk_acts.do}, acts=True, by_browser=True),
    Route("/fin", {"GET": logout.show, "POST": logout.submit}, takes=_fields()),
    Route(health.LIVENESS, {"GET": health.alive}, stateless=True, for_machines=True, by_browser=True),
    Route(health.READINESS, {"GET": health.ready}, stateless=True, for_machines=True, by_browser=True),
    Route(metrics.METRICS, {"GET": metrics.show}, stateless=True, for_machines=True, by_browser=True),
    Route("/fin/faite", {"GET": logout.show_done}),
)

ALWAYS_OPEN: Final = frozenset({"/fin", "/fin/faite", PORTAL + "/fin", PORTAL + "/fin/canal", PORTAL + "/fin/cadre"})
"""Patterns of what any restricted session may reach: a portal that ends its own sessions is always heard."""

OPEN_WHILE: Final[Mapping[str, frozenset[str]]] = {
    FIRST_PASSWORD: ALWAYS_OPEN | {"/mot-de-passe"},
    SECOND_FACTOR: ALWAYS_OPEN | {"/confirmer", "/securite", "/securite/application", "/securite/cle"},
}
"""Patterns of all that a session which may do a single thing may reach (row PRV-02), by that thing."""


def find(path: str) -> tuple[Route, str] | None:
    """Return the route of a path and the door it names ("" if none), or None."""
    if (route := _LITERAL.get(path)) is not None:
        return route, ""
    segments = path.split("/")
    for route, pattern in _WITH_DOOR:
        if len(pattern) == len(segments) and all(
            part in ("{door}", "{step}", segment) for part, segment in zip(pattern, segments, strict=True)
        ):
            return route, segments[pattern.index("{door}")]
    return None


_LITERAL: Final = {route.pattern: route for route in ROUTES if "{door}" not in route.pattern}
_WITH_DOOR: Final = [(route, route.pattern.split("/")) for route in ROUTES if "{door}" in route.pattern]
