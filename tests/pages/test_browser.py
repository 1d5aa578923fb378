"""The pages in a real browser: a narrow phone, the keyboard alone, no script, and axe-core on every state."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from examples.demo.ports import free_ports
from tests.client import host_asgi
from tests.flows.conftest import TheHouse, open_house
from tests.parts import in_wheel, program, require

pytestmark = pytest.mark.browser

PATHS = {
    "chooser": "/connexion/",
    "question": "/connexion/question?emetteur=siec",
    "question, nothing ticked": "/connexion/question?question=emetteur",
    "portal": "/connexion/question?emetteur=siec&poste=paris&mail=oui",
    "direct": "/connexion/acces/direct",
    "elsewhere": "/connexion/question?emetteur=autre",
    "help": "/connexion/question?emetteur=inconnu&poste=inconnu&imprime=inconnu",
    "login": "/connexion/direct",
    "forgotten": "/connexion/mot-de-passe/oubli",
    "forgotten, sent": "/connexion/mot-de-passe/oubli/envoye",
    "changed": "/connexion/mot-de-passe/fait",
    "logout": "/connexion/fin",
    "logged out": "/connexion/fin/faite?porte=arena-paris",
    "not found": "/connexion/rien",
    "dead link": "/connexion/mot-de-passe/nouveau",
    "too old": "/connexion/arrivee",
}

SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TheHouse]:
    (port,) = free_ports(1)
    opened = open_house("asgi", tmp_path_factory.mktemp("site"), base_url=f"http://127.0.0.1:{port}")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    require("chromium")
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program("chromium")), args=options)
        yield started
        started.close()


def page_of(browser: Any, site: TheHouse, path: str, **options: Any) -> Any:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "fr-FR", **options})
    page = context.new_page()
    page.goto(site.gateway.settings.base_url + path)
    return page


@pytest.mark.row("A11-12")
def test_the_pages_of_a_visit_fit_a_narrow_screen_and_axe_finds_nothing(browser: Any, site: TheHouse) -> None:
    require("axe")
    axe = in_wheel("axe_playwright_python", "axe.min.js")
    assert axe is not None
    script = axe.read_text(encoding="utf-8")
    page = page_of(browser, site, "/connexion/", bypass_csp=True)
    found: dict[str, Any] = {}
    for name, path in PATHS.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(site.gateway.settings.base_url + path)
        page.evaluate(script)
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        page.emulate_media(color_scheme="dark")
        violations += page.evaluate("axe.run(document, {runOnly: ['color-contrast']})")["violations"]
        found[name] = [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
        page.set_viewport_size({"width": 320, "height": 640})
        for more in ("", SPACING, "html { font-size: 200% }"):
            if more:
                page.add_style_tag(content=more)
            if (width := page.evaluate("document.documentElement.scrollWidth")) > 320:
                found[name].append((f"{width} pixels wide", more))
    page.context.close()
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.row("A11-11")
def test_the_keyboard_reaches_everything_in_order_and_focus_is_seen(browser: Any, site: TheHouse) -> None:
    page = page_of(browser, site, "/connexion/direct")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.id || e.textContent.trim().slice(0, 30), s.outlineStyle !== 'none'] }"""
        )
        reached.append(told)
    names = [name for name, _ in reached]
    assert names[:8] == [
        "Aller au contenu",
        "Imagin SIEC",
        "English",
        "Choisir un autre accès",
        "identifiant",
        "motdepasse",
        "Afficher le mot de passe",
        "Mot de passe oublié\u00a0?",
    ]
    assert names[8] == "Se connecter"
    assert all(seen for _, seen in reached[:9]), reached
    page.goto(site.gateway.settings.base_url + "/connexion/direct")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenu"
    page.context.close()


@pytest.mark.row("A11-08")
def test_a_password_can_be_shown_and_is_hidden_again_when_sent(browser: Any, site: TheHouse) -> None:
    page = page_of(browser, site, "/connexion/direct")
    button = page.locator("[data-reveals=motdepasse]")
    page.fill("#motdepasse", "secret")
    button.press("Enter")
    assert page.get_attribute("#motdepasse", "type") == "text"
    assert button.inner_text() == "Masquer le mot de passe"
    button.press("Enter")
    assert page.get_attribute("#motdepasse", "type") == "password"
    page.context.close()
    bare = page_of(browser, site, "/connexion/direct", java_script_enabled=False)
    assert not bare.locator("[data-reveals=motdepasse]").is_visible()
    bare.context.close()


def test_a_second_click_while_the_answer_is_awaited_sends_nothing(browser: Any, site: TheHouse) -> None:
    """The first one chose the password: told of the second alone, somebody would think that nothing was done."""
    page = page_of(browser, site, "/connexion/direct?next=/missions")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/direct", hold)

    def click(times: int = 1) -> None:
        box = page.locator("form button[type=submit]").bounding_box()
        for _ in range(times):
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.wait_for_timeout(150)

    page.fill("#identifiant", "mdurand7")
    page.fill("#motdepasse", site.letters["mdurand7"])
    click(2)
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_selector("#nouveau")
    # Nothing came of it: back on the page, it is sent anew at once.
    page.route("**/mot-de-passe", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.fill("#nouveau", "quatre mots bien longs")
    page.fill("#encore", "quatre mots bien longs")
    click()
    page.unroute("**/mot-de-passe")
    page.go_back()
    page.fill("#nouveau", "quatre mots bien longs")
    page.fill("#encore", "quatre mots bien longs")
    click()
    page.wait_for_url("**/missions")
    assert page.locator("body").inner_text() == "direct|mdurand7|Marie DURAND"
    page.context.close()


@pytest.mark.row("A11-06")
def test_a_password_manager_fills_in_the_form_and_saves_the_pair(browser: Any, site: TheHouse) -> None:
    page = page_of(browser, site, "/connexion/direct")
    # A manager writes values with no key pressed, and looks for the pair by their tokens, in one form.
    filled = """secret => { const form = document.querySelector('main form');
        const put = (token, value) => { form.querySelector(`[autocomplete="${token}"]`).value = value };
        put('username', 'pmartin2'); put('current-password', secret); return form.querySelectorAll('[name]').length }"""
    assert page.evaluate(filled, "un mauvais mot de passe") >= 2
    page.click("form button[type=submit]")
    assert page.input_value("#identifiant") == "pmartin2"
    page.evaluate(filled, site.letters["pmartin2"])
    page.click("form button[type=submit]")
    # The new password is saved under the name that stands, unseen, in the same form.
    pair = """() => { const form = document.querySelector('#nouveau').form, name = form.querySelector('#compte');
        return [name.value, name.autocomplete, name.type, form.querySelector('#nouveau').autocomplete] }"""
    assert page.evaluate(pair) == ["pmartin2", "username", "text", "new-password"]
    page.context.close()


@pytest.mark.row("A11-06")
def test_pasting_works(browser: Any, site: TheHouse) -> None:
    page = page_of(browser, site, "/connexion/direct")
    page.fill("#identifiant", "collé")
    page.focus("#identifiant")
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+C")
    page.focus("#motdepasse")
    page.keyboard.press("Control+V")
    assert page.input_value("#motdepasse") == "collé"
    page.context.close()


def test_without_script_a_letter_opens_the_door_and_the_error_takes_the_focus(browser: Any, site: TheHouse) -> None:
    page = page_of(browser, site, "/connexion/direct?next=/missions", java_script_enabled=False)
    page.fill("#identifiant", "pmartin2")
    page.fill("#motdepasse", "mauvais")
    page.click("form button[type=submit]")
    assert page.title().startswith("Erreur")
    assert page.locator("#erreurs:focus").count() == 1
    assert page.input_value("#identifiant") == "pmartin2"
    assert page.input_value("#motdepasse") == ""
    page.fill("#motdepasse", site.letters["pmartin2"])
    page.click("form button[type=submit]")
    assert page.locator("h1").inner_text() == "Choisissez votre mot de passe"
    page.fill("#nouveau", "quatre mots bien longs")
    page.fill("#encore", "quatre mots bien longs")
    page.click("form button[type=submit]")
    assert page.locator("body").inner_text() == "direct|pmartin2|Paul MARTIN"
    page.context.close()


def test_nothing_is_asked_of_another_site_and_no_policy_is_broken(browser: Any, site: TheHouse) -> None:
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    for path in PATHS.values():
        page.goto(site.gateway.settings.base_url + path)
    assert [url for url in asked if not url.startswith(site.gateway.settings.base_url)] == []
    assert [text for text in said if "Content Security Policy" in text or "integrity" in text] == [], json.dumps(said)
    context.close()
