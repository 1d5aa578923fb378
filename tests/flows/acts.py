"""What the events of an act must be: exactly these, each with all that is known of it (row LOG-01)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from imagin_gateway.errors import Code
from imagin_gateway.identity import DIRECT_ISSUER
from tests.flows.conftest import TheHouse

NO_REQUEST = {
    "mail_sent": "the thread that delivers",
    "mail_failed": "the thread that delivers",
    "metadata_renewed": "the thread that renews",
    "metadata_refused": "the thread that renews",
    "hook_failed": "the host's own function, which knows the person alone",
    "session_ended": "a limit, at the login of somebody who may be elsewhere",
    "history_purged": "the thread that forgets",
}
"""Events of no request, and whose they are."""


@dataclass(frozen=True)
class Told:
    """One event that is expected.

    Attributes:
        event, code, door, method, strength: as written.
        who: `(issuer, subject)` of its pseudonym; the subject alone for the direct door; None when there is nobody.
        actor: who acted, for an act of an operator.
        detail: facts that must stand there; there may be more.
    """

    event: str
    code: str = ""
    who: tuple[str, str] | str | None = None
    door: str = "direct"
    method: str = ""
    strength: str = ""
    actor: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def told(event: str, code: Code | None = None, who: tuple[str, str] | str | None = None, **more: Any) -> Told:
    return Told(event, code.value if code is not None else "", who, **more)


class Acts:
    """Holds each act in a house against the events it must cause.

    Args:
        house: in which.
        address: of the browser.
    """

    def __init__(self, house: TheHouse, address: str = "192.0.2.7") -> None:
        self.house = house
        self._address = address

    @contextmanager
    def cause(self, what: str, *expected: Told) -> Iterator[None]:
        """Check the events of one act: their list, and every field of each."""
        before = len(self.house.events)
        yield
        found = self.house.events[before:]
        assert [each["event"] for each in found] == [each.event for each in expected], (what, found)
        for each, wanted in zip(found, expected, strict=True):
            self._hold(f"{what}: {wanted.event}", each, wanted)

    def _hold(self, what: str, found: dict[str, Any], wanted: Told) -> None:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"]), what
        assert found["time"][:16] == self.house.clock.now().isoformat()[:16], what
        for name in ("code", "door", "method", "strength", "actor"):
            assert found.get(name, "") == getattr(wanted, name), (what, name, found)
        assert found.get("person", "") == self._pseudonym(wanted.who), (what, "person", found)
        assert wanted.detail.items() <= found.get("detail", {}).items(), (what, found)
        if wanted.event in NO_REQUEST or wanted.actor.startswith("cli:"):
            return
        assert found.get("address", "") == self._address, (what, found)
        assert re.fullmatch(r"R-[2-9A-Z]{4}-[2-9A-Z]{4}", found.get("correlation", "")), (what, found)

    def _pseudonym(self, who: tuple[str, str] | str | None) -> str:
        if who is None:
            return ""
        return self.house.gateway.house.events.pseudonym((DIRECT_ISSUER, who) if isinstance(who, str) else who)
