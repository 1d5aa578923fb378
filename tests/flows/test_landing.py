"""Where a login may come back to: every trick means the usual page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.flows.landing import landing
from tests.flows.conftest import settings_of

TRICKS = [
    "https://evil.example", "http:evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil",
    "/%5Cevil.example", "/%2F/evil.example", "/.//evil.example", "/..//evil.example", "/../", "/a/../b", "/%2e%2e/b",
    "/%252e%252e/b", "javascript:alert(1)", "data:text/html,x", "", " ", " /a", "/a b", "/a\tb", "/a\r\nX: y",
    "/a%0d%0aX",
    "/a%00", "a", "?x", "#x", "/a#x", "/é", "/%E2%80%AE", "/" + "a" * 2001, "/connexion/fin", "/connexion",
    "/%63onnexion/fin", "//connexion", "http://127.0.0.1:8400/missions", "/@evil.example//", "/a\\b", "/a%5cb",
    "https:/evil.example", "/;//evil",
]  # fmt: skip


@pytest.mark.row("WEB-09")
@pytest.mark.parametrize("asked", TRICKS)
def test_a_trick_in_the_return_address_means_the_default_page(tmp_path: Path, asked: str) -> None:
    assert landing(settings_of(tmp_path), asked) == "/"


MINE: Final = (
    *("/session/toutes", "/proconnect", "/assistance", "/securite", "/securite/application", "/securite/cle"),
    "/securite/codes",
)


@pytest.mark.parametrize("page", MINE)
def test_of_our_own_pages_those_that_ask_before_they_show_may_be_landed_on(tmp_path: Path, page: str) -> None:
    settings = settings_of(tmp_path)
    assert landing(settings, settings.mount_path + page) == settings.mount_path + page
    for near in (page + "/", page + "x", page + "?a=1", page[:-1]):
        assert landing(settings, settings.mount_path + near) == "/"
    narrow = settings_of(tmp_path, landings=("/missions",), landing="/missions")
    assert landing(narrow, narrow.mount_path + page) == narrow.mount_path + page
    assert landing(narrow, page) == "/missions"


def test_the_longest_page_is_of_two_thousand_signs(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    longest = "/" + "a" * 1999
    assert landing(settings, longest) == longest
    assert landing(settings, longest + "a") == "/"


@pytest.mark.parametrize(
    "asked", ["/", "/missions", "/missions/1?page=2&x=//y", "/a%20b", "/a.b/.c/..d", "/@x", "/a:b", "/missions/"]
)
def test_a_page_of_this_site_is_landed_on_as_it_is_asked_for(tmp_path: Path, asked: str) -> None:
    settings = settings_of(tmp_path, landing="/accueil")
    assert landing(settings, asked) == asked
    assert landing(settings, None) == "/accueil"


@pytest.mark.row("WEB-09")
@given(asked=st.text(max_size=60) | st.text("/\\.%2fFeE5cC:@?#ab", max_size=40))
def test_whatever_is_asked_the_return_address_stays_on_this_site(asked: str, tmp_path_factory: Any) -> None:
    settings = _SETTINGS or settings_of(tmp_path_factory.mktemp("landing"))
    _SETTINGS or globals().update(_SETTINGS=settings)
    page = landing(settings, asked)
    assert page.startswith("/")
    joined = urlsplit(urljoin("https://host.example/x", page))
    assert (joined.scheme, joined.netloc) == ("https", "host.example")
    assert "\\" not in page
    assert not page.startswith("//")


_SETTINGS: Any = None


def test_landings_can_be_narrowed(tmp_path: Path) -> None:
    narrow = settings_of(tmp_path, landings=("/missions", "/"))
    assert landing(narrow, "/missions/1") == "/missions/1"
    narrow = settings_of(tmp_path, landings=("/missions",), landing="/missions")
    assert landing(narrow, "/autre") == "/missions"
    assert landing(narrow, "/missionsx") == "/missions"
