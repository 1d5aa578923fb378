"""docs/reference/inputs.md lists every field that is read, every cookie, and what a browser needs (row DOC-06)."""

from __future__ import annotations

import ast
import re

import pytest

from imagin_gateway.pages.assets import Asset
from scripts.reference import inputs
from scripts.reference.pages import DOCS

PAGE = (DOCS / inputs.PAGE).read_text(encoding="utf-8")


def told(title: str) -> set[str]:
    part = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE))


@pytest.mark.row("DOC-06")
def test_every_field_that_is_read_is_told_with_its_check() -> None:
    read = inputs.read_fields()
    assert len(read) > 30
    assert read == set(inputs.FIELDS)
    assert told("Fields of forms and addresses") == read


@pytest.mark.row("DOC-06")
def test_every_cookie_is_told() -> None:
    assert inputs.set_cookies() == set(inputs.COOKIES) == told("Cookies")


def test_a_new_field_would_be_seen() -> None:
    source = """
X = "x"
def flow(visit, means):
    visit.request.form.get("a", ""), visit.request.query["b"]
    visit.request.form.get("c" if means else "d"), "e" in query
    form.get(X)
"""
    tree = ast.parse(source)
    named = inputs._constants(tree)
    assert {name for node in ast.walk(tree) for name in inputs._names(inputs._key(node), named)} == set("abcde") | {"x"}


@pytest.mark.row("DOC-06")
def test_the_scripts_use_no_feature_that_is_not_told() -> None:
    scripts = [Asset.of(name, "text/javascript; charset=utf-8") for name in ("pages.js", "passkey.js", "session.js")]
    text = "\n".join(script.body.decode() for script in scripts)
    assert "PublicKeyCredential" in text
    assert "WebAuthn" in PAGE
    unused = ("localStorage", "sessionStorage", "indexedDB", "geolocation", "WebSocket", "eval(", "import(", "Worker(")
    for each in unused:
        assert each not in text, f"{each} is to be told in {inputs.PAGE}"
