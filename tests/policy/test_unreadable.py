"""A text that is not TOML is told in French, with its place, and nothing of what it holds."""

from __future__ import annotations

import tomllib

import pytest

from imagin_gateway.policy.findings import TableRefused
from imagin_gateway.policy.loading import parse
from imagin_gateway.policy.unreadable import unreadable

WRONG = {
    "a = ": "à la fin du fichier : une valeur manque",
    "a = yes": "ligne 1, colonne 5 : une valeur manque, ou s’écrit autrement : un texte est entre guillemets",
    "= 3": "ligne 1, colonne 1 : une clé était attendue",
    "a = 1 2": "ligne 1, colonne 7 : quelque chose est de trop après une valeur",
    "a b = 1": "ligne 1, colonne 3 : il manque « = » après une clé",
    "[keys\nb = 1": "ligne 1, colonne 6 : il manque « ] »",
    "[[keys]\nb = 1": "ligne 1, colonne 7 : il manque « ] »",
    "a = 1\na = 2\n": "ligne 2, colonne 6 : une clé est écrite deux fois",
    "x = { canary = 1, canary = 2 }": "une clé est écrite deux fois",
    "[canary]\n[canary]": "ligne 2, colonne 8 : une section est écrite deux fois",
    "canary = { b = 1 }\ncanary.c = 2\n": "une section est écrite deux fois",
    'a = "canary': "à la fin du fichier : un guillemet n’est pas fermé",
    "a = 'canary": "à la fin du fichier : un guillemet n’est pas fermé",
    'a = "canary\nb = 1': "ligne 1, colonne 12 : un signe n’est pas permis là, ou un guillemet n’est pas fermé",
    "# \x01": "ligne 1, colonne 3 : un signe n’est pas permis",
    "a = [1, 2": "à la fin du fichier : un « [ » n’est pas fermé",
    "a = { b = 1": "à la fin du fichier : un « { » n’est pas fermé",
    'a = "C:\\Users"': "dans un texte, « \\ » s’écrit « \\\\ »",
    'a = "\\q"': "dans un texte, « \\ » s’écrit « \\\\ »",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_toml_is_told_with_its_place_and_nothing_of_the_text(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    told = unreadable(caught.value)
    assert WRONG[text] in told
    assert "canary" not in told
    assert "mots du lecteur" not in told


def test_words_that_are_not_known_are_told_as_those_of_the_reader() -> None:
    placed = tomllib.TOMLDecodeError("Something new (at line 3, column 4)")
    assert unreadable(placed) == "ligne 3, colonne 4 : mots du lecteur : Something new"
    assert unreadable(tomllib.TOMLDecodeError("Something new")) == "mots du lecteur : Something new"


def test_a_table_that_is_no_toml_is_refused_with_the_line() -> None:
    with pytest.raises(TableRefused, match=r"TOML \(ligne 2, colonne 3 : il manque « = » après une clé"):
        parse("format = 1\na b")
