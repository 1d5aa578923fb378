"""Read the pieces of a table: keys, texts, conditions. Everything wrong is noted; nothing stops the reading."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imagin_gateway.policy.findings import Finding, Flaw, TableRefused
from imagin_gateway.policy.typography import spaced
from imagin_gateway.policy.values import Mark, Statement, Text, When
from imagin_gateway.policy.vocabulary import WORDS, Word

Raw = Mapping[str, Any]

_HOLE = re.compile(r"\{([^{}]*)\}")

_BRACE = re.compile(r"[{}]")


def read_file(path: str | Path) -> tuple[str, str]:
    """Return the text of a file and its name, for what is wrong in it. Raises `TableRefused` if it cannot be read."""
    file = Path(path)
    try:
        return file.read_text(encoding="utf-8-sig"), file.name
    except FileNotFoundError:
        what = f"il n’y a pas de fichier {file.absolute()}"
    except IsADirectoryError:
        what = f"{file.absolute()} est un dossier"
    except UnicodeDecodeError:
        what = "il n’est pas en UTF-8"
    except (OSError, ValueError):
        what = f"{file.absolute()} ne peut pas être lu"
    raise TableRefused([Finding(Flaw.SHAPE, "fichier", what)], file.name)


def read_toml(text: str, source: str) -> dict[str, Any]:
    """Return what a text in TOML says. Raises `TableRefused` if it is not TOML; `source` is the name of its file."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Imported here: deciding loads nothing but the policy.
        from imagin_gateway.toml_faults import toml_fault

        raise TableRefused(
            [Finding(Flaw.SHAPE, "fichier", f"ce n’est pas du TOML ({toml_fault(error)})")], source
        ) from None
    except (ValueError, RecursionError):
        # Well-formed, and nothing that Python holds: a number of thousands of digits, a nest of thousands of brackets.
        raise TableRefused([Finding(Flaw.SHAPE, "fichier", "il contient une valeur démesurée")], source) from None


class Reader:
    """Reads pieces, notes findings, and gives back something of the right type in any case."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.groups: dict[str, dict[str, frozenset[Word]]] = {}

    def note(self, flaw: Flaw, where: str, message: str) -> None:
        """Note something wrong."""
        self.findings.append(Finding(flaw, where, spaced(message)))

    def keys(self, raw: Any, where: str, *, needs: str = "", may: str = "") -> Raw:
        """Return a table of keys, once its keys are checked; an empty one if it is no table."""
        if not isinstance(raw, dict):
            self.note(Flaw.SHAPE, where, "une table est attendue")
            return {}
        for key in needs.split():
            if key not in raw:
                self.note(Flaw.SHAPE, where, f"il manque « {key} »")
        for key in sorted(set(raw) - {*needs.split(), *may.split()}):
            self.note(Flaw.SHAPE, where, f"clé inconnue « {key} »")
        return raw

    def tables(self, raw: Raw, key: str, where: str) -> list[Any]:
        """Return a list of tables."""
        value = raw.get(key, [])
        if not isinstance(value, list):
            self.note(Flaw.SHAPE, f"{where}.{key}", "une liste est attendue")
            return []
        return value

    def listed(self, raw: Raw, key: str) -> list[Any]:
        """Return a list of tables, each with an id of its own."""
        items = self.tables(raw, key, "table")
        seen: set[str] = set()
        for item in items:
            told = item.get("id") if isinstance(item, dict) else None
            if isinstance(told, str) and told in seen:
                self.note(Flaw.DUPLICATE, key, f"« {told} » est écrit deux fois")
            elif isinstance(told, str):
                seen.add(told)
        return items

    def string(self, raw: Raw, key: str, where: str, default: str = "") -> str:
        """Return a string."""
        value = raw.get(key, default)
        if not isinstance(value, str):
            self.note(Flaw.SHAPE, f"{where}.{key}", "un texte est attendu")
            return default
        return value

    def flag(self, raw: Raw, key: str, where: str) -> bool:
        """Return a true or false; false if it is not told."""
        value = raw.get(key, False)
        if not isinstance(value, bool):
            self.note(Flaw.SHAPE, f"{where}.{key}", "true ou false est attendu")
        return value is True

    def number(self, raw: Raw, key: str, where: str) -> int | None:
        """Return a whole number above zero, or None if it is not told."""
        value = raw.get(key)
        if value is None:
            return None
        if type(value) is not int or value < 1:
            self.note(Flaw.SHAPE, f"{where}.{key}", "un nombre entier est attendu")
            return None
        return value

    def strings(self, raw: Raw, key: str, where: str) -> tuple[str, ...]:
        """Return a list of strings; one string alone is a list of one."""
        value = raw.get(key, [])
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.note(Flaw.SHAPE, f"{where}.{key}", "une liste de textes est attendue")
            return ()
        return tuple(value)

    def names(self, raw: Raw, key: str, where: str, known: Container[str]) -> tuple[str, ...]:
        """Return a list of names that must all be among `known`."""
        told = self.strings(raw, key, where)
        for name in told:
            if name not in known:
                self.note(Flaw.UNKNOWN_NAME, f"{where}.{key}", f"« {name} » n’existe pas")
        return told

    def names_or_all(self, raw: Raw, key: str, where: str, known: Container[str]) -> tuple[str, ...]:
        """Return a list of names; left out, it means all of them, and an empty one was meant otherwise."""
        if raw.get(key) == []:
            self.note(Flaw.SHAPE, f"{where}.{key}", "il faut au moins un nom, ou pas cette clé")
        return self.names(raw, key, where, known)

    def mark(self, raw: Raw, where: str) -> Mark:
        """Return what a line rests on."""
        try:
            return Mark(raw.get("mark", ""))
        except ValueError:
            self.note(Flaw.MARK, where, "« mark » doit être « document » ou « reading »")
            return Mark.READING

    def text(self, raw: Any, where: str) -> Text:
        """Return a text in both languages."""
        languages = []
        for language in ("fr", "en"):
            value = raw.get(language) if isinstance(raw, dict) else None
            if not isinstance(value, str) or not value.strip():
                self.note(Flaw.NO_LANGUAGE, where, f"il manque le texte en « {language} »")
                value = ""
            languages.append(value)
        return Text(*languages)

    def text_at(self, raw: Raw, key: str, where: str) -> Text:
        """Return the text under a key, with no other key beside its languages."""
        value = raw.get(key)
        if isinstance(value, dict):
            self.keys(value, f"{where}.{key}", may="fr en")
        return self.text(value, f"{where}.{key}")

    def said_at(self, raw: Raw, key: str, where: str) -> Text:
        """Return the text under a key, in which nothing is to be filled."""
        return self.fill(self.text_at(raw, key, where), {}, f"{where}.{key}")

    def statements(self, raw: Raw, key: str, where: str) -> tuple[Statement, ...]:
        """Return a list of marked texts."""
        found = []
        for number, item in enumerate(self.tables(raw, key, where), 1):
            place = f"{where}.{key}[{number}]"
            piece = self.keys(item, place, needs="mark", may="fr en")
            text = self.text(piece, place)
            found.append(Statement(text.fr, text.en, self.mark(piece, place)))
        return tuple(found)

    def fill(self, text: Text, values: Mapping[str, Text], where: str) -> Text:
        """Put values in the place of ``{name}``; a name that is not known there is a finding."""
        filled = []
        for language in ("fr", "en"):
            words = text.get(language)
            for name in _HOLE.findall(words):
                if name not in values:
                    self.note(Flaw.PLACEHOLDER, where, f"« {{{name}}} » n’a pas de valeur ici")
                else:
                    words = words.replace(f"{{{name}}}", values[name].get(language))
            if _BRACE.search(_HOLE.sub("", text.get(language))):
                self.note(Flaw.PLACEHOLDER, where, "une accolade y est seule")
            filled.append(words)
        fr, en = filled
        return Statement(fr, en, text.mark) if isinstance(text, Statement) else Text(fr, en)

    # conditions

    def group(self, dimension: str, name: str, raw: Any) -> None:
        """Read a group: a name for several values of one fact."""
        where = f"groups.{dimension}"
        if dimension not in WORDS:
            self.note(Flaw.UNKNOWN_NAME, "groups", f"« {dimension} » n’est pas un fait")
            return
        self.groups.setdefault(dimension, {})[name] = self._accepted(dimension, raw, f"{where}.{name}")

    def when(self, raw: Any, where: str) -> When:
        """Read one condition."""
        if not isinstance(raw, dict):
            self.note(Flaw.SHAPE, where, "une condition est une table de faits")
            return MappingProxyType({})
        found: dict[str, frozenset[Word]] = {}
        for dimension, values in raw.items():
            if dimension not in WORDS:
                self.note(Flaw.UNKNOWN_NAME, where, f"« {dimension} » n’est pas un fait")
            else:
                found[dimension] = self._accepted(dimension, values, f"{where}.{dimension}")
        return MappingProxyType(found)

    def alternatives(self, raw: Raw, where: str) -> tuple[When, ...]:
        """Read a condition, or a list of conditions of which one is enough."""
        value = raw.get("when", {})
        if isinstance(value, list) and value:
            return tuple(self.when(item, f"{where}.when[{number}]") for number, item in enumerate(value, 1))
        return (self.when(value, f"{where}.when"),)

    def _accepted(self, dimension: str, raw: Any, where: str) -> frozenset[Word]:
        told = [raw] if isinstance(raw, str) else raw
        if not isinstance(told, list) or not told or not all(isinstance(item, str) for item in told):
            self.note(Flaw.SHAPE, where, "une valeur ou une liste de valeurs est attendue")
            return frozenset()
        negated = told[0].startswith("!")
        found: set[Word] = set()
        for item in told:
            if item.startswith("!") is not negated:
                self.note(Flaw.SHAPE, where, "« ! » vaut pour toute la liste ou pour aucune valeur")
            name = item.removeprefix("!")
            if name.startswith("@") and name[1:] in self.groups.get(dimension, {}):
                found |= self.groups[dimension][name[1:]]
            elif name in WORDS[dimension]:
                found.add(WORDS[dimension][name])
            else:
                self.note(Flaw.UNKNOWN_NAME, where, f"« {name} » n’existe pas")
        return frozenset(WORDS[dimension].values()) - found if negated else frozenset(found)
