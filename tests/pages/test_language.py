"""Two languages: the same texts, each in its own typography; and the one a browser asks for."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagin_gateway.errors import SettingsError
from imagin_gateway.pages.language import MAX_HEADER, Language, accepted
from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.spoken import Spoken
from imagin_gateway.pages.texts import NBSP, Catalogue, languages
from tests.pages.conftest import read, render, settings, words
from tests.pages.states import STATES

FRENCH, ENGLISH = Catalogue.load("fr"), Catalogue.load("en")

BOTH = ("fr", "en")

FORBIDDEN = re.compile(
    r"\b(SAML|OIDC|OpenID|attributes?|tokens?|invalid|40[0-9]|50[0-9]|technical error|maintenance|forbidden"
    r"|please|sorry|click here)\b",
    re.IGNORECASE,
)

FRENCH_WORDS = re.compile(
    r"\b(le|la|les|un|une|des|du|de|et|ou|vous|votre|vos|est|dans|avec|pour|par|sur|pas|qui|que|ne|ce|cette)\b",
    re.IGNORECASE,
)

NAMES = re.compile(r"Île-de-France|« Examens et concours »|“Examens et concours”|Académie de \w+")
"""French that English keeps: names of places and of what is written on the portals."""

LONG = {"chooser.direct_text", "login.help_identifier", "address_codes.lead_two", "refusal.R17.text"}


def test_the_second_language_has_every_text_with_the_same_parameters() -> None:
    assert languages() == BOTH
    assert set(ENGLISH) == set(FRENCH)
    for key in FRENCH:
        if not key.startswith("spoken."):
            assert ENGLISH.placeholders(key) == FRENCH.placeholders(key), key
        if key.endswith(".by"):
            assert dict(ENGLISH.items())[key] == dict(FRENCH.items())[key]


@pytest.mark.parametrize(("key", "text"), ENGLISH.items())
def test_an_english_text_keeps_the_house_style_and_no_french(key: str, text: str) -> None:
    assert text == text.strip()
    assert text
    assert not FORBIDDEN.search(text)
    assert not FRENCH_WORDS.search(NAMES.sub("", text)), text
    assert not re.search(r"['\"«»]| [?!:;]", text)
    assert NBSP not in text or key.startswith("spoken.")
    for sentence in re.split(r"(?<=[.?!])\s", text):
        assert len(re.findall(r"[\w’-]+", sentence)) <= 20 or key in LONG, sentence


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize("name", STATES)
def test_a_page_says_its_language_in_the_markup_and_in_a_header(pages: Pages, name: str, language: str) -> None:
    response = render(pages, name, language)
    tree = read(response)
    other = "en" if language == "fr" else "fr"
    assert tree.get("lang") == dict(response.headers)["Content-Language"] == language
    assert dict(response.headers)["Vary"] == "Accept, Accept-Language, Cookie"
    (switch,) = tree.xpath("//a[@hreflang]")
    assert (switch.get("lang"), switch.get("hreflang"), switch.get("href")) == (other, other, f"?lang={other}")
    assert words(switch) == {"fr": "Français", "en": "English"}[other]


def test_no_two_steps_share_an_english_title(pages: Pages) -> None:
    titles = {name: words(read(render(pages, name, "en")).find(".//title")) for name in STATES}
    french = {name: words(read(render(pages, name)).find(".//title")) for name in STATES}
    assert all(title.endswith(" – Imagin SIEC") for title in titles.values())
    for one in STATES:
        for other in STATES:
            assert (titles[one] == titles[other]) == (french[one] == french[other]), (one, other)
    assert all(titles[name].startswith("Error: ") is state.error for name, state in STATES.items())


def test_a_host_that_offers_one_language_shows_no_switch_and_varies_on_nothing() -> None:
    for code in BOTH:
        alone = Pages(settings(languages=[code]))
        response = alone.render("logout", language=Language(code), **STATES["logout"].values)
        assert not read(response).xpath("//a[@hreflang]")
        assert dict(response.headers)["Vary"] == "Accept"
        with pytest.raises(LookupError):
            alone.text("logout.title", "en" if code == "fr" else "fr")


@pytest.mark.parametrize("wrong", [[], ["de"], ["fr", "fr"], ["FR"], "en"])
def test_languages_that_cannot_be_offered_stop_the_start(wrong: object) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(languages=wrong)
    assert all(problem.key.startswith("languages") for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", "fr"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("de, en;q=0.8, fr;q=0.3", "en"),
        ("de", "fr"),
        ("de, *;q=0.1", "fr"),
        ("*, fr;q=0", "en"),
        ("*, en;q=0.5", "fr"),
        ("fr;q=0.5, en;q=0.5", "fr"),
        ("en;q=0.5, fr;q=0.5", "en"),
        ("en;q=0, fr;q=0", "fr"),
        ("en;q=0", "fr"),
        ("en-GB;q=0, en;q=0.4, fr;q=0.3", "en"),
        ("fr;q=0.001, en;q=0.002", "en"),
        # rubbish counts for nothing, and spoils nothing
        ("en;q=1.5, fr;q=0.1", "fr"),
        ("en;q=-1, fr;q=0.1", "fr"),
        ("en;q=nan, fr;q=0.1", "fr"),
        ("en;q=0.12345, fr;q=0.1", "fr"),
        ("en;q, fr;q=0.1", "fr"),
        ("en;level=1, fr;q=0.1", "fr"),
        (",,;;=,q=1, en", "en"),
        ("englishest, fr", "fr"),
        ("\x00en, é, en", "en"),
        ("../../en, en/../fr", "fr"),
        ("en" + "," * MAX_HEADER, "fr"),
        ("de," * 40 + "en", "fr"),
    ],
)
def test_the_language_a_browser_asks_for(header: str, found: str) -> None:
    assert accepted(header, BOTH) == found


@given(st.text(max_size=200) | st.from_regex(r"([a-z*-]{0,4}(;q=[0-9.]{0,4})?,? ?){0,6}"))
def test_no_header_breaks_anything_nor_names_another_language(header: str) -> None:
    assert accepted(header, BOTH) in BOTH
    assert accepted(header, ("en",)) == "en"


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_greater_weight_wins_whatever_the_order(french: float, english: float) -> None:
    fr, en = f"fr;q={french:.3f}", f"en;q={english:.3f}"
    if f"{french:.3f}" != f"{english:.3f}":
        expected = "fr" if french > english else "en"
        assert accepted(f"{fr},{en}", BOTH) == accepted(f"{en},{fr}", BOTH) == expected


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 12, 14, 13, 32, tzinfo=UTC), "14 December 2026 at 2:32 pm"),
        (datetime(2026, 8, 1, 6, 5, tzinfo=UTC), "1 August 2026 at 8:05 am"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "1 January 2027 at 12:30 am"),
        (datetime(2026, 3, 29, 10, 0, tzinfo=UTC), "29 March 2026 at 12:00 pm"),
    ],
)
def test_a_moment_is_said_in_english(moment: datetime, said: str) -> None:
    assert Spoken(ENGLISH).moment(moment).replace(NBSP, " ") == said


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(1, "one minute"), (10, "ten minutes"), (30, "30 minutes"), (60, "one hour"), (0, "0 minutes")],
)
def test_a_duration_is_said_in_english(minutes: int, said: str) -> None:
    assert Spoken(ENGLISH).duration(minutes) == said
