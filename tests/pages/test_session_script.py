"""The script for the pages of the host, in a real browser: it warns in time, and keeps the session by one click."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import uvicorn

from examples.demo.ports import free_ports
from imagin_gateway.mounts import visitor
from tests.flows.conftest import TheHouse, open_house
from tests.pages.test_browser import browser  # noqa: F401  # a fixture
from tests.sessions.people import person

ISSUER = "https://arena-creteil.example/idp"

pytestmark = pytest.mark.browser

PAGE = (
    '<!doctype html><html lang="{lang}"><title>Mission</title><h1>Mission</h1>'
    '<label for="note">Note</label> <input id="note">{script}</html>'
)


async def host(scope: Any, receive: Any, send: Any) -> None:
    who = visitor(scope)
    script = f'<script src="{who.session_script}" data-session="{who.session_path}" defer></script>'
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", b"default-src 'none'; script-src 'self'; connect-src 'self'"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": PAGE.format(script=script, lang="en-GB" if scope["path"] == "/english" else "fr").encode(),
        }
    )


@pytest.fixture
def site(tmp_path: Any) -> Iterator[TheHouse]:
    (port,) = free_ports(1)
    opened = open_house("asgi", tmp_path, base_url=f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        opened.gateway.asgi(host), host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
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
def page(browser: Any, site: TheHouse) -> Iterator[Any]:  # noqa: F811
    """A narrow browser of somebody who is signed in."""
    who = person(issuer=ISSUER, door="arena-creteil")
    cookie = site.gateway.house.sessions.open(replace(who, authenticated_at=site.clock.now()))
    context = browser.new_context(viewport={"width": 320, "height": 640}, locale="fr-FR")
    address = site.gateway.settings.base_url
    context.add_cookies([{"name": "ig-session", "value": cookie, "url": address, "httpOnly": True}])
    opened = context.new_page()
    opened.errors = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    yield opened
    context.close()


def left(site: TheHouse) -> float:
    (session,) = site.gateway.house.sessions.list_person(ISSUER, "mdurand7")
    return (session.last_seen + timedelta(minutes=30) - site.clock.now()).total_seconds()


def see(site: TheHouse, page: Any, path: str = "/mission") -> None:
    """Open the page, and let its script ask how long is left."""
    with page.expect_response("**/connexion/session?lang=*") as answered:
        page.goto(site.gateway.settings.base_url + path)
    assert answered.value.status in (200, 401)
    page.wait_for_timeout(50)


@pytest.mark.row("A11-13")
def test_it_warns_in_time_and_one_click_keeps_the_session(site: TheHouse, page: Any) -> None:
    see(site, page)
    assert page.locator("dialog").count() == 0
    site.clock.move(timedelta(minutes=28, seconds=40))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    assert page.locator("dialog").get_attribute("role") == "alertdialog"
    assert page.locator("dialog h2").text_content() == "Votre session va se terminer"
    assert page.evaluate("document.activeElement.textContent") == "Rester en ligne"
    assert left(site) == 80
    page.keyboard.press("Enter")
    page.locator("dialog").wait_for(state="detached")
    assert left(site) == 1800
    assert page.errors == []


@pytest.mark.parametrize("key", ["Enter", "Escape"])
def test_whoever_was_typing_goes_on_typing_where_they_were(site: TheHouse, page: Any, key: str) -> None:
    see(site, page)
    page.locator("#note").focus()
    site.clock.move(timedelta(minutes=28, seconds=40))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press(key)
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("document.activeElement.id") == "note"
    assert page.errors == []


def test_it_speaks_the_language_of_the_page_it_is_in_whatever_the_browser_says(site: TheHouse, page: Any) -> None:
    see(site, page, "/english")
    site.clock.move(timedelta(minutes=28, seconds=40))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    assert page.locator("dialog h2").text_content() == "Your session is about to end"
    assert page.evaluate("document.activeElement.textContent") == "Stay signed in"
    page.keyboard.press("Enter")
    page.locator("dialog").wait_for(state="detached")
    assert {each["name"] for each in page.context.cookies()} <= {"ig-session", "ig-browser"}
    assert page.errors == []


@pytest.mark.row("A11-13")
def test_it_says_when_the_session_is_over_and_where_to_go(site: TheHouse, page: Any) -> None:
    see(site, page, "/missions/3?onglet=frais&tri=date")
    site.clock.move(timedelta(minutes=31))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    assert page.locator("dialog h2").text_content() == "Votre session est terminée"
    page.locator("dialog button").click()
    # And comes back to this page after the login.
    page.wait_for_url(lambda url: "/connexion/" in url)
    assert page.url.endswith("/connexion/?next=%2Fmissions%2F3%3Fonglet%3Dfrais%26tri%3Ddate")
    assert page.errors == []


@pytest.mark.parametrize("fails", [503, 403, None])
def test_staying_on_that_fails_is_not_told_as_the_end(site: TheHouse, page: Any, fails: int | None) -> None:
    see(site, page)
    site.clock.move(timedelta(minutes=28, seconds=40))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    failed = []

    def fail(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        failed.append(route)
        if fails is None:
            route.abort()
        else:
            route.fulfill(status=fails, body="{}")

    page.route("**/connexion/session?lang=*", fail)
    page.keyboard.press("Enter")
    for _ in range(300):
        # On a busy machine the order leaves late: failing must be over before it is let through.
        page.wait_for_timeout(200)
        if failed:
            break
    assert failed
    page.wait_for_timeout(200)
    assert page.locator("dialog[open] h2").text_content() == "Votre session va se terminer"
    page.unroute("**/connexion/session?lang=*")
    page.locator("dialog button").first.click()
    page.locator("dialog").wait_for(state="detached")
    assert left(site) == 1800
    assert page.errors == []


def test_staying_on_after_the_end_says_that_it_is_over(site: TheHouse, page: Any) -> None:
    see(site, page)
    site.clock.move(timedelta(minutes=28, seconds=40))
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    page.locator("dialog[open]").wait_for()
    site.clock.move(timedelta(minutes=3))
    page.keyboard.press("Enter")
    page.locator("dialog h2", has_text="Votre session est terminée").wait_for()
    assert page.errors == []


def test_nobody_signed_in_sees_nothing_of_it(site: TheHouse, browser: Any) -> None:  # noqa: F811
    context = browser.new_context(locale="fr-FR")
    try:
        opened = context.new_page()
        see(site, opened)
        assert opened.locator("dialog").count() == 0
    finally:
        context.close()
