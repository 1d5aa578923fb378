"""Passkeys in a real browser, with the authenticator that Chromium simulates: our own script, our own pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from examples.demo.ports import free_ports
from imagin_gateway.identity import DIRECT_ISSUER
from imagin_gateway.keys import Secret
from tests.client import host_asgi
from tests.flows.conftest import TheHouse, open_house
from tests.flows.test_direct_journeys import GOOD
from tests.pages.test_browser import browser  # noqa: F401  # a fixture

pytestmark = pytest.mark.browser

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheHouse]:
    (port,) = free_ports(1)
    # A name: no browser makes a passkey for an address in figures.
    opened = open_house(
        "asgi",
        tmp_path_factory.mktemp("site"),
        base_url=f"http://localhost:{port}",
        second_factor={"mode": "optional", "passkey_alone": True},
    )
    server = uvicorn.Server(
        uvicorn.Config(
            opened.gateway.asgi(host_asgi), host="localhost", port=port, log_level="error", lifespan="off", ws="none"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield opened
    server.should_exit = True
    thread.join()
    opened.gateway.close()


@pytest.fixture
def page(browser: Any, site: TheHouse) -> Iterator[Any]:  # noqa: F811
    """A page of a browser that has a device, and of nobody."""
    context = browser.new_context(viewport={"width": 360, "height": 800}, locale="fr-FR")
    opened = context.new_page()
    opened.errors = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("console", lambda told: opened.errors.append(told.text) if told.type == "error" else None)
    devtools = context.new_cdp_session(opened)
    devtools.send("WebAuthn.enable")
    opened.device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]
    opened.devtools = devtools
    yield opened
    assert opened.errors == []
    context.close()


def at(site: TheHouse, path: str) -> str:
    return site.gateway.settings.base_url + path


def personalise(site: TheHouse, identifier: str) -> None:
    """Choose a password away from the browser."""
    password = Secret(GOOD)
    site.gateway.house.direct.passwords.choose_first(identifier, password, password)


def sign_in(site: TheHouse, page: Any, identifier: str, next_page: str = "/connexion/securite/cle") -> None:
    page.goto(at(site, f"/connexion/direct?next={next_page}"))
    page.fill("#identifiant", identifier)
    page.fill("#motdepasse", GOOD)
    page.click("main button[type=submit]")


def enrol(site: TheHouse, page: Any, identifier: str) -> None:
    personalise(site, identifier)
    sign_in(site, page, identifier)
    page.fill("#nom", "Téléphone")
    assert page.locator("[data-without]").is_hidden()
    page.get_by_role("button", name="Créer la clé d’accès").click()
    page.wait_for_selector("h1:has-text('Vos codes de secours')")
    assert page.locator("ol code").count() == 10
    (kept,) = site.gateway.house.direct.factors.of(identifier).passkeys
    assert kept.name == "Téléphone"
    page.context.clear_cookies()
    site.gateway.house.sessions.end_person(DIRECT_ISSUER, identifier)


def amr(site: TheHouse, identifier: str) -> tuple[str, ...]:
    (session,) = site.gateway.house.sessions.list_person(DIRECT_ISSUER, identifier)
    return session.amr


def test_a_passkey_is_made_then_used_after_the_password_then_alone(site: TheHouse, page: Any) -> None:
    enrol(site, page, "mdurand7")
    sign_in(site, page, "mdurand7", "/missions")
    page.get_by_role("button", name="Utiliser une clé d’accès").click()
    page.wait_for_url("**/missions")
    assert page.inner_text("body") == "direct|mdurand7|Marie DURAND"
    assert amr(site, "mdurand7") == ("pwd", "pop", "mfa")
    page.context.clear_cookies()
    site.gateway.house.sessions.end_person(DIRECT_ISSUER, "mdurand7")
    page.goto(at(site, "/connexion/direct?next=/missions"))
    page.get_by_role("link", name="Se connecter avec une clé d’accès").click()
    page.get_by_role("button", name="Utiliser une clé d’accès").click()
    page.wait_for_url("**/missions")
    assert amr(site, "mdurand7") == ("pop", "user", "mfa")
    assert not site.codes("second_step_refused")


def test_a_device_that_does_not_check_its_owner_sends_nothing(site: TheHouse, page: Any) -> None:
    enrol(site, page, "pmartin2")
    page.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": page.device, "isUserVerified": False})
    sign_in(site, page, "pmartin2", "/missions")
    page.get_by_role("button", name="Utiliser une clé d’accès").click()
    page.wait_for_selector("[data-said]:has-text('La clé d’accès n’a pas répondu')")
    assert not site.gateway.house.sessions.list_person(DIRECT_ISSUER, "pmartin2")
    button = page.get_by_role("button", name="Utiliser une clé d’accès")
    assert button.is_enabled()
    assert button.evaluate("e => e === document.activeElement"), "whoever reads with a keyboard keeps the place"


def test_on_another_origin_the_browser_has_no_such_passkey_and_a_stolen_page_gets_nothing(
    site: TheHouse, page: Any
) -> None:
    personalise(site, "sansmail")
    enrolled = site.gateway.house.direct.factors.of("sansmail")
    assert not enrolled.any
    sign_in(site, page, "sansmail")
    asked = page.get_attribute("form[data-passkey]", "data-passkey")
    page.goto(at(site, "/connexion/securite/cle").replace("localhost", "127.0.0.1"))
    told = page.evaluate(
        """async (asked) => {
            const read = JSON.parse(asked);
            const plain = (text) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
            const bytes = (text) => Uint8Array.from(plain(text), (sign) => sign.charCodeAt(0));
            read.challenge = bytes(read.challenge);
            read.user.id = bytes(read.user.id);
            read.excludeCredentials = [];
            try { await navigator.credentials.create({ publicKey: read }); return "made"; }
            catch (error) { return error.name; }
        }""",
        asked,
    )
    assert told == "SecurityError"
    page.errors.clear()  # the page of the other address is refused, and says so in the console
    assert not site.gateway.house.direct.factors.of("sansmail").any


def test_without_script_the_pages_offer_another_way(browser: Any, site: TheHouse, tmp_path: Path) -> None:  # noqa: F811
    context = browser.new_context(java_script_enabled=False, locale="fr-FR")
    page = context.new_page()
    page.goto(at(site, "/connexion/cle"))
    assert page.get_by_text("Ce navigateur ne permet pas les clés d’accès").is_visible()
    assert page.locator("main button").is_hidden()
    assert page.get_by_role("link", name="Se connecter avec le mot de passe").is_visible()
    context.close()
