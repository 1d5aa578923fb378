"""The catalogues: every word people read that does not come from the policy, one TOML file a language.

They are written with plain spaces and apostrophes; the typography of each language is
put in when the file is read, once, so that no text can miss it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from string import Formatter
from typing import Any, Final

NBSP: Final = "\u00a0"

FIRST_LANGUAGE: Final = "fr"

_BEFORE: Final = re.compile(r" (?=[?!:;»])")
_AFTER: Final = re.compile(r"(?<=«) ")


def french(text: str) -> str:
    """Return a text with typographic apostrophes and no-break spaces."""
    return _AFTER.sub(NBSP, _BEFORE.sub(NBSP, text.replace("'", "’")))


def english(text: str) -> str:
    """Return a text with typographic apostrophes."""
    return text.replace("'", "’")


_TYPOGRAPHY: Final = {"fr": french, "en": english}


class Catalogue:
    """The texts of one language, by dotted key.

    A text that depends on a number is a table of three: `by`, the name of the
    parameter, then `one` and `other`.
    """

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)

    @classmethod
    def load(cls, language: str) -> Catalogue:
        """Read a catalogue of the package. Raises `LookupError` for a language that has none."""
        source = _folder().joinpath(f"{language}.toml")
        if language not in languages():
            raise LookupError(f"no catalogue for the language {language!r}")
        set_in_type = _TYPOGRAPHY[language]
        texts = _flat(tomllib.loads(source.read_text(encoding="utf-8")))
        return cls(language, {key: set_in_type(text) for key, text in texts})

    def changed(self, texts: Mapping[str, str]) -> Catalogue:
        """Return this catalogue with other texts in the place of some, set in the same type."""
        set_in_type = _TYPOGRAPHY[self.language]
        return Catalogue(self.language, {**self._texts, **{key: set_in_type(text) for key, text in texts.items()}})

    def __call__(self, key: str, **params: object) -> str:
        """Return a text. Raises `LookupError` for a key or a parameter that is missing."""
        try:
            return self._texts[self._form(key, params)].format(**params)
        except KeyError as error:
            raise LookupError(f"text {key!r} lacks {error}") from None

    def fullest(self, key: str, **params: object) -> str:
        """Return the text `<key>_full` if there is one and all it asks for is known, else the text `key`."""
        full = f"{key}_full"
        known = {name for name, value in params.items() if value}
        return self(full if full in self._texts and self.placeholders(full) <= known else key, **params)

    def _form(self, key: str, params: Mapping[str, object]) -> str:
        counted = self._texts.get(f"{key}.by")
        if counted is None:
            return key
        number = params[counted]
        if not isinstance(number, int):
            raise KeyError(counted)
        # Zero is singular in French and plural in English.
        single = number in (0, 1) if self.language == "fr" else number == 1
        return f"{key}.one" if single else f"{key}.other"

    def __contains__(self, key: object) -> bool:
        return key in self._texts or f"{key}.by" in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def items(self) -> list[tuple[str, str]]:
        """Return every key and its text, as written."""
        return list(self._texts.items())

    def placeholders(self, key: str) -> frozenset[str]:
        """Return the names of the parameters of a text."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self._texts[key]) if name is not None)


def languages() -> tuple[str, ...]:
    """Return the languages that have a catalogue, French first."""
    found = [entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml")]
    return tuple(sorted(found, key=lambda language: (language != FIRST_LANGUAGE, language)))


def _folder() -> Any:
    return files("imagin_gateway.pages").joinpath("texts")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        key = f"{prefix}.{name}" if prefix else name
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict):
            yield from _flat(value, key)
        else:
            raise TypeError(f"{key} is neither a text nor a table")
