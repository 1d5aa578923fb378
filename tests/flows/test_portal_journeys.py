"""Leaving for a portal and coming back: deep links, other browsers, other portals, replays, other people."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from imagin_gateway.errors import AnswerRefused, Code, Unavailable
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, sign_in


def acs(client: Client, house: TheHouse, door: str = "arena-creteil", **fields: str) -> Reply:
    return client.post(f"/connexion/portail/{door}/acs", fields, headers={"Origin": house.portals[door].issuer})


@pytest.mark.row("RTE-06")
@pytest.mark.row("SAM-28")
@pytest.mark.parametrize("door", ["arena-creteil", "arena-versailles", "arena-paris", "direct"])
def test_one_protected_address_is_reached_through_every_door(house: TheHouse, door: str) -> None:
    client = house.client()
    asked = client.get("/missions/BTS-04?onglet=frais")
    assert asked.status == 303
    assert asked.location == "/connexion/?next=%2Fmissions%2FBTS-04%3Fonglet%3Dfrais"
    if door == "direct":
        page = direct(client, "mdurand7", house.letters["mdurand7"], "/missions/BTS-04%3Fonglet=frais")
        page = client.follow(page)
        landed = client.submit(page, {"nouveau": "quatre mots bien longs", "encore": "quatre mots bien longs"})
        assert landed.location == "/missions/BTS-04?onglet=frais"
        reply = client.follow(landed)
    else:
        reply = sign_in(house, client, "jdupont", door, "/missions/BTS-04%3Fonglet=frais")
    assert reply.status == 200
    assert reply.text.startswith(f"{door}|")


@pytest.mark.row("SAM-28")
def test_a_post_is_never_replayed_after_the_login(house: TheHouse) -> None:
    client = house.client()
    refused = client.post("/missions/envoyer", {"montant": "12"})
    assert refused.status == 303
    assert refused.location == "/connexion/?next=%2F"


@pytest.mark.row("SAM-13")
def test_an_answer_serves_only_the_browser_that_asked_and_only_once(house: TheHouse) -> None:
    mine, other = house.client(), house.client()
    mine.get("/connexion/portail/arena-creteil")
    to = house.portals["arena-creteil"].left[-1].correlation
    assert acs(other, house, who="jdupont", to=to, id="a1").status == 400
    assert house.codes("login_refused") == [Code.FLOW_OTHER_BROWSER]
    # and the journey is used up: whoever caught the answer cannot try again from elsewhere
    assert acs(mine, house, who="jdupont", to=to, id="a2").status == 400
    assert house.codes("login_refused")[-1] == Code.FLOW_UNKNOWN

    mine.get("/connexion/portail/arena-creteil")
    to = house.portals["arena-creteil"].left[-1].correlation
    assert acs(mine, house, who="jdupont", to=to, id="a3").status == 303
    assert acs(mine, house, who="jdupont", to=to, id="a4").status == 400


@pytest.mark.row("SAM-13")
@pytest.mark.parametrize("forged", ["x", "their own", "a former one", ""])
def test_a_cookie_of_the_right_name_is_not_the_browser_that_asked(house: TheHouse, forged: str) -> None:
    """The name can be worked out from the request in the address; only the value tells the browser."""
    mine, other = house.client(), house.client()
    mine.get("/connexion/portail/arena-creteil")
    former = next(value for name, value in mine.cookies.items() if name.startswith("ig-flow-"))
    other.get("/connexion/portail/arena-creteil")
    own = next(value for name, value in other.cookies.items() if name.startswith("ig-flow-"))
    before = set(mine.cookies)
    mine.get("/connexion/portail/arena-creteil")
    (name,) = set(mine.cookies) - before
    assert mine.cookies[name] != former, "each journey has a value of its own"
    other.cookies[name] = {"their own": own, "a former one": former}.get(forged, forged)
    to = house.portals["arena-creteil"].left[-1].correlation
    assert acs(other, house, who="jdupont", to=to, id="a1").status == 400
    assert house.codes("login_refused") == [Code.FLOW_OTHER_BROWSER]
    assert "ig-session" not in other.cookies


@pytest.mark.row("SAM-13")
@pytest.mark.parametrize(("seconds", "status"), [(599, 303), (600, 400)])
def test_a_journey_lasts_ten_minutes(house: TheHouse, seconds: int, status: int) -> None:
    client = house.client()
    client.get("/connexion/portail/arena-creteil")
    to = house.portals["arena-creteil"].left[-1].correlation
    house.clock.move(seconds)
    assert acs(client, house, who="jdupont", to=to, id="a1").status == status


@pytest.mark.row("RTE-02")
def test_a_login_begun_towards_one_portal_cannot_be_finished_by_another(house: TheHouse) -> None:
    client = house.client()
    client.get("/connexion/portail/arena-versailles")
    to = house.portals["arena-versailles"].left[-1].correlation
    # the answer of Créteil, on Créteil's own endpoint, carrying Versailles' request
    reply = acs(client, house, "arena-creteil", who="jdupont", to=to, id="a1")
    assert reply.status == 403
    # the answer of Créteil on Versailles' endpoint
    client.get("/connexion/portail/arena-versailles")
    to = house.portals["arena-versailles"].left[-1].correlation
    issuer = house.portals["arena-creteil"].issuer
    reply = acs(client, house, "arena-versailles", who="jdupont", to=to, id="a2", issuer=issuer)
    assert reply.status == 403
    assert house.codes("login_refused") == [Code.ROUTE_MISMATCH, Code.ROUTE_MISMATCH]
    assert client.get("/missions").status == 303


def test_a_message_opens_one_session_only_even_in_parallel(house: TheHouse) -> None:
    replies: list[int] = []
    clients = [house.client() for _ in range(8)]

    def post(client: Client) -> None:
        replies.append(acs(client, house, who="jdupont", id="same").status)

    threads = [threading.Thread(target=post, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == [303] + [400] * 7
    assert house.codes("login_refused") == [Code.REPLAYED] * 7


@pytest.mark.row("SAM-14")
def test_an_answer_nobody_asked_for_needs_the_portals_flag(house: TheHouse) -> None:
    client = house.client()
    assert acs(client, house, "arena-versailles", who="jdupont", id="a1").status == 403
    assert house.codes("login_refused") == [Code.UNSOLICITED]
    assert (
        client.follow(acs(client, house, "arena-creteil", who="jdupont", id="a2")).text.startswith("personne") is False
    )


@pytest.mark.row("SAM-15")
def test_an_unsolicited_answer_asks_before_taking_the_place_of_somebody_else(house: TheHouse) -> None:
    client = house.client()
    assert sign_in(house, client, "jdupont", next_page="/missions").text == "arena-creteil|jdupont|Jo JDUPONT"
    before = client.cookies["ig-session"]
    page = client.follow(acs(client, house, who="attacker", id="b1"))
    assert page.title == "Une autre session est ouverte"
    assert "attacker" not in page.text
    assert "jdupont" not in page.text
    assert client.get("/missions").text == "arena-creteil|jdupont|Jo JDUPONT"
    assert client.cookies["ig-session"] == before

    forged = client.post("/connexion/arrivee", {})
    assert forged.status == 403
    assert client.get("/missions").text.startswith("arena-creteil|jdupont")

    landed = client.follow(client.submit(page, {}))
    assert landed.status == 200
    assert client.get("/missions").text == "arena-creteil|attacker|Jo ATTACKER"
    client.cookies["ig-session"] = before
    assert client.get("/missions").status == 303


def test_an_unsolicited_answer_for_the_same_person_asks_nothing(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    before = client.cookies["ig-session"]
    assert client.follow(acs(client, house, who="jdupont", id="b1")).status == 200
    assert client.cookies["ig-session"] != before


@pytest.mark.row("SAM-16")
@pytest.mark.parametrize(
    "relay",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", "/" * 5000],
)
def test_a_relay_state_that_is_no_page_of_ours_means_the_default_page(house: TheHouse, relay: str) -> None:
    client = house.client()
    reply = acs(client, house, who="jdupont", id="b1", relay=relay)
    assert client.get(reply.location).location == "/"


def test_a_relay_state_that_is_a_page_of_ours_is_followed(house: TheHouse) -> None:
    client = house.client()
    reply = acs(client, house, who="jdupont", id="b1", relay="/missions/7?a=b")
    assert client.get(reply.location).location == "/missions/7?a=b"


@pytest.mark.row("RTE-03")
def test_the_same_mail_behind_three_issuers_is_three_people(house: TheHouse) -> None:
    keys = set()
    for door in house.portals:
        client = house.client()
        sign_in(house, client, "jmartin", door)
        session = house.gateway.session(client.cookies)
        assert session is not None
        assert session.identity.email == "jean.martin@exemple.test"
        keys.add(session.identity.key)
    assert len(keys) == 3


@pytest.mark.row("RTE-08")
def test_a_portal_closed_in_the_settings_is_closed_at_once(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    assert client.get("/missions").status == 200
    del house.portals["arena-creteil"]
    del house.gateway.house.portals["arena-creteil"]  # type: ignore[attr-defined]  # a dict
    assert client.get("/missions").status == 303
    assert client.get("/connexion/portail/arena-creteil").status == 404
    reply = client.post("/connexion/portail/arena-creteil/acs", {"who": "jdupont", "id": "z"})
    assert reply.status == 404


@pytest.mark.row("RTE-08")
def test_an_answer_that_waits_is_worth_nothing_once_its_portal_is_closed(house: TheHouse) -> None:
    client = house.client()
    client.get("/connexion/portail/arena-creteil")
    to = house.portals["arena-creteil"].left[-1].correlation
    arrived = acs(client, house, who="jdupont", to=to, id="a1")
    assert arrived.location == "/connexion/arrivee"
    del house.gateway.house.portals["arena-creteil"]  # type: ignore[attr-defined]  # a dict
    assert client.get(arrived.location).status == 404
    assert "ig-session" not in client.cookies
    assert client.get("/missions").status == 303


def test_an_answer_waits_five_minutes_for_its_browser_and_opens_one_session(house: TheHouse) -> None:
    client = house.client()
    acs(client, house, who="jdupont", id="b1")
    ticket = dict(client.cookies)
    assert client.get("/connexion/arrivee").status == 303
    client.cookies = ticket
    assert client.get("/connexion/arrivee").location == "/"
    assert "ig-session" not in client.cookies
    house.clock.move(timedelta(minutes=1))
    assert client.get("/connexion/arrivee").status == 400
    acs(client, house, who="jdupont", id="b2")
    house.clock.move(timedelta(minutes=5))
    assert client.get("/connexion/arrivee").status == 400


@pytest.mark.parametrize("session_comes_back", [True, False], ids=["after", "at once"])
def test_two_tabs_that_come_back_at_the_same_instant_both_land(house: TheHouse, session_comes_back: bool) -> None:
    client = house.client()
    # Both answers are there before either tab goes on: one cookie for two.
    acs(client, house, who="jdupont", id="b1", relay="/missions/1")
    acs(client, house, who="jdupont", id="b2", relay="/missions/2")
    other = house.client()
    other.cookies = dict(client.cookies)
    assert client.get("/connexion/arrivee").location == "/missions/2"
    if session_comes_back:
        other.cookies = client.cookies
    assert other.get("/connexion/arrivee").location == "/missions/2"
    assert house.codes("login") == [""]
    assert not house.codes("login_refused")
    other.cookies = client.cookies
    assert other.get("/missions/2").status == 200


def test_an_answer_that_comes_while_another_tab_lands_is_not_lost(house: TheHouse) -> None:
    client = house.client()
    acs(client, house, who="jdupont", id="b1", relay="/missions/1")
    first = house.client()
    first.cookies = dict(client.cookies)
    acs(client, house, who="jdupont", id="b2", relay="/missions/2")
    landed = first.get("/connexion/arrivee")
    assert landed.location == "/missions/1"
    client.cookies["ig-session"] = first.cookies["ig-session"]
    assert not [each for each in landed.headers if each[1].startswith("ig-arrival=")]
    assert client.get("/connexion/arrivee").location == "/missions/2"
    assert client.get("/missions/2").status == 200


@pytest.mark.row("SAM-15")
def test_a_used_ticket_takes_the_place_of_nobody(house: TheHouse) -> None:
    client = house.client()
    acs(client, house, who="attacker", id="b1")
    ticket = client.cookies["ig-arrival"]
    page = client.get("/connexion/arrivee")
    assert page.status == 303
    client.cookies.clear()
    sign_in(house, client, "jdupont", next_page="/missions")
    client.cookies["ig-arrival"] = ticket
    before = client.cookies["ig-session"]
    assert client.get("/connexion/arrivee").status == 303
    assert client.cookies["ig-session"] == before
    assert client.get("/missions").text == "arena-creteil|jdupont|Jo JDUPONT"


def test_the_other_account_chosen_twice_is_taken_once(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    page = client.follow(acs(client, house, who="kmartin", id="b1", relay="/missions/7"))
    assert client.submit(page, {}).location == "/missions/7"
    assert client.submit(page, {}).location == "/missions/7"
    assert house.codes("login") == ["", ""]
    assert client.get("/missions").text == "arena-creteil|kmartin|Jo KMARTIN"


def test_nobody_else_can_use_the_ticket_of_an_answer(house: TheHouse) -> None:
    mine, other = house.client(), house.client()
    acs(mine, house, who="jdupont", id="b1")
    assert other.get("/connexion/arrivee").status == 400
    other.cookies["ig-arrival"] = "x" * 43
    assert other.get("/connexion/arrivee").status == 400


@pytest.mark.row("SES-03")
def test_every_login_makes_a_new_id_and_the_former_one_is_dead(house: TheHouse) -> None:
    client = house.client()
    client.cookies["ig-session"] = "chosen-by-an-attacker"
    sign_in(house, client, "jdupont", next_page="/missions")
    first = client.cookies["ig-session"]
    assert first != "chosen-by-an-attacker"
    sign_in(house, client, "jdupont", next_page="/missions")
    assert client.cookies["ig-session"] != first
    client.cookies["ig-session"] = first
    assert client.get("/missions").status == 303
    # provisional password, then the chosen one
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    second = client.cookies["ig-session"]
    client.submit(page, {"nouveau": "quatre mots bien longs", "encore": "quatre mots bien longs"})
    assert client.cookies["ig-session"] not in (first, second)
    client.cookies["ig-session"] = second
    assert client.get("/missions").status == 303


def test_the_portals_own_end_shortens_the_session(house: TheHouse) -> None:
    house.portals["arena-creteil"].ends_in = timedelta(minutes=5)
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    house.clock.move(299)
    assert client.get("/missions").status == 200
    house.clock.move(1)
    assert client.get("/missions").status == 303


@pytest.mark.row("LOG-10")
@pytest.mark.fault
def test_a_fault_in_a_portal_lets_nobody_in_and_is_told_once(house: TheHouse) -> None:
    client = house.client()
    for fault in (RuntimeError("boom-secret"), ValueError("x"), KeyError("y"), RecursionError()):
        house.portals["arena-creteil"].fail = fault
        reply = acs(client, house, who="jdupont", id="c1")
        assert reply.status == 500
        assert "boom-secret" not in reply.text
        assert "ig-session" not in client.cookies
    faults = [each for each in house.events if each["event"] == "fault"]
    assert [each["detail"]["type"] for each in faults] == ["RuntimeError", "ValueError", "KeyError", "RecursionError"]
    assert "boom-secret" not in "".join(house.lines)
    house.portals["arena-creteil"].fail = None
    assert sign_in(house, client, "jdupont").status == 200


@pytest.mark.fault
def test_a_silent_portal_gets_a_page_that_says_when_to_come_back(house: TheHouse) -> None:
    house.portals["arena-paris"].fail = Unavailable(code=Code.PORTAL_UNAVAILABLE, retry_after=30)
    client = house.client()
    reply = client.get("/connexion/portail/arena-paris")
    assert reply.status == 503
    assert reply.header("retry-after") == "30"
    assert "ne répond pas" in reply.title
    assert house.codes("portal_failed") == [Code.PORTAL_UNAVAILABLE]


@pytest.mark.row("LOG-09")
@pytest.mark.fault
def test_a_portal_that_hangs_holds_its_own_share_only(make_house: Callable[..., TheHouse]) -> None:
    house = make_house("asgi")
    turnstile = house.gateway.house.turnstiles["arena-paris"]
    while turnstile.acquire(blocking=False):
        pass
    client = house.client()
    assert client.get("/connexion/portail/arena-paris").status == 503
    assert sign_in(house, client, "jdupont", "arena-creteil").status == 200
    assert client.get("/connexion/direct").status == 200


def test_a_missing_attribute_is_told_by_its_name_with_the_contact(house: TheHouse) -> None:
    house.portals["arena-creteil"].fail = AnswerRefused(Code.ATTRIBUTE_MISSING, missing=["ctemail"])
    reply = acs(house.client(), house, who="jdupont", id="c1")
    assert reply.status == 403
    assert "adresse électronique" in reply.text
    assert "imagin@siec.education.fr" in reply.text


@pytest.mark.row("SAM-27")
def test_the_correlator_survives_a_cross_site_post_and_says_nothing(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(development=False, base_url="https://127.0.0.1:8400", passwords={})
    client = house.client()
    client.get("/connexion/portail/arena-creteil")
    (line,) = [each for each in client.jar_log if "flow-" in each]
    assert line.startswith("__Host-ig-flow-")
    for part in ("SameSite=None", "Secure", "HttpOnly", "Path=/", "Max-Age=600"):
        assert part in line
    to = house.portals["arena-creteil"].left[-1].correlation
    assert to not in line
    # a browser sends only the correlator with the cross-site POST
    only = {name: value for name, value in client.cookies.items() if "flow-" in name}
    bare = house.client(cookies=only)
    assert acs(bare, house, who="jdupont", to=to, id="d1").status == 303
    client.get("/connexion/portail/arena-creteil")
    to = house.portals["arena-creteil"].left[-1].correlation
    assert acs(house.client(), house, who="jdupont", to=to, id="d2").status == 400


def test_two_tabs_do_not_spoil_each_other(house: TheHouse) -> None:
    client = house.client()
    client.get("/connexion/portail/arena-creteil?next=/missions/1")
    first = house.portals["arena-creteil"].left[-1].correlation
    client.get("/connexion/portail/arena-creteil?next=/missions/2")
    second = house.portals["arena-creteil"].left[-1].correlation
    assert client.get(acs(client, house, who="jdupont", to=first, id="e1").location).location == "/missions/1"
    assert client.get(acs(client, house, who="jdupont", to=second, id="e2").location).location == "/missions/2"


def test_one_network_cannot_fill_the_store_with_journeys(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    client, other = house.client(), house.client(address="198.51.100.1")
    for _ in range(300):
        assert client.get("/connexion/portail/arena-creteil").status == 303
    refused = client.get("/connexion/portail/arena-creteil")
    assert refused.status == 429
    assert refused.header("retry-after") == "600"
    assert other.get("/connexion/portail/arena-creteil").status == 303


def test_an_answer_posted_from_a_portal_does_not_spoil_the_forms_of_other_tabs(house: TheHouse) -> None:
    client = house.client()
    form = client.get("/connexion/direct")
    browser = client.cookies["ig-browser"]
    alone = house.client()
    acs(alone, house, who="jdupont", id="p1")
    assert "ig-browser" not in alone.cookies, "a browser that sent no Lax cookie is not renamed"
    acs(client, house, who="jdupont", id="p2")
    assert client.cookies["ig-browser"] == browser
    set_by_form = client.submit(form, {"identifiant": "x", "motdepasse": "y"}).all("set-cookie")
    assert [line.partition("=")[0] for line in set_by_form] == ["ig-typed"]


def test_the_click_opens_the_account_of_the_page_and_no_other(house: TheHouse) -> None:
    client = house.client()
    sign_in(house, client, "jdupont", next_page="/missions")
    page = client.follow(acs(client, house, who="second", id="q1"))
    acs(client, house, who="third", id="q2")
    assert client.submit(page, {}).status == 403
    assert client.get("/missions").text.startswith("arena-creteil|jdupont")


def test_a_door_that_does_not_exist_is_not_repeated_in_the_events(house: TheHouse) -> None:
    client = house.client()
    assert client.get("/connexion/portail/" + "x" * 3000).status == 404
    assert client.get("/connexion/acces/marie@exemple.test").status == 404
    assert all(len(line) < 1000 for line in house.lines)
    assert "marie@exemple.test" not in house.lines[-1]
