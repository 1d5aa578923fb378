"""What is wrong in a configuration, in French: pydantic's findings turned into a key, a reason and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

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
    "int_parsing_size": "un nombre entier plus petit est attendu",
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
    tag = location[2] if len(location) > 2 and location[0] == "portals" else ""
    if tag in ("link", "saml", "oidc", "header"):
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
        return Problem(key, _FRENCH[kind], _nearest(location, model, tag), "settings.unknown_key")
    # What is the same at every portal is told once.
    general = ".".join(["portals", "*", *location[2:]] if location[:1] == ["portals"] else location)
    if kind == "missing":
        return Problem(key, _FRENCH[kind], expected.get(general, "l'écrire"), "settings.missing")
    remedy = expected.get(general, '["..."]' if kind == "tuple_type" else "")
    return Problem(key, _FRENCH.get(kind, f"valeur refusée ({kind})"), remedy, _VALUE)


def _nearest(location: list[str], root: type[BaseModel], protocol: str) -> str:
    """Suggest the key that was meant, at a portal that of its protocol."""
    models = [root]
    for part in location[:-1]:
        fields = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        if fields:  # else it is a door, or a place in a list
            models = [found for each in fields for found in _models(each)]
    if protocol:
        models = [each for each in models if protocol in get_args(each.model_fields["protocol"].annotation)]
    names = [name for model in models for name in model.model_fields]
    near = difflib.get_close_matches(location[-1], names, n=1)
    return f"vouliez-vous écrire « {near[0]} » ?" if near else "l'enlever, ou vérifier son nom"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections that an annotation holds, in a list, by name or as one of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
