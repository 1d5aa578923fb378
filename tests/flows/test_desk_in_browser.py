"""The help desk in a real browser: a helper finds somebody, and sees a new provisional password once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from examples.demo.ports import free_ports
from tests.client import host_asgi
from tests.flows.conftest import TheHouse
from tests.flows.test_desk import GOOD, open_desk
from tests.parts import in_wheel, program, require

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TheHouse]:
    """A house whose help desk is open to somebody of the direct door."""
    (port,) = free_ports(1)
    # A password is enough here: what a second factor asks has browser tests of its own.
    base = f"http://127.0.0.1:{port}"
    opened = open_desk("asgi", tmp_path, base_url=base, desk={"strength": ["pwd"]})
    config = uvicorn.Config(
        opened.gateway.asgi(host_asgi), host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield opened
    server.should_exit = True
    thread.join()
    opened.gateway.close()


@pytest.fixture
def page(site: TheHouse) -> Iterator[Any]:
    """A page of somebody without script, who signed in by the direct door."""
    require("chromium")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program("chromium")), args=options)
        context = started.new_context(locale="fr-FR", bypass_csp=True)
        opened = context.new_page()
        opened.goto(site.gateway.settings.base_url + "/connexion/direct")
        opened.fill("#identifiant", "pmartin2")
        opened.fill("#motdepasse", site.letters["pmartin2"])
        opened.click("button[type=submit]")
        opened.fill("#nouveau", GOOD)
        opened.fill("#encore", GOOD)
        opened.click("button[type=submit]")
        yield opened
        started.close()


def nothing_wrong(page: Any) -> None:
    """Let axe-core look at the page."""
    require("axe")
    script = in_wheel("axe_playwright_python", "axe.min.js")
    assert script is not None
    page.add_script_tag(path=str(script))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []


def test_a_helper_finds_somebody_with_the_keyboard_and_shows_a_password_once(site: TheHouse, page: Any) -> None:
    page.goto(site.gateway.settings.base_url + "/connexion/assistance")
    assert page.locator("h1").inner_text() == "Assistance"
    nothing_wrong(page)
    page.focus("#cherche")
    page.keyboard.type("durand")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "Marie DURAND" in page.locator("main").inner_text()
    assert "durand" not in page.url
    nothing_wrong(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Ouvrir le dossier de mdurand7").press("Enter")
    assert page.locator("h1").inner_text() == "Dossier de mdurand7"
    nothing_wrong(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Réémettre un mot de passe provisoire").press("Enter")
    nothing_wrong(page)
    with page.expect_navigation():
        page.get_by_role("button", name="Réémettre").press("Enter")
    shown = page.locator("dd .ig-code").inner_text()
    assert len(shown.replace(" ", "")) == 15
    nothing_wrong(page)
    page.reload()
    assert page.locator("h1").inner_text() == "Cette page a déjà servi"
    assert shown not in page.content()
    page.go_back()
    assert shown not in page.content(), "going back shows it no more than reloading"
    page.goto(site.gateway.settings.base_url + "/connexion/assistance")
    page.fill("#cherche", "pm")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator("#erreurs:focus").wait_for()
    page.fill("#cherche", "pmartin2")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    with page.expect_navigation():
        page.get_by_role("link", name="Ouvrir le dossier de pmartin2").click()
    assert "votre propre compte" in page.locator("main").inner_text()
