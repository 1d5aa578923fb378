"""The columns of a list, and how their names are recognised."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from imagin_gateway.local.accounts import MAX_IDENTIFIER
from imagin_gateway.local.outbox import MAX_EMAIL

COLUMNS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "identifier": ("Identifiant", MAX_IDENTIFIER),
        "family_name": ("Nom", 100),
        "given_name": ("Prénom", 100),
        "email": ("Courriel", MAX_EMAIL),
        "situation": ("Qualité", 150),
        "academie": ("Académie d’origine", 100),
        "office": ("Service gestionnaire", 150),
    }
)
"""Name of each column in the list, and the most characters of its values."""

REQUIRED: Final = ("identifier", "family_name")


def plain(name: str) -> str:
    """Return a column name without case, accents, quotes and repeated spaces."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(sign if sign.isalnum() else " " for sign in decomposed if not unicodedata.combining(sign))
    return " ".join(letters.split())


BY_NAME: Final = {plain(name): column for column, (name, _) in COLUMNS.items()}
"""Column that a plain name tells."""
