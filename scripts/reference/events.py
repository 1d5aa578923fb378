"""Every kind of event, every field of one, and which are kept beside the account (row DOC-06)."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from typing import Final

from imagin_gateway.errors import Code
from imagin_gateway.events import Event, EventName, render
from imagin_gateway.events.kinds import FACTS, KINDS
from imagin_gateway.local.history import KEPT
from scripts.reference.advice import OF_EVENTS
from scripts.reference.markdown import table

PAGE: Final = "reference/events.md"

HEAD: Final = """# Events

One JSON object a line, ASCII alone, to a file (`events.path`), standard output, syslog or a function of the host. Nothing
in a line is a secret, a password, a token or a name: a person is a pseudonym, the same as long as `keys.events` (without
it, `keys.signing`) keeps its newest key. Control characters of what came from outside are escaped, so no value forges a
line. A sink that fails never stops a login; readiness, a figure and the other sinks say so.
`imagin-gateway events schema` prints the JSON Schema of a line.

Times are UTC, from the gateway's own clock: keep it right.
"""

FIXED: Final = {
    "v": "version of this format",
    "time": "when, UTC, to the millisecond (ISO 8601)",
    "event": "what, see below",
}
"""Fields of a line that are none of `Event`."""


def text() -> str:
    """Return the page."""
    fields = [(f"`{name}`", told) for name, told in field_list().items()]
    rows = []
    for name in EventName:
        told, do = OF_EVENTS.get(name.value, (name.value.replace("_", " "), ""))
        rows.append((f"`{name.value}`", told, do, "yes" if name in KEPT else ""))
    return "\n".join(
        [
            HEAD,
            "## Fields\n",
            "A field that is empty is left out.\n",
            table(["field", "what it is"], fields),
            "\n```json\n" + example() + "\n```\n",
            "## Kinds\n",
            "*Kept* are those that are also kept beside the account, for the help desk, for `events.retention_months`.\n",
            table(["event", "what happened", "what to do", "kept"], rows),
            "\n## Facts\n",
            "What `detail` may hold.\n",
            table(["fact", "what it says", "told by"], facts()),
            "",
        ]
    )


def facts() -> list[tuple[str, str, str]]:
    """Return each fact, what it says, and the kinds that tell it."""
    told = []
    for fact, (_, says) in FACTS.items():
        kinds = ", ".join(f"`{name.value}`" for name, kind in KINDS.items() if fact in kind.facts)
        told.append((f"`{fact}`", says, kinds))
    return told


def field_list() -> dict[str, str]:
    """Return the fields of a line, in its order, each with what the code says of it."""
    said = dict(re.findall(r"^    (\w+): (.+)$", inspect.cleandoc(Event.__doc__ or ""), re.MULTILINE))
    said |= {"code": "reason, for a refusal or a failure ([codes](codes.md))"}
    return {name: (FIXED.get(name) or said[name]).rstrip(".").replace("``", "`") for name in json.loads(example())}


def example() -> str:
    """Return a line with every field, as the code writes it."""
    event = Event(
        name=EventName.LOGIN_REFUSED,
        code=Code.SAML_AUDIENCE,
        door="arena-paris",
        method="saml",
        strength="urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        person=("issuer", "subject"),
        address="192.0.2.17",
        correlation="K7M2-QX4P",
        actor="operator",
        detail={"status": 403},
    )
    return render(event, datetime(2026, 12, 14, 8, 0, tzinfo=UTC), "9rVbZk2sYw0uQ1xTnE7a")
