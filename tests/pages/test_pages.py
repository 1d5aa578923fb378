"""Every page in every state: valid, labelled, titled, escaped, readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import html5lib
import pytest
from lxml import html

from imagin_gateway.errors import Code
from imagin_gateway.pages.render import Pages, spoken_moment
from imagin_gateway.pages.texts import Catalogue, french, languages
from imagin_gateway.pages.views import Choice, DoorCard, DoorView, FieldError, Link
from tests.flows.conftest import settings_of

NASTY = "\"'><script>alert(1)</script>{{7*7}}&lt;"
MOMENT = datetime(2026, 12, 14, 13, 32, tzinfo=UTC)
CARDS = [DoorCard("Un accès", "Une ligne", "/connexion/acces/x"), DoorCard(NASTY, NASTY, "/connexion/acces/y")]


def door(word: str = "mot") -> DoorView:
    return DoorView(
        title=f"Titre {word}",
        why=word,
        button=Link(word, "/x"),
        host=word,
        where=(word, word),
        credentials=(word,),
        lost=(word,),
        lost_links=(Link(word, "/perdu"),),
        lost_first=False,
        offers=(word,),
        notes=(word,),
        trouble_title="Sinon",
        trouble=(word,),
        second=(Link(word, "/y"),),
        back=Link("Retour", "/z"),
    )


def states() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every page in every state, filled with what a hostile browser could make us reflect."""
    form = {"action": "/connexion/x", "csrf": "jeton"}
    values: dict[str, Any]
    yield "chooser", "chooser", {"arena": CARDS, "direct": CARDS, "questions_href": "/q"}
    question = {
        "number": 2,
        "name": "poste",
        "question": "Où êtes-vous en poste ?",
        "hint": NASTY,
        "choices": [Choice("a", "A", NASTY), Choice("b", NASTY), Choice("c", "Je ne sais pas")],
        "hidden": {"emetteur": NASTY},
        "action": "/q",
        "back": Link("Retour", "/"),
    }
    yield "question", "question", {**question, "wrong": False}
    yield "question, nothing ticked", "question", {**question, "wrong": True}
    yield "door", "door", {"door": door()}
    yield "door, hostile", "door", {"door": door(NASTY)}
    yield "outcome", "outcome", {"title": "Autre", "texts": [NASTY], "doors": CARDS, "back": Link("Retour", "/")}
    for name, flags in {
        "login": (False, False, False),
        "login, failed": (True, False, False),
        "login, empty": (False, True, True),
    }.items():
        failed, identifier, password = flags
        more = {"failed": failed, "empty_identifier": identifier, "empty_password": password}
        values = {"next": NASTY, "identifier": NASTY, "chooser_href": "/c", "reset_href": "/r"}
        yield name, "login", {**form, **values, **more}
    for mode in ("first", "change", "reset"):
        for code in (None, *(code for code in Code if code.startswith("password."))):
            fields = {Code.PASSWORD_MISMATCH: "encore", Code.PASSWORD_CURRENT: "actuel"}
            errors = [FieldError(fields.get(code, "nouveau"), code.value, {"missing": 3, "maximum": 9})] if code else []
            if code is Code.PASSWORD_CURRENT and mode != "change":
                continue
            values = {"username": NASTY, "errors": errors, "minimum": 15, "hidden": {"next": NASTY}}
            yield (
                f"password, {mode}, {code}",
                "password",
                {
                    **form,
                    **values,
                    "mode": mode,
                    "logout_href": "/fin",
                    "cancel_href": "/",
                },
            )
    recovery = [Link("Créteil", "https://externet.ac-creteil.fr")]
    for empty in (False, True):
        values = {"identifier": "", "empty": empty, "recovery": recovery, "chooser_href": "/c"}
        yield f"forgotten, {empty}", "forgotten", {**form, **values}
    yield "forgotten_sent", "forgotten_sent", {"recovery": recovery, "again_href": "/o"}
    yield "password_done", "password_done", {"mode": "reset", "continue_href": "/d"}
    yield "logout", "logout", {**form, "back_href": "/"}
    for portal in (None, "portail de Paris"):
        values = {"portal_name": portal, "portal_href": "https://bv.ac-paris.fr", "chooser_href": "/c"}
        yield f"logged_out, {portal}", "logged_out", values
    yield "confirm_replace", "confirm_replace", {**form, "keep_href": "/"}
    for href in (None, "/p"):
        values = {"name": NASTY, "door_name": "accès direct", "since": MOMENT, "ends": MOMENT}
        yield (
            f"session, {href}",
            "session",
            {**values, "continue_href": "/", "logout_href": "/f", "password_href": href},
        )
    for number in range(1, 14):
        params = {"portal": "portail de Paris", "missing": NASTY, "wait": "une minute"}
        values = {"id": f"R{number}", "params": params, "reference": "R-7K4M-2QXP", "moment": MOMENT}
        yield f"refusal R{number}", "refusal", {**values, "primary": Link("Là", "/"), "links": [Link("Ici", "/i")]}


STATES = list(states())


def parse(text: str) -> Any:
    """Return a page as a tree (lxml's types make every XPath a union of all that it may return)."""
    return html.document_fromstring(text)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(settings_of(tmp_path_factory.mktemp("pages")))


@pytest.mark.parametrize(("page", "values"), [each[1:] for each in STATES], ids=[each[0] for each in STATES])
def test_a_page_is_valid_labelled_and_escaped(pages: Pages, page: str, values: dict[str, Any]) -> None:
    text = pages.render(page, **values).body.decode()
    html5lib.HTMLParser(strict=True).parse(text)
    tree = parse(text)
    assert tree.get("lang") == "fr"
    assert len(tree.xpath("//h1")) == 1
    assert "<script>alert" not in text
    assert "49" not in text.replace("49px", "") or "{{7*7}}" in text
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for field in tree.xpath("//input[not(@type='hidden')]"):
        assert tree.xpath("//label[@for=$id]", id=field.get("id")), field.get("id")
        for name in (field.get("aria-describedby") or "").split():
            assert name in ids
        assert not field.get("placeholder")
        assert field.get("autocomplete") != "off"
        if field.get("aria-invalid"):
            assert field.get("aria-describedby")
    for link in tree.xpath("//a[starts-with(@href,'#')]/@href"):
        assert link[1:] in ids
    for target in tree.xpath("//@src | //link/@href"):
        assert target.startswith("/connexion/")
    assert not tree.xpath("//@style | //style | //script[not(@src)] | //@*[starts-with(name(), 'on')]")
    assert tree.xpath("//footer//a[@href='/donnees']")


@pytest.mark.row("A11-02")
def test_browsers_are_told_what_each_field_is_for(pages: Pages) -> None:
    found: dict[str, set[str]] = {}
    for _, page, values in STATES:
        tree = parse(pages.render(page, **values).body.decode())
        for field in tree.xpath("//input[@type='text' or @type='password']"):
            found.setdefault(field.get("id"), set()).add(field.get("autocomplete"))
    assert found == {
        "identifiant": {"username"},
        "motdepasse": {"current-password"},
        "compte": {"username"},
        "actuel": {"current-password"},
        "nouveau": {"new-password"},
        "encore": {"new-password"},
    }


@pytest.mark.row("A11-04")
@pytest.mark.parametrize(
    "name", [each[0] for each in STATES if "empty" in each[0] or "failed" in each[0] or "True" in each[0]]
)
def test_an_error_is_in_the_title_in_a_box_and_next_to_its_field(pages: Pages, name: str) -> None:
    _, page, values = next(each for each in STATES if each[0] == name)
    tree = parse(pages.render(page, **values).body.decode())
    assert tree.findtext(".//title").startswith("Erreur\u00a0: ")
    assert not tree.findtext(".//title").startswith("Erreur\u00a0: Erreur")
    (box,) = tree.xpath("//*[@role='group'][@autofocus][@tabindex='-1']")
    assert box.xpath(".//*[@role='alert']//a[starts-with(@href,'#')]")
    assert tree.xpath("//*[@aria-invalid='true' and @aria-describedby]") or page == "question"
    assert not tree.xpath("//*[@autofocus][not(@role='group')]")


def test_no_two_pages_share_a_title(pages: Pages) -> None:
    titles: dict[str, tuple[str, Any]] = {}
    for name, page, values in STATES:
        if page in ("chooser", "outcome", "forgotten", "forgotten_sent", "logout", "session", "refusal"):
            text = parse(pages.render(page, **values).body.decode()).findtext(".//title")
            assert titles.setdefault(text, (page, values.get("id"))) == (page, values.get("id")), name


@pytest.mark.row("A11-05")
def test_every_refused_password_is_told_by_its_rule() -> None:
    catalogue = Catalogue.load("fr")
    for code in Code:
        if code.startswith("password."):
            assert catalogue(code.value, missing=3, minimum=15, maximum=9)


def test_the_words_follow_the_house_rules() -> None:
    forbidden = r"\b(SAML|OIDC|attribut|jeton|403|technique|maintenance|interdite?|invalide|veuillez|désolée?)\b"
    for key, text in Catalogue.load("fr").items():
        assert not re.search(forbidden, text, re.IGNORECASE), key
        assert "'" not in text, key
        assert not re.search(r" [?!:;»]|« ", text), key
        assert "·" not in text, key
        for sentence in re.split(r"(?<=[.?!])\s", text):
            assert len(re.findall(r"\w+", sentence)) <= 25, (key, sentence)


def test_french_typography_is_put_in_once() -> None:
    assert french("l'accès : « oui » ?") == "l’accès\u00a0: «\u00a0oui\u00a0»\u00a0?"
    assert spoken_moment(MOMENT) == "14 décembre 2026 à 14\u00a0h\u00a032"
    assert spoken_moment(datetime(2026, 8, 1, 6, 5, tzinfo=UTC)) == "1er août 2026 à 8\u00a0h\u00a005"
    assert languages()[0] == "fr"


def test_a_missing_text_or_value_is_an_error_and_never_a_blank(pages: Pages) -> None:
    with pytest.raises(LookupError):
        pages.text("nothing.here")
    with pytest.raises(LookupError):
        pages.text("refusal.R5.title")
    with pytest.raises(Exception, match="undefined"):
        pages.render("logout", action="/x")
    with pytest.raises(LookupError):
        Catalogue.load("xx")


def test_a_host_can_replace_a_template(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "logout.html").write_text('{% extends "base.html" %}{% block main %}<h1>{{ csrf }}</h1>{% endblock %}')
    pages = Pages(settings_of(tmp_path), overrides=folder)
    assert "<h1>&lt;b&gt;</h1>" in pages.render("logout", action="/x", csrf="<b>", back_href="/").body.decode()


@pytest.mark.row("WEB-11")
def test_assets_are_ours_versioned_and_have_integrity(pages: Pages) -> None:
    text = pages.render("login", **STATES[[each[1] for each in STATES].index("login")][2]).body.decode()
    tree = parse(text)
    for element in tree.xpath("//link[@rel='stylesheet'] | //script"):
        path = element.get("href") or element.get("src")
        assert re.fullmatch(r"/connexion/(gateway|reveal)-[0-9a-f]{8}\.(css|js)", path)
        assert element.get("integrity").startswith("sha384-")
        asset = pages.asset(path.removeprefix("/connexion"))
        assert asset is not None
        assert b"http://" not in asset.body
        assert b"https://" not in asset.body
        assert ("Cache-Control", "public, max-age=31536000, immutable") in list(asset.headers)
    assert pages.asset("/gateway-00000000.css") is None


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.row("A11-10")
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough_in_the_shipped_style_sheet(scheme: int) -> None:
    css = files("imagin_gateway.pages").joinpath("styles/gateway.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    tokens = dict(re.findall(r"--ig-([a-z-]+):\s*(#[0-9a-f]{6})", blocks[scheme]))
    text = [(ink, ground) for ink in ("ink", "muted", "accent") for ground in ("page", "surface", "tint")]
    text += [("on-accent", "accent"), ("on-accent", "accent-strong"), ("error", "error-tint"), ("error", "surface")]
    text += [("ok", "ok-tint"), ("warn", "warn-tint"), ("ink", "error-tint"), ("ink", "ok-tint"), ("ink", "warn-tint")]
    for ink, ground in text:
        assert _contrast(tokens[ink], tokens[ground]) >= 4.5, (ink, ground)
    for sign, ground in (("control", "page"), ("control", "surface"), ("control", "tint"), ("focus", "page")):
        assert _contrast(tokens[sign], tokens[ground]) >= 3, (sign, ground)
    assert _contrast(tokens["halo"], tokens["focus"]) >= 3


@pytest.mark.row("PWD-10")
def test_no_form_asks_for_a_hint_or_a_secret_question(pages: Pages) -> None:
    names = set()
    for _, page, values in STATES:
        tree = parse(pages.render(page, **values).body.decode())
        names |= set(tree.xpath("//form[@method='post']//input/@name"))
    assert names == {"formulaire", "next", "identifiant", "motdepasse", "actuel", "nouveau", "encore"}
