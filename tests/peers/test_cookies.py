"""The tests' browser keeps to the rules of browsers: else it would pass where people fail."""

from __future__ import annotations

import pytest

from tests.peers.cookies import Cookies

OURS = "https://imagin.exemple.test/connexion/acs"
PORTAL = "https://auth.example.com/saml"


@pytest.mark.parametrize(
    ("same_site", "cross_site_get", "cross_site_post"),
    [("Strict", False, False), ("Lax", True, False), ("None; Secure", True, True), ("", True, False)],
)
def test_same_site_decides_what_another_site_makes_a_browser_send(
    same_site: str, cross_site_get: bool, cross_site_post: bool
) -> None:
    jar = Cookies()
    assert jar.set(OURS, "a=1; Path=/" + (f"; SameSite={same_site}" if same_site else ""))
    assert jar.header("GET", OURS, None) == jar.header("POST", OURS, OURS) == "a=1"
    assert bool(jar.header("GET", OURS, PORTAL)) is cross_site_get
    assert bool(jar.header("POST", OURS, PORTAL)) is cross_site_post


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://imagin.exemple.test/", "a=1; Secure"),
        (OURS, "a=1; SameSite=None"),
        (OURS, "a=1; Domain=example.com"),
        (OURS, "a=1; Domain=test"),
        (OURS, "__Host-a=1; Path=/"),
        (OURS, "__Host-a=1; Path=/connexion; Secure"),
        (OURS, "__Host-a=1; Path=/; Secure; Domain=exemple.test"),
    ],
)
def test_a_cookie_that_browsers_refuse_is_refused(url: str, line: str) -> None:
    jar = Cookies()
    assert not jar.set(url, line)
    assert jar.all() == []


def test_a_cookie_goes_where_it_belongs_and_nowhere_else() -> None:
    jar = Cookies()
    jar.set(OURS, "own=1; Path=/connexion; Secure")
    jar.set(PORTAL, "wide=1; Path=/; Domain=.example.com")
    assert jar.header("GET", OURS, None) == "own=1"
    assert jar.header("GET", "https://imagin.exemple.test/connexions", None) == ""
    assert jar.header("GET", "http://imagin.exemple.test/connexion", None) == ""
    assert jar.header("GET", "https://other.example.com/", None) == "wide=1"
    assert jar.header("GET", "https://example.com.exemple.test/", None) == ""


def test_a_cookie_whose_life_is_over_is_forgotten() -> None:
    jar = Cookies()
    jar.set(OURS, "a=1; Path=/")
    jar.set(OURS, "a=; Path=/; Max-Age=0")
    assert jar.all() == []
