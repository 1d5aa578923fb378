"""Every page in every state in a real browser, those that no visit reaches easily included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagin_gateway.pages.render import Pages
from tests.pages.conftest import read, render, settings
from tests.pages.states import STATES
from tests.parts import in_wheel, program, require

pytestmark = pytest.mark.browser

OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

TOO_SMALL = """() => [...document.querySelectorAll('a, button, input:not([type=hidden])')]
    .filter(e => e.offsetParent && !e.closest('.ig-unseen, .ig-skip') && !e.matches('p a, li a, p span a'))
    .filter(e => { const r = e.getBoundingClientRect(); return r.height < 24 || r.width < 24 })
    .map(e => e.outerHTML)"""
"""Targets under 24 px, links within a sentence left out (WCAG 2.2, 2.5.8)."""

SMALL_ALONE = """() => [...document.querySelectorAll(
        '.ig-door, .ig-choice, .ig-button, .ig-input, .ig-alone, .ig-reveal:not([hidden]), .ig-links a, .ig-back a')]
    .filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"""


def built_differently() -> list[str]:
    """Return the states without those that only differ from another one by their words."""
    pages = Pages(settings())
    kinds: dict[tuple[object, ...], str] = {}
    for name in STATES:
        elements = read(render(pages, name)).iter()
        kinds.setdefault(tuple((each.tag, *sorted(each.attrib), each.get("class")) for each in elements), name)
    return list(kinds.values())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Every state at its own address, as the gateway would send it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    base = f"http://127.0.0.1:{server.server_port}"
    pages = Pages(settings(development=True, base_url=base))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asset = pages.asset(self.path.removeprefix("/connexion"))
            name = self.path.strip("/")
            response = asset or render(pages, name if name in STATES else "refusal-R13")
            self.send_response(response.status)
            for header in response.header_lines():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield base
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    require("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program("chromium")), args=OPTIONS)
        yield started
        started.close()


@pytest.mark.row("A11-12")
@pytest.mark.parametrize("width", [320, 768])
def test_no_state_scrolls_sideways_and_every_target_is_large_enough(chromium: Any, address: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 640}, bypass_csp=True)
    page = context.new_page()
    wide: dict[str, int] = {}
    small: dict[str, list[str]] = {}
    for name in STATES:
        page.goto(f"{address}/{name}")
        small[name] = page.evaluate(TOO_SMALL) + page.evaluate(SMALL_ALONE)
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
        page.add_style_tag(
            content="* { line-height: 1.5 !important; letter-spacing: .12em !important }"
            "* { word-spacing: .16em !important } p { margin-bottom: 2em !important }"
        )
        wide[name + ", spaced"] = page.evaluate("document.documentElement.scrollWidth")
        page.add_style_tag(content="html { font-size: 200% }")
        wide[name + ", large"] = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert {name: found for name, found in wide.items() if found > width} == {}
    assert {name: found for name, found in small.items() if found} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(chromium: Any, address: str, scheme: str) -> None:
    require("axe")
    script = in_wheel("axe_playwright_python", "axe.min.js")
    assert script is not None
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    found = []
    for name in built_differently():
        page.goto(f"{address}/{name}")
        page.add_script_tag(path=str(script))
        told = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
        for each in (*told["violations"], *told["incomplete"]):
            found.append((name, each["id"], [node["html"] for node in each["nodes"]]))
    context.close()
    assert found == []


def test_without_script_every_error_takes_the_focus(chromium: Any, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, state in STATES.items():
        page.goto(f"{address}/{name}")
        assert page.locator("#erreurs:focus").count() == (1 if state.error else 0), name
        assert page.locator("button[data-reveals]:visible").count() == 0
    context.close()


def test_with_forced_colours_a_door_a_choice_and_a_message_keep_their_edges(chromium: Any, address: str) -> None:
    context = chromium.new_context(forced_colors="active")
    page = context.new_page()
    edges = """name => [...document.querySelectorAll(name)].every(e => {
        const s = getComputedStyle(e); return s.borderTopStyle !== 'none' && parseFloat(s.borderTopWidth) >= 2 })"""
    for name, kinds in {
        "chooser": (".ig-door",),
        "question-2-wrong": (".ig-choice", ".ig-message", ".ig-button"),
        "login-failed": (".ig-message", ".ig-form", ".ig-input"),
    }.items():
        page.goto(f"{address}/{name}")
        for kind in kinds:
            assert page.locator(kind).count() > 0
            assert page.evaluate(edges, kind), kind
    context.close()


def test_showing_what_is_typed_is_announced_and_undone_when_sent(chromium: Any, address: str) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{address}/password-change")
    field, state = page.locator("#nouveau"), page.locator("#nouveau-state")
    field.fill("ce que je tape")
    page.locator("[data-reveals=nouveau]").press("Space")
    assert field.get_attribute("type") == "text"
    assert state.text_content() == "Ce que vous tapez est visible."
    # The other fields have buttons of their own.
    assert page.locator("#encore").get_attribute("type") == "password"
    page.evaluate("document.querySelector('main form').addEventListener('submit', e => e.preventDefault())")
    page.locator("main form button[type=submit]").click()
    assert field.get_attribute("type") == "password"
    context.close()


def test_the_whole_card_of_a_door_and_the_whole_row_of_an_answer_are_targets(chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/question-2")
    row = page.locator(".ig-choice").nth(5)
    box = row.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 10, box["y"] + box["height"] - 6)
    assert row.locator("input").is_checked()
    page.goto(f"{address}/chooser")
    card = page.locator(".ig-door").nth(1).bounding_box()
    page.mouse.click(card["x"] + card["width"] - 10, card["y"] + card["height"] - 6)
    page.wait_for_url("**/connexion/acces/arena-paris")
    context.close()
