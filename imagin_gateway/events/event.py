"""One event, and the line it is written as.

A person is told by a pseudonym (keyed digest of issuer and subject), an address
as it was seen, a refusal by its stable code. Every control character of a value
from outside is escaped, so no value can forge a line (ASVS 16.4.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imagin_gateway.errors import Code
from imagin_gateway.events.kinds import EventName

SCHEMA_VERSION: Final = 1
"""Goes up when a field changes its meaning or goes away; new kinds, codes and facts do not move it."""

LONGEST: Final = 512
"""Signs of one value that are kept: what came from outside cannot fill a disk by one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        name: what.
        code: reason, for a refusal or a failure.
        door: id of the door concerned.
        method: ``saml``, ``oidc``, ``password``...
        strength: authentication context told or reached, if any.
        person: `(issuer, subject)`; written as a pseudonym only.
        address: client address.
        correlation: id of the request, the same as on the page the person saw.
        actor: who acted, for an operator's command.
        detail: a few short facts; never a value that came from outside unread, never a secret.
    """

    name: EventName
    code: Code | None = None
    door: str = ""
    method: str = ""
    strength: str = ""
    person: tuple[str, str] | None = field(default=None, repr=False)
    address: str = ""
    correlation: str = ""
    actor: str = ""
    detail: Mapping[str, str | int | bool] = field(default_factory=dict)


def render(event: Event, at: datetime, pseudonym: str) -> str:
    """Return the JSON line of an event: ASCII only, so nothing in it can end a line or colour a terminal."""
    fields: dict[str, object] = {
        "v": SCHEMA_VERSION,
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.name.value,
        "code": event.code.value if event.code else "",
        "door": event.door[:LONGEST],
        "method": event.method,
        "strength": event.strength[:LONGEST],
        "person": pseudonym,
        "address": event.address[:LONGEST],
        "correlation": event.correlation,
        "actor": event.actor[:LONGEST],
        "detail": {name: value[:LONGEST] if isinstance(value, str) else value for name, value in event.detail.items()},
    }
    kept = {name: value for name, value in fields.items() if value not in ("", {})}
    return json.dumps(kept, ensure_ascii=True).replace("\x7f", "\\u007f")
