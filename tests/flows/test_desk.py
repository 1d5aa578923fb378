"""The pages of the help desk: who gets in, what they see, what they do once, and what everybody is told."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagin_gateway.errors import SettingsError
from imagin_gateway.flows.desk_offers import offers
from imagin_gateway.flows.helping import By, Helping
from imagin_gateway.flows.telling import Telling, keys_asked
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.local.history import Happened
from imagin_gateway.local.lifecycle import TransitionRefused
from imagin_gateway.pages.templating import DESK_ACTS
from imagin_gateway.pages.texts import Catalogue, languages
from tests.client import Client, Reply
from tests.flows import test_second_factor as second_factor
from tests.flows.conftest import TheHouse, direct, open_house, settings_of, sign_in
from tests.local.helper import GOOD as GOOD_SECRET
from tests.state.servers import PrivateRedis

GOOD = GOOD_SECRET.reveal()
DESK = "/connexion/assistance"

RULES = """
[[assistance]]
id = "bureau"
doors = ["arena-paris"]
needs = { subject = { among = ["aideuse"] } }

[[assistance]]
id = "dec2"
doors = ["arena-paris"]
needs = { subject = { among = ["dec2"] } }
offices = ["DEC 2 - BTS"]

[[assistance]]
id = "direct"
doors = ["direct"]
needs = { subject = { among = ["pmartin2"] } }
"""

PEOPLE = """\
Identifiant;Nom;Prénom;Courriel;Qualité;Service gestionnaire
mdurand7;DURAND;Marie;marie@exemple.test;formateur en CFA;DEC 4 - concours
pmartin2;MARTIN;Paul;paul@exemple.test;surveillant;DEC 2 - BTS
sansmail;ROUX;Zoé;;surveillant;DEC 2 - BTS
"""


def open_desk(kind: str, folder: Path, **changes: Any) -> TheHouse:
    """Open a house whose help desk is open."""
    rules = folder / "admission.toml"
    rules.write_text(changes.pop("rules", RULES), encoding="utf-8")
    changes = {"admission": rules, "desk": {"enabled": True, **changes.pop("desk", {})}, **changes}
    house = open_house(kind, folder, **changes)
    listing = folder / "people.csv"
    listing.write_text(PEOPLE, encoding="utf-8")
    house.gateway.house.direct.lists.import_list(listing)
    if "arena-paris" in house.portals:
        house.portals["arena-paris"].amr = ("pwd", "mfa")
    return house


@pytest.fixture(params=["wsgi-sqlite", "asgi-sqlite", "wsgi-redis", "asgi-redis"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TheHouse]:
    """A house whose help desk is open, under each mount, on each store."""
    kind, _, engine = request.param.partition("-")
    changes: dict[str, Any] = {}
    if engine == "redis":
        server: PrivateRedis = request.getfixturevalue("redis_server")
        with server.client() as client:
            client.flushall()
        changes["state"] = {"url": server.url}
    opened = open_desk(kind, tmp_path, **changes)
    yield opened
    opened.gateway.close()


@pytest.fixture
def one_desk(tmp_path: Path) -> Iterator[Callable[..., TheHouse]]:
    """Open help desks with other settings; closed at the end."""
    opened: list[TheHouse] = []

    def make(**changes: Any) -> TheHouse:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(open_desk(changes.pop("kind", "wsgi"), folder, **changes))
        return opened[-1]

    yield make
    for each in opened:
        each.gateway.close()


def helper(house: TheHouse, who: str = "aideuse") -> Client:
    client = house.client()
    sign_in(house, client, who, "arena-paris")
    return client


def search(client: Client, text: str) -> Reply:
    return client.submit(client.get(DESK), {"cherche": text})


def open_account(client: Client, identifier: str) -> Reply:
    """Search an account, and open the first one found."""
    found = search(client, identifier)
    (href, *_) = found.tree.xpath("//main//a[contains(@href, '/assistance/compte')]/@href")
    return client.get(str(href))


def act_link(page: Reply, act: str) -> str:
    found = page.tree.xpath("//a[contains(@href, $act)]/@href", act=f"acte={act}")
    assert found, f"{act} is not offered on {page.title!r}"
    return str(found[0])


def offered(page: Reply) -> set[str]:
    return set(re.findall(r"acte=([a-z]+)", page.text))


def do(client: Client, identifier: str, act: str) -> Reply:
    """Open an account, choose an act, and confirm it."""
    asked = client.get(act_link(open_account(client, identifier), act))
    assert asked.status == 200
    return client.submit(asked, {})


def personalised(house: TheHouse, who: str = "mdurand7") -> Client:
    client = house.client()
    page = client.follow(direct(client, who, house.letters[who]))
    client.submit(page, {"nouveau": GOOD, "encore": GOOD})
    return client


def told(house: TheHouse, event: str) -> list[dict[str, Any]]:
    return [each for each in house.events if each["event"] == event]


def pseudonym(house: TheHouse, *person: str) -> str:
    issuer, subject = person if len(person) == 2 else (DIRECT_ISSUER, person[0])
    return house.gateway.house.events.pseudonym((issuer, subject))


def state_of(house: TheHouse, identifier: str) -> tuple[str, int]:
    account = house.gateway.house.direct.find(identifier)
    assert account is not None
    return account.state.value, account.version


# -- who gets in -------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/compte?dossier=x", "/acte?dossier=x&acte=unlock"])
def test_the_pages_do_not_exist_unless_the_settings_open_them(make_house: Callable[..., TheHouse], path: str) -> None:
    house = make_house()
    client = house.client()
    sign_in(house, client, "aideuse", "arena-paris")
    assert client.get(DESK + path).status == 404
    assert house.gateway.settings.desk.enabled is False


def test_they_cannot_be_opened_with_nobody_named_or_without_a_second_factor(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="personne n'est désigné"):
        settings_of(tmp_path, desk={"enabled": True})
    with pytest.raises(SettingsError, match="second contrôle"):
        settings_of(tmp_path, admission=tmp_path / "a.toml", desk={"enabled": True, "strength": []})


def test_somebody_whom_no_rule_names_is_refused_with_a_code_and_an_event(desk: TheHouse) -> None:
    client = helper(desk, "curieux")
    for path in (DESK, DESK + "/compte?dossier=x", DESK + "/acte?dossier=x&acte=unlock"):
        reply = client.get(path)
        assert (reply.status, reply.title) == (403, "Cette page est réservée à l’assistance")
    refusals = told(desk, "desk_refused")
    assert {each["code"] for each in refusals} == {"desk.not_allowed"}
    who = pseudonym(desk, desk.portals["arena-paris"].issuer, "curieux")
    assert {each["actor"] for each in refusals} == {f"desk:{who}"}
    # The same identifier behind another door is another person.
    other = desk.client()
    sign_in(desk, other, "aideuse", "arena-creteil")
    assert other.get(DESK).status == 403


def test_nobody_is_sent_to_sign_in_and_a_weak_or_old_login_to_prove_more(desk: TheHouse) -> None:
    assert desk.client().get(DESK).location == "/connexion/?next=%2Fconnexion%2Fassistance"
    client = helper(desk)
    assert client.get(DESK).title == "Assistance"
    for _ in range(2):
        desk.clock.move(timedelta(minutes=16))
        assert client.get("/missions").status == 200
    found = client.get(DESK)
    assert found.status == 303
    assert found.location == "/connexion/confirmer?next=%2Fconnexion%2Fassistance"
    desk.portals["arena-paris"].amr = ("pwd",)
    weak = helper(desk)
    assert weak.get(DESK).location.startswith("/connexion/confirmer")
    # Nothing posted without it is done, either.
    assert weak.post(DESK, {"cherche": "durand"}).status in (303, 403)
    assert told(desk, "accounts_searched") == []


def test_a_helper_of_the_direct_door_without_a_second_factor_is_told_so_and_does_not_go_round(
    one_desk: Callable[..., TheHouse],
) -> None:
    house = one_desk()
    client = personalised(house, "pmartin2")
    asked = client.get(DESK)
    assert asked.location == "/connexion/confirmer?next=%2Fconnexion%2Fassistance"
    assert client.get(asked.location).status == 403
    assert house.codes("request_refused") == ["factor.due"]
    assert told(house, "accounts_searched") == []


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_helper_of_the_direct_door_comes_in_by_both_proofs_and_again_when_they_are_old(
    one_desk: Callable[..., TheHouse], kind: str
) -> None:
    house = one_desk(kind=kind)
    secret, _ = second_factor.add_application(house, personalised(house, "pmartin2"))
    house.gateway.house.sessions.end_person(DIRECT_ISSUER, "pmartin2")
    client = house.client()
    step = client.follow(direct(client, "pmartin2", GOOD))
    assert step.title == second_factor.STEP
    assert client.get(DESK).location.startswith("/connexion/?"), "a password alone opens no session"
    client.follow(client.submit(step, {"code": second_factor.code(house, secret)}))
    assert client.get(DESK).status == 200
    assert "DURAND" in search(client, "durand").text
    house.clock.move(timedelta(minutes=29))
    assert client.get(DESK).status == 200
    house.clock.move(timedelta(minutes=2))
    asked = client.get(DESK)
    assert asked.location == "/connexion/confirmer?next=%2Fconnexion%2Fassistance"
    confirm = client.get(asked.location)
    step = client.follow(client.submit(confirm, {"motdepasse": GOOD}))
    assert step.title == second_factor.STEP
    assert client.get(DESK).location.startswith("/connexion/confirmer"), "a password alone is no second proof"
    done = client.follow(client.submit(step, {"code": second_factor.code(house, secret)}))
    assert done.status == 200
    assert client.get(DESK).status == 200


# -- looking -----------------------------------------------------------------


@pytest.mark.row("LOG-06")
def test_an_account_is_found_and_its_state_and_events_are_said_in_plain_french(desk: TheHouse) -> None:
    personalised(desk)
    client = helper(desk)
    found = search(client, "duran")
    assert "Marie DURAND" in found.text
    assert "mot de passe personnalisé" in found.text
    assert "MARTIN" not in found.text
    page = open_account(client, "Marie Durand")
    assert page.title == "Dossier de mdurand7"
    assert "marie@exemple.test" in page.text
    assert "Premier mot de passe choisi." in page.text
    assert "Connexion réussie." in page.text
    again = open_account(client, "mdurand7")
    assert "Dossier consulté." in again.text
    assert "par l’assistance" in again.text
    who = f"desk:{pseudonym(desk, desk.portals['arena-paris'].issuer, 'aideuse')}"
    for event in (*told(desk, "accounts_searched"), *told(desk, "account_shown")):
        assert event["actor"] == who
    assert told(desk, "account_shown")[0]["person"] == pseudonym(desk, "mdurand7")
    assert "duran" not in json.dumps(told(desk, "accounts_searched")).lower()
    for reply in (found, page):
        assert reply.header("cache-control") == "no-store"
        assert "mdurand7" not in " ".join(str(href) for href in reply.tree.xpath("//a/@href"))


def test_a_search_that_says_too_little_or_finds_nobody_says_so(desk: TheHouse) -> None:
    client = helper(desk)
    short = search(client, "du")
    assert short.status == 422
    assert "au moins trois lettres" in short.text
    assert "Aucun compte ne correspond" in search(client, "personne-ici").text
    assert len(told(desk, "accounts_searched")) == 1, "a search that is refused searches nothing"


def test_searching_and_looking_are_bounded_and_told(one_desk: Callable[..., TheHouse]) -> None:
    house = one_desk(desk={"searches_per_hour": 3})
    client = helper(house)
    page = client.get(DESK)
    for _ in range(3):
        assert search(client, "durand").status == 200
    refused = client.submit(page, {"cherche": "martin"})
    assert (refused.status, refused.title) == (429, "Vous avez fait beaucoup de recherches")
    assert "desk.too_many_searches" in house.codes("desk_refused")
    # Another session of the same helper is the same helper; an hour later, they go on.
    assert search(helper(house), "martin").status == 429
    house.clock.move(timedelta(minutes=61))
    assert search(helper(house), "martin").status == 200


def test_looking_at_accounts_is_bounded_too(one_desk: Callable[..., TheHouse]) -> None:
    house = one_desk(desk={"searches_per_hour": 2})
    client = helper(house)
    found = search(client, "mdurand7").tree.xpath("//a[contains(@href, '/compte')]/@href")[0]
    assert [client.get(str(found)).status for _ in range(3)] == [200, 200, 429]


def test_a_helper_of_one_office_sees_the_people_of_that_office_alone(desk: TheHouse) -> None:
    client = helper(desk, "dec2")
    assert "DEC 2 - BTS" in client.get(DESK).text
    assert "Paul MARTIN" in search(client, "martin").text
    for text in ("durand", "mdurand7", "marie@exemple.test"):
        assert "Aucun compte ne correspond" in search(client, text).text
    whole = helper(desk)
    theirs = search(whole, "mdurand7").tree.xpath("//a[contains(@href, '/compte')]/@href")[0]
    assert client.get(str(theirs)).status == 404, "a reference given to another helper is worth nothing"
    assert "desk.account_unknown" in desk.codes("desk_refused")


@pytest.mark.parametrize("told_", ["", "x", "0:1", "a" * 500])
def test_a_reference_that_was_not_given_opens_nothing(one_desk: Callable[..., TheHouse], told_: str) -> None:
    house = one_desk()
    client = helper(house)
    assert client.get(f"{DESK}/compte?dossier={told_}").status == 404
    assert house.codes("desk_refused") == ["desk.account_unknown"]
    assert told(house, "account_shown") == []


@pytest.mark.parametrize("language", languages())
def test_every_state_and_event_is_said_in_every_language(language: str) -> None:
    texts = Catalogue.load(language)
    assert [key for key in keys_asked() if key not in texts] == []
    strange = Happened(datetime(2026, 12, 14, tzinfo=UTC), "of_another_release", "", "")
    assert "of_another_release" in Telling(texts).event(strange)


def test_the_pages_speak_english_and_the_switch_keeps_the_account(one_desk: Callable[..., TheHouse]) -> None:
    house = one_desk()
    client = helper(house)
    page = open_account(client, "mdurand7")
    (switch,) = page.tree.xpath("//a[@hreflang='en']/@href")
    english = client.get(f"{DESK}/compte{switch}")
    assert english.title == "File of mdurand7"
    assert "provisional password, never personalised" in english.text
    asked = client.get(act_link(english, "reissue"))
    assert asked.title == "Issue a new provisional password?"
    reply = client.submit(asked, {})
    assert reply.title == "New provisional password"
    assert reply.tree.xpath("//a[@hreflang]") == [], "nothing on the page would lose what it shows once"
    assert client.submit(asked, {}).title == "This page was used already"


# -- acting ------------------------------------------------------------------


@pytest.mark.row("PRV-07")
def test_a_letter_is_issued_again_and_its_password_is_shown_once(desk: TheHouse) -> None:
    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "reissue"))
    reply = client.submit(asked, {})
    assert reply.status == 200
    assert reply.header("cache-control") == "no-store"
    (shown,) = reply.tree.xpath("//dd/span[@class='ig-code']/text()")
    assert re.fullmatch(r"[2-9A-Z]{5} [2-9A-Z]{5} [2-9A-Z]{5}", str(shown))
    # Reloading the page sends the form again: refused, and nothing is issued.
    before = state_of(desk, "mdurand7")
    again = client.submit(asked, {})
    assert (again.status, again.title) == (409, "Cette page a déjà servi")
    assert str(shown) not in again.text
    assert state_of(desk, "mdurand7") == before
    assert "desk.already_done" in desk.codes("desk_refused")
    # The former one died, the new one opens the page where a password is chosen.
    assert direct(desk.client(), "mdurand7", desk.letters["mdurand7"]).status == 403
    assert direct(desk.client(), "mdurand7", str(shown)).location == "/connexion/mot-de-passe"
    (event,) = told(desk, "provisional_issued")
    assert event["actor"] == f"desk:{pseudonym(desk, desk.portals['arena-paris'].issuer, 'aideuse')}"
    assert event["person"] == pseudonym(desk, "mdurand7")
    (mail,) = [each for each in desk.mailed() if "provisoire" in each.subject]
    assert mail.to == "marie@exemple.test"
    everywhere = "".join(desk.lines) + mail.text + open_account(client, "mdurand7").text
    assert str(shown) not in everywhere
    assert str(shown).replace(" ", "") not in everywhere


def test_a_lost_password_is_replaced_by_a_provisional_one_and_sessions_end(desk: TheHouse) -> None:
    owner = personalised(desk)
    assert owner.get("/missions").status == 200
    client = helper(desk)
    page = open_account(client, "mdurand7")
    assert "reissue" not in offered(page), "a chosen password is not taken for a letter that was lost"
    reply = do(client, "mdurand7", "replace")
    (shown,) = reply.tree.xpath("//dd/span[@class='ig-code']/text()")
    assert owner.get("/missions").status == 303
    assert direct(desk.client(), "mdurand7", GOOD).status == 403
    assert direct(desk.client(), "mdurand7", str(shown)).location == "/connexion/mot-de-passe"


def test_a_locked_account_is_unlocked_and_another_password_is_asked_for(
    one_desk: Callable[..., TheHouse],
) -> None:
    house = one_desk(passwords={"profile": "unsafe-tests", "attempts": "lock", "lock_after": 3})
    personalised(house)
    for _ in range(3):
        assert direct(house.client(), "mdurand7", "faux").status == 403
    assert state_of(house, "mdurand7")[0] == "locked"
    client = helper(house)
    page = open_account(client, "mdurand7")
    assert "bloqué" in page.text
    assert "Compte bloqué après trop d’essais." in page.text
    reply = client.follow(do(client, "mdurand7", "unlock"))
    assert "Le compte est débloqué." in reply.text
    assert "Compte débloqué." in reply.text
    assert state_of(house, "mdurand7")[0] == "change_required"
    assert direct(house.client(), "mdurand7", GOOD).location == "/connexion/mot-de-passe"
    assert any("débloqué" in mail.subject for mail in house.mailed())


def test_failures_that_make_an_account_wait_are_shown_and_forgotten(desk: TheHouse) -> None:
    personalised(desk)
    for _ in range(5):
        direct(desk.client(), "mdurand7", "faux")
    client = helper(desk)
    page = open_account(client, "mdurand7")
    assert "le compte doit attendre" in page.text
    assert direct(desk.client(), "mdurand7", GOOD).status == 403
    do(client, "mdurand7", "unlock")
    assert direct(desk.client(), "mdurand7", GOOD).status == 303
    assert "unlock" not in offered(open_account(client, "mdurand7"))


def test_an_account_is_closed_opened_and_its_owner_told_each_time(desk: TheHouse) -> None:
    owner = personalised(desk)
    client = helper(desk)
    reply = client.follow(do(client, "mdurand7", "disable"))
    assert "Le compte est désactivé." in reply.text
    assert owner.get("/missions").status == 303
    assert offered(reply) == {"enable"}
    assert "Le compte est rouvert." in client.follow(do(client, "mdurand7", "enable")).text
    subjects = [mail.subject for mail in desk.mailed()]
    assert "Votre accès direct est fermé – Your direct access is closed" in subjects
    assert "Votre accès direct est rouvert – Your direct access is open again" in subjects
    assert [each["actor"][:5] for each in told(desk, "account_disabled")] == ["desk:"]
    assert [each["actor"][:5] for each in told(desk, "account_enabled")] == ["desk:"]


def test_no_link_is_offered_nor_sent_to_who_must_enter_by_a_portal(
    one_desk: Callable[..., TheHouse], tmp_path: Path
) -> None:
    accounts = {"url": f"sqlite:///{tmp_path}/reserved.db", "portal_domains": ["exemple.test"]}
    desk = one_desk(accounts=accounts)
    page = open_account(helper(desk), "mdurand7")
    assert "on entre par un portail" in page.text
    assert "link" not in offered(page)
    house = desk.gateway.house
    assert not Helping(house.direct, house.sessions, house.events, By(actor="cli:root")).send_link("mdurand7")
    assert told(desk, "link_ordered") == []


def test_a_link_is_mailed_and_another_password_demanded(desk: TheHouse) -> None:
    owner = personalised(desk)
    client = helper(desk)
    assert "le courriel part" in client.follow(do(client, "mdurand7", "link")).text
    assert any("Choisir un nouveau mot de passe" in mail.subject for mail in desk.mailed())
    assert "Un autre mot de passe sera demandé." in client.follow(do(client, "mdurand7", "change")).text
    assert owner.get("/missions").status == 303
    assert state_of(desk, "mdurand7")[0] == "change_required"
    assert any("autre mot de passe" in mail.subject for mail in desk.mailed())
    assert "link" not in offered(open_account(client, "sansmail"))


def hold_factors(house: TheHouse, identifier: str = "mdurand7") -> None:
    """Give an account an application, a passkey and two recovery codes, as if its owner had added them."""
    with closing(sqlite3.connect(house.gateway.settings.accounts.url.removeprefix("sqlite:///"))) as db, db:
        (row,) = db.execute("SELECT id FROM accounts WHERE identifier = ?", (identifier,)).fetchone()
        db.execute("INSERT INTO totp_factors (account_id, secret, step, added_at) VALUES (?, 'sealed', 0, 0)", (row,))
        passkey = "INSERT INTO passkeys (account_id, credential_id, public_key, sign_count, name, added_at)"
        db.execute(passkey + " VALUES (?, 'AAAA', 'BBBB', 0, 'clé', 0)", (row,))
        for mac in ("one", "two"):
            db.execute("INSERT INTO recovery_codes (account_id, mac) VALUES (?, ?)", (row, mac))


def test_lost_factors_are_taken_away_with_a_trace_and_sessions_end(desk: TheHouse) -> None:
    owner = personalised(desk)
    client = helper(desk)
    assert "factors" not in offered(open_account(client, "mdurand7"))
    hold_factors(desk)
    page = open_account(client, "mdurand7")
    assert "application de codes, 1 clé d’accès, 2 codes de secours" in page.text
    assert "sealed" not in page.text
    reply = client.follow(do(client, "mdurand7", "factors"))
    assert "Les seconds facteurs sont retirés." in reply.text
    assert "Tous les seconds facteurs retirés." in reply.text
    assert owner.get("/missions").status == 303
    held = desk.gateway.house.direct.factors.of("mdurand7")
    assert (held.any, held.recovery_left) == (False, 0)
    (event,) = told(desk, "factors_cleared")
    assert event["actor"] == f"desk:{pseudonym(desk, desk.portals['arena-paris'].issuer, 'aideuse')}"
    assert event["address"]
    assert any("seconds facteurs" in mail.subject for mail in desk.mailed())


def test_factors_of_an_account_that_changed_meanwhile_stay(desk: TheHouse) -> None:
    personalised(desk)
    hold_factors(desk)
    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "factors"))
    desk.gateway.house.direct.desk.require_change("mdurand7", actor="test")
    assert client.submit(asked, {}).status == 409
    assert desk.gateway.house.direct.factors.of("mdurand7").any
    assert told(desk, "factors_cleared") == []


# -- what is refused ---------------------------------------------------------


def test_nobody_acts_on_their_own_account(desk: TheHouse) -> None:
    helping = helper(desk)
    mine = "pmartin2"
    # By the link of an account to who they are elsewhere...
    rooms = desk.gateway.house
    personalised(desk, mine)
    rooms.direct.links.make(mine, desk.portals["arena-paris"].issuer, "aideuse")
    page = open_account(helping, mine)
    assert "votre propre compte" in page.text
    assert offered(page) == set()
    reference = re.search(r"dossier=([^&\"]+)", str(search(helping, mine).text))
    assert reference is not None
    reply = helping.get(f"{DESK}/acte?dossier={reference[1]}&acte=disable")
    assert (reply.status, reply.title) == (403, "Cette action n’est pas possible")
    (refusal,) = told(desk, "desk_refused")
    assert refusal["code"] == "desk.own_account"
    assert refusal["person"] == pseudonym(desk, mine)
    assert state_of(desk, mine)[0] == "active"


def test_a_helper_of_the_direct_door_does_not_help_themselves(one_desk: Callable[..., TheHouse]) -> None:
    # The strength a password reaches is enough here, so that the rule alone decides.
    house = one_desk(desk={"strength": ["pwd"]})
    client = personalised(house, "pmartin2")
    assert client.get(DESK).title == "Assistance"
    assert offered(open_account(client, "pmartin2")) == set()
    assert "disable" in offered(open_account(client, "mdurand7"))


def test_nobody_takes_over_the_account_of_somebody_who_helps_more_people(one_desk: Callable[..., TheHouse]) -> None:
    house = one_desk(desk={"strength": ["pwd"]})
    # pmartin2, of the office DEC 2, helps everybody by the direct door: whoever held the account would, too.
    wide, narrow = helper(house), helper(house, "dec2")
    page = open_account(narrow, "pmartin2")
    assert offered(page) == {"link", "disable"}
    assert "aide des personnes d’autres services que les vôtres" in page.text
    reply = narrow.get(act_link(page, "disable").replace("disable", "reissue"))
    assert "/assistance/compte" in reply.location
    assert "reissue" in offered(open_account(wide, "pmartin2"))
    assert "reissue" in offered(open_account(narrow, "sansmail"))

    personalised(house, "pmartin2")
    hold_factors(house, "pmartin2")
    page = open_account(narrow, "pmartin2")
    assert not {"replace", "factors"} & offered(page)
    assert {"link", "change", "disable"} <= offered(page)
    assert {"replace", "factors"} <= offered(open_account(wide, "pmartin2"))


def test_who_helps_the_same_offices_is_helped_as_anybody(one_desk: Callable[..., TheHouse]) -> None:
    house = one_desk(rules=RULES + 'offices = ["dec 2 - bts"]\n', desk={"strength": ["pwd"]})
    page = open_account(helper(house, "dec2"), "pmartin2")
    assert "reissue" in offered(page)
    assert "services que les vôtres" not in page.text


def test_a_page_that_asked_before_somebody_helped_more_people_does_nothing(one_desk: Callable[..., TheHouse]) -> None:
    rules = RULES.replace('subject = { among = ["pmartin2"] }', 'email = { domain = "large.test" }')
    house = one_desk(rules=rules, desk={"strength": ["pwd"]})
    client = helper(house, "dec2")
    asked = client.get(act_link(open_account(client, "pmartin2"), "reissue"))
    assert asked.status == 200
    with closing(sqlite3.connect(house.gateway.settings.accounts.url.removeprefix("sqlite:///"))) as db, db:
        db.execute("UPDATE accounts SET email = 'paul@large.test' WHERE identifier = 'pmartin2'")
    reply = client.submit(asked, {})
    assert (reply.status, reply.title) == (409, "Le compte a changé entre-temps")
    assert not told(house, "provisional_issued")


def test_a_ticket_kept_before_a_link_was_made_does_not_act_on_the_helper(desk: TheHouse) -> None:
    client = helper(desk)
    personalised(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "disable"))
    desk.gateway.house.direct.links.make("mdurand7", desk.portals["arena-paris"].issuer, "aideuse")
    assert client.submit(asked, {}).status == 403
    assert state_of(desk, "mdurand7")[0] == "active"
    assert "desk.own_account" in desk.codes("desk_refused")


@pytest.mark.parametrize("act", ["reissue", "disable"])
def test_an_account_that_changed_meanwhile_is_left_as_it_is(desk: TheHouse, act: str) -> None:
    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), act))
    personalised(desk)
    before = state_of(desk, "mdurand7")
    reply = client.submit(asked, {})
    assert (reply.status, reply.title) == (409, "Le compte a changé entre-temps")
    assert state_of(desk, "mdurand7") == before
    (refusal,) = told(desk, "desk_refused")
    assert (refusal["code"], refusal["person"]) == ("desk.account_changed", pseudonym(desk, "mdurand7"))
    assert direct(desk.client(), "mdurand7", GOOD).status == 303


def test_an_account_that_was_erased_meanwhile_is_unknown(desk: TheHouse) -> None:
    client = helper(desk)
    page = open_account(client, "mdurand7")
    asked = client.get(act_link(page, "disable"))
    desk.gateway.house.direct.personal.erase("mdurand7")
    assert client.submit(asked, {}).status == 404
    assert client.get(act_link(page, "disable")).status == 404
    assert set(desk.codes("desk_refused")) == {"desk.account_unknown"}


def test_an_act_is_done_once_whoever_sends_it_again(desk: TheHouse) -> None:
    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "disable"))
    assert client.submit(asked, {}).status == 303
    before = state_of(desk, "mdurand7")
    assert client.submit(asked, {}).status == 409
    assert state_of(desk, "mdurand7") == before
    assert len(told(desk, "account_disabled")) == 1


def test_a_ticket_of_another_helper_or_too_old_does_nothing(desk: TheHouse) -> None:
    client, other = helper(desk), helper(desk, "dec2")
    asked = client.get(act_link(open_account(client, "pmartin2"), "disable"))
    theirs = other.get(act_link(open_account(other, "pmartin2"), "disable"))
    stolen = {"action": asked.field("action")}
    assert other.submit(theirs, stolen).status == 403, "a form is about its own ticket"
    forged = {"action": "nothing", "formulaire": asked.field("formulaire")}
    assert client.submit(asked, forged).status == 403
    desk.clock.move(timedelta(minutes=11))
    assert client.submit(asked, {}).status == 409
    assert state_of(desk, "pmartin2")[0] == "provisional"


def test_a_form_from_elsewhere_searches_and_does_nothing(desk: TheHouse) -> None:
    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "disable"))
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://ailleurs.example"}):
        assert client.submit(asked, {}, headers=headers).status == 403
        assert client.submit(client.get(DESK), {"cherche": "durand"}, headers=headers).status == 403
    assert state_of(desk, "mdurand7")[0] == "provisional"


def test_an_act_that_is_not_possible_is_not_asked_about(desk: TheHouse) -> None:
    client = helper(desk)
    page = open_account(client, "mdurand7")
    for act in ("enable", "replace", "unlock", "erase", ""):
        href = act_link(page, "disable").replace("acte=disable", f"acte={act}")
        assert client.get(href).location.startswith(f"{DESK}/compte?dossier=")
    assert state_of(desk, "mdurand7")[0] == "provisional"


@pytest.mark.fault
def test_with_the_store_of_sessions_down_nothing_is_changed(desk: TheHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagin_gateway.errors import Unavailable

    client = helper(desk)
    asked = client.get(act_link(open_account(client, "mdurand7"), "disable"))

    def down() -> None:
        raise Unavailable("down")

    monkeypatch.setattr(desk.gateway.house.state, "ping", down)
    assert client.submit(asked, {}).status == 503
    assert state_of(desk, "mdurand7")[0] == "provisional"


STATES = [
    ("provisional", False, True),
    ("provisional", False, False),
    ("active", True, False),
    ("change_required", True, False),
    ("locked", True, False),
    ("locked", False, True),
    ("disabled", True, False),
    ("disabled", False, False),
    ("expired", False, False),
]
"""Every state, with a password or without, and with a letter that works or without."""


@pytest.mark.parametrize(("state", "password", "letter"), STATES)
def test_what_is_offered_can_be_done_and_nothing_else(
    one_desk: Callable[..., TheHouse], state: str, password: bool, letter: bool
) -> None:
    house = one_desk()
    rooms = house.gateway.house
    helping = Helping(rooms.direct, rooms.sessions, rooms.events, By(actor="test"))
    acts: dict[str, Callable[[], object]] = {
        "link": lambda: helping.send_link("mdurand7"),
        "reissue": lambda: helping.reissue("mdurand7"),
        "unlock": lambda: helping.unlock("mdurand7"),
        "replace": lambda: helping.reissue("mdurand7", replace=True) if password else None,
        "change": lambda: helping.require_change("mdurand7"),
        "disable": lambda: helping.disable("mdurand7"),
        "enable": lambda: helping.enable("mdurand7"),
    }
    assert {*acts, "factors"} == set(DESK_ACTS)
    ends = int((house.clock.now() + timedelta(days=9)).timestamp() * 1e6)
    values = {
        "state": state,
        "password_hash": "x" if password else None,
        "provisional_mac": "x" if letter else None,
        "provisional_ends_at": ends if letter else None,
    }
    possible = set()
    for act, do_it in acts.items():
        with closing(sqlite3.connect(rooms.settings.accounts.url.removeprefix("sqlite:///"))) as db, db:
            db.execute(
                "UPDATE accounts SET state = :state, password_hash = :password_hash, provisional_key = NULL,"
                " provisional_mac = :provisional_mac, provisional_ends_at = :provisional_ends_at"
                " WHERE identifier = 'mdurand7'",
                values,
            )
        dossier = rooms.direct.desk.dossier_of("mdurand7")
        assert dossier is not None
        offered_now = set(offers(dossier, rooms.direct.factors.of("mdurand7")))
        try:
            done = bool(do_it())
        except TransitionRefused:
            done = False
        if done:
            possible.add(act)
        assert (act in offered_now) is done, act
    assert possible, "there is always something to do"
