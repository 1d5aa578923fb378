"""Every transition tried: in each state of a browser, every address with every method; only listed ones move it on.

Each request carries all that somebody without the next secret could send: the fields of every form, and a form token
that fits this browser and whatever ticket it holds. So what stops it is the order of the steps, not a missing field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from imagin_gateway.flows.routes import ROUTES
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import digest
from tests.client import Client
from tests.flows.conftest import TheHouse, direct, open_house, sign_in
from tests.flows.test_second_factor import add_application

GOOD = "quatre mots bien longs"
PORTAL = "arena-creteil"
TICKETS: Final = ("ig-step", "ig-arrival", "ig-reset")

FIELDS: Final = {
    "identifiant": "mdurand7",
    "motdepasse": "un mot de passe faux",
    "nouveau": GOOD,
    "encore": GOOD,
    "actuel": "un mot de passe faux",
    "code": "000000",
    "secours": "AAAAA-AAAAA",
    "who": "jdupont",
    "next": "/missions",
}


@dataclass(frozen=True)
class State:
    """One state of a browser.

    Attributes:
        name: of it.
        holds: kind of the session it has, "" for none.
        enter: brings a new browser there.
    """

    name: str
    holds: str
    enter: Callable[[TheHouse, Client], None]


def kind(house: TheHouse, client: Client) -> str:
    """Return the kind of session that a browser holds."""
    live = house.gateway.live(client.cookies, anew=True)
    return "" if live is None else live.session.restricted or live.session.door


def _letter(house: TheHouse, client: Client) -> None:
    letter = house.gateway.house.direct.desk.reissue("mdurand7", actor="cli:marie", replace=True)
    assert letter is not None
    assert letter.provisional is not None
    client.follow(direct(client, "mdurand7", letter.provisional.reveal()))


def _personal(house: TheHouse, client: Client) -> None:
    _letter(house, client)
    client.submit(client.get("/connexion/mot-de-passe"), {"nouveau": GOOD, "encore": GOOD})


def _step(house: TheHouse, client: Client) -> None:
    client.follow(direct(client, "pmartin2", GOOD))
    assert "ig-step" in client.cookies


def _away(house: TheHouse, client: Client) -> None:
    client.get(f"/connexion/portail/{PORTAL}?next=/missions")


def _answered(house: TheHouse, client: Client) -> None:
    _away(house, client)
    portal = house.portals[PORTAL]
    to = portal.left[-1].correlation
    fields = {"who": "jdupont", "to": to, "id": to}
    client.post(f"/connexion/portail/{PORTAL}/acs", fields, headers={"Origin": portal.issuer})
    assert "ig-arrival" in client.cookies


def _link(house: TheHouse, client: Client) -> None:
    _personal(house, house.client())
    rooms = house.gateway.house
    rooms.direct.passwords.order_link("mdurand7", actor="cli:marie")
    mails = house.mailed()
    link = next(word for mail in mails for word in mail.text.split() if "mot-de-passe/lien" in word)
    client.get(link[link.index("/connexion/") :])
    assert "ig-reset" in client.cookies


STATES: Final = (
    State("nobody", "", lambda house, client: None),
    State("left for a portal", "", _away),
    State("answered by a portal", "", _answered),
    State("came by letter", "first-password", _letter),
    State("password proved, second step due", "", _step),
    State("opened a mailed link", "", _link),
    State("signed in directly", "direct", _personal),
    State("signed in by a portal", PORTAL, lambda house, client: sign_in(house, client, "jdupont", PORTAL) and None),
)

MOVES: Final = {
    # What a verified answer left is used by the page of arrival.
    ("answered by a portal", "GET /arrivee"): PORTAL,
    ("answered by a portal", "POST /arrivee"): PORTAL,
    # A first password is chosen by who came by letter, and nobody else.
    ("came by letter", "POST /mot-de-passe"): "direct",
    # Leaving.
    ("came by letter", "POST /fin"): "",
    ("signed in directly", "POST /fin"): "",
    ("signed in by a portal", "POST /fin"): "",
}
"""Every transition there is, without a secret that the state does not hold already."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheHouse]:
    folder: Path = tmp_path_factory.mktemp("transitions")
    house = open_house("wsgi", folder)
    client = house.client()
    client.follow(direct(client, "pmartin2", house.letters["pmartin2"]))
    client.submit(client.get("/connexion/mot-de-passe"), {"nouveau": GOOD, "encore": GOOD})
    add_application(house, client)
    yield house
    house.gateway.close()


def bodies(house: TheHouse, client: Client) -> list[dict[str, str]]:
    """Return the forms to send: one for each thing a form token of this browser may be about."""
    browser = client.cookies.get("ig-browser", "")
    signer = house.gateway.house.keys.signer("form")
    about = ["", *(digest(client.cookies[name]) for name in (*TICKETS, "ig-session") if name in client.cookies)]
    return [{**FIELDS, "formulaire": signer.sign(digest(f"{browser}\x00{each}"))} for each in about]


def requests(house: TheHouse, client: Client) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield a name, a target, and what to send, for each address and method there is."""
    for route in ROUTES:
        path = "/connexion" + route.pattern.replace("{door}", PORTAL).replace("{step}", "x")
        for method in route.handlers:
            name = f"{method} {route.pattern}"
            if method == "POST":
                for body in bodies(house, client):
                    headers = {"Origin": "null" if not route.cross_site else house.portals[PORTAL].issuer}
                    yield name, path, {"data": body, "headers": headers}
            else:
                yield name, f"{path}?next=/missions&who=jdupont", {}


@pytest.mark.row("INP-02")
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_only_the_listed_requests_move_a_browser_on(whole: TheHouse, state: State) -> None:
    def fresh() -> Client:
        whole.clock.move(25 * 3600)
        client = whole.client()
        client.get("/connexion/direct")  # a browser has a name
        state.enter(whole, client)
        assert kind(whole, client) == state.holds
        return client

    moved: dict[tuple[str, str], str] = {}
    tried = 0
    kept = fresh()
    for name, _, _ in list(requests(whole, kept)):
        # The same name comes several times, with another form token: each is sent from the state itself.
        for again, target, sent in requests(whole, kept):
            if again != name or (state.name, name) in moved:
                continue
            client = whole.client(cookies=dict(kept.cookies))
            client.request(name.partition(" ")[0], target, **sent)
            tried += 1
            after = kind(whole, client)
            if after != state.holds:
                moved[(state.name, name)] = after
            spent = kind(whole, kept) != state.holds or any(
                name in kept.cookies and not _alive(whole, kept, name) for name in TICKETS
            )
            if spent or after != state.holds:
                kept = fresh()
    assert tried > 60
    assert moved == {move: to for move, to in MOVES.items() if move[0] == state.name}


def _alive(house: TheHouse, client: Client, ticket: str) -> bool:
    rooms = house.gateway.house
    if ticket == "ig-reset":
        return rooms.direct.passwords.is_link_alive(client.cookies[ticket])
    return rooms.peek(digest(client.cookies[ticket])) is not None


def test_a_proved_password_alone_is_no_session(whole: TheHouse) -> None:
    """The state of the second step is what it says: nothing else of the account is open to that browser."""
    whole.clock.move(25 * 3600)
    client = whole.client()
    _step(whole, client)
    assert kind(whole, client) == ""
    for page in ("/missions", "/connexion/session", "/connexion/mot-de-passe", "/connexion/securite"):
        assert client.get(page).status in (303, 403)
    assert not [
        each
        for each in whole.gateway.house.sessions.list_person(DIRECT_ISSUER, "pmartin2")
        if each.absolute_end > whole.clock.now()
    ]
