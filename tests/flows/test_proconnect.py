"""ProConnect: off by default; nobody is recognised by a mail address; a link is asked for, proved twice, confirmed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest

from imagin_gateway import Gateway
from imagin_gateway.errors import Code, SettingsError, Unavailable
from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.portal import OidcPortal
from imagin_gateway.settings import ProConnect
from imagin_gateway.settings.proconnect import PROCONNECT
from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, direct, house, make_house, redis_server, settings_of  # noqa: F401  # fixtures
from tests.providers.oidc.provider import CLIENT_ID, CLIENT_SECRET, Answer, Provider

ISSUER = "https://fca.proconnect.example/api/v2"
RETURN = "/connexion/portail/proconnect/retour"
PASSWORD = "quatre mots bien longs"


def section(**more: Any) -> ProConnect:
    values: dict[str, Any] = {
        "enabled": True,
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "client_secret": Secret(CLIENT_SECRET),
        "acr_values": ("eidas1",),
        **more,
    }
    return ProConnect(**values)


@dataclass
class Linked:
    """The house with ProConnect switched on, and one account in use."""

    house: TheHouse
    provider: Provider

    @classmethod
    def open(cls, house: TheHouse, **more: Any) -> Linked:  # noqa: F811
        settings = house.gateway.settings
        redirect_uri = settings.url("/portail/proconnect/retour")
        provider = Provider(ISSUER, house.clock.now(), redirect_uri)
        provider.signed_userinfo = True
        provider.person = {
            "sub": "agent-1",
            "given_name": "Marie",
            "usual_name": "Durand",
            "email": "marie@exemple.test",  # the very address of the account
        }
        rooms: Any = house.gateway.house
        rooms.portals[PROCONNECT] = OidcPortal.open(
            PROCONNECT,
            section(**more),
            redirect_uri=redirect_uri,
            logout_uri=settings.url("/portail/proconnect/fin"),
            development=True,
            transport=provider.transport(),
            background=lambda _work: None,
        )
        rooms.turnstiles[PROCONNECT] = threading.BoundedSemaphore(8)
        return cls(house, provider)

    def by_password(self, identifier: str = "mdurand7") -> Client:
        """Sign in by the direct door; the first time a password is chosen."""
        client = self.house.client()
        page = client.follow(direct(client, identifier, self.house.letters[identifier]))
        if page.title == "Choisissez votre mot de passe":
            client.submit(page, {"nouveau": PASSWORD, "encore": PASSWORD})
        else:
            client.follow(direct(client, identifier, PASSWORD))
        return client

    def come(self, client: Client, next_page: str = "/missions") -> Reply:
        """Come by ProConnect, up to the last answer."""
        reply = client.get(f"/connexion/portail/proconnect?{urlencode({'next': next_page})}")
        reply = self.back(client, reply)
        return client.follow(reply) if reply.status == 303 else reply

    def back(self, client: Client, leaving: Reply) -> Reply:
        self.provider.now = self.house.clock.now()
        return client.get(f"{RETURN}?{urlencode(self.provider.authorize(leaving.location))}")

    def link(self, client: Client) -> Reply:
        """Ask for the link, prove who one is, and confirm."""
        leaving = client.submit(client.get("/connexion/proconnect"), {})
        question = client.follow(self.back(client, leaving))
        assert question.title == "Relier ce compte ProConnect ?"
        return client.follow(client.submit(question, {}))

    def names(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.house.events if each["event"] == event]


def whose(house: TheHouse, client: Client) -> tuple[str, str, str]:  # noqa: F811
    session = house.gateway.house.sessions.resolve(client.cookies["ig-session"])
    assert session is not None
    return session.issuer, session.subject, session.door


@pytest.mark.row("RTE-03")
@pytest.mark.row("OID-25")
def test_the_same_mail_address_opens_nothing(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    there.by_password()
    client = house.client()
    page = there.come(client)
    assert (page.status, page.title) == (403, "Ce compte ProConnect n’est relié à aucun accès")
    assert "accès direct" in page.text
    assert house.codes("login_refused") == [Code.NOT_LINKED]
    assert "ig-session" not in client.cookies


@pytest.mark.row("RTE-03")
def test_a_link_that_was_asked_for_and_confirmed_opens_the_account(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner = there.by_password()
    page = there.link(owner)
    assert page.title == "ProConnect est relié à votre accès direct"
    (told,) = there.names("account_linked")
    assert told["detail"]["issuer"] == ISSUER
    assert "agent-1" not in str(house.lines)
    client = house.client()
    page = there.come(client)
    assert page.text == "proconnect|mdurand7|Marie DURAND"
    assert whose(house, client) == ("urn:imagin-gateway:direct", "mdurand7", "proconnect")
    assert client.get("/coordonnees").status == 200  # what the direct door opens
    there.provider.person["email"] = "another@exemple.test"
    assert there.come(house.client()).text == "proconnect|mdurand7|Marie DURAND"
    there.provider.person["sub"] = "agent-2"  # another employer: another person, until linked
    assert there.come(house.client()).status == 403


def test_what_is_asked_of_proconnect_is_what_it_knows(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    asked = parse_qs(urlsplit(house.client().get("/connexion/portail/proconnect").location).query)
    assert set(asked) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "claims",
    }
    assert asked["scope"] == ["openid given_name usual_name email"]
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    there.by_password()
    there.come(house.client())
    assert there.provider.last("/token").form["client_secret"] == CLIENT_SECRET
    assert "authorization" not in there.provider.last("/token").headers


def test_before_it_is_confirmed_nothing_is_linked(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner = there.by_password()
    leaving = owner.submit(owner.get("/connexion/proconnect"), {})
    question = owner.follow(there.back(owner, leaving))
    assert "Marie Durand, marie@exemple.test" in question.text
    assert there.come(house.client()).status == 403
    assert owner.post("/connexion/proconnect/confirmer", {}).status == 403
    assert owner.post("/connexion/proconnect/confirmer", {"formulaire": "x"}).status == 403
    assert not there.names("account_linked")
    house.clock.move(301)
    assert owner.submit(question, {}).status == 400
    assert not there.names("account_linked")


def test_a_link_is_asked_for_by_the_owner_alone(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    nobody = house.client()
    assert nobody.get("/connexion/proconnect").location.startswith("/connexion/direct?")
    assert nobody.post("/connexion/proconnect", {}).status == 403
    owner = there.by_password()
    page = owner.get("/connexion/proconnect")
    forged = owner.post("/connexion/proconnect", {"formulaire": nobody.get("/connexion/direct").field("formulaire")})
    assert forged.status == 403
    assert owner.get("/connexion/proconnect?x=y").status == 200
    assert owner.submit(page, {}, headers={"Sec-Fetch-Site": "cross-site"}).status == 403


@pytest.mark.parametrize("linked", [True, False])
def test_a_page_left_open_links_and_unlinks_nobody_who_signed_in_after(
    house: TheHouse,  # noqa: F811
    linked: bool,
) -> None:
    there = Linked.open(house)
    first = there.by_password()
    if linked:
        there.link(first)
    left_open = first.get("/connexion/proconnect")
    # Another person signs in with the same browser, and has a link too where the page would undo one.
    first.cookies["ig-session"] = there.by_password("pmartin2").cookies["ig-session"]
    if linked:
        house.gateway.house.direct.links.make("pmartin2", ISSUER, "agent-2")
    refused = first.submit(left_open, {})
    assert (refused.status, refused.title) == (403, "Cette page est restée ouverte trop longtemps")
    links = house.gateway.house.direct.links
    assert [links.is_linked(each, ISSUER) for each in ("mdurand7", "pmartin2")] == [linked, linked]


def test_a_browser_may_follow_the_form_to_where_people_sign_in(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house, other_hosts=("login.proconnect.example",))
    owner = there.by_password()

    def policy() -> str:
        return owner.get("/connexion/proconnect").header("content-security-policy")

    there.provider.replies["/.well-known/openid-configuration"] = lambda: Answer(503)
    assert "form-action 'self' https://fca.proconnect.example;" in policy()
    there.provider.replies.clear()
    house.clock.move(6)
    elsewhere = "https://login.proconnect.example/authorize"
    there.provider.edit_discovery = lambda told: told.update(authorization_endpoint=elsewhere)
    assert "form-action 'self' https://login.proconnect.example;" in policy()
    assert owner.submit(owner.get("/connexion/proconnect"), {}).location.startswith(elsewhere)


def test_a_link_needs_a_login_of_a_moment_ago(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner = there.by_password()
    page = owner.get("/connexion/proconnect")
    house.clock.move(house.gateway.settings.sessions.recent.total_seconds() + 1)
    assert owner.submit(page, {}).location.startswith("/connexion/confirmer?")
    asked = owner.get("/connexion/proconnect")
    assert asked.location.startswith("/connexion/confirmer?")
    confirmed = owner.submit(owner.get(asked.location), {"motdepasse": PASSWORD})
    assert confirmed.location == "/connexion/proconnect"
    assert owner.get(confirmed.location).title == "Relier ProConnect à votre accès direct"
    assert there.house is house


def test_somebody_who_must_choose_a_password_links_nothing(house: TheHouse) -> None:  # noqa: F811
    Linked.open(house)
    client = house.client()
    client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert client.get("/connexion/proconnect").location.startswith("/connexion/mot-de-passe")


def test_a_confirmation_is_good_in_its_own_session_alone(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner, other = there.by_password(), there.by_password("pmartin2")
    question = owner.follow(there.back(owner, owner.submit(owner.get("/connexion/proconnect"), {})))
    session = owner.cookies["ig-session"]
    owner.cookies["ig-session"] = other.cookies["ig-session"]
    assert owner.get("/connexion/proconnect/confirmer").status == 400
    assert owner.submit(question, {}).status == 400
    owner.cookies["ig-session"] = session
    assert not there.names("account_linked")


def test_an_answer_to_a_link_signs_nobody_in_and_the_reverse(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner, client = there.by_password(), house.client()
    leaving = owner.submit(owner.get("/connexion/proconnect"), {})
    answer = there.provider.authorize(leaving.location)
    assert client.get(f"{RETURN}?{urlencode(answer)}").status == 400
    assert "ig-session" not in client.cookies
    before = owner.cookies["ig-session"]
    there.come(owner)  # a login of somebody who is not linked, in the owner's browser
    assert owner.cookies["ig-session"] == before
    assert owner.get("/connexion/proconnect/confirmer").status == 400


def test_a_person_is_linked_to_one_account_and_an_account_to_one_person(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    first, second = there.by_password(), there.by_password("pmartin2")
    there.link(first)
    page = there.link(second)
    assert (page.status, page.title) == (409, "Les deux comptes ne peuvent pas être reliés")
    links = house.gateway.house.direct.links
    assert (links.is_linked("mdurand7", ISSUER), links.is_linked("pmartin2", ISSUER)) == (True, False)
    assert len(there.names("account_linked")) == 1


def test_a_link_removed_ends_what_it_opened(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner, client = there.by_password(), house.client()
    there.link(owner)
    there.come(client)
    assert client.get("/missions").status == 200
    page = owner.follow(owner.submit(owner.get("/connexion/proconnect"), {}))
    assert page.title == "Relier ProConnect à votre accès direct"
    assert client.get("/missions").status == 303
    assert owner.get("/missions").status == 200
    assert there.come(house.client()).status == 403
    assert len(there.names("account_unlinked")) == 1


def test_a_page_to_undo_a_link_that_was_open_too_long_can_be_opened_again(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner = there.by_password()
    there.link(owner)
    too_long = owner.submit(owner.get("/connexion/proconnect"), {"formulaire": "x"})
    assert too_long.status == 403
    (again,) = too_long.tree.xpath("//a[contains(@class, 'ig-button')]/@href")
    assert owner.get(again).field("formulaire")


def test_a_link_removed_between_the_answer_and_the_arrival_opens_nothing(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    reply = there.back(client, client.get("/connexion/portail/proconnect"))
    house.gateway.house.direct.links.remove("mdurand7", ISSUER)
    assert client.get(reply.location).status == 403
    assert "ig-session" not in client.cookies


def test_a_new_password_ends_the_sessions_of_proconnect_too(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner, client = there.by_password(), house.client()
    there.link(owner)
    there.come(client)
    fields = {"actuel": PASSWORD, "nouveau": "cinq autres mots tout neufs", "encore": "cinq autres mots tout neufs"}
    owner.submit(owner.get("/connexion/mot-de-passe"), fields)
    assert client.get("/missions").status == 303


def test_the_strength_that_is_required_is_checked(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house, required_acr=("eidas2",))
    there.by_password()
    assert there.come(house.client()).status == 403
    assert house.codes("login_refused") == [Code.OIDC_STRENGTH]


@pytest.mark.row("LGO-02")
def test_logging_out_ends_the_session_of_proconnect_too(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    there.come(client)
    leaving = client.submit(client.get("/connexion/fin"), {})
    back = there.provider.end_session(leaving.location, "http://127.0.0.1:8400/connexion/portail/proconnect/fin")
    page = client.follow(client.get(back.removeprefix("http://127.0.0.1:8400")))
    assert page.title == "Votre session Imagin SIEC est terminée"
    assert client.get("/missions").status == 303


@pytest.mark.row("LGO-04")
@pytest.mark.parametrize("claims", [{"sub": "agent-1"}, {"sid": "session-of-the-portal"}], ids=str)
def test_a_logout_that_it_asks_for_ends_what_it_opened_and_nothing_else(
    house: TheHouse,  # noqa: F811
    claims: dict[str, Any],
) -> None:
    there = Linked.open(house)
    owner, client = there.by_password(), house.client()
    there.link(owner)
    there.come(client)
    assert client.get("/missions").status == 200

    def told(**claims: Any) -> int:
        form = {"logout_token": there.provider.logout_token(**claims)}
        return house.client().post("/connexion/portail/proconnect/fin/canal", form).status

    assert told(sub="mdurand7") == 200  # the account's own name is nothing to it
    assert client.get("/missions").status == 200
    assert told(**claims) == 200
    assert client.get("/missions").status == 303
    assert owner.get("/missions").status == 200
    assert [each.get("person") for each in there.names("logout_by_portal")] == [
        None,
        there.names("login")[-1]["person"],
    ]


def test_a_frame_of_it_ends_the_session_it_names(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    there.come(client)
    query = urlencode({"iss": ISSUER, "sid": "session-of-the-portal"})
    assert house.client().get(f"/connexion/portail/proconnect/fin/cadre?{query}").status == 200
    assert client.get("/missions").status == 303


def test_where_it_is_off_nothing_of_it_is_there(house: TheHouse) -> None:  # noqa: F811
    client = house.client()
    for path in ("/portail/proconnect", "/portail/proconnect/retour", "/proconnect", "/proconnect/confirmer"):
        assert client.get(f"/connexion{path}").status == 404
    assert "ProConnect" not in client.get("/connexion/direct").text
    client.follow(direct(client, "mdurand7", house.letters["mdurand7"]))
    assert "ProConnect" not in client.get("/connexion/session").text


def test_where_it_is_on_the_direct_door_offers_it(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    page = house.client().get("/connexion/direct?next=/missions")
    assert page.tree.xpath("//a[contains(., 'ProConnect')]/@href") == ["/connexion/portail/proconnect?next=%2Fmissions"]
    assert "/connexion/proconnect" in there.by_password().get("/connexion/session").text


# --- settings


SECTION = {"issuer": ISSUER, "client_id": "imagin", "client_secret": "x" * 40}


def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    with Gateway(settings_of(tmp_path, proconnect=SECTION), sends_mail=False) as gateway:
        assert PROCONNECT not in gateway.house.portals
    with Gateway(settings_of(tmp_path, proconnect={**SECTION, "enabled": True}), sends_mail=False) as gateway:
        assert gateway.house.portals[PROCONNECT].issuer == ISSUER


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"client_authentication": "client_secret_basic"}, "proconnect.client_authentication"),
        ({"subject_attribute": "email"}, "proconnect.subject_attribute"),
        ({"unsolicited": True}, "proconnect.unsolicited"),
        ({"issuer": "http://fca.proconnect.example"}, "proconnect.issuer"),
        ({"algorithms": ["HS256"]}, "proconnect.algorithms.0"),
        ({"scopes": ["given_name"]}, "proconnect.scopes"),
    ],
)
def test_what_is_wrong_in_its_settings_stops_the_start(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Gateway(settings_of(tmp_path, proconnect={**SECTION, "enabled": True, **changes}), sends_mail=False)
    assert [problem.key for problem in refused.value.problems] == [key]


def test_an_account_that_is_closed_is_opened_by_no_link(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    waiting = there.back(client, client.get("/connexion/portail/proconnect"))
    house.gateway.house.direct.disable("mdurand7")
    assert there.come(house.client()).status == 403
    assert house.codes("login_refused")[-1] == Code.NOT_LINKED
    # ... nor by what was recognised a moment before
    assert client.get(waiting.location).status == 403
    assert "ig-session" not in client.cookies


@pytest.mark.row("RTE-04")
def test_the_account_of_somebody_who_must_enter_by_a_portal_is_opened_by_no_link(
    make_house: Callable[..., TheHouse],  # noqa: F811
    tmp_path: Path,
) -> None:
    there = Linked.open(
        make_house(accounts={"url": f"sqlite:///{tmp_path}/reserved.db", "portal_domains": ["ac-paris.fr"]})
    )
    there.link(there.by_password())
    client = there.house.client()
    waiting = there.back(client, client.get("/connexion/portail/proconnect"))
    # Posted to Paris since: the office's list tells the address they have there.
    listed = tmp_path / "list.csv"
    listed.write_text("Identifiant;Nom;Prénom;Courriel;Qualité\nmdurand7;DURAND;Marie;marie@ac-paris.fr;professeur\n")
    there.house.gateway.house.direct.lists.import_list(listed)
    assert direct(there.house.client(), "mdurand7", PASSWORD).status == 403
    assert there.come(there.house.client()).status == 403
    assert there.house.codes("login_refused")[-1] == Code.NOT_LINKED
    assert there.house.gateway.house.direct.links.account(ISSUER, "agent-1") is None
    assert client.get(waiting.location).status == 403
    assert "ig-session" not in client.cookies


@pytest.mark.parametrize("change", ["disable", "unlink"])
def test_an_account_closed_or_unlinked_while_its_session_opens_keeps_none(
    house: TheHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    reply = there.back(client, client.get("/connexion/portail/proconnect"))
    rooms = house.gateway.house
    open_session = rooms.sessions.open

    def opened(*args: Any, **named: Any) -> str:
        if change == "disable":
            rooms.direct.disable("mdurand7")
        else:
            rooms.direct.links.remove("mdurand7", ISSUER)
        rooms.sessions.end_person("urn:imagin-gateway:direct", "mdurand7")
        return open_session(*args, **named)

    monkeypatch.setattr(rooms.sessions, "open", opened)
    assert client.get(reply.location).status == 403
    assert rooms.sessions.list_person("urn:imagin-gateway:direct", "mdurand7") == []
    assert house.codes("login")[-1:] == [""]
    assert house.codes("login_refused") == [Code.NOT_LINKED]
    assert client.get("/missions").status == 303


def test_a_session_that_may_be_of_a_closed_account_is_not_left_behind(
    house: TheHouse,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = Linked.open(house)
    there.link(there.by_password())
    client = house.client()
    reply = there.back(client, client.get("/connexion/portail/proconnect"))
    rooms = house.gateway.house
    open_session = rooms.sessions.open

    def down(*args: Any, **named: Any) -> bool:
        raise Unavailable("the accounts do not answer")

    def opened(*args: Any, **named: Any) -> str:
        rooms.sessions.end_person("urn:imagin-gateway:direct", "mdurand7")
        monkeypatch.setattr(rooms.direct.links, "opens", down)
        return open_session(*args, **named)

    monkeypatch.setattr(rooms.sessions, "open", opened)
    assert client.get(reply.location).status == 503
    assert rooms.sessions.list_person("urn:imagin-gateway:direct", "mdurand7") == []


def test_an_account_with_a_second_factor_is_linked_by_who_proved_it_alone(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    client = there.by_password()
    assert client.get("/connexion/proconnect").status == 200
    factors = house.gateway.house.direct.factors
    sealed, secret, _ = factors.new_secret("mdurand7")
    code = Secret(pyotp.TOTP(secret.reveal()).at(house.clock.now()))
    account = house.gateway.house.direct.find("mdurand7")
    assert account is not None
    factors.add_totp("mdurand7", sealed, code, version=account.version, address="", tell={})
    # The session that is open proved the password alone.
    assert client.get("/connexion/proconnect").location.startswith("/connexion/confirmer")
    assert client.post("/connexion/proconnect", {}).status == 403


@pytest.mark.parametrize("act", ["replace", "enable"])
def test_whoever_linked_themselves_in_the_owners_place_is_out_once_the_password_is_taken_away(
    house: TheHouse,  # noqa: F811
    act: str,
) -> None:
    there, desk = Linked.open(house), house.gateway.house.direct.desk
    there.link(there.by_password())  # somebody who opened the letter
    if act == "enable":
        desk.disable("mdurand7")
        desk.enable("mdurand7", actor="desk")
    letter = desk.reissue("mdurand7", actor="desk", replace=act == "replace")
    assert letter is not None
    assert letter.provisional is not None
    # Neither the operator nor the owner is left to find out.
    assert [each["actor"] for each in there.names("account_unlinked")] == ["desk"]
    assert "Votre accès direct n’est plus relié à ProConnect" in {
        mail.subject.partition(" – ")[0] for mail in house.mailed()
    }
    house.letters["mdurand7"] = letter.provisional.reveal()
    owner = there.by_password()
    assert owner.get("/missions").status == 200
    assert there.come(house.client()).status == 403
    assert there.link(owner).title == "ProConnect est relié à votre accès direct", "the owner may link themselves"


def test_the_owner_is_told_by_mail_of_a_link_and_of_its_end(house: TheHouse) -> None:  # noqa: F811
    there = Linked.open(house)
    owner = there.by_password()
    house.mailed()
    page = there.link(owner)
    (mail, *_) = house.mailed()
    assert mail.to == "marie@exemple.test"
    assert mail.subject.startswith("Votre accès direct est relié à ProConnect")
    owner.submit(page, {})
    assert house.mailed()[0].subject.startswith("Votre accès direct n’est plus relié à ProConnect")
    assert [each["detail"]["mail"] for each in there.names("mail_sent")][-2:] == ["account_linked", "account_unlinked"]
