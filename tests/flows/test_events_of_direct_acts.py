"""Every act at the direct door, success or failure: exactly its events, with every field (row LOG-01)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from imagin_gateway.errors import Code, Unavailable
from imagin_gateway.local.factors import MFA_CLASS
from imagin_gateway.local.throttle import LINKS_PER_ACCOUNT, NETWORK_FAILURES
from tests.flows.acts import Acts, Told, told
from tests.flows.conftest import TheHouse, direct
from tests.flows.test_direct_journeys import GOOD, choose, codes_in, personalised
from tests.flows.test_second_factor import add_application, add_passkey, code, options, send_passkey, step

pytestmark = pytest.mark.row("LOG-01")

MARIE, PAUL, ZOE = "mdurand7", "pmartin2", "sansmail"
PWD: dict[str, Any] = {"method": "password", "strength": "pwd"}
BOTH: dict[str, Any] = {"method": "password", "strength": MFA_CLASS}
MakeHouse = Callable[..., TheHouse]


def refused(who: str, why: str, code: Code = Code.CREDENTIALS) -> Told:
    detail = {"reason": why} if code is Code.CREDENTIALS else {"status": 429}
    return told("login_refused", code, who, method="password", detail=detail)


def link_of(house: TheHouse) -> str:
    """Deliver the mails that wait, and return the address in the last of them."""
    return str(re.findall(r"https?://[^/\s]+(/\S*jeton=\S+)", house.mailed()[0].text)[0])


def test_the_direct_door(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make_house()
    acts, client, door = Acts(house), house.client(), house.gateway.house.direct
    with acts.cause("looking", *()):
        client.get("/connexion/")
        client.get("/connexion/direct")
    with acts.cause("nothing typed", *()):
        direct(client, " ", "")
    with acts.cause("unknown", refused("inconnu0", "unknown")):
        direct(client, "Inconnu0 ", "faux")
    with acts.cause("wrong", refused(MARIE, "wrong")):
        direct(client, "MDURAND7", "faux")
    with acts.cause("a form of nobody's", told("request_refused", Code.FORM_EXPIRED, door="")):
        client.post("/connexion/direct", {"identifiant": MARIE, "motdepasse": GOOD})
    with acts.cause("provisional", told("login", None, MARIE, method="provisional-password", strength="pwd")):
        page = client.follow(direct(client, MARIE, house.letters[MARIE]))
    with acts.cause("first password, bad", told("password_refused", Code.PASSWORD_TOO_SHORT, MARIE)):
        choose(client, page, "court")
    with acts.cause(
        "first password",
        told("password_chosen", None, MARIE, detail={"how": "first"}),
        told("login", None, MARIE, **PWD),
    ):
        choose(client, page)
    with acts.cause("logout", told("logout", None, MARIE)):
        client.submit(client.get("/connexion/fin"), {})
    with acts.cause("logout of nobody", *()):
        client.submit(client.get("/connexion/fin"), {})
    with acts.cause("login", told("login", None, MARIE, **PWD)):
        direct(client, MARIE, GOOD)
    busy = Unavailable("scripted", code=Code.BUSY)
    with (
        monkeypatch.context() as patch,
        acts.cause("busy", told("request_refused", Code.BUSY, PAUL, method="password", detail={"status": 503})),
    ):
        patch.setattr(door._login, "check", lambda *_, **__: (_ for _ in ()).throw(busy))
        direct(house.client(), PAUL, "faux")
    personalised(house, PAUL)
    door.disable(PAUL)
    with acts.cause("disabled", refused(PAUL, "disabled")):
        direct(house.client(), PAUL, GOOD)
    for _ in range(8):
        house.clock.move(timedelta(minutes=20))
        direct(house.client(address="192.0.2.9"), ZOE, "faux")
    with acts.cause("delayed", refused(ZOE, "wrong"), refused(ZOE, "delayed")):
        house.clock.move(timedelta(minutes=20))
        direct(house.client(), ZOE, "faux")
        direct(house.client(), ZOE, house.letters[ZOE])
    house.clock.move(timedelta(days=22))
    with acts.cause("expired", refused(ZOE, "expired")):
        direct(house.client(), ZOE, house.letters[ZOE])
    for _ in range(NETWORK_FAILURES):
        door._throttle.failed_from("192.0.2.7", house.clock.now())
    with acts.cause("too many from one network", refused(ZOE, "", Code.NETWORK_THROTTLED)):
        direct(house.client(), ZOE, GOOD)


def test_failures_in_a_row_lock_the_account(make_house: MakeHouse) -> None:
    house = make_house(passwords={"profile": "unsafe-tests", "attempts": "lock", "lock_after": 5})
    acts, client = Acts(house), house.client()
    for _ in range(4):
        direct(client, MARIE, "faux")
    with acts.cause("the last one", told("account_locked", None, MARIE), refused(MARIE, "wrong")):
        direct(client, MARIE, "faux")
    with acts.cause("locked", refused(MARIE, "delayed")):
        direct(client, MARIE, house.letters[MARIE])


def test_passwords_and_addresses_of_somebody_who_is_in(make_house: MakeHouse) -> None:
    house = make_house()
    client = personalised(house)
    acts, other = Acts(house), "encore quatre mots bien rares"
    with acts.cause("wrong current password", told("password_refused", Code.PASSWORD_CURRENT, MARIE)):
        page = client.get("/connexion/mot-de-passe")
        client.submit(page, {"actuel": "faux", "nouveau": other, "encore": other})
    with acts.cause(
        "another password",
        told("password_chosen", None, MARIE, detail={"how": "change"}),
        told("login", None, MARIE, **PWD),
    ):
        client.submit(page, {"actuel": GOOD, "nouveau": other, "encore": other})
    with acts.cause("no address", told("address_refused", Code.ADDRESS_MALFORMED, MARIE)):
        client.submit(client.get("/connexion/adresse"), {"courriel": "rien", "actuel": other})
    with acts.cause("an address", told("address_asked", None, MARIE)):
        client.submit(client.get("/connexion/adresse"), {"courriel": "neuve@exemple.test", "actuel": other})
    codes = codes_in(house)
    page = client.get("/connexion/adresse/codes")
    with acts.cause("wrong codes", told("address_refused", Code.ADDRESS_CODE, MARIE)):
        client.submit(page, {"code": "AAAA", "code-actuel": "BBBB"})
    with acts.cause("changed", told("address_changed", None, MARIE), told("login", None, MARIE, **PWD)):
        client.submit(page, {"code": codes["neuve@exemple.test"], "code-actuel": codes["marie@exemple.test"]})
    with acts.cause("staying on", told("session_extended", None, MARIE)):
        client.submit(client.get("/connexion/session"), {})
    house.clock.move(timedelta(minutes=6))
    confirm = client.get("/connexion/confirmer?next=/connexion/session/toutes")
    with acts.cause("step-up, wrong", told("confirmation_refused", Code.CREDENTIALS, MARIE, method="password")):
        client.submit(confirm, {"motdepasse": "faux"})
    with acts.cause("step-up", told("login", None, MARIE, **PWD)):
        client.submit(confirm, {"motdepasse": other})
    with acts.cause("the others end", told("sessions_ended", None, MARIE, detail={"which": "others", "ended": 0})):
        client.submit(client.get("/connexion/session/toutes"), {"fin": "autres"})
    with acts.cause("all end", told("sessions_ended", None, MARIE, detail={"which": "all", "ended": 1})):
        client.submit(client.get("/connexion/session/toutes"), {"fin": "toutes"})


def test_a_forgotten_password(make_house: MakeHouse) -> None:
    house = make_house()
    personalised(house)
    house.mailed()
    acts, client = Acts(house), house.client()

    def ask(identifier: str) -> None:
        client.submit(client.get("/connexion/mot-de-passe/oubli"), {"identifiant": identifier})

    with acts.cause("asked by nobody", told("reset_asked", None, "inconnu0", detail={"mailed": False})):
        ask("inconnu0")
        house.mailed()
    with acts.cause(
        "asked",
        told("reset_asked", None, MARIE, detail={"mailed": True}),
        told("mail_sent", None, MARIE, detail={"mail": "reset"}),
    ):
        ask("MDurand7 ")
        link = link_of(house)
    with acts.cause("no link", told("reset_link_refused", Code.LINK_DEAD)):
        client.get("/connexion/mot-de-passe/lien?jeton=" + "x" * 40 + ";")
    page = client.follow(client.get(link))
    with acts.cause("a bad password", told("password_refused", Code.PASSWORD_MISMATCH, MARIE)):
        client.submit(page, {"nouveau": GOOD, "encore": GOOD + "!"})
    other = "encore quatre mots bien rares"
    with acts.cause("used", told("password_chosen", None, MARIE, detail={"how": "reset"})):
        client.submit(page, {"nouveau": other, "encore": other})
    with acts.cause("used again", told("reset_link_refused", Code.LINK_DEAD)):
        client.follow(client.get(link))
    for _ in range(LINKS_PER_ACCOUNT):
        ask(MARIE)
    house.mailed()
    with acts.cause("asked too often", told("reset_asked", Code.THROTTLED, MARIE)):
        ask(MARIE)
    for _ in range(40):
        ask("inconnu0")
    house.mailed()
    with acts.cause("too many from one network", told("request_refused", Code.NETWORK_THROTTLED, "inconnu0")):
        ask("inconnu0")


def step_refused(code: Code, method: str) -> Told:
    return told("second_step_refused", code, MARIE, method=method, strength="pwd")


def test_the_second_factor(make_house: MakeHouse) -> None:
    house = make_house(second_factor={"mode": "optional", "passkey_alone": True, "trusted_days": 7})
    client = personalised(house)
    acts = Acts(house)
    page = client.follow(client.get("/connexion/securite/application"))
    with acts.cause("a wrong code adds nothing", told("factor_refused", Code.FACTOR_CODE, MARIE)):
        client.submit(page, {"code": "000000"})
    with acts.cause(
        "an application",
        told("factor_added", None, MARIE, detail={"kind": "totp"}),
        told("recovery_codes_made", None, MARIE),
        told("login", None, MARIE, **BOTH),
    ):
        secret, codes = add_application(house, client)
        house.clock.move(-60)
    house.clock.move(60)
    asked = told("second_step_asked", None, MARIE, **PWD)
    client = house.client()
    with acts.cause("the password", asked):
        page = step(house, client)
    with acts.cause("a wrong code", step_refused(Code.FACTOR_CODE, "totp")):
        client.submit(page, {"code": "000000", "moyen": "code"})
    with acts.cause("a wrong recovery code", step_refused(Code.FACTOR_RECOVERY, "recovery-code")):
        client.submit(client.get("/connexion/etape?moyen=secours"), {"secours": "AAAA-BBBB", "moyen": "secours"})
    with acts.cause(
        "a right code, on a computer to be trusted",
        told("computer_trusted", None, MARIE, detail={"days": 7}),
        told("login", None, MARIE, **BOTH),
    ):
        client.submit(page, {"code": code(house, secret), "moyen": "code", "confiance": "oui"})
    client = house.client()
    house.clock.move(60)
    page = step(house, client)
    with acts.cause(
        "a recovery code",
        told("recovery_code_used", None, MARIE, detail={"left": len(codes) - 1}),
        told("login", None, MARIE, **BOTH),
    ):
        client.submit(
            client.get("/connexion/etape?moyen=secours"), {"secours": codes[0], "moyen": "secours", "confiance": ""}
        )
    with acts.cause("new codes", told("recovery_codes_made", None, MARIE)):
        client.submit(client.get("/connexion/securite/codes"), {})
    with acts.cause("a computer forgotten", told("computer_forgotten", None, MARIE)):
        shown = client.get("/connexion/securite")
        handle = shown.tree.xpath("//*[@name='oublier']/@value")[0]
        client.submit(shown, {"oublier": handle})
    with acts.cause(
        "a passkey", told("factor_added", None, MARIE, detail={"kind": "passkey"}), told("login", None, MARIE, **BOTH)
    ):
        device = add_passkey(house, client)
    with acts.cause("no such factor", told("factor_refused", Code.FACTOR_GONE, MARIE)):
        client.submit(client.get("/connexion/securite"), {"retirer": "0" * 16})
    house.clock.move(timedelta(minutes=30))
    client = house.client()
    page = step(house, client)
    with acts.cause("no answer of a passkey", step_refused(Code.FACTOR_ANSWER, "passkey")):
        send_passkey(client, page, "{}")
    page = client.get("/connexion/etape")
    with acts.cause("the passkey", told("login", None, MARIE, **BOTH)):
        send_passkey(client, page, device.use(options(page)))
    client = house.client()
    page = client.get("/connexion/cle")
    with acts.cause("no passkey alone", told("login_refused", Code.FACTOR_ANSWER, method="passkey")):
        page = send_passkey(client, page, "{}")
    with acts.cause("the passkey alone", told("login", None, MARIE, method="passkey", strength=MFA_CLASS)):
        send_passkey(client, page, device.use(options(page)))
    with acts.cause("a factor removed", told("factor_removed", None, MARIE, detail={"kind": "totp", "left": 1})):
        client.submit(client.get("/connexion/securite"), {"retirer": "totp"})


def test_too_many_tries_of_a_second_step_are_one_event_each(make_house: MakeHouse) -> None:
    house = make_house(passwords={"profile": "unsafe-tests", "attempts": "lock", "lock_after": 5})
    client = personalised(house)
    add_application(house, client)
    acts, client = Acts(house), house.client()
    page = step(house, client)
    for _ in range(4):
        with acts.cause("a wrong code", step_refused(Code.FACTOR_CODE, "totp")):
            page = client.submit(page, {"code": "000000", "moyen": "code"})
    with acts.cause("the last one", told("account_locked", None, MARIE), step_refused(Code.FACTOR_CODE, "totp")):
        client.submit(page, {"code": "000000", "moyen": "code"})
