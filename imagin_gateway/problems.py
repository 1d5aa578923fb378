"""What is wrong in a configuration, in French: pydantic's findings turned into a key, a reason and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

from imagin_gateway.errors import Problem


def wrong(message: str, remedy: str = "", *, id: str = "settings.value") -> PydanticCustomError:  # noqa: A002  # as in `Problem`
    """Return the error a validator of ours raises; `problem_of` splits it again."""
    return PydanticCustomError("gateway", "{message}", {"message": message, "remedy": remedy, "id": id})


_VALUE: Final = "settings.value"

_FRENCH: Final = {
    "missing": "clé absente",
    "extra_forbidden": "clé inconnue",
    "string_type": "un texte est attendu",
    "int_type": "un nombre entier est attendu",
    "int_parsing": "un nombre entier est attendu",
    "int_from_float": "un nombre entier est attendu",
    "float_parsing": "un nombre est attendu",
    "float_type": "un nombre est attendu",
    "bool_type": "true ou false est attendu",
    "bool_parsing": "true ou false est attendu",
    "tuple_type": "une liste est attendue",
    "dict_type": "une section est attendue",
    "model_type": "une section est attendue",
    "model_attributes_type": "une section est attendue",
    "path_type": "un chemin de fichier est attendu",
    "value_error": "valeur illisible",
    "union_tag_not_found": "le protocole du portail n'est pas dit",
    "union_tag_invalid": "protocole inconnu",
}


def problem_of(detail: ErrorDetails, model: type[BaseModel], expected: Mapping[str, str]) -> Problem:
    """Turn one of pydantic's findings into a key, what is wrong and what to write, all in French.

    Args:
        detail: as `ValidationError.errors()` tells it.
        model: the whole configuration, to suggest the key that was meant.
        expected: what to write for a key that is absent, by dotted key; `portals.*.` stands for any portal.
    """
    kind, context = detail["type"], detail.get("ctx", {})
    # Discriminated unions put the tag in the location; the person who reads wrote no such key.
    location = [str(part) for part in detail["loc"]]
    if len(location) > 2 and location[0] == "portals" and location[2] in ("link", "saml", "oidc", "header"):
        del location[2]
    key = ".".join(location) or "(fichier)"
    if kind == "gateway":
        return Problem(key, str(context["message"]), str(context["remedy"]), str(context["id"]))
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = next(iter(context.values()))
        word = {"greater_than": "plus de", "greater_than_equal": "au moins", "less_than": "moins de"}.get(
            kind, "au plus"
        )
        return Problem(key, "valeur hors limites", f"{word} {bound}", _VALUE)
    if kind in ("literal_error", "enum"):
        told = f"une de : {context.get('expected', '')}".replace(" or ", " ou ")
        return Problem(key, "valeur inconnue", told, _VALUE)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return Problem(f"{key}.protocol", _FRENCH[kind], '"link", "saml", "oidc" ou "header"', _VALUE)
    if kind == "extra_forbidden":
        return Problem(key, _FRENCH[kind], _nearest(location, model), "settings.unknown_key")
    if kind == "missing":
        # What is the same at every portal is told once.
        general = ".".join(["portals", "*", *location[2:]] if location[0] == "portals" else location)
        return Problem(key, _FRENCH[kind], expected.get(general, "l'écrire"), "settings.missing")
    return Problem(key, _FRENCH.get(kind, f"valeur refusée ({kind})"), id=_VALUE)


def _nearest(location: list[str], root: type[BaseModel]) -> str:
    """Suggest the key that was meant."""
    model: Any = root
    for part in location[:-1]:
        if part in model.model_fields:
            model = model.model_fields[part].annotation
        if not hasattr(model, "model_fields"):
            return "l'enlever, ou vérifier son nom"
    near = difflib.get_close_matches(location[-1], list(model.model_fields), n=1)
    return f"vouliez-vous écrire « {near[0]} » ?" if near else "l'enlever, ou vérifier son nom"
