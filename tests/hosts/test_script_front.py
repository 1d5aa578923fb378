"""A host whose pages are a script, under its real server, in a real browser: refused, in, and out; no page of ours."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo.ports import free_ports
from imagin_gateway import Gateway, Settings
from imagin_gateway.events import CallSink
from tests.flows.conftest import LIST
from tests.hosts.conftest import ROOT, SETTINGS, Served, _ready
from tests.pages.test_browser import browser

__all__ = ["browser"]

pytestmark = pytest.mark.browser

GOOD = "quatre mots sans aucun lien"


@pytest.fixture(scope="module")
def letters() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, letters: dict[str, str]) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("script")
    (port,) = free_ports(1)
    file = folder / "gateway.toml"
    keys = {"signing": secrets.token_urlsafe(48), "provisional": secrets.token_urlsafe(48)}
    file.write_text(SETTINGS.format(port=port, **keys), encoding="utf-8")
    gateway = Gateway(Settings.load(file), sink=CallSink(lambda _: None), sends_mail=False)
    (folder / "list.csv").write_text(LIST, encoding="utf-8")

    def kept(letter: Any) -> None:
        letters[letter.identifier] = letter.provisional.reveal()

    gateway.house.direct.lists.import_list(folder / "list.csv", each=kept)
    command = [sys.executable, "-m", "uvicorn", "examples.hosts.script_app:app", "--lifespan", "off"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--log-level", "warning"],
            cwd=ROOT,
            env={**os.environ, "IMAGIN_GATEWAY_FILE": str(file)},
            stderr=log,
        )
    try:
        yield _ready(Served("script", port, gateway, folder, process))
    finally:
        process.terminate()
        process.wait(30)
        gateway.close()


@pytest.fixture
def page(browser: Any, host: Served) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 360, "height": 800}, locale="fr-FR")
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    opened.errors = []
    opened.documents = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("console", lambda said: opened.errors.append(said.text) if "Content Security" in said.text else None)
    opened.on("request", lambda each: opened.documents.append(each.url) if each.resource_type == "document" else None)
    opened.goto(f"http://127.0.0.1:{host.port}/")
    yield opened
    context.close()


def heading(page: Any, words: str) -> None:
    page.get_by_role("heading", level=1, name=words).wait_for()


def test_a_letter_leads_in_and_out_without_one_page_of_ours(host: Served, page: Any, letters: dict[str, str]) -> None:
    heading(page, "Accéder à Imagin SIEC")
    page.get_by_role("link", name="Accès direct").first.click()
    page.get_by_role("link", name="Aller à l’accès direct").click()
    heading(page, "Accès direct à Imagin SIEC")
    page.get_by_label("Identifiant").fill("mdurand7")
    page.get_by_label("Mot de passe").fill("un mauvais mot de passe")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text() == "L’identifiant et le mot de passe ne correspondent pas."
    # What was typed once is not asked for again; a password never comes back.
    assert page.get_by_label("Identifiant").input_value() == "mdurand7"
    assert page.get_by_label("Mot de passe").input_value() == ""
    page.get_by_label("Mot de passe").fill(letters["mdurand7"])
    page.keyboard.press("Enter")
    new = page.locator("input[name=nouveau]")
    new.wait_for()
    new.fill("court")
    page.locator("input[name=encore]").fill("court")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert page.locator("input[name=nouveau]").get_attribute("aria-invalid") == "true"
    page.locator("input[name=nouveau]").fill(GOOD)
    page.locator("input[name=encore]").fill(GOOD)
    page.keyboard.press("Enter")
    heading(page, "Votre session")
    assert page.get_by_text("Marie DURAND").count() == 1
    told = page.evaluate("fetch('/api/frais', {headers: {Accept: 'application/json'}}).then((a) => a.json())")
    assert told == {"name": "Marie DURAND"}
    page.get_by_role("link", name="Terminer maintenant").click()
    page.get_by_role("button", name="Terminer la session").click()
    heading(page, "Votre session Imagin SIEC est terminée")
    refused = page.evaluate("fetch('/api/frais', {headers: {Accept: 'application/json'}}).then((a) => a.status)")
    assert refused == 401
    assert page.evaluate("document.cookie") == ""
    assert page.errors == []
    assert all("/connexion" not in address for address in page.documents), page.documents
    events = [json.loads(line)["event"] for line in host.events().splitlines()]
    assert {"login", "login_refused", "password_refused", "logout"} <= set(events)


def test_the_code_of_the_documentation_does_what_it_says(host: Served, page: Any, letters: dict[str, str]) -> None:
    told = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```js\n(.*?)```", told, re.DOTALL)
    assert "fetch(" in code
    tried = "return [await signIn(who, 'faux'), await signIn(who, word), await signOut()]"
    act = f"(async ([who, word]) => {{ {code} {tried} }})"
    wrong, right, out = page.evaluate(act, ["pmartin2", letters["pmartin2"]])
    assert (wrong["status"], wrong["code"], wrong["again"]["step"]) == (403, "direct.credentials", "login")
    assert (right["step"], right["mode"]) == ("password", "first")
    assert out["step"] == "logged_out"


def test_the_questions_are_asked_by_the_same_script(page: Any) -> None:
    heading(page, "Accéder à Imagin SIEC")
    page.get_by_role("link", name="Je ne sais pas").click()
    page.locator("input[type=radio]").first.wait_for()
    page.get_by_role("button").click()
    page.get_by_role("alert").wait_for()
    page.locator("input[type=radio]").first.check()
    page.get_by_role("button").click()
    page.get_by_role("alert").wait_for(state="detached")
    assert page.errors == []


def test_the_example_needs_no_build_and_loads_nothing_from_elsewhere() -> None:
    folder = Path(ROOT) / "examples/hosts/front"
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
