"""Logins through a real portal, by SAML and by OpenID Connect, as people and attackers would do them."""

from __future__ import annotations

import base64
import json
import zlib
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from lxml import etree

from imagin_gateway.errors import Unavailable
from imagin_gateway.exchange import Request
from imagin_gateway.keys import Secret
from tests.peers.browser import Browser, Form, Page
from tests.peers.people import CHLOE, ELOISE, JULIE, PAUL, Person
from tests.peers.world import BOTH_WAYS, OPENID, SOLICITED_ONLY, STRANGER, World, log_in

pytestmark = pytest.mark.peer

PAGE = "/missions/42?mois=12"


def answer_of(page: Page) -> Form:
    """Return the SAML answer that the portal's page is about to send to us."""
    return page.form("SAMLResponse")


def name_id(answer: Form) -> str:
    """Return the NameID that an answer tells; "" when it is empty."""
    told = etree.fromstring(base64.b64decode(answer.fields["SAMLResponse"]))
    return str(told.findtext(".//{urn:oasis:names:tc:SAML:2.0:assertion}NameID") or "")


def arrive(browser: Browser, who: Person) -> Page:
    """Log in at the portal and let its page send the answer to us."""
    log_in(browser, who)
    return browser.send(answer_of(browser.page))


def expected(world: World, who: Person, door: str, method: str) -> dict[str, object]:
    """Return what the host must read of a person."""
    told = who.attributes
    kept = ("ct-remote-user", "ctln", "ctfn", "cn", "ctemail", "title", "rne", "codaca", "FrEduRne", "FrEduUrlRetour")
    # The address back to the portal is kept where it leads to the host that this door is known by.
    values = {name: told[name] for name in kept if name != "FrEduUrlRetour" or door == BOTH_WAYS}
    return {
        "issuer": world.portal.entity_id if method == "saml" else world.portal.url,
        "subject": who.login,
        "door": door,
        "activities": ["expenses", "marking", "missions"],
        "method": method,
        "family_name": told["ctln"],
        "given_name": told["ctfn"],
        "email": told["ctemail"],
        "attributes": {name: value if isinstance(value, list) else [value] for name, value in values.items()},
    }


def assert_is(world: World, page: Page, who: Person, door: str, method: str) -> None:
    """Check that the host reads this very person, and nothing that must not enter."""
    found = json.loads(page.text)["person"]
    assert found.pop("acr") == ("urn:oasis:names:tc:SAML:2.0:ac:classes:Password" if method == "saml" else "loa-2")
    assert found == expected(world, who, door, method)
    seen = page.text + "".join(world.journal.lines)
    assert str(who.attributes["employeeNumber"]) not in seen


def assert_refused(world: World, browser: Browser, page: Page, *codes: str) -> None:
    """Check that nobody is signed in, that a page says so, and that the operator can know why."""
    assert 400 <= page.status < 500
    assert world.journal.codes("login_refused") == list(codes)
    assert world.journal.codes("login") == []
    assert world.who(browser) is None


class TestSamlFromOurSide:
    """A login that begins at a page of the host."""

    def test_a_person_lands_on_the_page_first_asked_for(self, world: World, browser: Browser) -> None:
        browser.open(world.at.ours + PAGE)
        browser.click(f"/acces/{BOTH_WAYS}")
        browser.click(f"/portail/{BOTH_WAYS}")
        assert browser.page.url.startswith(world.portal.url)
        page = arrive(browser, ELOISE)
        assert page.url == world.at.ours + PAGE
        assert_is(world, page, ELOISE, BOTH_WAYS, "saml")
        assert world.journal.codes("login") == [""]

    def test_a_portal_that_tells_an_empty_name_id_tells_enough(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(SOLICITED_ONLY, PAGE))
        log_in(browser, CHLOE)
        answer = answer_of(browser.page)
        assert name_id(answer) == ""
        assert_is(world, browser.send(answer), CHLOE, SOLICITED_ONLY, "saml")

    def test_a_name_id_that_changes_at_each_login_leaves_the_person_the_same(
        self, world: World, browser: Browser
    ) -> None:
        browser.open(world.at.leave(BOTH_WAYS))
        log_in(browser, ELOISE)
        first = answer_of(browser.page)
        browser.send(first)
        # The portal remembers her: no password the second time.
        browser.open(world.at.leave(BOTH_WAYS))
        second = answer_of(browser.page)
        assert name_id(first) != name_id(second)
        assert_is(world, browser.send(second), ELOISE, BOTH_WAYS, "saml")

    def test_the_portal_refuses_our_request_once_it_is_changed(self, world: World, browser: Browser) -> None:
        parts = urlsplit(browser.open(world.at.leave(BOTH_WAYS), follow=False).headers["location"])
        query = dict(parse_qsl(parts.query))
        request = zlib.decompress(base64.b64decode(query["SAMLRequest"]), wbits=-15)
        changed = request.replace(world.at.leave(BOTH_WAYS).encode(), world.at.leave(SOLICITED_ONLY).encode())
        assert changed != request
        query["SAMLRequest"] = base64.b64encode(zlib.compress(changed, wbits=-15)).decode()
        browser.open(urlunsplit(parts._replace(query=urlencode(query))))
        with pytest.raises(AssertionError, match="no form"):
            arrive(browser, ELOISE)

    def test_an_answer_is_worth_nothing_in_another_browser(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS, PAGE))
        log_in(browser, ELOISE)
        with world.browser() as thief:
            thief.open(world.portal.url)
            page = thief.send(answer_of(browser.page))
            assert_refused(world, thief, page, "flow.other_browser")

    def test_an_answer_is_worth_nothing_the_second_time(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS, PAGE))
        log_in(browser, ELOISE)
        answer = answer_of(browser.page)
        browser.send(answer, follow=False)
        world.journal.lines.clear()
        page = browser.send(answer)
        assert_refused(world, browser, page, "flow.unknown")

    def test_an_answer_given_at_another_door_is_refused(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS, PAGE))
        log_in(browser, ELOISE)
        answer = answer_of(browser.page)
        elsewhere = Form(answer.method, answer.action.replace(BOTH_WAYS, SOLICITED_ONLY), answer.fields)
        assert_refused(world, browser, browser.send(elsewhere), "saml.destination")

    @pytest.mark.parametrize(
        ("before", "after"),
        [(b">elefevre1<", b">elefevre2<"), (b"<SignatureValue>", b"<SignatureValue>AAAA")],
        ids=["a name", "the signature"],
    )
    def test_one_changed_place_is_noticed(self, world: World, browser: Browser, before: bytes, after: bytes) -> None:
        browser.open(world.at.leave(BOTH_WAYS, PAGE))
        log_in(browser, ELOISE)
        answer = answer_of(browser.page)
        genuine = base64.b64decode(answer.fields["SAMLResponse"])
        changed = genuine.replace(before, after, 1)
        assert changed != genuine
        page = browser.send(answer, SAMLResponse=base64.b64encode(changed).decode())
        assert_refused(world, browser, page, "saml.signature")

    def test_a_person_of_another_academie_is_refused(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS, PAGE))
        assert_refused(world, browser, arrive(browser, CHLOE), "portal.scope_violation")


class TestSamlFromInsideThePortal:
    """A login that begins at a link of the portal's own pages."""

    def test_a_person_lands_on_the_page_the_link_names(self, world: World, browser: Browser) -> None:
        browser.open(world.at.inside_link(BOTH_WAYS, "/missions/7"))
        page = arrive(browser, ELOISE)
        assert page.url == f"{world.at.ours}/missions/7"
        assert_is(world, page, ELOISE, BOTH_WAYS, "saml")

    @pytest.mark.parametrize("relay", ["https://mal.exemple.test/", "//mal.exemple.test/", "/connexion/fin", None])
    def test_a_link_that_leads_elsewhere_leads_to_the_usual_page(
        self, world: World, browser: Browser, relay: str | None
    ) -> None:
        browser.open(world.at.inside_link(BOTH_WAYS, relay))
        assert arrive(browser, ELOISE).url == f"{world.at.ours}/missions"

    def test_it_is_refused_at_a_door_that_does_not_allow_it(self, world: World, browser: Browser) -> None:
        browser.open(world.at.inside_link(SOLICITED_ONLY))
        assert_refused(world, browser, arrive(browser, CHLOE), "flow.unsolicited")

    def test_the_same_answer_is_refused_the_second_time_in_any_browser(self, world: World, browser: Browser) -> None:
        browser.open(world.at.inside_link(BOTH_WAYS))
        log_in(browser, ELOISE)
        answer = answer_of(browser.page)
        browser.send(answer)
        world.journal.lines.clear()
        with world.browser() as thief:
            thief.open(world.portal.url)
            assert_refused(world, thief, thief.send(answer), "flow.replayed")

    def test_an_answer_meant_for_somebody_else_is_refused(self, world: World, browser: Browser) -> None:
        # Genuine in all but its audience: the portal itself made it, for our own address.
        browser.open(world.at.inside_link(BOTH_WAYS, provider=STRANGER))
        log_in(browser, ELOISE)
        assert answer_of(browser.page).action == world.at.leave(BOTH_WAYS) + "/acs"
        assert_refused(world, browser, browser.send(answer_of(browser.page)), "saml.audience")

    def test_it_never_silently_takes_the_place_of_somebody_else(self, world: World, browser: Browser) -> None:
        browser.open(world.at.inside_link(BOTH_WAYS))
        arrive(browser, ELOISE)
        with world.browser() as other:
            other.open(world.at.inside_link(BOTH_WAYS))
            log_in(other, JULIE)
            question = browser.send(answer_of(other.page))
        assert world.journal.codes("login_confirmation_asked") == [""]
        confirm = question.form("formulaire")
        person = world.who(browser)
        assert person is not None
        assert person["subject"] == ELOISE.login
        browser.open(question.url)
        page = browser.send(confirm)
        assert json.loads(page.text)["person"]["subject"] == JULIE.login


class TestOpenId:
    """A login by authorization code with PKCE."""

    def test_a_person_lands_on_the_page_first_asked_for(self, world: World, browser: Browser) -> None:
        browser.open(world.at.ours + PAGE)
        browser.click(f"/acces/{OPENID}")
        browser.click(f"/portail/{OPENID}")
        page = log_in(browser, PAUL)
        assert page.url == world.at.ours + PAGE
        assert_is(world, page, PAUL, OPENID, "oidc")

    def test_neither_code_nor_state_stands_in_an_event(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(OPENID))
        log_in(browser, PAUL)
        back = next(url for _, url, _ in browser.trail if "/retour?" in url)
        fields = parse_qs(urlsplit(back).query)
        told = "".join(world.journal.lines)
        assert told
        assert fields["code"][0] not in told
        assert fields["state"][0] not in told

    @pytest.mark.parametrize(
        ("change", "code", "error"),
        [
            ({"code_challenge": ""}, "portal.refused", "invalid_request"),
            ({"code_challenge": "x" * 43}, "oidc.token_response", "invalid_grant"),
        ],
        ids=["no challenge", "another's challenge"],
    )
    def test_the_portal_wants_the_verifier_of_the_challenge_that_we_sent(
        self, world: World, browser: Browser, change: dict[str, str], code: str, error: str
    ) -> None:
        parts = urlsplit(browser.open(world.at.leave(OPENID), follow=False).headers["location"])
        query = dict(parse_qsl(parts.query))
        assert query["code_challenge_method"] == "S256"
        browser.open(urlunsplit(parts._replace(query=urlencode({**query, **change}))))
        assert_refused(world, browser, log_in(browser, PAUL), code)
        assert error in "".join(world.journal.lines)

    def test_an_answer_is_worth_nothing_the_second_time(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(OPENID))
        back = log_in(browser, PAUL, follow=False).headers["location"]
        browser.open(back, follow=False)
        world.journal.lines.clear()
        assert_refused(world, browser, browser.open(back), "flow.unknown")

    def test_an_answer_is_worth_nothing_in_another_browser(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(OPENID))
        back = log_in(browser, PAUL, follow=False).headers["location"]
        with world.browser() as thief:
            assert_refused(world, thief, thief.open(back), "flow.other_browser")

    def test_the_portal_may_say_no(self, world: World, browser: Browser) -> None:
        leaving = browser.open(world.at.leave(OPENID), follow=False).headers["location"]
        page = browser.open(leaving + "&prompt=none")
        assert_refused(world, browser, page, "portal.refused")
        assert "login_required" in "".join(world.journal.lines)

    def test_a_code_that_nobody_asked_for_is_refused(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(OPENID))
        back = urlsplit(log_in(browser, PAUL, follow=False).headers["location"])
        bare = urlencode({"code": parse_qs(back.query)["code"][0]})
        assert_refused(world, browser, browser.open(urlunsplit(back._replace(query=bare))), "oidc.state")

    def test_a_person_of_another_academie_is_refused(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(OPENID))
        assert_refused(world, browser, log_in(browser, ELOISE), "portal.scope_violation")

    def test_what_the_portal_tells_may_be_signed(self, world: World, browser: Browser) -> None:
        client = {"client_id": world.signed.id, "client_secret": Secret(world.signed.secret)}
        with closing(world.open_id(**client)) as portal:
            departure = portal.depart(datetime.now(UTC))
            browser.open(departure.url)
            back = urlsplit(log_in(browser, PAUL, follow=False).headers["location"])
            answer = Request("GET", back.path, back.query.encode())
            arrival = portal.arrive(answer, {departure.correlation: departure.memory}.__getitem__, datetime.now(UTC))
        assert (arrival.issuer, arrival.subject) == (world.portal.url, PAUL.login)
        assert arrival.attributes["FrEduRne"] == tuple(PAUL.attributes["FrEduRne"])

    def test_a_portal_that_no_known_authority_vouches_for_is_told_nothing(self, world: World) -> None:
        with closing(world.open_id(ca_file=None)) as portal, pytest.raises(Unavailable):
            portal.depart(datetime.now(UTC))
