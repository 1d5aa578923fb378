"""Which door: the pages that ask, and those that answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import pytest

from tests.flows.conftest import TheHouse


@pytest.mark.row("RTE-01")
@pytest.mark.parametrize(
    "query",
    [
        "idp=https://evil.example",
        "entityID=https://evil.example/idp",
        "iss=https://evil.example",
        "next=https://evil.example",
        "next=//evil.example",
        "door=evil&portal=evil",
        "emetteur=siec&poste=https://evil.example",
        "SAMLRequest=x&RelayState=https://evil.example",
    ],
)
def test_nothing_sent_by_the_browser_becomes_an_address(house: TheHouse, query: str) -> None:
    client = house.client()
    allowed = {portal.issuer for portal in house.portals.values()}
    for path in (
        "/",
        "/question",
        "/acces/arena-paris",
        "/acces/evil",
        "/portail/arena-paris",
        "/portail/evil",
        "/direct",
    ):
        reply = client.get(f"/connexion{path}?{query}")
        assert reply.status in (200, 303, 404)
        assert not re.search(r'(href|action|src)="[^"]*evil', reply.text)
        if reply.location:
            assert reply.location.startswith(("/connexion/", *allowed)), reply.location
            assert "evil" not in reply.location


def test_the_chooser_shows_every_door_and_the_way_to_the_questions(house: TheHouse) -> None:
    page = house.client().get("/connexion/")
    assert page.title == "Accéder à Imagin SIEC"
    links = [link.text_content() for link in page.tree.xpath("//main//h3/a")]
    assert links == [
        "Académie de Créteil",
        "Académie de Paris",
        "Académie de Versailles",
        "Accès direct",
        "Je ne sais pas",
    ]


def test_no_series_of_answers_is_longer_than_four_or_a_dead_end(house: TheHouse) -> None:
    client = house.client()
    ends: dict[str, int] = {}

    def walk(address: str, depth: int) -> None:
        page = client.get(address)
        assert page.status == 200, address
        radios = page.tree.xpath("//input[@type='radio']")
        if not radios:
            ends[page.title] = ends.get(page.title, 0) + 1
            assert page.tree.xpath("//main//a[@href]")
            assert "imagin@siec.education.fr" in page.text
            return
        assert depth < 4, address
        hidden = {each.get("name"): each.get("value") for each in page.tree.xpath("//form//input[@type='hidden']")}
        hidden.pop("question")
        for radio in radios:
            answers = {**hidden, radio.get("name"): radio.get("value")}
            walk("/connexion/question?" + "&".join(f"{name}={value}" for name, value in answers.items()), depth + 1)

    walk("/connexion/question", 0)
    assert "Passez par le portail de Versailles" in ends
    assert "Passez par l’accès direct" in ends
    assert "Votre convocation ne vient pas du SIEC" in ends


def test_an_answer_left_out_is_asked_again_in_words(house: TheHouse) -> None:
    page = house.client().get("/connexion/question?question=emetteur")
    assert page.status == 422
    assert page.tree.xpath("//title/text()")[0].startswith("Erreur")
    assert "Choisissez une réponse" in page.text


@pytest.mark.parametrize("query", ["emetteur=rien", "emetteur=siec&poste=mars", "poste=paris&mail=peut-etre"])
def test_a_mangled_address_begins_again(house: TheHouse, query: str) -> None:
    reply = house.client().get(f"/connexion/question?{query}")
    assert (reply.status, reply.location) == (303, "/connexion/question")


def test_the_page_asked_for_is_carried_to_the_door(house: TheHouse) -> None:
    client = house.client()
    page = client.get("/connexion/?next=/missions/7")
    for link in page.tree.xpath("//main//h3/a/@href"):
        assert "next=%2Fmissions%2F7" in link
    page = client.get("/connexion/question?emetteur=siec&poste=paris&mail=oui&next=/missions/7")
    (button,) = page.tree.xpath("//a[contains(@class,'ig-button')]/@href")
    assert button == "/connexion/portail/arena-paris?next=%2Fmissions%2F7"


def test_a_door_without_federation_is_a_link_and_says_where_to_click(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    house.gateway.house.portals.clear()  # type: ignore[attr-defined]  # a dict
    page = house.client().get("/connexion/acces/arena-creteil")
    (button,) = page.tree.xpath("//a[contains(@class,'ig-button')]/@href")
    assert button == "https://externet.ac-creteil.fr"
    assert "Examens et concours" in page.text
    assert "NUMEN" in page.text


@pytest.mark.row("RTE-05")
def test_choosing_a_door_looks_at_no_account(house: TheHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    client = house.client()

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("an account was looked at")

    for name in ("find", "check"):
        monkeypatch.setattr(house.gateway.house.direct.__class__, name, looked)
    monkeypatch.setattr(house.gateway.house.direct.passwords.__class__, "ask_reset", looked)
    known, unknown = (client.get(f"/connexion/?identifiant={name}") for name in ("mdurand7", "nobodyx7"))
    assert _steady(known.text) == _steady(unknown.text)
    known, unknown = (client.get(f"/connexion/direct?identifiant={name}") for name in ("mdurand7", "nobodyx7"))
    assert _steady(known.text) == _steady(unknown.text)


def _steady(text: str) -> str:
    return re.sub(r'nonce="[^"]*"', "", text)


@pytest.mark.row("WEB-02")
@pytest.mark.row("WEB-03")
@pytest.mark.row("WEB-04")
@pytest.mark.row("WEB-08")
def test_every_page_has_its_security_headers(house: TheHouse) -> None:
    client = house.client()
    nonces = []
    for path in (
        "/",
        "/question",
        "/acces/direct",
        "/acces/arena-paris",
        "/direct",
        "/mot-de-passe/oubli",
        "/fin",
        "/rien",
    ):
        for _ in range(2):
            page = client.get("/connexion" + path, headers={"Origin": "https://evil.example"})
            policy = dict(part.split(" ", 1) for part in page.header("content-security-policy").split("; "))
            assert policy["default-src"] == policy["base-uri"] == policy["object-src"] == "'none'"
            assert policy["frame-ancestors"] == "'none'"
            assert policy["form-action"] == "'self'"
            assert policy["style-src"] == "'self'"
            nonces.append(policy["script-src"])
            assert page.header("content-type") == "text/html; charset=utf-8"
            assert page.header("x-content-type-options") == "nosniff"
            assert page.header("referrer-policy") == "no-referrer"
            assert not [name for name, _ in page.headers if name.lower().startswith("access-control")]
            assert not page.tree.xpath("//@style | //script[not(@src)] | //@*[starts-with(name(), 'on')]")
    assert len(set(nonces)) == len(nonces)


@pytest.mark.row("WEB-12")
def test_everything_reflected_is_escaped(house: TheHouse) -> None:
    client = house.client()
    for payload, (path, name) in product(
        (
            '"><script>alert(1)</script>',
            "'><img src=x onerror=alert(1)>",
            "{{7777*7777}}",
            "</title><svg/onload=alert(1)>",
        ),
        (("/direct", "next"), ("/question", "next"), ("/", "next"), ("/fin/faite", "porte"), ("/acces/direct", "next")),
    ):
        from urllib.parse import quote

        page = client.get(f"/connexion{path}?{name}={quote(payload)}")
        assert "<script>alert" not in page.text
        assert "onerror=alert" not in page.text.replace("&#", "") or "&lt;img" in page.text
        assert "60481729" not in page.text
    page = client.get("/connexion/direct")
    reply = client.submit(page, {"identifiant": '"><script>alert(1)</script>', "motdepasse": "x"})
    assert "<script>alert" not in reply.text


@pytest.mark.row("WEB-01")
@pytest.mark.row("WEB-05")
def test_every_https_answer_asks_for_https_and_isolation(make_house: Callable[..., TheHouse]) -> None:
    for kind in ("wsgi", "asgi"):
        house = make_house(kind, development=False, base_url="https://127.0.0.1:8400", passwords={})
        client = house.client()
        style = client.get("/connexion/").tree.xpath("//link[@rel='stylesheet']/@href")[0]
        for path in ("/", "/rien", "/mot-de-passe", "/arrivee", "/portail/arena-paris", "/direct"):
            _isolated(client.get("/connexion" + path))
        _isolated(client.get(style))
        assert client.get(style).header("content-type").startswith("text/css")


def _isolated(reply: object) -> None:
    header = reply.header  # type: ignore[attr-defined]  # a Reply
    assert header("strict-transport-security") == "max-age=31536000; includeSubDomains"
    assert header("referrer-policy") == "no-referrer"
    assert header("cross-origin-opener-policy") == "same-origin"
    assert header("cross-origin-resource-policy") == "same-origin"


ACADEMIES = {"arena-creteil": "externet.ac-creteil.fr", "arena-paris": "depannage.ac-paris.fr"}
ACADEMIES["arena-versailles"] = "bv.ac-versailles.fr/macadam/depannage"


def _facts(page: object) -> dict[str, str]:
    """Return the blocks of an end page, by heading."""
    sections = page.tree.xpath("//main//section")  # type: ignore[attr-defined]  # a Reply
    return {each.find("h2").text_content(): " ".join(each.text_content().split()) for each in sections}


def _end_page_is_whole(page: object, door: str, federated: bool) -> None:
    tree, facts = page.tree, _facts(page)  # type: ignore[attr-defined]  # a Reply
    # The door and its button, and the site it leads to.
    (button,) = tree.xpath("//main//a[contains(@class, 'ig-button')]")
    assert button.text_content().startswith("Aller ")
    assert tree.xpath("//main//span[@class='ig-code']/text()")
    # Why.
    assert tree.xpath("//main//p[@class='ig-lead']/text()")[0].strip()
    # Which credentials, and which not.
    assert facts["Vos identifiants"].count("À ne pas confondre") == 1
    # What to do when they are lost.
    lost = facts["Identifiant ou mot de passe perdu"]
    if door == "direct":
        assert "Mot de passe oublié" in lost
        assert "NUMEN" not in lost
    else:
        assert ACADEMIES[door] in lost
        assert "Votre NUMEN y sera demandé. Ne l’écrivez jamais dans un courriel." in lost
        assert not [host for other, host in ACADEMIES.items() if other != door and host in lost]
    # What is behind it, and what is not.
    offered, not_offered = facts["Ce que vous y trouverez"].split("Ce que vous n’y trouverez pas")
    assert ("informations personnelles" in offered) is (door == "direct")
    assert ("duplicata" in not_offered) is (door == "direct")
    assert ("informations personnelles" in not_offered) is (door != "direct")
    # The second choice, and the contact.
    (trouble,) = tree.xpath("//main//section[contains(@class, 'ig-message')]")
    assert trouble.xpath(".//a[starts-with(@href, '/connexion/')]/@href")
    assert trouble.xpath(".//a[@href='mailto:imagin@siec.education.fr']")
    # Where to click, and what the link of another portal is.
    linked = door != "direct" and not federated
    assert ("Examens et concours" in facts.get("Sur le portail", "")) is linked
    assert ("ouvre une autre application" in facts.get("À savoir", "")) is (linked or door == "direct")


def test_every_end_page_says_all_that_it_must(make_house: Callable[..., TheHouse]) -> None:
    house = make_house()
    client = house.client()
    for federated in (True, False):
        if not federated:
            house.gateway.house.portals.clear()  # type: ignore[attr-defined]  # a dict
        for door in ("arena-creteil", "arena-paris", "arena-versailles", "direct"):
            is_federated = federated and door in house.gateway.house.portals
            _end_page_is_whole(client.get(f"/connexion/acces/{door}"), door, is_federated)
        reached = client.get("/connexion/question?emetteur=siec&poste=paris&mail=oui")
        _end_page_is_whole(reached, "arena-paris", federated)
        _end_page_is_whole(client.get("/connexion/question?emetteur=siec&poste=ailleurs"), "direct", federated)


def test_whoever_was_sent_elsewhere_by_mistake_comes_back_in_one_click(house: TheHouse) -> None:
    client = house.client()
    page = client.get("/connexion/question?emetteur=autre&next=/missions/7")
    (link,) = page.tree.xpath("//main//a[text()='Ma convocation vient bien du SIEC']/@href")
    assert client.get(link).tree.xpath("//input[@name='poste']")
    assert "next=%2Fmissions%2F7" in link
