"""The whole house on SQLite, under WSGI and under ASGI, with a clock that moves and scripted portals.

The portals' own checks are attacked in their rooms; here a portal is a script, so
that what the *journeys* do with an answer can be tried in every way.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.demo.mailbox import Mail, Mailbox
from examples.demo.ports import free_ports
from imagin_gateway import Gateway, Settings
from imagin_gateway.errors import AnswerRefused, Code
from imagin_gateway.events import CallSink
from imagin_gateway.exchange import Request, Response
from imagin_gateway.local.door import Letter
from imagin_gateway.providers.portal import Arrival, Departure, LogoutOrder, LogoutWay, PortalSession, Recall
from tests import accounts_file
from tests.client import HOST, Client, host_asgi, host_wsgi, over_asgi, over_wsgi
from tests.clock import ManualClock
from tests.state.engines import redis_server
from tests.state.key_shapes import held, odd
from tests.state.servers import PrivateRedis

LIST = "Identifiant;Nom;Prénom;Courriel;Qualité\nmdurand7;DURAND;Marie;marie@exemple.test;formateur en CFA\n"
LIST += "pmartin2;MARTIN;Paul;paul@exemple.test;surveillant\nsansmail;ROUX;Zoé;;surveillant\n"


class ScriptedPortal:
    """A portal whose answers are plain fields: `who`, `to` (InResponseTo or state), `id`, `relay`."""

    def __init__(self, door: str, clock: ManualClock, *, answer_method: str, unsolicited: bool) -> None:
        self.door = door
        self.issuer = f"https://{door}.example/idp"
        self.answer_method = answer_method
        self.method = "saml" if answer_method == "POST" else "oidc"
        self.unsolicited = unsolicited
        self.clock = clock
        self.left: list[Departure] = []
        self.anew: list[bool] = []
        self.tells_proof = True
        self.fail: Exception | None = None
        self.ends_in: timedelta | None = None
        self.offers_logout = False
        self.left_for_logout: list[PortalSession] = []
        self.logouts: list[Departure] = []
        self.answered: list[bool] = []
        self.amr: tuple[str, ...] = ()

    def depart(self, now: Any, *, anew: bool = False) -> Departure:
        self.anew.append(anew)
        if self.fail:
            raise self.fail
        correlation = secrets.token_urlsafe(24)
        url = f"{self.issuer}/login?request={correlation}"
        departure = Departure(url, correlation, {"nonce": "n-" + correlation}, self.answer_method == "POST")
        self.left.append(departure)
        return departure

    def arrive(self, answer: Request, recall: Recall, now: Any) -> Arrival:
        if self.fail:
            raise self.fail
        told = answer.form if self.answer_method == "POST" else answer.query
        if told.get("issuer", self.issuer) != self.issuer:
            raise AnswerRefused(Code.ROUTE_MISMATCH, "another issuer")
        to = told.get("to", "")
        if to:
            assert recall(to)["nonce"] == "n-" + to
        elif not self.unsolicited:
            raise AnswerRefused(Code.UNSOLICITED, "nobody asked")
        return Arrival(
            issuer=self.issuer,
            subject=told["who"],
            method="saml" if self.answer_method == "POST" else "oidc",
            authenticated_at=now,
            proved_at=now if self.tells_proof else None,
            family_name=told["who"].upper(),
            given_name="Jo",
            email="jean.martin@exemple.test",
            ends_at=now + self.ends_in if self.ends_in else None,
            portal_session=told.get("sid", ""),
            name_id=told.get("name", ""),
            logout_hint=told.get("hint", ""),
            message_id=told.get("id", ""),
            message_ends_at=now + timedelta(minutes=5),
            solicited=bool(to),
            relay=told.get("relay", ""),
            amr=self.amr,
        )

    def metadata(self, now: Any) -> Response | None:
        return None

    def depart_logout(self, session: PortalSession, now: Any) -> Departure | None:
        if self.fail:
            raise self.fail
        if not self.offers_logout:
            return None
        self.left_for_logout.append(session)
        correlation = secrets.token_urlsafe(24)
        departure = Departure(
            f"{self.issuer}/logout?request={correlation}",
            correlation,
            {"asked": correlation},
            self.answer_method == "POST",
        )
        self.logouts.append(departure)
        return departure

    def logout_asked(self, message: Request, way: LogoutWay, now: Any) -> LogoutOrder | None:
        told = message.form if message.method == "POST" else message.query
        if self.fail:
            raise self.fail
        if way is LogoutWay.BROWSER and "done" in told:
            return None
        if told.get("signed") != "yes":
            raise AnswerRefused(Code.SAML_UNSIGNED, "the order is not signed")
        return LogoutOrder(
            issuer=told.get("issuer", self.issuer),
            subject=told.get("who", ""),
            name_ids=(told["name"],) if told.get("name") else (),
            portal_sessions=tuple(told["sid"].split()) if "sid" in told else (),
            message_id=told.get("id", ""),
            message_ends_at=now + timedelta(minutes=5),
            done=self._done,
        )

    def _done(self, whole: bool) -> Response:
        self.answered.append(whole)
        return Response(200, b"done" if whole else b"not done", "text/plain; charset=utf-8")

    def logout_returned(self, answer: Request, recall: Recall, now: Any) -> None:
        told = answer.form if answer.method == "POST" else answer.query
        if recall(told.get("to", ""))["asked"] != told["to"] or told["done"] != "yes":
            raise AnswerRefused(Code.PORTAL_REFUSED, "the portal did not end its session")


@dataclass(repr=False)
class TheHouse:
    """A gateway, its clock, its events, and how to reach it."""

    gateway: Gateway
    clock: ManualClock
    events: list[dict[str, Any]]
    portals: dict[str, ScriptedPortal]
    letters: dict[str, str]
    kind: str
    mailbox: Mailbox
    lines: list[str] = field(default_factory=list)

    def client(self, **more: Any) -> Client:
        """Return a new browser."""
        if self.kind == "wsgi":
            return Client(over_wsgi(self.gateway.wsgi(host_wsgi)), **more)
        return Client(over_asgi(self.gateway.asgi(host_asgi)), **more)

    def mailed(self) -> list[Mail]:
        """Deliver what waits to a real SMTP server, and return every mail it received, the newest first."""
        self.mailbox.start()
        try:
            self.gateway.house.direct.deliver_due()
        finally:
            self.mailbox.stop()
        return self.mailbox.mails()

    def codes(self, event: str) -> list[str]:
        return [each.get("code", "") for each in self.events if each["event"] == event]


def settings_of(folder: Path, **changes: Any) -> Settings:
    """Return good settings in a folder."""
    values: dict[str, Any] = {
        "development": True,
        "base_url": f"http://{HOST}",
        "privacy_url": "/donnees",
        "legal_url": "/mentions",
        "accessibility_url": "/accessibilite",
        "protect": [{"prefix": "/missions"}, {"prefix": "/coordonnees", "activity": "personal-data"}],
        "keys": {name: [secrets.token_urlsafe(48)] for name in ("signing", "provisional", "factors")},
        "second_factor": {"mode": "optional"},
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "accounts": {"url": f"sqlite:///{folder}/accounts.db"},
        "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
        "passwords": {"profile": "unsafe-tests"},
    }
    values |= changes
    if "factors" not in values["keys"]:
        del values["second_factor"]
    return Settings.load(**values)


def open_house(kind: str, folder: Path, **changes: Any) -> TheHouse:
    """Open a house with two letters, and scripted portals behind the three doors."""
    clock = ManualClock()
    events: list[dict[str, Any]] = []
    lines: list[str] = []
    (port,) = free_ports(1)
    mailbox = Mailbox(port)
    mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "imagin@exemple.test"}
    changes = {"mail": mail, **changes}
    if not (folder / "accounts.db").exists():
        accounts_file.put(folder / "accounts.db")

    def sink(line: str) -> None:
        lines.append(line)
        events.append(json.loads(line))

    gateway = Gateway(settings_of(folder, **changes), clock=clock, sink=CallSink(sink), sends_mail=False)
    portals = {
        "arena-creteil": ScriptedPortal("arena-creteil", clock, answer_method="POST", unsolicited=True),
        "arena-versailles": ScriptedPortal("arena-versailles", clock, answer_method="POST", unsolicited=False),
        "arena-paris": ScriptedPortal("arena-paris", clock, answer_method="GET", unsolicited=False),
    }
    if "portals" in changes:
        portals = {}
    gateway.house.portals.update(portals)  # type: ignore[attr-defined]  # a dict, made by open_portals
    gateway.house.turnstiles.update(_turnstiles(portals))  # type: ignore[attr-defined]  # likewise
    listing = folder / "list.csv"
    listing.write_text(LIST, encoding="utf-8")
    issued: list[Letter] = []
    gateway.house.direct.lists.import_list(listing, each=issued.append)
    letters = {each.identifier: each.provisional.reveal() for each in issued if each.provisional}
    return TheHouse(gateway, clock, events, portals, letters, kind, mailbox, lines)


def _turnstiles(portals: dict[str, ScriptedPortal]) -> dict[str, Any]:
    import threading

    return {door: threading.BoundedSemaphore(8) for door in portals}


@pytest.fixture(params=["wsgi-sqlite", "asgi-sqlite", "wsgi-redis", "asgi-redis"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TheHouse]:
    """The whole house, under each mount, on each store."""
    kind, _, engine = request.param.partition("-")
    changes: dict[str, Any] = {}
    server: PrivateRedis | None = request.getfixturevalue("redis_server") if engine == "redis" else None
    if server is not None:
        server.empty()
        changes["state"] = {"url": server.url}
    opened = open_house(kind, tmp_path, **changes)
    yield opened
    opened.gateway.close()
    if server is not None:
        # Whatever the journey was, what it left has keys of ours alone (row INP-06).
        with server.client() as client:
            assert odd(held(client)) == []


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., TheHouse]]:
    """Open houses with other settings; closed at the end."""
    opened: list[TheHouse] = []

    def make(kind: str = "wsgi", **changes: Any) -> TheHouse:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(open_house(kind, folder, **changes))
        return opened[-1]

    yield make
    for each in opened:
        each.gateway.close()


def sign_in(
    house: TheHouse, client: Client, who: str, door: str = "arena-creteil", next_page: str = "", **more: str
) -> Any:
    """Log in by a portal, from our side, and follow to the landing page."""
    target = f"/connexion/portail/{door}" + (f"?next={next_page}" if next_page else "")
    assert client.get(target).status == 303
    portal = house.portals[door]
    to = portal.left[-1].correlation
    if portal.answer_method == "POST":
        fields = {"who": who, "to": to, "id": secrets.token_hex(8), **more}
        reply = client.post(f"/connexion/portail/{door}/acs", fields, headers={"Origin": portal.issuer})
    else:
        reply = client.get(f"/connexion/portail/{door}/retour?who={who}&to={to}")
    return client.follow(reply)


def direct(client: Client, identifier: str, password: str, next_page: str = "") -> Any:
    """Submit the direct form."""
    target = "/connexion/direct" + (f"?next={next_page}" if next_page else "")
    return client.submit(client.get(target), {"identifiant": identifier, "motdepasse": password})


__all__ = ["TheHouse", "direct", "open_house", "redis_server", "settings_of", "sign_in"]
