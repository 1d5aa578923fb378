"""Everything a person does, driven by a script that never reads a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyotp
import pytest

from imagin_gateway.flows.routes import OPEN_WHILE
from imagin_gateway.sessions.session import FIRST_PASSWORD
from tests.authenticator import Device
from tests.client import HOST
from tests.flows.conftest import TheHouse
from tests.flows.test_direct_journeys import GOOD, personalised
from tests.steps.conftest import Script, script
from tests.steps.openapi import told_routes


@pytest.fixture
def house(make_house: Callable[..., TheHouse]) -> TheHouse:
    # Under ASGI; what is tried against it (test_attacks.py), under WSGI.
    return make_house("asgi")


def test_a_letter_opens_a_session_once_a_password_is_chosen(house: TheHouse) -> None:
    page = script(house)
    start = page.get("/connexion/?next=/missions")
    assert start["step"] == "chooser"
    (direct,) = start["direct"]
    assert direct["href"] == "/connexion/acces/direct?next=%2Fmissions"
    login = page.get(page.get(direct["href"])["links"]["enter"]["href"])
    assert (login["step"], login["forms"]["login"]["send"]["next"]) == ("login", "/missions")
    assert [each["name"] for each in login["forms"]["login"]["ask"]] == ["identifiant", "motdepasse"]
    told = page.send(login, "login", identifiant="mdurand7", motdepasse=house.letters["mdurand7"])
    assert told == {"step": "go", "to": "/connexion/mot-de-passe?next=/missions", "by": "request"}
    # Nothing else is open before: not a step, and not the host.
    assert page.get("/connexion/session")["to"] == "/connexion/mot-de-passe"
    choice = page.follow(told)
    assert (choice["step"], choice["mode"], choice["username"]) == ("password", "first", "mdurand7")
    assert str(choice["minimum"]) in choice["texts"][1]
    short = page.send(choice, "password", nouveau="court", encore="court")
    assert (page.status, short["code"]) == (422, "password.too_short")
    assert short["errors"][0]["field"] == "nouveau"

    done = page.send(short["again"], "password", nouveau=GOOD, encore=GOOD)
    assert done == {"step": "go", "to": "/missions", "by": "navigation"}
    here = page.get("/connexion/session")
    assert (here["step"], here["door"]) == ("session", "direct")
    assert here["seconds_left"] > 60
    assert here["can_extend"] is True
    assert here["name"]


def test_a_session_is_told_prolonged_listed_and_ended(house: TheHouse) -> None:
    first = Script(personalised(house))
    first.send(first.get("/connexion/fin"), "logout")
    page, other = script(house), script(house)
    assert page.enter("mdurand7", GOOD)["by"] == "navigation"
    other.enter("mdurand7", GOOD)
    house.clock.move(60)
    before = page.get("/connexion/session")
    after = page.send(before, "extend")
    assert after["seconds_left"] > before["seconds_left"]
    assert after["extend"]["fields"] == after["forms"]["extend"]["send"]
    listed = page.get(before["links"]["all"]["href"])
    assert [each["here"] for each in listed["sessions"]] == [True, False]
    ended = page.follow(page.send(listed, listed["sessions"][1]["form"]))
    assert ended["ended"] is True
    assert len(ended["sessions"]) == 1
    gone = other.get("/connexion/session")
    assert (other.status, gone["code"], gone["login"]) == (401, "session.needed", "/connexion/")
    assert other.last.header("www-authenticate")
    leaving = page.get("/connexion/fin")
    told = page.send(leaving, "logout")
    assert told == {"step": "go", "to": "/connexion/fin/faite", "by": "request"}
    assert page.follow(told)["step"] == "logged_out"
    assert page.get("/connexion/session")["status"] == 401


def test_a_portal_is_left_for_by_its_address_and_logout_leads_back_there(house: TheHouse) -> None:
    portal = house.portals["arena-paris"]
    portal.offers_logout = True
    page = script(house)
    for asked, lands in (("/missions", "/missions"), ("//evil.example", "/"), ("https://evil.example/", "/")):
        told = page.get(f"/connexion/portail/arena-paris?next={asked}")
        assert told == {"step": "go", "to": portal.left[-1].url, "by": "navigation"}
        to = portal.left[-1].correlation
        # The browser comes back by itself.
        back = page.client.follow(page.client.get(f"/connexion/portail/arena-paris/retour?who=jo&to={to}"), 1)
        assert (back.status, back.location) == (303, lands)
    assert page.get("/connexion/session")["door"] == "arena-paris"
    told = page.send(page.get("/connexion/fin"), "logout")
    assert told == {"step": "go", "to": portal.logouts[-1].url, "by": "navigation"}
    assert page.get("/connexion/session")["status"] == 401


def test_a_portal_that_is_down_is_a_problem_with_the_way_on(house: TheHouse) -> None:
    from imagin_gateway.errors import Code, Unavailable

    house.portals["arena-paris"].fail = Unavailable("down", code=Code.PORTAL_UNAVAILABLE, retry_after=30)
    page = script(house)
    told = page.get("/connexion/portail/arena-paris", **{"Accept-Language": "en"})
    assert (page.status, told["code"], page.last.header("retry-after")) == (503, "portal.unavailable", "30")
    assert page.last.header("content-language") == "en"
    assert told["links"][0]["href"] == "/connexion/portail/arena-paris"
    assert told["reference"].startswith("R-")
    french = page.get("/connexion/portail/arena-paris", **{"Accept-Language": "fr"})
    assert french["detail"] != told["detail"]


def test_the_questions_lead_to_a_decision_with_its_reason_in_both_languages(house: TheHouse) -> None:
    page = script(house)
    reasons = {}
    for language in ("fr", "en"):
        step = page.get(f"/connexion/question?next=/missions&lang={language}")
        while step["step"] == "question":
            form = step["forms"]["answer"]
            (ask,) = form["ask"]
            assert (form["method"], ask["kind"]) == ("GET", "choice")
            query = "&".join(f"{name}={value}" for name, value in form["send"].items())
            unanswered = page.get(f"{form['action']}?{query}")
            assert (page.status, unanswered["code"]) == (422, "request.field_missing")
            step = page.get(f"{form['action']}?{query}&{ask['name']}={ask['choices'][0]['value']}")
        assert step["step"] == "door"
        assert step["reason"]["rule"]
        assert step["reason"]["sentence"] == step["texts"][0]
        assert step["credentials"]
        assert step["not_these"]
        reasons[language] = step["reason"]
    assert reasons["fr"]["rule"] == reasons["en"]["rule"]
    assert reasons["fr"]["sentence"] != reasons["en"]["sentence"]


def test_a_forgotten_password_is_asked_for_and_replaced(house: TheHouse) -> None:
    personalised(house)
    page = script(house)
    step = page.get("/connexion/mot-de-passe/oubli")
    known = page.send(step, "forgotten", identifiant="mdurand7")
    known_bytes = page.last.body
    unknown = page.send(page.get("/connexion/mot-de-passe/oubli"), "forgotten", identifiant="personne")
    assert known == unknown
    assert page.last.body == known_bytes
    assert page.follow(known)["step"] == "forgotten_sent"
    (mail,) = [each for each in house.mailed() if "jeton=" in each.text]
    link = mail.text.split("jeton=")[1].split()[0]
    told = page.get(f"/connexion/mot-de-passe/lien?jeton={link}")
    assert told["to"] == "/connexion/mot-de-passe/nouveau"
    new = page.follow(told)
    assert (new["step"], new["mode"]) == ("password", "reset")
    done = page.send(new, "password", nouveau="trois chats verts et une lampe", encore="trois chats verts et une lampe")
    assert page.follow(done)["step"] == "password_done"
    dead = page.get(f"/connexion/mot-de-passe/lien?jeton={link}")
    assert page.follow(dead)["code"] == "reset.link_dead"
    assert page.enter("mdurand7", "trois chats verts et une lampe")["to"] == "/"


def _step_begun(house: TheHouse) -> tuple[Script, str, list[str], Any]:
    """Add an application by script; return a new browser that waits for the second step."""
    personalised(house)
    page = script(house)
    page.enter("mdurand7", GOOD)
    adding = page.get("/connexion/securite/application")
    secret = "".join(adding["secret"])
    wrong = page.send(adding, "application", code="000000")
    assert (page.status, wrong["code"]) == (422, "factor.code_wrong")
    code = pyotp.TOTP(secret).at(house.clock.now())
    added = page.send(wrong["again"], "application", code=code)
    assert added["step"] == "recovery_codes"
    house.clock.move(60)
    later = script(house)
    told = later.enter("mdurand7", GOOD, "/missions")
    assert told == {"step": "go", "to": "/connexion/etape", "by": "request"}
    return later, secret, added["codes"], later.follow(told)


def test_the_second_step_is_done_by_a_code_or_a_recovery_code(house: TheHouse) -> None:
    page, secret, codes, step = _step_begun(house)
    assert step["step"] == "second_step"
    assert list(step["forms"]) == ["code"]
    wrong = page.send(step, "code", code="000000")
    assert (page.status, wrong["code"], wrong["errors"][0]["field"]) == (403, "factor.code_wrong", "code")
    assert page.get("/connexion/session")["status"] == 401
    done = page.send(wrong["again"], "code", code=pyotp.TOTP(secret).at(house.clock.now()))
    assert done == {"step": "go", "to": "/missions", "by": "navigation"}
    assert page.get("/connexion/session")["door"] == "direct"
    other = script(house)
    recovery = other.get(other.follow(other.enter("mdurand7", GOOD))["links"]["other"]["href"])
    assert other.send(recovery, "recovery", secours=codes[0])["by"] == "navigation"
    assert page.get("/connexion/securite")["recovery_left"] == len(codes) - 1


def test_a_passkey_is_made_and_used(house: TheHouse) -> None:
    personalised(house)
    page = script(house)
    page.enter("mdurand7", GOOD)
    adding = page.get("/connexion/securite/cle")
    device = Device(house.gateway.settings.base_url, HOST.partition(":")[0])
    name, made = adding["forms"]["passkey"]["ask"]
    assert (name["name"], made["kind"]) == ("nom", "passkey")
    added = page.send(adding, "passkey", nom="Ma clé", code=device.make(made["options"]))
    assert added["step"] == "recovery_codes"
    held = page.get("/connexion/securite")
    assert [each["name"] for each in held["passkeys"]] == ["Ma clé"]
    assert held["passkeys"][0]["form"] in held["forms"]
    later = script(house)
    step = later.follow(later.enter("mdurand7", GOOD))
    (asked,) = step["forms"]["passkey"]["ask"]
    assert later.send(step, "passkey", code=device.use(json.dumps(asked["options"])))["by"] == "navigation"


def test_a_page_of_the_host_tells_a_script_what_is_due_first(house: TheHouse) -> None:
    page = script(house)
    page.enter("mdurand7", house.letters["mdurand7"])
    reply = page.client.get("/missions", headers={"Accept": "application/json"})
    told = json.loads(reply.body)
    assert (reply.status, told["code"]) == (403, "admission.first_password_due")
    assert told["due"] == "/connexion/mot-de-passe"
    assert page.client.get("/missions").status == 303


def test_what_is_due_first_is_told_at_every_other_step(house: TheHouse) -> None:
    """And the document says so: each answer is held against it."""
    page = script(house)
    page.enter("mdurand7", house.letters["mdurand7"])
    due = {"step": "go", "to": "/connexion/mot-de-passe", "by": "request"}
    for route in told_routes():
        if "GET" not in route.handlers:
            continue
        told = page.get("/connexion" + route.pattern.replace("{door}", "direct"))
        assert (told == due) == (route.pattern not in OPEN_WHILE[FIRST_PASSWORD]), route.pattern


def test_a_browser_gets_the_pages_as_before(house: TheHouse) -> None:
    client = house.client()
    for headers in ({}, {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, {"Accept": "text/html,application/json"}):
        reply = client.get("/connexion/direct", headers=headers)
        assert reply.header("content-type").startswith("text/html")
        assert reply.header("vary").startswith("Accept,")
