"""What every framework's mount promises, asked of each under its real server."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from imagin_gateway.errors import Code
from imagin_gateway.flows.problem import MEDIA_TYPE
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.state.sqlite_watch import PART_OF_A_LAG
from imagin_gateway.state.watch import DEFAULT_LAG
from tests.hosts.conftest import Served

GOOD = "girafe mandarine orage clavier"
JSON = {"Accept": "application/json"}


def test_a_page_that_is_open_knows_who_is_there_and_does_without(served: Served) -> None:
    assert served.get(served.client(), "/").text == "Bonjour"
    reply = served.get(served.signed_in(), "/")
    assert reply.text == "Bonjour Marie DURAND"
    assert reply.header("cache-control") == "no-store"


@pytest.mark.parametrize("page", ["/espace", "/missions", "/frais", "/sensible", "/reserve"])
def test_nobody_is_sent_to_the_login_and_brought_back(served: Served, page: str) -> None:
    reply = served.get(served.client(), page + "?annee=2026&mois=6")
    assert reply.status == 303
    parts = urlsplit(reply.location)
    assert parts.path == "/connexion/"
    assert parse_qs(parts.query) == {"next": [page + "?annee=2026&mois=6"]}
    assert reply.header("cache-control") == "no-store"


def test_a_page_is_come_back_to_as_it_was_asked_for(served: Served) -> None:
    page = "/reserve/a%2Fb/%E9t%C3%A9;d=1?q=%2F&r=a+b"
    assert parse_qs(urlsplit(served.get(served.client(), page).location).query) == {"next": [page]}


@pytest.mark.parametrize("headers", [JSON, {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}])
def test_a_script_is_told_what_to_do(served: Served, headers: dict[str, str]) -> None:
    reply = served.get(served.client(), "/espace", headers=headers)
    assert reply.status == 401
    assert reply.header("content-type") == MEDIA_TYPE
    assert reply.header("www-authenticate").startswith("Cookie ")
    told = json.loads(reply.body)
    assert told["status"] == 401
    assert told["title"]
    assert served.get(served.client(), told["login"]).status == 200


def test_what_was_posted_is_never_replayed(served: Served) -> None:
    reply = served.post(served.client(), "/espace", {"champ": "valeur"})
    assert reply.status == 303
    assert parse_qs(urlsplit(reply.location).query) == {"next": ["/"]}
    assert served.post(served.signed_in(), "/espace", {"champ": "valeur"}).text == "Espace de Marie DURAND"


def test_somebody_with_the_activity_comes_in(served: Served) -> None:
    client = served.signed_in()
    assert served.get(client, "/espace").text == "Espace de Marie DURAND"
    assert served.get(client, "/frais").text == "Frais de Marie DURAND"


def test_somebody_without_the_activity_is_told_and_the_operator_too(served: Served) -> None:
    client = served.signed_in()
    reply = served.get(client, "/missions")
    assert reply.status == 403
    assert reply.title == "Vous n’avez pas accès à cette page"
    assert "Missions de" not in reply.text
    told = json.loads(served.get(client, "/missions", headers=JSON).body)
    assert told["status"] == 403
    assert told["code"] == Code.ACTIVITY_CLOSED
    assert f'"correlation": "{told["reference"]}"' in served.events()
    assert served.events().count('"event": "access_denied"') == 2


def test_an_old_login_is_asked_again_and_comes_back(served: Served) -> None:
    assert served.get(served.signed_in(minutes_ago=1), "/sensible").text == "Sensible : Marie DURAND"
    client = served.signed_in(minutes_ago=10)
    reply = served.get(client, "/sensible?a=1")
    assert reply.status == 303
    parts = urlsplit(reply.location)
    assert (parts.path, parse_qs(parts.query)) == ("/connexion/confirmer", {"next": ["/sensible?a=1"]})
    assert served.get(client, reply.location).status == 200
    told = json.loads(served.get(client, "/sensible", headers=JSON).body)
    assert (told["status"], told["confirm"]) == (403, "/connexion/confirmer")


def test_ended_elsewhere_is_over_here(served: Served) -> None:
    client = served.signed_in()
    assert served.get(client, "/espace").status == 200
    served.gateway.house.sessions.end_person(DIRECT_ISSUER, "mdurand7")
    time.sleep(DEFAULT_LAG * PART_OF_A_LAG)
    assert served.get(client, "/espace").status == 303


def test_the_whole_way_in_and_out(served: Served) -> None:
    """The first login with the value of the letter, the password chosen, the page asked for, the end."""
    listing = served.folder / "list.csv"
    listing.write_text("Identifiant;Nom;Prénom;Courriel\nmdurand7;DURAND;Marie;marie@exemple.test\n", encoding="utf-8")
    letters: list[str] = []
    served.gateway.house.direct.lists.import_list(
        listing, each=lambda letter: letters.append(letter.provisional.reveal() if letter.provisional else "")
    )
    client = served.client()
    asked = served.get(client, "/espace?retour=oui")
    chooser = served.get(client, asked.location)
    (way,) = [link for link in chooser.tree.xpath("//a/@href") if "/acces/direct" in link]
    door = served.get(client, way)
    (form,) = {link for link in door.tree.xpath("//a/@href") if link.startswith("/connexion/direct")}
    page = served.get(client, form)
    choose = served.submit(client, page, {"identifiant": "mdurand7", "motdepasse": letters[0]})
    assert choose.status == 303
    assert served.get(client, "/espace").location.startswith("/connexion/mot-de-passe")
    chosen = served.submit(client, served.get(client, choose.location), {"nouveau": GOOD, "encore": GOOD})
    while chosen.status == 303:
        chosen = served.get(client, chosen.location)
        if chosen.status == 200 and "Espace de" not in chosen.text:
            break
    assert "Espace de Marie DURAND" in (chosen.text, served.get(client, "/espace").text)
    done = served.submit(client, served.get(client, "/connexion/fin"), {})
    assert done.status == 303
    assert served.get(client, "/espace").status == 303


@pytest.mark.row("RTE-09")
def test_headers_from_outside_name_nobody(served: Served) -> None:
    forged = {"Remote-User": "root", "X-Remote-User": "root", "ct-remote-user": "root", "X-Imagin-Person": "root"}
    assert served.get(served.client(), "/", headers=forged).text == "Bonjour"
    assert served.get(served.client(), "/espace", headers=forged).status == 303
