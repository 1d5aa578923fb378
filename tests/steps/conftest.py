"""A script front end: it asks and sends JSON, keeps the browser's cookies, and knows no page of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.client import Client, Reply
from tests.flows.conftest import TheHouse, make_house
from tests.steps.conforming import conforms

__all__ = ["Script", "make_house", "script"]

ACCEPT = {"Accept": "application/json"}
SAME = {**ACCEPT, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}


@dataclass
class Script:
    """The script in one browser."""

    client: Client
    replies: list[Reply] = field(default_factory=list)
    asked: tuple[str, str] = ("", "")

    def get(self, target: str, **headers: str) -> Any:
        """Ask for a step; return what it says."""
        self.asked = ("get", target)
        return self._read(self.client.get(target, headers={**ACCEPT, **headers}))

    def post(self, target: str, told: Any, **headers: str) -> Any:
        """Send an object, or bytes as they are; return what is answered."""
        raw = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.asked = ("post", target)
        return self._read(self.client.request("POST", target, raw=raw, headers={**SAME, **headers}))

    def send(self, step: Any, form: str, **filled: str) -> Any:
        """Fill in a form of a step, and send it."""
        return self.post(step["forms"][form]["action"], {**step["forms"][form]["send"], **filled})

    def follow(self, told: Any, limit: int = 8) -> Any:
        """Go where steps lead, as long as that is a step."""
        while told.get("step") == "go" and told["by"] == "request" and limit:
            told = self.get(told["to"])
            limit -= 1
        return told

    def enter(self, identifier: str, password: str, next_page: str = "") -> Any:
        """Sign in by the direct door."""
        step = self.get("/connexion/direct" + (f"?next={next_page}" if next_page else ""))
        return self.send(step, "login", identifiant=identifier, motdepasse=password)

    @property
    def status(self) -> int:
        return self.last.status

    @property
    def last(self) -> Reply:
        return self.replies[-1]

    def _read(self, reply: Reply) -> Any:
        self.replies.append(reply)
        kind = "application/problem+json" if reply.status >= 400 else "application/json"
        assert reply.header("content-type") == kind, (reply.status, reply.headers, reply.text[:300])
        assert reply.header("cache-control") == "no-store"
        assert "Accept" in reply.header("vary").split(", ")
        assert reply.header("x-content-type-options") == "nosniff"
        told = json.loads(reply.body)
        conforms(*self.asked, reply.status, told)
        assert reply.status < 400 or told["status"] == reply.status
        return told


def script(house: TheHouse) -> Script:
    """Return a new browser with the script in it."""
    return Script(house.client())
