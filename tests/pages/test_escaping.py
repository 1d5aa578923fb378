"""What comes from outside stays text: in any value of any page (rows WEB-11, WEB-12)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from imagin_gateway.pages.prose import prose
from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.views import DoorCard, Link, checked_href
from tests.pages.conftest import LANGUAGES, TEMPLATES, read, render, words
from tests.pages.states import STATES

PAYLOADS = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title></textarea></script><svg/onload=alert(1)>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "--><b onmouseover=alert(1)>",
    "{reference.__class__}{0}{}",
    "\u202e\u2028</p><a href=//evil.example>",
]

_MARKUP = {"act", "done", "mode", "name", "id", "value", "key", "field", "refused"}
"""What a page uses as a name of its own: chosen by us, never by a browser."""


def poisoned(value: Any, payload: str, key: str = "") -> Any:
    """Return the same value with every shown text replaced; addresses and names of ours are left."""
    if isinstance(value, str):
        return value if key in _MARKUP or key.endswith("href") or key == "action" or not value else payload
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return type(value)(**{name: poisoned(each, payload, name) for name, each in fields.items()})
    if isinstance(value, Mapping):
        return {name: poisoned(each, payload, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(poisoned(each, payload, key) for each in value)
    return value


def shape(element: html.HtmlElement) -> tuple[str, tuple[str, ...]]:
    return (str(element.tag), tuple(sorted(element.attrib)))


@pytest.fixture(scope="module")
def our_shapes(pages: Pages) -> set[tuple[str, tuple[str, ...]]]:
    """Every element that our own pages are made of, with the names of its attributes."""
    return {shape(each) for name in STATES for each in read(render(pages, name)).iter()}


@pytest.mark.row("WEB-12")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_value_of_any_page_becomes_markup(
    pages: Pages, our_shapes: set[tuple[str, tuple[str, ...]]], payload: str
) -> None:
    for name, state in STATES.items():
        dirty = pages.render(state.page, language=LANGUAGES["fr"], **poisoned(dict(state.values), payload))
        html5lib.HTMLParser(strict=True).parse(dirty.body.decode())
        assert {shape(each) for each in read(dirty).iter()} <= our_shapes, name
        clean_addresses = set(read(render(pages, name)).xpath("//@href | //@action | //@src"))
        assert set(read(dirty).xpath("//@href | //@action | //@src")) <= clean_addresses, name
        assert "49" not in words(read(dirty)), name


@pytest.mark.row("WEB-12")
@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:x",
        " javascript:x",
        "\tjavascript:x",
        "vbscript:x",
        "data:text/html,x",
        "blob:x",
        "ftp://x",
        "//evil.example",
        "/\\evil.example",
        "https://x y",
        "/a\nb",
        "evil",
        "",
    ],
)
def test_an_address_that_is_not_one_is_never_written(pages: Pages, href: str) -> None:
    for make in (lambda: Link("x", href), lambda: DoorCard("x", "y", href), lambda: checked_href(href)):
        with pytest.raises(ValueError, match="address"):
            make()
    for name, value in (
        ("login", "chooser_href"),
        ("logout", "back_href"),
        ("confirm-replace", "keep_href"),
        ("logout", "action"),
    ):
        with pytest.raises(ValueError, match="address"):
            render(pages, name, **{value: href})


def our_assets(pages: Pages) -> tuple[str, ...]:
    return (pages.style_path, pages.script_path, pages.passkey_script_path)


@pytest.mark.row("WEB-11")
@pytest.mark.parametrize("name", STATES)
def test_a_page_asks_nothing_of_another_site_and_has_nothing_inline(pages: Pages, name: str) -> None:
    tree = read(render(pages, name))
    loaded = tree.xpath("//@src | //link/@href | //@srcset | //@poster | //object/@data")
    assert loaded
    assert {each for each in loaded if each not in our_assets(pages)} == set()
    assert not tree.xpath(
        "//@style | //style | //script[not(@src)] | //iframe | //base | //*[@*[starts-with(name(), 'on')]]"
    )
    for element in tree.xpath("//link[@rel='stylesheet'] | //script"):
        assert element.get("integrity").startswith("sha384-")


@pytest.mark.row("WEB-11")
def test_no_template_holds_an_address_a_style_or_a_handler() -> None:
    templates = sorted(TEMPLATES.glob("*.html"))
    assert len(templates) >= 15
    for template in templates:
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//[a-z]|\son[a-z]+=|\sstyle=|<style|javascript:|\|\s*safe|autoescape", text), (
            template
        )
        assert not re.search(r"<script(?![^>]*integrity=)", text), template


@pytest.mark.row("WEB-11")
def test_the_style_sheet_and_the_script_are_ours_named_after_their_content_and_fetch_nothing(pages: Pages) -> None:
    for path, kind in (
        (pages.style_path, "text/css"),
        (pages.script_path, "text/javascript"),
        (pages.passkey_script_path, "text/javascript"),
    ):
        asset = pages.asset(path.removeprefix("/connexion"))
        assert asset is not None
        assert re.fullmatch(r"/connexion/[a-z]+-[0-9a-f]{8}\.(css|js)", path)
        assert asset.content_type == f"{kind}; charset=utf-8"
        assert not re.search(rb"https?:|@import|url\(|fetch\(|XMLHttp|eval\(|innerHTML", asset.body)
        assert dict(asset.headers)["Cache-Control"] == "public, max-age=31536000, immutable"
    assert pages.asset("/gateway-00000000.css") is None
    assert pages.asset("/../render.py") is None


def test_templates_hold_no_word_of_their_own() -> None:
    for template in sorted(TEMPLATES.glob("*.html")):
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.findall(r"[^\W\d_]{2,}", re.sub(r"<[^>]*>", "", text)) == [], template


def test_templates_get_no_settings_and_so_no_key() -> None:
    for template in Path(TEMPLATES).glob("*.html"):
        assert "settings" not in template.read_text(encoding="utf-8")


TEXTS = st.text(alphabet=st.sampled_from("ab <>&\"'/{}é\u00a0@."), max_size=30)


@given(text=TEXTS, label=TEXTS)
def test_a_link_put_in_a_sentence_changes_no_word_of_it(text: str, label: str) -> None:
    marked = prose(f"{text} {label} {text}", [Link(label, "/x")], [text])
    tree = html5lib.parseFragment(str(marked), treebuilder="etree", namespaceHTMLElements=False)
    assert "".join(tree.itertext()) == f"{text} {label} {text}"
    assert {each.tag for each in tree.iter()} <= {"DOCUMENT_FRAGMENT", "a", "span"}


def test_a_label_is_linked_as_a_whole_word_only() -> None:
    links = [Link("Paris", "/paris"), Link("portail de Paris", "/portail")]
    assert str(prose("Parisien, AParis, portail de Paris, Paris.", links)) == (
        'Parisien, AParis, <a href="/portail">portail de Paris</a>, <a href="/paris">Paris</a>.'
    )
