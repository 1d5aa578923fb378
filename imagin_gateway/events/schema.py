"""The JSON Schema of one line, made from the tables of `kinds` and shipped beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from imagin_gateway.errors import Code
from imagin_gateway.events.event import SCHEMA_VERSION
from imagin_gateway.events.kinds import FACTS, KINDS

PATH: Final = Path(__file__).with_name("schema.json")
"""The file that is shipped; a test holds it to `schema()`."""

_TYPES: Final = {int: "integer", bool: "boolean", str: "string"}

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "v": {"const": SCHEMA_VERSION, "description": "Version of the schema."},
    "time": {
        "type": "string",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        "description": "When it happened, in UTC.",
    },
    "event": {"enum": [name.value for name in KINDS], "description": "What happened."},
    "code": {"enum": [code.value for code in Code], "description": "Why, for a refusal or a failure."},
    "door": {"type": "string", "description": "Id of the door concerned: the source of the login."},
    "method": {"type": "string", "description": "How somebody proved, or tried to prove, who they are."},
    "strength": {"type": "string", "description": "Authentication context that was told or reached."},
    "person": {
        "type": "string",
        "pattern": "^[0-9a-f]{20}$",
        "description": "Pseudonym: keyed digest of issuer and subject, cut at 80 bits.",
    },
    "address": {"type": "string", "description": "Client address, as the trusted proxies told it."},
    "correlation": {"type": "string", "description": "Reference of the request, as on the page the person saw."},
    "actor": {"type": "string", "description": "Who acted, where it was not the person: `cli:...` or `desk:...`."},
    "detail": {"type": "object", "minProperties": 1, "description": "A few facts; which ones depends on the event."},
}
"""Every field a line may have. An empty one is left out."""


def schema() -> dict[str, Any]:
    """Return the schema of one line (JSON Schema 2020-12): nothing that is not declared passes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One event of imagin_gateway",
        "type": "object",
        "required": ["v", "time", "event"],
        "additionalProperties": False,
        "properties": FIELDS,
        "allOf": [
            {
                "if": {"properties": {"event": {"const": name.value}}},
                "then": {"properties": {"detail": {"$ref": f"#/$defs/{name.value}"}}},
            }
            for name in KINDS
        ],
        "$defs": {
            name.value: {
                "additionalProperties": False,
                "properties": {
                    fact: {"type": _TYPES[FACTS[fact][0]], "description": FACTS[fact][1]} for fact in sorted(kind.facts)
                },
            }
            for name, kind in KINDS.items()
        },
    }


def text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
