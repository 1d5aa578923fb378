"""Logins and logouts through a second real identity provider: what it writes in another way than the first."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from lxml import etree

from imagin_gateway.errors import Code
from imagin_gateway.providers.saml.vocabulary import CBC_CIPHERS, ds, saml, samlp, xenc
from tests.peers.browser import Browser, Form, Page
from tests.peers.people import CHLOE, ELOISE, JULIE, Person
from tests.peers.university import University, log_in
from tests.peers.world import BOTH_WAYS, SOLICITED_ONLY

pytestmark = pytest.mark.peer

NAME_ID = "urn:oasis:names:tc:SAML:{}:nameid-format:{}"
NAMES: dict[str, dict[str, object]] = {
    "transient": {},
    "persistent": {"NameIDFormat": NAME_ID.format("2.0", "persistent"), "userid.attribute": "ct-remote-user"},
    "mail": {"NameIDFormat": NAME_ID.format("1.1", "emailAddress"), "simplesaml.nameidattribute": "ctemail"},
    "encrypted": {"nameid.encryption": True},
}


@pytest.fixture
def browser(university: University) -> Iterator[Browser]:
    """A browser that was never used."""
    with university.browser() as browser:
        yield browser


def answer_of(page: Page) -> Form:
    return page.form("SAMLResponse")


def written(page: Page) -> etree._Element:
    """Return the answer that the page is about to send to us."""
    return etree.fromstring(base64.b64decode(answer_of(page).fields["SAMLResponse"]))


def arrive(browser: Browser, who: Person) -> Page:
    """Log in there and let its page send the answer to us."""
    return browser.send(answer_of(log_in(browser, who)))


def subject(university: University, browser: Browser) -> str | None:
    """Return the subject the host sees."""
    person = university.who(browser)
    return None if person is None else str(person["subject"])


class TestLogin:
    def test_from_our_side_the_person_arrives_at_the_page_that_was_asked(
        self, university: University, browser: Browser
    ) -> None:
        browser.open(university.at.leave(BOTH_WAYS, "/missions/42?mois=12"))
        root = written(log_in(browser, ELOISE))
        assert [each.tag for each in (root, root.find(saml("Assertion"))) if each is not None] == [
            *(samlp("Response"), saml("Assertion"))
        ]
        assert len(list(root.iter(ds("Signature")))) == 2
        page = browser.send(answer_of(browser.page))
        assert page.url == f"{university.at.ours}/missions/42?mois=12"
        person = json.loads(page.text)["person"]
        told = (person["issuer"], person["subject"], person["family_name"], person["given_name"], person["email"])
        assert told == (university.provider.entity_id, ELOISE.login, "LEFÈVRE", "Éloïse", ELOISE.attributes["ctemail"])
        assert person["attributes"]["FrEduRne"] == ELOISE.attributes["FrEduRne"]
        assert str(ELOISE.attributes["employeeNumber"]) not in page.text
        assert university.journal.codes("login") == [""]

    @pytest.mark.parametrize(("relay", "page"), [(None, "/missions"), ("/missions/7", "/missions/7")])
    def test_from_a_link_inside_it(
        self, university: University, browser: Browser, relay: str | None, page: str
    ) -> None:
        browser.open(university.inside_link(BOTH_WAYS, relay))
        assert arrive(browser, ELOISE).url == university.at.ours + page
        assert subject(university, browser) == ELOISE.login

    def test_a_link_inside_it_opens_no_door_that_asks_itself(self, university: University, browser: Browser) -> None:
        browser.open(university.inside_link(SOLICITED_ONLY))
        assert arrive(browser, CHLOE).status == 403
        assert university.journal.codes("login_refused") == [Code.UNSOLICITED]
        assert subject(university, browser) is None

    def test_who_proves_anew_types_the_password_again(self, university: University, browser: Browser) -> None:
        browser.open(university.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        browser.open(university.at.leave(BOTH_WAYS))
        assert answer_of(browser.page).fields["SAMLResponse"], "it knows her"
        browser.open(university.at.leave(BOTH_WAYS, "/missions/8") + "&anew=1")
        assert arrive(browser, ELOISE).url == f"{university.at.ours}/missions/8"

    @pytest.mark.parametrize("form", ["uri", "unspecified"])
    def test_attributes_of_every_name_format(self, university: University, browser: Browser, form: str) -> None:
        university.provider.behave(
            **{"sign.logout": True, "attributes.NameFormat": f"urn:oasis:names:tc:SAML:2.0:attrname-format:{form}"}
        )
        browser.open(university.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        assert subject(university, browser) == ELOISE.login


class TestEncrypted:
    def test_an_assertion_is_opened_once_somebody_decided_so(self, university: University, browser: Browser) -> None:
        university.provider.behave(**{"assertion.encryption": True})
        browser.open(university.at.leave(BOTH_WAYS))
        root = written(log_in(browser, ELOISE))
        assert root.find(saml("Assertion")) is None
        # It encrypts by AES-CBC, whatever our metadata prefers.
        methods = {str(each.get("Algorithm")) for each in root.iter(xenc("EncryptionMethod"))}
        assert methods & set(CBC_CIPHERS)
        assert browser.send(answer_of(browser.page)).status == 403
        assert university.journal.codes("login_refused") == [Code.SAML_ALGORITHM]
        with university.saml_with(BOTH_WAYS, allow_cbc=True):
            browser.open(university.at.leave(BOTH_WAYS))
            browser.send(answer_of(browser.page))
            assert subject(university, browser) == ELOISE.login


class TestLogout:
    @pytest.mark.parametrize("name", NAMES)
    def test_ours_ends_then_its_own(self, university: University, browser: Browser, name: str) -> None:
        university.provider.behave(**NAMES[name])
        with university.saml_with(BOTH_WAYS, allow_cbc=True):
            browser.open(university.at.leave(BOTH_WAYS))
            arrive(browser, ELOISE)
            browser.open(f"{university.at.ours}/connexion/fin")
            page = browser.send(browser.page.form("formulaire"))
            assert (page.url, page.status) == (f"{university.at.ours}/connexion/fin/faite", 200)
            assert "reste ouvert" not in page.text
            assert university.journal.codes("logout_refused") == []
            assert subject(university, browser) is None
            browser.open(university.at.leave(BOTH_WAYS))
            assert "password" in browser.page.form("username", "password").fields, "it asks for the password again"

    @pytest.mark.parametrize("name", NAMES)
    def test_its_end_ends_ours(self, university: University, browser: Browser, name: str) -> None:
        university.provider.behave(**NAMES[name])
        with university.saml_with(BOTH_WAYS, allow_cbc=True), university.browser() as other:
            for each, who in ((browser, ELOISE), (other, JULIE)):
                each.open(university.at.leave(BOTH_WAYS))
                arrive(each, who)
            page = browser.open(university.end_link())
            assert page.url == f"{university.provider.url}logout.php", "it was answered, and went on"
            assert (university.journal.codes("logout_by_portal"), university.journal.codes("logout_refused")) == (
                [""],
                [],
            )
            assert subject(university, browser) is None
            assert subject(university, other) == JULIE.login

    def test_its_order_by_post_is_taken(self, university: University, browser: Browser) -> None:
        both = university.our_metadata(BOTH_WAYS)
        by_post, taken_out = re.subn(r"<[^<>]*SingleLogoutService[^<>]*HTTP-Redirect[^<>]*>", "", both)
        assert taken_out == 1
        university.provider.trust(by_post)
        try:
            browser.open(university.at.leave(BOTH_WAYS))
            arrive(browser, ELOISE)
            browser.open(university.end_link())
            page = browser.send(browser.page.form("SAMLRequest", "RelayState"))
            assert urlsplit(page.url).path == "/simplesaml/logout.php"
            assert university.journal.codes("logout_by_portal") == [""]
            assert subject(university, browser) is None
        finally:
            university.provider.trust(both)

    def test_an_order_that_nobody_signed_ends_nothing(self, university: University, browser: Browser) -> None:
        # As it comes from its own package.
        university.provider.behave(**{"sign.logout": False})
        browser.open(university.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        assert browser.open(university.end_link()).status == 403
        assert university.journal.codes("logout_refused") == [Code.SAML_UNSIGNED]
        assert subject(university, browser) == ELOISE.login
