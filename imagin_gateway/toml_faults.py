"""What is wrong with a text in TOML, in French: `tomllib` says it in English."""

from __future__ import annotations

import re
import tomllib
from typing import Final

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")

_FAULTS: Final = {
    "Cannot overwrite a value": "une clé est écrite deux fois",
    "Duplicate inline table key": "une clé est écrite deux fois",
    "Cannot declare": "une section est écrite deux fois",
    "Cannot redefine": "une section est écrite deux fois",
    "Cannot mutate": "une section est écrite deux fois",
    "Expected '=' after a key": "il manque « = » après une clé",
    "Expected ']": "il manque « ] » après le nom d'une section",
    "Expected newline": "il y a un signe de trop après une valeur, ou un guillemet manque",
    "Invalid value": "une valeur est illisible ; un texte s'écrit entre guillemets",
    "Invalid date": "une date n'existe pas",
    "Invalid statement": "une ligne n'est ni une clé, ni une section",
    "Invalid initial character": "un nom de clé est illisible",
    "Illegal character": "un signe est interdit, ou un guillemet manque",
    "Unterminated string": "un guillemet manque à la fin d'un texte",
    "Unclosed": "une liste ou une table n'est pas fermée",
    "Unescaped": "« \\ » s'écrit « \\\\ » dans un texte, ou une fois entre apostrophes",
}
"""By how `tomllib` begins, in every release that we run under."""


def toml_fault(error: tomllib.TOMLDecodeError) -> str:
    """Say what is wrong, and where; nothing of the text is told."""
    told = str(error)
    what = next((fault for begins, fault in _FAULTS.items() if told.startswith(begins)), "une faute d'écriture")
    place = _PLACE.search(told)
    if place is None:
        return what
    return f"ligne {place[1]}, colonne {place[2]} : {what}" if place[1] else f"à la fin : {what}"
