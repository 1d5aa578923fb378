"""The catalogues: every word people read that does not come from the policy, one file a language.

Written with plain spaces and apostrophes; French typography is put in here, once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

NBSP: Final = "\u00a0"

_BEFORE: Final = re.compile(r" ([?!:;»])")
_AFTER: Final = re.compile(r"« ")


def french(text: str) -> str:
    """Return a text with typographic apostrophes and unbreakable spaces."""
    return _AFTER.sub("«" + NBSP, _BEFORE.sub(NBSP + r"\1", text.replace("'", "’")))


class Catalogue:
    """The texts of one language, by dotted key."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)

    @classmethod
    def load(cls, language: str) -> Catalogue:
        """Read a catalogue of the package. Raises `LookupError` for a language that has none."""
        source = files("imagin_gateway.pages").joinpath("texts", f"{language}.toml")
        if not source.is_file():
            raise LookupError(language)
        written = dict(_flat(tomllib.loads(source.read_text(encoding="utf-8"))))
        if language == "fr":
            written = {key: french(text) for key, text in written.items()}
        return cls(language, written)

    def __call__(self, key: str, **params: object) -> str:
        """Return a text. Raises `LookupError` for a key or a parameter that is missing."""
        try:
            return self._texts[key].format(**params)
        except KeyError as error:
            raise LookupError(f"no text {key!r}, or a parameter lacks: {error}") from None

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def items(self) -> list[tuple[str, str]]:
        """Return every key and its text, as written."""
        return list(self._texts.items())


def languages() -> list[str]:
    """Return the languages that have a catalogue, French first."""
    found = [entry.name.removesuffix(".toml") for entry in files("imagin_gateway.pages").joinpath("texts").iterdir()]
    return sorted(found, key=lambda language: (language != "fr", language))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        key = f"{prefix}.{name}" if prefix else name
        if isinstance(value, str):
            yield key, value
        else:
            yield from _flat(value, key)
