"""The catalogue: house style, nothing missing, and times as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pytest

from imagin_gateway.errors import Code, SettingsError
from imagin_gateway.identity import Activity
from imagin_gateway.pages.language import Language
from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.spoken import Spoken
from imagin_gateway.pages.templating import REFUSALS, inline
from imagin_gateway.pages.texts import NBSP, Catalogue, french, languages
from tests.pages.conftest import read, render, settings, words
from tests.pages.states import STATES

FRENCH = Catalogue.load("fr")

FORBIDDEN = re.compile(
    r"\b(SAML|OIDC|OpenID|attributs?|jetons?|session invalide|40[0-9]|50[0-9]|erreur technique|maintenance"
    r"|interdite?s?|invalides?|veuillez|désolée?s?|cliquez ici)\b",
    re.IGNORECASE,
)

MIDPOINT = re.compile(r"·|\w\.e\.?s?\b|\(e\)|\(ne\)|\(trice\)")

LISTS = {"chooser.direct_text"}
"""Enumerations of the service's own page: longer than a sentence."""


@pytest.mark.parametrize(("key", "text"), FRENCH.items())
def test_a_text_keeps_the_house_style(key: str, text: str) -> None:
    assert text == text.strip()
    assert text
    assert not FORBIDDEN.search(text)
    assert not MIDPOINT.search(text)
    assert "'" not in text
    assert not re.search(r"(?<!\u00a0)[?!:;»]", text.replace("://", ""))
    assert not re.search(r"«(?!\u00a0)", text)
    for sentence in re.split(r"(?<=[.?!])\s", text):
        assert len(re.findall(r"[\w’-]+", sentence)) <= 20 or key in LISTS, sentence


@pytest.mark.parametrize("name", STATES)
def test_a_page_uses_no_straight_apostrophe_and_no_breakable_space_before_a_sign(pages: Pages, name: str) -> None:
    shown = words(read(render(pages, name)).find(".//body"))
    assert "'" not in shown
    assert not re.search(r"[ \n][?!:;»]", shown)
    assert not FORBIDDEN.search(shown)


def test_french_typography_is_put_in_when_read() -> None:
    assert french("l'accès : « oui » ? 14 h ; fin !") == (
        f"l’accès{NBSP}: «{NBSP}oui{NBSP}»{NBSP}? 14 h{NBSP}; fin{NBSP}!"
    )
    assert french("https://x.test/a:b") == "https://x.test/a:b"


def test_every_language_is_found_from_its_file_and_french_comes_first(pages: Pages) -> None:
    assert languages()[0] == pages.languages[0] == "fr"
    with pytest.raises(LookupError):
        Catalogue.load("xx")
    with pytest.raises(LookupError):
        Catalogue.load("../texts/fr")


def test_a_text_or_a_parameter_that_lacks_is_an_error_and_never_a_blank(pages: Pages) -> None:
    with pytest.raises(LookupError):
        pages.text("nothing.here", "fr")
    with pytest.raises(LookupError):
        pages.text("frame.help", "fr")
    lacking: tuple[dict[str, Any], ...] = ({"action": "/x", "back_href": "/"}, {"csrf": "x", "back_href": "/"}, {})
    for given in lacking:
        with pytest.raises(jinja2.UndefinedError):
            pages.render("logout", language=Language("fr"), **given)
    with pytest.raises(LookupError):
        pages.text("password.too_short", "fr", missing="deux", minimum=15)


def test_the_fullest_text_whose_parameters_are_known_is_taken() -> None:
    assert FRENCH.fullest("refusal.R5.title", portal="portail de Paris") == "Le portail de Paris ne répond pas"
    assert FRENCH.fullest("refusal.R5.title", portal="") == "Le portail ne répond pas"
    assert FRENCH.fullest("refusal.R6.title", portal="x") == "Ce lien ne fonctionne plus"
    assert FRENCH.fullest("password.too_long", maximum=0) == "Il dépasse la longueur permise."


def test_every_refusal_has_a_page_that_says_what_happened_what_to_do_and_whom_to_tell(pages: Pages) -> None:
    titles = set()
    for refusal in REFUSALS:
        tree = read(render(pages, f"refusal-{refusal}"))
        main = words(tree.find(".//main"))
        titles.add(words(tree.find(".//h1")))
        assert "Ce que vous pouvez faire" in main
        assert "R-7K4M-2QXP" in main
        assert f"14{NBSP}décembre 2026 à 14{NBSP}h{NBSP}32" in main
        assert "jamais votre mot de passe ni votre NUMEN" in main
        assert tree.xpath("//main//a[@href='mailto:imagin@siec.education.fr']")
        assert tree.xpath("//main//a[contains(@class, 'ig-button')]")
    assert len(titles) == len(REFUSALS)


def test_every_code_of_a_refused_password_has_its_text() -> None:
    for code in Code:
        if code.startswith("password."):
            assert FRENCH.fullest(code.value, missing=3, minimum=15, maximum=9)
    assert Activity.MISSIONS not in FRENCH


def test_an_attribute_is_named_in_plain_words_whatever_it_is(pages: Pages) -> None:
    assert pages.attribute_name("ct-remote-user", "fr") == "votre identifiant académique"
    assert pages.attribute_name("CTEMAIL", "fr") == "votre adresse électronique"
    assert pages.attribute_name("<script>", "fr") == "une donnée de votre dossier"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 12, 14, 13, 32, tzinfo=UTC), "14 décembre 2026 à 14 h 32"),
        (datetime(2026, 8, 1, 6, 5, tzinfo=UTC), "1er août 2026 à 8 h 05"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "1er janvier 2027 à 0 h 30"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "29 mars 2026 à 3 h 00"),
    ],
)
def test_a_moment_is_said_in_the_time_of_paris(moment: datetime, said: str) -> None:
    assert Spoken(FRENCH).moment(moment).replace(NBSP, " ") == said


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Spoken(FRENCH).day(datetime(2026, 1, 1))  # noqa: DTZ001  # the point of the test


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "une minute"),
        (5, "cinq minutes"),
        (10, "dix minutes"),
        (30, "30 minutes"),
        (60, "une heure"),
        (90, "90 minutes"),
        (120, "deux heures"),
        (1440, "24 heures"),
    ],
)
def test_a_duration_is_said_in_words_up_to_ten(minutes: int, said: str) -> None:
    assert Spoken(FRENCH).duration(minutes).replace(NBSP, " ") == said


def test_a_name_inside_a_sentence_loses_its_capital_but_an_acronym_keeps_it() -> None:
    assert inline("Portail de Paris", "fr") == "portail de Paris"
    assert inline("ARENA", "fr") == "ARENA"
    assert inline("", "fr") == ""
    assert inline("Paris portal", "en") == "Paris portal"


def test_a_host_can_replace_a_template(tmp_path: Path) -> None:
    (tmp_path / "logout.html").write_text(
        '{% extends "base.html" %}{% set title = "x" %}{% block main %}<h1>{{ csrf }}</h1>{% endblock %}'
    )
    replaced = Pages(settings(), overrides=tmp_path).render(
        "logout", language=Language("fr"), action="/x", csrf="<b>", back_href="/"
    )
    assert b"<h1>&lt;b&gt;</h1>" in replaced.body


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ('{{ t("no.such.key") }}', ["texts.fr.no.such.key", "texts.en.no.such.key"]),
        ('{{ t("frame.help") }}', ["templates.logout.html"] * 2),
        ("{% if %}", ["templates.logout.html"]),
    ],
)
def test_a_template_that_asks_for_a_text_that_lacks_stops_the_start(
    tmp_path: Path, template: str, found: list[str]
) -> None:
    (tmp_path / "logout.html").write_text(template)
    with pytest.raises(SettingsError) as refused:
        Pages(settings(), overrides=tmp_path)
    assert [problem.key for problem in refused.value.problems] == found


def test_a_folder_of_templates_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        Pages(settings(), overrides=tmp_path / "none")


@pytest.mark.row("DPO-02")
def test_the_login_names_the_controller_says_that_access_is_recorded_and_links_to_the_notice(pages: Pages) -> None:
    for name in ("login", "login-failed", "login-empty"):
        (notice,) = read(render(pages, name)).xpath("//main//p[a[@href='/donnees']]")
        assert "Les connexions sont enregistrées" in words(notice)
        assert f"Responsable{NBSP}: SIEC." in words(notice)
    for name in STATES:
        assert read(render(pages, name)).xpath("//a[@href='/donnees']")


@pytest.mark.row("DPO-02")
def test_without_the_address_of_the_notice_nothing_starts() -> None:
    with pytest.raises(SettingsError) as refused:
        settings(privacy_url="")
    assert "privacy_url" in {problem.key for problem in refused.value.problems}
