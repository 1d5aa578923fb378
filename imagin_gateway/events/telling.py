"""Events in words, French or English, for the operator who reads them (decision 0003)."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Final

from imagin_gateway.events.reading import Record

LANGUAGES: Final = ("fr", "en")

_COUNTED: Final = {
    "fr": {
        "ended": "sessions terminées",
        "found": "trouvés",
        "files": "fichiers",
        "left": "restants",
        "lost": "perdus",
    },
    "en": {"ended": "sessions ended", "found": "found", "files": "files", "left": "left", "lost": "lost"},
}
_SAID: Final = (
    "mail",
    "how",
    "kind",
    "means",
    "which",
    "sink",
    "hook",
    "error",
    "where",
    "missing",
    "rules",
    "withheld",
)
"""Facts that are said as they stand: words of ours, names of rules."""


class Words:
    """Says events in one language.

    Args:
        language: `fr` or `en`.
    """

    def __init__(self, language: str = "fr") -> None:
        self.language = language
        told = tomllib.loads(resources.files(__package__).joinpath("words", f"{language}.toml").read_text("utf-8"))
        self._kinds: dict[str, str] = told["event"]
        self._codes: dict[str, str] = told["code"]
        self._reasons: dict[str, str] = told["reason"]

    def kind(self, name: str) -> str:
        """Return what a kind of event says; one of another release is told by its name."""
        return self._type(self._kinds.get(name, name))

    def code(self, code: str) -> str:
        """Return what a reason code says; one of another release is told by itself."""
        return self._type(self._codes.get(code, code))

    def why(self, record: Record) -> str:
        """Return why something was refused or failed, "" when there is nothing to say."""
        reason = self._reasons.get(str(record.detail.get("reason", "")))
        return self._type(reason) if reason else self.code(record.code)

    def sentence(self, record: Record) -> str:
        """Return what happened, why, and the facts that matter, in one line."""
        why = self.why(record)
        said = self.kind(record.event) + (self._type(f" : {why}") if why else "")
        counted = _COUNTED[self.language]
        facts = [str(record.detail[name]) for name in _SAID if record.detail.get(name)]
        facts += [f"{record.detail[name]} {word}" for name, word in counted.items() if record.detail.get(name)]
        return said + (f" ({', '.join(facts)})" if facts else "")

    def _type(self, text: str) -> str:
        if self.language != "fr":
            return text.replace(" : ", ": ")
        return text.replace("'", "’").replace(" :", "\u00a0:")


@functools.cache
def words(language: str = "fr") -> Words:
    """Return the words of a language, read once."""
    return Words(language)
