"""A real OpenID provider: logout both ways, userinfo in both forms through the whole gateway, a change of its keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from imagin_gateway.keys import Secret
from imagin_gateway.providers.oidc.checkup import Verdict
from imagin_gateway.providers.oidc.portal import OidcPortal
from tests.peers.browser import Browser, Page
from tests.peers.people import PAUL
from tests.peers.world import OPENID, World, log_in

pytestmark = pytest.mark.peer


def signed_in(world: World, browser: Browser) -> None:
    """Log in by the OpenID door."""
    browser.open(world.at.leave(OPENID))
    if "/portail/" not in browser.page.url and browser.page.url.startswith(world.portal.url):
        log_in(browser, PAUL)
    who = world.who(browser)
    assert who is not None, world.journal.lines
    assert who["subject"] == PAUL.login


def logged_out(world: World, browser: Browser) -> Page:
    """Log out at our side, and follow."""
    browser.open(f"{world.at.ours}/connexion/fin")
    return browser.send(browser.page.form("formulaire"))


@contextmanager
def configured(world: World, **changes: Any) -> Iterator[None]:
    """Let the gateway's administrator change the section of the OpenID door, for a while."""
    portals = cast(dict[str, Any], world.gateway.house.portals)
    before = portals[OPENID]
    portals[OPENID] = world.open_id(**changes)
    try:
        yield
    finally:
        portals[OPENID].close()
        portals[OPENID] = before


@pytest.mark.row("LGO-02")
def test_a_logout_that_begins_here_ends_the_portals_session_too(world: World, browser: Browser) -> None:
    signed_in(world, browser)
    page = logged_out(world, browser)
    assert page.url == f"{world.at.ours}/connexion/fin/faite", page.text
    assert "est terminée" in page.text
    assert "reste ouvert" not in page.text
    leaving = next(url for _, url, _ in browser.trail if url.startswith(world.portal.url) and "id_token_hint" in url)
    asked = parse_qs(urlsplit(leaving).query)
    assert asked["post_logout_redirect_uri"] == [f"{world.at.ours}/connexion/portail/{OPENID}/fin"]
    assert world.who(browser) is None
    # The portal has forgotten this browser: it asks for the password again.
    browser.open(world.at.leave(OPENID))
    browser.page.form("user", "password")


@pytest.mark.row("LGO-04")
def test_a_logout_at_the_portal_ends_ours_from_server_to_server(world: World, browser: Browser) -> None:
    signed_in(world, browser)
    with world.browser() as other:
        signed_in(world, other)
        browser.open(f"{world.portal.url}?logout=1")
        for _ in range(100):
            if "" in world.journal.codes("logout_by_portal"):
                break
            time.sleep(0.05)
        assert world.journal.codes("logout_by_portal") == [""], (world.journal.lines, world.portal.log()[-2000:])
        assert world.journal.codes("logout_refused") == []
        assert world.who(browser) is None
        # ... and the session of that very browser alone
        assert world.who(other) is not None


def test_by_default_its_early_logout_tokens_are_refused(world: World, browser: Browser) -> None:
    with configured(world, logout_tokens="strict"):
        signed_in(world, browser)
        browser.open(f"{world.portal.url}?logout=1")
        for _ in range(100):
            if world.journal.codes("logout_refused"):
                break
            time.sleep(0.05)
        assert world.journal.codes("logout_refused") == ["oidc.token_type"]
        assert world.who(browser) is not None


def test_userinfo_as_json_and_as_a_signed_token_tell_the_same_person(world: World) -> None:
    told = []
    client = {"client_id": world.signed.id, "client_secret": Secret(world.signed.secret)}
    for changes in ({}, client):
        with configured(world, **changes), world.browser() as browser:
            signed_in(world, browser)
            told.append(world.who(browser))
    assert told[0] == told[1]


@pytest.mark.row("OID-14")
def test_a_change_of_its_keys_is_followed_at_the_next_login(world: World, browser: Browser) -> None:
    signed_in(world, browser)
    world.portal.change_token_key()
    with world.browser() as other:
        signed_in(world, other)
    assert world.journal.codes("login_refused") == []


def test_the_check_up_finds_it_fit(world: World) -> None:
    from datetime import UTC, datetime

    portal = world.gateway.house.portals[OPENID]
    assert isinstance(portal, OidcPortal)
    found = portal.check_up(datetime.now(UTC))
    assert not [each for each in found if each.verdict in (Verdict.WRONG, Verdict.SILENT)]
    assert {each.subject for each in found if each.verdict is Verdict.GOOD} >= {"émetteur", "clés", "signature"}
