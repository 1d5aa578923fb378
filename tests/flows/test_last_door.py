"""What a browser keeps for the comfort of whoever uses it: the last door, what was typed; and the way out is told."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from imagin_gateway.flows.routes import find
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, sign_in

MakeHouse = Callable[..., TheHouse]


def offered(page: Reply) -> str:
    """Return the door that the chooser offers first, "" if it offers none."""
    found = page.tree.xpath("//section[@aria-labelledby='derniere']/h2/text()")
    return str(found[0]) if found else ""


@pytest.mark.row("RTE-07")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_door_that_opened_a_session_is_offered_first_and_is_forgotten_in_one_click(
    make_house: MakeHouse, kind: str
) -> None:
    house = make_house(kind, remember_door=True)
    client = house.client()
    assert offered(client.get("/connexion/")) == ""
    sign_in(house, client, "jdupont", "arena-paris", "/missions")
    # The cookie holds the id of a door, and nothing else.
    assert client.cookies["ig-door"].partition(";")[0] == "arena-paris"
    page = client.get("/connexion/?next=/missions/7")
    assert offered(page).endswith("Académie de Paris")
    again, forget = page.tree.xpath("//section[@aria-labelledby='derniere']//a/@href")
    assert again == "/connexion/portail/arena-paris?next=%2Fmissions%2F7"
    # Every other door is still one click away, and taking one changes what is kept.
    assert len(page.tree.xpath("//main//h3/a")) == 5
    sign_in(house, client, "jdupont", "arena-creteil", "/missions")
    assert offered(client.get("/connexion/")).endswith("Académie de Créteil")
    page = client.follow(client.get(forget))
    assert offered(page) == ""
    assert "next=%2Fmissions%2F7" in page.tree.xpath("//main//h3/a/@href")[0]


@pytest.mark.row("RTE-07")
def test_whoever_forges_the_remembered_door_sees_another_one_offered_and_no_more(make_house: MakeHouse) -> None:
    house = make_house(remember_door=True)
    plain = house.client().get("/connexion/").text
    client = house.client()
    client.cookies["ig-door"] = "arena-versailles"
    assert offered(client.get("/connexion/")).endswith("Académie de Versailles")
    # It opens nothing, and sends nobody anywhere by itself.
    assert client.get("/missions").location.startswith("/connexion/?")
    for forged in (
        "https://evil.example",
        "evil",
        "../direct",
        '"><script>',
        "proconnect",
        "arena-paris,direct",
        "x" * 9000,
    ):
        client = house.client()
        client.cookies["ig-door"] = forged
        page = client.get("/connexion/")
        assert offered(page) == ""
        assert "evil" not in page.text
        assert _steady(page.text) == _steady(plain)


def _steady(text: str) -> str:
    import re

    return re.sub(r'nonce="[^"]*"', "", text)


@pytest.mark.row("RTE-07")
def test_unless_the_host_asks_for_it_no_door_is_kept_or_offered(make_house: MakeHouse) -> None:
    house = make_house()
    client = house.client()
    sign_in(house, client, "jdupont", "arena-paris", "/missions")
    direct(house.client(), "pmartin2", house.letters["pmartin2"])
    assert not [line for line in client.jar_log if "ig-door" in line]
    client.cookies["ig-door"] = "arena-paris"
    assert offered(client.get("/connexion/")) == ""


@pytest.mark.row("RTE-07")
def test_the_direct_door_is_kept_once_it_has_opened_a_session(make_house: MakeHouse) -> None:
    house = make_house(remember_door=True)
    client = house.client()
    direct(client, "pmartin2", "un mauvais mot de passe")
    assert "ig-door" not in client.cookies
    direct(client, "pmartin2", house.letters["pmartin2"])
    assert client.cookies["ig-door"].partition(";")[0] == "direct"


# the page before a portal


@pytest.mark.row("WEB-13")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_before_a_portal_a_page_says_where_it_leads_with_a_way_on_and_a_way_back(
    make_house: MakeHouse, kind: str
) -> None:
    house = make_house(kind, notice_before_portal=True)
    client = house.client()
    page = client.get("/connexion/portail/arena-paris?next=/missions/7&anew=1")
    assert (page.status, page.title) == (200, "Vous allez sur le portail de Paris")
    portal = house.portals["arena-paris"]
    assert urlsplit(portal.issuer).netloc in page.text
    on, back = page.tree.xpath("//main//a/@href")
    assert back == "/connexion/?next=%2Fmissions%2F7"
    assert client.get(back).title == "Accéder à Imagin SIEC"
    # Nothing has begun yet.
    assert house.codes("login_started") == []
    assert not [name for name in client.cookies if "flow-" in name]
    assert parse_qs(urlsplit(on).query) == {"next": ["/missions/7"], "anew": ["1"], "suite": ["1"]}
    left = client.get(on)
    assert (left.status, urlsplit(left.location).netloc) == (303, urlsplit(portal.issuer).netloc)
    to = portal.left[-1].correlation
    landed = client.follow(client.get(f"/connexion/portail/arena-paris/retour?who=jdupont&to={to}"))
    assert landed.location == "/missions/7" or "jdupont" in landed.text


@pytest.mark.row("WEB-13")
def test_the_page_before_a_portal_names_no_other_place_than_the_portal_and_is_off_unless_asked(
    make_house: MakeHouse,
) -> None:
    house = make_house(notice_before_portal=True)
    page = house.client().get("/connexion/portail/arena-paris?next=https://evil.example&host=evil.example")
    assert "evil" not in page.text
    assert house.client().get("/connexion/portail/evil?suite=1").status == 404
    assert make_house().client().get("/connexion/portail/arena-paris").status == 303


# what was typed


@pytest.mark.row("A11-15")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_identifier_typed_once_is_not_asked_again(make_house: MakeHouse, kind: str) -> None:
    house = make_house(kind)
    client = house.client()
    for known in ("pmartin2", "inconnu0"):
        client = house.client()
        assert _field(client, "/connexion/direct") == ""
        direct(client, known, "un mauvais mot de passe")
        # From the form that failed to the one that asks for a link, and from that one to itself.
        assert _field(client, "/connexion/mot-de-passe/oubli") == known
        asking = client.get("/connexion/mot-de-passe/oubli")
        client.follow(client.submit(asking, {"identifiant": "autre123"}))
        assert _field(client, "/connexion/mot-de-passe/oubli") == "autre123"
        assert _field(client, "/connexion/direct") == "autre123"
        # A few minutes, in this browser alone, and never in an address.
        kept = [line for line in client.jar_log if line.startswith("ig-typed=")]
        assert kept
        assert all("Max-Age=600" in line and "HttpOnly" in line for line in kept)
        assert _field(house.client(), "/connexion/direct") == ""
    direct(client, "pmartin2", house.letters["pmartin2"])
    assert "ig-typed" not in client.cookies


def _field(client: Client, path: str) -> str:
    (field,) = client.get(path).tree.xpath("//input[@id='identifiant']")
    return str(field.get("value"))


@pytest.mark.parametrize("forged", ["%%%", "aGVsbG8", "x" * 500, "AAEC", "/w==", "PHNjcmlwdD4=", "é", "-_-_", "4oCu"])
def test_a_forged_identifier_is_text_or_nothing(make_house: MakeHouse, forged: str) -> None:
    client = make_house().client()
    client.cookies["ig-typed"] = forged
    page = client.get("/connexion/direct")
    assert page.status == 200
    assert "<script>" not in page.text
    assert page.tree.xpath("//input[@id='identifiant']/@value")[0] in ("", "<script>", "hello")


def test_what_is_too_long_to_be_an_identifier_is_not_kept(make_house: MakeHouse) -> None:
    client = make_house().client()
    direct(client, "x" * 200, "un mauvais mot de passe")
    assert "ig-typed" not in client.cookies


# what else the chooser says


def test_whoever_comes_back_after_the_end_of_a_session_is_told_so_once(make_house: MakeHouse) -> None:
    house = make_house()
    client = house.client()
    sign_in(house, client, "jdupont", "arena-paris", "/missions")
    assert "terminée" not in client.get("/connexion/").text
    house.gateway.house.sessions.end_person(house.portals["arena-paris"].issuer, "jdupont")
    page = client.follow(client.get("/missions/7"))
    (message,) = page.tree.xpath("//main//*[@role='status']")
    assert "Votre session est terminée." in message.text_content()
    assert "next=%2Fmissions%2F7" in page.tree.xpath("//main//h3/a/@href")[0]
    assert not client.get("/connexion/").tree.xpath("//main//*[@role='status']")
    assert not house.client().get("/connexion/").tree.xpath("//main//*[@role='status']")


def test_a_host_may_send_people_straight_to_the_doors(make_house: MakeHouse) -> None:
    house = make_house(direct_links=True)
    links = house.client().get("/connexion/?next=/missions/7").tree.xpath("//main//h3/a/@href")
    assert links[0] == "/connexion/portail/arena-creteil?next=%2Fmissions%2F7"
    assert links[3] == "/connexion/direct?next=%2Fmissions%2F7"
    # Where there is no federation, the page that says where to click stays on the way.
    house.gateway.house.portals.clear()  # type: ignore[attr-defined]  # a dict
    links = house.client().get("/connexion/").tree.xpath("//main//h3/a/@href")
    assert links[0] == "/connexion/acces/arena-creteil"


def test_forgetting_is_no_page_to_look_at() -> None:
    found = find("/oublier")
    assert found is not None
    assert found[0].handler("HEAD") is None
