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
        "ended": ("session terminée", "sessions terminées"),
        "found": ("trouvé", "trouvés"),
        "files": ("fichier", "fichiers"),
        "left": ("restant", "restants"),
        "lost": ("perdu", "perdus"),
        "accounts": ("compte", "comptes"),
        "created": ("créé", "créés"),
        "updated": ("mis à jour", "mis à jour"),
        "unchanged": ("inchangé", "inchangés"),
        "issued": ("mot de passe provisoire émis", "mots de passe provisoires émis"),
        "letters": ("mot de passe provisoire annulé", "mots de passe provisoires annulés"),
        "links": ("lien annulé", "liens annulés"),
        "mails": ("courriel jeté", "courriels jetés"),
        "factors": ("second facteur retiré", "seconds facteurs retirés"),
        "events": ("événement", "événements"),
        "days": ("jour", "jours"),
        "untold": ("autre avant, non dit", "autres avant, non dits"),
    },
    "en": {
        "ended": ("session ended", "sessions ended"),
        "found": ("found", "found"),
        "files": ("file", "files"),
        "left": ("left", "left"),
        "lost": ("lost", "lost"),
        "accounts": ("account", "accounts"),
        "created": ("made", "made"),
        "updated": ("updated", "updated"),
        "unchanged": ("unchanged", "unchanged"),
        "issued": ("provisional password issued", "provisional passwords issued"),
        "letters": ("provisional password ended", "provisional passwords ended"),
        "links": ("link ended", "links ended"),
        "mails": ("e-mail thrown away", "e-mails thrown away"),
        "factors": ("second factor taken away", "second factors taken away"),
        "events": ("event", "events"),
        "days": ("day", "days"),
        "untold": ("other before, not told", "others before, not told"),
    },
}
_TOLD_IF: Final = {
    "fr": {
        ("mailed", False): "aucun courriel ne part",
        ("given_up", True): "abandonné",
        ("given_up", False): "à réessayer",
        ("replaced", True): "le mot de passe choisi est retiré",
    },
    "en": {
        ("mailed", False): "no e-mail leaves",
        ("given_up", True): "given up",
        ("given_up", False): "to be tried again",
        ("replaced", True): "the chosen password is taken away",
    },
}
"""Facts that are true or false, where one of both is worth a word."""

WORDED: Final = ("mail", "how", "kind", "means", "which", "sink", "where")
"""Facts whose values are words of ours, each told by one of the language."""

_SAID: Final = (*WORDED, "hook", "error", "missing", "rules", "withheld")
"""Facts that are said: the others as they stand, names in the host, in rules or at a portal."""


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
        self._facts: dict[str, dict[str, str]] = told["fact"]

    def kind(self, name: str) -> str:
        """Return what a kind of event says; one of another release is told by its name."""
        return self._type(self._kinds.get(name, name))

    def code(self, code: str) -> str:
        """Return what a reason code says; one of another release is told by itself."""
        return self._type(self._codes.get(code, code))

    def fact(self, name: str, value: str) -> str:
        """Return what a fact says; one that has no word, or is of another release, is told as it stands."""
        return self._type(self._facts.get(name, {}).get(value, value))

    def why(self, record: Record) -> str:
        """Return why something was refused or failed, "" when there is nothing to say."""
        reason = self._reasons.get(str(record.detail.get("reason", "")))
        return self._type(reason) if reason else self.code(record.code)

    def sentence(self, record: Record) -> str:
        """Return what happened, why, and the facts that matter, in one line."""
        why = self.why(record)
        said = self.kind(record.event) + (self._type(f" : {why}") if why else "")
        counted = _COUNTED[self.language]
        facts = [self.fact(name, str(record.detail[name])) for name in _SAID if record.detail.get(name)]
        facts += [told for (name, value), told in _TOLD_IF[self.language].items() if record.detail.get(name) is value]
        facts += [
            f"{count} {one if count == 1 else many}"
            for name, (one, many) in counted.items()
            if (count := record.detail.get(name))
        ]
        return said + (f" ({', '.join(facts)})" if facts else "")

    def _type(self, text: str) -> str:
        if self.language != "fr":
            return text.replace(" : ", ": ")
        return text.replace("'", "’").replace(" :", "\u00a0:")


@functools.cache
def words(language: str = "fr") -> Words:
    """Return the words of a language, read once."""
    return Words(language)
