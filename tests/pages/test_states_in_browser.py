"""Every page in every state in a real browser, those that no visit reaches easily included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagin_gateway.pages.render import Pages
from scripts.gallery import shown
from tests.pages.conftest import LANGUAGES, settings
from tests.pages.served import OPTIONS, served
from tests.pages.states import ENGLISH, STATES
from tests.parts import in_wheel, program, require

pytestmark = pytest.mark.browser

TOO_SMALL = """() => [...document.querySelectorAll('a, button, input:not([type=hidden])')]
    .filter(e => e.offsetParent && !e.closest('.ig-unseen, .ig-skip') && !e.matches('p a, li a, p span a'))
    .filter(e => { const r = e.getBoundingClientRect(); return r.height < 24 || r.width < 24 })
    .map(e => e.outerHTML)"""
"""Targets under 24 px, links within a sentence left out (WCAG 2.2, 2.5.8)."""

SMALL_ALONE = """() => [...document.querySelectorAll(
        '.ig-door, .ig-choice, .ig-button, .ig-input, .ig-alone, .ig-reveal:not([hidden]), .ig-links a, .ig-back a')]
    .filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served() as base:
        yield base


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    require("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program("chromium")), args=OPTIONS)
        yield started
        started.close()


SPACED = (
    "* { line-height: 1.5 !important; letter-spacing: .12em !important }"
    "* { word-spacing: .16em !important } p { margin-bottom: 2em !important }"
)
"""What people may ask for (WCAG 2.2, 1.4.12)."""

EDGES = """() => [...document.querySelectorAll('.ig-door, .ig-choice, .ig-message, .ig-form, .ig-button, .ig-input')]
    .filter(e => { const s = getComputedStyle(e);
        return s.borderTopStyle === 'none' || parseFloat(s.borderTopWidth) < 2 })
    .map(e => e.outerHTML)"""

MOVING = """() => [...document.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);
    return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0 || s.scrollBehavior === 'smooth' })
    .map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def survey(chromium: Any, address: str) -> dict[str, dict[str, Any]]:
    """What is wrong in each state, by check: one visit serves all of them, since visits are what takes time."""
    require("axe")
    axe = in_wheel("axe_playwright_python", "axe.min.js")
    assert axe is not None
    script = axe.read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = {kind: {} for kind in ("axe", "wide", "small", "edges", "moving")}
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page = context.new_page()
    differently = shown()
    for name in STATES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{address}/{name}")
        if name in differently:
            page.evaluate(script)
            page.emulate_media(color_scheme="light", forced_colors="none")
            found["axe"][name] = _by_axe(page, "{resultTypes: ['violations', 'incomplete']}")
            page.emulate_media(color_scheme="dark")
            contrast = "{runOnly: ['color-contrast', 'link-in-text-block'], resultTypes: ['violations', 'incomplete']}"
            found["axe"][name + ", dark"] = _by_axe(page, contrast)
            page.emulate_media(color_scheme="light", forced_colors="active", reduced_motion="reduce")
            found["edges"][name] = page.evaluate(EDGES)
            found["moving"][name] = page.evaluate(MOVING)
            page.emulate_media(forced_colors="none")
        page.set_viewport_size({"width": 768, "height": 900})
        found["small"][name + " at 768"] = page.evaluate(TOO_SMALL) + page.evaluate(SMALL_ALONE)
        found["wide"][name + " at 768"] = max(0, page.evaluate("document.documentElement.scrollWidth") - 768)
        page.set_viewport_size({"width": 320, "height": 640})
        found["small"][name] = page.evaluate(TOO_SMALL) + page.evaluate(SMALL_ALONE)
        for more in ("", SPACED, "html { font-size: 200% }"):
            if more:
                page.add_style_tag(content=more)
            found["wide"][f"{name} {more}"] = max(0, page.evaluate("document.documentElement.scrollWidth") - 320)
    # English words are of other lengths, in the same elements.
    page.set_viewport_size({"width": 320, "height": 640})
    for name in (*ENGLISH, *(f"en/{each}" for each in differently)):
        page.goto(f"{address}/{name}")
        page.add_style_tag(content=SPACED)
        found["wide"][name] = max(0, page.evaluate("document.documentElement.scrollWidth") - 320)
        page.add_style_tag(content="html { font-size: 200% }")
        found["wide"][name + ", large"] = max(0, page.evaluate("document.documentElement.scrollWidth") - 320)
    for name in ENGLISH:
        page.goto(f"{address}/{name}")
        page.evaluate(script)
        found["axe"][name] = _by_axe(page, "{resultTypes: ['violations', 'incomplete']}")
    context.close()
    return {kind: {name: what for name, what in each.items() if what} for kind, each in found.items()}


def _by_axe(page: Any, options: str) -> list[tuple[str, list[str]]]:
    told = page.evaluate(f"axe.run(document, {options})")
    return [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in (*told["violations"], *told["incomplete"])
    ]


@pytest.mark.row("A11-12")
def test_no_state_scrolls_sideways_narrow_with_wide_spacing_or_with_large_text(survey: dict[str, Any]) -> None:
    assert survey["wide"] == {}


@pytest.mark.row("A11-12")
def test_every_target_is_large_enough(survey: dict[str, Any]) -> None:
    assert survey["small"] == {}


@pytest.mark.row("A11-10")
def test_axe_finds_nothing_in_any_state_in_both_schemes(survey: dict[str, Any]) -> None:
    assert survey["axe"] == {}


def test_with_forced_colours_everything_keeps_its_edges(survey: dict[str, Any], chromium: Any, address: str) -> None:
    assert survey["edges"] == {}
    context = chromium.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(f"{address}/question-2")
    page.locator(".ig-choice input").first.press("Space")
    chosen = page.locator(".ig-choice").first.evaluate("e => getComputedStyle(e).outlineStyle")
    context.close()
    assert chosen == "solid", "which answer is chosen is more than a colour"


def test_nothing_moves_even_for_whoever_asked_for_less(survey: dict[str, Any]) -> None:
    assert survey["moving"] == {}


def test_without_script_every_error_takes_the_focus(chromium: Any, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, state in STATES.items():
        if state.error or name in ("login", "password-change"):
            page.goto(f"{address}/{name}")
            assert page.locator("#erreurs:focus").count() == (1 if state.error else 0), name
            assert page.locator("button[data-reveals]:visible").count() == 0
    context.close()


def test_without_script_enter_in_the_form_of_a_passkey_sends_nothing(chromium: Any, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, field in (("passkey-add", "#nom"), ("second-step", "#confiance-cle")):
        page.goto(f"{address}/{name}")
        assert page.locator("form[data-passkey] [data-without]").is_visible()
        sent: list[str] = []
        page.on("request", lambda request, sent=sent: sent.append(request.method))
        page.locator(field).press("Enter")
        page.wait_for_timeout(200)
        assert sent == [], name
    context.close()


FOCUSABLE = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden])')]
    .filter(e => !e.hidden && e.tabIndex >= 0)
    // One stop for the whole group of radio buttons: the first, while none is chosen.
    .filter(e => e.type !== 'radio' || e === document.querySelector(`input[name="${e.name}"]`))
    .map(e => e.outerHTML.slice(0, 160))"""

FOCUSED = """() => { const e = document.activeElement;
    const ringed = e.closest('.ig-door') || e, s = getComputedStyle(ringed), r = e.getBoundingClientRect();
    return { what: e.outerHTML.slice(0, 160), ring: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 3,
             seen: r.bottom > 0 && r.top < innerHeight && r.right > 0 } }"""


@pytest.mark.row("A11-11")
def test_the_keyboard_alone_reaches_everything_in_order_sees_where_it_is_and_gets_out(
    chromium: Any, address: str
) -> None:
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    for name in shown():
        page.goto(f"{address}/{name}")
        expected = page.evaluate(FOCUSABLE)
        if STATES[name].error:
            # The box of an error has the focus already: begin at the top all the same.
            page.locator(".ig-skip").focus()
            expected = expected[1:]
        for each in expected:
            page.keyboard.press("Tab")
            told = page.evaluate(FOCUSED)
            assert told == {"what": each, "ring": True, "seen": True}, name
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.outerHTML.slice(0, 160)") != expected[-1], f"a trap in {name}"
    context.close()


def test_without_its_style_sheet_a_page_reads_in_order_and_every_form_is_whole(chromium: Any, address: str) -> None:
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    context.route("**/*.css", lambda route: route.abort())
    page = context.new_page()
    for name in shown():
        page.goto(f"{address}/{name}")
        assert page.evaluate("document.styleSheets.length") <= 1
        assert page.evaluate("getComputedStyle(document.body).display") == "block", "styles are off"
        text = page.locator("body").inner_text()
        heading = page.locator("h1").inner_text()
        # The name of the service, then what this page is, then the help: the order of the source.
        assert text.index("Imagin SIEC") < text.index(heading) <= text.rindex("Besoin d’aide"), name
        for field in page.locator("main input:not([type=hidden])").all():
            assert field.is_visible(), name
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


class Portal:
    """Another site: shows our page that passes a message on, and keeps what reaches it."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.heard: list[str] = []

    def handler(self, ours: str, pages: Pages) -> type[BaseHTTPRequestHandler]:
        fields = {"SAMLResponse": "PHNhbWw+", "RelayState": '"><b>7'}
        action = self.address + "/fin"
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                response = pages.asset(self.path.removeprefix("/connexion")) or pages.render(
                    "logout_answer", language=LANGUAGES["fr"], form_targets=[action], action=action, fields=fields
                )
                self.answer(response.status, response.header_lines(), response.body)

            def do_POST(self) -> None:
                portal.heard.append(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(200, [("Content-Type", "text/html")], b"<title>x</title><p>fini</p>")

            def answer(self, status: int, headers: Any, body: bytes) -> None:
                self.send_response(status)
                for header in headers:
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.mark.row("A11-14")
@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_message_to_a_portal_goes_at_once_with_a_script_and_by_a_named_button_without(
    chromium: Any, script: bool
) -> None:
    portal, ours = Portal(), ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{ours.server_port}"
    pages = Pages(settings(development=True, base_url=address))
    portal.server.RequestHandlerClass = ours.RequestHandlerClass = portal.handler(address, pages)
    threads = [threading.Thread(target=each.serve_forever, daemon=True) for each in (portal.server, ours)]
    for thread in threads:
        thread.start()
    context = chromium.new_context(java_script_enabled=script)
    page = context.new_page()
    try:
        page.goto(address + "/relay", wait_until="commit")
        if not script:
            button = page.get_by_role("button", name="Revenir au portail")
            button.focus()
            assert portal.heard == []
            page.keyboard.press("Enter")
        page.wait_for_url(portal.address + "/fin")
        assert page.locator("p").inner_text() == "fini"
    finally:
        context.close()
        for server, thread in zip((portal.server, ours), threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
    assert portal.heard == ["SAMLResponse=PHNhbWw%2B&RelayState=%22%3E%3Cb%3E7"]
