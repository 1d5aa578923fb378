"""The direct door: letter, first password, forgotten password; nothing told to who may not know."""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from imagin_gateway.errors import Code
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Secret
from imagin_gateway.local.door import Letter
from imagin_gateway.local.lifecycle import AccountState
from imagin_gateway.local.passwords import Limiter
from imagin_gateway.settings.direct import Accounts
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct

GOOD = "quatre mots bien longs"


def choose(client: Client, page: Reply, password: str = GOOD) -> Reply:
    return client.submit(page, {"nouveau": password, "encore": password})


def personalised(house: TheHouse, identifier: str = "mdurand7") -> Client:
    client = house.client()
    page = client.follow(direct(client, identifier, house.letters[identifier]))
    assert choose(client, page).status == 303
    return client


@pytest.mark.row("PRV-02")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/missions",
        "/missions/7",
        "/coordonnees",
        "/autre",
        "/connexion/",
        "/connexion/session",
        "/connexion/direct",
        "/connexion/question",
        "/connexion/acces/direct",
        "/connexion/mot-de-passe/oubli",
        "/connexion/adresse",
        "/connexion/adresse/codes",
        "/connexion/arrivee",
        "/connexion/portail/arena-creteil",
    ],
)
def test_a_provisional_password_opens_one_page_only(house: TheHouse, path: str) -> None:
    client = house.client()
    first = direct(client, "mdurand7", house.letters["mdurand7"])
    assert first.location == "/connexion/mot-de-passe"
    reply = client.get(path)
    assert reply.status == 303
    assert reply.location.startswith("/connexion/mot-de-passe")
    assert client.post(path, {"a": "b"}).status in (303, 405)


def test_the_page_asked_for_is_not_lost_by_going_back_to_the_login(house: TheHouse) -> None:
    """From the choice of a first password, by the button of the browser or from another tab."""
    client = house.client()
    login = client.get("/connexion/direct?next=/missions/3")
    typed = {"identifiant": "mdurand7", "motdepasse": house.letters["mdurand7"]}
    due = client.submit(login, typed).location
    assert due == "/connexion/mot-de-passe?next=/missions/3"
    assert client.get("/connexion/direct?next=/missions/3").location == due
    assert client.get("/connexion/acces/direct?next=/missions/3").location == due
    assert client.submit(login, typed).location == due
    assert client.get("/connexion/direct?next=//ailleurs.exemple.test").location == "/connexion/mot-de-passe"
    assert client.get("/connexion/direct").location == "/connexion/mot-de-passe"
    assert choose(client, client.get(due)).location == "/missions/3"


def test_the_first_password_is_chosen_and_the_provisional_one_is_dead(house: TheHouse) -> None:
    client = house.client()
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"], "/missions/3"))
    assert page.title == "Choisissez votre mot de passe"
    refused = choose(client, page, "court")
    assert refused.status == 422
    assert refused.title == "Choisissez votre mot de passe"
    landed = choose(client, refused)
    assert landed.location == "/missions/3"
    assert client.follow(landed).text == "direct|mdurand7|Marie DURAND"
    other = house.client()
    assert direct(other, "mdurand7", house.letters["mdurand7"]).status == 403
    assert direct(other, "mdurand7", GOOD).status == 303


def same(reply: Reply, identifier: str) -> tuple[int, tuple[tuple[str, str], ...], str]:
    """Return an answer without what is different in every answer: nonce, form token, what was typed."""
    strip = re.compile(r"nonce-[\w-]+|ig-(?:browser|typed)=[^;]+")
    headers = tuple(sorted((name, strip.sub("", value)) for name, value in reply.headers))
    text = reply.text.replace(reply.field("formulaire"), "").replace(f'value="{identifier}"', "")
    return reply.status, headers, re.sub(r'nonce="[^"]*"', "", text)


@pytest.mark.row("THR-07")
def test_every_failure_gets_the_same_answer_to_the_byte(house: TheHouse) -> None:
    door = house.gateway.house.direct
    personalised(house)
    personalised(house, "pmartin2")
    door.disable("pmartin2")
    locked = "sansmail"
    door._login._lock(locked, "192.0.2.7", "R-7K4M-2QXP")
    listing = Path(house.gateway.settings.accounts.url.removeprefix("sqlite:///")).with_name("more.csv")
    listing.write_text("Identifiant;Nom\nexpiree1;X\n", encoding="utf-8")
    issued: list[Letter] = []
    door.lists.import_list(listing, each=issued.append)
    (letter,) = issued
    assert letter.provisional is not None
    house.clock.move(timedelta(days=22))
    answers = set()
    for identifier, password in (
        ("inconnu0", "peu importe"),
        ("mdurand7", "un mauvais mot de passe"),
        ("mdurand7", house.letters["mdurand7"]),
        ("pmartin2", GOOD),
        (locked, house.letters[locked]),
        ("expiree1", letter.provisional.reveal()),
        # Somebody of a portal has no account here: an academic identifier is unknown.
        ("jdupont1", "un mot de passe académique"),
    ):
        answers.add(same(direct(house.client(), identifier, password), identifier))
    assert len(answers) == 1
    ((status, _, text),) = answers
    assert status == 403
    assert "peut ressembler à un identifiant académique" in text.replace("\u00a0", " ")
    reasons = [event["detail"]["reason"] for event in house.events if event["event"] == "login_refused"]
    assert reasons == ["unknown", "wrong", "wrong", "disabled", "locked", "expired", "unknown"]


@pytest.mark.row("WEB-10")
def test_after_every_post_of_a_credential_the_browser_comes_back_by_get(house: TheHouse) -> None:
    client = house.client()
    answers = [direct(client, "mdurand7", house.letters["mdurand7"])]
    answers.append(choose(client, client.follow(answers[-1])))
    change = {"actuel": GOOD, "nouveau": "cinq autres mots bien longs", "encore": "cinq autres mots bien longs"}
    answers.append(client.submit(client.get("/connexion/mot-de-passe"), change))
    house.clock.move(timedelta(minutes=5))
    again = client.get("/connexion/confirmer?next=/missions")
    answers.append(client.submit(again, {"motdepasse": change["nouveau"]}))
    address = client.get("/connexion/adresse")
    answers.append(client.submit(address, {"courriel": "neuve@exemple.test", "actuel": change["nouveau"]}))
    answers.append(client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"}))
    link = next(each[0] for mail in house.mailed() if (each := re.search(r"/connexion\S+jeton=\S+", mail.text)))
    answers.append(choose(client, client.follow(client.get(link))))
    answers.append(client.submit(client.get("/connexion/fin"), {}))
    assert [answer.status for answer in answers] == [303] * len(answers)
    assert len(answers) == 8


@pytest.mark.row("RTE-04")
@pytest.mark.parametrize("domain", ["exemple.test", "EXEMPLE.TEST", "test-exemple.fr"])
def test_the_direct_door_is_no_back_door_for_whoever_must_use_a_portal(
    make_house: Callable[..., TheHouse], tmp_path: Path, domain: str
) -> None:
    reserved = domain.lower() == "exemple.test"
    accounts = {"url": f"sqlite:///{tmp_path}/reserved.db", "portal_domains": [domain]}
    house = make_house(accounts=accounts)
    right = direct(house.client(), "pmartin2", house.letters["pmartin2"])
    assert (right.status == 303) is not reserved
    if reserved:
        wrong = direct(house.client(), "pmartin2", "un mauvais mot de passe")
        assert same(right, "pmartin2") == same(wrong, "pmartin2")
        assert not [cookie for name, cookie in right.headers if name.lower() == "set-cookie" and "session" in cookie]
        reasons = [event["detail"]["reason"] for event in house.events if event["event"] == "login_refused"]
        assert reasons == ["portal-only", "wrong"]
    # Who has no address of that domain is not concerned.
    assert direct(house.client(), "sansmail", house.letters["sansmail"]).status == 303


@pytest.mark.row("RTE-04")
def test_whoever_must_use_a_portal_cannot_choose_a_password_by_mail_either(
    make_house: Callable[..., TheHouse], tmp_path: Path
) -> None:
    asked = []
    for domain in ("exemple.test", "autre.test"):
        accounts = {"url": f"sqlite:///{tmp_path}/{domain}.db", "portal_domains": [domain]}
        house = make_house(accounts=accounts)
        client = house.client()
        page = client.get("/connexion/mot-de-passe/oubli")
        asked.append(client.follow(client.submit(page, {"identifiant": "pmartin2"})))
        assert bool(house.mailed()) is (domain == "autre.test")
    assert asked[0].title == asked[1].title == "Votre demande est enregistrée"


@pytest.mark.parametrize(
    ("email", "reserved"),
    [
        ("a@ac-paris.fr", True),
        ("a@AC-Paris.FR", True),
        ("a@ext.ac-paris.fr", True),
        ("a@ac-paris.fr.", True),
        ("ac-paris.fr@b", False),
        ("a@notac-paris.fr", False),
        ("a@ac-paris.fr.exemple.test", False),
        ("", False),
    ],
)
def test_a_reserved_domain_is_the_whole_domain_of_an_address_or_what_it_is_below(email: str, reserved: bool) -> None:
    assert Accounts(url="sqlite:///x", portal_domains=("ac-paris.fr",)).is_of_a_portal(email) is reserved


@pytest.mark.parametrize("domain", ["@ac-paris.fr", "ac-paris", "", "*.fr", "ac paris.fr"])
def test_what_is_no_domain_stops_the_start(domain: str) -> None:
    with pytest.raises(ValidationError):
        Accounts(url="sqlite:///x", portal_domains=(domain,))


def test_a_delayed_account_and_a_right_password_get_the_same_failure(house: TheHouse) -> None:
    personalised(house)
    client = house.client()
    for _ in range(6):
        assert direct(client, "mdurand7", "un mauvais mot de passe").status == 403
    assert direct(client, "mdurand7", GOOD).status == 403
    house.clock.move(timedelta(hours=1))
    assert direct(client, "mdurand7", GOOD).status == 303


def test_empty_fields_are_named_one_by_one(house: TheHouse) -> None:
    client = house.client()
    page = direct(client, "", "")
    assert page.status == 422
    assert page.tree.xpath("//title/text()")[0].startswith("Erreur")
    assert direct(client, "mdurand7", "").status == 422
    assert house.codes("login_refused") == []


@pytest.mark.parametrize("copied", ["\ufeffmdurand7", "mdurand7\u200b", "\u202amdurand7\u202c", " mdu\u00adrand7 "])
def test_an_identifier_that_was_copied_with_marks_nobody_sees_opens_the_door(house: TheHouse, copied: str) -> None:
    personalised(house)
    client = house.client()
    again = direct(client, copied, "mauvais")
    assert again.status == 403
    assert again.field("identifiant").strip() == "mdurand7"
    assert client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": copied}).status == 303
    assert any("jeton=" in mail.text for mail in house.mailed())
    assert direct(client, copied, GOOD).location == "/"
    assert direct(client, "\u200b", "x").status == 422


@pytest.mark.row("WEB-07")
@pytest.mark.parametrize("page", ["direct", "mot-de-passe/oubli", "fin"])
def test_a_form_of_another_site_or_browser_is_refused(house: TheHouse, page: str) -> None:
    client, other = house.client(), house.client()
    form = client.get(f"/connexion/{page}")
    good = {"formulaire": form.field("formulaire"), "identifiant": "mdurand7", "motdepasse": "x"}
    assert client.post(f"/connexion/{page}", {**good, "formulaire": ""}).status == 403
    assert client.post(f"/connexion/{page}", {**good, "formulaire": "x" + good["formulaire"][1:]}).status == 403
    other.get(f"/connexion/{page}")
    assert other.post(f"/connexion/{page}", good).status == 403
    assert house.client().post(f"/connexion/{page}", good).status == 403
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    ):
        assert client.post(f"/connexion/{page}", good, headers=headers).status == 403
    codes = house.codes("request_refused")
    assert codes == [Code.FORM_EXPIRED] * 4 + [Code.CROSS_SITE] * 4
    honest = client.post(f"/connexion/{page}", good, headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"})
    assert honest.status in (303, 403)
    assert house.codes("request_refused") == codes


@pytest.mark.row("WEB-07")
def test_no_form_but_a_portals_answer_may_come_from_another_site(house: TheHouse) -> None:
    from imagin_gateway.flows.routes import ROUTES

    assert {route.pattern.removeprefix("/portail/{door}") for route in ROUTES if route.cross_site} == {
        "/acs",
        "/retour",
        "/initier",
        "/fin",
        "/fin/canal",
    }
    for route in ROUTES:
        if "POST" in route.handlers and not route.cross_site:
            client = house.client()
            client.get("/connexion/direct")
            reply = client.post("/connexion" + route.pattern, {"identifiant": "mdurand7", "motdepasse": "x"})
            assert reply.status in (400, 403), route.pattern
    assert set(house.codes("request_refused")) == {Code.FORM_EXPIRED}


def test_a_password_goes_to_the_account_of_the_page_not_of_a_link_opened_meanwhile(house: TheHouse) -> None:
    for identifier in ("mdurand7", "pmartin2"):
        client = house.client()
        client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": identifier})
    links = [re.search(r"/connexion\S+jeton=\S+", mail.text) for mail in house.mailed()]
    paul, marie = (each[0] for each in links if each)
    client = house.client()
    page = client.follow(client.get(marie))
    client.get(paul)
    assert client.submit(page, {"nouveau": GOOD, "encore": GOOD}).status == 403
    assert direct(house.client(), "pmartin2", GOOD).status == 403
    assert direct(house.client(), "mdurand7", GOOD).status == 403


def test_a_login_checked_before_a_change_of_password_opens_nothing_after_it(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    personalised(house)
    thief, check = house.client(), house.gateway.house.direct.check

    def slow(*words: object, **more: object) -> object:
        checked = check(*words, **more)  # type: ignore[arg-type]  # passed on as they are
        new = Secret("une autre phrase longue")
        house.gateway.house.direct.passwords.change("mdurand7", Secret(GOOD), new, new)
        return checked

    monkeypatch.setattr(house.gateway.house.direct.__class__, "check", lambda _, *words, **more: slow(*words, **more))
    direct(thief, "mdurand7", GOOD)
    assert thief.get("/missions").status == 303


@pytest.mark.row("INP-03")
def test_a_repeated_parameter_is_refused_and_unknown_fields_change_nothing(house: TheHouse) -> None:
    client = house.client()
    token = client.get("/connexion/direct").field("formulaire")
    raw = f"formulaire={token}&identifiant=a&identifiant=b&motdepasse=x".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.request("POST", "/connexion/direct", raw=raw, headers=kind).status == 400
    assert house.codes("request_refused") == [Code.PARAMETER_REPEATED]
    assert client.get("/connexion/?next=/a&next=/b").status == 400
    page = client.get("/connexion/direct")
    extra = {"is_admin": "1", "source": "arena-paris", "hash": "x", "door": "arena-paris"}
    fields = {"identifiant": "mdurand7", "motdepasse": house.letters["mdurand7"], **extra}
    assert client.submit(page, fields).status == 303
    session = house.gateway.session(client.cookies)
    assert session is not None
    assert session.door == "direct"


@pytest.mark.row("RST-07")
def test_a_reset_ends_every_session_of_the_person_and_signs_nobody_in(house: TheHouse) -> None:
    first, second = personalised(house), house.client()
    direct(second, "mdurand7", GOOD)
    assert second.get("/missions").status == 200
    forgetful = house.client()
    asked = forgetful.submit(forgetful.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
    assert asked.location == "/connexion/mot-de-passe/oubli/envoye"
    link = mailed_link(house)
    assert link.startswith(house.gateway.settings.url("/mot-de-passe/lien?jeton="))
    target = link.removeprefix(house.gateway.settings.base_url)
    for _ in range(5):
        scanner = house.client()
        assert scanner.get(target).status == 303
        assert scanner.follow(scanner.get(target)).status == 200
    opened = forgetful.get(target)
    assert opened.location == "/connexion/mot-de-passe/nouveau"
    page = forgetful.get(opened.location)
    assert link.partition("jeton=")[2] not in page.text
    for each in (opened, page):
        assert each.header("cache-control") == "no-store"
        assert each.header("referrer-policy") == "no-referrer"
    refused = forgetful.submit(page, {"nouveau": "court", "encore": "court"})
    assert refused.status == 422
    done = forgetful.submit(refused, {"nouveau": "une autre phrase longue", "encore": "une autre phrase longue"})
    assert done.location == "/connexion/mot-de-passe/fait"
    assert "ig-session" not in forgetful.cookies
    assert first.get("/missions").status == 303
    assert second.get("/missions").status == 303
    assert forgetful.follow(forgetful.get(target)).status == 410
    assert direct(house.client(), "mdurand7", GOOD).status == 403
    assert direct(house.client(), "mdurand7", "une autre phrase longue").status == 303


def mailed_link(house: TheHouse) -> str:
    """Read the link in the mail, as the person does."""
    found = [re.search(r"https?://\S+jeton=\S+", mail.text) for mail in house.mailed()]
    (link,) = [each[0] for each in found if each]
    return link


@pytest.mark.row("RST-06")
def test_the_mailed_link_never_follows_the_host_header(house: TheHouse) -> None:
    personalised(house)
    client = house.client()
    page = client.get("/connexion/mot-de-passe/oubli")
    fields = {"formulaire": page.field("formulaire"), "identifiant": "mdurand7"}
    refused = client.post("/connexion/mot-de-passe/oubli", fields, host="evil.example")
    assert refused.status == 400
    sent = client.post("/connexion/mot-de-passe/oubli", fields, headers={"X-Forwarded-Host": "evil.example"})
    assert sent.status == 303
    assert mailed_link(house).startswith(house.gateway.settings.base_url + "/connexion/")


def test_an_unknown_identifier_gets_the_same_answer_and_no_mail(house: TheHouse) -> None:
    client = house.client()
    known = client.follow(client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"}))
    unknown = client.follow(client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": "nobody"}))
    strip = re.compile(r'nonce="[^"]*"')
    assert strip.sub("", known.text) == strip.sub("", unknown.text)


@pytest.mark.parametrize("token", ["", "short", "x" * 500, "a b" * 20, "forged-token-forged-token.sig", "é" * 40])
def test_a_made_up_link_is_a_dead_link(house: TheHouse, token: str) -> None:
    client = house.client()
    from urllib.parse import quote

    reply = client.follow(client.get(f"/connexion/mot-de-passe/lien?jeton={quote(token)}"))
    assert reply.status == 410
    assert reply.title == "Ce lien ne fonctionne plus"
    ways = {text: href for href, text in re.findall(r'<a [^>]*href="([^"]*)"[^>]*>([^<]*)</a>', reply.text)}
    assert ways["Demander un nouveau lien"] == "/connexion/mot-de-passe/oubli"
    assert ways["Se connecter"] == "/connexion/direct", "whoever used the link has a password"


@pytest.mark.row("PWD-08")
def test_a_chosen_password_can_be_changed_and_the_other_sessions_end(house: TheHouse) -> None:
    first, second = personalised(house), house.client()
    direct(second, "mdurand7", GOOD)
    page = first.get("/connexion/mot-de-passe")
    assert page.title == "Changer de mot de passe"
    new = "une autre phrase longue"
    wrong = first.submit(page, {"actuel": "pas le bon", "nouveau": new, "encore": new})
    assert wrong.status == 422
    assert first.submit(wrong, {"actuel": GOOD, "nouveau": new, "encore": new}).status == 303
    assert first.get("/missions").status == 200
    assert second.get("/missions").status == 303


@pytest.mark.row("PRV-06")
def test_no_page_before_the_login_tells_a_name_a_mail_or_a_state(house: TheHouse) -> None:
    from imagin_gateway.flows.routes import ROUTES

    personalised(house, "pmartin2")
    seen: dict[str, set[str]] = {}
    for identifier in ("mdurand7", "pmartin2", "sansmail", "inconnu0"):
        client = house.client()
        pages = [direct(client, identifier, "mauvais")]
        pages.append(
            client.follow(client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": identifier}))
        )
        for route in ROUTES:
            if "GET" in route.handlers:
                path = "/connexion" + route.pattern.replace("{door}", "direct")
                pages.append(client.get(f"{path}?identifiant={identifier}&next=/missions"))
        for page in pages:
            assert not re.search("DURAND|MARTIN|ROUX|Marie|Paul|Zoé|exemple.test|provisional|locked", page.text)
            assert not [value for _, value in page.headers if re.search("DURAND|MARTIN|exemple.test", value)]
        seen[identifier] = {f"{page.status} {page.location}".replace(identifier, "") for page in pages}
    assert len({frozenset(each) for each in seen.values()}) == 1


@pytest.mark.row("PWD-09")
def test_a_demanded_change_reaches_live_sessions_at_their_next_request(house: TheHouse) -> None:
    """The session opened with the suspect password is over; the next one opens the page of the change alone."""
    client = personalised(house)
    assert client.get("/missions").status == 200
    done = house.gateway.house.direct.require_change(["mdurand7"], actor="cli:root")
    for identifier in done.changed:
        house.gateway.house.sessions.end_person(DIRECT_ISSUER, identifier)
    for path in ("/missions", "/coordonnees"):
        assert client.get(path).location.startswith("/connexion/")
        assert client.get(path).status == 303
    assert direct(client, "mdurand7", GOOD).location == "/connexion/mot-de-passe"
    for path in ("/missions", "/", "/connexion/session", "/connexion/adresse", "/connexion/direct"):
        assert client.get(path).location.startswith("/connexion/mot-de-passe"), path
    page = client.get("/connexion/mot-de-passe")
    assert choose(client, page).status == 422
    assert choose(client, page, "une autre phrase longue").status == 303
    assert client.get("/missions").status == 200


@pytest.mark.row("HSH-05")
def test_when_passwords_are_too_many_the_login_says_when_to_come_back_and_the_rest_answers(house: TheHouse) -> None:
    signed_in = personalised(house)
    full = Limiter(1, 0)
    hasher = house.gateway.house.direct._login._hasher
    hasher.limiter = full
    with full.turn():
        for _ in range(5):
            busy = direct(house.client(), "mdurand7", GOOD)
            assert busy.status == 503
            assert int(busy.header("retry-after")) > 0
        assert house.client().get("/connexion/").status == 200
        assert house.client().get("/connexion/direct").status == 200
        assert signed_in.get("/missions").status == 200
    assert direct(house.client(), "mdurand7", GOOD).status == 303


def test_a_browser_cannot_choose_the_id_it_is_known_by(house: TheHouse) -> None:
    client = personalised(house)
    kept = client.cookies["ig-client"]
    for made_up in ("chosen-by-somebody-else", "a" * 43 + ".b", "x" * 5000, kept[:-1] + "é", ""):
        other = house.client()
        other.cookies["ig-client"] = made_up
        assert direct(other, "mdurand7", GOOD).status == 303
        assert other.cookies["ig-client"] not in (made_up, kept)
    again = house.client()
    again.cookies["ig-client"] = kept
    assert direct(again, "mdurand7", GOOD).status == 303
    assert again.cookies["ig-client"] == kept
    line = next(line for line in client.jar_log if line.startswith("ig-client="))
    assert "HttpOnly" in line
    assert "SameSite=Lax" in line


@pytest.mark.row("THR-06")
def test_an_owner_under_attack_comes_in_by_the_browser_that_used_the_link(house: TheHouse) -> None:
    personalised(house)
    for number in range(30):
        attacker = house.client(address=f"198.51.100.{number}")
        assert direct(attacker, "mdurand7", "un mauvais mot de passe").status == 403
    owner = house.client()
    assert direct(owner, "mdurand7", GOOD).status == 403
    owner.submit(owner.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
    link = next(each[0] for mail in house.mailed() if (each := re.search(r"https?://\S+jeton=\S+", mail.text)))
    page = owner.follow(owner.get(link.removeprefix(house.gateway.settings.base_url)))
    assert owner.submit(page, {"nouveau": "une autre phrase longue", "encore": "une autre phrase longue"}).status == 303
    for number in range(30):
        attacker = house.client(address=f"203.0.113.{number}")
        assert direct(attacker, "mdurand7", "un mauvais mot de passe").status == 403
    assert direct(house.client(), "mdurand7", "une autre phrase longue").status == 403
    assert direct(owner, "mdurand7", "une autre phrase longue").status == 303


def codes_in(house: TheHouse) -> dict[str, str]:
    """Return the last code each address received."""
    found: dict[str, str] = {}
    for mail in house.mailed():
        code = re.search(r"^(\d{6})\r?$", mail.text, re.MULTILINE)
        if code:
            found.setdefault(mail.to, code[1])
    return found


def test_an_address_is_changed_by_a_code_from_each_end_and_the_other_sessions_end(house: TheHouse) -> None:
    client, other = personalised(house), house.client()
    direct(other, "mdurand7", GOOD)
    assert "/connexion/adresse" in client.get("/connexion/session").text
    page = client.get("/connexion/adresse")
    assert page.title == "Changer d’adresse électronique"
    for fields, said in (
        ({"courriel": "pas une adresse", "actuel": GOOD}, "Tapez une adresse électronique"),
        ({"courriel": "marie@exemple.test", "actuel": GOOD}, "C’est déjà votre adresse"),
        ({"courriel": "marie@autre.test", "actuel": "pas le bon"}, "Le mot de passe actuel ne correspond pas"),
    ):
        refused = client.submit(page, fields)
        assert refused.status == 422
        assert said in refused.text
        assert GOOD not in refused.text
    asked = client.submit(page, {"courriel": "marie@autre.test", "actuel": GOOD})
    assert asked.location == "/connexion/adresse/codes"
    page = client.follow(asked)
    got = codes_in(house)
    wrong = client.submit(page, {"code": got["marie@autre.test"], "code-actuel": "12"})
    assert wrong.status == 422
    assert "ne correspond pas ou n’est plus valable" in wrong.text
    done = client.submit(wrong, {"code": got["marie@autre.test"], "code-actuel": got["marie@exemple.test"]})
    assert done.location == "/connexion/adresse/faite"
    page = client.follow(done)
    assert page.title == "Votre adresse électronique est changée"
    session = house.gateway.session(client.cookies)
    assert session is not None
    assert session.email == "marie@autre.test"
    assert other.get("/missions").status == 303
    assert client.get("/connexion/adresse/codes").location == "/connexion/adresse"


def test_the_pages_of_an_address_are_for_somebody_signed_in_here_and_not_by_a_letter(house: TheHouse) -> None:
    stranger = house.client()
    for page in ("adresse", "adresse/codes"):
        assert stranger.get(f"/connexion/{page}").location == "/connexion/direct"
    client = house.client()
    direct(client, "mdurand7", house.letters["mdurand7"])
    for page in ("adresse", "adresse/codes", "adresse/faite"):
        assert client.get(f"/connexion/{page}").location.startswith("/connexion/mot-de-passe")


def test_too_many_wrong_codes_begin_again(house: TheHouse) -> None:
    client = personalised(house)
    client.submit(client.get("/connexion/adresse"), {"courriel": "marie@autre.test", "actuel": GOOD})
    page = client.get("/connexion/adresse/codes")
    for _ in range(4):
        page = client.submit(page, {"code": "1", "code-actuel": "1"})
        assert page.title == "Confirmez votre adresse électronique"
    page = client.submit(page, {"code": "1", "code-actuel": "1"})
    assert (page.status, page.title) == (422, "Changer d’adresse électronique")
    assert house.codes("address_refused") == [Code.ADDRESS_CODE] * 5


@pytest.mark.row("SES-18", "DPO-04")
def test_links_that_ended_long_ago_are_forgotten(house: TheHouse) -> None:
    def kept() -> int:
        with closing(sqlite3.connect(house.gateway.settings.accounts.url.removeprefix("sqlite:///"))) as db:
            count: int = db.execute("SELECT count(*) FROM reset_tokens").fetchone()[0]
            return count

    client = house.client()
    client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
    house.mailed()
    assert kept() == 1
    house.clock.move(timedelta(hours=12))
    house.mailed()
    assert kept() == 1, "a mail on its way may still bring it"
    house.clock.move(timedelta(days=30))
    house.mailed()
    assert kept() == 0


def test_a_page_left_open_sets_the_password_of_nobody_who_came_after(house: TheHouse) -> None:
    client = house.client()
    left_open = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    # The session ends by itself, and the next person at this computer has a letter, too.
    house.gateway.house.sessions.end_person(DIRECT_ISSUER, "mdurand7")
    assert client.follow(direct(client, "pmartin2", house.letters["pmartin2"])).title == "Choisissez votre mot de passe"
    refused = choose(client, left_open)
    assert (refused.status, refused.title) == (403, "Cette page est restée ouverte trop longtemps")
    assert house.codes("request_refused")[-1] == Code.FORM_EXPIRED
    for identifier in ("mdurand7", "pmartin2"):
        account = house.gateway.house.direct.find(identifier)
        assert account is not None
        assert account.state is AccountState.PROVISIONAL
    assert not house.codes("password_chosen")


def test_a_second_click_on_the_first_password_is_not_told_that_nothing_was_recorded(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.client()
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    impatient = house.client(cookies=dict(client.cookies))
    passwords = house.gateway.house.direct.passwords
    written = passwords.choose_first

    def first_click(*arguments: Any, **more: Any) -> Any:
        # The first click is done while the second one is on its way; its answer is never seen.
        monkeypatch.undo()
        written(*arguments, **more)
        return written(*arguments, **more)

    monkeypatch.setattr(passwords, "choose_first", first_click)
    refused = choose(impatient, page)
    assert (refused.status, refused.title) == (400, "La connexion a pris trop de temps")
    assert "Rien n’a été enregistré" not in refused.text
    assert house.codes("password_refused") == [Code.ACCOUNT_STATE]
    assert direct(house.client(), "mdurand7", GOOD).location == "/"


@pytest.mark.parametrize("pasted", ["{}\u200b", "\u202a{}\u202c", "\ufeff{}", "{}\u2003", "\u202f{}\t"])
def test_an_address_that_was_pasted_is_taken_without_what_nobody_sees(house: TheHouse, pasted: str) -> None:
    client = personalised(house)
    typed = {"courriel": pasted.format("marie@autre.test"), "actuel": GOOD}
    asked = client.submit(client.get("/connexion/adresse"), typed)
    assert asked.location == "/connexion/adresse/codes"
    pending = house.gateway.house.direct.address.pending("mdurand7")
    assert pending is not None
    assert pending.address == "marie@autre.test"


@pytest.mark.parametrize("form", ["login", "first", "repeated", "current", "confirm", "address", "json"])
def test_a_flood_of_accents_in_a_password_is_never_put_in_order(
    house: TheHouse, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Unicode has them sorted, one by one: what one form can hold stopped a whole process for eleven seconds."""
    flood = "a" + "\u0300" * 10_000 + "\u0316" * 10_000
    client = house.client()
    if form == "first" or form == "repeated":
        page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
        fields = {"nouveau": GOOD if form == "repeated" else flood, "encore": flood}
    elif form in ("login", "json"):
        page, fields = client.get("/connexion/direct"), {"identifiant": "mdurand7", "motdepasse": flood}
    else:
        client = personalised(house)
        address, name = {
            "current": ("/connexion/mot-de-passe", "actuel"),
            "confirm": ("/connexion/confirmer", "motdepasse"),
            "address": ("/connexion/adresse", "actuel"),
        }[form]
        house.clock.move(120)
        page = client.get(address)
        fields = {name: flood, "nouveau": GOOD + " !", "encore": GOOD + " !", "courriel": "m@exemple.test"}
    normalize, sorted_at_once = unicodedata.normalize, [0]

    def seen(how: Any, text: str) -> str:
        sorted_at_once.append(len(text))
        return normalize(how, text)

    monkeypatch.setattr(unicodedata, "normalize", seen)
    if form == "json":
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        body = json.dumps({**fields, "formulaire": page.field("formulaire")}, ensure_ascii=False).encode()
        assert client.request("POST", "/connexion/direct", raw=body, headers=headers).status == 403
    else:
        assert client.submit(page, fields).status in (403, 422)
    assert max(sorted_at_once) <= 4096
    assert len(sorted_at_once) > 1
