"""What journeys give for a step alone, or what the template of its page may do without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Decided:
    """What a step reads of a decision of the policy."""

    rule: str = "direct"
    mark: str = "document"
    second: tuple[str, ...] = ()


MORE: Final[dict[str, dict[str, Any]]] = {
    "session": {"door": "direct", "seconds_left": 90, "warn_before": 120, "login_href": "/connexion/"},
    "sessions": {"logout_href": "/connexion/fin"},
    "outcome": {"decision": Decided(), "links": []},
    "door": {"decision": Decided()},
    "chooser": {"last": None, "over": False},
}
"""By the name of the page."""
