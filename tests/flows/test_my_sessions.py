"""One's own sessions: how long this one lasts, staying on, seeing the others and ending them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.state.store import Space
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, sign_in
from tests.flows.test_direct_journeys import GOOD, personalised

JSON = {"Accept": "application/json"}
PHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Safari/604.1"}
DESK = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def told(client: Client) -> dict[str, object]:
    reply = client.get("/connexion/session", headers=JSON)
    assert reply.status == 200
    read: dict[str, object] = json.loads(reply.text)
    return read


def press(client: Client, page: Reply, what: str) -> Reply:
    """Press one of the buttons of the list."""
    return client.submit(page, {"fin": what})


def signed_in(house: TheHouse, **headers: str) -> Client:
    client = house.client()
    page = client.get("/connexion/direct")
    reply = client.submit(page, {"identifiant": "mdurand7", "motdepasse": GOOD}, headers=headers)
    assert reply.status == 303
    return client


@pytest.mark.row("A11-13")
def test_looking_at_the_session_prolongs_nothing_and_one_click_does(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    house.clock.move(timedelta(minutes=28, seconds=30))
    assert told(client)["seconds_left"] == 90
    page = client.get("/connexion/session")
    assert page.title.startswith("Votre session va se terminer")
    assert "elle se termine à 9\u00a0h\u00a030" in page.text
    assert told(client)["seconds_left"] == 90
    assert client.submit(page, {}).location == "/connexion/session"
    assert told(client)["seconds_left"] == 30 * 60
    house.clock.move(timedelta(minutes=29))
    assert client.get("/missions").status == 200
    (event,) = [each for each in house.events if each["event"] == "session_extended"]
    assert event["door"] == "arena-creteil"


@pytest.mark.row("A11-13")
def test_a_session_can_be_prolonged_more_than_ten_times_up_to_its_last_moment_and_no_further(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    extensions = 0
    while told(client)["can_extend"]:
        house.clock.move(timedelta(minutes=29))
        page = client.get("/connexion/session")
        assert client.submit(page, {}).status == 303
        extensions += 1
    assert extensions > 10
    last = client.get("/connexion/session")
    assert not last.tree.xpath("//form")
    assert "connectez-vous de nouveau" in last.text
    left = told(client)["seconds_left"]
    assert isinstance(left, int)
    house.clock.move(left - 1)
    assert client.get("/missions").status == 200
    house.clock.move(1)
    assert client.get("/missions").status == 303


def test_a_script_extends_with_what_it_was_told_and_nothing_else_does(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    house.clock.move(timedelta(minutes=20))
    extend = told(client)["extend"]
    assert isinstance(extend, dict)
    stranger = house.client()
    assert stranger.post(extend["path"], extend["fields"], headers=JSON).status == 403
    assert client.post(extend["path"], {}, headers=JSON).status == 403
    elsewhere = {**JSON, "Origin": "https://evil.example"}
    assert client.post(extend["path"], extend["fields"], headers=elsewhere).status == 403
    assert told(client)["seconds_left"] == 600
    reply = client.post(extend["path"], extend["fields"], headers=JSON)
    assert json.loads(reply.text)["seconds_left"] == 1800
    assert reply.header("cache-control") == "no-store"
    assert reply.header("access-control-allow-origin") == ""


def test_nobody_is_told_of_a_session(house: TheHouse) -> None:
    client = house.client()
    reply = client.get("/connexion/session", headers=JSON)
    assert reply.status == 401
    assert json.loads(reply.text)["login"] == "/connexion/"
    assert reply.header("content-type") == "application/problem+json"
    assert client.get("/connexion/session").location == "/connexion/"
    assert client.get("/connexion/session/toutes").location == "/connexion/"


def test_an_extension_holds_in_another_process_at_once(house: TheHouse, make_house: Callable[..., TheHouse]) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    cookie = client.cookies["ig-session"]
    house.clock.move(timedelta(minutes=29))
    assert client.submit(client.get("/connexion/session"), {}).status == 303
    house.clock.move(timedelta(minutes=29))
    settings = house.gateway.settings
    from imagin_gateway.keys import Keyring
    from imagin_gateway.sessions.registry import SessionRegistry
    from imagin_gateway.state import open_store

    store = open_store(settings.state.url)
    other = SessionRegistry(
        store, Keyring(settings.keys.signing), house.clock, settings.sessions.idle, settings.sessions.absolute
    )
    assert other.resolve(cookie) is not None
    other.close()
    store.close()


@pytest.mark.row("SES-12")
def test_the_sessions_are_shown_with_device_and_place_and_no_id(house: TheHouse) -> None:
    personalised(house)
    phone, desk = signed_in(house, **PHONE), signed_in(house, **DESK)
    house.clock.move(60)
    page = desk.get("/connexion/session/toutes")
    assert page.status == 200
    names = ["".join(each.itertext()) for each in page.tree.xpath("//h2")]
    assert names == ["Firefox, Windows cette session", "Appareil inconnu", "Safari, iPhone"]
    assert page.text.count("192.0.2.7") == 3
    for client in (phone, desk):
        cookie = client.cookies["ig-session"]
        assert cookie not in page.text
        assert cookie.partition(".")[0] not in page.text
    handles = page.tree.xpath("//button[@name='fin']/@value")
    assert all(len(handle) == 16 for handle in handles if handle not in ("autres", "toutes"))


@pytest.mark.row("SES-12")
def test_one_session_the_others_or_all_can_be_ended(house: TheHouse) -> None:
    first = personalised(house)
    phone, desk = signed_in(house, **PHONE), signed_in(house, **DESK)
    page = desk.get("/connexion/session/toutes")
    (handle,) = page.tree.xpath("//li[contains(., 'iPhone')]//button/@value")
    done = desk.follow(press(desk, page, handle))
    assert done.tree.xpath("//*[@role='status']")
    assert phone.get("/missions").status == 303
    assert first.get("/missions").status == 200
    assert desk.follow(press(desk, done, "autres")).status == 200
    assert first.get("/missions").status == 303
    assert desk.get("/missions").status == 200
    tablet = signed_in(house)
    out = press(desk, desk.get("/connexion/session/toutes"), "toutes")
    assert out.location == "/connexion/fin/faite"
    assert desk.get("/missions").status == 303
    assert tablet.get("/missions").status == 303
    acts = [each["detail"] for each in house.events if each["event"] == "sessions_ended"]
    assert acts == [
        {"which": "one", "ended": 1},
        {"which": "others", "ended": 1},
        {"which": "all", "ended": 2},
    ]


@pytest.mark.row("SES-12")
def test_an_old_login_must_be_confirmed_before_anything_is_shown_or_ended(house: TheHouse) -> None:
    personalised(house)
    phone, desk = signed_in(house, **PHONE), signed_in(house, **DESK)
    page = desk.get("/connexion/session/toutes")
    house.clock.move(timedelta(minutes=10, seconds=1))
    phone.get("/missions")
    refused = press(desk, page, "autres")
    assert refused.location == "/connexion/confirmer?next=%2Fconnexion%2Fsession%2Ftoutes"
    assert phone.get("/missions").status == 200
    assert desk.get("/connexion/session/toutes").location == refused.location
    asked = desk.follow(refused)
    assert "Safari" not in asked.text
    back = desk.submit(asked, {"motdepasse": GOOD})
    assert back.location == "/connexion/session/toutes"
    assert "Safari" in desk.follow(back).text


def test_ending_all_leads_on_to_the_portal_that_stays_open(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont")
    out = press(client, client.get("/connexion/session/toutes"), "toutes")
    assert out.location == "/connexion/fin/faite?porte=arena-creteil"
    assert "ig-session" not in client.cookies
    assert out.header("clear-site-data")


def test_somebody_elses_session_cannot_be_ended(house: TheHouse) -> None:
    personalised(house)
    desk, other = signed_in(house, **DESK), house.client()
    sign_in(house, other, "jdupont")
    registry = house.gateway.house.sessions
    (victim,) = registry.list_person("https://arena-creteil.example/idp", "jdupont")
    page = desk.get("/connexion/session/toutes")
    assert press(desk, page, victim.handle).status == 303
    assert press(desk, page, "0" * 16).status == 303
    assert press(desk, page, "../../x").status == 303
    assert press(desk, page, "").status == 400
    assert other.get("/missions").status == 200
    assert desk.get("/missions").status == 200


@pytest.mark.row("SES-13")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_beyond_the_limit_the_oldest_session_ends(kind: str, make_house: Callable[..., TheHouse]) -> None:
    house = make_house(kind, sessions={"parallel": 2})
    clients = [house.client() for _ in range(3)]
    for client in clients:
        sign_in(house, client, "jdupont")
        house.clock.move(1)
    assert [client.get("/missions").status for client in clients] == [303, 200, 200]


@pytest.mark.row("SES-13")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_beyond_the_limit_the_login_is_refused_if_it_is_set_so(kind: str, make_house: Callable[..., TheHouse]) -> None:
    house = make_house(kind, sessions={"parallel": 2, "beyond_parallel": "refuse"})
    clients = [house.client() for _ in range(3)]
    replies = [sign_in(house, client, "jdupont", next_page="/missions") for client in clients]
    assert [reply.status for reply in replies] == [200, 200, 403]
    assert replies[2].title.startswith("Vous avez déjà trop de sessions ouvertes")
    assert "session.too_many" in house.codes("login_refused")
    assert [client.get("/missions").status for client in clients] == [200, 200, 303]
    # Signing in again from a browser that has one takes its place.
    sign_in(house, clients[0], "jdupont")
    assert [client.get("/missions").status for client in clients] == [200, 200, 303]


@pytest.mark.row("SES-10")
def test_an_account_that_is_closed_is_out_at_the_next_request(house: TheHouse) -> None:
    from imagin_gateway.flows.helping import By, Helping

    first, second = personalised(house), None
    second = signed_in(house)
    bystander = personalised(house, "pmartin2")
    for client in (first, second):
        assert client.get("/missions").status == 200
    rooms = house.gateway.house
    helping = Helping(rooms.direct, rooms.sessions, rooms.events, By(actor="test"))
    closed = helping.disable(" MDURAND7 ")
    assert closed is not None
    assert closed.ended == 2
    for client in (first, second):
        assert client.get("/missions").status == 303
        assert client.get("/").text == "personne"
    assert direct(house.client(), "mdurand7", GOOD).status == 403
    assert bystander.get("/missions").status == 200
    event = next(each for each in house.events if each["event"] == "account_disabled")
    assert (event["actor"], event["detail"]) == ("test", {"ended": 2})
    assert event["person"] == rooms.events.pseudonym((DIRECT_ISSUER, "mdurand7"))
    assert helping.disable("inconnu") is None
    assert helping.enable("mdurand7") is not None
    assert direct(house.client(), "mdurand7", GOOD).status == 403, "a closed account comes back without its password"


def test_a_login_under_way_when_the_account_closes_gives_its_session_back(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagin_gateway.flows.helping import By, Helping

    personalised(house)
    rooms = house.gateway.house
    opened = rooms.sessions.open

    def close_before_opening(*args: object, **more: object) -> str:
        monkeypatch.undo()
        Helping(rooms.direct, rooms.sessions, rooms.events, By(actor="test")).disable("mdurand7")
        return opened(*args, **more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(rooms.sessions, "open", close_before_opening)
    client = house.client()
    assert direct(client, "mdurand7", GOOD).status == 400
    assert rooms.sessions.list_person(DIRECT_ISSUER, "mdurand7") == []


def test_our_own_pages_ask_the_store_whatever_this_process_believes(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        believed_until = 0.0

        def current(self) -> bool:
            return True

        def close(self) -> None:
            """Nothing to stop."""

    client = house.client()
    sign_in(house, client, "jdupont")
    rooms = house.gateway.house
    assert rooms.sessions._watch is not None
    rooms.sessions._watch.close()  # else the real one still tells the cache, late or not
    monkeypatch.setattr(rooms.sessions, "_watch", Deaf())
    assert client.get("/missions").status == 200
    rooms.state.delete_indexed(Space.SESSION, "all")
    assert client.get("/missions").status == 200, "a process that is told nothing believes what it knew"
    for path in ("/connexion/session", "/connexion/session/toutes"):
        assert client.get(path).location == "/connexion/"
