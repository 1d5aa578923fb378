"""Secrets as settings give them: in the clear, in a variable, in a file; and keys that are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import PlainValidator

from imagin_gateway.keys import MINIMUM_KEY_BYTES, Secret
from imagin_gateway.problems import wrong

MAKE_A_KEY: Final = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"

SECRET_FILE: Final = "file:"
"""Before the path of a file that holds a secret."""


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise wrong("un secret est un texte", "mettre la valeur entre guillemets, ou « env:NOM », ou « file:/chemin »")
    if value.startswith("env:"):
        found = os.environ.get(value[4:])
        if found is None:
            raise wrong(
                f"la variable d'environnement {value[4:]} n'existe pas",
                "la définir avant le démarrage",
                id="settings.variable",
            )
        return Secret(found)
    if value.startswith(SECRET_FILE):
        try:
            return Secret(Path(value.removeprefix(SECRET_FILE)).read_text(encoding="utf-8").strip())
        except (OSError, ValueError):
            raise wrong(
                "le fichier du secret ne peut pas être lu",
                "vérifier le chemin et les droits",
                id="settings.secret_file",
            ) from None
    return Secret(value)


SecretText = Annotated[Secret, PlainValidator(_secret)]

# None is short: one key in ten thousand made by chance holds a given word of four letters.
_EXAMPLES: Final = ("change", "example", "exemple", "secret-key", "password", "xxxxxxxx", "replace", "remplacer")


def _key_problem(key: Secret) -> str:
    value = key.reveal()
    if len(value.encode()) < MINIMUM_KEY_BYTES:
        return f"une clé compte moins de {MINIMUM_KEY_BYTES} octets"
    if len(set(value)) < 10:
        return "une clé est faite de signes répétés"
    if any(word in value.lower() for word in _EXAMPLES):
        return "une clé ressemble à une valeur d'exemple"
    return ""


def strong_keys(keys: tuple[Secret, ...]) -> tuple[Secret, ...]:
    """Return the keys of one use. Raises for none, a weak one, or one that stands twice."""
    if not keys:
        raise wrong("aucune clé", f"en fabriquer une : {MAKE_A_KEY}", id="keys.missing")
    for key in keys:
        if problem := _key_problem(key):
            raise wrong(problem, f"en fabriquer une : {MAKE_A_KEY}", id="keys.weak")
    if len({key.reveal() for key in keys}) < len(keys):
        raise wrong(
            "la même clé figure deux fois",
            "garder chaque clé une seule fois, de la plus ancienne à la plus récente",
            id="keys.twice",
        )
    return keys
