"""Texts of the host over ours: only keys that exist, with the parameters they have."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any, Final

from imagin_gateway.errors import Problem
from imagin_gateway.pages.texts import Catalogue, languages

OWN: Final = "host."
"""Keys that begin so are the host's own, for its templates."""

_COUNTED: Final = {"spoken.months": 12, "spoken.halves": 2}
"""Texts that are so many words in order: with one too few, pages that tell a date could not be made, some days."""

_FORMS: Final = frozenset({"by", "one", "other"})


def overridden(ours: Mapping[str, Catalogue], folder: Path) -> tuple[dict[str, Catalogue], list[Problem]]:
    """Return the catalogues with the texts of the host in them, and everything wrong with those.

    Args:
        ours: by language.
        folder: of the host; each file is named after its language.
    """
    if not folder.is_dir():
        return dict(ours), [Problem("appearance.texts", "ce dossier n'existe pas", "donner un dossier de textes")]
    problems = [
        Problem(f"texts.{file.name}", "aucune langue ne porte ce nom", "fr.toml ou en.toml")
        for file in sorted(folder.iterdir())
        if file.suffix == ".toml" and file.stem not in languages()
    ]
    mixed: dict[str, Catalogue] = {}
    for language, catalogue in ours.items():
        file = folder / f"{language}.toml"
        changes: dict[str, str] = {}
        if file.is_file():
            try:
                tree = tomllib.loads(file.read_text(encoding="utf-8-sig"))
            except (ValueError, RecursionError, OSError) as error:
                problems.append(Problem(f"texts.{file.name}", f"fichier illisible ({type(error).__name__})", "TOML"))
            else:
                changes = dict(_accepted(catalogue, tree, "", problems))
        mixed[language] = catalogue.changed(changes)
    return mixed, problems


def _accepted(
    ours: Catalogue, tree: Mapping[str, Any], prefix: str, problems: list[Problem]
) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        key = prefix + name
        where = f"texts.{ours.language}.{key}"
        if isinstance(value, dict) and not _is_plural(ours, key):
            yield from _accepted(ours, value, key + ".", problems)
        elif found := _wrong(ours, key, value):
            problems.append(Problem(where, *found))
        elif isinstance(value, dict):
            yield from ((f"{key}.{form}", text) for form, text in value.items())
        else:
            yield key, value


def _is_plural(ours: Catalogue, key: str) -> bool:
    return f"{key}.by" in set(ours)


def _wrong(ours: Catalogue, key: str, value: Any) -> tuple[str, str] | None:
    """Return what is wrong with a text of the host, and what to write; None when it is right."""
    if _is_plural(ours, key):
        return _wrong_plural(ours, key, value)
    if not isinstance(value, str) or not value.strip():
        return "un texte est attendu", "un texte entre guillemets"
    names = _names(value)
    if key.startswith(OWN):
        return ("accolades mal formées", "{nom}") if names is None else None
    if key not in set(ours):
        near = difflib.get_close_matches(key, list(ours), n=1)
        remedy = f"vouliez-vous écrire « {near[0]} » ?" if near else f"les clés à vous commencent par « {OWN} »"
        return "aucun texte ne porte cette clé", remedy
    if (number := _COUNTED.get(key)) is not None and len(value.split()) != number:
        return (
            f"mots attendus : {number} ; il y en a {len(value.split())}",
            "les mots dans l'ordre, un espace entre eux",
        )
    return _wrong_names(names, ours.placeholders(key))


def _wrong_plural(ours: Catalogue, key: str, value: Any) -> tuple[str, str] | None:
    by = dict(ours.items())[f"{key}.by"]
    expected = f'{{ by = "{by}", one = "...", other = "..." }}'
    if not isinstance(value, dict) or set(value) != _FORMS or value["by"] != by:
        return "ce texte dépend d'un nombre", expected
    for form in ("one", "other"):
        if not isinstance(value[form], str) or not value[form].strip():
            return "un texte est attendu", expected
        allowed = ours.placeholders(f"{key}.one") | ours.placeholders(f"{key}.other")
        needed = ours.placeholders(f"{key}.other") if form == "other" else frozenset()
        names = _names(value[form])
        if names is None or not needed <= names <= allowed:
            return _wrong_names(names, needed or allowed)
    return None


def _wrong_names(names: frozenset[str] | None, expected: frozenset[str]) -> tuple[str, str] | None:
    if names is None:
        return "accolades mal formées", "{nom}, ou {{ et }} pour des accolades"
    if names == expected:
        return None
    told = ", ".join(f"{{{name}}}" for name in sorted(expected)) or "aucun"
    lacks, more = expected - names, names - expected
    said = [f"il manque {{{name}}}" for name in sorted(lacks)] + [f"{{{name}}} n'existe pas" for name in sorted(more)]
    return ", ".join(said), f"paramètres : {told}"


def _names(text: str) -> frozenset[str] | None:
    """Return the parameters of a text, or None: nothing but plain names stands between braces."""
    try:
        pieces = [piece[1:] for piece in Formatter().parse(text) if piece[1] is not None]
    except ValueError:
        return None
    if any(not (name or "").isidentifier() or form or conversion for name, form, conversion in pieces):
        return None
    return frozenset(str(name) for name, _, _ in pieces)
