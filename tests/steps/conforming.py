"""Whether an answer is as the document shipped in the package says."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from imagin_gateway.flows.routes import find
from imagin_gateway.openapi import openapi

SEEN: set[tuple[str, str, int]] = set()
"""Operations and statuses met so far."""


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    return openapi()


@lru_cache(maxsize=256)
def _validator(pattern: str, method: str, status: int) -> Draft202012Validator:
    told = document()
    responses = told["paths"][pattern][method]["responses"]
    assert str(status) in responses, f"{method} {pattern} does not tell of {status}"
    response = responses[str(status)]
    if "$ref" in response:
        response = told["components"]["responses"][str(status)]
    kind = "application/problem+json" if status >= 400 else "application/json"
    schema = {**response["content"][kind]["schema"], "components": told["components"]}
    assert validator_for(schema, default=Draft202012Validator) is Draft202012Validator
    return Draft202012Validator(schema)


def conforms(method: str, target: str, status: int, told: Any) -> None:
    """Fail unless the document tells of this answer, status and members."""
    found = find(target.partition("?")[0].removeprefix("/connexion"))
    assert found is not None, target
    errors = [error.message[:300] for error in _validator(found[0].pattern, method, status).iter_errors(told)]
    assert errors == [], (method, target, status)
    SEEN.add((method, found[0].pattern, status))
