"""Single logout, both ways, whatever the protocol: what ends, when, for whom, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from tests.client import Client
from tests.flows.conftest import TheHouse, direct, sign_in

CRETEIL = "/connexion/portail/arena-creteil"
FIN = CRETEIL + "/fin"


def leave(house: TheHouse, client: Client) -> Any:
    """Ask to log out, and return where that leads."""
    return client.submit(client.get("/connexion/fin"), {})


def offering(house: TheHouse, door: str = "arena-creteil") -> None:
    house.portals[door].offers_logout = True


@pytest.mark.row("LGO-01")
def test_our_session_is_over_before_the_browser_leaves_for_the_portal(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions", name="<NameID>x</NameID>", sid="s-1", hint="h-1")
    before = dict(client.cookies)
    reply = leave(house, client)
    assert reply.status == 303
    assert reply.location.startswith("https://arena-creteil.example/idp/logout?request=")
    assert "ig-session" not in client.cookies
    assert reply.header("clear-site-data") == '"cache", "storage"'
    client.cookies = before
    assert client.get("/missions").status == 303, "the old cookie is anonymous already"
    told = house.portals["arena-creteil"].left_for_logout[-1]
    assert (told.subject, told.name_id, told.portal_session, told.logout_hint) == (
        "jdupont",
        "<NameID>x</NameID>",
        "s-1",
        "h-1",
    )


def test_a_browser_may_follow_the_logout_form_to_the_portal(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    policy = client.get("/connexion/fin").header("content-security-policy")
    assert "form-action 'self' https://arena-creteil.example;" in policy
    assert "form-action 'self';" in house.client().get("/connexion/fin").header("content-security-policy")


def test_the_portal_confirms_and_the_page_says_nothing_of_an_open_portal(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    leave(house, client)
    to = house.portals["arena-creteil"].logouts[-1].correlation
    page = client.follow(client.get(f"{FIN}?done=yes&to={to}"))
    assert (page.status, page.title) == (200, "Votre session Imagin SIEC est terminée")
    assert "reste ouvert" not in page.text
    assert not [name for name in client.cookies if "flow-" in name]
    again = client.follow(client.get(f"{FIN}?done=yes&to={to}"))
    assert "reste ouvert" in again.text, "an answer proves something once"


@pytest.mark.parametrize("answer", ["done=yes&to=unknown", "done=yes", "done=no&to={to}", "done=yes&to={to}&x=1&x=2"])
def test_any_doubt_on_the_way_back_still_says_that_it_is_over_here(house: TheHouse, answer: str) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    leave(house, client)
    to = house.portals["arena-creteil"].logouts[-1].correlation
    reply = client.get(f"{FIN}?{answer.format(to=to)}")
    assert reply.location in ("/connexion/fin/faite?porte=arena-creteil", "")
    if reply.status == 303:
        page = client.follow(reply)
        assert (page.status, page.title) == (200, "Votre session Imagin SIEC est terminée")
        assert "reste ouvert" in page.text
    assert client.get("/missions").status == 303


def test_an_answer_serves_only_the_browser_that_left(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    leave(house, client)
    to = house.portals["arena-creteil"].logouts[-1].correlation
    assert "porte" in house.client().get(f"{FIN}?done=yes&to={to}").location
    assert house.codes("logout_refused") == [Code.FLOW_OTHER_BROWSER]


def test_a_login_and_a_logout_under_way_are_nothing_to_each_other(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    leave(house, client)
    to = house.portals["arena-creteil"].logouts[-1].correlation
    refused = client.post(CRETEIL + "/acs", {"who": "jdupont", "to": to, "id": "z1"})
    assert refused.status == 400
    client.get(CRETEIL)
    to = house.portals["arena-creteil"].left[-1].correlation
    assert "porte" in client.get(f"{FIN}?done=yes&to={to}").location
    assert client.post(CRETEIL + "/acs", {"who": "jdupont", "to": to, "id": "z2"}).status == 303


@pytest.mark.parametrize("fault", [Unavailable(code=Code.PORTAL_UNAVAILABLE), AnswerRefused(Code.MALFORMED)])
def test_a_portal_that_is_down_leaves_the_person_logged_out_and_told_so(house: TheHouse, fault: Exception) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    house.portals["arena-creteil"].fail = fault
    reply = leave(house, client)
    assert reply.location == "/connexion/fin/faite?porte=arena-creteil"
    assert "reste ouvert" in client.follow(reply).text
    assert client.get("/missions").status == 303
    assert house.codes("portal_failed")


def test_a_logout_never_leaves_for_the_portal_of_somebody_else(house: TheHouse) -> None:
    for door in house.portals:
        offering(house, door)
    client = house.client()
    client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert leave(house, client).location == "/connexion/fin/faite"
    nobody = house.client()
    assert leave(house, nobody).location == "/connexion/fin/faite"
    sign_in(house, client, "jdupont", "arena-paris", next_page="/missions")
    assert leave(house, client).location.startswith("https://arena-paris.example/idp/logout")
    assert not house.portals["arena-creteil"].logouts


@pytest.mark.row("LGO-12")
def test_a_session_that_ended_by_itself_sends_nothing_to_the_portal(house: TheHouse) -> None:
    offering(house)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    house.clock.move(30 * 60)
    assert client.get("/missions").status == 303
    assert leave(house, client).location == "/connexion/fin/faite"
    assert not house.portals["arena-creteil"].logouts


def test_the_page_that_says_it_is_over_never_lies(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    assert client.get("/connexion/fin/faite").location == "/connexion/fin"
    assert client.get(f"{FIN}?done=yes").location == "/connexion/fin/faite?porte=arena-creteil"
    assert client.follow(client.get(f"{FIN}?done=yes")).title == "Terminer la session ?"
    assert client.get("/missions").status == 200


# --- the portal's order


def test_the_portal_ends_the_sessions_it_names_without_any_cookie(house: TheHouse) -> None:
    browsers = {}
    for who, name, sid in (("a", "n-a", "1"), ("a", "n-a", "2"), ("b", "n-b", "3")):
        client = browsers[sid] = house.client()
        sign_in(house, client, who, next_page="/missions", name=name, sid=sid)
    other = house.client()
    sign_in(house, other, "a", "arena-versailles", next_page="/missions", name="n-a", sid="1")

    def live() -> list[str]:
        return [sid for sid, client in browsers.items() if client.get("/missions").status == 200]

    frame = house.client()
    assert frame.get(f"{FIN}?signed=yes&name=n-a&sid=2&id=o1").body == b"done"
    assert live() == ["1", "3"]
    assert frame.post(FIN, {"signed": "yes", "name": "n-a", "id": "o2"}).status == 200
    assert live() == ["3"]
    assert frame.post(FIN + "/canal", {"signed": "yes", "sid": "3", "id": "o3"}).status == 200
    assert live() == []
    assert other.get("/missions").status == 200, "another portal's session is not theirs to end"
    assert house.portals["arena-creteil"].answered == [True, True, True]
    ended = [each["detail"]["ended"] for each in house.events if each["event"] == "logout_by_portal"]
    assert ended == [1, 1, 1]


def test_the_browser_that_brings_the_order_loses_its_cookie_and_no_other_does(house: TheHouse) -> None:
    mine, other = house.client(), house.client()
    sign_in(house, mine, "a", next_page="/missions", sid="1")
    sign_in(house, other, "b", next_page="/missions", sid="2")
    assert other.get(f"{FIN}?signed=yes&sid=1&id=o1").header("set-cookie") == ""
    assert other.get("/missions").status == 200
    sign_in(house, mine, "a", next_page="/missions", sid="1")
    assert "ig-session=" in mine.get(f"{FIN}?signed=yes&sid=1&id=o2").header("set-cookie")
    assert "ig-session" not in mine.cookies


def test_an_order_that_is_refused_ends_nothing_and_says_so(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "a", next_page="/missions", sid="1", name="n")
    page = client.get(f"{FIN}?signed=no&sid=1&id=o1")
    assert page.status == 403
    assert page.title == "La demande de fin de session n’est pas valable"
    assert client.post(FIN + "/canal", {"signed": "no", "sid": "1"}).status == 400
    assert client.get(FIN + "/cadre?signed=no&sid=1").status == 400
    assert client.get(f"{FIN}?signed=yes&sid=1&id=o2&issuer=https://evil.example").status == 403
    assert client.get(f"{FIN}?signed=yes&id=o3").status == 400
    assert client.get("/missions").status == 200
    assert house.codes("logout_refused") == [
        *[Code.SAML_UNSIGNED] * 3,
        Code.ROUTE_MISMATCH,
        Code.MALFORMED,
    ]


def test_an_order_serves_once(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "a", next_page="/missions", sid="1")
    assert client.get(f"{FIN}?signed=yes&sid=1&id=o1").status == 200
    sign_in(house, client, "a", next_page="/missions", sid="1")
    assert client.get(f"{FIN}?signed=yes&sid=1&id=o1").status == 400
    assert client.post(FIN + "/canal", {"signed": "yes", "sid": "1", "id": "o1"}).status == 400
    assert client.get("/missions").status == 200
    assert house.codes("logout_refused") == [Code.REPLAYED] * 2


def test_the_portal_is_told_when_the_store_does_not_answer(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house()

    def down(*_: object, **__: object) -> int:
        raise Unavailable

    monkeypatch.setattr(house.gateway.house.sessions, "end_portal_session", down)
    assert house.client().get(f"{FIN}?signed=yes&sid=1&id=o1").body == b"not done"
    assert house.portals["arena-creteil"].answered == [False]
    assert house.codes("logout_refused") == [Code.STORE_UNAVAILABLE]


def test_a_portal_is_heard_whatever_the_session_of_this_browser_may_do(house: TheHouse) -> None:
    victim, client = house.client(), house.client()
    sign_in(house, victim, "a", next_page="/missions", sid="1")
    client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert client.get("/missions").location.startswith("/connexion/mot-de-passe"), "only a first password is open to it"
    assert client.get(f"{FIN}?signed=yes&sid=1&id=o1").body == b"done"
    assert victim.get("/missions").status == 303


@pytest.mark.parametrize("path", ["/fin", "/fin/canal", "/fin/cadre"])
def test_a_portal_that_does_not_exist_has_no_logout(house: TheHouse, path: str) -> None:
    method = "POST" if path.endswith("canal") else "GET"
    assert house.client().request(method, "/connexion/portail/arena-nulle" + path).status == 404


def test_a_head_ends_nothing(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "a", next_page="/missions", sid="1")
    for path in (FIN, FIN + "/cadre"):
        assert client.request("HEAD", f"{path}?signed=yes&sid=1&id=o1").status == 405
    assert client.get(FIN + "/canal").status == 405
    assert client.get("/missions").status == 200
