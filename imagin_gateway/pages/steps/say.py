"""What a step speaks with: the texts of one language, and the few things every page may say of the service."""

from __future__ import annotations

from dataclasses import dataclass

from imagin_gateway.pages.spoken import Spoken
from imagin_gateway.pages.templating import inline
from imagin_gateway.pages.texts import Catalogue


@dataclass(frozen=True, slots=True)
class Say:
    """Says texts by their keys.

    Attributes:
        texts: of one language.
        spoken: moments and durations in it.
        contact: address of the support.
        controller: whose service it is.
        reset_minutes: how long the link of a forgotten password works.
    """

    texts: Catalogue
    spoken: Spoken
    contact: str
    controller: str
    reset_minutes: int

    def __call__(self, key: str, **params: object) -> str:
        """Return a text. Raises `LookupError` for a key or a parameter that is missing."""
        return self.texts(key, **params)

    def inline(self, name: str) -> str:
        """Return a name as it stands within a sentence."""
        return inline(name, self.texts.language)

    def fullest(self, key: str, **params: object) -> str:
        """Return the text that says most with what is known; see `Catalogue.fullest`."""
        return self.texts.fullest(key, **params)
