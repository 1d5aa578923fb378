"""The rest of SAML with a real portal: logout both ways, encrypted assertions, a change of keys."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import pytest
from lxml import etree, html

from imagin_gateway.errors import Code
from imagin_gateway.providers.saml.vocabulary import CBC_CIPHERS, GCM_CIPHERS, md, xenc
from imagin_gateway.settings import SamlPortal
from tests.peers.authority import key_pair
from tests.peers.browser import Browser, Page
from tests.peers.people import CHLOE, ELOISE, JULIE
from tests.peers.test_lemonldap import answer_of, arrive
from tests.peers.world import BOTH_WAYS, SOLICITED_ONLY, World, log_in

pytestmark = pytest.mark.peer


def signed_in(world: World, browser: Browser) -> str | None:
    """Return the subject the host sees."""
    person = world.who(browser)
    return None if person is None else str(person["subject"])


def end_here(world: World, browser: Browser, *, follow: bool = True) -> Page:
    """Ask our page to end the session."""
    browser.open(f"{world.at.ours}/connexion/fin")
    return browser.send(browser.page.form("formulaire"), follow=follow)


def frames(page: Page) -> list[str]:
    """Return what the page's frames would load."""
    tree = html.document_fromstring(page.body)
    return [urljoin(page.url, str(each.get("src"))) for each in tree.iter("iframe") if each.get("src")]


class TestLogoutFromOurSide:
    def test_ours_ends_then_the_portals(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        assert signed_in(world, browser) == ELOISE.login
        page = end_here(world, browser)
        assert (page.url, page.status) == (f"{world.at.ours}/connexion/fin/faite", 200)
        assert "reste ouvert" not in page.text
        assert world.journal.codes("logout_at_portal") == [""]
        assert world.journal.codes("logout_refused") == []
        assert signed_in(world, browser) is None
        browser.open(world.at.leave(BOTH_WAYS))
        assert "password" in browser.page.form("user", "password").fields, "the portal asks for the password again"

    def test_our_session_is_over_though_nobody_follows_to_the_portal(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        cookies = browser.cookies
        left = end_here(world, browser, follow=False)
        assert left.headers["location"].startswith(world.portal.url)
        assert browser.cookies is cookies
        assert signed_in(world, browser) is None
        browser.open(world.at.leave(BOTH_WAYS))
        assert answer_of(browser.page).fields["SAMLResponse"], "the portal was not told: it still knows her"

    def test_a_portal_that_told_no_name_is_left_alone(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(SOLICITED_ONLY))
        arrive(browser, CHLOE)
        page = end_here(world, browser)
        assert page.url == f"{world.at.ours}/connexion/fin/faite?porte={SOLICITED_ONLY}"
        assert "reste ouvert" in page.text
        assert signed_in(world, browser) is None


class TestLogoutFromThePortal:
    def test_its_end_ends_ours_without_a_cookie_of_ours(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        with world.browser() as other:
            other.open(world.at.leave(BOTH_WAYS))
            arrive(other, JULIE)
            page = browser.open(f"{world.portal.url}?logout=1")
            told = frames(page)
            assert told, "the portal tells us by frames of its page"
            with world.browser() as inside:
                for frame in told:
                    inside.open(frame)
            assert signed_in(world, browser) is None
            assert signed_in(world, other) == JULIE.login
        assert world.journal.codes("logout_by_portal") == [""]
        assert world.journal.codes("logout_refused") == []

    def test_the_same_order_serves_once(self, world: World, browser: Browser) -> None:
        browser.open(world.at.leave(BOTH_WAYS))
        arrive(browser, ELOISE)
        page = browser.open(f"{world.portal.url}?logout=1")
        with world.browser() as inside:
            inside.open(frames(page)[0], follow=False)
            order = inside.page.headers.get("location", inside.page.url)
            if "SAMLRequest" not in order:
                order = frames(page)[0]
            assert "SAMLRequest" in order
            inside.open(order, follow=False)
            inside.open(order, follow=False)
            assert inside.page.status == 400
        assert Code.REPLAYED in world.journal.codes("logout_refused")


class TestEncrypted:
    def test_an_encrypted_assertion_is_opened(self, world: World, browser: Browser) -> None:
        with world.registered_with(EncryptionMode="assertion"):
            browser.open(world.at.leave(BOTH_WAYS))
            log_in(browser, ELOISE)
            answer = answer_of(browser.page)
            message = etree.fromstring(base64.b64decode(answer.fields["SAMLResponse"]))
            assert message.find("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion") is None
            methods = {str(each.get("Algorithm")) for each in message.iter(xenc("EncryptionMethod"))}
            # This portal knows AES-CBC alone, whatever our metadata prefers: refused until somebody decides otherwise.
            assert methods & set(CBC_CIPHERS)
            assert not methods & set(GCM_CIPHERS)
            browser.send(answer)
            assert signed_in(world, browser) is None
            assert world.journal.codes("login_refused") == [Code.SAML_ALGORITHM]
            with world.saml_with(BOTH_WAYS, allow_cbc=True):
                browser.open(world.at.leave(BOTH_WAYS))
                browser.send(answer_of(browser.page))
                assert signed_in(world, browser) == ELOISE.login

    def test_one_for_another_key_is_not(self, world: World, browser: Browser, tmp_path: Path) -> None:
        key, certificate = key_pair("another gateway")
        (tmp_path / "other.key").write_text(key)
        (tmp_path / "other.crt").write_text(certificate)
        ours = {"private_key": tmp_path / "other.key", "certificate": tmp_path / "other.crt"}
        config = world.gateway.settings.portals[BOTH_WAYS]
        assert isinstance(config, SamlPortal)
        both = {"other_private_keys": (config.private_key,), "other_certificates": (config.certificate,)}
        with world.registered_with(EncryptionMode="assertion", CheckSSOMessageSignature=0):
            with world.saml_with(BOTH_WAYS, allow_cbc=True, **ours):
                browser.open(world.at.inside_link(BOTH_WAYS))
                arrive(browser, ELOISE)
                assert signed_in(world, browser) is None
                assert world.journal.codes("login_refused") == [Code.SAML_ENCRYPTED]
            # Our own change of keys: the portal encrypts for the one it knows, and both are tried.
            with world.saml_with(BOTH_WAYS, allow_cbc=True, **ours, **both):
                browser.open(world.at.inside_link(BOTH_WAYS))
                browser.send(answer_of(browser.page))
                assert signed_in(world, browser) == ELOISE.login


class TestRestart:
    def test_a_link_inside_the_portal_begins_a_login_here(self, world: World, browser: Browser) -> None:
        with world.saml_with(BOTH_WAYS, unsolicited_restarts=True):
            browser.open(world.at.inside_link(BOTH_WAYS, "/missions/7"))
            log_in(browser, ELOISE)
            page = browser.send(answer_of(browser.page))
            assert world.journal.codes("login_started") == [""]
            assert world.journal.codes("login") == []
            # The portal knows her already: its page sends the second answer at once.
            page = browser.send(answer_of(page))
            assert page.url == f"{world.at.ours}/missions/7"
            assert signed_in(world, browser) == ELOISE.login

    def test_somebody_elses_answer_begins_a_login_of_whoever_sits_there(self, world: World, browser: Browser) -> None:
        with world.saml_with(BOTH_WAYS, unsolicited_restarts=True), world.browser() as attacker:
            attacker.open(world.at.inside_link(BOTH_WAYS))
            log_in(attacker, JULIE)
            browser.open(world.portal.url)
            page = browser.send(answer_of(attacker.page))
            assert set(page.form("user", "password").fields) >= {"user", "password"}, "the portal asks who sits here"
            assert signed_in(world, browser) is None


class TestKeyRollover:
    def test_the_portal_changes_its_key_while_we_run(self, world: World, browser: Browser) -> None:
        config = world.gateway.settings.portals[BOTH_WAYS]
        assert isinstance(config, SamlPortal)
        assert config.metadata is not None
        source = world.saml(BOTH_WAYS).source
        first = config.metadata.read_bytes()
        current = source.current
        assert current is not None
        try:
            world.portal.change_signing_key()
            browser.open(world.at.leave(BOTH_WAYS))
            arrive(browser, ELOISE)
            assert world.journal.codes("login_refused") == [Code.SAML_SIGNATURE], "no key that we were not told"

            # The administrator publishes both keys for a while.
            second = world.portal.metadata()
            both, new = etree.fromstring(first), etree.fromstring(second)
            role = both.find(md("IDPSSODescriptor"))
            assert role is not None
            for descriptor in new.iterfind(f"{md('IDPSSODescriptor')}/{md('KeyDescriptor')}[@use='signing']"):
                role.insert(0, descriptor)
            config.metadata.write_bytes(etree.tostring(both))
            assert source.renew(datetime.now(UTC)) == []
            assert source.current is not None
            assert len(source.current.keys) == 2
            browser.open(world.at.leave(BOTH_WAYS))
            browser.send(answer_of(browser.page))
            assert signed_in(world, browser) == ELOISE.login

            # Then the old one goes.
            config.metadata.write_bytes(second)
            assert source.renew(datetime.now(UTC)) == []
            assert source.current is not None
            assert [key.public for key in source.current.keys] != [key.public for key in current.keys]
            with world.browser() as other:
                other.open(world.at.leave(BOTH_WAYS))
                arrive(other, JULIE)
                assert signed_in(world, other) == JULIE.login
            other_door = world.saml(SOLICITED_ONLY).source
            assert other_door.renew(datetime.now(UTC)) == []
        finally:
            config.metadata.write_bytes(world.portal.metadata())
            source.renew(datetime.now(UTC))
            world.saml(SOLICITED_ONLY).source.renew(datetime.now(UTC))
