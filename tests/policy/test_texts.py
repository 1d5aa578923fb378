"""What people read: both languages, French typography, short sentences, and nothing that is somebody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from imagin_gateway.policy import Facts, siec
from tests.policy.strategies import siec_raw


def _texts(node: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("fr"), str):
            yield path, node["fr"], node["en"]
        for key, child in node.items():
            yield from _texts(child, f"{path}.{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            name = child.get("id", number) if isinstance(child, dict) else number
            yield from _texts(child, f"{path}.{name}")


TEXTS = list(_texts(siec_raw()))
FRENCH = [(path, fr) for path, fr, _ in TEXTS]
SHOWN = [(path, fr) for path, fr in FRENCH if "situation" not in path and "clauses" not in path]


def test_there_are_texts() -> None:
    assert len(TEXTS) > 150


def test_french_typography() -> None:
    """U+2019 for the apostrophe; U+00A0 before : ; ? ! » and after «."""
    wrong = re.compile(r"""['"]|[^\u00a0][;?!»]|[^\u00a0\w/]:|\w:(?!//)|«[^\u00a0]|^\s|\s$|\s\s""")
    assert not [(path, words) for path, words in FRENCH if wrong.search(words)]


def test_english_typography() -> None:
    quoted = re.compile(r"“[^”]*”")
    wrong = re.compile(r"'| [:;?!]|\u00a0|^\s|\s$|\s\s")
    assert not [(path, en) for path, _, en in TEXTS if wrong.search(quoted.sub("x", en))]


def test_sentences_are_short() -> None:
    ends = re.compile(r"(?<=[.?!…])\s|\u00a0: ")
    sentences = [(path, sentence) for path, words in SHOWN for sentence in ends.split(words)]
    assert not [item for item in sentences if len(re.findall(r"[\w’.@-]+", item[1])) > 20]


BANNED = (
    *("SAML", "OIDC", "attribut", "jeton", "403", "erreur technique", "maintenance", "interdit"),
    *("invalide", "veuillez", "désolé", "·", "(e)"),
)


def test_words_people_do_not_use() -> None:
    assert not [(path, word) for path, words in SHOWN for word in BANNED if word.lower() in words.lower()]


def test_a_hint_is_one_line_without_a_final_stop() -> None:
    for question in siec().all_questions:
        for hint in (question.hint, *(answer.hint for answer in question.answers)):
            if hint is not None:
                assert hint.fr[-1] != "."
                assert hint.en[-1] != "."


def test_every_placeholder_is_filled() -> None:
    policy = siec()
    for door in policy.doors.values():
        groups = (door.where, door.credentials, door.not_these, door.recovery, door.trouble)
        for text in (
            door.name,
            door.title,
            door.button,
            door.trouble_title,
            *(item for group in groups for item in group),
        ):
            assert "{" not in text.fr + text.en
    for page in policy.pages.values():
        assert not any("{" in text.fr + text.en for text in page.text)
    for told in ({}, {"posting": "paris", "email": "yes"}, {"employer": "company", "printed": "lost"}):
        decision = policy.decide(Facts.parse(told))
        assert "{" not in decision.sentence.fr + "".join(note.fr for note in decision.notes)


def test_a_portal_is_named_by_its_academie() -> None:
    decision = siec().decide(Facts.parse({"employer": "en", "posting": "paris", "email": "yes"}))
    assert decision.sentence.fr == "Vous êtes agent de l’Éducation nationale en poste dans l’académie de Paris."
    assert decision.sentence.en == "You are an agent of the ministry posted in the académie of Paris."
    assert siec().door("arena-paris").title.get("fr") == "Passez par le portail de Paris"
    assert siec().door("arena-paris").title.get("en") == "Use the Paris portal"


def test_any_language_but_english_is_french() -> None:
    text = siec().door("direct").name
    assert (text.get("en"), text.get("fr"), text.get("de"), text.get("")) == (text.en, text.fr, text.fr, text.fr)
    assert str(text) == text.fr


def test_the_elsewhere_page_guesses_no_address() -> None:
    page = siec().pages["elsewhere"]
    assert not page.doors
    assert not any("http" in text.fr or ".fr" in text.fr for text in page.text)


def test_nothing_asks_for_the_numen() -> None:
    for question in siec().all_questions:
        words = [question.title.fr, *(answer.label.fr for answer in question.answers)]
        assert not any("numen" in word.lower() for word in words)
