"""The pages of a gateway in production, and every state of each, read as a browser reads it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from lxml import html

import imagin_gateway.pages
from imagin_gateway.exchange import Response
from imagin_gateway.pages.language import Language
from imagin_gateway.pages.render import Pages
from imagin_gateway.settings import Settings
from tests.pages.states import ENGLISH, STATES


def settings(**changes: Any) -> Settings:
    """Return good settings, in https."""
    values: dict[str, Any] = {
        "base_url": "https://imagin.exemple.test",
        "privacy_url": "/donnees",
        "legal_url": "/mentions",
        "accessibility_url": "/accessibilite",
        "keys": {"signing": [secrets.token_urlsafe(48)], "provisional": [secrets.token_urlsafe(48)]},
        "state": {"url": "sqlite:///state.db"},
        "accounts": {"url": "sqlite:///accounts.db"},
        "second_factor": {"mode": "off", "reason": "pages alone"},
        "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "imagin@exemple.test"},
    }
    return Settings.load(**{**values, **changes})


@pytest.fixture(scope="session")
def pages() -> Pages:
    return Pages(settings())


LANGUAGES = {"fr": Language("fr", switch={"en": "?lang=en"}), "en": Language("en", switch={"fr": "?lang=fr"})}


def render(pages: Pages, name: str, language: str = "fr", **changes: Any) -> Response:
    """Render a state; the values of STATES are French, whatever the language."""
    state = STATES[name] if name in STATES else ENGLISH[name]
    return pages.render(state.page, **{"language": LANGUAGES[language], **state.values, **changes})


def read(response: Response) -> html.HtmlElement:
    """Return the tree of a page."""
    return html.document_fromstring(response.body, parser=html.HTMLParser(encoding="utf-8"))


def words(element: html.HtmlElement | None) -> str:
    """Return the text of an element, on one line; no-break spaces are kept."""
    assert element is not None
    return " ".join(element.text_content().split(" ")).replace("\n", " ").strip()


TEMPLATES = Path(imagin_gateway.pages.__file__).parent / "templates"
