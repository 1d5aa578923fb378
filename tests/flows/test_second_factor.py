"""The second factor, from end to end: adding, using, replacing, removing, losing; nothing shortens it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from imagin_gateway.errors import Code
from imagin_gateway.flows.lost_factor import clear_factors
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.sessions.session import Session
from tests.authenticator import Device
from tests.client import HOST, Client, Reply
from tests.flows.conftest import TheHouse, direct
from tests.flows.test_direct_journeys import GOOD, choose, personalised

TOTP_PAGE = "/connexion/securite/application"
STEP = "Confirmez avec votre second facteur"


def secret_of(page: Reply) -> str:
    return str(page.tree.xpath("//code[@class='ig-code']")[0].text_content()).replace(" ", "")


def code(house: TheHouse, secret: str, off: float = 0) -> str:
    return pyotp.TOTP(secret).at(house.clock.now() + timedelta(seconds=off))


def add_application(house: TheHouse, client: Client) -> tuple[str, list[str]]:
    """Add an application as a person does; return its secret and the recovery codes."""
    page = client.follow(client.get(TOTP_PAGE))
    assert page.title == "Relier une application de codes"
    secret = secret_of(page)
    done = client.submit(page, {"code": code(house, secret)})
    assert done.status == 200, done.text
    assert done.title == "Vos codes de secours"
    house.clock.move(60)
    return secret, [each.text_content() for each in done.tree.xpath("//ol//code")]


def device_of(house: TheHouse) -> Device:
    return Device(house.gateway.settings.base_url, HOST.partition(":")[0])


def options(page: Reply) -> Any:
    return json.loads(page.tree.xpath("//form/@data-passkey")[0])


def send_passkey(client: Client, page: Reply, answer: str) -> Reply:
    form = page.tree.xpath("//form[@data-passkey]")[0]
    values = {
        each.get("name"): each.get("value") or "" for each in form.xpath(".//input[@name][not(@type='checkbox')]")
    }
    return client.post(form.get("action"), {**values, "code": answer})


def add_passkey(house: TheHouse, client: Client, device: Device | None = None) -> Device:
    device = device or device_of(house)
    page = client.follow(client.get("/connexion/securite/cle"))
    done = send_passkey(client, page, device.make(options(page)))
    assert done.status in (200, 303), done.text
    return device


def session(house: TheHouse, identifier: str = "mdurand7") -> Session:
    (found,) = house.gateway.house.sessions.list_person(DIRECT_ISSUER, identifier)
    return found


def sessions(house: TheHouse, identifier: str = "mdurand7") -> int:
    return len(house.gateway.house.sessions.list_person(DIRECT_ISSUER, identifier))


def log_out(house: TheHouse) -> Client:
    """Return a new browser, everybody signed out."""
    house.gateway.house.sessions.end_person(DIRECT_ISSUER, "mdurand7")
    return house.client()


def step(house: TheHouse, client: Client, next_page: str = "", identifier: str = "mdurand7") -> Reply:
    """Prove the password, and return the page of the second step."""
    reply = direct(client, identifier, GOOD, next_page)
    assert reply.location == "/connexion/etape"
    return client.follow(reply)


def told(reply: Reply) -> str:
    return " ".join(reply.tree.xpath("//*[@role='alert']//li")[0].text_content().replace("\u00a0", " ").split())


@pytest.mark.row("PWD-14")
def test_the_second_step_comes_before_any_session(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    page = step(house, client, "/missions/3")
    assert page.title == "Confirmez avec votre second facteur"
    assert "ig-session" not in client.cookies
    assert sessions(house) == 0
    assert client.get("/missions").status == 303
    done = client.submit(page, {"code": code(house, secret)})
    assert done.location == "/missions/3"
    assert client.follow(done).text == "direct|mdurand7|Marie DURAND"
    assert session(house).amr == ("pwd", "otp", "mfa")
    assert session(house).acr == "https://refeds.org/profile/mfa"
    (login,) = [each for each in house.events if each["event"] == "login"][-1:]
    assert login["strength"] == "https://refeds.org/profile/mfa"
    assert house.codes("second_step_asked") == [""]


def test_without_a_factor_the_login_is_as_before(house: TheHouse) -> None:
    client = personalised(house)
    assert session(house).amr == ("pwd",)
    assert session(house).acr is None
    assert direct(log_out(house), "mdurand7", GOOD).location == "/"
    assert client.get("/missions").status == 303


def test_a_field_left_empty_is_told_so_and_is_no_try(house: TheHouse) -> None:
    client = personalised(house)
    adding = client.follow(client.get("/connexion/securite/application"))
    for _ in range(6):
        empty = client.submit(adding, {"code": " "})
        assert (empty.status, told(empty)) == (422, "Tapez le code.")
    assert house.codes("factor_refused") == []
    _, codes = add_application(house, client)
    client = log_out(house)
    page = step(house, client)
    for _ in range(6):
        page = client.submit(page, {"code": ""})
        assert (page.status, told(page)) == (422, "Tapez le code.")
    page = client.get("/connexion/etape?moyen=secours")
    for _ in range(6):
        page = client.submit(page, {"secours": ""})
        assert (page.status, told(page)) == (422, "Tapez le code.")
    assert house.codes("second_step_refused") == []
    assert client.submit(page, {"secours": codes[0]}).status == 303
    assert sessions(house) == 1


def test_a_code_opens_one_session(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    one, two = log_out(house), house.client()
    pages = [step(house, client) for client in (one, two)]
    used = code(house, secret)
    assert one.submit(pages[0], {"code": used}).status == 303
    refused = two.submit(pages[1], {"code": used})
    assert refused.status == 403
    assert told(refused).startswith("Ce code a déjà servi")
    assert house.codes("second_step_refused") == [Code.FACTOR_USED.value]
    assert sessions(house) == 1


def test_a_clock_that_is_off_is_told_and_opens_nothing(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    house.clock.move(timedelta(minutes=10))
    client = log_out(house)
    refused = client.submit(step(house, client), {"code": code(house, secret, -240)})
    assert told(refused).startswith("L’horloge de votre appareil est décalée de 4 minutes environ")
    assert house.codes("second_step_refused") == [Code.FACTOR_CLOCK.value]
    assert sessions(house) == 0
    assert client.submit(refused, {"code": code(house, secret)}).status == 303


def test_too_many_tries_end_the_step(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    for _ in range(4):
        page = client.submit(page, {"code": "000000"})
        assert page.status == 403
        house.clock.move(20)
    ended = client.submit(page, {"code": "000000"})
    assert ended.title == "Trop d’essais du second facteur"
    house.clock.move(timedelta(minutes=4))
    assert client.submit(page, {"code": code(house, secret)}).status == 400
    assert sessions(house) == 0


def test_within_a_delay_the_right_code_is_not_looked_at(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    for _ in range(3):
        page = client.submit(page, {"code": "000000"})
    refused = client.submit(page, {"code": code(house, secret)})
    assert told(refused).startswith("Il y a eu trop d’essais")
    assert sessions(house) == 0


def test_a_step_belongs_to_its_browser_and_is_done_once(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client, thief = log_out(house), house.client()
    page = step(house, client)
    thief.get("/connexion/direct")
    thief.cookies["ig-step"] = client.cookies["ig-step"]
    assert thief.get("/connexion/etape").status == 400
    assert thief.submit(page, {"code": code(house, secret)}).status == 403
    ticket = client.cookies["ig-step"]
    assert client.submit(page, {"code": code(house, secret)}).status == 303
    client.cookies["ig-step"] = ticket
    house.clock.move(60)
    assert client.submit(page, {"code": code(house, secret)}).status == 400
    assert sessions(house) == 1


def test_a_step_is_short_lived(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    house.clock.move(301)
    late = client.submit(page, {"code": code(house, secret)})
    assert (late.status, late.title) == (400, "La connexion a pris trop de temps")
    assert sessions(house) == 0


def test_a_factor_removed_meanwhile_ends_the_step(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    inside = house.gateway.house
    assert clear_factors(inside.direct, inside.sessions, "mdurand7", actor="assistance")
    gone = client.submit(page, {"code": code(house, secret)})
    assert gone.status == 400
    assert house.codes("second_step_refused") == [Code.FACTOR_GONE.value]
    assert sessions(house) == 0
    assert direct(house.client(), "mdurand7", GOOD).location == "/"


def test_a_recovery_code_opens_once_and_tells_how_many_are_left(house: TheHouse) -> None:
    _, codes = add_application(house, personalised(house))
    assert len(codes) == 10
    client = log_out(house)
    page = client.follow(client.get(step(house, client).tree.xpath("//a[contains(@href,'secours')]/@href")[0]))
    assert "Il vous en reste 10" in page.text
    wrong = client.submit(page, {"secours": "AAAAA BBBBB CCCCC"})
    assert told(wrong).startswith("Ce code de secours ne correspond pas")
    assert client.submit(wrong, {"secours": codes[0].lower()}).status == 303
    assert session(house).amr == ("pwd", "otp", "mfa")
    again = log_out(house)
    step(house, again)
    page = again.get("/connexion/etape?moyen=secours")
    assert "Il vous en reste 9" in page.text
    assert again.submit(page, {"secours": codes[0]}).status == 403
    subjects = [mail.subject for mail in house.mailed()]
    assert "Un code de secours a servi – A recovery code was used" in subjects
    assert "Un second facteur a été ajouté – A second factor was added" in subjects


@pytest.mark.row("RST-10")
def test_a_reset_by_mail_does_not_skip_the_second_factor(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": "mdurand7"})
    (link,) = [part for mail in house.mailed() for part in mail.text.split() if "lien?jeton=" in part]
    page = client.follow(client.get(link.removeprefix(house.gateway.settings.base_url)))
    other = "cinq autres mots assez longs"
    assert choose(client, page, other).status == 303
    assert sessions(house) == 0
    assert "ig-session" not in client.cookies
    asked = direct(client, "mdurand7", other)
    assert asked.location == "/connexion/etape"
    assert sessions(house) == 0
    assert client.submit(client.follow(asked), {"code": code(house, secret)}).status == 303


def test_a_provisional_login_reaches_nothing_of_the_second_factor(house: TheHouse) -> None:
    client = house.client()
    direct(client, "mdurand7", house.letters["mdurand7"])
    for path in ("/connexion/securite", TOTP_PAGE, "/connexion/securite/cle", "/connexion/securite/codes"):
        assert client.get(path).location.startswith("/connexion/mot-de-passe")
        assert client.post(path, {"code": "1"}).location.startswith("/connexion/mot-de-passe")


def test_a_demanded_change_does_not_skip_the_second_factor(house: TheHouse) -> None:
    secret, _ = add_application(house, personalised(house))
    client = log_out(house)
    house.gateway.house.direct.require_change(["mdurand7"], actor="bureau")
    page = step(house, client)
    done = client.submit(page, {"code": code(house, secret)})
    assert done.location == "/connexion/mot-de-passe"
    assert choose(client, client.follow(done), "encore cinq mots assez longs").status == 303
    assert session(house).amr == ("pwd", "otp", "mfa"), "the session goes on as strong as it was"


# -- required ---------------------------------------------------------------


def test_where_it_is_required_nothing_opens_before_there_is_one(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "required"})
    client = house.client()
    page = client.follow(direct(client, "mdurand7", house.letters["mdurand7"], "/missions/3"))
    due = client.follow(choose(client, page))
    assert due.title == "Ajoutez un second facteur"
    for path in ("/missions", "/", "/connexion/session", "/connexion/mot-de-passe", "/connexion/adresse"):
        assert client.get(path).location.startswith("/connexion/securite")
    assert session(house).identity.activities == frozenset()
    page = client.get(due.tree.xpath("//a[contains(@href,'securite/application')]/@href")[0])
    done = client.submit(page, {"code": code(house, secret_of(page))})
    assert done.title == "Vos codes de secours"
    (target,) = done.tree.xpath("//main//a[contains(@class,'ig-button')]/@href")
    assert target == "/missions/3"
    assert client.get(target).text == "direct|mdurand7|Marie DURAND"
    assert session(house).amr == ("pwd", "otp", "mfa")
    page = client.get("/connexion/securite")
    refused = client.post("/connexion/securite", {"formulaire": page.field("formulaire"), "retirer": "totp"})
    assert refused.status == 422
    assert told(refused).startswith("Votre compte doit garder un second facteur")


def test_one_account_alone_may_be_required_to(house: TheHouse) -> None:
    personalised(house)
    personalised(house, "pmartin2")
    house.gateway.house.direct.factors.require("mdurand7", True, actor="bureau")
    assert direct(log_out(house), "mdurand7", GOOD).location == "/connexion/securite"
    assert direct(house.client(), "pmartin2", GOOD).location == "/"


def test_a_due_session_that_is_no_longer_recent_proves_anew(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "required"})
    client = personalised(house)
    house.clock.move(timedelta(minutes=11))
    page = client.follow(client.get(TOTP_PAGE))
    assert page.title.startswith("Confirmez que c’est vous")
    assert client.follow(client.submit(page, {"motdepasse": GOOD})).title == "Ajoutez un second facteur"


# -- passkeys ---------------------------------------------------------------


def test_a_passkey_after_the_password(house: TheHouse) -> None:
    device = add_passkey(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    assert send_passkey(client, page, device.use(options(page))).status == 303
    assert session(house).amr == ("pwd", "pop", "mfa")


@pytest.mark.parametrize(
    ("lie", "refused"),
    [
        ({"origin": "https://faux.exemple.test"}, Code.FACTOR_ORIGIN),
        ({"host": "faux.exemple.test"}, Code.FACTOR_ORIGIN),
        ({"cross_origin": True}, Code.FACTOR_ORIGIN),
        ({"verifies": False}, Code.FACTOR_UNVERIFIED),
        ({"counts": 0}, Code.FACTOR_COUNTER),
        ({"handle": "YXV0cmU"}, Code.FACTOR_UNKNOWN),
        ({"credential": b"another credential"}, Code.FACTOR_UNKNOWN),
        ({"key": Device("", "").key}, Code.FACTOR_ANSWER),
    ],
)
def test_a_passkey_that_is_not_right_opens_nothing(house: TheHouse, lie: dict[str, Any], refused: Code) -> None:
    device = add_passkey(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    for name, value in lie.items():
        setattr(device, name, value)
    answer = send_passkey(client, page, device.use(options(page)))
    assert answer.status == 403
    assert told(answer)
    assert house.codes("second_step_refused") == [refused.value]
    assert sessions(house) == 0


@pytest.mark.parametrize(
    "junk", ["", "{}", "[]", "x" * 40000, '{"id":"a","response":{}}', '{"id":1,"response":{}}', "[" * 9000]
)
def test_what_is_no_answer_of_a_passkey_is_refused(house: TheHouse, junk: str) -> None:
    add_passkey(house, personalised(house))
    client = log_out(house)
    assert send_passkey(client, step(house, client), junk).status == 403
    assert house.codes("second_step_refused")[0] in (Code.FACTOR_ANSWER.value, Code.FACTOR_UNKNOWN.value)


def test_a_challenge_is_good_once_and_for_its_own_step(house: TheHouse) -> None:
    device = add_passkey(house, personalised(house))
    one, two = log_out(house), house.client()
    first, second = step(house, one), step(house, two)
    answer = device.use(options(first))
    crossed = send_passkey(two, second, answer)
    assert house.codes("second_step_refused") == [Code.FACTOR_CHALLENGE.value]
    assert send_passkey(two, second, device.use(options(second))).status == 403, "used up by the refusal"
    assert house.codes("second_step_refused")[-1] == Code.FACTOR_CHALLENGE.value
    assert send_passkey(two, crossed, device.use(options(crossed))).status in (303, 403)
    house.clock.move(301)
    assert send_passkey(one, first, answer).status == 400


def test_a_passkey_of_another_account_is_refused(house: TheHouse) -> None:
    theirs = add_passkey(house, personalised(house, "pmartin2"))
    add_passkey(house, personalised(house))
    client = log_out(house)
    page = step(house, client)
    assert send_passkey(client, page, theirs.use(options(page))).status == 403
    assert house.codes("second_step_refused") == [Code.FACTOR_UNKNOWN.value]
    assert sessions(house) == 0


def test_a_passkey_made_on_another_site_or_held_already_is_not_added(house: TheHouse) -> None:
    client = personalised(house)
    page = client.follow(client.get("/connexion/securite/cle"))
    liar = Device("https://faux.exemple.test", "faux.exemple.test")
    refused = send_passkey(client, page, liar.make(options(page)))
    assert refused.status == 422
    assert house.codes("factor_refused") == [Code.FACTOR_ORIGIN.value]
    unchecked = device_of(house)
    unchecked.verifies = False
    refused = send_passkey(client, refused, unchecked.make(options(refused)))
    assert house.codes("factor_refused")[-1] == Code.FACTOR_UNVERIFIED.value
    device = device_of(house)
    answer = device.make(options(refused))
    assert send_passkey(client, refused, answer).status == 200
    assert send_passkey(client, refused, answer).location == "/connexion/securite", "it was added already"
    again = client.follow(client.get("/connexion/securite/cle"))
    assert send_passkey(client, again, device.make(options(again))).status == 422
    assert house.codes("factor_refused")[-1] == Code.FACTOR_ANSWER.value
    assert len(house.gateway.house.direct.factors.of("mdurand7").passkeys) == 1


def test_a_passkey_alone_opens_where_the_settings_allow_it(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "optional", "passkey_alone": True})
    device = add_passkey(house, personalised(house))
    client = log_out(house)
    page = client.get(
        client.get("/connexion/direct?next=/missions/3").tree.xpath("//a[contains(@href,'/cle')]/@href")[0]
    )
    assert options(page).get("allowCredentials", []) == []
    device.verifies = False
    refused = send_passkey(client, page, device.use(options(page)))
    assert refused.status == 403
    assert house.codes("login_refused") == [Code.FACTOR_UNVERIFIED.value]
    device.verifies = True
    done = send_passkey(client, refused, device.use(options(refused)))
    assert done.location == "/missions/3"
    assert client.follow(done).text == "direct|mdurand7|Marie DURAND"
    assert session(house).amr == ("pop", "user", "mfa")
    thief = log_out(house)
    page = thief.get("/connexion/cle")
    house.gateway.house.direct.disable("mdurand7")
    assert send_passkey(thief, page, device.use(options(page))).status == 403
    assert sessions(house) == 0


def test_a_passkey_alone_is_bound_to_its_browser(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "optional", "passkey_alone": True})
    device = add_passkey(house, personalised(house))
    one, two = log_out(house), house.client()
    first, second = one.get("/connexion/cle"), two.get("/connexion/cle")
    answer = device.use(options(first))
    assert send_passkey(two, second, answer).status == 403
    assert house.codes("login_refused") == [Code.FACTOR_CHALLENGE.value]
    two.cookies["ig-key"] = one.cookies["ig-key"]
    assert send_passkey(two, first, answer).status == 403
    assert send_passkey(one, first, answer).status == 303
    assert sessions(house) == 1


def test_one_network_cannot_fill_the_store_with_challenges(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "optional", "passkey_alone": True})
    client, other = house.client(), house.client(address="198.51.100.1")
    for _ in range(300):
        assert client.get("/connexion/cle").status == 200
    refused = client.get("/connexion/cle")
    assert refused.status == 429
    assert refused.header("retry-after") == "300"
    assert other.get("/connexion/cle").status == 200
    assert client.get("/connexion/direct").status == 200
    house.clock.move(300)
    assert client.get("/connexion/cle").status == 200


def test_one_network_cannot_fill_the_store_by_answers_to_a_challenge_that_was_used(
    make_house: Callable[..., TheHouse],
) -> None:
    """No passkey is looked at, and each page that says so has another challenge."""
    house = make_house(second_factor={"mode": "optional", "passkey_alone": True})
    client, other = house.client(), house.client(address="198.51.100.1")
    page = client.get("/connexion/cle")
    first = dict(client.cookies)
    answers = []
    for _ in range(301):
        client.cookies.update(first)
        answers.append(send_passkey(client, page, "{}").status)
    assert set(answers[:300]) == {403}
    assert answers[300] == 429
    assert send_passkey(other, other.get("/connexion/cle"), "{}").status == 403


def test_a_passkey_alone_is_no_page_unless_allowed(house: TheHouse) -> None:
    assert house.client().get("/connexion/cle").status == 404
    assert "/cle" not in house.client().get("/connexion/direct").text


# -- one's own account ------------------------------------------------------


def test_a_proof_of_both_comes_before_any_change(house: TheHouse) -> None:
    client = personalised(house)
    secret, _ = add_application(house, client)
    house.clock.move(timedelta(minutes=11))
    page = client.follow(client.get("/connexion/securite"))
    assert page.title.startswith("Confirmez que c’est vous")
    asked = client.submit(page, {"motdepasse": GOOD})
    assert asked.location == "/connexion/etape"
    assert client.get("/connexion/securite").location.startswith("/connexion/confirmer")
    shown = client.follow(client.submit(client.follow(asked), {"code": code(house, secret)}))
    assert shown.title == "Second facteur de votre accès direct"
    assert "Il vous reste 10 codes de secours" in shown.text


def test_an_application_is_replaced_and_the_former_one_dies(house: TheHouse) -> None:
    client = personalised(house)
    former, _ = add_application(house, client)
    page = client.get(TOTP_PAGE)
    assert "remplacera" in page.text
    new = secret_of(page)
    assert new != former
    other = house.client()
    other.cookies.update(client.cookies)
    done = client.submit(page, {"code": code(house, new)})
    assert done.location == "/connexion/securite"
    assert other.get("/missions").status == 303, "other sessions end"
    house.clock.move(60)
    client = log_out(house)
    page = step(house, client)
    refused = client.submit(page, {"code": code(house, former)})
    assert refused.status == 403
    assert client.submit(refused, {"code": code(house, new)}).status == 303


def test_a_wrong_code_adds_nothing_and_shows_the_same_picture(house: TheHouse) -> None:
    client = personalised(house)
    page = client.follow(client.get(TOTP_PAGE))
    refused = client.submit(page, {"code": "000000"})
    assert refused.status == 422
    assert secret_of(refused) == secret_of(page)
    assert house.codes("factor_refused") == [Code.FACTOR_CODE.value]
    assert not house.gateway.house.direct.factors.of("mdurand7").any
    assert direct(house.client(), "mdurand7", GOOD).location == "/"


def test_the_picture_is_in_the_page_and_no_secret_in_an_address_or_an_event(house: TheHouse) -> None:
    client = personalised(house)
    page = client.follow(client.get(TOTP_PAGE))
    assert page.tree.xpath("//div[@role='img']/*[local-name()='svg']")
    assert not page.tree.xpath("//img | //@src[not(contains(., '/connexion/'))]")
    secret, codes = add_application(house, client)
    written = "\n".join(house.lines)
    assert secret not in written
    assert not any(each in written for each in codes)


def test_a_factor_is_removed_and_other_sessions_end(house: TheHouse) -> None:
    client = personalised(house)
    add_application(house, client)
    other = house.client()
    house.gateway.house.sessions.open(session(house).identity)
    assert sessions(house) == 2
    page = client.get("/connexion/securite")
    gone = client.post("/connexion/securite", {"formulaire": page.field("formulaire"), "retirer": "totp"})
    assert gone.location == "/connexion/securite"
    assert sessions(house) == 1
    assert "Aucune application" in client.follow(gone).text
    assert direct(other, "mdurand7", GOOD).location == "/"
    assert "Un second facteur a été retiré – A second factor was removed" in [mail.subject for mail in house.mailed()]
    again = client.post("/connexion/securite", {"formulaire": page.field("formulaire"), "retirer": "totp"})
    assert again.status == 422
    assert house.codes("factor_refused") == [Code.FACTOR_GONE.value]


def test_new_recovery_codes_are_shown_once_and_the_former_ones_die(house: TheHouse) -> None:
    client = personalised(house)
    _, former = add_application(house, client)
    page = client.get("/connexion/securite/codes")
    made = client.submit(page, {})
    codes = [each.text_content() for each in made.tree.xpath("//ol//code")]
    assert len(codes) == 10
    assert not set(codes) & set(former)
    assert codes[0] not in client.get("/connexion/securite/codes").text
    client = log_out(house)
    step(house, client)
    page = client.get("/connexion/etape?moyen=secours")
    assert client.submit(page, {"secours": former[0]}).status == 403
    assert client.submit(client.get("/connexion/etape?moyen=secours"), {"secours": codes[0]}).status == 303


def test_new_recovery_codes_are_not_made_again_by_a_form_that_is_sent_again(house: TheHouse) -> None:
    """Safari sends it again unasked when somebody comes back to the page: the codes on their paper must live."""
    client = personalised(house)
    add_application(house, client)
    page = client.get("/connexion/securite/codes")
    beside = client.get("/connexion/securite/codes")
    made = client.submit(page, {})
    codes = [each.text_content() for each in made.tree.xpath("//ol//code")]
    client.get("/connexion/securite/codes")
    again = [client.submit(form, {}) for form in (page, beside)]
    assert [(each.status, each.location) for each in again] == [(303, "/connexion/securite")] * 2
    assert "Il vous reste 10 codes" in client.follow(again[0]).text
    assert house.codes("recovery_codes_made") == ["", ""]
    client = log_out(house)
    step(house, client)
    page = client.get("/connexion/etape?moyen=secours")
    assert client.submit(page, {"secours": codes[0]}).status == 303


@pytest.mark.parametrize("kind", ["application", "passkey"])
def test_a_form_that_added_a_factor_and_is_sent_again_is_told_nothing_wrong(house: TheHouse, kind: str) -> None:
    """The page said that nothing was recorded, to whoever came back to their recovery codes."""
    client = personalised(house)
    if kind == "application":
        page = client.get(TOTP_PAGE)
        values = {"code": code(house, secret_of(page))}
        assert client.submit(page, values).title == "Vos codes de secours"
        again = client.submit(page, values)
    else:
        page = client.get("/connexion/securite/cle")
        answer = device_of(house).make(options(page))
        assert send_passkey(client, page, answer).title == "Vos codes de secours"
        again = send_passkey(client, page, answer)
    assert (again.status, again.location) == (303, "/connexion/securite")
    assert "Il vous reste 10 codes" in client.follow(again).text
    assert not house.codes("request_refused")
    elsewhere = house.client()
    elsewhere.get("/connexion/direct")
    assert elsewhere.submit(page, {"code": "123456"}).title == "Cette page est restée ouverte trop longtemps"


def test_no_link_of_the_recovery_codes_leads_to_another_language(house: TheHouse) -> None:
    """Following it would lose what is shown this once."""
    client = personalised(house)
    page = client.get(TOTP_PAGE)
    shown = client.submit(page, {"code": code(house, secret_of(page))})
    assert shown.title == "Vos codes de secours"
    asked = client.get("/connexion/securite/codes")
    assert asked.tree.xpath("//a[@class='ig-language']")
    for codes in (shown, client.submit(asked, {})):
        assert codes.title == "Vos codes de secours"
        assert not codes.tree.xpath("//a[@class='ig-language']")


def test_the_help_desk_takes_lost_factors_away_and_ends_sessions(house: TheHouse) -> None:
    client = personalised(house)
    add_application(house, client)
    inside = house.gateway.house
    cleared = clear_factors(inside.direct, inside.sessions, "mdurand7", actor="assistance:zroux")
    assert cleared is not None
    assert cleared.ended == 1
    assert client.get("/missions").status == 303
    (event,) = [each for each in house.events if each["event"] == "factors_cleared"]
    assert event["actor"] == "assistance:zroux"
    assert direct(house.client(), "mdurand7", GOOD).location == "/"
    assert clear_factors(inside.direct, inside.sessions, "inconnu", actor="x") is None


def test_an_account_has_so_many_passkeys_and_no_more(
    make_house: Callable[..., TheHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagin_gateway.local.passkey_rows.MOST_PASSKEYS", 1)
    house = make_house()
    client = personalised(house)
    add_passkey(house, client)
    page = client.follow(client.get("/connexion/securite/cle"))
    assert send_passkey(client, page, device_of(house).make(options(page))).status == 422
    assert house.codes("factor_refused") == [Code.FACTOR_LIMIT]


def test_switched_off_there_is_nothing_of_it(make_house: Callable[..., TheHouse]) -> None:
    house = make_house(second_factor={"mode": "off", "reason": "pour l’essai"})
    client = personalised(house)
    assert "securite" not in client.get("/connexion/session").text
    for path in ("/connexion/securite", TOTP_PAGE, "/connexion/securite/cle", "/connexion/cle"):
        assert client.get(path).status == 404
    assert house.codes("request_refused") == [*[Code.FACTOR_OFF] * 3, Code.NOT_FOUND]


# -- trusted computers ------------------------------------------------------


@pytest.fixture
def trusting(make_house: Callable[..., TheHouse]) -> TheHouse:
    return make_house(second_factor={"mode": "optional", "trusted_days": 7})


def test_nothing_is_remembered_unless_the_box_is_ticked(trusting: TheHouse) -> None:
    secret, _ = add_application(trusting, personalised(trusting))
    client = log_out(trusting)
    page = step(trusting, client)
    (box,) = page.tree.xpath("//input[@name='confiance']")
    assert "checked" not in box.attrib
    form = {"formulaire": page.field("formulaire"), "moyen": "code", "code": code(trusting, secret)}
    assert client.post("/connexion/etape", form).status == 303
    assert "ig-trusted" not in client.cookies
    client.cookies.pop("ig-session")
    assert direct(client, "mdurand7", GOOD).location == "/connexion/etape"


def trust(house: TheHouse, client: Client, secret: str) -> None:
    page = step(house, client)
    assert client.submit(page, {"code": code(house, secret), "confiance": "oui"}).status == 303
    assert "ig-trusted" in client.cookies
    house.clock.move(60)


def test_a_trusted_computer_skips_the_step_for_some_days_and_is_no_stronger(trusting: TheHouse) -> None:
    secret, _ = add_application(trusting, personalised(trusting))
    client = log_out(trusting)
    trust(trusting, client, secret)
    line = next(line for line in client.jar_log if line.startswith("ig-trusted="))
    assert "Max-Age=604800" in line
    assert "HttpOnly" in line
    trusting.gateway.house.sessions.end_person(DIRECT_ISSUER, "mdurand7")
    assert direct(client, "mdurand7", GOOD).location == "/"
    assert session(trusting).amr == ("pwd",), "a page that asks for two factors asks for the second"
    trusting.clock.move(timedelta(days=7))
    assert direct(client, "mdurand7", GOOD).location == "/connexion/etape"


@pytest.mark.parametrize("change", ["password", "factor", "forgotten", "forged", "other account"])
def test_trust_ends_with_what_it_rested_on(trusting: TheHouse, change: str) -> None:
    secret, _ = add_application(trusting, personalised(trusting))
    client = log_out(trusting)
    trust(trusting, client, secret)
    password, identifier = GOOD, "mdurand7"
    if change == "password":
        password = "encore cinq mots assez longs"
        page = client.get("/connexion/mot-de-passe")
        client.submit(page, {"actuel": GOOD, "nouveau": password, "encore": password})
    elif change == "factor":
        add_passkey(trusting, client)
    elif change == "forgotten":
        page = client.get("/connexion/securite")
        (handle,) = page.tree.xpath("//input[@name='oublier']/@value")
        client.post("/connexion/securite", {"formulaire": page.field("formulaire"), "oublier": handle})
        assert "Ordinateurs de confiance" not in client.get("/connexion/securite").text
    elif change == "forged":
        client.cookies["ig-trusted"] = client.cookies["ig-trusted"].replace(".", "x.", 1)
    else:
        add_application(trusting, personalised(trusting, "pmartin2"))
        identifier = "pmartin2"
    client.cookies.pop("ig-session")
    assert direct(client, identifier, password).location == "/connexion/etape"


# -- step-up ----------------------------------------------------------------

PROTECT = [
    {"prefix": "/missions"},
    {"prefix": "/paiement", "recent_minutes": 5},
    {"prefix": "/signature", "strength": ["mfa", "https://refeds.org/profile/mfa"]},
]


@pytest.fixture(params=["wsgi", "asgi"])
def strict(request: pytest.FixtureRequest, make_house: Callable[..., TheHouse]) -> TheHouse:
    return make_house(request.param, protect=PROTECT, second_factor={"mode": "optional", "trusted_days": 7})


@pytest.mark.row("SES-19")
def test_a_page_that_asks_for_two_factors_asks_for_the_second(strict: TheHouse) -> None:
    secret, _ = add_application(strict, personalised(strict))
    client = log_out(strict)
    trust(strict, client, secret)
    assert client.get("/signature").status == 200
    client.cookies.pop("ig-session")
    assert direct(client, "mdurand7", GOOD).status == 303
    sent = client.get("/signature/7")
    page = client.follow(sent)
    assert page.title == "Confirmez avec votre second facteur", "the password was proved just now"
    former = client.cookies["ig-session"]
    back = client.submit(page, {"code": code(strict, secret)})
    assert back.location == "/signature/7"
    assert client.follow(back).status == 200
    thief = strict.client()
    thief.cookies["ig-session"] = former
    assert thief.get("/missions").status == 303
    strict.clock.move(timedelta(minutes=6))
    page = client.follow(client.get("/paiement"))
    assert page.title.startswith("Confirmez que c’est vous")
    page = client.follow(client.submit(page, {"motdepasse": GOOD}))
    assert page.title == "Confirmez avec votre second facteur", "no computer is trusted in the middle of a session"
    assert client.submit(page, {"code": code(strict, secret)}).location == "/paiement"


@pytest.mark.row("SES-19")
def test_without_a_factor_that_page_says_how_to_add_one_and_comes_back(strict: TheHouse) -> None:
    client = personalised(strict)
    refused = client.follow(client.get("/signature/7"))
    assert (refused.status, refused.title) == (403, "Cette page demande un second facteur")
    (add,) = refused.tree.xpath("//main//a[contains(@class,'ig-button')]/@href")
    page = client.get(client.get(add).tree.xpath("//a[contains(@href,'securite/application')]/@href")[0])
    done = client.submit(page, {"code": code(strict, secret_of(page))})
    (target,) = done.tree.xpath("//main//a[contains(@class,'ig-button')]/@href")
    assert target == "/signature/7"
    assert client.get(target).status == 200


@pytest.mark.parametrize("page", ["/connexion/securite", "/connexion/securite/codes", "/connexion/session/toutes"])
def test_a_page_left_open_changes_nothing_of_who_signed_in_after(house: TheHouse, page: str) -> None:
    secret, _ = add_application(house, personalised(house, "pmartin2"))
    client = personalised(house)
    add_application(house, client)
    left_open = client.follow(client.get(page))
    assert left_open.status == 200
    client.submit(client.follow(direct(client, "pmartin2", GOOD)), {"code": code(house, secret)})
    elsewhere = sessions(house, "pmartin2")
    before = house.gateway.house.direct.factors.of("pmartin2")
    refused = client.submit(left_open, {"retirer": "totp", "fin": "toutes"})
    assert (refused.status, refused.title) == (403, "Cette page est restée ouverte trop longtemps")
    assert house.gateway.house.direct.factors.of("pmartin2") == before
    assert sessions(house, "pmartin2") == elsewhere == 2
    assert house.codes("recovery_codes_made") == ["", ""]
    assert not house.codes("sessions_ended")
